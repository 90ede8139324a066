// Body of a request, checked while it streams: its length, its hash or the signatures of its chunks, Content-MD5, and the checksum that the
// client names in a header or behind the body. A body that fails a check ends with an error, so that nothing of it is stored.

import { createHash, type Hash } from 'node:crypto'
import type { BodyOptions, Exchange } from '../exchange.ts'
import { checkForm, checksumHeader, checksumKinds, kindOf, newChecksum, type ChecksumKind, type RunningChecksum } from './checksum.ts'
import { unchunked } from './chunked.ts'
import { S3Error } from './errors.ts'
import { unsignedPayload, type Verified } from './signature.ts'

/** AWS stores at most so much in one request: 5 GiB. */
export const putBytesMax = 5 * 2 ** 30

const streaming: Readonly<Record<string, { readonly signed: boolean; readonly trailer: boolean }>> = {
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD': { signed: true, trailer: false },
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER': { signed: true, trailer: true },
  'STREAMING-UNSIGNED-PAYLOAD-TRAILER': { signed: false, trailer: true },
}

interface Promised { readonly kind: ChecksumKind; readonly value: string | undefined }

export type Headers = Readonly<Exchange['headers']>

interface PayloadDeps {
  readonly exchange: Exchange
  readonly verified: Verified
  /** Headers of the request, with those that a presigned URL has in its query. */
  readonly headers: Headers
}

export interface PayloadOptions {
  /** Checksum to compute if the client names none. */
  readonly kind?: ChecksumKind | undefined
  readonly bytesMax?: number | undefined
  /** True if checksums in headers are those of an object, and not of this body. */
  readonly ofObject?: boolean | undefined
}

export class Payload {
  /** Length that the client has announced. */
  readonly length: number
  readonly #exchange: Exchange
  readonly #verified: Verified
  readonly #md5 = createHash('md5')
  readonly #sha256: Hash | undefined
  readonly #checksum: RunningChecksum | undefined
  readonly #promised: Promised | undefined
  readonly #contentMd5: string | undefined
  readonly #trailers = new Map<string, string>()
  #received = 0
  #etag: string | undefined
  #sum: string | undefined

  /**
   * Reads the headers. Throws MissingContentLength, EntityTooLarge, InvalidDigest, InvalidRequest.
   */
  constructor({ exchange, verified, headers }: PayloadDeps, { kind, bytesMax = putBytesMax, ofObject = false }: PayloadOptions = {}) {
    this.#exchange = exchange
    this.#verified = verified
    this.length = lengthOf(headers, verified)
    if (this.length > bytesMax)
      throw new S3Error('EntityTooLarge', `Your proposed upload exceeds the maximum allowed size: ${this.length} bytes instead of ${bytesMax}`)
    const { payload } = verified
    if (streaming[payload] === undefined && payload !== unsignedPayload) {
      if (!/^[0-9a-f]{64}$/.test(payload))
        throw new S3Error('InvalidArgument', 'x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-UNSIGNED-PAYLOAD-TRAILER or a valid sha256 value.')
      this.#sha256 = createHash('sha256')
    }
    this.#contentMd5 = contentMd5Of(headers)
    this.#promised = promisedIn(ofObject ? withoutSums(headers) : headers)
    const computed = this.#promised?.kind ?? kind
    this.#checksum = computed && newChecksum(computed)
  }

  /** Kind of the checksum that is computed. */
  get kind(): ChecksumKind | undefined { return this.#promised?.kind }

  /** MD5 in hex. REQUIRES: the body was read to its end. */
  get md5(): string { return this.#etag! }

  /** Checksum in base64. REQUIRES: the body was read to its end, and a kind was named. */
  get checksum(): string | undefined { return this.#sum }

  /** True if the client has promised an MD5 or a checksum. */
  get hasDigest(): boolean { return this.#contentMd5 !== undefined || this.#promised !== undefined }

  /**
   * The bytes. `reuse`: each piece is valid only until the next one is asked for. Throws IncompleteBody, BadDigest,
   * XAmzContentSHA256Mismatch, SignatureDoesNotMatch. REQUIRES: called once.
   */
  async *bytes(options: BodyOptions = {}): AsyncGenerator<Buffer, void, undefined> {
    const { payload, chunks } = this.#verified
    const form = streaming[payload]
    const raw = this.#exchange.body(options)
    const pieces = form
      ? unchunked(raw, { signer: form.signed ? chunks : undefined, signedTrailer: form.signed && form.trailer, trailers: this.#trailers })
      : raw
    for await (const piece of pieces) {
      this.#received += piece.length
      if (this.#received > this.length) throw incomplete(this.length, `more than ${this.length}`)
      this.#md5.update(piece)
      this.#sha256?.update(piece)
      this.#checksum?.update(piece)
      yield piece
    }
    this.#check()
  }

  /** The whole body as text, of a request that is small by its nature. */
  async text(): Promise<string> {
    const pieces: Buffer[] = []
    for await (const piece of this.bytes()) pieces.push(piece)
    return Buffer.concat(pieces).toString()
  }

  #check(): void {
    if (this.#received < this.length) throw incomplete(this.length, String(this.#received))
    const md5 = this.#md5.digest()
    this.#etag = md5.toString('hex')
    if (this.#contentMd5 !== undefined && md5.toString('base64') !== this.#contentMd5)
      throw new S3Error('BadDigest', 'The Content-MD5 you specified did not match what we received.')
    if (this.#sha256 && this.#sha256.digest('hex') !== this.#verified.payload)
      throw new S3Error('XAmzContentSHA256Mismatch', 'The provided \'x-amz-content-sha256\' header does not match what was computed.')
    this.#sum = this.#checksum?.digest()
    if (!this.#promised) return
    const { kind, value = this.#trailers.get(checksumHeader(kind)) } = this.#promised
    if (value === undefined)
      throw new S3Error('InvalidRequest', `The request announces ${checksumHeader(kind)} behind its body, and does not send it.`)
    if (checkForm(kind, value) !== this.#sum)
      throw new S3Error('BadDigest', `The ${kind} you specified did not match the calculated checksum.`)
  }
}

const incomplete = (announced: number, received: string): S3Error =>
  new S3Error('IncompleteBody', `You did not provide the number of bytes specified by the Content-Length HTTP header: ${received} instead of ${announced}`)

function lengthOf(headers: Headers, { payload }: Verified): number {
  const name = streaming[payload] ? 'x-amz-decoded-content-length' : 'content-length'
  const text = headers[name]
  if (typeof text !== 'string' || text === '') throw new S3Error('MissingContentLength', `You must provide the ${name} HTTP header.`)
  const length = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(length)) throw new S3Error('InvalidArgument', `The ${name} HTTP header is no length.`)
  return length
}

function contentMd5Of(headers: Headers): string | undefined {
  const text = headers['content-md5']
  if (text === undefined) return undefined
  const bytes = Buffer.from(String(text), 'base64')
  if (bytes.length !== 16 || bytes.toString('base64') !== text) throw new S3Error('InvalidDigest', 'The Content-MD5 you specified is not valid.')
  return text
}

/** Headers of checksums, and those about them. */
const checksumHeaders: ReadonlySet<string> = new Set([
  ...checksumKinds.map(checksumHeader), 'x-amz-checksum-algorithm', 'x-amz-checksum-type', 'x-amz-checksum-mode',
])

const withoutSums = (headers: Headers): Headers =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !checksumKinds.some(kind => checksumHeader(kind) === name)))

/** Checksum that the client promises in a header, or names as a trailing one. */
function promisedIn(headers: Headers): Promised | undefined {
  const given = checksumKinds.filter(kind => headers[checksumHeader(kind)] !== undefined)
  // One that is ignored would count as checked.
  const unknown = Object.keys(headers).find(name => name.startsWith('x-amz-checksum-') && !checksumHeaders.has(name))
  if (unknown !== undefined) throw new S3Error('InvalidRequest', `The checksum that you provided is not supported: ${unknown}`)
  const trailing = String(headers['x-amz-trailer'] ?? '').split(',').map(name => name.trim().toLowerCase()).filter(Boolean)
  const behind = trailing.map(name => kindOf(name.replace(/^x-amz-checksum-/, '')) ?? unknownTrailer(name))
  if (given.length + behind.length > 1)
    throw new S3Error('InvalidRequest', 'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.')
  const [kind] = [...given, ...behind]
  if (kind === undefined) return undefined
  const header = headers[checksumHeader(kind)]
  return { kind, value: header === undefined ? undefined : checkForm(kind, String(header)) }
}

function unknownTrailer(name: string): never {
  throw new S3Error('InvalidRequest', `The value specified in the x-amz-trailer header is not supported: ${name}`)
}
