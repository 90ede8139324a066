// Signed requests to an S3 service. Errors carry the code of the service in `details.s3`; none has a key or a signature in it.

import { SignatureV4 } from '@smithy/signature-v4'
import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto'
import { GristmillError } from '../../base/errors.ts'
import type { HttpReply, HttpRequest } from '../../ports/httpfetch.ts'
import { ask, refusal, type AskDeps } from '../ask.ts'
import type { S3Access } from './access.ts'
import { firstText } from './xml.ts'

/** Hash and HMAC in the form that the library takes. */
class Sha256 {
  readonly #key: string | Uint8Array | undefined
  #hash: Hash | Hmac
  constructor(key?: unknown) {
    this.#key = key as string | Uint8Array | undefined
    this.#hash = this.#begin()
  }
  update(bytes: string | Uint8Array): void { this.#hash.update(bytes) }
  async digest(): Promise<Uint8Array> { return this.#hash.digest() }
  reset(): void { this.#hash = this.#begin() }
  #begin(): Hash | Hmac { return this.#key === undefined ? createHash('sha256') : createHmac('sha256', this.#key) }
}

export interface S3Request {
  readonly method: HttpRequest['method']
  /** Empty: the bucket itself. */
  readonly key: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  readonly signal?: AbortSignal | undefined
}

export class S3Client {
  readonly bucket: string
  readonly deps: AskDeps
  readonly #access: S3Access
  readonly #signer: SignatureV4
  readonly #base: URL
  /** Path before the key: of the bucket, unless its name is part of the host. */
  readonly #root: string

  constructor(deps: AskDeps, access: S3Access, bucket: string) {
    this.deps = deps
    this.bucket = bucket
    this.#access = access
    const { accessKeyId, secretAccessKey, sessionToken, region, endpoint } = access
    this.#signer = new SignatureV4({
      credentials: { accessKeyId, secretAccessKey, ...sessionToken && { sessionToken } }, region, service: 's3', sha256: Sha256 as never,
      uriEscapePath: false, applyChecksum: false,
    })
    // The certificate of Amazon covers one label before its domain.
    const isHosted = endpoint === undefined && !bucket.includes('.')
    this.#base = new URL(endpoint ?? `https://${isHosted ? `${bucket}.` : ''}s3.${region}.amazonaws.com`)
    this.#root = isHosted ? '' : `${this.#base.pathname.replace(/\/$/, '')}/${bucket}`
  }

  /** `s3://BUCKET/KEY` */
  shown(key: string): string { return `s3://${this.bucket}/${key}` }

  /** Sends the request once. The caller looks at the status. */
  async send({ method, key, query = {}, headers = {}, body, signal }: S3Request): Promise<HttpReply> {
    const path = `${this.#root}/${encoded(key)}`
    const signed = await this.#signer.sign({
      method, protocol: this.#base.protocol, hostname: this.#base.hostname, path, query: { ...query },
      headers: { host: this.#base.host, 'x-amz-content-sha256': createHash('sha256').update(body ?? '').digest('hex'), ...headers },
    } as never, { signingDate: new Date(this.deps.clock.now()) }) as unknown as { headers: Record<string, string> }
    const { host: _host, ...sent } = signed.headers
    const search = Object.entries(query).map(([name, value]) => `${encoded(name)}=${encodedPart(value)}`).join('&')
    return ask(this.deps, { method, url: `${this.#base.origin}${path}${search && `?${search}`}`, headers: sent, body, signal })
  }

  /** Throws what the status of a reply stands for, with the words of the service. */
  async refused(reply: HttpReply, key: string): Promise<GristmillError> {
    let code: string | undefined
    const error = await refusal(reply, this.shown(key), text => {
      code = firstText(text, 'Code')
      const message = firstText(text, 'Message')
      return code === undefined ? undefined : `${code}${message === undefined ? '' : `, ${this.#bare(message)}`}`
    })
    const { region } = this.#access
    const there = reply.headers['x-amz-bucket-region']
    const isElsewhere = there !== undefined && there !== region
    const hint = isElsewhere ? `. The bucket is in the region ${there}: name it with --region or AWS_REGION` : ''
    const status = code === undefined ? error.code : codes[code] ?? error.code
    return new GristmillError(status, `${error.message}${hint}`, { details: { ...error.details, ...code !== undefined && { s3: code } } })
  }

  /** A service may repeat the request that it has refused. */
  #bare(message: string): string {
    const { secretAccessKey, accessKeyId, sessionToken } = this.#access
    const secrets = [secretAccessKey, accessKeyId, sessionToken]
    return secrets.reduce<string>((text, secret) => (secret ? text.replaceAll(secret, '…') : text), message)
  }
}

/** Codes of S3 whose status says too little. */
const codes: Readonly<Record<string, GristmillError['code']>> = {
  NoSuchBucket: 'ENOENT', NoSuchKey: 'ENOENT', NoSuchUpload: 'ESTALE', SlowDown: 'OVERLOADED', InternalError: 'UNAVAILABLE',
  InvalidAccessKeyId: 'UNAUTHENTICATED', SignatureDoesNotMatch: 'UNAUTHENTICATED', ExpiredToken: 'UNAUTHENTICATED',
  RequestTimeout: 'TIMEOUT', RequestTimeTooSkewed: 'UNAUTHENTICATED', PreconditionFailed: 'ESTALE', BadDigest: 'UNAVAILABLE',
  XAmzContentSHA256Mismatch: 'UNAVAILABLE',
}

const encodedPart = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)

/** As AWS encodes a path: each part, and no slash. */
const encoded = (path: string): string => path.split('/').map(encodedPart).join('/')
