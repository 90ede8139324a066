// Listener of one dialect: HTTP server, bounds, access log, health, and the end in good order. Every request becomes an Exchange, which the
// dialect answers.
// INVARIANT: at most `exchangesMax` requests are worked on at a time, none without a known user in the place of one with (places.ts); what
// one of them holds is bounded (two blocks in flight, one piece).

import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Server as TlsServer } from 'node:tls'
import { asError, GristmillError, hasCode } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import type { Listening, Net } from '../../src/ports/net.ts'
import { boundPipelining } from '../../src/rpc/pipelining.ts'
import type { AccessLog } from './accesslog.ts'
import type { Certificate } from './certificate.ts'
import { openPaths, type GatewayDialect } from './dialect.ts'
import { Exchange } from './exchange.ts'
import type { DialectNumbers, ShownMetrics } from './numbers.ts'
import { RequestPlaces } from './places.ts'

interface ListenerDeps {
  readonly clock: Clock
  readonly log: Log
  readonly net: Net
  readonly dialect: GatewayDialect
  readonly access?: AccessLog | undefined
  /** Serves TLS; default: plain HTTP. */
  readonly certificate?: Certificate | undefined
  /** Counts requests and connections. */
  readonly numbers?: DialectNumbers | undefined
  /** Answers /metrics; default: it is a path as any other. */
  readonly metrics?: ShownMetrics | undefined
}

export interface ListenerOptions {
  readonly host: string
  readonly port: number
  /** Default: limits.gatewayRequestsMax. */
  readonly exchangesMax?: number | undefined
  /** Time without a moved byte after which a request is given up; default: limits.gatewayStallMs. */
  readonly stallMs?: number | undefined
  /** Time in which a body must arrive that tells the user of its request; default: that of a head. */
  readonly strangerMs?: number | undefined
}

/** Time in which the head of a request must arrive, from its first byte on. */
const headersMs = 10_000

export class Listener {
  readonly #deps: ListenerDeps
  readonly #places: RequestPlaces<Exchange>
  readonly #times: { readonly stallMs: number; readonly strangerMs: number }
  readonly #running = new Set<Exchange>()
  /** Connections that have carried a request of a known user: others are closed first when the process has too many. */
  readonly #known = new WeakSet<object>()
  #listening!: Listening
  #stopping = false

  /** Throws EADDRINUSE, EACCES, CONFIG_INVALID. */
  static async start(deps: ListenerDeps, options: ListenerOptions): Promise<Listener> {
    const listener = new Listener(deps, options)
    const http = newHttp(target => listener.#take(target), deps.certificate)
    // Clients of a gateway are strangers: a connection has one request at a time.
    boundPipelining(http.server, { has: () => false })
    // Node would ask for the body at once. A dialect that redirects the request never reads it (Exchange.body asks for it).
    const take = (request: IncomingMessage, response: ServerResponse): unknown => http.server.emit('request', request, response)
    http.server.on('checkContinue', take)
    // As S3 does: another expectation counts as none (RFC 9110, 10.1.1).
    http.server.on('checkExpectation', take)
    http.server.on('connection', socket => { listener.#count(socket) })
    const service = { http, known: listener.#known, rawTargets: true } as const
    listener.#listening = await deps.net.listen(service, { host: options.host, port: options.port })
    return listener
  }

  private constructor(
    deps: ListenerDeps,
    { exchangesMax = limits.gatewayRequestsMax, stallMs = limits.gatewayStallMs, strangerMs = headersMs }: ListenerOptions,
  ) {
    this.#deps = deps
    this.#places = new RequestPlaces(exchangesMax)
    this.#times = { stallMs, strangerMs }
  }

  get address(): string { return this.#listening.address }

  /** Refuses new requests, waits for those that run (at most limits.drainMs), and closes the port. */
  async stop(): Promise<void> {
    this.#stopping = true
    const { clock } = this.#deps
    const cancel = clock.after(limits.drainMs, () => {
      for (const exchange of this.#running) exchange.abort(new GristmillError('UNAVAILABLE', 'the gateway is going away; ask another one'))
    })
    try {
      await this.#deps.dialect.stop?.()
      await this.#listening.close()
      for (const exchange of this.#running) exchange.destroy()
      while (this.#running.size > 0) await clock.yield()
    } finally {
      cancel()
    }
  }

  #take({ request, reply, target }: Asked): void {
    void reply.hijack()
    const { clock } = this.#deps
    const identified = (of: Exchange, isKnown: boolean): void => {
      if (isKnown) this.#known.add(request.raw.socket)
      this.#places.settle(of, isKnown)
    }
    const exchange = new Exchange({ clock, request: request.raw, response: reply.raw, identified }, { target, ...this.#times })
    const [atMs, begunMs] = [clock.now(), clock.mono()]
    void exchange.closed().then(() => {
      const { method, peer, user, status, sentBytes: bytes, headers } = exchange
      this.#deps.access?.({
        peer, user, atMs, method, target, httpVersion: request.raw.httpVersion, status, bytes, referer: headers.referer,
        agent: headers['user-agent'],
      })
    })
    const { dialect, metrics, numbers } = this.#deps
    if (isOpen(exchange, dialect)) {
      if (target !== '/metrics') return void this.#tell(exchange)
      if (metrics) return void showMetrics(exchange, metrics)
    }
    if (numbers) {
      numbers.inFlight++
      void exchange.closed().then(() => {
        numbers.inFlight--
        numbers.record(exchange, clock.mono() - begunMs)
      })
    }
    this.#running.add(exchange)
    void this.#answer(exchange).finally(() => {
      this.#running.delete(exchange)
      this.#places.leave(exchange)
    })
  }

  #count(socket: Socket): void {
    const { numbers } = this.#deps
    if (!numbers) return
    numbers.connections++
    socket.once('close', () => { numbers.connections-- })
  }

  /** Open to all, for load balancers: it says nothing but whether to send requests here. */
  #tell(exchange: Exchange): Promise<void> {
    const status = this.#stopping ? 'draining' : 'ok'
    return exchange.send(status === 'ok' ? 200 : 503, { 'content-type': 'application/json' }, JSON.stringify({ status }))
  }

  async #answer(exchange: Exchange): Promise<void> {
    const { dialect, log } = this.#deps
    try {
      if (this.#stopping)
        throw new GristmillError('UNAVAILABLE', 'the gateway is going away; ask another one, or this one again in a moment')
      this.#places.enter(exchange)
      await dialect.answer(exchange)
    } catch (thrown) {
      // The work may report the end of its request in other words.
      const error = asError(exchange.signal.aborted ? exchange.signal.reason : thrown)
      const fields = { error: thrown, method: exchange.method, dialect: dialect.name }
      if (error.code === 'INTERNAL') log.error('a request failed with an unexpected error', fields)
      else if (!hasCode(error, 'ABORTED')) log.debug('a request was refused', fields)
      if (exchange.begun || (exchange.signal.aborted && hasCode(error, 'ABORTED'))) return exchange.destroy()
      await dialect.refuse(exchange, error).catch(() => exchange.destroy())
    }
  }
}

/**
 * True for a request of health or metrics: it reads, has no query, is not signed, and its host names nothing of the dialect. Any other
 * request of these paths is the dialect's: it may mean a bucket or an object of this name.
 */
const isOpen = ({ method, target, headers }: Exchange, dialect: GatewayDialect): boolean =>
  openPaths.has(target) && (method === 'GET' || method === 'HEAD') && headers.authorization === undefined
    && !dialect.isNamedBy?.(headers.host ?? '')

/** Open to all, as at the other servers: it holds numbers only, and scrapers cannot sign. */
async function showMetrics(exchange: Exchange, { type, text }: ShownMetrics): Promise<void> {
  await exchange.send(200, { 'content-type': type }, await text()).catch(() => exchange.destroy())
}

interface Asked { readonly request: FastifyRequest; readonly reply: FastifyReply; readonly target: string }

/**
 * A server with one route: a dialect reads the target as it was received. A router would decode paths, and refuse some that are names of
 * files.
 */
function newHttp(take: (asked: Asked) => void, certificate: Certificate | undefined): FastifyInstance {
  const options = { headersTimeout: headersMs, connectionsCheckingInterval: 5_000 }
  const http = Fastify({
    logger: false,
    return503OnClosing: false, // the dialect refuses in its own form
    bodyLimit: Number.MAX_SAFE_INTEGER, // bodies stream, and a file may have any size
    requestTimeout: 0, // an upload may take hours; Exchange gives up one that does not move
    keepAliveTimeout: 60_000,
    rewriteUrl: () => '/',
    // The context of the certificate follows.
    ...certificate ? { https: { ...options, handshakeTimeout: headersMs, minVersion: 'TLSv1.2' } } : { http: options },
  }) as FastifyInstance
  certificate?.follow(pair => { (http.server as unknown as TlsServer).setSecureContext(pair) })
  // Before Fastify reads the type of the body, which a client may leave empty, or put in a form of its own: it is the dialect's.
  http.addHook('onRequest', (request, reply) => { take({ request, reply, target: request.originalUrl }) })
  http.all('/', () => {})
  return http
}
