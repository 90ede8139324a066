// Queries of one session: over data with `mill.sql`, as the session's user, and over the catalogue in an engine of the session's own.

import { GristmillError, hasCode } from '../../../src/base/errors.ts'
import { sqlTokens } from '../../../src/base/sqltokens.ts'
import type { SqlColumn } from '../../../src/base/sql.ts'
import type { OpenDatabase } from '../../../src/ports/database.ts'
import type { Mill } from '../../mill.ts'
import { readCommand } from '../../sql/command.ts'
import { isCatalogueQuery, openCatalogue, type Catalogue, type ListedTable } from './catalogue.ts'
import type { OpenedQuery } from './portal.ts'
import type { Queries } from './session.ts'

/** Open queries of all sessions: each may have a gibibyte of memory. */
const queriesMax = 16

/** Tables that a session lists: each costs a millisecond. */
const listedMax = 1000

interface QueriesDeps {
  readonly mill: Mill
  readonly openDatabase: OpenDatabase
  /** Number of open queries, of all sessions. */
  readonly slots: { open: number }
}

interface Self { readonly user: string; readonly database: string; readonly pid: number }

export class SessionQueries implements Queries {
  readonly #deps: QueriesDeps
  readonly #self: Self
  #catalogue: Catalogue | undefined

  constructor(deps: QueriesDeps, self: Self) {
    this.#deps = deps
    this.#self = self
  }

  async open(sql: string, params: readonly unknown[], signal: AbortSignal): Promise<OpenedQuery> {
    if (isCatalogueQuery(sql)) return this.#fromCatalogue(sql, params, signal)
    refuseChange(sql)
    const { slots, mill } = this.#deps
    if (slots.open >= queriesMax)
      throw new GristmillError('OVERLOADED',
        `this gateway has ${queriesMax} open queries already; try again in a moment, or ask another gateway`)
    slots.open++
    try {
      const running = await mill.sql(withBytes(sql), params, { signal }).run()
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
    if (isCatalogueQuery(sql)) {
      const query = await this.#fromCatalogue(sql, params, signal)
      await query.close()
      return query.columns
    }
    refuseChange(sql)
    return this.#deps.mill.sql(withBytes(sql), params, { signal }).columns()
  }

  close(): void { this.#catalogue?.close() }

  /** The catalogue is read again with each session, not with each query. */
  async #fromCatalogue(sql: string, params: readonly unknown[], signal: AbortSignal): Promise<OpenedQuery> {
    const { mill, openDatabase } = this.#deps
    const catalogue = this.#catalogue ??= await openCatalogue(openDatabase, await listedTables(mill), this.#self)
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

/**
 * The statement with the bytes that clients write into it, '\\x00ff'::bytea, as the engine writes them: it takes \\x00 for a byte, and what
 * follows for characters.
 */
function withBytes(sql: string): string {
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

/** Tables and views that the user may read; a client lists them all. */
async function listedTables(mill: Mill): Promise<ListedTable[]> {
  const found: ListedTable[] = []
  for await (const { name } of mill.tables.list()) {
    if (found.length >= listedMax) break
    const table = await mill.tables.describe(name).catch((error: unknown) => {
      // Removed since it was listed.
      if (hasCode(error, 'ENOENT')) return undefined
      throw error
    })
    if (table) found.push(table)
  }
  return found
}
