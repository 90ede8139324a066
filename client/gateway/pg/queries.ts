// Queries of one session: over data with `mill.sql`, as the session's user, and over the catalogue in an engine of the session's own.

import { GristmillError, hasCode } from '../../../src/base/errors.ts'
import { sqlTokens } from '../../../src/base/sqltokens.ts'
import type { SqlColumn } from '../../../src/base/sql.ts'
import type { OpenDatabase } from '../../../src/ports/database.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Mill } from '../../mill.ts'
import { readCommand } from '../../sql/command.ts'
import { isCatalogueQuery, openCatalogue, type Catalogue, type ListedTable } from './catalogue.ts'
import type { SqlParams } from '../../sql/statement.ts'
import { usedParams, withLists } from './openlists.ts'
import type { Queries } from './opening.ts'
import type { OpenedQuery } from './portal.ts'
import type { Portals } from './portals.ts'
import { configured, withSession, type Self } from './sessionvalues.ts'
import type { PgSettings } from './settings.ts'

/** Open queries of all sessions: each may have a gibibyte of memory. */
const queriesMax = 16

/** Tables that a session lists: each costs a millisecond. */
const listedMax = 1000
/** Columns of tables that are published under the same names are at most so old. */
const freshMs = 5_000

interface QueriesDeps {
  readonly mill: Mill
  readonly openDatabase: OpenDatabase
  /** Number of open queries, of all sessions. */
  readonly slots: { open: number }
  readonly clock: Pick<Clock, 'now'>
  readonly settings: PgSettings
  readonly portals: Pick<Portals, 'cursors'>
}

export class SessionQueries implements Queries {
  readonly #deps: QueriesDeps
  readonly #self: Self
  #catalogue: Catalogue | undefined
  /** The tables and views that the catalogue was made of, and when. */
  #listed: { readonly summaries: string; readonly at: number } | undefined

  constructor(deps: QueriesDeps, self: Self) {
    this.#deps = deps
    this.#self = self
  }

  async open(text: string, given: readonly unknown[], signal: AbortSignal): Promise<OpenedQuery> {
    const { sql, params } = withLists(text, given)
    const catalogue = await this.#asked(sql, params)
    if (catalogue) return this.#configuring(catalogue, { sql, params, signal })
    refuseChange(sql)
    const { slots, mill, settings } = this.#deps
    if (slots.open >= queriesMax)
      throw new GristmillError('OVERLOADED',
        `this gateway has ${queriesMax} open queries already; try again in a moment, or ask another gateway`)
    const own = withSession(withBytes(sql), this.#self, settings)
    slots.open++
    try {
      const running = await mill.sql(own, params, { signal }).run()
      let isOpen = true
      return {
        columns: running.columns, batches: () => running.batches(),
        async close() {
          if (isOpen) slots.open--
          isOpen = false
          await running[Symbol.asyncDispose]()
        },
      }
    } catch (error) {
      slots.open--
      throw error
    }
  }

  async columns(sql: string, params: readonly unknown[], signal: AbortSignal): Promise<readonly SqlColumn[]> {
    const catalogue = await this.#asked(sql, params)
    if (catalogue) {
      const query = await this.#fromCatalogue(catalogue, { sql, params, signal })
      await query.close()
      return query.columns
    }
    refuseChange(sql)
    return this.#deps.mill.sql(withSession(withBytes(sql), this.#self, this.#deps.settings), params, { signal }).columns()
  }

  close(): void { this.#catalogue?.close() }

  /** The catalogue, if the query asks it, and not tables of the cluster. */
  async #asked(sql: string, params: SqlParams): Promise<Catalogue | undefined> {
    if (!isCatalogueQuery(sql)) return undefined
    const catalogue = await this.#current()
    await catalogue.tell({ settings: this.#deps.settings.all, cursors: this.#deps.portals.cursors })
    return await catalogue.readsData(sql, params) ? undefined : catalogue
  }

  /** Made again when a name has changed, and after some seconds: files of tables and views are published under the same names. */
  async #current(): Promise<Catalogue> {
    const { mill, openDatabase, clock } = this.#deps
    const found = await Array.fromAsync(mill.tables.list())
    const summaries = JSON.stringify(found)
    const isFresh = this.#listed?.summaries === summaries && clock.now() - this.#listed.at < freshMs
    if (this.#catalogue && isFresh) return this.#catalogue
    const made = await openCatalogue(openDatabase, await describedTables(mill, found.slice(0, listedMax)), this.#self)
    this.#catalogue?.close()
    this.#listed = { summaries, at: clock.now() }
    return this.#catalogue = made
  }

  /** Carries out each set_config of the query; without rows none of them was called. */
  async #configuring(catalogue: Catalogue, asked: CatalogueQuery): Promise<OpenedQuery> {
    const { settings, portals } = this.#deps
    const undo = settings.saved()
    try {
      const sql = await configured(asked.sql, settings, async expressions => {
        const text = `SELECT ${expressions.join(', ')}`
        const { batches } = await catalogue.query(text, usedParams(text, asked.params))
        for await (const [row] of batches()) return row as (string | null)[]
        throw new GristmillError('INTERNAL', 'the SQL engine has returned nothing')
      })
      if (sql === undefined) return await this.#fromCatalogue(catalogue, asked)
      await catalogue.tell({ settings: settings.all, cursors: portals.cursors })
      const query = await this.#fromCatalogue(catalogue, { ...asked, sql, params: usedParams(sql, asked.params) })
      const batches = await Array.fromAsync(query.batches())
      if (batches.every(rows => rows.length === 0)) undo()
      return { ...query, async *batches() { yield* batches } }
    } catch (error) {
      undo()
      throw error
    }
  }

  async #fromCatalogue(catalogue: Catalogue, { sql, params, signal }: CatalogueQuery): Promise<OpenedQuery> {
    const interrupt = (): void => catalogue.interrupt()
    signal.addEventListener('abort', interrupt)
    const close = async (): Promise<void> => {
      signal.removeEventListener('abort', interrupt)
      if (!signal.aborted || this.#catalogue !== catalogue) return
      // An engine that was interrupted runs no other statement.
      this.#catalogue = undefined
      catalogue.close()
    }
    try {
      signal.throwIfAborted()
      return { ...await catalogue.query(sql, params), close }
    } catch (error) {
      await close()
      throw error
    }
  }
}

interface CatalogueQuery { readonly sql: string; readonly params: SqlParams; readonly signal: AbortSignal }

/**
 * The statement with the bytes that clients write into it, '\\x00ff'::bytea, as the engine writes them: it takes \\x00 for a byte, and what
 * follows for characters.
 */
function withBytes(sql: string): string {
  if (!/bytea/i.test(sql)) return sql
  const tokens = [...sqlTokens(sql)].filter(({ kind }) => kind !== 'blank' && kind !== 'comment')
  const word = (i: number): string => (tokens[i] ? sql.slice(tokens[i].start, tokens[i].end).toLowerCase() : '')
  let made = ''
  let at = 0
  for (const [i, { kind, start, end }] of tokens.entries()) {
    const [, hex] = kind === 'text' ? /^'\\x((?:[0-9a-f]{2})+)'$/i.exec(sql.slice(start, end)) ?? [] : []
    if (hex === undefined) continue
    const cast = word(i + 1) === '::' ? word(i + 2) : word(i + 1) + word(i + 2) === '::' ? word(i + 3) : ''
    const isBytes = cast === 'bytea' || word(i - 1) === 'bytea' || (word(i + 1) === 'as' && word(i + 2) === 'bytea')
    if (!isBytes) continue
    made += `${sql.slice(at, start)}'${hex.replaceAll(/../g, byte => `\\x${byte}`)}'`
    at = end
  }
  return made + sql.slice(at)
}

/** Clients take their transactions for real, and a change could not be rolled back. */
function refuseChange(sql: string): void {
  let isChange = true
  try {
    isChange = readCommand(sql) !== undefined
  } catch {
    // It begins as such a statement, and goes on otherwise.
  }
  if (isChange)
    throw new GristmillError(
      'EINVAL', 'this server answers queries and changes nothing; give the statement to gristmill sql', { details: { sqlstate: '0A000' } },
    )
}

/** Tables and views that the user may read, with their columns. */
async function describedTables(mill: Mill, summaries: readonly { readonly name: string }[]): Promise<ListedTable[]> {
  const found: ListedTable[] = []
  for (const { name } of summaries) {
    const table = await mill.tables.describe(name).catch((error: unknown) => {
      // Removed since it was listed.
      if (hasCode(error, 'ENOENT')) return undefined
      throw error
    })
    if (table) found.push(table)
  }
  return found
}
