// HTTP server of a key-value store: single keys, batches, state. Every request is answered from one version. Docs: docs/guide/serving.md.
// INVARIANT: a key is looked up in the turn that takes the store, so that a switch falls between lookups. A batch gives way to other work
// after some keys, and begins again if the store is another one then.

import Fastify, { type FastifyInstance } from 'fastify'
import { hash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { cutAt } from '../../src/base/cut.ts'
import { asError } from '../../src/base/errors.ts'
import { foreignHost } from '../../src/base/loopback.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import type { Listening, Net } from '../../src/ports/net.ts'
import { keyBytesMax } from '../../src/program/keyvalue.ts'
import { boundPipelining } from '../../src/rpc/pipelining.ts'
import type { KeyValueStore, StoreVersion } from './store.ts'
import type { FollowerState } from './follower.ts'
import type { StoredValue } from './table.ts'

interface ServerDeps {
  readonly net: Net
  readonly clock: Pick<Clock, 'yield'>
  readonly log: Log
  readonly follower: { readonly store: KeyValueStore; readonly state: FollowerState }
}

interface ServerOptions {
  readonly host: string
  readonly port: number
  /** Bearer token that each request must have; default: none. */
  readonly token?: string | undefined
}

/** Time in which the head of a request must arrive, from the beginning of its connection or from its first byte on. */
const headersMs = 10_000
const batchKeysMax = 1000
/** Keys of a batch that are looked up in one turn. */
const turnKeysMax = 32
/** Batch of the longest keys, each character escaped. */
const bodyBytesMax = batchKeysMax * (keyBytesMax * 6 + 4) + 100
/** Values of an answer: more are asked for in several batches. */
const batchBytesMax = 64 * 1024 * 1024

type Headers = Record<string, string | number>

export class KeyValueServer {
  readonly #deps: ServerDeps
  readonly #token: Buffer | undefined
  /** Connections that have carried a request that was allowed: others are closed first when the process has too many. */
  readonly #known = new WeakSet<object>()
  #listening!: Listening

  private constructor(deps: ServerDeps, token: string | undefined) {
    this.#deps = deps
    this.#token = token === undefined ? undefined : Buffer.from(hash('sha256', `Bearer ${token}`))
  }

  /** Throws EADDRINUSE, EACCES. */
  static async start(deps: ServerDeps, { host, port, token }: ServerOptions): Promise<KeyValueServer> {
    const server = new KeyValueServer(deps, token)
    const http = Fastify({
      logger: false, keepAliveTimeout: 60_000, requestTimeout: 30_000, rewriteUrl: () => '/',
      http: { headersTimeout: headersMs, connectionsCheckingInterval: 5_000 },
    }) as FastifyInstance
    boundPipelining(http.server, { has: () => false })
    http.removeAllContentTypeParsers()
    http.addContentTypeParser('*', (_request, _body, done) => { done(null) })
    http.all('/', (request, reply) => {
      void reply.hijack()
      server.#take(request.originalUrl, request.raw, reply.raw)
    })
    server.#listening = await deps.net.listen({ http, known: server.#known }, { host, port })
    return server
  }

  get address(): string { return this.#listening.address }

  stop(): Promise<void> { return this.#listening.close() }

  #take(target: string, request: IncomingMessage, response: ServerResponse): void {
    try {
      this.#answer(target, request, response)
    } catch (thrown) {
      this.#fail(response, thrown)
    }
  }

  #fail(response: ServerResponse, thrown: unknown): void {
    const { code, message, status } = asError(thrown)
    this.#deps.log.error('a request failed', { error: thrown })
    send(response, status, {}, { error: { code, message } })
  }

  #answer(target: string, request: IncomingMessage, response: ServerResponse): void {
    const [path, query] = cutAt(target, '?')
    const { method = 'GET' } = request
    if (path === '/healthz') return send(response, 200, {}, { status: 'ok' })
    const foreign = this.#token === undefined ? foreignHost(request.headers.host) : undefined
    if (foreign !== undefined)
      return refuse(response, 403, 'EACCES',
        `the request names the host ${foreign.slice(0, 100)}, and without a token this server is reached as 127.0.0.1 or localhost only; start it with --token-file`)
    if (!this.#isAllowed(request)) return refuse(response, 401, 'UNAUTHENTICATED', 'this server asks for a token: Authorization: Bearer TOKEN')
    this.#known.add(request.socket)
    if (path === '/v1/batch') return this.#anyBatch(query, request, response)
    if (query !== undefined && query !== '') return refuse(response, 400, 'EINVAL', 'requests have no query; encode ? in a key as %3F')
    if (path.startsWith('/v1/keys/')) {
      if (method !== 'GET' && method !== 'HEAD')
        return refuse(response, 405, 'EINVAL', 'a key is read with GET or HEAD', { allow: 'GET, HEAD' })
      return this.#point(path.slice('/v1/keys/'.length), request, response)
    }
    if (path === '/v1/status') return send(response, 200, {}, this.#deps.follower.state)
    refuse(response, 404, 'ENOENT', 'there are /v1/keys/KEY, /v1/batch, /v1/status and /healthz')
  }

  #isAllowed({ headers: { authorization = '' } }: IncomingMessage): boolean {
    return this.#token === undefined || timingSafeEqual(Buffer.from(hash('sha256', authorization)), this.#token)
  }

  #point(encoded: string, { method, headers }: IncomingMessage, response: ServerResponse): void {
    let key: Buffer
    try {
      key = Buffer.from(decodeURIComponent(encoded))
    } catch {
      return refuse(response, 400, 'EINVAL', 'the key is not well encoded: its UTF-8 bytes, with % and two hexadecimal digits for each special one')
    }
    if (key.length > keyBytesMax) return refuse(response, 400, 'EINVAL', `a key has at most ${keyBytesMax} bytes`)
    const { store } = this.#deps.follower
    const found = store.get(key)
    const version = versionHeader(store.version)
    if (!found) return refuse(response, 404, 'ENOENT', 'the store does not have this key', version)
    const etag = etagOf(found)
    if (matches(headers['if-none-match'], etag)) {
      response.writeHead(304, { etag, ...version })
      return void response.end()
    }
    const type = found.isJson ? 'application/json' : 'application/octet-stream'
    response.writeHead(200, { 'content-type': type, 'content-length': found.bytes.length, etag, ...version })
    response.end(method === 'HEAD' ? undefined : found.bytes)
  }

  /** GET /v1/batch?key=…&key=…, which caches and conditions are for; POST for keys that are longer than a target may be. */
  #anyBatch(query: string | undefined, request: IncomingMessage, response: ServerResponse): void {
    const { method } = request
    if (method !== 'GET' && method !== 'HEAD' && method !== 'POST')
      return refuse(response, 405, 'EINVAL', 'a batch is read with GET, HEAD or POST', { allow: 'GET, HEAD, POST' })
    if (method === 'POST' && query) return refuse(response, 400, 'EINVAL', 'the keys of a POST are in its body: {"keys": ["…", …]}')
    if (method === 'POST') return this.#batch(request, response)
    this.#values(keysIn(query ?? ''), request, response).catch((thrown: unknown) => this.#fail(response, thrown))
  }

  #batch(request: IncomingMessage, response: ServerResponse): void {
    const pieces: Buffer[] = []
    let bytes = 0
    request.on('data', (piece: Buffer) => {
      bytes += piece.length
      if (bytes <= bodyBytesMax) pieces.push(piece)
    })
    request.on('end', () => {
      if (bytes > bodyBytesMax) return refuse(response, 413, 'TOO_LARGE', `a batch has at most ${batchKeysMax} keys`)
      this.#values(keysOf(Buffer.concat(pieces)), request, response).catch((thrown: unknown) => this.#fail(response, thrown))
    })
    request.on('error', () => response.destroy())
  }

  async #values(keys: readonly string[] | undefined, { method, headers }: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!keys)
      return refuse(response, 400, 'EINVAL',
        `a batch is {"keys": ["…", …]}, or ?key=…&key=…: at most ${batchKeysMax} texts of at most ${keyBytesMax} bytes`)
    const found = await this.#partsOf(keys)
    if (!found) return refuse(response, 413, 'TOO_LARGE', `the values have more than ${batchBytesMax} bytes; ask for fewer keys`)
    const { parts, of } = found
    const entries = parts.join(',')
    // Weak: the same entries of another version are in a text with another number.
    const etag = `W/"m${hash('sha1', entries)}"`
    if (method !== 'POST' && matches(headers['if-none-match'], etag)) {
      response.writeHead(304, { etag, ...versionHeader(of) })
      return void response.end()
    }
    const text = Buffer.from(`{${of.version === undefined ? '' : `"version":${of.version},`}"entries":[${entries}]}\n`)
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': text.length, etag, ...versionHeader(of) })
    response.end(method === 'HEAD' ? undefined : text)
  }

  /** The entries of one version. undefined: they are too large. */
  async #partsOf(keys: readonly string[]): Promise<{ readonly parts: readonly string[]; readonly of: StoreVersion } | undefined> {
    const { follower, clock } = this.#deps
    for (;;) {
      const { store } = follower
      const parts: string[] = []
      let bytes = 0
      for (const key of keys) {
        if (parts.length > 0 && parts.length % turnKeysMax === 0) {
          await clock.yield()
          if (follower.store !== store) break
        }
        const part = partOf(key, store.get(Buffer.from(key)))
        bytes += part.length
        if (bytes > batchBytesMax) return undefined
        parts.push(part)
      }
      if (parts.length === keys.length) return { parts, of: store.version }
    }
  }
}

function partOf(key: string, found: StoredValue | undefined): string {
  const value = found === undefined ? undefined
    : found.isJson ? `"value":${found.bytes.toString()}` : `"base64":${JSON.stringify(found.bytes.toString('base64'))}`
  return `{"key":${JSON.stringify(key)}${value === undefined ? '' : `,${value}`}}`
}

const versionHeader = ({ version }: StoreVersion): Headers => (version === undefined ? {} : { 'x-gristmill-version': version })

/** A value that did not change keeps its ETag in the next version. */
const etagOf = ({ isJson, bytes }: StoredValue): string => `"${isJson ? 'j' : 'b'}${hash('sha1', bytes)}"`

const bare = (etag: string): string => etag.trim().replace(/^W\//, '')

const matches = (asked: string | undefined, etag: string): boolean =>
  asked !== undefined && (asked.trim() === '*' || asked.split(',').some(each => bare(each) === bare(etag)))

function keysOf(body: Buffer): readonly string[] | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(body.toString())
  } catch {
    return undefined
  }
  return checkedKeys(((parsed ?? {}) as { keys?: unknown }).keys)
}

/** Keys of a query, encoded as forms are: a blank as `+` or `%20`. */
function keysIn(query: string): readonly string[] | undefined {
  const pairs = query.split('&').map(pair => /^key=(.*)$/s.exec(pair)?.[1])
  try {
    return checkedKeys(pairs.map(text => (text === undefined ? text : decodeURIComponent(text.replaceAll('+', ' ')))))
  } catch {
    return undefined
  }
}

function checkedKeys(keys: unknown): readonly string[] | undefined {
  const isKey = (key: unknown): boolean => typeof key === 'string' && key.isWellFormed() && Buffer.byteLength(key) <= keyBytesMax
  return Array.isArray(keys) && keys.length <= batchKeysMax && keys.every(isKey) ? keys as string[] : undefined
}

const refuse = (response: ServerResponse, status: number, code: string, message: string, headers: Headers = {}): void =>
  send(response, status, headers, { error: { code, message } })

function send(response: ServerResponse, status: number, headers: Headers, body: object): void {
  const text = Buffer.from(`${JSON.stringify(body)}\n`)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': text.length, ...headers })
  response.end(text)
}
