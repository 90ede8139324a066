// One HTTP request and its response, given to a server in memory. Fastify's own `inject` makes streams, a socket and header text for each
// call, which took a tenth of a simulation's time; a control message is one string both ways.
//
// REQUIRES: the route reads a body by fastify's parser and sends a string or a buffer. Streamed bodies need a real server.

import { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'

export interface Injected {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** The caller has hung up already: its connection ends before the body arrives. */
  readonly gone: boolean
}

export interface Answer { readonly status: number; readonly body: Buffer }

/** Rejects if the response is destroyed before its end. `hangUp` destroys it, as the end of its connection does. */
export function inject(http: FastifyInstance, injected: Injected): { answer: Promise<Answer>; hangUp: () => void } {
  const request = new Request(injected)
  const response = new Response()
  const answer = new Promise<Answer>((resolve, reject) => {
    // In a later tick, as from a socket: what the handler has begun goes first.
    response.once('finish', () => process.nextTick(() => resolve({ status: response.statusCode, body: response.body })))
    response.once('close', () => reject(new Error('the response was destroyed before its end')))
  })
  http.routing(request as unknown as IncomingMessage, response as unknown as ServerResponse)
  return { answer, hangUp: () => response.destroy() }
}

class Request extends EventEmitter {
  readonly method: string
  readonly url: string
  readonly headers: Record<string, string> = {}
  readonly httpVersion = '1.1'
  readonly httpVersionMajor = 1
  readonly httpVersionMinor = 1
  readonly aborted = false
  readonly socket = { remoteAddress: '127.0.0.1', destroy() {} }
  complete = false
  readonly #body: Buffer
  readonly #gone: boolean

  constructor({ method, path, headers, body, gone }: Injected) {
    super()
    this.#gone = gone
    this.method = method
    this.url = path
    for (const name in headers) this.headers[name.toLowerCase()] = headers[name]!
    this.#body = Buffer.from(body)
    if (this.#body.length > 0) this.headers['content-length'] = String(this.#body.length)
  }

  /** In a later tick the whole body arrives, or the end of the connection. */
  resume(): this {
    process.nextTick(() => {
      if (this.complete) return
      if (this.#gone) return this.emit('error', Object.assign(new Error('the caller has hung up'), { name: 'AbortError' }))
      this.complete = true
      if (this.#body.length > 0) this.emit('data', this.#body)
      this.emit('end')
    })
    return this
  }
}

class Response extends EventEmitter {
  readonly #headers = new Map<string, unknown>()
  readonly #parts: Buffer[] = []
  statusCode = 200
  headersSent = false
  writableEnded = false
  writableFinished = false
  destroyed = false

  get body(): Buffer { return this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts) }

  setHeader(name: string, value: unknown): this {
    this.#headers.set(name.toLowerCase(), value)
    return this
  }
  getHeader(name: string): unknown { return this.#headers.get(name.toLowerCase()) }
  getHeaders(): Record<string, unknown> { return Object.fromEntries(this.#headers) }
  hasHeader(name: string): boolean { return this.#headers.has(name.toLowerCase()) }
  removeHeader(name: string): void { this.#headers.delete(name.toLowerCase()) }

  /** Headers of a response are not passed on: callers inside of a cluster read its status and its body. */
  writeHead(status: number): this {
    if (this.headersSent) throw Object.assign(new Error('the head of a response was sent twice'), { code: 'ERR_HTTP_HEADERS_SENT' })
    this.statusCode = status
    this.headersSent = true
    return this
  }

  write(bytes: string | Uint8Array): boolean {
    this.#parts.push(Buffer.from(bytes as string))
    return true
  }

  end(bytes?: string | Uint8Array | null): this {
    if (this.writableEnded) return this
    if (bytes) this.write(bytes)
    this.headersSent = true
    this.writableEnded = true
    this.writableFinished = true
    this.emit('finish')
    this.destroy()
    return this
  }

  destroy(error?: Error): this {
    if (this.destroyed) return this
    this.destroyed = true
    process.nextTick(() => {
      if (error && this.listenerCount('error') > 0) this.emit('error', error)
      this.emit('close')
    })
    return this
  }
}
