// S3 on real processes: a cluster and two gateways, asked by signed requests. Objects, listings, multipart uploads, conditions and bad
// input; clients that disconnect at every stage and leave nothing; and the same files at the other doors.

import { execFile, spawnSync } from 'node:child_process'
import { createHash, createHmac, randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { getSigningKey } from '@smithy/signature-v4'
import { Agent, request } from 'undici'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, type Mill } from '../../client/index.ts'
import { run, until, type TestCluster } from '../kit/cluster.ts'
import { ServerProcess } from '../kit/process/server.ts'
import { root } from '../tidy/source.ts'
import { first } from '../unit/client/gateway/certificates.ts'
import { runHere, startClusterHere } from './inprocess.ts'
import { encoded, NodeSha256, S3TestClient, signerOf, type S3Reply, type S3Request, type TestKey } from './s3client.ts'

let cluster: TestCluster
let mill: Mill
const gateways: ServerProcess[] = []
let at = ''
/** Address of WebHDFS on the other gateway. */
let webhdfs = ''
let keys: Record<'ada' | 'grete', TestKey>
let ada: S3TestClient
/** Another gateway. */
let other: S3TestClient
let grete: S3TestClient

beforeAll(async () => {
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
})

afterAll(async () => {
  await Promise.all([ada, other, grete].map(each => each.close()))
  await mill.close()
  await Promise.all(gateways.map(gateway => gateway.end('SIGTERM')))
  await cluster[Symbol.asyncDispose]()
})

const ok = async (method: string, path: string, request?: S3Request, client = ada): Promise<S3Reply> => {
  const reply = await client.ask(method, path, request)
  expect([method, path, reply.status < 300 ? '' : reply.text]).toEqual([method, path, ''])
  return reply
}

const bad = async (method: string, path: string, status: number, code: string, request?: S3Request, client = ada): Promise<void> => {
  const reply = await client.ask(method, path, request)
  expect([method, path, reply.status, reply.code]).toEqual([method, path, status, code])
}

const md5 = (bytes: string | Uint8Array): string => createHash('md5').update(bytes).digest('hex')
const elements = (text: string, name: string): string[] =>
  [...text.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map(match => match[1]!)

/** Leases, and names below the directory of uploads. */
async function left(): Promise<unknown[]> {
  const uploads: string[] = []
  for await (const { path } of mill.list('/.gristmill/uploads')) uploads.push(path)
  return [uploads]
}

test('an object is stored with its metadata, read in ranges, and is the same file at every door', async () => {
  const bytes = randomBytes(300_000)
  const put = await ok('PUT', '/grain/a/b/rye', {
    body: bytes, headers: { 'content-type': 'text/x', 'x-amz-meta-field': '7',
      'content-md5': createHash('md5').update(bytes).digest('base64') },
  })
  expect(put.headers['etag']).toBe(`"${md5(bytes)}"`)
  const got = await ok('GET', '/grain/a/b/rye', {}, other)
  expect(got.bytes.equals(bytes)).toBe(true)
  expect(got.headers).toMatchObject({ etag: `"${md5(bytes)}"`, 'content-type': 'text/x', 'x-amz-meta-field': '7',
    'content-length': '300000' })
  const part = await ok('GET', '/grain/a/b/rye', { headers: { range: 'bytes=100-199' } })
  expect([part.status, part.headers['content-range'], part.bytes.equals(bytes.subarray(100, 200))]).toEqual([206, 'bytes 100-199/300000',
    true])
  const head = await ok('HEAD', '/grain/a/b/rye')
  expect([head.headers['content-length'], head.bytes.length]).toEqual(['300000', 0])
  expect((await ada.ask('GET', '/grain/a/b/rye', { headers: { 'if-none-match': `"${md5(bytes)}"` } })).status).toBe(304)
  await bad('GET', '/grain/a/b/rye', 416, 'InvalidRange', { headers: { range: 'bytes=300000-' } })
  // The command line and the library.
  expect((await mill.readFile('/grain/a/b/rye')).equals(bytes)).toBe(true)
  const status = await mill.status('/grain/a/b/rye')
  expect(status).toMatchObject({ owner: 'ada', mode: 0o644, length: 300_000 })
  expect(new Date(status.mtimeMs).toUTCString()).toBe(got.headers['last-modified'])
  expect(String(await mill.xattrs.get('/grain/a/b/rye', 'user.s3.etag'))).toBe(`${md5(bytes)} 300000`)
  // A file of another door.
  await mill.writeFile('/grain/oats', 'made elsewhere')
  const foreign = await ok('GET', '/grain/oats')
  expect([foreign.text, foreign.headers['content-type']]).toEqual(['made elsewhere', 'binary/octet-stream'])
  expect(foreign.headers['etag']).toMatch(/^"[0-9a-f]{32}-1"$/)
  // And WebHDFS on the other gateway.
  const opened = await fetch(`${webhdfs}/grain/a/b/rye?op=OPEN&user.name=ada`)
  expect(Buffer.from(await opened.arrayBuffer()).equals(bytes)).toBe(true)
  // Of a replaced object a reader has the old bytes or the new ones.
  await ok('PUT', '/grain/a/b/rye', { body: 'new' })
  expect((await ok('GET', '/grain/a/b/rye')).text).toBe('new')
})

test('keys of all forms are stored, listed in byte order by pages, and deleted with the directories that they made', async () => {
  await ok('PUT', '/forms')
  const names = ['a', 'a.b', 'b/c', 'b-c', 'b/d/e', 'x//y', 'x/./z', 'x/../w', 'dir/', 'ü/ñ+ =&?%', 'tr//', '\u{1f33e}', '\uff5e', 'full/',
    'full/k', '/lead', 'q"\'<>&']
  for (const key of names) await ok('PUT', `/forms/${key}`, { body: key.endsWith('/') ? '' : key })
  for (const key of names) expect((await ok('GET', `/forms/${key}`)).text, key).toBe(key.endsWith('/') ? '' : key)
  const sorted = [...names].sort((a, b) => Buffer.from(a).compare(Buffer.from(b)))
  const seen: string[] = []
  for (let token: string | undefined; ;) {
    const { text } = await ok('GET', '/forms', {
      query: { 'list-type': '2', 'max-keys': '3', 'encoding-type': 'url', ...token !== undefined && { 'continuation-token': token } },
    })
    seen.push(...elements(text, 'Key').map(decodeURIComponent))
    ;[token] = elements(text, 'NextContinuationToken')
    if (token === undefined) break
  }
  expect(seen).toEqual(sorted)
  const top = (await ok('GET', '/forms', { query: { delimiter: '/', 'encoding-type': 'url' } })).text
  expect(elements(top.replaceAll(/<Contents>.*?<\/Contents>/g, ''), 'Prefix').map(decodeURIComponent))
    .toEqual([...new Set(sorted.filter(key => key.includes('/')).map(key => `${key.split('/')[0]}/`))])
  await bad('PUT', '/forms/a/below', 409, 'KeyConflict', { body: 'x' })
  await bad('PUT', '/forms/b', 409, 'KeyConflict', { body: 'x' })
  await bad('PUT', `/forms/${'x'.repeat(256)}`, 400, 'KeyTooLongError')
  await bad('PUT', `/forms/${'x/'.repeat(513)}`, 400, 'KeyTooLongError')
  await bad('GET', '/forms/b', 404, 'NoSuchKey')
  await bad('DELETE', '/forms', 409, 'BucketNotEmpty')
  const body = `<Delete>${[...names, 'never'].map(key => `<Object><Key>${key.replaceAll('&', '&amp;').replaceAll('<',
    '&lt;')}</Key></Object>`).join('')}</Delete>`
  await bad('POST', '/forms', 400, 'InvalidRequest', { query: { delete: '' }, body })
  const deleted = await ok('POST', '/forms', {
    query: { delete: '' }, body, headers: { 'content-md5': createHash('md5').update(body).digest('base64') },
  })
  expect([elements(deleted.text, 'Key').length, elements(deleted.text, 'Code')]).toEqual([names.length + 1, []])
  expect(elements((await ok('GET', '/forms')).text, 'Key')).toEqual([])
  expect(await mill.readdir('/forms')).toEqual([])
  await ok('DELETE', '/forms')
  await bad('GET', '/forms', 404, 'NoSuchBucket')
})

const partBytes = 5 * 2 ** 20

const completion = (parts: readonly (readonly [number, string])[]): string =>
  `<CompleteMultipartUpload>${parts.map(([number, etag]) =>
    `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag></Part>`).join('')}</CompleteMultipartUpload>`

async function begin(path: string, headers: Record<string, string> = {}): Promise<string> {
  return elements((await ok('POST', path, { query: { uploads: '' }, headers })).text, 'UploadId')[0]!
}

test('parts come in any order, through any gateway and more than once; their blocks become the object\'s', async () => {
  const [one, two, three] = [randomBytes(partBytes), randomBytes(partBytes + 1), randomBytes(1000)]
  const upload = await begin('/grain/parts', { 'x-amz-meta-a': 'b' })
  const send = async (number: number, body: Buffer, client = ada): Promise<void> => {
    const { headers } = await ok('PUT', '/grain/parts', { query: { uploadId: upload, partNumber: String(number) }, body }, client)
    expect(headers['etag']).toBe(`"${md5(body)}"`)
  }
  await send(3, three, other)
  await send(1, three)
  await Promise.all([send(2, two), send(1, one, other)])
  const listed = (await ok('GET', '/grain/parts', { query: { uploadId: upload, 'max-parts': '2' } })).text
  expect([elements(listed, 'PartNumber'), elements(listed, 'IsTruncated')]).toEqual([['1', '2'], ['true']])
  expect(elements((await ok('GET', '/grain', { query: { uploads: '' } })).text, 'UploadId')).toEqual([upload])
  expect(elements((await ok('GET', '/grain', { query: { uploads: '' } }, grete)).text, 'UploadId')).toEqual([])
  const all = [[1, md5(one)], [2, md5(two)], [3, md5(three)]] as const
  const complete = (parts: readonly (readonly [number, string])[], client = ada) =>
    client.ask('POST', '/grain/parts', { query: { uploadId: upload }, body: completion(parts) })
  const refusals: [readonly (readonly [number, string])[], string][] = [
    [[all[1], all[0]], 'InvalidPartOrder'], [[[1, md5('x')]], 'InvalidPart'], [[all[0], [9, md5('x')]], 'InvalidPart'],
    [[], 'MalformedXML'],
    [Array.from({ length: 10_001 }, (_, i) => [i + 1, md5('x')] as const), 'MalformedXML'],
  ]
  for (const [parts, code] of refusals) expect((await complete(parts)).code).toBe(code)
  await bad('PUT', '/grain/parts', 400, 'InvalidArgument', { query: { uploadId: upload, partNumber: '10001' }, body: 'x' })
  await bad('PUT', '/grain/parts', 403, 'AccessDenied', { query: { uploadId: upload, partNumber: '1' }, body: 'x' }, grete)
  await bad('PUT', '/grain/else', 404, 'NoSuchUpload', { query: { uploadId: upload, partNumber: '1' }, body: 'x' })
  await bad('GET', '/grain/parts', 404, 'NoSuchKey')
  // Of many completions at the same time one makes the object, and all are told so.
  const done = await Promise.all(Array.from({ length: 20 }, (_, i) => complete(all, i % 2 === 0 ? ada : other)))
  const etag = `${md5(Buffer.concat([one, two, three].map(part => createHash('md5').update(part).digest())))}-3`
  expect([...new Set(done.map(({ status, text }) => `${status} ${elements(text, 'ETag')[0]}`))]).toEqual([`200 &quot;${etag}&quot;`])
  const whole = await ok('GET', '/grain/parts', {}, other)
  expect(whole.bytes.equals(Buffer.concat([one, two, three]))).toBe(true)
  expect(whole.headers).toMatchObject({ etag: `"${etag}"`, 'x-amz-meta-a': 'b' })
  const second = await ok('GET', '/grain/parts', { query: { partNumber: '2' } })
  expect([second.status, second.headers['x-amz-mp-parts-count'], second.bytes.equals(two)]).toEqual([206, '3', true])
  expect((await mill.status('/grain/parts')).blocks).toBe(3)
  expect(await left()).toEqual([[]])

  const aborted = await begin('/grain/aborted')
  await ok('PUT', '/grain/aborted', { query: { uploadId: aborted, partNumber: '1' }, body: three })
  await ok('PUT', '/grain/aborted', { query: { uploadId: aborted, partNumber: '2' }, body: three })
  const small = await ada.ask('POST', '/grain/aborted',
    { query: { uploadId: aborted }, body: completion([[1, md5(three)], [2, md5(three)]]) })
  expect(small.code).toBe('EntityTooSmall')
  await ok('DELETE', '/grain/aborted', { query: { uploadId: aborted } })
  await bad('DELETE', '/grain/aborted', 404, 'NoSuchUpload', { query: { uploadId: aborted } })
  expect(await left()).toEqual([[]])
})

test('the checksum of an upload\'s parts is that of the object, with or without their number; another one is refused', async () => {
  const upload = await begin('/grain/summed', { 'x-amz-checksum-algorithm': 'SHA256' })
  const part = createHash('sha256').update('part').digest()
  const stored = await ok('PUT', '/grain/summed', { query: { uploadId: upload, partNumber: '1' }, body: 'part' })
  expect(stored.headers['x-amz-checksum-sha256']).toBe(part.toString('base64'))
  const whole = createHash('sha256').update(part).digest('base64')
  const complete = (sum: string): Promise<S3Reply> => ada.ask('POST', '/grain/summed', {
    query: { uploadId: upload }, body: completion([[1, md5('part')]]), headers: { 'x-amz-checksum-sha256': sum },
  })
  for (const wrong of [part.toString('base64'), `${whole}-2`]) expect((await complete(wrong)).code).toBe('BadDigest')
  // As minio's clients send it.
  expect(elements((await complete(whole)).text, 'ChecksumSHA256')).toEqual([`${whole}-1`])
  expect((await complete(`${whole}-1`)).status).toBe(200)
  await ok('DELETE', '/grain/summed')
})

test('conditions hold among many writers, and copies keep or replace what describes an object', async () => {
  const claims = await Promise.all(Array.from({ length: 10 }, (_, i) =>
    ada.ask('PUT', '/grain/claim', { body: `by ${i}`, headers: { 'if-none-match': '*' } })))
  expect(claims.map(({ status }) => status).sort()).toEqual([200, ...Array.from({ length: 9 }, () => 412)])
  const etag = String((await ok('HEAD', '/grain/claim')).headers['etag'])
  await bad('PUT', '/grain/claim', 412, 'PreconditionFailed', { body: 'x', headers: { 'if-match': '"0"' } })
  await bad('PUT', '/grain/nothing', 404, 'NoSuchKey', { body: 'x', headers: { 'if-match': etag } })
  await ok('PUT', '/grain/claim', { body: 'next', headers: { 'if-match': etag } })
  await bad('DELETE', '/grain/claim', 412, 'PreconditionFailed', { headers: { 'if-match': etag } })

  await ok('PUT', '/grain/source', { body: 'bytes', headers: { 'x-amz-meta-a': 'b', 'x-amz-tagging': 'c=d' } })
  await ok('PUT', '/grain/deep/copy', { headers: { 'x-amz-copy-source': '/grain/source' } })
  expect((await ok('GET', '/grain/deep/copy')).headers).toMatchObject({ 'x-amz-meta-a': 'b', 'x-amz-tagging-count': '1',
    etag: `"${md5('bytes')}"` })
  await ok('PUT', '/grain/source', {
    headers: { 'x-amz-copy-source': 'grain/source', 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-n': '1' },
  })
  const replaced = (await ok('GET', '/grain/source')).headers
  expect([replaced['x-amz-meta-n'], replaced['x-amz-meta-a']]).toEqual(['1', undefined])
  await bad('PUT', '/grain/source', 400, 'InvalidRequest', { headers: { 'x-amz-copy-source': 'grain/source' } })
  await bad('PUT', '/grain/copy', 404, 'NoSuchKey', { headers: { 'x-amz-copy-source': 'grain/none' } })
  await bad('PUT', '/grain/copy', 404, 'NoSuchBucket', { headers: { 'x-amz-copy-source': 'none-such/none' } })
  await ok('PUT', '/grain/source', { query: { tagging: '' },
    body: '<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>' })
  expect(elements((await ok('GET', '/grain/source', { query: { tagging: '' } })).text, 'Value')).toEqual(['v'])
})

test('a copy of an object onto itself takes nothing back that was stored meanwhile', async () => {
  const old = randomBytes(20_000_000)
  await ok('PUT', '/grain/self', { body: old })
  const copied = ok('PUT', '/grain/self', {
    headers: { 'x-amz-copy-source': 'grain/self', 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-n': '1' },
  })
  let ended = false
  void copied.finally(() => { ended = true }).catch(() => {})
  await until('the copy', async () => ended || (await metric('gristmill_leases')) > 0)
  await ok('PUT', '/grain/self', { body: 'newer' })
  expect((await copied).text).toContain(ended ? 'ETag' : md5('newer'))
  expect((await ok('GET', '/grain/self')).text).toBe('newer')
  await ok('DELETE', '/grain/self')
})

test('what describes an object does not outlive its bytes, and cannot be made to bend an answer', async () => {
  const first = createHash('sha256').update('one\n').digest('base64')
  await ok('PUT', '/grain/log', { body: 'one\n', headers: { 'x-amz-checksum-sha256': first } })
  const sum = async (): Promise<unknown> =>
    (await ok('GET', '/grain/log', { headers: { 'x-amz-checksum-mode': 'ENABLED' } })).headers['x-amz-checksum-sha256']
  expect(await sum()).toBe(first)
  const appended = await fetch(`${webhdfs}/grain/log?op=APPEND&user.name=ada&data=true`, { method: 'POST', body: 'two\n' })
  expect(appended.status).toBe(200)
  expect([await sum(), (await ok('GET', '/grain/log')).text]).toEqual([undefined, 'one\ntwo\n'])
  await mill.xattrs.set('/grain/log', 'user.s3.headers', '{"transfer-encoding":"chunked","x-amz-meta-a":"b"}')
  await mill.xattrs.set('/grain/log', 'user.s3.parts', '1*4000000000')
  const { headers } = await ok('HEAD', '/grain/log', { query: { partNumber: '1' } })
  expect([headers['transfer-encoding'], headers['content-length'], headers['x-amz-meta-a']]).toEqual([undefined, '8', 'b'])
  await ok('PUT', '/grain/shelf/', { headers: { 'x-amz-meta-a': 'b' } })
  await ok('PUT', '/grain/shelf/')
  expect((await ok('HEAD', '/grain/shelf/')).headers['x-amz-meta-a']).toBeUndefined()
  await bad('PUT', '/grain/log/', 409, 'KeyConflict')
  for (const key of ['log', 'shelf/']) await ok('DELETE', `/grain/${key}`)
})

test('a condition, a checksum, an owner or a part that is not here is refused, and not left out', async () => {
  await ok('PUT', '/grain/kept', { body: '0123456789' })
  await bad('DELETE', '/grain/kept', 501, 'NotImplemented', { headers: { 'x-amz-if-match-size': '5' } })
  await bad('DELETE', '/grain/kept', 403, 'AccessDenied', { headers: { 'x-amz-expected-bucket-owner': '111122223333' } })
  await bad('PUT', '/grain/copy', 403, 'AccessDenied', {
    headers: { 'x-amz-copy-source': 'grain/kept', 'x-amz-source-expected-bucket-owner': '111122223333' },
  })
  const list = '<Delete><Object><Key>kept</Key><Size>5</Size></Object></Delete>'
  const answer = await ok('POST', '/grain', { query: { delete: '' }, body: list,
    headers: { 'content-md5': createHash('md5').update(list).digest('base64'), 'x-amz-expected-bucket-owner': 'ada' } })
  expect(elements(answer.text, 'Code')).toEqual(['NotImplemented'])
  await bad('PUT', '/grain/bad', 400, 'InvalidRequest', { body: 'x', headers: { 'x-amz-checksum-sha512': 'AAAA' } })
  await bad('PUT', '/grain/bad', 400, 'InvalidArgument', { body: 'x', query: { partNumber: '1' } })
  await bad('PUT', '/locked', 501, 'NotImplemented', { headers: { 'x-amz-bucket-object-lock-enabled': 'true' } })
  const upload = await begin('/grain/ranges')
  for (const [range, status, code] of [['bytes=0-10', 416, 'InvalidRange'], ['bytes=5-', 400, 'InvalidArgument'],
    ['bytes=-3', 400, 'InvalidArgument'], ['bytes=3-2', 400, 'InvalidArgument']] as const)
    await bad('PUT', '/grain/ranges', status, code, {
      query: { partNumber: '1', uploadId: upload }, headers: { 'x-amz-copy-source': 'grain/kept', 'x-amz-copy-source-range': range },
    })
  await ok('DELETE', '/grain/ranges', { query: { uploadId: upload } })
  await mill.writeFile('/plain-file', '')
  await bad('PUT', '/plain-file', 409, 'BucketAlreadyExists')
  await ok('PUT', '/healthz')
  expect((await ok('GET', '/healthz')).text).toContain('<Name>healthz</Name>')
  await ok('DELETE', '/healthz')
  expect((await ok('GET', '/grain/kept')).text).toBe('0123456789')
  await ok('DELETE', '/grain/kept')
  expect(await left()).toEqual([[]])
})

test('unfinished uploads are shown with their age and what they hold, and removed; one without the right to write is not begun',
  async () => {
  const [mine, old] = [await begin('/grain/mine'), await begin('/grain/deep/old key')]
  await ok('PUT', '/grain/deep/old key', { query: { uploadId: old, partNumber: '1' }, body: 'x'.repeat(10_000) })
  await bad('POST', '/grain/by-grete', 403, 'AccessDenied', { query: { uploads: '' } }, grete)
  await bad('POST', '/grain/oats/below', 409, 'KeyConflict', { query: { uploads: '' } })
  const lines = (await cluster.ok(['upload', 'ls', '--json'])).trim().split('\n').map(line => JSON.parse(line) as object)
  expect(lines).toEqual(expect.arrayContaining([
    expect.objectContaining({ id: old, user: 'ada', bucket: 'grain', key: 'deep/old key', parts: 1, bytes: 10_000 }),
    expect.objectContaining({ id: mine, parts: 0, bytes: 0 }),
  ]))
  expect(await cluster.ok(['upload', 'ls', '--older-than', '1h'])).toBe('')
  await cluster.ok(['upload', 'rm', old])
  await bad('PUT', '/grain/deep/old key', 404, 'NoSuchUpload', { query: { uploadId: old, partNumber: '2' }, body: 'x' })
  expect(await cluster.ok(['upload', 'rm', '--older-than', '0s'])).toBe(`removed ${mine}\n`)
  expect(await left()).toEqual([[]])
})

test('two doors at once: an object is whole and as its ETag says, while other doors write, rename and remove it', async () => {
  const body = (n: number): string => `${n}:`.padEnd(6000 + n, String(n % 10))
  const webHdfs = (method: string, path: string, op: string, text?: string): Promise<Response> =>
    fetch(`${webhdfs}/grain/doors/${path}?op=${op}&user.name=ada&data=true`, { method, ...text !== undefined && { body: text } })
  await ok('PUT', '/grain/doors/a', { body: body(0) })
  const answers = await Promise.all(Array.from({ length: 60 }, async (_, i) => {
    const key = `/grain/doors/${'abc'[i % 3]}`
    switch (i % 6) {
      case 0: return webHdfs('PUT', 'abc'[i % 3]!, 'CREATE&overwrite=true', body(i)).then(({ status }) => `create ${status}`)
      case 1: return webHdfs('PUT', 'a', 'RENAME&destination=/grain/doors/b').then(({ status }) => `rename ${status}`)
      case 2: return mill.rm(key, { skipTrash: true }).then(() => 'rm ok', (error: { code: string }) => `rm ${error.code}`)
      case 3: return ada.ask('DELETE', key).then(({ status, code = '' }) => `delete ${status}${code}`)
      default: return (i % 2 ? ada : other).ask('PUT', key, { body: body(i) }).then(({ status, code = '' }) => `put ${status}${code}`)
    }
  }))
  // Each door answers in its own words that another one was faster, and never with an error of its own making.
  const expected = /^(?:create (?:201|403)|rename 200|rm (?:ok|ENOENT|EBUSY)|delete 204|put (?:200|409\w+|503\w+))$/
  expect([...new Set(answers)].filter(each => !expected.test(each))).toEqual([])
  for await (const { path } of mill.list('/grain/doors')) {
    const text = String(await mill.readFile(path))
    expect(body(Number(text.split(':')[0]))).toBe(text)
    const { headers } = await ok('HEAD', path)
    if (!String(headers['etag']).includes('-')) expect(headers['etag']).toBe(`"${md5(text)}"`)
  }
  await until('the end of all leases', async () => (await metric('gristmill_leases')) === 0)
  expect(await left()).toEqual([[]])
  await mill.rm('/grain/doors', { recursive: true, skipTrash: true })
})

test('keys that stay are listed once, on whatever page, while others come, go and are renamed', async () => {
  const stay = Array.from({ length: 24 }, (_, i) => `pages/stay-${String(i).padStart(2, '0')}${i % 3 ? '' : '/x'}`)
  await Promise.all(stay.map(key => ok('PUT', `/grain/${key}`)))
  let ended = false
  const changing = (async () => {
    for (let i = 0; !ended; i++) {
      const name = `/grain/pages/stay-${String(i % 24).padStart(2, '0')}-gone`
      await mill.writeFile(name, '')
      await mill.rename(name, `/grain/pages/a-${i}`, { overwrite: true })
      await mill.rm(`/grain/pages/a-${i}`, { skipTrash: true })
    }
  })()
  for (const version of ['1', '2']) {
    const seen: string[] = []
    for (let next: string | undefined = ''; next !== undefined;) {
      const from: Record<string, string> = next === '' ? {} : { [version === '2' ? 'continuation-token' : 'marker']: next }
      const { text } = await ok('GET', '/grain', {
        query: { ...version === '2' && { 'list-type': '2' }, prefix: 'pages/', 'max-keys': '5', ...from } as Record<string, string>,
      })
      const keysOf = elements(text, 'Key')
      seen.push(...keysOf)
      next = elements(text, 'IsTruncated')[0] === 'true'
        ? elements(text, version === '2' ? 'NextContinuationToken' : 'NextMarker')[0] ?? keysOf.at(-1) : undefined
    }
    expect(seen.filter(key => stay.includes(key))).toEqual(stay)
  }
  ended = true
  await changing
  await mill.rm('/grain/pages', { recursive: true, skipTrash: true })
})

test('a flood of headers is refused', async () => {
  const flood = Array.from({ length: 3000 }, (_, i) => `x-amz-meta-${i}: ${i}\r\n`).join('')
  const answer = await new Promise<string>(resolve => {
    const socket = net.connect({ host: '127.0.0.1', port: Number(at.split(':')[1]) }, () => {
      socket.write(`PUT /grain/flood HTTP/1.1\r\nHost: ${at}\r\n${flood}\r\n`)
    })
    let seen = ''
    socket.on('data', bytes => { seen += bytes.toString() })
    socket.on('error', () => resolve(seen))
    socket.on('close', () => resolve(seen))
  })
  expect(answer).toMatch(/^HTTP\/1.1 431 /)
})

test('a user has the rights that the user has everywhere', async () => {
  await bad('PUT', '/grain/by-grete', 403, 'AccessDenied', { body: 'x' }, grete)
  await bad('DELETE', '/grain/oats', 403, 'AccessDenied', {}, grete)
  await bad('PUT', '/grain', 409, 'BucketAlreadyExists', {}, grete)
  await bad('PUT', '/grain', 409, 'BucketAlreadyOwnedByYou')
  await mill.chmod('/grain/a/b/rye', 0o600).catch(() => {})
  await ok('PUT', '/private')
  await ok('PUT', '/private/secret', { body: 'x' })
  await cluster.ok(['chmod', '700', '/private'])
  await bad('GET', '/private/secret', 403, 'AccessDenied', {}, grete)
  await bad('GET', '/private', 403, 'AccessDenied', {}, grete)
  await cluster.ok(['quota', 'set', '/private', '--names', '1'])
  await bad('PUT', '/private/second', 403, 'QuotaExceeded', { body: 'x' })
  expect(elements((await ok('GET', '/')).text, 'Name')).toEqual(['grain', 'private'])
})

/** The head of a signed request whose body does not come, or comes in part. */
async function headOf(method: string, path: string, query: Record<string, string>, length: number): Promise<string> {
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
const answerTo = (text: string): Promise<string> => new Promise(resolve => {
  const socket = net.connect({ host: '127.0.0.1', port: Number(at.split(':')[1]) }, () => { socket.write(text) })
  let seen = ''
  socket.on('data', bytes => {
    seen += bytes.toString()
    if (!seen.includes('</Error>')) return
    socket.destroy()
    resolve(seen)
  })
})

test('bad input is an error of its own, and nothing of it is stored', async () => {
  await bad('GET', '/no-such-bucket/k', 404, 'NoSuchBucket')
  await bad('PUT', '/no-such-bucket/k', 404, 'NoSuchBucket', { body: 'x' })
  expect(await mill.exists('/no-such-bucket')).toBe(false)
  await bad('PUT', '/Wrong_Name', 400, 'InvalidBucketName')
  await bad('PUT', '/grain/bad', 400, 'XAmzContentSHA256Mismatch', { body: 'x', payload: createHash('sha256').update('y').digest('hex') })
  await bad('PUT', '/grain/bad', 400, 'BadDigest', { body: 'x',
    headers: { 'content-md5': createHash('md5').update('y').digest('base64') } })
  await bad('PUT', '/grain/bad', 400, 'BadDigest', { body: 'x', headers: { 'x-amz-checksum-crc32': 'AAAAAA==' } })
  await bad('PUT', '/grain/bad', 501, 'NotImplemented', { body: 'x', headers: { 'x-amz-server-side-encryption': 'AES256' } })
  await bad('PUT', '/grain/bad', 501, 'NotImplemented', { body: 'x', headers: { 'x-amz-acl': 'public-read' } })
  await bad('PUT', '/grain/bad', 400, 'MetadataTooLarge', { body: 'x', headers: { 'x-amz-meta-a': 'x'.repeat(3000) } })
  await bad('PUT', '/grain/bad', 403, 'RequestTimeTooSkewed', { body: 'x', date: new Date(Date.now() - 3_600_000) })
  await bad('PUT', '/grain/bad', 501, 'NotImplemented', { query: { retention: '' }, body: 'x' })
  for (const query of [{ prefix: 'p'.repeat(5000) }, { prefix: `${'p'.repeat(5000)}/x` }, { 'start-after': 'z'.repeat(3000) }])
    expect(elements((await ok('GET', '/grain', { query: { 'list-type': '2', ...query } })).text, 'Key')).toEqual([])
  const bomb = '<!DOCTYPE d [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><Delete><Object><Key>&b;</Key></Object></Delete>'
  await bad('POST', '/grain', 400, 'MalformedXML', { query: { delete: '' }, body: bomb,
    headers: { 'content-md5': createHash('md5').update(bomb).digest('base64') } })
  const unsigned = await ada.send('GET', '/grain/oats', {})
  expect([unsigned.status, unsigned.code, unsigned.headers['content-type']]).toEqual([403, 'AccessDenied', 'application/xml'])
  const stranger = new S3TestClient(at, { id: 'GMNONE', secret: 'x'.repeat(40) })
  const forger = new S3TestClient(at, { ...keys.ada, secret: 'x'.repeat(40) })
  await bad('GET', '/', 403, 'InvalidAccessKeyId', {}, stranger)
  await bad('GET', '/', 403, 'SignatureDoesNotMatch', {}, forger)
  await Promise.all([stranger.close(), forger.close()])
  expect(await answerTo(await headOf('PUT', '/grain/bad', {}, 5 * 2 ** 40))).toMatch(/^HTTP\/1.1 400 [^]*<Code>EntityTooLarge</)
  expect(await mill.exists('/grain/bad')).toBe(false)
  expect(await left()).toEqual([[]])
})

test('a presigned URL works without a key, until it expires', async () => {
  const put = await ada.presigned('PUT', '/grain/pre signed', 60)
  expect((await ada.send('PUT', put, {}, 'by a link')).status).toBe(200)
  const get = await ada.presigned('GET', '/grain/pre signed', 60)
  expect((await ada.send('GET', get, {})).text).toBe('by a link')
  expect((await ada.send('DELETE', get, {})).code).toBe('SignatureDoesNotMatch')
  const old = await ada.presigned('GET', '/grain/pre signed', 1, new Date(Date.now() - 60_000))
  expect((await ada.send('GET', old, {})).code).toBe('AccessDenied')
})

interface FormField { readonly name: string; readonly value: string }

/** Fields of a form that the key's holder has signed, as SDKs make them. */
async function signedForm(
  fields: Readonly<Record<string, string>>, { conditions = [], expires = 60_000, key = keys.ada }: {
    conditions?: readonly unknown[]; expires?: number; key?: TestKey
  } = {},
): Promise<FormField[]> {
  const date = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')
  const credential = `${key.id}/${date.slice(0, 8)}/us-east-1/s3/aws4_request`
  const all = { ...fields, 'x-amz-algorithm': 'AWS4-HMAC-SHA256', 'x-amz-credential': credential, 'x-amz-date': date }
  const policy = Buffer.from(JSON.stringify({
    expiration: new Date(Date.now() + expires).toISOString(),
    conditions: [...Object.entries(all).map(([name, value]) => ({ [name]: value })), ...conditions],
  })).toString('base64')
  const credentials = { accessKeyId: key.id, secretAccessKey: key.secret }
  const signing = await getSigningKey(NodeSha256 as never, credentials, date.slice(0, 8), 'us-east-1', 's3')
  const signature = createHmac('sha256', signing).update(policy).digest('hex')
  return Object.entries({ ...all, policy, 'x-amz-signature': signature }).map(([name, value]) => ({ name, value }))
}

async function post(
  fields: readonly FormField[], file: string | undefined, { headers = {}, filename = 'C:\\\\rye.csv' } = {},
): Promise<{ status: number; text: string; headers: Headers; code: string | undefined }> {
  const form = new FormData()
  for (const { name, value } of fields) form.append(name, value)
  if (file !== undefined) form.append('file', new Blob([file]), filename)
  const reply = await fetch(`http://${at}/pages`, { method: 'POST', body: form, headers, redirect: 'manual' })
  const text = await reply.text()
  return { status: reply.status, text, headers: reply.headers, code: /<Code>(\w+)</.exec(text)?.[1] }
}

test('a page of an allowed origin reads a bucket and stores objects with a signed form, and no other page does', async () => {
  await ok('PUT', '/pages')
  const origin = 'https://app.example'
  const preflight = (more: Record<string, string>) =>
    ada.send('OPTIONS', '/pages/k', { host: at, origin, 'access-control-request-method': 'GET', ...more })
  const elsewhere = await other.send('OPTIONS', '/pages/k', { host: at, origin, 'access-control-request-method': 'GET' })
  expect(elsewhere.code).toBe('AccessForbidden')
  await bad('GET', '/pages', 404, 'NoSuchCORSConfiguration', { query: { cors: '' } })
  const xml = (rules: string): string => `<CORSConfiguration>${rules}</CORSConfiguration>`
  const rule = `<CORSRule><AllowedOrigin>${origin}</AllowedOrigin><AllowedMethod>GET</AllowedMethod><AllowedMethod>POST</AllowedMethod>`
    + '<AllowedHeader>x-amz-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule>'
  for (const [body, code] of [
    [xml(''), 'MalformedXML'], [xml(rule.replace('GET', 'TRACE')), 'InvalidRequest'], [xml(rule.replace(origin, '*://*')), 'MalformedXML'],
    [xml(rule.repeat(101)), 'MalformedXML'], ['<a/>', 'MalformedXML'],
  ] as const) await bad('PUT', '/pages', 400, code, { query: { cors: '' }, body })
  await bad('PUT', '/pages', 403, 'AccessDenied', { query: { cors: '' }, body: xml(rule) }, grete)
  await ok('PUT', '/pages', { query: { cors: '' }, body: xml(rule) })
  expect((await ok('GET', '/pages', { query: { cors: '' } }, grete)).text).toContain(`<AllowedOrigin>${origin}</AllowedOrigin>`)
  const allowed = await preflight({ 'access-control-request-headers': 'X-Amz-Date' })
  expect([allowed.status, allowed.text]).toEqual([200, ''])
  expect(allowed.headers).toMatchObject({ 'access-control-allow-origin': origin, 'access-control-max-age': '60',
    'access-control-allow-headers': 'x-amz-date' })
  for (const more of [
    { origin: 'https://other.example' }, { 'access-control-request-method': 'DELETE' }, { 'access-control-request-headers': 'x-other' },
  ]) expect((await preflight(more)).code).toBe('AccessForbidden')
  expect((await ada.send('OPTIONS', '/pages/k', { host: at })).code).toBe('InvalidRequest')
  // Answers and errors are for the page to read, and for no other one.
  const stored = await post(await signedForm({ key: 'up/${filename}', 'Content-Type': 'text/csv', 'x-amz-meta-a': 'b',
    success_action_status: '201' }), 'rye,1\n', { headers: { origin } })
  expect([stored.status, stored.headers.get('access-control-allow-origin'), elements(stored.text, 'Key')])
    .toEqual([201, origin, ['up/rye.csv']])
  const read = await ok('GET', '/pages/up/rye.csv', { headers: { origin } })
  expect(read.headers).toMatchObject({ 'access-control-allow-origin': origin, 'access-control-expose-headers': 'ETag',
    'content-type': 'text/csv', 'x-amz-meta-a': 'b', etag: `"${md5('rye,1\n')}"` })
  expect((await ada.ask('GET', '/pages/none', { headers: { origin } })).headers['access-control-allow-origin']).toBe(origin)
  expect((await ada.ask('GET', '/pages/none', { headers: { origin: 'https://x' } })).headers['access-control-allow-origin']).toBeUndefined()
  expect((await mill.status('/pages/up/rye.csv')).owner).toBe('ada')
  await ok('DELETE', '/pages', { query: { cors: '' } })
  await bad('GET', '/pages', 404, 'NoSuchCORSConfiguration', { query: { cors: '' } })
})

/** A request without a signature. */
const anonymous = async (method: string, path: string, client = ada, body?: string): Promise<string> => {
  const { status, code, text } = await client.send(method, path, { host: at }, body)
  return status < 300 ? text : code ?? String(status)
}

test('a policy lets others do what the owner of the bucket may do, and no more, and denies all', async () => {
  await ok('PUT', '/shared')
  await ok('PUT', '/shared/open/rye', { body: 'rye' })
  await ok('PUT', '/shared/oats', { body: 'oats' })
  await mill.chmod('/shared', 0o700)
  await bad('GET', '/shared', 404, 'NoSuchBucketPolicy', { query: { policy: '' } })
  expect([await anonymous('GET', '/shared/open/rye'), await anonymous('GET', '/none/x'), await anonymous('GET', '/')])
    .toEqual(['AccessDenied', 'AccessDenied', 'AccessDenied'])
  await bad('GET', '/shared/open/rye', 403, 'AccessDenied', {}, grete)
  const statement = (more: object): object => ({ Effect: 'Allow', Principal: '*', Action: 's3:GetObject',
  Resource: 'arn:aws:s3:::shared/open/*', ...more })
  const policy = (...statements: object[]): string => JSON.stringify({ Version: '2012-10-17', Statement: statements })
  const grants = [
    statement({}), statement({ Principal: { AWS: 'arn:aws:iam:::user/grete' }, Action: ['s3:PutObject', 's3:DeleteObject'],
    Resource: 'arn:aws:s3:::shared/in/*' }),
    statement({ Effect: 'Deny', Action: 's3:DeleteObject', Resource: 'arn:aws:s3:::shared/open/*' }),
    statement({ Action: 's3:ListBucket', Resource: 'arn:aws:s3:::shared', Condition: { StringEquals: { 's3:prefix': 'open/' } } }),
  ]
  const query = { policy: '' }
  // Neither another user of S3 nor one who may write to the directory sets what its owner may do.
  await bad('PUT', '/shared', 403, 'AccessDenied', { query, body: policy(statement({ Resource: 'arn:aws:s3:::shared/*' })) }, grete)
  await bad('PUT', '/shared', 400, 'MalformedPolicy', { query, body: policy(statement({ Resource: 'arn:aws:s3:::other/*' })) })
  await bad('PUT', '/shared', 501, 'NotImplemented', { query, body: policy(statement({ NotAction: 's3:GetObject' })) })
  await ok('PUT', '/shared', { query, body: policy(...grants) })
  expect((await ok('GET', '/shared', { query })).text).toBe(policy(...grants))
  expect((await ok('GET', '/shared', { query: { policyStatus: '' } })).text).toContain('<IsPublic>true</IsPublic>')
  expect([await anonymous('GET', '/shared/open/rye'), await anonymous('GET', '/shared/oats'), await anonymous('PUT', '/shared/open/x',
    ada, 'x')])
    .toEqual(['rye', 'AccessDenied', 'AccessDenied'])
  expect(elements(await anonymous('GET', '/shared?list-type=2&prefix=open/'), 'Key')).toEqual(['open/rye'])
  expect(await anonymous('GET', '/shared?list-type=2')).toBe('AccessDenied')
  // What another user stores by the policy belongs to the owner of the bucket; in parts, too.
  await ok('PUT', '/shared/in/barley', { body: 'barley' }, grete)
  expect((await mill.status('/shared/in/barley')).owner).toBe('ada')
  const id = elements((await ok('POST', '/shared/in/big', { query: { uploads: '' } }, grete)).text, 'UploadId')[0]!
  const part = await ok('PUT', '/shared/in/big', { query: { partNumber: '1', uploadId: id }, body: 'part' }, grete)
  await ok('POST', '/shared/in/big', {
    query: { uploadId: id },
    body: `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${String(part.headers['etag'])}</ETag></Part></CompleteMultipartUpload>`,
  }, grete)
  await bad('GET', '/shared/in/barley', 403, 'AccessDenied', {}, grete)
  // In the name of the owner a copy would read what only the owner may read.
  await bad('PUT', '/shared/in/stolen', 403, 'AccessDenied', { headers: { 'x-amz-copy-source': 'shared/oats' } }, grete)
  await bad('DELETE', '/shared/open/rye', 403, 'AccessDenied')
  const both = '<Delete><Object><Key>open/rye</Key></Object><Object><Key>in/big</Key></Object><Object><Key>oats</Key></Object></Delete>'
  const deleted = await ok('POST', '/shared', { query: { delete: '' },
    headers: { 'content-md5': createHash('md5').update(both).digest('base64') }, body: both }, grete)
  expect([elements(deleted.text, 'Key'), elements(deleted.text, 'Code')]).toEqual([['in/big', 'open/rye', 'oats'], ['AccessDenied',
    'AccessDenied']])
  // A policy that denies everything is still the owner's to remove; other doors have the rights of the file.
  await ok('PUT', '/shared', { query, body: policy(statement({ Effect: 'Deny', Action: '*', Resource: ['arn:aws:s3:::shared',
    'arn:aws:s3:::shared/*'] })) })
  await bad('GET', '/shared/oats', 403, 'AccessDenied')
  await bad('PUT', '/grain/copied', 403, 'AccessDenied', { headers: { 'x-amz-copy-source': 'shared/oats' } })
  expect(String(await mill.readFile('/shared/oats'))).toBe('oats')
  await ok('DELETE', '/shared', { query })
  await ok('GET', '/shared/oats')
  expect(await anonymous('GET', '/shared/open/rye')).toBe('AccessDenied')
  // Text of another form, which the owner has set at another door, denies everything.
  await mill.xattrs.set('/shared', 'user.s3.bucket.policy', '{}')
  await bad('GET', '/shared/oats', 403, 'AccessDenied', {}, other)
  await ok('DELETE', '/shared', { query })
})

test('settings of a bucket are for its owner, at every door', async () => {
  await ok('PUT', '/owned')
  await mill.chmod('/owned', 0o777)
  await using other = await connect({ address: `gristmill://${cluster.namenode.address}`, secretFile: cluster.secretFile, user: 'grete' })
  for (const name of ['user.s3.bucket.policy', 'user.s3.bucket.lifecycle', 'user.s3.cors']) {
    await expect(other.xattrs.set('/owned', name, '[]')).rejects.toMatchObject({ code: 'EACCES' })
    await expect(other.objects.mkdir('/owned', { attributes: { [name]: '[]' } })).rejects.toMatchObject({ code: 'EACCES' })
    await expect(other.objects.mkdir('/owned', { replaces: [name] })).rejects.toMatchObject({ code: 'EACCES' })
    await expect(other.objects.rm('/owned', { directory: true, attributes: [name] })).rejects.toMatchObject({ code: 'EACCES' })
  }
  for (const query of [{ policy: '' }, { lifecycle: '' }, { tagging: '' }]) await bad('DELETE', '/owned', 403, 'AccessDenied', { query },
    grete)
  // Tags of the bucket.
  const query = { tagging: '' }
  const tags = (names: readonly string[]): string =>
    `<Tagging><TagSet>${names.map(name => `<Tag><Key>${name}</Key><Value>v &amp; w</Value></Tag>`).join('')}</TagSet></Tagging>`
  await bad('GET', '/owned', 404, 'NoSuchTagSet', { query })
  await ok('PUT', '/owned', { query, body: tags(['team', 'cost']) })
  expect((await ok('GET', '/owned', { query },
    grete)).text).toContain('<Tag><Key>team</Key><Value>v &amp; w</Value></Tag><Tag><Key>cost</Key>')
  for (const [body, code] of [
    [tags(Array.from({ length: 51 }, (_, i) => `t${i}`)), 'InvalidTag'], [tags(['a', 'a']), 'InvalidTag'], [tags(['aws:x']), 'InvalidTag'],
    ['<Tagging/>', 'MalformedXML'],
  ] as const) await bad('PUT', '/owned', 400, code, { query, body })
  await ok('DELETE', '/owned', { query })
  await bad('GET', '/owned', 404, 'NoSuchTagSet', { query })
  await ok('PUT', '/owned/k', { body: 'k', headers: { 'x-amz-tagging': 'a=b' } })
  await bad('PUT', '/owned/k', 400, 'MalformedXML', { query, body: '<Tagging/>' })
  expect(elements((await ok('GET', '/owned/k', { query })).text, 'Key')).toEqual(['a'])
})

test('objects that have expired are removed and unfinished uploads aborted, and all others stay', async () => {
  await ok('PUT', '/aging')
  const old = new Date(Date.now() - 40 * 86_400_000)
  for (const [key, tagging] of [['log/old', 'kind=raw'], ['log/kept', 'kind=sum'], ['log/new', 'kind=raw'], ['data/old',
    'kind=raw']] as const) {
    await ok('PUT', `/aging/${key}`, { body: key, headers: { 'x-amz-tagging': tagging } })
    if (!key.endsWith('new')) await mill.utimes(`/aging/${key}`, old, old)
  }
  const id = elements((await ok('POST', '/aging/big', { query: { uploads: '' } })).text, 'UploadId')[0]!
  const rule = (id: string, filter: string,
    action: string): string => `<Rule><ID>${id}</ID><Status>Enabled</Status><Filter>${filter}</Filter>${action}</Rule>`
  const body = `<LifecycleConfiguration>${rule('raw', '<And><Prefix>log/</Prefix><Tag><Key>kind</Key><Value>raw</Value></Tag></And>', '<Expiration><Days>30</Days></Expiration>')}`
    + `${rule('parts', '<Prefix></Prefix>', '<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>')}</LifecycleConfiguration>`
  const query = { lifecycle: '' }
  await bad('PUT', '/aging', 403, 'AccessDenied', { query, body }, grete)
  await ok('PUT', '/aging', { query, body })
  await until('the end of the old object', async () => (await ada.ask('HEAD', '/aging/log/old')).status === 404)
  expect(elements((await ok('GET', '/aging')).text, 'Key')).toEqual(['data/old', 'log/kept', 'log/new'])
  // An upload of today stays; one that was begun long ago does not.
  await ok('GET', '/aging/big', { query: { uploadId: id } })
  await mill.utimes(`/.gristmill/uploads/${id}`, old, old)
  await ok('PUT', '/aging', { query, body })
  await until('the end of the old upload', async () => (await ada.ask('GET', '/aging/big',
    { query: { uploadId: id } })).code === 'NoSuchUpload')
  expect((await ok('GET', '/aging', { query })).text).toContain('<DaysAfterInitiation>1</DaysAfterInitiation>')
  await ok('DELETE', '/aging', { query })
  await bad('GET', '/aging', 404, 'NoSuchLifecycleConfiguration', { query })
})

test('of a form that its policy does not allow, or that does not arrive whole, nothing is stored', async () => {
  const refusal = async (...asked: Parameters<typeof post>): Promise<string> => (await post(...asked)).code ?? 'ok'
  const long = 'x'.repeat(300_000)
  const range = { conditions: [['content-length-range', 5, 10]] }
  expect(await refusal(await signedForm({ key: 'no' }, range), 'four')).toBe('EntityTooSmall')
  expect(await refusal(await signedForm({ key: 'no' }, range), long)).toBe('EntityTooLarge')
  expect(await refusal(await signedForm({ key: 'no' }, { expires: -1 }), 'x')).toBe('AccessDenied')
  expect(await refusal([...await signedForm({ key: 'no' }), { name: 'x-amz-meta-more', value: '1' }], 'x')).toBe('AccessDenied')
  const moved = (await signedForm({ key: 'no' })).map(each => (each.name === 'key' ? { name: 'key', value: 'elsewhere' } : each))
  expect(await refusal(moved, 'x')).toBe('AccessDenied')
  expect(await refusal((await signedForm({ key: 'no' })).filter(({ name }) => name !== 'x-amz-signature'), 'x')).toBe('AccessDenied')
  expect(await refusal(await signedForm({ key: 'no' }, { key: { ...keys.ada, secret: 'wrong' } }), 'x')).toBe('SignatureDoesNotMatch')
  expect(await refusal(await signedForm({ key: 'no' }, { key: { id: 'GMNONE', secret: 'x' } }), 'x')).toBe('InvalidAccessKeyId')
  expect(await refusal(await signedForm({ key: 'no' }, { key: keys.grete }), 'x')).toBe('AccessDenied')
  expect(await refusal(await signedForm({ key: 'no' }), undefined)).toBe('InvalidArgument')
  expect(await refusal(await signedForm({ key: 'no', 'x-amz-checksum-crc32c': 'AAAAAA==' }), 'x')).toBe('BadDigest')
  expect(await refusal(await signedForm({ key: 'no', 'x-amz-server-side-encryption': 'AES256' }), 'x')).toBe('NotImplemented')
  expect(await refusal(await signedForm({ key: 'no', 'x-ignore-a': long }), 'x')).toBe('MaxPostPreDataLengthExceeded')
  expect(await refusal([...await signedForm({ key: 'no' }), { name: 'KEY', value: 'twice' }], 'x')).toBe('InvalidArgument')
  await bad('POST', '/pages', 412, 'PreconditionFailed', { body: 'no form' })
  // Bodies that end early, at once or in the middle of a large file.
  const fields = (await signedForm({ key: 'no' })).map(({ name, value }) =>
    `--b\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`).join('')
  const file = '--b\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\n'
  for (const body of ['', '--b\r\n', fields, `${fields}${file}rye`, `${fields}${file}${long}`]) {
    const type = { 'content-type': 'multipart/form-data; boundary=b', host: at }
    expect([body.length, (await ada.send('POST', '/pages', type, body)).code]).toEqual([body.length, 'InvalidArgument'])
    await new Promise<void>(resolve => {
      const socket = net.connect(Number(at.split(':')[1]), '127.0.0.1', () => {
        const head = `POST /pages HTTP/1.1\r\nhost: ${at}\r\ncontent-type: ${type['content-type']}\r\ncontent-length: ${body.length + 100}`
        socket.end(`${head}\r\n\r\n${body}`)
      })
      socket.on('close', () => resolve()).on('error', () => resolve()).resume()
    })
  }
  const unbound = { 'content-type': 'multipart/form-data; boundary=', host: at }
  expect((await ada.send('POST', '/pages', unbound, 'x')).code).toBe('InvalidArgument')
  expect((await ok('GET', '/pages', { query: { 'list-type': '2' } })).text).not.toContain('<Key>no')
  await until('nothing of the forms is left', async () => (await left()).every(each => (each as string[]).length === 0))
  // And a form that is allowed: a large file, with a redirection.
  const redirected = await post(await signedForm({ key: 'big', success_action_redirect: 'https://app.example/done?a=1' }), long)
  expect([redirected.status, redirected.headers.get('location')]).toEqual([303,
    `https://app.example/done?a=1&bucket=pages&key=big&etag=%22${md5(long)}%22`])
  expect((await ok('GET', '/pages/big')).text).toBe(long)
})

test('clients that disconnect at every stage leave no object, no upload, no lease, and a gateway that answers', async () => {
  const upload = await begin('/grain/cut')
  const heads = [
    await headOf('PUT', '/grain/cut', {}, 10_000_000), await headOf('PUT', '/grain/cut', { partNumber: '1', uploadId: upload }, 10_000_000),
    await headOf('PUT', '/grain/cut', {}, 0), await headOf('GET', '/grain/parts', {}, 0),
  ]
  const cuts = heads.flatMap(head => [head.slice(0, 30), head, head + 'x'.repeat(100), head + 'x'.repeat(3_000_000)])
  await Promise.all(cuts.map(text => new Promise<void>(resolve => {
    const socket = net.connect({ host: '127.0.0.1', port: Number(at.split(':')[1]) }, () => {
      socket.write(text, () => { setImmediate(() => { socket.destroy() }) })
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve())
  })))
  await ok('DELETE', '/grain/cut', { query: { uploadId: upload } })
  await ok('DELETE', '/grain/cut')
  await until('the end of all leases', async () => (await metric('gristmill_leases')) === 0)
  expect(await left()).toEqual([[]])
  expect((await fetch(`http://${at}/healthz`)).status).toBe(200)
})

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`http://${cluster.namenode.address}/metrics`)).text()
  return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN)
}

test('a key that was removed is refused; the access log names users and no secrets', async () => {
  const key = JSON.parse(await cluster.ok(['user', 'key', 'grete', '--json'])) as TestKey
  const client = new S3TestClient(at, key)
  await ok('GET', '/', {}, client)
  await cluster.ok(['user', 'key', 'grete', '--rm', key.id])
  await until('the end of the key', async () => (await client.ask('GET', '/')).code === 'InvalidAccessKeyId')
  await client.close()
  const log = await readFile(join(cluster.dir, 'access.log'), 'utf8')
  expect(log).toMatch(/ - ada \[.*"PUT \/grain\/a\/b\/rye HTTP\/1\.1" 200/)
  expect(log).toMatch(/X-Amz-Signature=\*\*\*/)
  expect(log).not.toMatch(/X-Amz-Signature=[0-9a-f]/)
})

test('a gateway of S3 listens where other machines reach it with a cluster secret only', async () => {
  const { GRISTMILL_SECRET_FILE: _, ...env } = cluster.env
  const refused = await run(['gateway', '--s3', '0', '--host', '0.0.0.0'], { ...env, GRISTMILL_CLUSTER: '127.0.0.1:1' } as Record<string,
    string>)
  expect([refused.code, refused.stderr]).toEqual([78, expect.stringContaining('without a cluster secret')])
})

test('with a certificate and its key a gateway serves TLS; with one of them it does not start', async () => {
  const [cert, key] = [join(cluster.dir, 'gateway.crt'), join(cluster.dir, 'gateway.key')]
  await Promise.all([writeFile(cert, first.cert), writeFile(key, first.key)])
  const half = new ServerProcess({ role: 'gateway', args: ['--s3', '0', '--tls-cert', cert], env: cluster.env })
  await expect(half.ready()).rejects.toThrow(/name both, with --tls-cert and --tls-key/)
  const gateway = new ServerProcess({ role: 'gateway', args: ['--s3', '0', '--tls-cert', cert, '--tls-key', key], env: cluster.env })
  const { endpoints } = await gateway.ready() as { endpoints?: Record<string, string> }
  expect(endpoints!['s3']).toMatch(/^https:/)
  const { statusCode, body } = await request(`${endpoints!['s3']}/grain`, { dispatcher: new Agent({ connect: { ca: first.cert } }) })
  expect([statusCode, await body.text()]).toEqual([403, expect.stringContaining('<Code>AccessDenied</Code>')])
  await gateway.end('SIGTERM')
})

const hasAws = spawnSync('aws', ['--version']).status === 0

test.skipIf(!hasAws)('every command of the guide does what it says', async () => {
  // because the AWS command line is not on every machine
  const guide = await readFile(join(root, 'docs/guide/s3.md'), 'utf8')
  const blocks = (kind: string): string =>
    [...guide.matchAll(new RegExp(`^\`\`\`${kind}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(match => match[1]!).join('')
  const [commands, output] = [blocks('sh'), blocks('text')]
  const script = commands.replace('http://127.0.0.1:9000', `http://${at}`)
    .replaceAll('gristmill ', `${process.execPath} ${join(root, 'client/cli/gristmill.js')} `)
  const env = { ...process.env, ...cluster.env, PATH: process.env['PATH'] ?? '', AWS_EC2_METADATA_DISABLED: 'true' }
  const { stdout } = await promisify(execFile)('bash', ['-ec', script], { cwd: cluster.dir, env })
  expect(stdout).toBe(output)
})

test('the commands of the guide to connectors copy files to a service of S3 and back, and a repeat moves nothing', async () => {
  const { id, secret } = keys.ada
  const env = { ...cluster.env, AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_ENDPOINT_URL: `http://${at}` }
  const guide = await readFile(join(root, 'docs/guide/connectors.md'), 'utf8')
  const [commands, printed] = [/^```sh s3\n([\s\S]*?)^```$/gm, /^```text s3\n([\s\S]*?)^```$/gm]
    .map(form => [...guide.matchAll(form)].map(([, text]) => text).join(''))
  await mill.mkdir('/reports/2026', { recursive: true })
  await mill.writeFile('/reports/2026/rye.csv', 'field,tons\n7,12\n')
  await mill.writeFile('/reports/2026/oats.csv', randomBytes(300_000))
  await mill.writeFile('/reports/none', '')
  await ok('PUT', '/mill-reports')
  let out = ''
  for (const line of commands!.trim().split('\n')) {
    const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, word]) => quoted ?? word!)
    const { code, stdout, stderr } = await runHere(words.slice(1), env)
    expect([line, code, code === 0 ? '' : stderr]).toEqual([line, 0, ''])
    out += stdout
  }
  expect(out).toBe(printed)
  const record = JSON.parse((await ok('GET', '/mill-reports/2026/_gristmill_commit.json')).text) as unknown
  expect(record).toMatchObject({ parts: ['oats.csv', 'rye.csv'] })
  const again = async (...words: string[]): Promise<unknown> => JSON.parse((await runHere([...words, '--json'], env)).stdout)
  expect(await again('export', '/reports/2026', 's3://mill-reports/2026/')).toEqual({ files: 2, bytes: 0, unchanged: 2 })
  expect(await again('import', 's3://mill-reports/2026/', '/copies/')).toEqual({ files: 3, bytes: 0, unchanged: 3 })
  expect((await mill.readFile('/copies/oats.csv')).equals(await mill.readFile('/reports/2026/oats.csv'))).toBe(true)
  expect(await mill.status('/copies/rye.csv')).toMatchObject({ format: 'csv' })
  expect(await again('export', '/reports/none', 's3://mill-reports/')).toEqual({ files: 1, bytes: 0, unchanged: 0 })
  expect(await again('export', '/reports/none', 's3://mill-reports/')).toMatchObject({ unchanged: 1 })
  // Other content, and bad input.
  await mill.writeFile('/reports/2026/rye.csv', 'field,tons\n8,12\n')
  const fails = async (words: string[], code: number, message: RegExp, more: object = {}): Promise<void> => {
    const result = await runHere(words, { ...env, ...more })
    expect([words, result.code, result.stderr]).toEqual([words, code, expect.stringMatching(message)])
    expect(result.stderr).not.toContain(secret)
  }
  await fails(['import', 's3://mill-reports/2062/', '/copies/'], 1, /there is no object below this prefix/)
  await fails(['export', '/reports/2026', 's3://mill-reports/2026/'], 1, /other content is there; add -f/)
  await cluster.ok(['rm', '/copies/rye.csv'])
  await cluster.ok(['touch', '/copies/rye.csv'])
  await fails(['import', 's3://mill-reports/2026/rye.csv', '/copies/'], 1, /\/copies\/rye\.csv: file exists; add -f/)
  await fails(['import', 's3://mill-reports/nothing', '/copies/'], 1, /s3:\/\/mill-reports\/nothing does not exist/)
  await fails(['import', 's3://no-such-bucket/', '/copies/'], 1, /NoSuchBucket/)
  await fails(['import', 's3://mill-reports/', '/copies/'], 77, /there is no access key for S3/, { AWS_ACCESS_KEY_ID: '' })
  await fails(['import', 's3://mill-reports/', '/copies/'], 77, /SignatureDoesNotMatch/, { AWS_SECRET_ACCESS_KEY: `${secret}x` })
  await fails(['export', '/reports', 's3://mill-reports/x'], 1, /is a directory/)
  await fails(['export', '/reports', 'https://u:pw@h/x'], 1, /^(?!.*pw).*exported to s3/)
  await fails(['import', './local', '/copies/'], 2, /is no address/)
  const part = await ok('GET', '/mill-reports', { query: { uploads: '' } })
  expect(elements(part.text, 'UploadId')).toEqual([])
})
