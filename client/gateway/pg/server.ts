// Server of the PostgreSQL protocol: connections from their first byte to their session. Decides on encryption, verifies the user, and
// finds the session that a request to cancel means. INVARIANT: at most `sessionsMax` sessions, and `queriesMax` open queries among them;
// connections whose users are not known yet take no place of a session, and are closed for others when the process has too many.

import { asError, GristmillError } from '../../../src/base/errors.ts'
import { isLoopback } from '../../../src/base/loopback.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { OpenDatabase } from '../../../src/ports/database.ts'
import type { Log } from '../../../src/ports/log.ts'
import type { Listening, Net, StreamConnection } from '../../../src/ports/net.ts'
import type { Random } from '../../../src/ports/random.ts'
import { AccessKeys } from '../accesskeys.ts'
import type { Certificate } from '../certificate.ts'
import type { DialectDeps } from '../gateway.ts'
import { mechanism, Scram } from './auth.ts'
import { addError } from './errors.ts'
import { SessionQueries } from './queries.ts'
import { PgSession } from './session.ts'
import { Portals } from './portals.ts'
import { PgSettings, serverVersion } from './settings.ts'
import { cstring, Fields, int32, MessageReader, MessageWriter } from './wire.ts'

interface PgDeps extends Pick<DialectDeps, 'users' | 'accessKey'> {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly openDatabase: OpenDatabase
  readonly certificate: Certificate | undefined
}

interface PgOptions { readonly host: string; readonly port: number; readonly sessionsMax?: number | undefined }

const sessionsMaxDefault = 100
/** Time in which a client says who it is. */
const startMs = 10_000

const codes = { protocol3: 3, ssl: 80_877_103, gss: 80_877_104, cancel: 80_877_102 }

interface Known { readonly user: string; readonly database: string; readonly parameters: ReadonlyMap<string, string> }

export class PgServer {
  readonly #deps: PgDeps
  readonly #options: PgOptions
  readonly #keys: AccessKeys
  /** By the number and the secret that the client was told. */
  readonly #sessions = new Map<string, PgSession>()
  readonly #open = new Set<{ readonly end: AbortController; readonly done: Promise<void> }>()
  readonly #slots = { open: 0 }
  /** Connections of sessions. */
  readonly #known = new Set<object>()
  #pair: { readonly cert: Buffer; readonly key: Buffer } | undefined
  #listening!: Listening

  /** Throws EADDRINUSE, EACCES, CONFIG_INVALID. */
  static async start(net: Net, deps: PgDeps, options: PgOptions): Promise<PgServer> {
    const server = new PgServer(deps, options)
    deps.certificate?.follow(pair => { server.#pair = pair })
    server.#listening = await net.listenStreams!({ accept: connection => server.#accept(connection), known: server.#known }, options)
    return server
  }

  private constructor(deps: PgDeps, options: PgOptions) {
    this.#deps = deps
    this.#options = options
    this.#keys = new AccessKeys({ clock: deps.clock, find: id => deps.accessKey(id) })
  }

  get address(): string { return this.#listening.address }
  /** Connections and open queries now. */
  get load(): { readonly connections: number; readonly queries: number } { return { connections: this.#open.size,
    queries: this.#slots.open } }

  /** Ends all sessions and closes the port. */
  async stop(): Promise<void> {
    for (const { end } of this.#open) end.abort(goingAway())
    await Promise.all([...this.#open].map(({ done }) => done))
    await this.#listening.close()
  }

  #accept(connection: StreamConnection): void {
    const end = new AbortController()
    const entry = { end, done: this.#serve(connection, end) }
    this.#open.add(entry)
    void entry.done.finally(() => this.#open.delete(entry))
  }

  /** Never rejects. */
  async #serve(first: StreamConnection, end: AbortController): Promise<void> {
    let connection = first
    let writer = new MessageWriter(connection.stream)
    const gone = (): void => end.abort(new GristmillError('ABORTED', 'the client has gone'))
    const destroy = (): void => { first.stream.destroy() }
    const late = this.#deps.clock.after(startMs, destroy)
    let isKnown = false
    try {
      for (let reader = new MessageReader(connection.stream, gone); ;) {
        const head = await reader.start()
        if (!head) return
        const fields = new Fields(head)
        const code = fields.int32()
        if (code === codes.cancel) return this.#cancel(fields)
        if (code === codes.ssl && this.#pair && connection === first) {
          reader.detach()
          await writer.raw('S')
          connection = first.encrypt(this.#pair)
          writer = new MessageWriter(connection.stream)
          reader = new MessageReader(connection.stream, gone)
        } else if (code === codes.ssl || code === codes.gss) await writer.raw('N')
        else {
          this.#checkRoom()
          const known = await this.#identify({ code, fields, reader, writer })
          if (!known) return
          // Others may have come while this one said who it is.
          this.#checkRoom()
          this.#known.add(first.stream)
          late()
          isKnown = true
          end.signal.addEventListener('abort', destroy, { once: true })
          return await this.#session(known, { reader, writer, signal: end.signal })
        }
      }
    } catch (thrown) {
      if (end.signal.aborted && (!isKnown || first.stream.destroyed)) return
      addError(writer, asError(thrown), { severity: 'FATAL' })
      await writer.flush().catch(() => {})
    } finally {
      this.#known.delete(first.stream)
      late()
      end.signal.removeEventListener('abort', destroy)
      connection.stream.end(destroy)
      // A client that does not take the last bytes.
      this.#deps.clock.after(startMs, destroy)
    }
  }

  #checkRoom(): void {
    const { sessionsMax = sessionsMaxDefault } = this.#options
    if (this.#known.size < sessionsMax) return
    throw new GristmillError('OVERLOADED',
      'this gateway has as many sessions as it may have; try again in a moment, or ask another gateway')
  }

  /** undefined: the client has gone. Throws UNAUTHENTICATED. */
  async #identify({ code, fields, reader, writer }: {
    readonly code: number; readonly fields: Fields; readonly reader: MessageReader; readonly writer: MessageWriter
  }): Promise<Known | undefined> {
    if (code >> 16 !== codes.protocol3)
      throw new GristmillError('EINVAL', 'the client speaks another protocol than PostgreSQL 3.0', { details: { sqlstate: '0A000' } })
    const parameters = new Map<string, string>()
    for (;;) {
      const name = fields.text()
      if (name === '') break
      parameters.set(name, fields.text())
    }
    const extensions = [...parameters.keys()].filter(name => name.startsWith('_pq_.'))
    if ((code & 0xffff) > 0 || extensions.length > 0) writer.add('v', int32(0), int32(extensions.length), ...extensions.map(cstring))
    const name = parameters.get('user')
    if (name === undefined || name === '')
      throw new GristmillError('UNAUTHENTICATED', 'the client gives no user', { details: { sqlstate: '28000' } })
    const key = await this.#keys.find(name)
    // On this machine a name is believed, as WebHDFS does it; a key has to be proved everywhere.
    if (key !== undefined || !isLoopback(this.#options.host)) {
      const scram = new Scram(this.#deps.random, key?.secret)
      writer.add('R', int32(10), cstring(mechanism), Buffer.from([0]))
      await writer.flush()
      const first = await reader.next(false)
      if (!first) return undefined
      writer.add('R', int32(11), Buffer.from(await scram.begin(initialOf(first))))
      await writer.flush()
      const last = await reader.next(false)
      if (!last) return undefined
      if (last.type !== 'p') throw unexpected()
      writer.add('R', int32(12), Buffer.from(scram.end(last.body.toString('utf8'))))
    }
    writer.add('R', int32(0))
    return { user: key?.user ?? name, database: parameters.get('database') ?? name, parameters }
  }

  async #session(
    { user, database, parameters }: Known,
      { reader, writer, signal }: { readonly reader: MessageReader; readonly writer: MessageWriter; readonly signal: AbortSignal },
  ): Promise<void> {
    const { users, clock, log, random, openDatabase } = this.#deps
    const settings = new PgSettings()
    settings.begin(parameters)
    for (const [name, value] of settings.reported) writer.add('S', cstring(name), cstring(value))
    writer.add('S', cstring('session_authorization'), cstring(user))
    const own = Buffer.from(random.bytes(8))
    const pid = own.readUInt32BE(0) >>> 1
    own.writeUInt32BE(pid, 0)
    writer.add('K', own)
    await users.as(user, async mill => {
      const portals = new Portals()
      const self = { user, database, pid, version: `PostgreSQL ${serverVersion} (gristmill)` }
      const queries = new SessionQueries({ mill, openDatabase, slots: this.#slots, clock, settings, portals }, self)
      const session = new PgSession({ clock, log, reader, writer, queries, settings, portals, signal })
      this.#sessions.set(own.toString('hex'), session)
      try {
        await session.serve()
      } finally {
        this.#sessions.delete(own.toString('hex'))
        queries.close()
      }
    })
  }

  #cancel(fields: Fields): void { this.#sessions.get(fields.rest().toString('hex'))?.cancel() }
}

/** First message of the client in SCRAM. */
function initialOf({ type, body }: { readonly type: string; readonly body: Buffer }): string {
  if (type !== 'p') throw unexpected()
  const fields = new Fields(body)
  if (fields.text() !== mechanism)
    throw new GristmillError('UNAUTHENTICATED', `the client does not offer ${mechanism}`, { details: { sqlstate: '28000' } })
  return fields.bytes()?.toString('utf8') ?? ''
}

const unexpected = (): GristmillError =>
  new GristmillError('UNAUTHENTICATED', 'the client sends a message in place of its password', { details: { sqlstate: '08P01' } })

const goingAway = (): GristmillError => new GristmillError('UNAVAILABLE', 'the gateway is going away; ask another one')
