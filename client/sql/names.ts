// Names of tables in a query that are no paths: tables and views of the catalogue. A table is read at its path, in the version that the
// name may have; a view becomes a table expression in front of the query.

import { GristmillError } from '../../src/base/errors.ts'
import { quotedName } from '../../src/base/sql.ts'
import { afterBlanks, sqlStatements, sqlTokens, wordAt } from '../../src/base/sqltokens.ts'
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
  /** Names of views that it reads, also through others. */
  readonly views: readonly string[]
}

interface Query { readonly sql: string; readonly tables: readonly string[] }

interface ResolveTools {
  readonly ask: CallMessage
  readonly signal: AbortSignal | undefined
  /** True for names that are paths, and of tables that the program of the query gives. */
  readonly isPath: (name: string) => boolean
  /** True for names of tables that the program of the query gives. They are tables of its text, and not of the views that it reads. */
  readonly isGiven: (name: string) => boolean
  /** Names of tables in the query of a view. */
  readonly read: (sql: string) => Promise<Query>
}

/**
 * Names that are not in the catalogue are left as they are. Throws EINVAL for a view that reads a name which the program has given to a
 * table of its own: the text of the view means another table.
 */
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
        const captured = inner.find(tools.isGiven)
        if (captured !== undefined)
          throw new GristmillError('EINVAL', `the view ${entry.name} reads ${captured}, and the program gives the query a table of this `
            + 'name; give the table of the program another name')
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
  return {
    sql: withViews(query.sql, views), names: distinct(names, tables), tables: [...tables.values()], views: views.map(([name]) => name),
  }
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

/** Names of the table expressions with which a query begins, in lower case, and the place of the first one. */
function expressionsOf(
  query: string,
): { readonly names: readonly string[]; readonly isRecursive: boolean; readonly start: number } {
  let start = afterBlanks(query, 'with'.length)
  const isRecursive = wordAt(query, start) === 'RECURSIVE'
  if (isRecursive) start = afterBlanks(query, start + 'recursive'.length)
  const names: string[] = []
  let depth = 0
  let before: 'comma' | 'body' | 'other' = 'comma'
  let hasBody = false
  const rest = query.slice(start)
  for (const { kind, start: at, end } of sqlTokens(rest)) {
    if (kind === 'blank' || kind === 'comment') continue
    const text = rest.slice(at, end)
    if (depth === 0 && before === 'body' && text !== ',') break
    if (depth === 0 && before === 'comma') {
      names.push((kind === 'name' ? text.slice(1, -1).replaceAll('""', '"') : text).toLowerCase())
      hasBody = false
    }
    if (depth === 0 && text.toUpperCase() === 'AS') hasBody = true
    if (text === '(') depth++
    if (text === ')') depth--
    before = depth > 0 ? 'other' : text === ',' ? 'comma' : text === ')' && hasBody ? 'body' : 'other'
  }
  return { names, isRecursive, start }
}

/** Puts table expressions in front of the query. */
function withViews(sql: string, views: ReadonlyArray<readonly [string, string]>): string {
  if (views.length === 0) return sql
  const list = views.map(([name, query]) => `${quotedName(name)} AS (${sqlStatements(query)[0]!.trim()}\n)`).join(', ')
  const start = afterBlanks(sql)
  const [blank, query] = [sql.slice(0, start), sql.slice(start)]
  if (wordAt(query, 0) === 'WITH') {
    const own = expressionsOf(query)
    const clash = views.find(([name]) => own.names.includes(name.toLowerCase()))
    if (clash)
      throw new GristmillError('EINVAL', `the query has a table expression ${clash[0]}, and reads a view of this name; give it another name`)
    return `${blank}WITH ${own.isRecursive ? 'RECURSIVE ' : ''}${list}, ${query.slice(own.start)}`
  }
  const [described, word, rest] = /^(describe|summarize)\s+([^]*)$/i.exec(query) ?? []
  if (described !== undefined)
    return `${blank}${word!} WITH ${list} ${/^(?:select|from|values|\()/i.test(rest!) ? rest! : `FROM ${rest!}`}`
  return `${blank}WITH ${list} ${query}`
}
