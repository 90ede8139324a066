// The server of a key-value store in this process, over a cluster that is a map of files: answers, bad input, tokens, and what happens when
// the path leads to another version, to one that is no store, or back.

import { connect, type Socket } from 'node:net'
import { Agent, request } from 'undici'
import { afterAll, expect, test } from 'vitest'
import { serveKeyValue } from '../../../../client/process/servekv.ts'
import { Follower } from '../../../../client/serving/follower.ts'
import { KeyValueServer } from '../../../../client/serving/server.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import { TableWriter } from '../../../../src/program/keyvalue.ts'
import type { Service } from '../../../../src/ports/net.ts'
import { Connections } from '../../../../src/world/connections.ts'
import { listen } from '../../../../src/world/listen.ts'
import { systemNet } from '../../../../src/world/net.ts'
import { until } from '../../../kit/cluster.ts'
import { MemoryDisk } from '../../../kit/memory-disk.ts'

const log = { debug() {}, info() {}, warn() {}, error() {} } as never
const net = systemNet(log)
const agent = new Agent()
afterAll(async () => { await agent.close(); await net.close() })

function tableOf(pairs: Readonly<Record<string, unknown>>): Buffer {
  const writer = new TableWriter()
  const blocks: Buffer[] = []
  for (const key of Object.keys(pairs).sort()) {
    const value = pairs[key]
    const full = value instanceof Uint8Array ? writer.add(key, value, 'bytes') : writer.add(key, Buffer.from(JSON.stringify(value)), 'json')
    if (full) blocks.push(full)
  }
  return Buffer.concat([...blocks, ...writer.end()])
}

/** One path with versions, each a list of files by their numbers. */
class Cluster {
  readonly contents = new Map<number, Buffer>()
  versions: number[][] = []
  version = 1
  copies = 0
  copied = (): void => {}

  add(bytes: Buffer): number {
    const id = this.contents.size + 100
    this.contents.set(id, bytes)
    return id
  }
  /** Set: the path is a directory that no job has published, whose files are those of the version. */
  plain?: { mtimeMs: number }
  async status(): Promise<never> {
    return { type: 'directory', ...this.plain ? { id: 9, ...this.plain } : { id: 10 + this.version, version: this.version } } as never
  }
  async * list(path: string): AsyncGenerator<never> {
    const version = this.plain ? this.version : Number(path.split('@')[1])
    yield { type: 'file', path: `${path}/_SUCCESS`, id: 1, length: 0 } as never
    for (const id of this.versions[version - 1]!)
      yield { type: 'file', path: `${path}/part-${id}`, id, length: this.contents.get(id)!.length } as never
  }
  readonly disk = new MemoryDisk()
  async get(path: string, local: string): Promise<void> {
    this.copies++
    this.copied()
    await this.disk.writeFileDurable(local, this.contents.get(Number(path.split('part-')[1]))!)
  }
}

/** A clock whose sleepers wake when the test says so, and a wait for the next look to end. */
class Looks {
  #wake: (() => void) | undefined
  #asleep = Promise.withResolvers<void>()
  readonly clock = {
    now: () => 5,
    yield: async () => {},
    sleep: (_ms: number, signal?: AbortSignal) => new Promise<void>((resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
      this.#wake = resolve
      this.#asleep.resolve()
    }),
  }
  /** One look at the path, from its beginning to its end. */
  async look(): Promise<void> {
    await this.#asleep.promise
    this.#asleep = Promise.withResolvers()
    this.#wake!()
    await this.#asleep.promise
  }
}

async function serve(cluster: Cluster, token?: string, own = net) {
  const looks = new Looks()
  const { disk } = cluster
  const parts = { disk, clock: looks.clock, log, files: cluster }
  const follower = await Follower.start(parts, { path: '/kv', directory: '/copies' }, AbortSignal.any([]))
  const server = await KeyValueServer.start({ net: own, log, follower, clock: looks.clock }, { host: '127.0.0.1', port: 0, token })
  const ask = async (path: string, options: { method?: string; headers?: Record<string, string>; body?: string } = {}) => {
    const reply = await request(`http://${server.address}${path}`, { dispatcher: agent, ...options as object })
    return { status: reply.statusCode, headers: reply.headers, text: await reply.body.text() }
  }
  return {
    ask, looks, follower, address: server.address,
    [Symbol.asyncDispose]: async () => { await server.stop(); await follower.stop() },
  }
}

const odd = 'a b/ü?#%'

test('values are read by key, with ETags, and in batches; bad input is refused in words', async () => {
  const cluster = new Cluster()
  cluster.versions = [[cluster.add(tableOf({ ada: { points: 7 }, [odd]: 'x', raw: Buffer.from([0, 255]) }))]]
  await using served = await serve(cluster)
  const { ask } = served
  const ada = await ask('/v1/keys/ada')
  expect(ada).toMatchObject({
    status: 200, text: '{"points":7}', headers: { 'content-type': 'application/json', 'x-gristmill-version': '1' },
  })
  const etag = String(ada.headers['etag'])
  for (const asked of [etag, `"x", W/${etag}`, '*']) {
    const same = await ask('/v1/keys/ada', { headers: { 'if-none-match': asked } })
    expect([same.status, same.text, same.headers['etag']]).toEqual([304, '', etag])
  }
  expect((await ask('/v1/keys/ada', { headers: { 'if-none-match': '"x"' } })).status).toBe(200)
  expect((await ask(`/v1/keys/${encodeURIComponent(odd)}`)).text).toBe('"x"')
  expect(await ask('/v1/keys/ada', { method: 'HEAD' })).toMatchObject({ status: 200, text: '', headers: { 'content-length': '12', etag } })
  expect((await ask('/v1/keys/raw')).headers['content-type']).toBe('application/octet-stream')
  const body = JSON.stringify({ keys: ['ada', 'none', 'raw', odd, 'ada'] })
  expect(JSON.parse((await ask('/v1/batch', { method: 'POST', body })).text)).toEqual({
    version: 1,
    entries: [{ key: 'ada', value: { points: 7 } }, { key: 'none' }, { key: 'raw', base64: 'AP8=' }, { key: odd, value: 'x' },
      { key: 'ada', value: { points: 7 } }],
  })
  const asked = `/v1/batch?${new URLSearchParams([['key', 'ada'], ['key', 'a b'], ['key', odd]]).toString()}`
  const batch = await ask(asked)
  expect(JSON.parse(batch.text)).toEqual({
    version: 1, entries: [{ key: 'ada', value: { points: 7 } }, { key: 'a b' }, { key: odd, value: 'x' }],
  })
  // Only the first ? begins the query, which may have others.
  expect(JSON.parse((await ask('/v1/batch?key=ada?x&key=ada')).text)).toEqual({
    version: 1, entries: [{ key: 'ada?x' }, { key: 'ada', value: { points: 7 } }],
  })
  const of = batch.headers['etag'] as string
  expect(await ask(asked, { headers: { 'if-none-match': of } })).toMatchObject({ status: 304, text: '', headers: { etag: of } })
  expect(await ask(asked, { method: 'HEAD' })).toMatchObject({ status: 200, text: '', headers: { etag: of } })
  expect((await ask('/v1/batch?key=ada', { headers: { 'if-none-match': of } })).status).toBe(200)
  const posted = { method: 'POST', body: JSON.stringify({ keys: ['ada', 'a b', odd] }) }
  expect(await ask('/v1/batch', { ...posted, headers: { 'if-none-match': of } })).toMatchObject({ status: 200, headers: { etag: of } })
  expect(JSON.parse((await ask('/v1/status')).text)).toEqual({ path: '/kv', version: 1, records: 3, sinceMs: 5 })
  for (const [path, options, status] of [
    ['/v1/keys/none', {}, 404], ['/v1/keys/', {}, 404], ['/v1/keys/%ff', {}, 400], ['/v1/keys/ada?x=1', {}, 400], ['/', {}, 404],
    [`/v1/keys/${'x'.repeat(1025)}`, {}, 400], ['/v1/keys/ada', { method: 'PUT', body: 'x' }, 405],
    ['/v1/batch', {}, 400], ['/v1/batch?key=%ff', {}, 400], ['/v1/batch?k=ada', {}, 400],
    ['/v1/batch?key=a', { method: 'POST', body: '{"keys":[]}' }, 400], ['/v1/batch', { method: 'PUT', body: '' }, 405],
    ['/v1/batch', { method: 'POST', body: '{"keys":' }, 400], ['/v1/batch', { method: 'POST', body: '{"keys":[1]}' }, 400],
    ['/v1/batch', { method: 'POST', body: 'null' }, 400], ['/v1/batch', { method: 'POST', body: '{"keys":["\\ud800"]}' }, 400],
    ['/v1/batch', { method: 'POST', body: JSON.stringify({ keys: Array.from({ length: 1001 }, String) }) }, 400],
    ['/v1/batch', { method: 'POST', body: ' '.repeat(7_000_000) }, 413],
  ] as const) {
    const reply = await ask(path, options)
    expect([path.slice(0, 30), reply.status]).toEqual([path.slice(0, 30), status])
    expect(JSON.parse(reply.text)).toMatchObject({ error: { message: expect.stringMatching(/.{12}/) as string } })
  }
  expect((await ask('/healthz')).status).toBe(200)
})

test('a token is asked for, and only by what reads; other addresses than loopback need one', async () => {
  const cluster = new Cluster()
  cluster.versions = [[cluster.add(tableOf({ ada: 1 }))]]
  await using served = await serve(cluster, 'a token of a server')
  const { ask } = served
  const status = async (path: string, authorization?: string): Promise<number> =>
    (await ask(path, authorization === undefined ? {} : { headers: { authorization } })).status
  expect([await status('/v1/keys/ada'), await status('/v1/status', 'Bearer other'), await status('/healthz')]).toEqual([401, 401, 200])
  expect(await status('/v1/keys/ada', 'Bearer a token of a server')).toBe(200)
  const { disk } = cluster
  await disk.writeFileDurable('/short', Buffer.from('short\n'))
  const start = (options: object): Promise<void> =>
    serveKeyValue({ world: { disk } as never, settings: {} as never, mill: {} as never, signal: AbortSignal.any([]) }, {
      path: '/kv', port: 0, ...options,
    }, async () => {})
  await expect(start({ host: '0.0.0.0' })).rejects.toThrow(/refusing to listen on 0.0.0.0: .*--token-file/)
  await expect(start({ tokenFile: '/short' })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
})

test('connections without a byte end those that have shown no token, and none that has', async () => {
  const cluster = new Cluster()
  cluster.versions = [[cluster.add(tableOf({ ada: 1 }))]]
  const connections = new Connections(160)
  const own = { ...net, listen: (service: Service, at: { host: string; port: number }) => listen(service, at, log, connections) }
  await using served = await serve(cluster, 'a token of a server', own)
  const port = Number(served.address.split(':')[1])
  const sockets: Socket[] = []
  const dial = (text: string) => {
    const [socket, seen] = [connect({ host: '127.0.0.1', port }), { text: '', closed: false }]
    sockets.push(socket)
    socket.on('data', bytes => { seen.text += bytes.toString() }).on('error', () => {}).on('close', () => { seen.closed = true })
    if (text !== '') socket.write(text)
    return { socket, seen }
  }
  try {
    // The rest of the body comes later.
    const body = '{"keys":["ada"]}'
    const head = (token: string) => [
      'POST /v1/batch HTTP/1.1', 'host: x', `authorization: Bearer ${token}`, `content-length: ${body.length}`, '', '',
    ].join('\r\n')
    const stranger = dial(head('another'))
    await until('the refusal', async () => stranger.seen.text.startsWith('HTTP/1.1 401'))
    const known = dial(`GET /v1/keys/ada HTTP/1.1\r\nhost: x\r\nauthorization: Bearer a token of a server\r\n\r\n`)
    await until('an answer', async () => known.seen.text.endsWith('1'))
    known.socket.write(head('a token of a server'))
    for (let i = 0; i < connections.max; i++) dial('')
    await until('the end of the stranger', async () => stranger.seen.closed)
    await until('a full house', async () => connections.evicted >= 2)
    known.socket.write(body)
    await until('the values', async () => known.seen.text.endsWith('}]}\n'))
  } finally {
    for (const socket of sockets) socket.destroy()
  }
})

test('without a token, requests under a foreign host name are refused: a web page may have had its name lead here', async () => {
  const cluster = new Cluster()
  cluster.versions = [[cluster.add(tableOf({ ada: 1 }))]]
  await using open = await serve(cluster)
  const status = async (host: string): Promise<number> => (await open.ask('/v1/keys/ada', { headers: { host } })).status
  const hosts = ['evil.example:8611', '10.0.0.1', 'localhost:8611', '127.0.0.1', '[::1]:8611']
  expect(await Promise.all(hosts.map(status))).toEqual([403, 403, 200, 200, 200])
  await using closed = await serve(cluster, 'a token of a server')
  const headers = { host: 'kv.example', authorization: 'Bearer a token of a server' }
  expect((await closed.ask('/v1/keys/ada', { headers })).status).toBe(200)
})

test('a switch is one step, copies only new files, and goes back without a copy; versions that are not kept are removed', async () => {
  const cluster = new Cluster()
  const [first, second, third] = [{ ada: 1 }, { ada: 2 }, { ada: 3 }].map(pairs => cluster.add(tableOf(pairs)))
  const shared = cluster.add(tableOf({ bob: 'same' }))
  cluster.versions = [[first!, shared], [second!, shared], [first!, shared], [third!, shared]]
  await using served = await serve(cluster)
  const { ask, looks } = served
  const tag = (await ask('/v1/keys/bob')).headers['etag']
  const seen: unknown[] = []
  cluster.copied = () => { seen.push(served.follower.store.get(Buffer.from('ada'))!.bytes.toString()) }
  cluster.version = 2
  await looks.look()
  // While the files come, the version before is served.
  expect(seen).toEqual(['1'])
  expect([(await ask('/v1/keys/ada')).text, cluster.copies]).toEqual(['2', 3])
  expect((await ask('/v1/keys/bob')).headers['etag']).toBe(tag)
  cluster.version = 3
  await looks.look()
  expect([(await ask('/v1/keys/ada')).text, cluster.copies]).toEqual(['1', 3])
  cluster.version = 4
  await looks.look()
  expect([(await ask('/v1/keys/ada')).text, cluster.copies]).toEqual(['3', 4])
  expect((await cluster.disk.list('/copies')).map(({ name }) => Number(name.split('-')[0])).sort()).toEqual([first, third, shared].sort())
})

test('a batch gives way to a switch, and its values are of one version', async () => {
  const cluster = new Cluster()
  cluster.versions = [{ ada: 1 }, { ada: 2 }].map(pairs => [cluster.add(tableOf(pairs))])
  await using served = await serve(cluster)
  const { ask, looks } = served
  let turns = 0
  looks.clock.yield = async () => {
    if (++turns !== 2) return
    cluster.version = 2
    await looks.look()
  }
  const reply = await ask('/v1/batch', { method: 'POST', body: JSON.stringify({ keys: Array.from({ length: 100 }, () => 'ada') }) })
  expect(JSON.parse(reply.text)).toEqual({ version: 2, entries: Array.from({ length: 100 }, () => ({ key: 'ada', value: 2 })) })
  expect([reply.headers['x-gristmill-version'], turns > 2]).toEqual(['2', true])
})

test('a version that cannot be read is not served, is named in the state, and is not copied again and again', async () => {
  const cluster = new Cluster()
  const good = cluster.add(tableOf({ ada: 1 }))
  const damaged = tableOf({ ada: 2 })
  damaged[damaged.length - 60]! ^= 1
  cluster.versions = [[good], [cluster.add(damaged)], [cluster.add(Buffer.from('no table'))], [cluster.add(tableOf({ ada: 4 }))]]
  await using served = await serve(cluster)
  const { ask, looks } = served
  const failure = async (): Promise<string | undefined> => (JSON.parse((await ask('/v1/status')).text) as { failure?: string }).failure
  for (const [version, message] of [[2, /is damaged/], [3, /is not part of a key-value store/]] as const) {
    cluster.version = version
    await looks.look()
    const { copies } = cluster
    await looks.look()
    expect(cluster.copies).toBe(copies)
    expect(await failure()).toMatch(message)
    expect((await ask('/v1/keys/ada')).text).toBe('1')
  }
  // A cluster that is away for a while.
  cluster.version = 4
  cluster.copied = () => { throw new GristmillError('UNAVAILABLE', 'the namenode is away') }
  await looks.look()
  expect([await failure(), (await ask('/v1/keys/ada')).text]).toEqual(['the namenode is away', '1'])
  cluster.copied = () => {}
  await looks.look()
  expect([await failure(), (await ask('/v1/keys/ada')).text]).toEqual([undefined, '4'])
})

test('a directory that no job has published is looked at again when an entry of it has changed', async () => {
  const cluster = new Cluster()
  cluster.versions = [[cluster.add(tableOf({ ada: 1 }))], [], [cluster.add(tableOf({ ada: 3 }))]]
  cluster.plain = { mtimeMs: 1 }
  await using served = await serve(cluster)
  const { ask, looks, follower } = served
  expect((await ask('/v1/keys/ada')).text).toBe('1')
  // Its files are written one after the other: the server may look when none is there yet.
  cluster.version = 2
  cluster.plain = { mtimeMs: 2 }
  await looks.look()
  expect([follower.state.failure === undefined, (await ask('/v1/keys/ada')).text]).toEqual([false, '1'])
  cluster.version = 3
  cluster.plain = { mtimeMs: 3 }
  await looks.look()
  expect([follower.state.failure, (await ask('/v1/keys/ada')).text]).toEqual([undefined, '3'])
})
