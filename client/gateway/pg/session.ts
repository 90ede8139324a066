// One session of a client: the state machine of the PostgreSQL protocol after the start. Statements run one at a time, as the user of the
// session; each reads, and none changes anything. An error ends its statement; after one in the extended protocol, messages are skipped up
// to the next Sync.

import { asError, GristmillError, hasCode } from '../../../src/base/errors.ts'
import type { SqlColumn, SqlValue } from '../../../src/base/sql.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Log } from '../../../src/ports/log.ts'
import { copyFormatOf, copyHeader, copyLine } from './copy.ts'
import { placed, stateOf } from './errors.ts'
import { addRow, checkFormats, describeRows, formatOf, PortalRows, type OpenedQuery } from './portal.ts'
import { sqlCharsMax } from '../../sql/statement.ts'
import { PgSettings } from './settings.ts'
import { sqlStatements } from '../../../src/base/sqltokens.ts'
import { readPgStatement, wordsOf, type PgStatement } from './statements.ts'
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
  readonly clock: Pick<Clock, 'after'>
  readonly log: Pick<Log, 'error'>
  readonly reader: MessageReader
  readonly writer: MessageWriter
  readonly queries: Queries
  readonly settings: PgSettings
  /** Aborted when the client has gone, or the gateway ends. */
  readonly signal: AbortSignal
}

interface Prepared {
  readonly text: string
  readonly statement: PgStatement
  readonly types: readonly number[]
  described?: readonly SqlColumn[]
}

interface Portal {
  readonly prepared: Prepared
  readonly params: readonly unknown[]
  readonly formats: readonly number[]
  /** Ends its query, which may be opened by one message and read by later ones. */
  readonly ending: AbortController
  rows?: PortalRows
}

/** Open types as a client is told them: texts, and arrays of texts. */
const shownTypes: Readonly<Record<number, number>> = { 0: oids.text, [openArray]: 1009 }
/** Prepared statements and portals of one session. */
const namedMax = 1000
const text: SqlColumn['type'] = { kind: 'plain', name: 'VARCHAR' }

export class PgSession {
  readonly #deps: SessionDeps
  readonly #prepared = new Map<string, Prepared>()
  readonly #portals = new Map<string, Portal>()
  /** State of the transaction block: none, open, failed. */
  #block: 'I' | 'T' | 'E' = 'I'
  #skips = false
  #running: AbortController | undefined

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
      for (const { rows } of this.#portals.values()) await rows?.close().catch(() => {})
    }
  }

  async #answer(message: ClientMessage): Promise<void> {
    const { writer } = this.#deps
    if (message.type === 'S') {
      this.#skips = false
      if (this.#block === 'I') await this.#forgetPortals()
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
    try {
      await answer(fields, sql => { statement = sql })
    } catch (error) {
      if (this.#deps.signal.aborted) throw error
      this.fail(error, statement)
      if (this.#block === 'T') this.#block = 'E'
      if (message.type !== 'Q') this.#skips = true
    }
    if (message.type === 'Q') return this.#ready()
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
      const portal = this.#portal(name)
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
      on(own)
      const portal: Portal = { prepared: preparedOf(own, []), params: [], formats: [], ending: new AbortController() }
      try {
        await this.#execute(portal, { max: 0, isDescribed: true })
      } finally {
        await portal.rows?.close()
      }
    }
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
    if (this.#portals.size >= namedMax) throw new GristmillError('OVERLOADED', `a session has at most ${namedMax} portals`)
    this.#portals.set(name, { prepared, params, formats, ending: new AbortController() })
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
    const portal = this.#portal(name)
    on(portal.prepared.text)
    const { statement } = portal.prepared
    if (statement.kind === 'show') return describeRows(writer, [{ name: statement.name, type: text }], portal.formats)
    if (statement.kind !== 'query') return writer.add('n')
    const rows = await this.#workOn(portal, () => this.#open(portal, statement.sql))
    describeRows(writer, rows.columns, portal.formats)
  }

  /** undefined: it gives no rows. */
  async #columnsOf(prepared: Prepared): Promise<readonly SqlColumn[] | undefined> {
    const { statement, types } = prepared
    if (statement.kind === 'show') return [{ name: statement.name, type: text }]
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
        return writer.add('C', cstring(statement.tag))
      }
      case 'copy': return this.#workOn(portal, signal => this.#copy(portal, statement, signal))
      default: return this.#workOn(portal, signal => this.#send(portal, statement.sql, { max, isDescribed, signal }))
    }
  }

  /** Changes settings, and tells the client the new values of those that it was told at the start. */
  #telling(change: () => void): void {
    const { writer, settings } = this.#deps
    const before = new Map(settings.reported)
    change()
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
    const rows = new PortalRows(await this.#deps.queries.open(sql, params, ending.signal))
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

  #portal(name: string): Portal {
    const found = this.#portals.get(name)
    if (!found) throw new GristmillError('EINVAL', `there is no portal ${JSON.stringify(name)}`, { details: { sqlstate: '34000' } })
    return found
  }

  async #close(kind: string, name: string): Promise<void> {
    if (kind === 'S') return void this.#prepared.delete(name)
    const portal = this.#portals.get(name)
    this.#portals.delete(name)
    await portal?.rows?.close().catch(() => {})
  }

  async #forgetPortals(): Promise<void> {
    for (const name of this.#portals.keys()) await this.#close('P', name)
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

/**
 * Types that the client leaves out are open; the number of parameters is the statement's. An open one that the statement casts to a list,
 * or compares with any of its elements, is an array, and one that it casts to bytes is bytes: their texts have forms of their own.
 */
function preparedOf(sql: string, given: readonly number[]): Prepared {
  const words = wordsOf(sql)
  const most = [...words.matchAll(/\$(\d{1,5})/g)].reduce((max, [, number]) => Math.max(max, Number(number)), 0)
  const arrays = new Set([...words.matchAll(arrayForms)].map(([, any, cast]) => Number(any ?? cast)))
  const bytes = new Set([...words.matchAll(bytesForms)].map(([, cast, inner]) => Number(cast ?? inner)))
  const open = (i: number): number => (arrays.has(i) ? openArray : bytes.has(i) ? oids.bytea : 0)
  const types = Array.from({ length: Math.max(most, given.length) }, (_, i) => given[i] || open(i + 1))
  return { text: sql, statement: readPgStatement(sql), types }
}

/** `any($1)` and `$1::numeric(9, 2)[]`. Bounded, because the text comes from a client. */
const arrayForms = /\bany {0,9}\( {0,9}\$(\d{1,5})\b|\$(\d{1,5}) {0,9}:: {0,9}\w{1,60}(?:\([^)]{0,20}\))? {0,9}\[/gi

/** `$1::bytea` and `cast($1 as bytea)`. */
const bytesForms = /\$(\d{1,5}) {0,9}:: {0,9}(?:bytea|blob)\b|\bcast {0,9}\( {0,9}\$(\d{1,5}) {1,9}as {1,9}(?:bytea|blob)\b/gi

/** A value of a type, for the columns of a statement whose values are not known. */
function sampleOf(oid: number): unknown {
  switch (oid) {
    case oids.int2: case oids.int4: case oids.int8: return 1n
    case oids.float4: case oids.float8: return 0.5
    case oids.bool: return true
    case oids.text: case oids.varchar: return ''
    default: return null
  }
}
