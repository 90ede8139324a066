// One session of a client: the state machine of the PostgreSQL protocol after the start. It answers one message after the other, and knows
// the prepared statements; execution.ts executes them. An error ends its statement; after one in the extended protocol, messages are
// skipped up to the next Sync.

import { asError, GristmillError, hasCode } from '../../../src/base/errors.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Log } from '../../../src/ports/log.ts'
import { addError } from './errors.ts'
import { Execution } from './execution.ts'
import { Opening, shownType, type Queries } from './opening.ts'
import { checkFormats, describeRows, formatOf } from './portal.ts'
import { namedMax, type Portal, type Portals } from './portals.ts'
import { preparedOf, type Prepared } from './prepared.ts'
import { SettingReports } from './settingreports.ts'
import { RunningStatement } from './running.ts'
import { sqlCharsMax } from '../../sql/statement.ts'
import type { PgSettings } from './settings.ts'
import { sqlStatements } from '../../../src/base/sqltokens.ts'
import { oids } from './types.ts'
import { openArray, parameterOf } from './values.ts'
import { Fields, int16, int32, type ClientMessage, type MessageReader, type MessageWriter } from './wire.ts'

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

export class PgSession {
  readonly #deps: SessionDeps
  readonly #prepared = new Map<string, Prepared>()
  readonly #running: RunningStatement
  readonly #opening: Opening
  readonly #execution: Execution
  #skips = false
  #turnAt = 0

  constructor(deps: SessionDeps) {
    this.#deps = deps
    const reports = new SettingReports(deps)
    const running = this.#running = new RunningStatement(deps)
    const opening = this.#opening = new Opening({ ...deps, reports, running })
    this.#execution = new Execution({ ...deps, prepared: this.#prepared, opening, reports, running })
  }

  /** Ends the statement that runs, by the wish of its client. */
  cancel(): void { this.#running.cancel() }

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
      if (this.#execution.block === 'I') await this.#deps.portals.endTransaction(!this.#skips)
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
      if (this.#execution.block === 'T') this.#execution.block = 'E'
      if (message.type !== 'Q') this.#skips = true
    }
    if (message.type === 'Q') {
      if (this.#execution.block === 'I') await this.#deps.portals.endTransaction(isDone)
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
      await this.#execution.run(portal, { max, isDescribed: false })
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
        await this.#execution.run(portal, { max: 0, isDescribed: true, isSeries: statements.length > 1 })
      } finally {
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
      const columns = await this.#opening.columnsOf(prepared)
      writer.add('t', int16(prepared.types.length), ...prepared.types.map(oid => int32(shownTypes[oid] ?? oid)))
      return columns ? describeRows(writer, columns, []) : writer.add('n')
    }
    const portal = this.#deps.portals.get(name)
    on(portal.prepared.text)
    const { statement } = portal.prepared
    if (statement.kind === 'show') return describeRows(writer, [{ name: statement.name, type: shownType }], portal.formats)
    if (statement.kind === 'fetch' && !statement.isMove)
      return describeRows(writer, (await this.#opening.opened(statement.name)).columns, portal.formats)
    if (statement.kind !== 'query') return writer.add('n')
    const { columns } = await this.#running.workOn(portal, () => this.#opening.open(portal, statement.sql))
    return describeRows(writer, columns, portal.formats)
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
    this.#deps.writer.add('Z', Buffer.from(this.#execution.block))
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
