// Signed requests to an S3 gateway, with the signer of AWS's own SDK. Paths are sent as they are: `//` and `..` are parts of a key.

import { SignatureV4 } from '@smithy/signature-v4'
import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto'
import type { Readable } from 'node:stream'
import { Client } from 'undici'

export const sha256 = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

export class NodeSha256 {
  #hash: Hash | Hmac
  readonly #key: unknown
  constructor(key?: unknown) { this.#key = key; this.#hash = this.#begin() }
  update(bytes: string | Uint8Array): void { this.#hash.update(bytes) }
  async digest(): Promise<Uint8Array> { return this.#hash.digest() }
  reset(): void { this.#hash = this.#begin() }
  #begin(): Hash | Hmac { return this.#key === undefined ? createHash('sha256') : createHmac('sha256', this.#key as Uint8Array) }
}

export interface TestKey { readonly id: string; readonly secret: string }

export const signerOf = ({ id, secret }: TestKey): SignatureV4 => new SignatureV4({
  credentials: { accessKeyId: id, secretAccessKey: secret }, region: 'us-east-1', service: 's3', sha256: NodeSha256, uriEscapePath: false,
  applyChecksum: false,
})

/** As AWS encodes the parts of a path. */
export const encoded = (path: string): string => path.split('/').map(part =>
  encodeURIComponent(part).replaceAll(/[!'()*]/g, char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)).join('/')

export interface S3Request {
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array | Readable
  /** Value of `x-amz-content-sha256`; default: the hash of the body. */
  readonly payload?: string
  /** Time of the signature; default: now. */
  readonly date?: Date
}

export interface S3Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly bytes: Buffer
  readonly text: string
  /** Code of an error. */
  readonly code: string | undefined
}

export const queryText = (query: Readonly<Record<string, string>>): string =>
  Object.entries(query).map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&')

export class S3TestClient {
  readonly #client: Client
  readonly #host: string
  readonly #signer: SignatureV4

  constructor(address: string, key: TestKey) {
    this.#host = address
    this.#client = new Client(`http://${address}`)
    this.#signer = signerOf(key)
  }

  /** `path`: bucket and key, not encoded. */
  async ask(method: string, path: string, request: S3Request = {}): Promise<S3Reply> {
    return (await this.prepared(method, path, request))()
  }

  /** Signs a request; what it returns sends it. */
  async prepared(
    method: string, path: string, { query = {}, headers = {}, body, payload, date }: S3Request = {},
  ): Promise<() => Promise<S3Reply>> {
    const hash = payload ?? sha256(typeof body === 'string' || body instanceof Uint8Array ? body : '')
    const request = {
      method, protocol: 'http:', hostname: this.#host, path: encoded(path), query: { ...query },
      headers: { host: this.#host, 'x-amz-content-sha256': hash, ...headers },
    }
    const signed = await this.#signer.sign(request as never, { signingDate: date ?? new Date() }) as unknown as { headers: Record<string,
      string> }
    const target = `${encoded(path)}${Object.keys(query).length > 0 ? `?${queryText(query)}` : ''}`
    return () => this.send(method, target, signed.headers, body)
  }

  /** A request as it is. */
  async send(method: string, path: string, headers: Readonly<Record<string, string>>, body?: S3Request['body']): Promise<S3Reply> {
    const reply = await this.#client.request({ method: method as 'GET', path, headers: { ...headers }, body: body ?? null })
    const bytes = Buffer.from(await reply.body.arrayBuffer())
    const text = bytes.toString()
    return { status: reply.statusCode, headers: reply.headers, bytes, text, code: /<Code>(\w+)<\/Code>/.exec(text)?.[1] }
  }

  async presigned(method: string, path: string, expiresIn: number, date = new Date()): Promise<string> {
    const request = {
      method, protocol: 'http:', hostname: this.#host, path: encoded(path), query: {},
      headers: { host: this.#host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' },
    }
    const { query } = await this.#signer.presign(request as never, {
      expiresIn, signingDate: date, unhoistableHeaders: new Set(['x-amz-content-sha256']),
        unsignableHeaders: new Set(['x-amz-content-sha256']),
    })
    return `${encoded(path)}?${queryText(query as Record<string, string>)}`
  }

  close(): Promise<void> { return this.#client.close() }
}
