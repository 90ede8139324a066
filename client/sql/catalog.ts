// `mill.tables`: the catalogue of tables and views. SQL reads them by their names; statements such as CREATE TABLE change it.

import { GristmillError } from '../../src/base/errors.ts'
import * as protocol from '../../src/protocol/table.ts'
import { tableNameForm, type CatalogTable, type TableSummary } from '../../src/protocol/table.ts'
import { callOptions, shown, type CallOptions } from '../call/arguments.ts'
import type { CallMessage } from '../call/cluster.ts'
import { paged } from '../call/pages.ts'
import { during, perform } from '../call/perform.ts'
import { currentTable, type ShapeAt } from './current.ts'
import type { ColumnsOf } from './viewcolumns.ts'

interface CatalogDeps {
  readonly ask: CallMessage
  /** Looks at the files of tables that were published again since the catalogue had their columns. */
  readonly shapes: (signal: AbortSignal | undefined) => ShapeAt
  /** Columns of the queries of views. */
  readonly columns: (signal: AbortSignal | undefined) => ColumnsOf
}

export class Catalog {
  readonly #ask: CallMessage
  readonly #deps: CatalogDeps

  constructor(deps: CatalogDeps) {
    this.#ask = deps.ask
    this.#deps = deps
  }

  /** Tables and views in the order of their names, but for those whose paths the caller may not read. */
  async *list(options?: CallOptions | null): AsyncGenerator<TableSummary, void, undefined> {
    const { signal } = await during('table', undefined, async () => callOptions('list', options)())
    const ask = (after?: string) => this.#ask(protocol.list, after === undefined ? {} : { after }, signal)
    for await (const page of paged((after?: string) => during('table', undefined, () => ask(after), signal))) yield* page.tables
  }

  /**
   * A table or view with its columns and their types, as its files have them, or its query gives them, now. Throws ENOENT, also for one
   * whose path the caller may not read.
   */
  describe(name: string, options?: CallOptions | null): Promise<CatalogTable> {
    return perform('table', undefined, callOptions('describe', options), async ({ signal }) => {
      const { tables: [table] } = await this.#ask(protocol.get, { names: [tableNameOf(name)] }, signal)
      if (!table) throw new GristmillError('ENOENT', `there is no table or view ${name}`, { details: { table: name } })
      const { ask, shapes, columns } = this.#deps
      return currentTable(table, { ask, shape: shapes(signal), columns: columns(signal), signal })
    })
  }
}

function tableNameOf(name: string): string {
  if (typeof name === 'string' && tableNameForm.test(name)) return name
  throw new GristmillError('EINVAL', `the name of a table has at most 128 letters, digits, "_" and "$"; it is ${shown(name)}`)
}
