// Node's own `fetch` against a gateway, with nothing beside it: presigned URLs and a form of S3, signed here by what Amazon documents, and
// WebHDFS with redirects, streams and passwords.

import assert from 'node:assert/strict'
import { createHash, createHmac, randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import type { Peers, Row } from './client.ts'
import type { S3aOptions } from './s3a.ts'

type Options = Pick<S3aOptions, 'endpoint' | 'url' | 'key'>

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()
const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
const encodePath = (path: string): string => path.split('/').map(encode).join('/')

interface Signed {
  readonly method?: string
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  /** Headers that the request must have, in lower case. */
  readonly headers?: Readonly<Record<string, string>>
  readonly expires?: number
  readonly at?: number
}

/** Signs URLs and forms with signature version 4. */
class Signer {
  readonly #endpoint: URL
  readonly #key: Options['key']

  constructor({ endpoint, key }: Options) {
    this.#endpoint = new URL(endpoint)
    this.#key = key
  }

  #scope(time: string): string { return `${time.slice(0, 8)}/us-east-1/s3/aws4_request` }

  #sign(time: string, text: string): string {
    const key = this.#scope(time).split('/').reduce<Buffer | string>((key, word) => hmac(key, word), `AWS4${this.#key.secret}`)
    return hmac(key as Buffer, text).toString('hex')
  }

  url({ method = 'GET', path, query = {}, headers = {}, expires = 300, at = Date.now() }: Signed): string {
    const time = timeOf(at)
    const all = { ...headers, host: this.#endpoint.host }
    const names = Object.keys(all).sort()
    const words = Object.entries({
      ...query, 'X-Amz-Algorithm': 'AWS4-HMAC-SHA256', 'X-Amz-Credential': `${this.#key.id}/${this.#scope(time)}`, 'X-Amz-Date': time,
      'X-Amz-Expires': String(expires), 'X-Amz-SignedHeaders': names.join(';'),
    }).map(([name, value]) => `${encode(name)}=${encode(value)}`).sort().join('&')
    const lines = names.map(name => `${name}:${all[name as keyof typeof all]}\n`).join('')
    const request = [method, encodePath(path), words, lines, names.join(';'), 'UNSIGNED-PAYLOAD'].join('\n')
    const hash = createHash('sha256').update(request).digest('hex')
    const signature = this.#sign(time, ['AWS4-HMAC-SHA256', time, this.#scope(time), hash].join('\n'))
    return `${this.#endpoint.origin}${encodePath(path)}?${words}&X-Amz-Signature=${signature}`
  }

  /** Fields of a form for objects of up to 100 bytes below a prefix. */
  form(bucket: string, prefix: string): FormData {
    const time = timeOf(Date.now())
    const fields = { 'x-amz-algorithm': 'AWS4-HMAC-SHA256', 'x-amz-credential': `${this.#key.id}/${this.#scope(time)}`, 'x-amz-date': time }
    const policy = Buffer.from(JSON.stringify({
      expiration: new Date(Date.now() + 300_000).toISOString(),
      conditions: [
        { bucket }, ['starts-with', '$key', prefix], ['content-length-range', 0, 100], { success_action_status: '201' },
        ...Object.entries(fields).map(([name, value]) => ({ [name]: value })),
      ],
    })).toString('base64')
    const form = new FormData()
    const signature = { policy, 'x-amz-signature': this.#sign(time, policy) }
    const signed = { key: `${prefix}\${filename}`, success_action_status: '201', ...fields, ...signature }
    for (const [name, value] of Object.entries(signed)) form.set(name, value)
    return form
  }
}

const timeOf = (ms: number): string => new Date(ms).toISOString().replace(/[-:]|\.\d+/g, '')

const bytesOf = async (answer: Response): Promise<Buffer> => Buffer.from(await answer.arrayBuffer())

/** A stream of these bytes in pieces, whose length the receiver does not know. */
function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  let at = 0
  return new ReadableStream({
    pull(to) {
      if (at === bytes.length) to.close()
      else to.enqueue(bytes.subarray(at, at = Math.min(bytes.length, at + 50_000)))
    },
  })
}

const names = [
  'a b+c%.txt', '%41%2F', 'ü/ñ&=?.bin', 'q\'u"o<t>e', '~!*()',
  '#hash;co:lon', '\u{1f33e}', 'back\\slash', 'two//slashes', '日本',
]

/** Puts, gets, ranges, conditions, and what a URL was not signed for. */
async function objects(signer: Signer, bucket: string): Promise<void> {
  const put = async (path: string, body: RequestInit['body'], headers: Record<string, string> = {}): Promise<Response> =>
    fetch(signer.url({ method: 'PUT', path, headers }), { method: 'PUT', body, headers, duplex: 'half' } as RequestInit)
  assert.equal((await fetch(signer.url({ method: 'PUT', path: bucket }), { method: 'PUT' })).status, 200)
  await Promise.all(names.map(async name => {
    const [path, body] = [`${bucket}/n/${name}`, `of ${name}`]
    assert.equal((await put(path, body)).status, 200, name)
    assert.equal(await (await fetch(signer.url({ path }))).text(), body)
  }))
  const list = signer.url({ path: bucket, query: { 'list-type': '2', 'prefix': 'n/', 'encoding-type': 'url' } })
  assert.equal((await (await fetch(list)).text()).match(/<Key>/g)?.length, names.length)
  const [path, big] = [`${bucket}/big`, randomBytes(7_000_001)]
  assert.equal((await put(path, new Blob([big]), { 'content-type': 'text/x-rye', 'x-amz-meta-grain': 'rye' })).status, 200)
  const whole = await fetch(signer.url({ path }))
  const kept = ['content-type', 'x-amz-meta-grain', 'content-length'].map(name => whole.headers.get(name))
  assert.deepEqual(kept, ['text/x-rye', 'rye', '7000001'])
  assert((await bytesOf(whole)).equals(big))
  const etag = whole.headers.get('etag')!
  assert.equal(etag, `"${createHash('md5').update(big).digest('hex')}"`)
  const range = await fetch(signer.url({ path }), { headers: { range: 'bytes=6000000-6000009' } })
  assert.equal(range.status, 206)
  assert((await bytesOf(range)).equals(big.subarray(6_000_000, 6_000_010)))
  assert.equal((await fetch(signer.url({ path }), { headers: { 'if-none-match': etag } })).status, 304)
  assert.equal((await fetch(signer.url({ path }), { headers: { 'if-match': '"0"' } })).status, 412)
  const head = await fetch(signer.url({ method: 'HEAD', path }), { method: 'HEAD' })
  assert.deepEqual([head.status, head.headers.get('content-length'), await head.text()], [200, '7000001', ''])
  const named = await fetch(signer.url({ path, query: { 'response-content-disposition': 'attachment; filename="a b.bin"' } }))
  assert.equal(named.headers.get('content-disposition'), 'attachment; filename="a b.bin"')
  await named.body!.cancel()
  assert.equal((await put(path, 'x', { 'if-none-match': '*' })).status, 412)
  // fetch asks for gzip, and unpacks what says that it is packed.
  assert.equal((await put(`${bucket}/packed`, gzipSync('rye and oats'), { 'content-encoding': 'gzip' })).status, 200)
  assert.equal(await (await fetch(signer.url({ path: `${bucket}/packed` }))).text(), 'rye and oats')
  // S3 takes no body of unknown length.
  const stream = await put(`${bucket}/stream`, streamOf(big))
  assert.deepEqual([stream.status, /<Code>(\w+)/.exec(await stream.text())?.[1]], [411, 'MissingContentLength'])
  for (const [url, code] of [
    [signer.url({ path }).replace('/big?', '/other?'), 'SignatureDoesNotMatch'], [`${signer.url({ path })}&x=1`, 'SignatureDoesNotMatch'],
    [signer.url({ path, expires: 1, at: Date.now() - 5000 }), 'AccessDenied'], [signer.url({ path: `${bucket}/none` }), 'NoSuchKey'],
  ] as const) assert.equal(/<Code>(\w+)/.exec(await (await fetch(url)).text())?.[1], code)
  assert.equal((await fetch(signer.url({ path }), { method: 'DELETE' })).status, 403)
}

/** A form, and an upload in parts whose last one is sent first. */
async function forms(signer: Signer, { endpoint, bucket }: { endpoint: string; bucket: string }): Promise<void> {
  const form = signer.form(bucket.slice(1), 'form/')
  form.set('file', new File(['rye,1\n'], 'stock ü.csv', { type: 'text/csv' }))
  const posted = await fetch(`${endpoint}${bucket}`, { method: 'POST', body: form })
  assert.equal(posted.status, 201, await posted.text())
  const stored = await fetch(signer.url({ path: `${bucket}/form/stock ü.csv` }))
  assert.equal(await stored.text(), 'rye,1\n')
  const large = signer.form(bucket.slice(1), 'form/')
  large.set('file', new Blob([Buffer.alloc(101)]), 'large')
  const refused = await fetch(`${endpoint}${bucket}`, { method: 'POST', body: large })
  assert.match(await refused.text(), /<Code>EntityTooLarge/)

  const path = `${bucket}/parts`
  const begun = await fetch(signer.url({ method: 'POST', path, query: { uploads: '' } }), { method: 'POST' })
  const uploadId = /<UploadId>([^<]+)/.exec(await begun.text())![1]!
  const parts = [randomBytes(5 * 2 ** 20), randomBytes(1000)]
  const etags: string[] = []
  for (const i of [1, 0]) {
    const query = { partNumber: String(i + 1), uploadId }
    const sent = await fetch(signer.url({ method: 'PUT', path, query }), { method: 'PUT', body: parts[i]! })
    etags[i] = sent.headers.get('etag')!
  }
  const body = `<CompleteMultipartUpload>${etags.map((etag, i) =>
    `<Part><PartNumber>${i + 1}</PartNumber><ETag>${etag}</ETag></Part>`).join('')}</CompleteMultipartUpload>`
  const done = await fetch(signer.url({ method: 'POST', path, query: { uploadId } }), { method: 'POST', body })
  assert.match(await done.text(), /<ETag>[^<]+-2/)
  assert((await bytesOf(await fetch(signer.url({ path })))).equals(Buffer.concat(parts)))
}

/** Requests that the caller gives up, and many at the same time. */
async function aborts(signer: Signer, bucket: string): Promise<void> {
  for (let i = 0; i < 20; i++) {
    const controller = new AbortController()
    const answer = await fetch(signer.url({ path: `${bucket}/big` }), { signal: controller.signal })
    const reader = answer.body!.getReader()
    await reader.read()
    controller.abort()
    await assert.rejects(async () => { while (!(await reader.read()).done); }, { name: 'AbortError' })
  }
  const [path, controller] = [`${bucket}/given up`, new AbortController()]
  const url = signer.url({ method: 'PUT', path })
  // fetch reads on when it is given up.
  const endless = new ReadableStream({
    pull: async to => {
      await sleep(5)
      if (controller.signal.aborted) to.close()
      else to.enqueue(Buffer.alloc(1000))
    },
  })
  const init = { method: 'PUT', body: endless, signal: controller.signal, duplex: 'half', headers: { 'content-length': '1000000000' } }
  const given = assert.rejects(fetch(url, init as RequestInit))
  await sleep(100)
  controller.abort()
  await given
  assert.equal((await fetch(signer.url({ path }))).status, 404)
  const all = await Promise.all(Array.from({ length: 100 }, async (_, i) => {
    const [path, body] = [`${bucket}/many/${i}`, Buffer.alloc(i * 1000, i)]
    const stored = await fetch(signer.url({ method: 'PUT', path }), { method: 'PUT', body })
    return stored.ok && (await bytesOf(await fetch(signer.url({ path })))).equals(body)
  }))
  assert(all.every(Boolean))
}

async function webhdfs({ url, key }: Options, dir: string): Promise<void> {
  const headers = { authorization: `Basic ${Buffer.from(`${key.id}:${key.secret}`).toString('base64')}` }
  const ask = (method: string, path: string, query: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${url}/webhdfs/v1${encodePath(path)}?${query}`, { method, headers, duplex: 'half', ...init } as RequestInit)
  const jsonOf = async (answer: Promise<Response>): Promise<unknown> => (await answer).json()
  assert.deepEqual(await jsonOf(ask('PUT', dir, 'op=MKDIRS')), { boolean: true })
  for (const name of names.filter(name => !name.includes('//'))) {
    const path = `${dir}/${name}`
    assert.equal((await ask('PUT', path, 'op=CREATE', { body: `of ${name}` })).status, 201, name)
    assert.equal(await (await ask('GET', path, 'op=OPEN')).text(), `of ${name}`)
  }
  const [path, big] = [`${dir}/big`, randomBytes(7_000_001)]
  // fetch sends bytes again where a redirect leads, and cannot do so with a stream: the program asks for the address first.
  await assert.rejects(ask('PUT', path, 'op=CREATE', { body: streamOf(big) }), TypeError)
  const { Location } = await jsonOf(ask('PUT', path, 'op=CREATE&noredirect=true')) as { Location: string }
  assert.equal((await fetch(Location, { method: 'PUT', headers, body: streamOf(big), duplex: 'half' } as RequestInit)).status, 201)
  assert((await bytesOf(await ask('GET', path, 'op=OPEN'))).equals(big))
  assert((await bytesOf(await ask('GET', path, 'op=OPEN&offset=5&length=9'))).equals(big.subarray(5, 14)))
  assert.equal((await ask('POST', path, 'op=APPEND', { body: 'tail' })).status, 200)
  const { FileStatus } = await jsonOf(ask('GET', path, 'op=GETFILESTATUS')) as { FileStatus: { length: number; owner: string } }
  assert.deepEqual([FileStatus.length, FileStatus.owner], [big.length + 4, 'ada'])
  const reader = (await ask('GET', path, 'op=OPEN')).body!.getReader()
  await reader.read()
  await reader.cancel()
  assert.deepEqual(await jsonOf(ask('PUT', path, `op=RENAME&destination=${encode(`${dir}/ü moved`)}`)), { boolean: true })
  const gone = await ask('GET', path, 'op=OPEN')
  const { RemoteException } = await gone.json() as { RemoteException: { exception: string } }
  assert.deepEqual([gone.status, RemoteException.exception], [404, 'FileNotFoundException'])
  const named = await fetch(`${url}/webhdfs/v1${dir}?op=LISTSTATUS&user.name=ada`)
  assert.equal((await named.json() as { FileStatuses: { FileStatus: unknown[] } }).FileStatuses.FileStatus.length, names.length)
  const wrong = await ask('GET', dir, 'op=LISTSTATUS', { headers: { authorization: `Basic ${btoa('ada:wrong')}` } })
  assert.equal(wrong.status, 401)
  assert.deepEqual(await jsonOf(ask('DELETE', dir, 'op=DELETE&recursive=true')), { boolean: true })
}

async function run(options: Options): Promise<Row> {
  const client = `Node fetch ${process.versions.node}, undici ${process.versions['undici']}`
  const [signer, bucket] = [new Signer(options), '/fetch-bucket']
  try {
    await objects(signer, bucket)
    await forms(signer, { endpoint: new URL(options.endpoint).origin, bucket })
    await aborts(signer, bucket)
    await webhdfs(options, `${bucket}/webhdfs ü`)
    return { client, result: 'passed' }
  } catch (error) {
    console.log(client, error)
    return { client, result: 'FAILED', failed: true }
  }
}

/** Comes with Node. */
export const fetchPeers = (options: Options): Peers => ({ install: () => Promise.resolve(), jobs: { fetch: () => run(options) } })
