// Real world as a whole: it has every port, and they work together.

import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import Fastify from 'fastify'
import { expect, test } from 'vitest'
import { realWorld } from '../../../../src/world/world.ts'

test('the real world has every port, and they work together', async () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'gristmill-world-'))
  const world = realWorld({ name: 'test', logLevel: 'info', logFile: path.join(directory, 'log') })
  try {
    const store = await world.openStore(path.join(directory, 'store'), { sync: false })
    const table = store.table('t')
    store.transact(() => table.put(Buffer.from('id'), Buffer.from(world.random.id())))
    await store.close()
    const lock = await world.disk.lock(directory)
    expect(lock).toBeDefined()
    await lock!.release()
    const http = Fastify()
    http.get('/', () => ({ now: world.clock.now() }))
    const listening = await world.net.listen({ http }, { host: '127.0.0.1', port: 0 })
    const answer = await fetch(`http://${listening.address}/`)
    expect(await answer.json()).toEqual({ now: expect.any(Number) as number })
    await listening.close()
    await world.net.close()
    world.log.info('done')
    expect(fs.readFileSync(path.join(directory, 'log'), 'utf8')).toContain('"msg":"done"')
  } finally {
    fs.rmSync(directory, { recursive: true, force: true })
  }
})
