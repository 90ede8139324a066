// Executes the statement of a portal: settings, transaction blocks, cursors, and queries, whose rows it sends. Each statement reads, and
// none changes anything.

import { GristmillError } from '../../../src/base/errors.ts'
import type { SqlValue } from '../../../src/base/sql.ts'
import { copyFormatOf, copyHeader, copyLine } from './copy.ts'
import { stepsOf } from './cursors.ts'
import { shownType, type Opening } from './opening.ts'
import { addRow, checkFormats, describeRows } from './portal.ts'
import type { Portal, Portals } from './portals.ts'
import type { Prepared } from './prepared.ts'
import type { SettingReports } from './settingreports.ts'
import type { RunningStatement } from './running.ts'
import type { PgSettings } from './settings.ts'
import type { PgStatement } from './statements.ts'
import { cstring, int16, int32, type MessageWriter } from './wire.ts'

interface ExecutionDeps {
  readonly writer: MessageWriter
  readonly settings: PgSettings
  readonly portals: Portals
  /** Prepared statements of the session. */
  readonly prepared: Map<string, Prepared>
  readonly opening: Opening
  readonly reports: SettingReports
  readonly running: RunningStatement
}

interface Execute {
  /** Rows of this message; 0: all. */
  readonly max: number
  /** The rows come with their description. */
  readonly isDescribed: boolean
  /** The statements of one simple query are a transaction, if none is open. */
  readonly isSeries?: boolean
}

export class Execution {
  readonly #deps: ExecutionDeps
  /** State of the transaction block: none, open, failed. */
  block: 'I' | 'T' | 'E' = 'I'

  constructor(deps: ExecutionDeps) { this.#deps = deps }

  /** Throws what the statement fails with; the caller sets the state of the block. */
  async run(portal: Portal, how: Execute): Promise<void> {
    const { writer, settings, portals, running } = this.#deps
    const { statement } = portal.prepared
    const ends = statement.kind === 'transaction' && statement.to === 'end'
    if (this.block === 'E' && !ends)
      throw new GristmillError('EINVAL', 'current transaction is aborted, commands ignored until end of transaction block', {
        details: { sqlstate: '25P02' },
      })
    switch (statement.kind) {
      case 'empty': return writer.add('I')
      case 'transaction':
        if (statement.to === 'begin') {
          this.block = 'T'
          settings.open()
        }
        if (ends) {
          const tag = this.block === 'E' ? 'ROLLBACK' : statement.tag
          await this.#deps.reports.telling(() => settings.end(tag !== 'ROLLBACK'))
          await portals.endTransaction(tag !== 'ROLLBACK')
          writer.add('C', cstring(tag))
          this.block = 'I'
          return
        }
        return writer.add('C', cstring(statement.tag))
      case 'set': {
        await this.#deps.reports.telling(() => settings.set(statement.name, statement.value, statement.isLocal))
        return writer.add('C', cstring(statement.tag))
      }
      case 'show': return this.#show(statement.name, how)
      case 'forget': {
        const { what, name: only } = statement
        const { prepared } = this.#deps
        const dropped = what === 'statement' || what === 'all' ? prepared.keys() : []
        for (const name of dropped) if ((only ?? name) === name) prepared.delete(name)
        if (what === 'settings' || what === 'all') await this.#deps.reports.telling(() => settings.clear())
        if (what === 'all') await portals.closeAll()
        return writer.add('C', cstring(statement.tag))
      }
      case 'declare': return this.#declare(portal, statement, how)
      case 'fetch': return this.#step(portal, statement, how)
      case 'close': {
        if (statement.name === undefined) await portals.closeAll()
        else {
          portals.get(statement.name)
          await portals.close(statement.name)
        }
        return writer.add('C', cstring('CLOSE CURSOR'))
      }
      case 'copy': return running.workOn(portal, signal => this.#copy(portal, statement, signal))
      default: return running.workOn(portal, signal => this.#send(portal, statement.sql, { ...how, signal }))
    }
  }

  #show(name: string, { isDescribed }: Execute): void {
    const { writer, settings } = this.#deps
    const value = Buffer.from(settings.get(name))
    if (isDescribed) describeRows(writer, [{ name, type: shownType }], [])
    writer.add('D', int16(1), int32(value.length), value)
    writer.add('C', cstring('SHOW'))
  }

  async #send(
    portal: Portal, sql: string, { max, isDescribed, signal }: Execute & { readonly signal: AbortSignal },
  ): Promise<void> {
    const { writer } = this.#deps
    const rows = await this.#deps.opening.open(portal, sql)
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

  async #declare(portal: Portal, statement: PgStatement & { readonly kind: 'declare' }, { isSeries }: Execute): Promise<void> {
    const { writer, portals, running } = this.#deps
    const { name, sql, isHeld, isBinary } = statement
    if (!isHeld && this.block === 'I' && !isSeries)
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
    await running.workOn(cursor, () => this.#deps.opening.open(cursor, sql))
    portals.add(name, cursor)
    writer.add('C', cstring('DECLARE CURSOR'))
  }

  async #step(
    portal: Portal, { name, isMove, target }: PgStatement & { readonly kind: 'fetch' }, { max, isDescribed }: Execute,
  ): Promise<void> {
    const { writer, portals, running } = this.#deps
    const from = portals.get(name)
    const rows = await this.#deps.opening.opened(name)
    const formats = isDescribed ? from.formats : portal.formats
    if (!portal.fetched) checkFormats(formats, rows.columns.length)
    const { skipped, count } = portal.fetched ? { skipped: 0, count: 0 } : stepsOf(target, rows.count, name)
    if (isDescribed && !isMove) describeRows(writer, rows.columns, formats)
    try {
      await running.workOn(from, async signal => {
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
    const rows = await this.#deps.opening.open(portal, sql)
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
}
