// Gateways: one object through S3 and through WebHDFS, put and got, beside the library over the same network in the same run; parts in
// parallel; and 10,000 objects of 1 KiB with 32 connections. Three datanodes, three replicas. Beside them, in turns with the gateway,
// SeaweedFS with three volume servers and three copies, and HDFS with three datanodes, where they are installed: by
// `npm run test:interop -- --install --only s3-servers,compare`. `--quick`: an eighth of it.

import { once } from 'node:events'
import { createReadStream, readFileSync, statSync } from 'node:fs'
import http from 'node:http'
import { userInfo } from 'node:os'
import { pipeline } from 'node:stream/promises'
import { Writable } from 'node:stream'
import { Agent, request } from 'undici'
import { connect } from 'gristmill'
import { startCluster } from '../kit/cluster.ts'
import { ServerProcess } from '../kit/process/server.ts'
import { S3TestClient, type TestKey } from '../cluster/s3client.ts'
import { hasHadoop, startHdfs } from '../interop/hadoop.ts'
import { hasSeaweed, startSeaweed } from '../interop/s3servers.ts'
import { text } from './data.ts'

const quick = process.argv.includes('--quick')
const source = text((quick ? 128 : 1024) * 1024 * 1024)
const total = statSync(source).size
const objects = quick ? 1_250 : 10_000
const connections = 32
const rounds = quick ? 2 : 3
const partBytes = Math.ceil(total / 8)

const dispatcher = new Agent({ bodyTimeout: 0, headersTimeout: 0 })
/** Of the gateway and of the namenode. */
const cpuSeconds = (): number[] => [gateway.pid, cluster.namenode.pid].map(pid => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
})
/** As clusters of users have it; kits turn it off. */
const inlineBytes = '4KiB'
const nowhere = (): Writable => new Writable({ write: (_chunk, _encoding, done) => { done() } })
const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!

await using cluster = await startCluster({ datanodes: 3, settings: { GRISTMILL_SLOTS: '0', GRISTMILL_INLINE_BYTES: inlineBytes } })
const gateway = new ServerProcess({ role: 'gateway', args: ['--s3', '0', '--webhdfs', '0'], env: cluster.env })
const { endpoints } = await gateway.ready() as { endpoints?: Record<string, string> }
const [s3, webhdfs] = [endpoints!['s3']!, endpoints!['webhdfs']!]
await cluster.ok(['user', 'add', 'ada'])
const key = JSON.parse(await cluster.ok(['user', 'key', 'ada', '--json'])) as TestKey
const mill = await connect({ address: `gristmill://${cluster.namenode.address}`, secretFile: cluster.secretFile, hostName: 'elsewhere' })
const client = new S3TestClient(new URL(s3).host, key)
const superuser = (await mill.status('/')).owner

function checked<T extends { readonly statusCode: number }>(reply: T): T {
  if (reply.statusCode >= 300) throw new Error(`the gateway answered ${reply.statusCode}`)
  return reply
}

async function send(url: string): Promise<void> {
  const { body } = checked(await request(url, {
    method: 'PUT', dispatcher, headers: { 'content-length': total, 'content-type': 'application/octet-stream' },
    body: createReadStream(source, { highWaterMark: 1 << 20 }),
  }))
  await body.dump()
}

/** Not with undici: a datanode of HDFS sends "100 Continue" to clients that have not asked for it. */
async function sendToHdfs(url: string): Promise<void> {
  const asking = http.request(url, { method: 'PUT', headers: { 'content-length': total, 'content-type': 'application/octet-stream' } })
  const answered = once(asking, 'response') as Promise<[http.IncomingMessage]>
  await pipeline(createReadStream(source, { highWaterMark: 1 << 20 }), asking)
  const [reply] = await answered
  checked({ statusCode: reply.statusCode! })
  reply.resume()
}

/** HDFS names the datanode that takes the bytes, or has them. */
async function locationOf(method: 'PUT' | 'GET', url: string): Promise<string> {
  const { headers, body } = await request(url, { method, dispatcher })
  await body.dump()
  return String(headers['location'])
}

async function fetchAll(url: string): Promise<void> {
  const { body } = checked(await request(url, { dispatcher }))
  await pipeline(body, nowhere())
}

/** A server of S3 with a key of it. */
interface Door { readonly host: string; readonly key: TestKey; readonly client: S3TestClient }
const own: Door = { host: new URL(s3).host, key, client }

const presigned = async (method: string, path: string, { host, client: signer } = own): Promise<string> =>
  `http://${host}${await signer.presigned(method, path, 3600)}`

/** Eight parts at the same time. */
async function sendParts(path: string, { host, key: keyThere, client: asking } = own): Promise<void> {
  const ok = async (...asked: Parameters<S3TestClient['ask']>): Promise<string> => {
    const reply = await asking.ask(...asked)
    if (reply.status >= 300) throw new Error(reply.text)
    return reply.text
  }
  const id = /<UploadId>([^<]+)</.exec(await ok('POST', path, { query: { uploads: '' } }))![1]!
  const parts = await Promise.all(Array.from({ length: 8 }, async (_, i) => {
    const bytes = Math.min(partBytes, total - i * partBytes)
    const parting = new S3TestClient(host, keyThere)
    const reply = await parting.ask('PUT', path, {
      query: { uploadId: id, partNumber: String(i + 1) }, payload: 'UNSIGNED-PAYLOAD', headers: { 'content-length': String(bytes) },
      body: createReadStream(source, { start: i * partBytes, end: i * partBytes + bytes - 1, highWaterMark: 1 << 20 }),
    })
    await parting.close()
    return `<Part><PartNumber>${i + 1}</PartNumber><ETag>${String(reply.headers['etag'])}</ETag></Part>`
  }))
  await ok('POST', path, { query: { uploadId: id }, body: `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>` })
}

const rates = new Map<string, number[]>()
async function timed(name: string, amount: number, work: () => Promise<unknown>): Promise<void> {
  const start = performance.now()
  await work()
  rates.set(name, [...rates.get(name) ?? [], amount / ((performance.now() - start) / 1000)])
}
const rate = (name: string): number => median(rates.get(name)!)

const seaweed = hasSeaweed() ? await startSeaweed({ volumes: 3 }) : undefined
const seaweedDoor = seaweed && { host: seaweed.address, key: seaweed.key, client: new S3TestClient(seaweed.address, seaweed.key) }
const hdfs = hasHadoop() ? await startHdfs({ datanodes: 3, heap: '2g' }) : undefined

const megabytes = total / 1e6
await client.ask('PUT', '/bench')
await seaweedDoor?.client.ask('PUT', '/bench')
for (let round = 0; round < rounds; round++) {
  // One after the other, so that all see the same load of the machine.
  await timed('own put', megabytes, () => mill.put(source, '/bench/own', { overwrite: true }))
  const url = `${webhdfs}/bench/webhdfs?user.name=${superuser}&data=true`
  await timed('WebHDFS put', megabytes, () => send(`${url}&op=CREATE&overwrite=true`))
  const put = await presigned('PUT', '/bench/s3')
  await timed('S3 put', megabytes, () => send(put))
  await timed('S3 put, 8 parts', megabytes, () => sendParts('/bench/parts'))
  await timed('own get', megabytes, () => pipeline(mill.createReadStream('/bench/own'), nowhere()))
  await timed('WebHDFS get', megabytes, () => fetchAll(`${url}&op=OPEN`))
  const get = await presigned('GET', '/bench/s3')
  await timed('S3 get', megabytes, () => fetchAll(get))
  if (seaweedDoor) {
    const [putThere, getThere] = [await presigned('PUT', '/bench/s3', seaweedDoor), await presigned('GET', '/bench/s3', seaweedDoor)]
    await timed('SeaweedFS put', megabytes, () => send(putThere))
    await timed('SeaweedFS put, 8 parts', megabytes, () => sendParts('/bench/parts', seaweedDoor))
    await timed('SeaweedFS get', megabytes, () => fetchAll(getThere))
  }
  if (hdfs) {
    const at = `${hdfs.url}/webhdfs/v1/bench?user.name=${userInfo().username}`
    await timed('HDFS put', megabytes, async () => sendToHdfs(await locationOf('PUT', `${at}&op=CREATE&overwrite=true`)))
    await timed('HDFS get', megabytes, async () => fetchAll(await locationOf('GET', `${at}&op=OPEN`)))
  }
}
for (const [name, own] of [
  ['S3 put', 'own put'], ['S3 put, 8 parts', 'own put'], ['WebHDFS put', 'own put'], ['S3 get', 'own get'], ['WebHDFS get', 'own get'],
] as const)
  console.log(`${name.padEnd(18)} ${rate(name).toFixed(0).padStart(5)} MB/s   the library ${rate(own).toFixed(0).padStart(5)} MB/s   `
    + `ratio ${(rate(name) / rate(own)).toFixed(2)} (goal: 0.70)`)

for (const [name, other] of [
  ['S3 put', 'SeaweedFS put'], ['S3 put, 8 parts', 'SeaweedFS put, 8 parts'], ['S3 get', 'SeaweedFS get'], ['WebHDFS put', 'HDFS put'],
  ['WebHDFS get', 'HDFS get'],
] as const)
  console.log(rates.has(other)
    ? `${name.padEnd(18)} ${rate(name).toFixed(0).padStart(5)} MB/s   ${other} ${rate(other).toFixed(0).padStart(5)} MB/s   `
      + `ratio ${(rate(name) / rate(other)).toFixed(2)} (goal: more than 1)`
    : `${other}: NOT MEASURED, it is not installed`)
await hdfs?.end()
await seaweedDoor?.client.close()
await seaweed?.stop()

/** Milliseconds of the processor for each object. */
const cost = (from: number[], to: number[]): string =>
  from.map((seconds, i) => ((to[i]! - seconds) / objects * 1000).toFixed(2)).join(' + ')
const costs = new Map<string, string>()
const clients = Array.from({ length: connections }, () => new S3TestClient(new URL(s3).host, key))
/** All objects, over as many connections at a time. The requests are signed before: the client would take most of the processor time. */
async function each(name: string, method: string, more: object = {}): Promise<void> {
  const sends: (() => Promise<{ readonly status: number; readonly text: string }>)[] = []
  for (let i = 0; i < objects; i++)
    sends.push(await clients[i % connections]!.prepared(method, `/bench/small/d${i % 100}/o${i}`, more))
  const before = cpuSeconds()
  await timed(name, objects, () => Promise.all(clients.map(async (_, one) => {
    for (let i = one; i < objects; i += connections) {
      const reply = await sends[i]!()
      if (reply.status >= 300) throw new Error(reply.text)
    }
  })))
  costs.set(name, cost(before, cpuSeconds()))
}
await each('put', 'PUT', { body: 'x'.repeat(1024) })
await each('get', 'GET')
// The first rounds are those of a process that has listed nothing before: the median is of one that serves.
for (let round = 0; round < 7; round++) await timed('list', objects, async () => {
  for (let token: string | undefined = ''; token !== undefined;) {
    const query: Record<string, string> = { 'list-type': '2', prefix: 'small/', ...token !== '' && { 'continuation-token': token } }
    token = /<NextContinuationToken>([^<]*)</.exec((await client.ask('GET', '/bench', { query })).text)?.[1]
  }
})
await each('delete', 'DELETE')
console.log(`${objects} objects of 1 KiB, ${connections} connections: put ${rate('put').toFixed(0)} a second, `
  + `get ${rate('get').toFixed(0)}, delete ${rate('delete').toFixed(0)} (goals: 1,500, 5,000); a page of 1,000 keys in ${(1e6 / rate('list')).toFixed(0)} ms`)
console.log(`  processor time of gateway and namenode for each: put ${costs.get('put')} ms, get ${costs.get('get')} ms`)
const peak = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${gateway.pid}/status`, 'utf8'))![1]
console.log(`the gateway had at most ${(Number(peak) / 1024).toFixed(0)} MiB (goal: 250)`)

await Promise.all([...clients, client].map(one => one.close()))
await dispatcher.close()
await mill.close()
await gateway.end('SIGTERM')
