// Columns of a view as its query gives them now. The catalogue keeps those of the time when it was made; its tables may have others since.

import { hasCode } from '../../src/base/errors.ts'
import { typeText, type SqlColumn } from '../../src/base/sql.ts'
import { sqlTokens } from '../../src/base/sqltokens.ts'
import * as protocol from '../../src/protocol/table.ts'
import { tableNameForm, type CatalogTable } from '../../src/protocol/table.ts'
import type { CallMessage } from '../call/cluster.ts'

/** Columns of a query. */
export type ColumnsOf = (sql: string) => Promise<readonly SqlColumn[]>

interface ViewTools { readonly ask: CallMessage; readonly columns: ColumnsOf; readonly signal: AbortSignal | undefined }

/** Views may name views; those that name one another in a circle cannot be read. */
const depthMax = 32

/** The view with the columns that its query gives now; with those that it had, if it cannot be read any more, or not by the caller. */
export async function currentView(view: CatalogTable, tools: ViewTools): Promise<CatalogTable> {
  if (await isCurrent(view, tools, 0)) return view
  try {
    const columns = (await tools.columns(view.sql!)).map(({ name, type }) => ({ name, type: typeText(type) }))
    const commentOf = (name: string) => view.columns.find(each => each.name.toLowerCase() === name.toLowerCase())?.comment
    return {
      ...view, columns: columns.map(each => ({ ...each, ...commentOf(each.name) !== undefined && { comment: commentOf(each.name)! } })),
    }
  } catch (error) {
    tools.signal?.throwIfAborted()
    if (hasCode(error, 'ENOENT', 'EACCES', 'EINVAL', 'ENOTDIR', 'TOO_LARGE')) return view
    throw error
  }
}

/** True if nothing that the query names has changed since: it names tables and views of the catalogue only. */
async function isCurrent(view: CatalogTable, tools: ViewTools, depth: number): Promise<boolean> {
  const names = namesIn(view.sql!)
  if (names === undefined || depth > depthMax) return false
  for (let at = 0; at < names.length; at += protocol.tablesAskedMax) {
    const { tables } = await tools.ask(protocol.get, { names: names.slice(at, at + protocol.tablesAskedMax) }, tools.signal)
    for (const table of tables) {
      if (table.stale || table.changedMs >= view.changedMs) return false
      if (table.kind === 'view' && !await isCurrent(table, tools, depth + 1)) return false
    }
  }
  return true
}

/** Words that may be names of tables; undefined: the query may read paths, or versions of tables. */
function namesIn(sql: string): string[] | undefined {
  const found = new Set<string>()
  for (const { kind, start, end } of sqlTokens(sql)) {
    const text = sql.slice(start, end)
    const name = kind === 'name' ? text.slice(1, -1) : text
    if ((kind === 'text' || kind === 'name') && /[/.@:]/.test(text)) return undefined
    if ((kind === 'word' || kind === 'name') && tableNameForm.test(name)) found.add(name.toLowerCase())
  }
  return [...found]
}
