// One session of a client: the state machine of the PostgreSQL protocol after the start. Statements run one at a time, as the user of the
// session; each reads, and none changes anything. An error ends its statement; after one in the extended protocol, messages are skipped up
// to the next Sync.

import { asError, GristmillError, hasCode } from '../../../src/base/errors.ts'
import type { SqlColumn, SqlValue } from '../../../src/base/sql.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Log } from '../../../src/ports/log.ts'
import { copyFormatOf, copyHeader, copyLine } from './copy.ts'
import { placed, stateOf } from './errors.ts'
import { stepsOf } from './cursors.ts'
import { addRow, checkFormats, describeRows, formatOf, PortalRows, type OpenedQuery } from './portal.ts'
import { namedMax, type Portal, type Portals } from './portals.ts'
import { preparedOf, sampleOf, type Prepared } from './prepared.ts'
import { sqlCharsMax } from '../../sql/statement.ts'
import type { PgSettings } from './settings.ts'
import { sqlStatements } from '../../../src/base/sqltokens.ts'
import type { PgStatement } from './statements.ts'
import { oids, pgType } from './types.ts'
import { openArray, parameterOf } from './values.ts'
import { cstring, Fields, int16, int32, type ClientMessage, type MessageReader, type MessageWriter } from './wire.ts'

/** Opens queries for a session. */
export interface Queries {
  /** Starts a query. REQUIRES: the caller closes it. */
  open(sql: string, params: readonly unknown[], signal: AbortSignal): Promise<OpenedQuery>
  /** Its columns, without running it. */
  columns(sql: string, params: readonly unknown[], signal: AbortSignal): Promise<readonly SqlColumn[]>
}

interface SessionDeps {
  readonly clock: Pick<Clock, 'after' | 'mono' | 'yield'>
  readonly log: Pick<Log, 'error'>
  readonly reader: MessageReader
  readonly writer: MessageWriter
  readonly queries: Queries
  readonly settings: PgSettings
  readonly portals: Portals
  /** Aborted when the client has gone, or the gateway ends. */
  readonly signal: AbortSignal
}

/** Open types as a client is told them: texts, and arrays of texts. */
const shownTypes: Readonly<Record<number, number>> = { 0: oids.text, [openArray]: 1009 }
/** Longest time for which the statements of one message hold up other sessions. */
const turnMs = 25
const text: SqlColumn['type'] = { kind: 'plain', name: 'VARCHAR' }

export class PgSession {
  readonly #deps: SessionDeps
  readonly #prepared = new Map<string, Prepared>()
  /** State of the transaction block: none, open, failed. */
  #block: 'I' | 'T' | 'E' = 'I'
  #skips = false
  /** The statements of one simple query are a transaction, if none is open. */
  #isSeries = false
  #running: AbortController | undefined
  #turnAt = 0

  constructor(deps: SessionDeps) { this.#deps = deps }

  /** Ends the statement that runs, by the wish of its client. */
  cancel(): void { this.#running?.abort(cancelled('canceling statement due to user request')) }

  /** Answers until the client goes or ends the session. Throws what ends it: a client that breaks the protocol, or that has gone. */
  async serve(): Promise<void> {
    const { reader, signal } = this.#deps
    try {
      await this.#ready()
      for (;;) {
        const message = await reader.next(true)
        if (!message || message.type === 'X' || signal.aborted) return
        await this.#answer(message)
      }
    } finally {
      await this.#deps.portals.closeAll({ isAll: true })
    }
  }

  async #answer(message: ClientMessage): Promise<void> {
    const { writer } = this.#deps
    if (message.type === 'S') {
      if (this.#block === 'I') await this.#deps.portals.endTransaction(!this.#skips)
      this.#skips = false
      return this.#ready()
    }
    if (message.type === 'H') return writer.flush()
    if (this.#skips || /^[dcf]$/.test(message.type)) return
    const answer = this.#answers[message.type]
    if (!answer)
      throw new GristmillError('EINVAL', `there is no message of the type ${JSON.stringify(message.type)}`,
        { details: { sqlstate: '08P01' } })
    const fields = new Fields(message.body)
    let statement = ''
    let isDone = false
    try {
      await answer(fields, sql => { statement = sql })
      isDone = true
    } catch (error) {
      if (this.#deps.signal.aborted) throw error
      this.fail(error, statement)
      if (this.#block === 'T') this.#block = 'E'
      if (message.type !== 'Q') this.#skips = true
    }
    if (message.type === 'Q') {
      if (this.#block === 'I') await this.#deps.portals.endTransaction(isDone)
      return this.#ready()
    }
    if (writer.isFull) await writer.flush()
  }

  readonly #answers: Readonly<Record<string, (fields: Fields, on: (statement: string) => void) => Promise<void>>> = {
    Q: async (fields, on) => this.#simple(fields.text(), on),
    P: async (fields, on) => {
      const [name, sql] = [fields.text(), fields.text()]
      on(sql)
      checkLength(sql)
      const types = fields.list(() => fields.int32())
      const [own, ...more] = sqlStatements(sql)
      if (more.length > 0)
        throw new GristmillError('EINVAL', 'a prepared statement is one statement', { details: { sqlstate: '42601' } })
      if (name !== '' && (this.#prepared.has(name) || this.#prepared.size >= namedMax))
        throw this.#prepared.has(name)
          ? new GristmillError('EINVAL', `the prepared statement ${name} exists`, { details: { sqlstate: '42P05' } })
          : new GristmillError('OVERLOADED', `a session has at most ${namedMax} prepared statements`)
      this.#prepared.set(name, preparedOf(own ?? '', types))
      this.#deps.writer.add('1')
    },
    B: async fields => this.#bind(fields),
    D: async (fields, on) => this.#describe(fields, on),
    E: async (fields, on) => {
      const [name, max] = [fields.text(), fields.int32()]
      const portal = this.#deps.portals.get(name)
      on(portal.prepared.text)
      await this.#execute(portal, { max, isDescribed: false })
    },
    C: async fields => {
      const [kind, name] = targetOf(fields)
      await this.#close(kind, name)
      this.#deps.writer.add('3')
    },
    F: async () => { throw new GristmillError('EINVAL', 'calls of functions are not supported; send a SELECT',
      { details: { sqlstate: '0A000' } }) },
  }

  async #simple(sql: string, on: (statement: string) => void): Promise<void> {
    checkLength(sql)
    const statements = sqlStatements(sql)
    await this.#close('P', '')
    if (statements.length === 0) this.#deps.writer.add('I')
    for (const own of statements) {
      this.#isSeries = statements.length > 1
      on(own)
      const portal: Portal = { prepared: preparedOf(own, []), params: [], formats: [], ending: new AbortController() }
      try {
        await this.#execute(portal, { max: 0, isDescribed: true })
      } finally {
        this.#isSeries = false
        await portal.rows?.close()
      }
      await this.#pause()
    }
  }

  /** Between two statements of a message, which may have thousands that wait for nothing: sends their answers, and lets others run. */
  async #pause(): Promise<void> {
    const { clock, writer, signal } = this.#deps
    if (writer.isFull) await writer.flush()
    if (clock.mono() < this.#turnAt) return
    await clock.yield()
    this.#turnAt = clock.mono() + turnMs
    signal.throwIfAborted()
  }

  async #bind(fields: Fields): Promise<void> {
    const [name, statement] = [fields.text(), fields.text()]
    const prepared = this.#statement(statement)
    const codes = fields.list(() => fields.int16())
    const values = fields.list(() => fields.bytes())
    const formats = fields.list(() => fields.int16())
    if (values.length !== prepared.types.length)
      throw new GristmillError('EINVAL', `the statement has ${prepared.types.length} parameters, and ${values.length} values were given`, {
        details: { sqlstate: '08P01' },
      })
    checkFormats(codes, values.length)
    const params = values.map((bytes, i) => parameterOf(bytes, prepared.types[i]!, formatOf(codes, i) === 1))
    await this.#close('P', name)
    this.#deps.portals.checkRoom()
    this.#deps.portals.add(name, { prepared, params, formats, ending: new AbortController() })
    this.#deps.writer.add('2')
  }

  async #describe(fields: Fields, on: (statement: string) => void): Promise<void> {
    const { writer } = this.#deps
    const [kind, name] = targetOf(fields)
    if (kind === 'S') {
      const prepared = this.#statement(name)
      on(prepared.text)
      const columns = await this.#columnsOf(prepared)
      writer.add('t', int16(prepared.types.length), ...prepared.types.map(oid => int32(shownTypes[oid] ?? oid)))
      return columns ? describeRows(writer, columns, []) : writer.add('n')
    }
    const portal = this.#deps.portals.get(name)
    on(portal.prepared.text)
    const { statement } = portal.prepared
    if (statement.kind === 'show') return describeRows(writer, [{ name: statement.name, type: text }], portal.formats)
    if (statement.kind === 'fetch' && !statement.isMove)
      return describeRows(writer, (await this.#opened(statement.name)).columns, portal.formats)
    const rows = statement.kind === 'query' ? await this.#workOn(portal, () => this.#open(portal, statement.sql)) : undefined
    return rows ? describeRows(writer, rows.columns, portal.formats) : writer.add('n')
  }

  /** undefined: it gives no rows. */
  async #columnsOf(prepared: Prepared): Promise<readonly SqlColumn[] | undefined> {
    const { statement, types } = prepared
    if (statement.kind === 'show') return [{ name: statement.name, type: text }]
    if (statement.kind === 'fetch' && !statement.isMove) return (await this.#opened(statement.name)).columns
    if (statement.kind !== 'query') return undefined
    return prepared.described ??= await this.#work(signal => this.#deps.queries.columns(statement.sql, types.map(sampleOf), signal))
  }

  async #execute(portal: Portal, { max, isDescribed }: { readonly max: number; readonly isDescribed: boolean }): Promise<void> {
    const { writer, settings } = this.#deps
    const { statement } = portal.prepared
    const ends = statement.kind === 'transaction' && statement.to === 'end'
    if (this.#block === 'E' && !ends)
      throw new GristmillError('EINVAL', 'current transaction is aborted, commands ignored until end of transaction block', {
        details: { sqlstate: '25P02' },
      })
    switch (statement.kind) {
      case 'empty': return writer.add('I')
      case 'transaction':
        if (statement.to === 'begin') {
          this.#block = 'T'
          settings.open()
        }
        if (ends) {
          const tag = this.#block === 'E' ? 'ROLLBACK' : statement.tag
          this.#telling(() => settings.end(tag !== 'ROLLBACK'))
          await this.#deps.portals.endTransaction(tag !== 'ROLLBACK')
          writer.add('C', cstring(tag))
          this.#block = 'I'
          return
        }
        return writer.add('C', cstring(statement.tag))
      case 'set': {
        this.#telling(() => settings.set(statement.name, statement.value, statement.isLocal))
        return writer.add('C', cstring(statement.tag))
      }
      case 'show': return this.#show(statement.name, isDescribed)
      case 'forget': {
        const { what, name: only } = statement
        const dropped = what === 'statement' || what === 'all' ? this.#prepared.keys() : []
        for (const name of dropped) if ((only ?? name) === name) this.#prepared.delete(name)
        if (what === 'settings' || what === 'all') this.#telling(() => settings.clear())
        if (what === 'all') await this.#deps.portals.closeAll()
        return writer.add('C', cstring(statement.tag))
      }
      case 'declare': return this.#declare(portal, statement)
      case 'fetch': return this.#step(portal, statement, { max, isDescribed })
      case 'close': {
        if (statement.name === undefined) await this.#deps.portals.closeAll()
        else {
          this.#deps.portals.get(statement.name)
          await this.#deps.portals.close(statement.name)
        }
        return writer.add('C', cstring('CLOSE CURSOR'))
      }
      case 'copy': return this.#workOn(portal, signal => this.#copy(portal, statement, signal))
      default: return this.#workOn(portal, signal => this.#send(portal, statement.sql, { max, isDescribed, signal }))
    }
  }

  /** Changes settings, and tells the client the new values of those that it was told at the start. */
  #telling(change: () => void): void {
    const before = new Map(this.#deps.settings.reported)
    change()
    this.#tell(before)
  }

  #tell(before: ReadonlyMap<string, string>): void {
    const { writer, settings } = this.#deps
    for (const [name, value] of settings.reported)
      if (before.get(name) !== value) writer.add('S', cstring(name), cstring(value))
  }

  #show(name: string, isDescribed: boolean): void {
    const { writer, settings } = this.#deps
    const value = Buffer.from(settings.get(name))
    if (isDescribed) describeRows(writer, [{ name, type: text }], [])
    writer.add('D', int16(1), int32(value.length), value)
    writer.add('C', cstring('SHOW'))
  }

  async #open(portal: Portal, sql: string): Promise<PortalRows> {
    if (portal.rows) return portal.rows
    const { prepared: { described }, params, formats, ending } = portal
    const told = new Map(this.#deps.settings.reported)
    const rows = new PortalRows(await this.#deps.queries.open(sql, params, ending.signal))
    // A call of set_config.
    this.#tell(told)
    portal.rows = rows
    checkFormats(formats, rows.columns.length)
    const isSame = !described || (described.length === rows.columns.length
      && described.every(({ type }, i) => pgType(type).oid === rows.types[i]!.oid))
    // The client reads the values by the types that it was told.
    if (!isSame)
      throw new GristmillError('EINVAL',
        'cached plan must not change result type: these values give columns of other types; cast the parameters', {
        details: { sqlstate: '0A000' },
      })
    return rows
  }

  async #send(
    portal: Portal, sql: string,
      { max, isDescribed, signal }: { readonly max: number; readonly isDescribed: boolean; readonly signal: AbortSignal },
  ): Promise<void> {
    const { writer } = this.#deps
    const rows = await this.#open(portal, sql)
    if (isDescribed) describeRows(writer, rows.columns, portal.formats)
    for (let sent = 0; max <= 0 || sent < max; sent++) {
      const row = await rows.next()
      if (!row) return writer.add('C', cstring(/^\s*explain\b/i.test(sql) ? 'EXPLAIN' : `SELECT ${rows.count}`))
      addRow(writer, row, rows, portal.formats)
      if (writer.isFull) await writer.flush()
      signal.throwIfAborted()
    }
    writer.add('s')
  }

  async #declare(portal: Portal, statement: PgStatement & { readonly kind: 'declare' }): Promise<void> {
    const { writer, portals } = this.#deps
    const { name, sql, isHeld, isBinary } = statement
    if (!isHeld && this.#block === 'I' && !this.#isSeries)
      throw new GristmillError('EINVAL', 'DECLARE CURSOR is a statement of a transaction: send BEGIN before, or declare it WITH HOLD', {
        details: { sqlstate: '25P01' },
      })
    if (portals.has(name))
      throw new GristmillError('EINVAL', `the cursor ${JSON.stringify(name)} exists`, { details: { sqlstate: '42P03' } })
    portals.checkRoom()
    const { prepared: { types, text: own }, params } = portal
    const cursor: Portal = {
      prepared: { text: own, types, statement: { kind: 'query', sql } }, params, formats: isBinary ? [1] : [],
      ending: new AbortController(), cursor: { isHeld, isNew: true },
    }
    // Its query begins here, so that it fails here.
    await this.#workOn(cursor, () => this.#open(cursor, sql))
    portals.add(name, cursor)
    writer.add('C', cstring('DECLARE CURSOR'))
  }

  /** Rows of a cursor, or of another portal, from where they are. */
  async #opened(name: string): Promise<PortalRows> {
    const portal = this.#deps.portals.get(name)
    const { statement } = portal.prepared
    if (statement.kind !== 'query')
      throw new GristmillError('EINVAL', `the portal ${JSON.stringify(name)} gives no rows`, { details: { sqlstate: '55000' } })
    return this.#workOn(portal, () => this.#open(portal, statement.sql))
  }

  async #step(
    portal: Portal, { name, isMove, target }: PgStatement & { readonly kind: 'fetch' },
    { max, isDescribed }: { readonly max: number; readonly isDescribed: boolean },
  ): Promise<void> {
    const { writer, portals } = this.#deps
    const from = portals.get(name)
    const rows = await this.#opened(name)
    const formats = isDescribed ? from.formats : portal.formats
    if (!portal.fetched) checkFormats(formats, rows.columns.length)
    const { skipped, count } = portal.fetched ? { skipped: 0, count: 0 } : stepsOf(target, rows.count, name)
    if (isDescribed && !isMove) describeRows(writer, rows.columns, formats)
    try {
      await this.#workOn(from, async signal => {
        const next = async (): Promise<readonly SqlValue[] | undefined> => {
          if (writer.isFull) await writer.flush()
          signal.throwIfAborted()
          return rows.next()
        }
        for (let i = 0; i < skipped && await next(); i++) continue
        const state = portal.fetched ??= { given: 0, left: count }
        for (let sent = 0; state.left > 0 && (isMove || max <= 0 || sent < max); sent++) {
          const row = await next()
          if (!row) {
            state.left = 0
            break
          }
          if (!isMove) addRow(writer, row, rows, formats)
          state.given++
          state.left--
        }
        if (state.left > 0) writer.add('s')
        else writer.add('C', cstring(`${isMove ? 'MOVE' : 'FETCH'} ${state.given}`))
      })
    } catch (error) {
      // Rows are lost: what comes next would not be the next row.
      await portals.close(name)
      throw error
    }
  }

  async #copy(portal: Portal, { sql, options }: PgStatement & { readonly kind: 'copy' }, signal: AbortSignal): Promise<void> {
    const { writer } = this.#deps
    const format = copyFormatOf(options)
    const rows = await this.#open(portal, sql)
    writer.add('H', Buffer.from([0]), int16(rows.columns.length), ...rows.columns.map(() => int16(0)))
    if (format.header) writer.add('d', Buffer.from(copyHeader(rows.columns, format)))
    for (let row: readonly SqlValue[] | undefined; (row = await rows.next());) {
      writer.add('d', Buffer.from(copyLine(row, rows.columns, rows.types, format)))
      if (writer.isFull) await writer.flush()
      signal.throwIfAborted()
    }
    writer.add('c')
    writer.add('C', cstring(`COPY ${rows.count}`))
  }

  /** Runs what may take long, until it is cancelled, its time is over, or the client has gone. */
  async #work<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { clock, signal, settings } = this.#deps
    const running = this.#running = new AbortController()
    const timeoutMs = settings.timeoutMs
    const late = timeoutMs > 0
      ? clock.after(timeoutMs, () => running.abort(cancelled('canceling statement due to statement timeout'))) : (): void => {}
    try {
      const done = await work(AbortSignal.any([signal, running.signal]))
      // A call that has not looked at the signal would leave a statement that was cancelled to run.
      running.signal.throwIfAborted()
      return done
    } catch (error) {
      throw running.signal.aborted ? running.signal.reason : error
    } finally {
      late()
      this.#running = undefined
    }
  }

  /** As `#work`; what ends the work ends the query of the portal, too. */
  #workOn<T>(portal: Portal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.#work(async signal => {
      const end = (): void => portal.ending.abort(signal.reason)
      signal.addEventListener('abort', end, { once: true })
      try {
        return await work(signal)
      } finally {
        signal.removeEventListener('abort', end)
      }
    })
  }

  #statement(name: string): Prepared {
    const found = this.#prepared.get(name)
    if (!found) throw new GristmillError('EINVAL', `there is no prepared statement ${JSON.stringify(name)}`,
      { details: { sqlstate: '26000' } })
    return found
  }

  async #close(kind: string, name: string): Promise<void> {
    if (kind === 'S') this.#prepared.delete(name)
    else await this.#deps.portals.close(name)
  }

  async #ready(): Promise<void> {
    this.#deps.writer.add('Z', Buffer.from(this.#block))
    await this.#deps.writer.flush()
  }

  /** Adds ErrorResponse. */
  fail(thrown: unknown, statement: string): void {
    const error = asError(thrown)
    if (error.code === 'INTERNAL' && !hasCode(error, 'ABORTED')) this.#deps.log.error('a statement failed with an unexpected error',
      { error: thrown })
    addError(this.#deps.writer, error, { severity: 'ERROR', statement })
  }
}

/** `S` or `P`, and the name of a prepared statement or portal. */
function targetOf(fields: Fields): [string, string] {
  const target = fields.text()
  return [target.slice(0, 1), target.slice(1)]
}

/** A text is cut into tokens in one turn. */
function checkLength(sql: string): void {
  if (sql.length > sqlCharsMax)
    throw new GristmillError('TOO_LARGE', `the statement has ${sql.length} characters, and may have ${sqlCharsMax}`)
}

const cancelled = (message: string): GristmillError => new GristmillError('ABORTED', message)

export function addError(
  writer: MessageWriter, error: GristmillError, { severity, statement =
    '' }: { readonly severity: 'ERROR' | 'FATAL'; readonly statement?: string },
): void {
  const { message, position } = placed(error.message, statement)
  const fields: [string, string][] = [['S', severity], ['V', severity], ['C', stateOf(error)], ['M', message]]
  if (position !== undefined) fields.push(['P', String(position)])
  writer.add('E', ...fields.flatMap(([code, value]) => [Buffer.from(code, 'latin1'), cstring(value)]), Buffer.from([0]))
}
