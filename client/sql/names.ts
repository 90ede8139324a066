// Names of tables in a query that are no paths: tables and views of the catalogue. A table is read at its path, in the version that the
// name may have; a view becomes a table expression in front of the query.

import { GristmillError } from '../../src/base/errors.ts'
import { quotedName } from '../../src/base/sql.ts'
import * as protocol from '../../src/protocol/table.ts'
import { tableNameForm, type CatalogTable } from '../../src/protocol/table.ts'
import type { CallMessage } from '../call/cluster.ts'

/** Views may name views: a chain of this length is taken for a circle. */
const viewDepthMax = 32

export interface NamedTable {
  /** As the query has it. */
  readonly name: string
  /** Path with the version. */
  readonly path: string
  readonly table: CatalogTable
}

export interface ResolvedQuery {
  /** The query with its views. */
  readonly sql: string
  /** Names that are read, without those of views. */
  readonly names: readonly string[]
  readonly tables: readonly NamedTable[]
}

interface Query { readonly sql: string; readonly tables: readonly string[] }

interface ResolveTools {
  readonly ask: CallMessage
  readonly signal: AbortSignal | undefined
  /** True for names that are paths. */
  readonly isPath: (name: string) => boolean
  /** Names of tables in the query of a view. */
  readonly read: (sql: string) => Promise<Query>
}

/** Names that are not in the catalogue are left as they are. */
export async function resolveNames(query: Query, tools: ResolveTools): Promise<ResolvedQuery> {
  const tables = new Map<string, NamedTable>()
  const views: Array<readonly [name: string, sql: string]> = []
  const seen = new Set<string>()
  const names: string[] = []
  const visit = async (found: readonly string[], depth: number): Promise<void> => {
    if (depth > viewDepthMax) throw new GristmillError('EINVAL', 'the views of the query name one another in a circle')
    const entries = await entriesOf(found.filter(name => !tools.isPath(name)), tools)
    for (const name of found) {
      const key = name.toLowerCase()
      const [own, version] = versionOf(name)
      const entry = entries.get(own.toLowerCase())
      if (entry?.kind === 'view' && version === undefined) {
        if (seen.has(key) && views.some(([view]) => view.toLowerCase() === key)) continue
        seen.add(key)
        const { sql, tables: inner } = await tools.read(entry.sql!)
        await visit(inner, depth + 1)
        views.push([entry.name, sql])
      } else if (!tables.has(key) && !names.includes(name)) {
        names.push(name)
        if (entry?.kind === 'table')
          tables.set(key, { name, path: version === undefined ? entry.path! : `${entry.path!}@${version}`, table: entry })
      }
    }
  }
  await visit(query.tables, 0)
  return { sql: withViews(query.sql, views), names: distinct(names, tables), tables: [...tables.values()] }
}

/** A name of the catalogue in two cases is one table; those of paths differ. */
const distinct = (names: readonly string[], tables: ReadonlyMap<string, NamedTable>): string[] =>
  names.filter(name => tables.get(name.toLowerCase())?.name !== undefined ? tables.get(name.toLowerCase())!.name === name : true)

/** `flights@3` is version 3 of the table. */
function versionOf(name: string): readonly [name: string, version?: string] {
  const [, own, version] = /^([^@]+)@([\w-]+)$/.exec(name) ?? []
  return own !== undefined && version !== undefined ? [own, version] : [name]
}

async function entriesOf(names: readonly string[], { ask, signal }: ResolveTools): Promise<Map<string, CatalogTable>> {
  const wanted = [...new Set(names.map(name => versionOf(name)[0]))].filter(name => tableNameForm.test(name))
  const found = new Map<string, CatalogTable>()
  for (let at = 0; at < wanted.length; at += protocol.tablesAskedMax) {
    const { tables } = await ask(protocol.get, { names: wanted.slice(at, at + protocol.tablesAskedMax) }, signal)
    for (const table of tables) found.set(table.name.toLowerCase(), table)
  }
  return found
}

/** Puts table expressions in front of the query. */
function withViews(sql: string, views: ReadonlyArray<readonly [string, string]>): string {
  if (views.length === 0) return sql
  const list = views.map(([name, query]) => `${quotedName(name)} AS (${query.trim().replace(/(?:;\s*)+$/, '')}\n)`).join(', ')
  const [blank = ''] = /^(?:\s|--[^\n]*\n|\/\*[^]*?\*\/)*/.exec(sql) ?? []
  const query = sql.slice(blank.length)
  const [own, recursive = ''] = /^with\s+(recursive\s+)?/i.exec(query) ?? []
  if (own !== undefined) return `${blank}WITH ${recursive}${list}, ${query.slice(own.length)}`
  const [described, word, rest] = /^(describe|summarize)\s+([^]*)$/i.exec(query) ?? []
  if (described !== undefined)
    return `${blank}${word!} WITH ${list} ${/^(?:select|from|values|\()/i.test(rest!) ? rest! : `FROM ${rest!}`}`
  return `${blank}WITH ${list} ${query}`
}
