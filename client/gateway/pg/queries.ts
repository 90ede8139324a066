// Queries of one session: over data with `mill.sql`, as the session's user, and over the catalogue in an engine of the session's own.

import { GristmillError } from '../../../src/base/errors.ts'
import type { SqlColumn } from '../../../src/base/sql.ts'
import type { OpenDatabase } from '../../../src/ports/database.ts'
import type { Mill } from '../../mill.ts'
import { isCatalogueQuery, openCatalogue, type Catalogue, type ListedTable } from './catalogue.ts'
import type { OpenedQuery } from './portal.ts'
import type { Queries } from './session.ts'

/** Open queries of all sessions: each may have a gibibyte of memory. */
const queriesMax = 16

interface QueriesDeps {
  readonly mill: Mill
  readonly openDatabase: OpenDatabase
  /** Number of open queries, of all sessions. */
  readonly slots: { open: number }
  readonly tables?: ((mill: Mill) => Promise<readonly ListedTable[]>) | undefined
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
    if (isCatalogueQuery(sql)) return this.#fromCatalogue(sql, params)
    const { slots, mill } = this.#deps
    if (slots.open >= queriesMax)
      throw new GristmillError('OVERLOADED',
        `this gateway has ${queriesMax} open queries already; try again in a moment, or ask another gateway`)
    slots.open++
    try {
      const running = await mill.sql(sql, params, { signal }).run()
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
    if (isCatalogueQuery(sql)) return (await this.#fromCatalogue(sql, params)).columns
    return this.#deps.mill.sql(sql, params, { signal }).columns()
  }

  close(): void { this.#catalogue?.close() }

  /** The catalogue is read again with each session, not with each query. */
  async #fromCatalogue(sql: string, params: readonly unknown[]): Promise<OpenedQuery> {
    const { mill, openDatabase, tables } = this.#deps
    this.#catalogue ??= await openCatalogue(openDatabase, await tables?.(mill) ?? [], this.#self)
    return { ...await this.#catalogue.query(sql, params), close: async () => {} }
  }
}
