// information_schema in a query: the engine lists its own tables there, so the tables and views of the catalogue are defined in it, without
// rows, before the query runs.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { isTypeText, literalOf, quotedName } from '../../src/base/sql.ts'
import type { Database } from '../../src/ports/database.ts'
import * as protocol from '../../src/protocol/table.ts'
import type { CatalogTable } from '../../src/protocol/table.ts'
import type { CallMessage } from '../call/cluster.ts'
import { paged } from '../call/pages.ts'
import type { SqlTools } from './asked.ts'
import { currentTable, shapesIn } from './current.ts'
import type { Statement } from './statement.ts'
import { informationSchema } from './tablenames.ts'
import type { ColumnsOf } from './viewcolumns.ts'

/** Each costs a millisecond. */
const listedMax = 10_000

interface ListParts {
  readonly tools: SqlTools
  /** Of the queries of views. */
  readonly columns: ColumnsOf
  readonly signal: AbortSignal | undefined
}

/** Does nothing for a query that does not ask what tables there are. */
export async function listTables(db: Database, parts: ListParts, { tables }: Pick<Statement, 'tables'>): Promise<void> {
  if (!tables.includes(informationSchema)) return
  // Without a cluster there are no names.
  const ask = await parts.tools.cluster().then(({ cluster }) => cluster.ask, () => undefined)
  if (!ask) return
  for (const table of await tablesIn(ask, parts)) await define(db, table)
}

async function tablesIn(ask: CallMessage, { tools, columns, signal }: ListParts): Promise<CatalogTable[]> {
  const names: string[] = []
  for await (const page of paged((after?: string) => ask(protocol.list, after === undefined ? {} : { after }, signal))) {
    names.push(...page.tables.map(({ name }) => name))
    if (names.length > listedMax)
      throw new GristmillError('TOO_LARGE', `the catalogue has more than ${listedMax} tables, which information_schema does not list`)
  }
  const found: CatalogTable[] = []
  for (let at = 0; at < names.length; at += protocol.tablesAskedMax) {
    const { tables } = await ask(protocol.get, { names: names.slice(at, at + protocol.tablesAskedMax) }, signal)
    for (const table of tables) {
      try {
        found.push(await currentTable(table, { ask, shape: shapesIn(tools, signal), columns, signal }))
      } catch (error) {
        // Its files went away since, or are not the caller's to read.
        if (!hasCode(error, 'ENOENT', 'EACCES')) throw error
      }
    }
  }
  return found
}

async function define(db: Database, { name, kind, columns, comment }: CatalogTable): Promise<void> {
  const own = quotedName(name)
  const list = (typeOf: (type: string) => string): string =>
    columns.map(column => `CAST(NULL AS ${typeOf(column.type)}) AS ${quotedName(column.name)}`).join(', ')
  const make = (typeOf: (type: string) => string): Promise<void> =>
    db.run(`CREATE ${kind === 'view' ? 'VIEW' : 'TABLE'} ${own} AS SELECT ${list(typeOf)} WHERE false`)
  // A type is a text that the creator of the table has chosen; one that this engine does not know is listed as text.
  await make(type => (isTypeText(type) ? type : 'VARCHAR')).catch(() => make(() => 'VARCHAR'))
  if (comment !== undefined) await db.run(`COMMENT ON ${kind.toUpperCase()} ${own} IS ${literalOf(comment)}`)
}
