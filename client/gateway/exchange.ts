// One HTTP request and its answer, as a dialect sees them. Bodies stream in both directions with back-pressure, and a peer that neither
// sends nor reads for `stallMs` is given up; one whose user is not known yet has `strangerMs` for all that the dialect reads.
// INVARIANT: `signal` aborts when the client disconnects before the answer is complete: no work continues for a client that is gone.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { GristmillError } from '../../src/base/errors.ts'
import type { Clock } from '../../src/ports/clock.ts'
import { IncomingBody, release } from './incoming.ts'

export type HeaderFields = Readonly<Record<string, string | number>>

export interface BodyOptions { readonly reuse?: boolean | undefined }

/** Chunks of a body: bytes, or text in UTF-8. */
export type BodyChunks = AsyncIterable<Uint8Array | string>

interface ExchangeDeps {
  readonly clock: Clock
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Called once it is known whose request it is. Throws OVERLOADED. */
  readonly identified: (exchange: Exchange, isKnown: boolean) => void
}
interface ExchangeOptions {
  /** The request's target as it was received: path and query, percent-encoded. */
  readonly target: string
  readonly stallMs: number
  readonly strangerMs: number
}

export class Exchange {
  readonly method: string
  readonly target: string
  readonly headers: IncomingMessage['headers']
  /** Address of the peer of this connection, which may be a proxy. */
  readonly peer: string
  readonly signal: AbortSignal
  /** Name of the operation, once the dialect knows it: one of a few words. */
  operation: string | undefined
  /** Bytes of the request's body that the dialect has read. */
  receivedBytes = 0
  /** Bytes of the answer's body. */
  sentBytes = 0
  readonly #identified: ExchangeDeps['identified']
  #user: string | undefined
  /** The dialect has said whose request it is. */
  #isIdentified = false
  /** The dialect waits for bytes of the body. */
  #awaitsBody = false
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #clock: Clock
  readonly #stallMs: number
  readonly #strangerMs: number
  readonly #ending = new AbortController()
  /** The client waits for "100 Continue" before it sends the body. */
  #expects: boolean

  constructor({ clock, request, response, identified }: ExchangeDeps, { target, stallMs, strangerMs }: ExchangeOptions) {
    this.method = request.method ?? 'GET'
    this.target = target
    this.headers = request.headers
    this.peer = request.socket.remoteAddress ?? ''
    this.signal = this.#ending.signal
    this.#request = request
    this.#response = response
    this.#clock = clock
    this.#stallMs = stallMs
    this.#strangerMs = strangerMs
    this.#identified = identified
    this.#expects = /100-continue/i.test(request.headers.expect ?? '')
    // A failed socket ends the exchange through `close`; without a listener the error would end the process.
    request.on('error', () => {})
    response.on('error', () => {})
    response.once('close', () => {
      if (!response.writableFinished) this.abort(new GristmillError('ABORTED', 'the client disconnected before its request was answered'))
    })
  }

  /** True once the head of the answer was sent: no other answer can be given. */
  get begun(): boolean { return this.#response.headersSent }

  /** 499 if the client has gone before the head of its answer was sent, as in the logs of nginx. */
  get status(): number { return this.begun ? this.#response.statusCode : 499 }

  /** User of the request, as the access log has it. */
  get user(): string | undefined { return this.#user }

  get awaitsClient(): boolean { return this.#awaitsBody }

  /**
   * Called by the dialect as soon as it knows whose request this is, and before it works for it. `user`: undefined for an anonymous
   * request; `isKnown`: the user has proved to be that one, or the gateway believes the name. Throws OVERLOADED, or what has ended the
   * request.
   */
  identify(user: string | undefined, isKnown = user !== undefined): void {
    this.#user = user
    this.signal.throwIfAborted()
    this.#isIdentified = true
    this.#identified(this, isKnown)
  }

  /** Ends the work for the request, a body that is being read too. The first reason counts. */
  abort(why: GristmillError): void { this.#ending.abort(why) }

  /**
   * The body of the request, piece by piece. Throws ABORTED if the client disconnects, and TIMEOUT if it sends nothing for `stallMs`, or
   * not all that is read before `identify` within `strangerMs`. `reuse`: each piece is valid only until the next one is asked for.
   * REQUIRES: read at most once.
   */
  async *body({ reuse = false }: BodyOptions = {}): AsyncGenerator<Buffer, void, undefined> {
    if (this.#expects) this.#response.writeContinue()
    this.#expects = false
    const incoming = new IncomingBody(this.#request)
    const cancel = this.#isIdentified ? () => {} : this.#clock.after(this.#strangerMs, () => { if (!this.#isIdentified) this.#giveUp() })
    try {
      for (;;) {
        const piece = incoming.take()
        if (piece) {
          this.signal.throwIfAborted()
          this.receivedBytes += piece.length
          yield piece
          if (reuse) release(piece)
          continue
        }
        this.#awaitsBody = true
        const isMore = await this.#unlessStalled(incoming.more(), 'sent no byte of its body')
        this.#awaitsBody = false
        if (!isMore) break
      }
    } catch (error) {
      if (error instanceof GristmillError) throw error
      throw new GristmillError('ABORTED', `the request ended inside of its body (${(error as Error).message})`, { cause: error })
    } finally {
      cancel()
      this.#awaitsBody = false
      // Lets `#discard` read the rest.
      incoming.close()
    }
    // A connection that breaks between two chunks ends the iterator without an error.
    if (!this.#request.complete) throw new GristmillError('ABORTED', 'the request ended inside of its body')
  }

  /** Sends a whole answer. */
  async send(status: number, headers: HeaderFields, body: string | Uint8Array = ''): Promise<void> {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    this.#head(status, { ...headers, 'content-length': bytes.length })
    this.sentBytes = this.#bodyless ? 0 : bytes.length
    this.#response.end(bytes)
  }

  /**
   * Sends an answer whose body is made while it is sent. The first chunk is made before the head: an error until then is thrown, and the
   * caller can still send another answer. A later error breaks the connection, so that the client sees an incomplete answer.
   */
  async stream(status: number, headers: HeaderFields, chunks: BodyChunks): Promise<void> {
    const iterator = chunks[Symbol.asyncIterator]()
    try {
      let next = await iterator.next()
      this.#head(status, headers)
      while (!next.done && !this.#bodyless) {
        const bytes = typeof next.value === 'string' ? Buffer.from(next.value) : next.value
        this.signal.throwIfAborted()
        const room = this.#response.write(bytes)
        this.sentBytes += bytes.length
        if (!room) await this.#unlessStalled(this.#drained(), 'read nothing of the answer')
        next = await iterator.next()
      }
      this.#response.end()
    } catch (error) {
      if (this.begun) this.#response.destroy()
      throw error
    } finally {
      await iterator.return?.()
    }
  }

  /** Resolves when the connection has taken the whole answer, or is gone. */
  closed(): Promise<void> {
    return new Promise(resolve => {
      if (this.#response.closed) resolve()
      else this.#response.once('close', resolve)
    })
  }

  /** Breaks the connection. */
  destroy(): void { this.#response.destroy() }

  #giveUp(): void {
    this.abort(new GristmillError(
      'TIMEOUT', `the client has not sent within ${this.#strangerMs / 1000} s what tells its user; the request was given up`,
    ))
  }

  get #bodyless(): boolean { return this.method === 'HEAD' }

  #head(status: number, headers: HeaderFields): void {
    const unread = !this.#request.complete
    // A client that waits for "100 Continue" sends no body now, and what it sends next would be taken for one. Of a request that was ended
    // nothing more is read.
    const closes = unread && (this.#expects || this.signal.aborted)
    this.#response.writeHead(status, { ...headers, ...closes && { connection: 'close' } })
    if (unread && !closes) this.#response.once('finish', () => this.#discard())
  }

  /**
   * Reads the rest of the body and throws it away, until the client sends nothing for `stallMs`: on a connection that is closed while it
   * sends, many clients report a broken connection and never read the answer.
   */
  #discard(): void {
    const { socket } = this.#request
    this.#request.resume()
    let received = -1
    const look = (): void => {
      if (this.#request.complete || socket.destroyed) return
      if (socket.bytesRead === received) return void socket.destroy()
      received = socket.bytesRead
      this.#clock.after(this.#stallMs, look)
    }
    look()
  }

  #drained(): Promise<void> {
    return new Promise((resolve, reject) => {
      const drained = (): void => { this.#response.off('close', closed); resolve() }
      const closed = (): void => { this.#response.off('drain', drained); reject(this.signal.reason as Error) }
      this.#response.once('drain', drained)
      this.#response.once('close', closed)
    })
  }

  async #unlessStalled<T>(work: Promise<T>, what: string): Promise<T> {
    const ended = Promise.withResolvers<never>()
    const cancel = this.#clock.after(this.#stallMs, () => {
      ended.reject(new GristmillError('TIMEOUT', `the client ${what} for ${this.#stallMs / 1000} s; the request was given up`))
    })
    const aborted = (): void => ended.reject(this.signal.reason as Error)
    this.signal.addEventListener('abort', aborted)
    ended.promise.catch(() => {})
    try {
      this.signal.throwIfAborted()
      return await Promise.race([work, ended.promise])
    } finally {
      cancel()
      this.signal.removeEventListener('abort', aborted)
      work.catch(() => {})
    }
  }
}
