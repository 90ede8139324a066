// Key-value stores on a cluster of real processes: the guide's program makes one, `serve-kv` serves it, a new version and a rollback are
// switched to under load. No request fails, and each is answered from one version.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { expect, test } from 'vitest'
import { connect } from '../../client/index.ts'
import type { ServedStore } from '../../client/process/servekv.ts'
import { until } from '../kit/cluster.ts'
import { ServerProcess } from '../kit/process/server.ts'
import { root } from '../tidy/source.ts'
import { startClusterHere } from './inprocess.ts'

test('the guide\'s store is made, served, switched and rolled back under load', async () => {
  await using cluster = await startClusterHere({ datanodes: 1, settings: { GRISTMILL_REPLICATION: '1' } })
  const dir = await mkdtemp(join(tmpdir(), 'gristmill-serving-'))
  await using mill = await connect({ address: `gristmill://${cluster.namenode.address}`, secretFile: cluster.secretFile })
  const guide = await readFile(join(root, 'docs/guide/serving.md'), 'utf8')
  const block = (form: RegExp): string => form.exec(guide)![1]!
  await writeFile(join(dir, 'scores.ts'), block(/^```ts\n([\s\S]*?)^```$/m))
  await mill.writeFile('/points.csv', block(/^```csv points.csv\n([\s\S]*?)^```$/m))
  const make = (...more: string[]): Promise<string> =>
    cluster.ok(['run', join(dir, 'scores.ts'), '--input', '/points.csv', '--output', '/scores', ...more])
  await make()

  const server = new ServerProcess({ role: 'serve-kv', args: ['/scores', '--port', '0'], env: cluster.env })
  const { url, records, version } = await server.ready() as unknown as ServedStore
  expect([records, version]).toEqual([2, 1])
  const agent = new Agent({ connections: 8 })
  const ask = async (path: string, body?: string) => {
    const reply = await request(`${url}${path}`, { dispatcher: agent, ...body !== undefined && { method: 'POST', body } })
    return { status: reply.statusCode, headers: reply.headers, text: await reply.body.text() }
  }
  // As the guide's table says.
  const rows = [...guide.matchAll(/`(\{"points":7\}|\{"version".*?\})`/g)].map(match => match[1])
  expect((await ask('/v1/keys/ada')).text).toBe(rows[0])
  expect((await ask('/v1/batch', '{"keys": ["ada", "bob"]}')).text.trim()).toBe(rows[1])

  // Load until all switches are done; each batch has values of one version.
  let over = false
  const seen = new Set<string>()
  const clients = Array.from({ length: 2 }, async () => {
    while (!over) {
      const { status, text, headers } = await ask('/v1/batch', '{"keys": ["ada", "grete"]}')
      expect(status, text).toBe(200)
      const { entries } = JSON.parse(text) as { entries: { value: { points: number } }[] }
      seen.add([headers['x-gristmill-version'], ...entries.map(({ value }) => value.points)].join(' '))
    }
  })
  const served = async (): Promise<{ version: number; failure?: string }> => JSON.parse((await ask('/v1/status')).text) as never
  await mill.writeFile('/points.csv', 'player,points\nada,70\ngrete,50\n')
  await make('--overwrite')
  await until('the second version', async () => (await served()).version === 2)
  await cluster.ok(['rollback', '/scores'])
  await until('the rollback', async () => (await ask('/v1/keys/ada')).text === '{"points":7}')
  over = true
  await Promise.all(clients)
  expect([...seen].map(each => each.slice(each.indexOf(' ') + 1)).every(each => ['7 5', '70 50'].includes(each))).toBe(true)
  expect([...seen].filter(each => each.startsWith('1 '))).toEqual(['1 7 5'])
  // A version that is no store: the one before stays.
  await cluster.ok(['rm', '-r', '/scores'])
  await mill.mkdir('/scores')
  await mill.writeFile('/scores/part-00000', 'no table')
  await until('the failure', async () => (await served()).failure?.includes('is not part of a key-value store'))
  expect((await ask('/v1/keys/ada')).text).toBe('{"points":7}')
  await server.end('SIGTERM')
  expect(server.ended).toBe('exit code 0')
  await agent.close()
  await rm(dir, { recursive: true, force: true })
})
