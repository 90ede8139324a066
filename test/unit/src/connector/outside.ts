// Servers outside of the cluster, as functions: a web server of one file and a service of S3, with faults that a test chooses. Clocks do
// not wait.

import { createHash } from 'node:crypto'
import type { AskDeps } from '../../../../src/connector/ask.ts'
import type { HttpFetch, HttpReply, HttpRequest } from '../../../../src/ports/httpfetch.ts'
import { elementsOf } from '../../../../src/connector/s3/xml.ts'

export function depsOf(fetch: HttpFetch): AskDeps & { slept: () => number } {
  let mono = 0
  const clock = { now: () => Date.UTC(2026, 10, 27), mono: () => mono, sleep: async (ms: number) => { mono += ms }, after: () => () => {} }
  return { fetch, clock, random: { float: () => 0.5 }, slept: () => mono }
}

/** A reply; with `cut`, its body breaks off behind that many bytes. */
export function reply(status: number, headers: Record<string, string> = {}, body: string | Uint8Array = '', cut?: number): HttpReply {
  const bytes = Buffer.from(body)
  const pieces = async function* (): AsyncGenerator<Uint8Array> {
    const end = Math.min(bytes.length, cut ?? Infinity)
    for (let at = 0; at < end; at += 1000) yield bytes.subarray(at, Math.min(at + 1000, end))
    if (cut !== undefined) throw new TypeError('terminated')
  }
  return { status, headers, body: pieces(), discard: async () => {} }
}

interface WebOptions {
  ranges?: boolean
  /** Validators that it gives. */
  etag?: boolean
  /** A weak ETag, of the content. */
  weak?: boolean
  /** The same time whatever the content is. */
  kept?: boolean
  modified?: boolean
  length?: boolean
  head?: boolean
  sums?: boolean
}

/** Server of one file. `content` may be changed at any time; `fault` is asked before each reply to a GET. */
export class Web {
  content: Buffer
  readonly requests: HttpRequest[] = []
  fault: (request: HttpRequest, count: number) => { status?: number; cut?: number; headers?: Record<string, string> } | undefined =
    () => undefined
  readonly #options: WebOptions

  constructor(content: string | Buffer, options: WebOptions = {}) {
    this.content = Buffer.from(content)
    this.#options = options
  }

  readonly fetch: HttpFetch = async request => {
    this.requests.push(request)
    request.signal?.throwIfAborted()
    const { ranges = true, weak = false, kept = false, length = true, head = true, sums = false } = this.#options
    const { etag = !weak && !kept, modified = false } = this.#options
    const tag = `"${createHash('md5').update(this.content).digest('hex')}"`
    const headers: Record<string, string> = {
      ...etag && { etag: tag }, ...weak && { etag: `W/${tag}` }, ...kept && { 'last-modified': 'Fri, 27 Nov 2026 10:00:00 GMT' },
      ...modified && { 'last-modified': `time of ${tag}` }, ...ranges && { 'accept-ranges': 'bytes' },
      ...length && { 'content-length': String(this.content.length) },
      ...sums && { 'repr-digest': `sha-256=:${createHash('sha256').update(this.content).digest('base64')}:` },
    }
    const { method, headers: asked = {} } = request
    if (method === 'HEAD') return head ? reply(200, headers) : reply(405)
    const fault = this.fault(request, this.requests.length)
    if (fault?.status !== undefined) return reply(fault.status, fault.headers)
    if (asked['if-match'] !== undefined && etag && asked['if-match'] !== tag) return reply(412)
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(asked['range'] ?? '') ?? []
    if (!ranges || first === undefined) return reply(200, headers, this.content, fault?.cut)
    const [from, to] = [Number(first), last === '' ? this.content.length - 1 : Math.min(Number(last), this.content.length - 1)]
    if (from >= this.content.length) return reply(416, { 'content-range': `bytes */${this.content.length}` })
    const range = `bytes ${from}-${to}/${this.content.length}`
    return reply(206, { ...headers, 'content-range': range }, this.content.subarray(from, to + 1), fault?.cut)
  }
}

const md5 = (bytes: Uint8Array): Buffer => createHash('md5').update(bytes).digest()

/** A service of S3 with one bucket: what a client relies on, as Amazon documents it. */
export class Service {
  readonly objects = new Map<string, { bytes: Buffer; etag: string; meta: Record<string, string> }>()
  readonly uploads = new Map<string, { key: string; parts: Map<number, Buffer>; meta: Record<string, string> }>()
  requests = 0
  /** Asked before the effect of a request, and behind it: may throw, as a connection that breaks does. */
  before: (request: HttpRequest) => void = () => {}
  after: (request: HttpRequest) => void = () => {}
  #ids = 0

  readonly fetch: HttpFetch = async request => {
    request.signal?.throwIfAborted()
    this.requests++
    this.before(request)
    const answer = this.#answer(request)
    this.after(request)
    return answer
  }

  #answer({ method, url, headers = {}, body = Buffer.alloc(0) }: HttpRequest): HttpReply {
    const { pathname, searchParams: query } = new URL(url)
    const [, bucket, ...rest] = pathname.split('/')
    const key = decodeURIComponent(rest.join('/'))
    if (bucket !== 'grain') return refused(404, 'NoSuchBucket')
    const meta = Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('x-amz-meta-')))
    const upload = query.get('uploadId')
    if (key === '') return query.has('uploads') ? this.#uploadsOf(query) : this.#list(query)
    if (method === 'POST' && query.has('uploads')) {
      const id = `u${++this.#ids}`
      this.uploads.set(id, { key, parts: new Map(), meta })
      return reply(200, {}, `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`)
    }
    if (upload !== null) return this.#part(method, key, upload, query, Buffer.from(body))
    if (method === 'PUT') {
      this.objects.set(key, { bytes: Buffer.from(body), etag: `"${md5(body).toString('hex')}"`, meta })
      return reply(200)
    }
    if (method === 'DELETE') {
      this.objects.delete(key)
      return reply(204)
    }
    return this.#get(method, key, headers)
  }

  #get(method: string, key: string, headers: Readonly<Record<string, string>>): HttpReply {
    const found = this.objects.get(key)
    if (!found) return refused(404, 'NoSuchKey')
    const { bytes, etag, meta } = found
    if (headers['if-match'] !== undefined && headers['if-match'] !== etag) return refused(412, 'PreconditionFailed')
    const all = { ...meta, etag, 'content-length': String(bytes.length) }
    if (method === 'HEAD') return reply(200, all)
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers['range'] ?? '') ?? []
    if (first === undefined) return reply(200, all, bytes)
    const range = `bytes ${first}-${last}/${bytes.length}`
    return reply(206, { ...all, 'content-range': range }, bytes.subarray(Number(first), Number(last) + 1))
  }

  #part(method: string, key: string, id: string, query: URLSearchParams, body: Buffer): HttpReply {
    const upload = this.uploads.get(id)
    if (!upload || upload.key !== key) return refused(404, 'NoSuchUpload')
    if (method === 'PUT') {
      upload.parts.set(Number(query.get('partNumber')), body)
      return reply(200, { etag: `"${md5(body).toString('hex')}"` })
    }
    this.uploads.delete(id)
    if (method === 'DELETE') return reply(204)
    const named = elementsOf(body.toString(), 'PartNumber').map(Number)
    const parts = named.map(number => upload.parts.get(number)!)
    const etag = `"${md5(Buffer.concat(parts.map(md5))).toString('hex')}-${parts.length}"`
    this.objects.set(key, { bytes: Buffer.concat(parts), etag, meta: upload.meta })
    return reply(200, {}, `<CompleteMultipartUploadResult><Key>${key}</Key></CompleteMultipartUploadResult>`)
  }

  #uploadsOf(query: URLSearchParams): HttpReply {
    const found = [...this.uploads].filter(([, { key }]) => key.startsWith(query.get('prefix') ?? ''))
    const rows = found.map(([id, { key }]) => `<Upload><Key>${key}</Key><UploadId>${id}</UploadId></Upload>`)
    return reply(200, {}, `<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>${rows.join('')}</ListMultipartUploadsResult>`)
  }

  /** Two keys a page. */
  #list(query: URLSearchParams): HttpReply {
    const after = query.get('continuation-token') ?? ''
    const keys = [...this.objects.keys()].filter(key => key.startsWith(query.get('prefix')!) && key > after).sort()
    const page = keys.slice(0, 2)
    const rows = page.map(key => {
      const { bytes, etag } = this.objects.get(key)!
      const tag = etag.replaceAll('"', '&quot;')
      return `<Contents><Key>${encodeURIComponent(key)}</Key><ETag>${tag}</ETag><Size>${bytes.length}</Size></Contents>`
    })
    const token = `<NextContinuationToken>${page[1]}</NextContinuationToken>`
    const more = keys.length > 2 ? `<IsTruncated>true</IsTruncated>${token}` : ''
    return reply(200, {}, `<ListBucketResult>${rows.join('')}${more}</ListBucketResult>`)
  }
}

const refused = (status: number, code: string): HttpReply =>
  reply(status, {}, `<?xml version="1.0"?><Error><Code>${code}</Code><Message>not with secret-key</Message></Error>`)
