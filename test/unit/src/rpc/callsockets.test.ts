// Caller of messages over real sockets on loopback: broken, refused and aborted connections become the documented errors.

import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { address } from '../../../../src/base/ids.ts'
import { silent } from '../../../../src/ports/log.ts'
import { Credentials } from '../../../../src/rpc/auth.ts'
import { Caller } from '../../../../src/rpc/call.ts'
import { systemClock } from '../../../../src/world/clock.ts'
import { systemNet } from '../../../../src/world/net.ts'
import { seeded } from '../../../../src/world/random.ts'
import { change, look, once } from './callkit.ts'

describe('over real sockets', () => {
  const net = systemNet(silent)
  let server: http.Server
  let answer: (request: http.IncomingMessage, response: http.ServerResponse) => void
  const caller = new Caller({
    dispatcher: net.dispatcher, clock: systemClock, random: seeded(3),
    credentials: new Credentials({ secret: Buffer.alloc(32), user: 'ann', cluster: 'c', clock: systemClock, random: seeded(4) }),
  })
  const here = () => address(`127.0.0.1:${(server.address() as AddressInfo).port}`)
  beforeEach(async () => {
    server = http.createServer((request, response) => { request.resume(); answer(request, response) })
    await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  })
  afterEach(async () => {
    server.closeAllConnections()
    await new Promise(resolve => { server.close(resolve) })
  })

  test('a server that drops the connection after hearing a mutation makes it unknown; a look is unavailable', async () => {
    let heard = 0
    answer = request => { heard++; request.socket.destroy() }
    // On a busy machine a short deadline may pass before the first repeat.
    for (let timeoutMs = 300; heard < 2; timeoutMs *= 3) {
      heard = 0
      await expect(caller.call(here(), change, once, { timeoutMs })).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    }
    await expect(caller.call(here(), look, {}, { retry: false })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  test('a server that breaks off inside of its answer is no answer', async () => {
    answer = (_, response) => {
      response.writeHead(200, { 'content-length': 100 })
      response.write('{"n":')
      setTimeout(() => response.destroy(), 10)
    }
    await expect(caller.call(here(), look, {}, { retry: false })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  test('a refused connection is UNAVAILABLE, never unknown', async () => {
    const gone = here()
    await new Promise(resolve => { server.close(resolve) })
    await expect(caller.call(gone, change, once, { timeoutMs: 200 })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('cannot reach') as string,
    })
    await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  })

  test('a host that does not exist is UNAVAILABLE', async () => {
    await expect(caller.call(address('no-such-host.invalid:1'), look, {}, { retry: false })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  test('an aborted call drops its connection, so the server notices', async () => {
    const closed = Promise.withResolvers<void>()
    const heard = Promise.withResolvers<void>()
    answer = (_, response) => { heard.resolve(); response.once('close', () => closed.resolve()) }
    const controller = new AbortController()
    const calling = caller.call(here(), look, {}, { signal: controller.signal })
    await heard.promise
    controller.abort()
    await expect(calling).rejects.toMatchObject({ code: 'ABORTED' })
    await closed.promise
  })

  test('each call says who makes it, so that whatever stands between can tell nodes from clients', async () => {
    const agents: unknown[] = []
    answer = (request, response) => { agents.push(request.headers['user-agent']); response.end('{"n":1}') }
    const node = new Caller({
      dispatcher: net.dispatcher, clock: systemClock, random: seeded(3), who: 'node-7',
      credentials: new Credentials({ secret: Buffer.alloc(32), user: 'ann', cluster: 'c', clock: systemClock, random: seeded(4) }),
    })
    await caller.call(here(), look, {}, { retry: false })
    await node.call(here(), look, {}, { retry: false })
    expect(agents).toEqual([expect.stringMatching(/^gristmill\/\S+ \(client\)$/), expect.stringMatching(/^gristmill\/\S+ \(node-7\)$/)])
    expect(node.admission('/v1/transfer')['user-agent']).toBe(agents[1])
  })

  test('a redirect is not followed', async () => {
    let asked = 0
    answer = (_, response) => { asked++; response.writeHead(307, { location: 'http://169.254.169.254/' }); response.end() }
    await expect(caller.call(here(), look, {}, { retry: false })).rejects.toMatchObject({ code: 'INTERNAL', details: { status: 307 } })
    expect(asked).toBe(1)
  })
})
