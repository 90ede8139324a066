// Sink: files as objects below a prefix of S3. A file is staged as a multipart upload that is not completed, which no reader sees. A commit
// completes the uploads, and then writes the record of the commit, `_gristmill_commit.json`, with the token: readers that need all files or
// none read this object first. A sink for one object has no record: the object itself carries the token, in its metadata.
// A commit that was interrupted is continued by the next one: an upload that is gone has been completed if the object has its ETag.

import { createHash } from 'node:crypto'
import { GristmillError, hasCode } from '../../base/errors.ts'
import type { HttpReply } from '../../ports/httpfetch.ts'
import { again, textOf } from '../ask.ts'
import type { Committed, FilePart, OutsideSink } from '../connector.ts'
import type { S3Client, S3Request } from './client.ts'
import { elementsOf, escaped, firstText } from './xml.ts'

interface S3Receipt {
  readonly name: string
  readonly bytes: number
  readonly upload: string
  /** ETags of the parts, in order. */
  readonly etags: readonly string[]
  /** MD5 of the MD5s of the parts: the ETag that the object will have, on services that follow Amazon's. */
  readonly etag: string
}

const tokenHeader = 'x-amz-meta-gristmill-token'
const recordName = '_gristmill_commit.json'

/** Smallest part that S3 takes, but for the last one: 5 MiB. Larger ones need fewer requests, and are held in memory whole. */
const partBytesMin = 8 * 1024 * 1024
const partsMax = 10_000

export class S3Files implements OutsideSink<FilePart, Uint8Array, S3Receipt> {
  readonly shown: string
  readonly isGuarded = true
  readonly #client: S3Client
  readonly #prefix: string
  readonly #only: string | undefined
  readonly #partBytes: number

  /** A key that is empty or ends in a slash is a prefix; another one is that of the only object. */
  constructor(client: S3Client, key: string, { partBytes = partBytesMin }: { readonly partBytes?: number } = {}) {
    this.#client = client
    this.#partBytes = partBytes
    this.#prefix = key.slice(0, key.lastIndexOf('/') + 1)
    this.#only = key === this.#prefix ? undefined : key.slice(this.#prefix.length)
    this.shown = client.shown(key)
  }

  async committed(_token: string, signal?: AbortSignal): Promise<Committed | undefined> {
    if (this.#only !== undefined) {
      const head = await this.#repeated({ method: 'HEAD', key: this.#key(this.#only), signal }, [200, 404])
      await head.discard()
      return head.status === 404 ? undefined : { token: head.headers[tokenHeader] ?? '', parts: [this.#only] }
    }
    const reply = await this.#repeated({ method: 'GET', key: this.#key(recordName), signal }, [200, 404])
    if (reply.status === 404) {
      await reply.discard()
      return undefined
    }
    try {
      const { token, parts } = JSON.parse(await textOf(reply)) as Partial<Committed>
      if (typeof token === 'string' && Array.isArray(parts) && parts.every(part => typeof part === 'string')) return { token, parts }
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
    }
    throw new GristmillError('EINVAL', `${this.#client.shown(this.#key(recordName))} is not the record of an export; remove it, or export elsewhere`)
  }

  async sweep(_token: string, parts: readonly FilePart[], signal?: AbortSignal): Promise<void> {
    const keys = new Set(parts.map(({ name }) => this.#key(name)))
    for (let marker: Record<string, string> = {}; ;) {
      const query = { uploads: '', prefix: this.#prefix, ...marker }
      const page = await textOf(await this.#repeated({ method: 'GET', key: '', query, signal }, [200]))
      for (const entry of elementsOf(page, 'Upload')) {
        const [key = '', upload = ''] = [firstText(entry, 'Key'), firstText(entry, 'UploadId')]
        if (keys.has(key)) await this.#drop(key, upload, signal)
      }
      if (firstText(page, 'IsTruncated') !== 'true') return
      marker = { 'key-marker': firstText(page, 'NextKeyMarker') ?? '', 'upload-id-marker': firstText(page, 'NextUploadIdMarker') ?? '' }
    }
  }

  async stage(token: string, { name, bytes }: FilePart, items: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<S3Receipt> {
    const key = this.#key(name)
    const begin: S3Request = { method: 'POST', key, query: { uploads: '' }, headers: { [tokenHeader]: token }, signal }
    const upload = firstText(await textOf(await this.#repeated(begin, [200])), 'UploadId')
    if (!upload) throw new GristmillError('EINVAL', `${this.#client.shown(key)}: the service has begun no upload`)
    try {
      const etags: string[] = []
      const md5s: Buffer[] = []
      let sent = 0
      const send = async (body: Buffer): Promise<void> => {
        const query = { partNumber: String(etags.length + 1), uploadId: upload }
        const reply = await this.#repeated({ method: 'PUT', key, query, body, signal }, [200])
        await reply.discard()
        const { etag } = reply.headers
        if (!etag) throw new GristmillError('EINVAL', `${this.#client.shown(key)}: the service has answered a part without an ETag`)
        etags.push(etag)
        md5s.push(createHash('md5').update(body).digest())
        sent += body.length
      }
      for await (const part of partsOf(items, Math.max(this.#partBytes, Math.ceil(bytes / partsMax)))) await send(part)
      if (etags.length === 0) await send(Buffer.alloc(0))
      if (sent !== bytes) throw new GristmillError('ESTALE', `${name} had ${bytes} bytes when the export began, and ${sent} were read`)
      const etag = `"${createHash('md5').update(Buffer.concat(md5s)).digest('hex')}-${etags.length}"`
      return { name, bytes, upload, etags, etag }
    } catch (error) {
      await this.#drop(key, upload).catch(() => {})
      throw error
    }
  }

  async commit(token: string, receipts: readonly S3Receipt[], before: Committed | undefined, signal?: AbortSignal): Promise<void> {
    for (const receipt of receipts) await this.#complete(receipt, signal)
    if (this.#only !== undefined) return
    const parts = receipts.map(({ name }) => name)
    const kept = new Set(parts)
    for (const name of before?.parts ?? []) {
      if (!kept.has(name)) await (await this.#repeated({ method: 'DELETE', key: this.#key(name), signal }, [200, 204, 404])).discard()
    }
    const body = Buffer.from(`${JSON.stringify({ token, parts } satisfies Committed)}\n`)
    const headers = { 'content-type': 'application/json' }
    await (await this.#repeated({ method: 'PUT', key: this.#key(recordName), headers, body, signal }, [200])).discard()
  }

  async abort(receipts: readonly S3Receipt[]): Promise<void> {
    await Promise.allSettled(receipts.map(({ name, upload }) => this.#drop(this.#key(name), upload)))
  }

  async discard(_token: string, receipts: readonly S3Receipt[]): Promise<void> { await this.abort(receipts) }

  #key(name: string): string { return `${this.#prefix}${name}` }

  async #complete({ name, bytes, upload, etags, etag }: S3Receipt, signal?: AbortSignal): Promise<void> {
    const key = this.#key(name)
    const parts = etags.map((each, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${escaped(each)}</ETag></Part>`)
    const body = Buffer.from(`<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`)
    try {
      await again(this.#client.deps, async () => {
        const reply = await this.#client.send({ method: 'POST', key, query: { uploadId: upload }, body, signal })
        if (reply.status !== 200) throw await this.#client.refused(reply, key)
        const text = await textOf(reply)
        // The service sends the head before it is done, and a failure in the body.
        const code = /<Error[\s>]/.test(text) ? firstText(text, 'Code') : undefined
        if (code !== undefined)
          throw new GristmillError('UNAVAILABLE', `${this.#client.shown(key)}: the service could not complete the object (${code})`)
      }, signal)
    } catch (error) {
      if (!hasCode(error, 'ESTALE') || !await this.#isThere(key, bytes, etag, signal)) throw error
    }
  }

  /** An upload that is gone was completed, if its object is there; else another writer has dropped it. */
  async #isThere(key: string, bytes: number, etag: string, signal?: AbortSignal): Promise<boolean> {
    const reply = await this.#repeated({ method: 'HEAD', key, signal }, [200, 404])
    await reply.discard()
    return reply.status === 200 && reply.headers['etag'] === etag && Number(reply.headers['content-length']) === bytes
  }

  async #drop(key: string, upload: string, signal?: AbortSignal): Promise<void> {
    await (await this.#repeated({ method: 'DELETE', key, query: { uploadId: upload }, signal }, [200, 204, 404])).discard()
  }

  /** Sends a request that may be repeated until its reply has one of these statuses. */
  #repeated(request: S3Request, statuses: readonly number[]): Promise<HttpReply> {
    return again(this.#client.deps, async () => {
      const reply = await this.#client.send(request)
      if (!statuses.includes(reply.status)) throw await this.#client.refused(reply, request.key)
      return reply
    }, request.signal)
  }
}

/** Joins pieces to parts of this size; the last one may be smaller. */
async function* partsOf(items: AsyncIterable<Uint8Array>, partBytes: number): AsyncGenerator<Buffer> {
  let pieces: Uint8Array[] = []
  let bytes = 0
  for await (const item of items) {
    for (let rest = item; rest.length > 0;) {
      // Copied: the reader may use its buffer again.
      const piece = Buffer.from(rest.subarray(0, partBytes - bytes))
      pieces.push(piece)
      bytes += piece.length
      rest = rest.subarray(piece.length)
      if (bytes < partBytes) continue
      yield Buffer.concat(pieces)
      pieces = []
      bytes = 0
    }
  }
  if (bytes > 0) yield Buffer.concat(pieces)
}
