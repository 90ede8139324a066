// The cluster of test/cluster/s3.test.ts: two gateways, two users, and what the tests of S3 have in common.

import { createHash } from 'node:crypto'
import net from 'node:net'
import { join } from 'node:path'
import { expect } from 'vitest'
import { connect, type Mill } from '../../../client/index.ts'
import { type TestCluster } from '../../kit/cluster.ts'
import { ServerProcess } from '../../kit/process/server.ts'
import { startClusterHere } from '../inprocess.ts'
import { encoded, S3TestClient, signerOf, type S3Reply, type S3Request, type TestKey } from '../s3client.ts'

export let cluster: TestCluster
export let mill: Mill
export const gateways: ServerProcess[] = []
export let at = ''
/** Address of WebHDFS on the other gateway. */
export let webhdfs = ''
export let keys: Record<'ada' | 'grete', TestKey>
export let ada: S3TestClient
/** Another gateway. */
export let other: S3TestClient
export let grete: S3TestClient

export async function openS3(): Promise<void> {
  // Small objects are inlined, as in clusters of users.
  cluster = await startClusterHere({ datanodes: 1, settings: { GRISTMILL_REPLICATION: '1', GRISTMILL_INLINE_BYTES: '4KiB' } })
  await cluster.ok(['user', 'add', 'ada', 'grete'])
  const keyOf = async (name: string): Promise<TestKey> => JSON.parse(await cluster.ok(['user', 'key', name, '--json'])) as TestKey
  keys = { ada: await keyOf('ada'), grete: await keyOf('grete') }
  const log = join(cluster.dir, 'access.log')
  for (const args of [['--s3', '0', '--access-log', log], ['--s3', '0', '--webhdfs', '0']])
    gateways.push(new ServerProcess({ role: 'gateway', args, env: cluster.env }))
  const ready = await Promise.all(gateways.map(each => each.ready() as Promise<{ address: string; endpoints?: Record<string, string> }>))
  at = ready[0]!.address
  webhdfs = ready[1]!.endpoints!['webhdfs']!
  ada = new S3TestClient(at, keys.ada)
  other = new S3TestClient(new URL(ready[1]!.endpoints!['s3']!).host, keys.ada)
  grete = new S3TestClient(at, keys.grete)
  mill = await connect({ address: `gristmill://${cluster.namenode.address}`, secretFile: cluster.secretFile })
  expect((await ada.ask('PUT', '/grain')).status).toBe(200)
}

export async function closeS3(): Promise<void> {
  await Promise.all([ada, other, grete].map(each => each.close()))
  await mill.close()
  await Promise.all(gateways.map(gateway => gateway.end('SIGTERM')))
  await cluster[Symbol.asyncDispose]()
}

export const ok = async (method: string, path: string, request?: S3Request, client = ada): Promise<S3Reply> => {
  const reply = await client.ask(method, path, request)
  expect([method, path, reply.status < 300 ? '' : reply.text]).toEqual([method, path, ''])
  return reply
}

export const bad = async (method: string, path: string, status: number, code: string, request?: S3Request, client = ada): Promise<void> => {
  const reply = await client.ask(method, path, request)
  expect([method, path, reply.status, reply.code]).toEqual([method, path, status, code])
}

export const md5 = (bytes: string | Uint8Array): string => createHash('md5').update(bytes).digest('hex')
export const elements = (text: string, name: string): string[] =>
  [...text.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map(match => match[1]!)

/** Leases, and names below the directory of uploads. */
export async function left(): Promise<unknown[]> {
  const uploads: string[] = []
  for await (const { path } of mill.list('/.gristmill/uploads')) uploads.push(path)
  return [uploads]
}

export const partBytes = 5 * 2 ** 20

export const completion = (parts: readonly (readonly [number, string])[]): string =>
  `<CompleteMultipartUpload>${parts.map(([number, etag]) =>
    `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag></Part>`).join('')}</CompleteMultipartUpload>`

export async function begin(path: string, headers: Record<string, string> = {}): Promise<string> {
  return elements((await ok('POST', path, { query: { uploads: '' }, headers })).text, 'UploadId')[0]!
}

/** The head of a signed request whose body does not come, or comes in part. */
export async function headOf(method: string, path: string, query: Record<string, string>, length: number): Promise<string> {
  const request = {
    method, protocol: 'http:', hostname: at, path: encoded(path), query,
    headers: { host: at, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', 'content-length': String(length) },
  }
  const { headers } = await signerOf(keys.ada).sign(request as never) as unknown as { headers: Record<string, string> }
  const text = Object.entries(query).map(([name, value]) => `${name}=${value}`).join('&')
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return `${method} ${encoded(path)}${text ? `?${text}` : ''} HTTP/1.1\r\n${lines}\r\n`
}

/** Answer to a request of which no more is sent. */
export const answerTo = (text: string): Promise<string> => new Promise(resolve => {
  const socket = net.connect({ host: '127.0.0.1', port: Number(at.split(':')[1]) }, () => { socket.write(text) })
  let seen = ''
  socket.on('data', bytes => {
    seen += bytes.toString()
    if (!seen.includes('</Error>')) return
    socket.destroy()
    resolve(seen)
  })
})

/** A request without a signature. */
export const anonymous = async (method: string, path: string, client = ada, body?: string): Promise<string> => {
  const { status, code, text } = await client.send(method, path, { host: at }, body)
  return status < 300 ? text : code ?? String(status)
}

export async function metric(name: string): Promise<number> {
  const text = await (await fetch(`http://${cluster.namenode.address}/metrics`)).text()
  return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN)
}
