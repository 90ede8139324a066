// Statements that write rows into a table: INSERT INTO, INSERT OVERWRITE, also of single partitions, and OPTIMIZE TABLE. A table is the
// output of a job, so each of them writes all its rows again, over the version that it has read, and anew if another statement has
// published meanwhile.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { quotedName, type SqlColumn, type SqlValue } from '../../src/base/sql.ts'
import { isOutputChanged } from '../../src/protocol/job.ts'
import * as protocol from '../../src/protocol/table.ts'
import type { CatalogTable } from '../../src/protocol/table.ts'
import { list as versionList } from '../../src/protocol/version.ts'
import type { Cluster } from '../call/cluster.ts'
import type { PartitionValue, SqlCommand } from './command.ts'
import { currentTable, describedOf, headOf, tableAt, type ShapeAt } from './current.ts'
import { checkConstants } from './exactconstants.ts'

/** Rows of texts, as a statement returns them. */
export interface CommandRows { readonly names: readonly string[]; readonly rows: ReadonlyArray<readonly (string | null)[]> }

export interface RowsSaved { readonly format?: 'parquet' | 'csv'; readonly overwrite?: boolean; readonly ifVersion?: number }

export interface WritingTools {
  readonly cluster: Cluster
  readonly signal: AbortSignal | undefined
  /** Publishes the rows of a query at a path; resolves once that is done. */
  readonly save: (sql: string, path: string, options: RowsSaved) => Promise<void>
  readonly shape: ShapeAt
  /** The first row of a query. */
  readonly row: (sql: string) => Promise<readonly SqlValue[]>
  /** Columns of a query. */
  readonly columns: (sql: string) => Promise<readonly SqlColumn[]>
}

interface CatalogTools { readonly cluster: Pick<Cluster, 'ask'>; readonly signal: AbortSignal | undefined }

export const said = (result: string): CommandRows => ({ names: ['result'], rows: [[result]] })

export async function found(name: string, { cluster: { ask }, signal }: CatalogTools): Promise<CatalogTable | undefined> {
  const { tables: [table] } = await ask(protocol.get, { names: [name] }, signal)
  return table
}

export async function existing(name: string, tools: CatalogTools): Promise<CatalogTable> {
  const table = await found(name, tools)
  if (!table) throw new GristmillError('ENOENT', `there is no table or view ${name}`, { details: { table: name } })
  return table
}

/** Throws EINVAL for a table whose rows are not those of a statement. */
async function writtenTable(name: string, tools: WritingTools): Promise<CatalogTable> {
  const table = await existing(name, tools)
  if (table.kind === 'view' || !table.managed)
    throw new GristmillError(
      'EINVAL', `${table.name} was not made by CREATE TABLE … AS, so this statement does not write it; write its path: COPY (…) TO`,
    )
  return table
}

/** The rows of the query in the types of the table's columns; columns that it does not give are NULL. */
function rowsFor({ name, columns }: Pick<CatalogTable, 'name' | 'columns'>, query: string, named?: readonly string[]): string {
  const given = named ?? columns.map(column => column.name)
  const isSame = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()
  const wanted = given.map(each => {
    const found = columns.find(column => isSame(column.name, each))
    if (!found) throw new GristmillError('EINVAL', `${name} has no column ${each}; it has ${columns.map(column => column.name).join(', ')}`)
    return found
  })
  if (new Set(wanted).size < wanted.length) throw new GristmillError('EINVAL', 'a column is named twice')
  const none = wanted.map(({ type }, i) => `CAST(NULL AS ${type}) AS c${i}`)
  const list = columns.map(column => {
    const at = wanted.indexOf(column)
    return `CAST(${at < 0 ? 'NULL' : `c${at}`} AS ${column.type}) AS ${quotedName(column.name)}`
  })
  // The union has as many columns on both sides, or is an error of the engine.
  return `SELECT ${list.join(', ')} FROM (SELECT ${none.join(', ')} WHERE false UNION ALL (${query}\n)) AS t`
}

/** The rows of the query take the places of all rows of the table, or of those of the partitions. */
export async function overwritten(
  { name, query, partition }: Extract<SqlCommand, { kind: 'insert overwrite' }>, tools: WritingTools,
): Promise<CommandRows> {
  const table = await writtenTable(name, tools)
  if (partition) {
    await checkConstants(table.columns, partition, tools.row)
    const fixed = partition.flatMap(({ column, value }) => (value === undefined ? [] : [column.toLowerCase()]))
    const takes = table.columns.map(column => column.name).filter(each => !fixed.includes(each.toLowerCase()))
    await counted({ name: table.name, takes, query }, tools, () =>
      rewritten(table, tools, (now, own) => partitionRows(now, own, { query, partition })))
    return said(`overwrote ${partition.map(each => each.column).join(', ')} of ${table.name}`)
  }
  const { cluster: { ask }, shape, signal } = tools
  const own = await currentTable(table, { ask, shape, signal })
  await counted({ name: table.name, takes: own.columns.map(column => column.name), query }, tools, () =>
    savedOver(table, tools, rowsFor(own, query), { overwrite: true }))
  await described(table, tools)
  return said(`overwrote ${table.name}`)
}

interface Counted { readonly name: string; readonly takes: readonly string[]; readonly query: string }

/** Says how many columns the statement takes, if its query has another number of them. */
async function counted({ name, takes, query }: Counted, { columns }: WritingTools, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!/Set operations can only apply to expressions with the same number of result columns/.test((error as Error).message)) throw error
    const given = await columns(query).catch(() => undefined)
    if (!given || given.length === takes.length) throw error
    const [wanted, found] = [takes.length, given.length].map(count => `${count} ${count === 1 ? 'column' : 'columns'}`)
    throw new GristmillError(
      'EINVAL', `the statement takes ${wanted} of ${name} (${takes.join(', ')}), and its query gives ${found}`, { cause: error },
    )
  }
}

/**
 * The rows of the table outside of the partitions, and those of the query. A partition is the rows that have the values of its columns: all
 * given as constants, or those that occur in the query.
 */
function partitionRows(
  now: string, { name, columns }: CatalogTable,
  { query, partition }: { readonly query: string; readonly partition: readonly PartitionValue[] },
): string {
  const isSame = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()
  const parts = partition.map(({ column, value }) => {
    const found = columns.find(each => isSame(each.name, column))
    if (!found) throw new GristmillError('EINVAL', `${name} has no column ${column}; it has ${columns.map(each => each.name).join(', ')}`)
    return { column: found, value }
  })
  if (new Set(parts.map(({ column }) => column)).size < parts.length) throw new GristmillError('EINVAL', 'a column is named twice')
  const fixed = parts.flatMap(({ column, value }) =>
    (value === undefined ? [] : [{ ...column, value: `CAST(${value} AS ${column.type})` }]))
  const given = columns.filter(column => !fixed.some(each => each.name === column.name))
  if (given.length === 0) throw new GristmillError('EINVAL', `PARTITION has all columns of ${name}; leave out those that the query gives`)
  const rows = rowsFor({ name, columns: given }, query)
  const list = columns.map(column => {
    const constant = fixed.find(each => each.name === column.name)
    return constant ? `${constant.value} AS ${quotedName(column.name)}` : quotedName(column.name)
  })
  const isOther = fixed.map(each => `o.${quotedName(each.name)} IS DISTINCT FROM ${each.value}`)
  const named = parts.filter(({ value }) => value === undefined).map(({ column }) => quotedName(column.name))
  const isNamed = named.map(column => `n.${column} IS NOT DISTINCT FROM o.${column}`).join(' AND ')
  const isKept = [...isOther, ...named.length > 0 ? [`NOT EXISTS (SELECT 1 FROM gristmill_rows AS n WHERE ${isNamed})`] : []].join(' OR ')
  // Read twice, and computed once: a query may give other rows each time.
  return `WITH gristmill_rows AS MATERIALIZED (${rows}) SELECT o.* FROM (${now}) AS o WHERE ${isKept}
    UNION ALL SELECT ${list.join(', ')} FROM gristmill_rows`
}

/** The rows of the query are added to those of the table. */
export async function inserted(
  { name, query, columns }: Extract<SqlCommand, { kind: 'insert into' }>, tools: WritingTools,
): Promise<CommandRows> {
  const table = await writtenTable(name, tools)
  await counted({ name: table.name, takes: columns ?? table.columns.map(column => column.name), query }, tools, () =>
    rewritten(table, tools, (now, own) => `${now} UNION ALL (${rowsFor(own, query, columns)})`))
  return said(`inserted into ${table.name}`)
}

/** Small files of the table become few. */
export async function optimized(name: string, tools: WritingTools): Promise<CommandRows> {
  const table = await writtenTable(name, tools)
  await rewritten(table, tools, now => now)
  return said(`optimized ${table.name}`)
}

/** Another statement has published the table meanwhile: its rows are read again. */
const rewritesMax = 5

/** Publishes rows that are made of those of the table, unless these are no longer the ones that were read. */
async function rewritten(table: CatalogTable, tools: WritingTools, sql: (now: string, own: CatalogTable) => string): Promise<void> {
  const { cluster: { ask }, signal } = tools
  for (let tries = 1; ; tries++) {
    const { versions } = await ask(versionList, { path: table.path! }, signal)
    const head = versions.find(each => each.head)?.number ?? 0
    if (head === 0) throw new GristmillError('ENOENT', `${table.path!}, the directory of ${table.name}, is no output of a job any more`)
    try {
      const own = await tableAt(table, head, tools)
      const now = `SELECT ${own.columns.map(({ name }) => quotedName(name)).join(', ')} FROM ${quotedName(`${table.name}@${head}`)}`
      await savedOver(table, tools, sql(now, own), { overwrite: true, ifVersion: head })
      return await described(table, tools)
    } catch (error) {
      if (!isOutputChanged(error) || tries === rewritesMax) throw error
    }
  }
}

/** Throws EINVAL also for a query that reads the table as it is, and not a version of it. */
async function savedOver({ name, path }: CatalogTable, { save }: WritingTools, sql: string, options: RowsSaved): Promise<void> {
  try {
    await save(sql, path!, options)
  } catch (error) {
    const { details = {} } = error as { details?: { input?: unknown; output?: unknown } }
    if (!hasCode(error, 'EINVAL') || details.output !== path || details.input !== path) throw error
    throw new GristmillError(
      'EINVAL', `a statement that writes ${name} reads a version of it, such as "${name}@1"; gristmill history ${path!} lists them`,
    )
  }
}

/** Tells the catalogue the columns of the rows that were published. Where that fails, readers find that its columns are older. */
async function described(table: CatalogTable, tools: WritingTools): Promise<void> {
  const { cluster: { ask }, signal } = tools
  try {
    const head = await headOf(table.path!, { ask, signal })
    if (head === undefined || head === table.version) return
    await ask(protocol.alter, { name: table.name, described: describedOf(await tableAt(table, head, tools)) }, signal)
  } catch {
    // The rows are there.
  }
}
