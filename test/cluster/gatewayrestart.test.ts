// What clients of a gateway have begun goes on when the namenode, and then the gateway itself, is started again: keys, uploads in parts,
// pages of lists, signed addresses, sessions of the console. Until then a client is told to come again, and never that something is not
// there.

import { createHash, randomBytes } from 'node:crypto'
import { request } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TestCluster } from '../kit/cluster.ts'
import { ServerProcess } from '../kit/process/server.ts'
import { runHere, startClusterHere } from './inprocess.ts'
import { S3TestClient, type S3Reply, type S3Request, type TestKey } from './s3client.ts'

let cluster: TestCluster
let gateway: ServerProcess
let [s3, page] = ['', '']
let client: S3TestClient

/** The ports of its first start are kept. */
async function startGateway(): Promise<void> {
  const portOf = (url: string): string => (url === '' ? '0' : new URL(url).port)
  gateway = new ServerProcess({ role: 'gateway', args: ['--s3', portOf(s3), '--console', portOf(page)], env: cluster.env })
  const { endpoints } = await gateway.ready() as unknown as { endpoints: { s3: string; console: string } };
  [s3, page] = [endpoints.s3, endpoints.console]
}

beforeAll(async () => {
  cluster = await startClusterHere({ datanodes: 1, settings: { GRISTMILL_REPLICATION: '1', GRISTMILL_INLINE_BYTES: '4KiB' } })
  await startGateway()
  await cluster.ok(['user', 'add', 'ada'])
  client = new S3TestClient(new URL(s3).host, JSON.parse(await cluster.ok(['user', 'key', 'ada', '--json'])) as TestKey)
  await asked('PUT', '/grain')
})

afterAll(async () => {
  await client.close()
  await gateway.end('SIGTERM')
  await cluster[Symbol.asyncDispose]()
})

/** As clients of S3 do it: a broken connection, and an answer that says so, is tried again. */
async function asked(method: string, path: string, more: S3Request = {}): Promise<S3Reply> {
  for (;;) {
    const reply = await client.ask(method, path, more).catch(() => undefined)
    if (reply && reply.status < 300) return reply
    if (reply) expect([method, path, reply.status, reply.text]).toEqual([method, path, 503, expect.any(String)])
    await new Promise(resolve => { setTimeout(resolve, 50) })
  }
}

const valueOf = ({ text }: S3Reply, element: string): string => new RegExp(`<${element}>([^<]*)<`).exec(text)![1]!

test('clients of S3 and pages of the console go on over a restart of the namenode, and over one of the gateway', async () => {
  const login = await runHere(['console', '--at', page, '--json'], cluster.env)
  const link = (JSON.parse(login.stdout) as { link: string }).link.split('#')[1]
  const entered = await fetch(`${page}/api/login`, { method: 'POST', body: JSON.stringify({ link }) })
  const headers = {
    cookie: entered.headers.get('set-cookie')!.split(';')[0]!, 'x-gristmill-token': (await entered.json() as { token: string }).token,
  }
  const call = async (name: string, body: object): Promise<any> => {
    const reply = await fetch(`${page}/api/call/${name}`, { method: 'POST', headers, body: JSON.stringify(body) })
    return [reply.status, await reply.json()]
  }
  const live = async (after: number): Promise<any> => (await fetch(`${page}/api/live?after=${after}`, { headers })).json()

  const [one, two] = [randomBytes(5 * 2 ** 20), randomBytes(100_000)]
  const upload = valueOf(await asked('POST', '/grain/large', { query: { uploads: '' } }), 'UploadId')
  const part = (number: number, body: Buffer) =>
    asked('PUT', '/grain/large', { query: { uploadId: upload, partNumber: String(number) }, body })
  const first = await part(1, one)
  for (const name of ['a', 'b', 'c']) await asked('PUT', `/grain/${name}`, { body: name })
  const opened = await asked('GET', '/grain', { query: { 'list-type': '2', 'max-keys': '2' } })
  const token = valueOf(opened, 'NextContinuationToken')
  const signed = await client.presigned('GET', '/grain/a', 3600)

  // All at once: before the namenode ends, while it is away, and while it starts.
  let isBack = false
  const restarted = cluster.namenode.end().then(() => cluster.namenode.start()).then(() => { isBack = true })
  const second = part(2, two)
  const written: string[] = []
  const listed: number[] = []
  while (!isBack || written.length === 0) {
    const name = `during${written.length}`
    await asked('PUT', `/grain/${name}`, { body: name })
    written.push(name)
    expect((await asked('GET', `/grain/${name}`)).text).toBe(name)
    const [status, reply] = await call('namespace.list', { path: '/grain' })
    expect([200, 503], JSON.stringify(reply)).toContain(status)
    listed.push(status)
  }
  await restarted
  await second
  expect((await call('namespace.list', { path: '/grain' }))[0]).toBe(200)
  const { version, status } = await live(0)
  expect(status.nodes).toHaveLength(1)

  // An upload whose body is under way is ended by none of this, and the port is closed to others.
  const late = await begunUpload(await client.presigned('PUT', '/grain/late', 3600))
  const ended = gateway.end('SIGTERM')
  expect(await late()).toBe(200)
  await ended
  await startGateway()

  expect((await asked('GET', '/grain/late')).text).toBe('late')
  const parts = [[1, first], [2, await second]].map(([number, reply]) =>
    `<Part><PartNumber>${number as number}</PartNumber><ETag>${String((reply as S3Reply).headers['etag'])}</ETag></Part>`)
  const completion = `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`
  await asked('POST', '/grain/large', { query: { uploadId: upload }, body: completion })
  const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex')
  expect(md5((await asked('GET', '/grain/large')).bytes)).toBe(md5(Buffer.concat([one, two])))
  const next = await asked('GET', '/grain', { query: { 'list-type': '2', 'continuation-token': token } })
  expect([valueOf(opened, 'Key'), valueOf(next, 'Key')]).toEqual(['a', 'c'])
  expect(await (await fetch(`${s3}${signed}`)).text()).toBe('a')
  for (const name of written) expect((await asked('GET', `/grain/${name}`)).text).toBe(name)
  // The page asks with the version of the console before.
  expect((await live(version)).version).toBeGreaterThan(0)
  expect((await call('namespace.mkdir', { path: '/by-page', requestId: 'page:1' }))[0]).toBe(200)
})

/** An upload whose body is asked for; the function sends it, and gives the status of the answer. */
async function begunUpload(target: string): Promise<() => Promise<number>> {
  const { hostname, port } = new URL(s3)
  const asking = request({
    host: hostname, port, path: target, method: 'PUT', headers: { 'content-length': 4, expect: '100-continue' }, agent: false,
  })
  const answered = new Promise<number>((resolve, reject) => {
    asking.on('response', answer => { answer.resume(); resolve(answer.statusCode!) }).on('error', reject)
  })
  answered.catch(() => {})
  const called = new Promise<void>(resolve => { asking.once('continue', resolve) })
  asking.flushHeaders()
  await Promise.race([called, answered])
  return () => { asking.end('late'); return answered }
}
