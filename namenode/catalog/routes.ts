// Handlers of `table.*`: submit the mutations, and show tables whose paths the caller may read.

import { hasCode } from '../../src/base/errors.ts'
import type { Clock } from '../../src/ports/clock.ts'
import * as protocol from '../../src/protocol/table.ts'
import type { CatalogTable, TableSummary } from '../../src/protocol/table.ts'
import { route, type Route } from '../../src/rpc/serve.ts'
import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import { checkMay, mayRead } from '../namespace/access.ts'
import { find } from '../namespace/asof.ts'
import { numberOf } from '../versions/lookup.ts'
import { alterTable, createTable, dropTable, mayChange } from './mutations.ts'
import { tableAt, tablesAfter } from './rows.ts'

const pageMax = 200
/** Rows with all their columns are decoded for a page: 10 ms. */
const pageBytesMax = 1 << 20

interface CatalogOptions {
  readonly journal: Journal
  readonly clock: Clock
  readonly actor: (user: string) => Actor
}

export function catalogRoutes({ journal, clock, actor }: CatalogOptions): Route[] {
  const { view } = journal
  return [
    route(protocol.create, ({ requestId, table, replace = false }, { user }) =>
      journal.submit(createTable, { requestId, table, replace, nowMs: clock.now(), ...actor(user) })),
    route(protocol.drop, ({ requestId, name, kind }, { user }) =>
      journal.submit(dropTable, { requestId, name, of: kind, nowMs: clock.now(), ...actor(user) })),
    route(protocol.alter, ({ requestId, ...altered }, { user }) =>
      journal.submit(alterTable, { requestId, ...altered, nowMs: clock.now(), ...actor(user) })),
    route(protocol.get, ({ names }, { user }) => {
      const tables = names.map(name => tableAt(view, name)).filter(table => table !== undefined)
      const seen = tables.filter(table => isVisible(view, actor(user), table))
      return { tables: seen.map(table => (isStale(view, actor(user), table) ? { ...table, stale: true as const } : table)) }
    }),
    route(protocol.list, ({ after }, { user }) => {
      const { tables: page, isLast } = tablesAfter(view, after, { limit: pageMax, bytesMax: pageBytesMax })
      const tables = page.filter(table => isVisible(view, actor(user), table)).map(summaryOf)
      return { tables, ...!isLast && { next: page.at(-1)!.name } }
    }),
  ]
}

const summaryOf = ({ name, kind, owner, changedMs, path, comment }: CatalogTable): TableSummary =>
  ({ name, kind, owner, changedMs, ...path !== undefined && { path }, ...comment !== undefined && { comment } })

/** Another version is at the path of the table than the one that has its columns. A path that leads nowhere has no other columns. */
function isStale(view: View, actor: Actor, { path, version, managed }: CatalogTable): boolean {
  if (path === undefined || (version === undefined && !managed)) return false
  try {
    return numberOf(view, find(view, actor, path).entry.id, undefined) !== version
  } catch {
    return false
  }
}

/** Names of columns are those of files: who may not read the path does not see them. */
function isVisible(view: View, actor: Actor, table: CatalogTable): boolean {
  if (table.path === undefined || mayChange(table, actor)) return true
  try {
    const path = table.path.replace(/\/[^/]*[*?[{].*$/, '') || '/'
    checkMay(actor, find(view, actor, path).entry, mayRead, path)
    return true
  } catch (error) {
    // A path that is not there hides nothing.
    return !hasCode(error, 'EACCES')
  }
}
