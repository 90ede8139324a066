// A server of messages: POST with JSON both ways, one route a message. Checks come in this order, cheapest first and before
// the body is read: draining, identity, cluster, load; then size, nesting and schema; then the handler. Each answered call is counted
// (metrics.ts), and has an entry in the audit log if its message declares one.
// Nothing here allocates per call what a handler may not need; fastify's own logging and closing answers are off.

import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { assert, assertKept } from '../base/assert.ts'
import { codes, GristmillError } from '../base/errors.ts'
import { foreignError, foreignProtocol } from '../base/foreign.ts'
import { systemUser, type RequestId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Audit } from '../ports/audit.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { Message, ReplyOf, RequestOf } from '../protocol/message.ts'
import { bodyHashOf, type Authenticator, type CallerIdentity } from './auth.ts'
import { parseJson } from './body.ts'
import { CallContext } from './context.ts'
import { lazyCompilers } from './compile.ts'
import { toFault } from './fault.ts'
import { CallMetrics, exposeCalls, shownAtMost, type Registry } from './metrics.ts'
import { boundPipelining } from './pipelining.ts'
import { Repeats, scopedId } from './repeats.ts'

const consoleHint =
  'This is a server of a gristmill cluster. Its pages are in the console: run "gristmill console", and open the link that it prints.\n'

type Handler<M extends Message> = (request: RequestOf<M>, context: CallContext) => Promise<ReplyOf<M>> | ReplyOf<M>

export interface Route { readonly message: Message; readonly handler: (request: never, context: CallContext) => unknown }

/** Ties a message to what answers it. */
export const route = <M extends Message>(message: M, handler: Handler<M>): Route => ({ message, handler })

/**
 * `starting`: the server has no contact with its cluster yet, or lost it. `behind`: it refuses all calls, and will until its operator acts.
 */
type Readiness = 'ok' | 'starting' | 'behind' | 'safe mode'

export interface ServeOptions {
  readonly routes: readonly Route[]
  /** A datanode learns its cluster only after it listens, and puts another authenticator behind this then. */
  readonly auth: Pick<Authenticator, 'identify'>
  readonly clock: Clock
  readonly log: Log
  readonly registry: Registry
  /** Gets an entry for each answered call whose message declares one. */
  readonly audit?: Audit | undefined
  /** Default: 'ok'. /healthz answers 503 with any other. Calls are answered all the same: handlers know better. */
  readonly health?: () => Readiness
  /** Default: `health`. /readyz answers 503 with any other than 'ok': callers that have a choice should ask another process, or later. */
  readonly ready?: () => Readiness
  readonly callsInFlightMax?: number
  /** Bytes of all bodies whose requests have not been answered; default: limits.bodiesBytesMax. */
  readonly bodiesBytesMax?: number
  /** Time in which a request must arrive; 0 where large bodies come in (plain PUT of a block). */
  readonly requestMs?: number
  /** Time in which the head of a request must arrive, from the beginning of its connection or from its first byte on. */
  readonly headersMs?: number
  /** Interval at which slow connections are looked for. */
  readonly checkMs?: number
}

export interface RpcServer {
  /** For Net.listen; further routes may be added before it listens, with `guard` as their `onRequest`. */
  readonly http: FastifyInstance
  readonly inFlight: () => number
  /** Connections over which an authenticated caller has called. For Service.known. */
  readonly known: WeakSet<object>
  /** Refuses new calls with UNAVAILABLE from now on, ends waiting ones. Closing does this first. */
  drain(): void
  /** Fastify hook: refuses a request that is not from this cluster. */
  readonly guard: (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => void
  /** For Service.upgrade: who asks, or the refusal to return. */
  admit(request: {
    path: string
    headers: Readonly<Record<string, string | undefined>>
  }): { identity: CallerIdentity } | { refuse: { status: number; code: string; message: string } }
  /** Throws AssertionFailed if the bytes of bodies, or the calls that wait, do not agree with the calls. For tests and simulations. */
  checkState(): void
}

/** A request that passed `guard`, with its caller. */
type Known = FastifyRequest & { caller: CallerIdentity | undefined }

/** Metrics are as old as this at the most. Scrapers come every few seconds; to put them together takes milliseconds. */
const metricsMs = 1_000

export const serve = (options: ServeOptions): RpcServer => new CallServer(options)

type Hook = RpcServer['guard']

class CallServer implements RpcServer {
  readonly http: FastifyInstance
  readonly known = new WeakSet<object>()
  readonly #options: ServeOptions
  readonly #headersMs: number
  /** Calls that wait for something to happen; `drain` ends them. */
  readonly #waiting = new Set<CallContext>()
  readonly #repeats = new Repeats()
  readonly #inFlight = new Set<CallContext>()
  /** Responses whose requests have large bodies, with the bytes of these. */
  readonly #bodies = new Map<object, number>()
  #bodiesBytes = 0
  #draining = false

  constructor(options: ServeOptions) {
    this.#options = options
    this.#headersMs = options.headersMs ?? 10_000
    this.http = newHttp(options, this.#headersMs)
    boundPipelining(this.http.server, this.known)
    this.#addParser()
    this.#addErrors()
    exposeCalls(options.registry, options.routes.map(each => this.#add(each)), this.inFlight)
    this.#addStatus()
    this.http.addHook('preClose', done => { this.drain(); done() })
  }

  readonly inFlight = (): number => this.#inFlight.size

  drain(): void {
    this.#draining = true
    for (const context of this.#waiting) context.abort(goingAway())
  }

  readonly guard: Hook = (request, reply, done) => {
    const callsMax = this.#options.callsInFlightMax ?? limits.callsInFlightMax
    try {
      if (this.#draining) {
        void reply.header('connection', 'close')
        throw goingAway()
      }
      if (this.#inFlight.size >= callsMax) {
        throw new GristmillError('OVERLOADED', `${callsMax} calls are being worked on already; try again in a moment`)
      }
      const { raw } = request;
      (request as Known).caller = this.#options.auth.identify({ method: raw.method!, path: raw.url!, headers: raw.headers })
      if (raw.socket) this.known.add(raw.socket)
    } catch (error) {
      return done(error as Error)
    }
    done()
  }

  admit({ path, headers }: Parameters<RpcServer['admit']>[0]): ReturnType<RpcServer['admit']> {
    try {
      if (this.#draining) throw goingAway()
      const identity = this.#options.auth.identify({ method: 'GET', path, headers })
      if (identity.bodyHash !== undefined && identity.bodyHash !== bodyHashOf('')) {
        throw new GristmillError('UNAUTHENTICATED', 'an Upgrade request has no body to sign')
      }
      return { identity }
    } catch (error) {
      const { status, body } = toFault(error)
      return { refuse: { status, code: body.error.code, message: body.error.message } }
    }
  }

  /**
   * Bounds the bytes of all bodies whose requests are not answered yet. One body alone is always taken. A hook for routes behind `guard`.
   */
  #admitBody(bodyMax: number): Hook {
    const bodiesMax = this.#options.bodiesBytesMax ?? limits.bodiesBytesMax
    return (request, reply, done) => {
      const length = request.raw.headers['content-length']
      const bytes = length === undefined ? bodyMax : Math.min(Number(length), bodyMax)
      if (!(bytes > limits.bodyFreeBytes)) return done()
      if (this.#bodiesBytes > 0 && this.#bodiesBytes + bytes > bodiesMax) {
        const held = `requests of ${this.#bodiesBytes} bytes wait for their answers already`
        return done(new GristmillError('OVERLOADED', `${held}, and may have ${bodiesMax} together; try again in a moment`))
      }
      this.#bodiesBytes += bytes
      this.#bodies.set(reply.raw, bytes)
      reply.raw.once('close', () => {
        this.#bodiesBytes -= bytes
        this.#bodies.delete(reply.raw)
      })
      done()
    }
  }

  checkState(): void {
    let bytes = 0
    for (const each of this.#bodies.values()) bytes += each
    assertKept('bytes of bodies', this.#bodiesBytes, bytes)
    for (const context of this.#waiting) assert(this.#inFlight.has(context), `a call of ${context.user} waits and is not in flight`)
  }

  #addParser(): void {
    this.http.removeAllContentTypeParsers()
    this.http.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body: string, done) => {
      try {
        const expected = (request as Known).caller?.bodyHash
        if (expected !== undefined && bodyHashOf(body) !== expected) {
          throw new GristmillError('UNAUTHENTICATED', 'the body is not the one that was signed')
        }
        done(null, parseJson(body))
      } catch (error) {
        done(error as Error)
      }
    })
  }

  #addErrors(): void {
    this.http.setErrorHandler((thrown, request, reply) => {
      this.#hurry(request)
      const { status, body, foreseen } = toFault(thrown)
      if (!foreseen) this.#options.log.error('a request failed with an unexpected error', { error: thrown, path: request.url })
      void reply.code(status).serializer(JSON.stringify).header('content-type', 'application/json; charset=utf-8').send(body)
    })
    // Before the body is read: a caller of an unknown path has nothing to send.
    this.http.addHook('onRequest', (request, reply, done) => {
      const { headers } = request
      const foreign = request.is404 || request.url === '/' ? foreignProtocol({ target: request.url, headers }) : undefined
      if (foreign) {
        const { type, body } = foreignError(foreign, `this port speaks the cluster's own protocol, and the request is one of ${foreign
        }: send it to a gateway, which answers ${foreign} on a port of its own (gristmill gateway)`)
        return void reply.code(400).type(type).serializer(String).send(body)
      }
      const asked = `${request.method} ${request.url.slice(0, 200)}`
      done(
        request.is404 ? new GristmillError('EINVAL', `this server does not know ${asked}; are both sides of the same version?`) : undefined,
      )
    })
  }

  /** A caller that is refused before its body has come gets `headersMs` to end it; the connection would stay for `requestMs`. */
  #hurry(request: FastifyRequest): void {
    const { raw } = request
    if ((request as Known).caller !== undefined || raw.complete) return
    const { socket } = raw
    this.#options.clock.after(this.#headersMs, () => { if (!raw.complete) socket.destroy() })
  }

  #add({ message, handler }: Route): CallMetrics {
    const calls = new CallMetrics(message.name)
    const bodyLimit = message.bodyBytesMax ?? limits.controlBodyBytesMax
    this.http.post(message.path, {
      onRequest: [this.guard, this.#admitBody(bodyLimit)],
      bodyLimit,
      schema: { body: message.request, response: { 200: message.reply } },
    }, (request, reply) => this.#answer(message, handler as AnyHandler, calls, request as Known, reply))
    return calls
  }

  #answer(message: Message, handler: AnyHandler, calls: CallMetrics, request: Known, reply: FastifyReply): void {
    const { clock } = this.#options
    const { user } = request.caller!
    const id = message.mutation ? ownId(message, user, request.body as { requestId?: RequestId }) : undefined
    const context = new CallContext(user, id, reply.raw, message.waits ? this.#waiting : undefined)
    const started = clock.mono()
    this.#inFlight.add(context)
    const finish = (code: string, result?: unknown): void => {
      this.#inFlight.delete(context)
      this.#audit(message, request, code, result)
      calls.record(code, clock.mono() - started)
      context.finish()
    }
    const fail = (error: unknown): void => {
      finish(error instanceof GristmillError ? error.code : 'INTERNAL')
      void reply.send(error instanceof Error ? error : new Error(String(error)))
    }
    const succeed = (result: unknown): void => {
      finish('ok', result)
      void reply.send(result)
    }
    let result: unknown
    try {
      if (message.audit && user === systemUser) throw reserved(message)
      // The answer to a request with an id is known, also to a process that starts; any other might take effect a second time.
      if (id === undefined && request.caller!.startedMs !== undefined) throw fromBefore(request.caller!.startedMs)
      const work = (): unknown => handler(request.body, context)
      result = id === undefined ? work() : this.#repeats.run(id, work, message.parts)
    } catch (error) {
      return fail(error)
    }
    if (result instanceof Promise) result.then(succeed, fail)
    else succeed(result)
  }

  #audit({ name, audit }: Message, request: Known, outcome: string, reply: unknown): void {
    if (!audit || !this.#options.audit) return
    const { clock } = this.#options
    this.#options.audit({
      atMs: clock.now(), user: request.caller!.user, address: request.socket.remoteAddress ?? '', action: name, read: audit.read, outcome,
      fields: audit.fields(request.body as never, reply as never),
    })
  }

  #addStatus(): void {
    const { registry, clock, health = () => 'ok', ready = health } = this.#options
    const tell = (state: () => Readiness) => (_: FastifyRequest, reply: FastifyReply): void => {
      const status = this.#draining ? 'draining' : state()
      void reply.code(status === 'ok' ? 200 : codes.UNAVAILABLE.status).send({ status })
    }
    // A person who opens the address of a namenode or a datanode in a browser.
    this.http.get('/', (_, reply) => reply.type('text/plain; charset=utf-8').send(consoleHint))
    this.http.get('/healthz', tell(health))
    this.http.get('/readyz', tell(ready))
    // Open to all, as /healthz is: it holds numbers only, and scrapers cannot sign. Its text is put together once a second at most.
    const shown = shownAtMost(registry, clock, metricsMs)
    this.http.get('/metrics', async (_, reply) => reply.type(registry.contentType).send(await shown()))
  }
}

type AnyHandler = (request: unknown, context: CallContext) => unknown

/** Ajv's pass that shortens the code it generates takes two fifths of a schema's compilation; V8 leaves out what is unused anyway. */
const uncompressed = { optimize: false }

function newHttp({ requestMs = 30_000, checkMs = 5_000 }: ServeOptions, headersMs: number): FastifyInstance {
  const http = Fastify({
    logger: false,
    return503OnClosing: false, // `guard` refuses with a body that callers understand
    bodyLimit: limits.controlBodyBytesMax,
    requestTimeout: requestMs,
    keepAliveTimeout: 20_000, // longer than clients keep theirs: they close first
    routerOptions: { ignoreTrailingSlash: false },
    http: { headersTimeout: headersMs, connectionsCheckingInterval: checkMs, highWaterMark: 1 << 20 },
    // A message that does not fit its schema is refused, never bent until it does. That the schemas are valid is tested: Ajv's check
    // compiles the schema of all schemas first, which took a tenth of the CPU time of a command.
    ajv: {
      customOptions: {
        coerceTypes: false, removeAdditional: false, useDefaults: false, strict: false, validateSchema: false, code: uncompressed,
      },
    },
    serializerOpts: { ajv: { code: uncompressed } },
    schemaController: { compilersFactory: lazyCompilers() },
  })
  http.decorateRequest('caller', undefined)
  return http
}

/** Puts the scoped id into the request: handlers and the journal see no other. */
function ownId({ name }: Message, user: string, body: { requestId?: RequestId }): RequestId | undefined {
  if (body.requestId !== undefined) body.requestId = scopedId(name, user, body.requestId)
  return body.requestId
}

/** Calls of users, which the audit log names, are never made by a process of the cluster in its own name. */
const reserved = ({ name }: Message): GristmillError =>
  new GristmillError(
    'EACCES', `"${systemUser}" is the name of the cluster's own processes and may not call ${name}; give a user with GRISTMILL_USER`,
    { details: { caller: systemUser } },
  )

/** The caller signs its next requests with this time at least (call.ts): its clock may be behind by a minute, and it would wait as long. */
const fromBefore = (startedMs: number): GristmillError =>
  new GristmillError(
    'UNAVAILABLE', 'the request was signed before this server started, so that it may have been carried out before; send it again',
    { details: { startedMs } },
  )

const goingAway = (): GristmillError =>
  new GristmillError('UNAVAILABLE', 'the server is going away; ask another one, or this one again in a moment')
