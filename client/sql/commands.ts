// Runs statements that change the catalogue or write tables. A table that is made with its rows is the output of a job, with its versions,
// below /tables unless the statement says where; its name enters the catalogue once the output is published.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { normalise } from '../../src/base/paths.ts'
import { shownUrl } from '../../src/connector/location.ts'
import { quotedName, typeText, type SqlColumn, type SqlValue } from '../../src/base/sql.ts'
import { columnsOfTable, type TableShape } from '../../src/operator/sqltable.ts'
import { isOutputChanged } from '../../src/protocol/job.ts'
import { remove } from '../../src/protocol/namespace.ts'
import * as protocol from '../../src/protocol/table.ts'
import type { CatalogTable, NewTable } from '../../src/protocol/table.ts'
import { list as versionList } from '../../src/protocol/version.ts'
import type { Cluster } from '../call/cluster.ts'
import { paged } from '../call/pages.ts'
import type { SqlExportOptions } from './cluster.ts'
import type { SqlCommand } from './command.ts'
import { isOutside } from './outside.ts'

/** Rows of texts, as a statement returns them. */
export interface CommandRows { readonly names: readonly string[]; readonly rows: ReadonlyArray<readonly (string | null)[]> }

export interface RowsSaved { readonly format?: 'parquet' | 'csv'; readonly overwrite?: boolean; readonly ifVersion?: number }

interface CommandTools {
  readonly cluster: Cluster
  readonly signal: AbortSignal | undefined
  /** Publishes the rows of a query at a path; resolves once that is done. */
  readonly save: (sql: string, path: string, options: RowsSaved) => Promise<void>
  /** Moves the rows of a query to a place outside of the cluster. */
  readonly export: (sql: string, url: string, options: SqlExportOptions) => Promise<unknown>
  /** The first row of a query. */
  readonly row: (sql: string) => Promise<readonly SqlValue[]>
  /** Columns of a query. */
  readonly columns: (sql: string) => Promise<readonly SqlColumn[]>
  /** Files of a path, and how they are read. */
  readonly shape: (path: string) => Promise<{ readonly shape: TableShape; readonly bytes: number }>
}

export async function runCommand(command: SqlCommand, tools: CommandTools): Promise<CommandRows> {
  const { cluster: { ask }, signal } = tools
  switch (command.kind) {
    case 'show tables': return tablesOf(tools)
    case 'create table': return unlessThere(command, tools, () => createFrom(command, tools))
    case 'create external table': return unlessThere(command, tools, async () => {
      const table = await describedAt(command.name, command.path, tools)
      await ask(protocol.create, { table, replace: command.replace }, signal)
      return said(`created table ${command.name}`)
    })
    case 'create view': return unlessThere(command, tools, async () => {
      const columns = (await tools.columns(command.query)).map(({ name, type }) => ({ name, type: typeText(type) }))
      const table: NewTable = { name: command.name, kind: 'view', sql: command.query.trim(), columns }
      await ask(protocol.create, { table, replace: command.replace }, signal)
      return said(`created view ${command.name}`)
    })
    case 'drop': return dropped(command, tools)
    case 'rename':
      await ask(protocol.alter, { name: command.name, rename: command.to }, signal)
      return said(`renamed ${command.name} to ${command.to}`)
    case 'comment': {
      const { name, column, comment } = command
      await ask(protocol.alter, { name, ...column === undefined ? { comment } : { columnComment: { column, comment } } }, signal)
      return said(`commented ${column === undefined ? name : `${name}.${column}`}`)
    }
    case 'analyze': return analyzed(command.name, tools)
    case 'insert overwrite': return overwritten(command, tools)
    case 'insert into': return inserted(command, tools)
    case 'optimize': return optimized(command.name, tools)
    default: return copied(command, tools)
  }
}

async function copied(
  { query, path, format, mode, key, overwrite }: Extract<SqlCommand, { kind: 'copy' }>, tools: CommandTools,
): Promise<CommandRows> {
  if (isOutside(path)) {
    await tools.export(query, path, { format, mode, key, overwrite })
    return said(`wrote ${shownUrl(path)}`)
  }
  if (mode !== undefined || key !== undefined || overwrite)
    throw new GristmillError('EINVAL', 'MODE, KEY and OVERWRITE are for places outside of the cluster, such as postgres://HOST/DATABASE/TABLE')
  await tools.save(query, path, { ...format !== undefined && { format } })
  return said(`wrote ${normalise(path)}`)
}

const said = (result: string): CommandRows => ({ names: ['result'], rows: [[result]] })

/** IF NOT EXISTS, and a name that is taken is refused before anything is computed. */
async function unlessThere(
  { name, replace, ifNotExists }: { readonly name: string; readonly replace: boolean; readonly ifNotExists: boolean }, tools: CommandTools,
  work: () => Promise<CommandRows>,
): Promise<CommandRows> {
  const before = await found(name, tools)
  if (before && ifNotExists) return said(`there is a ${before.kind} ${before.name} already`)
  if (before && !replace)
    throw new GristmillError('EEXIST', `there is a ${before.kind} ${before.name} already; CREATE OR REPLACE … replaces it`)
  return work()
}

async function found(name: string, { cluster: { ask }, signal }: CommandTools): Promise<CatalogTable | undefined> {
  const { tables: [table] } = await ask(protocol.get, { names: [name] }, signal)
  return table
}

async function existing(name: string, tools: CommandTools): Promise<CatalogTable> {
  const table = await found(name, tools)
  if (!table) throw new GristmillError('ENOENT', `there is no table or view ${name}`, { details: { table: name } })
  return table
}

async function createFrom(
  { name, replace, query }: Extract<SqlCommand, { kind: 'create table' }>, tools: CommandTools,
): Promise<CommandRows> {
  if (!protocol.tableNameForm.test(name))
    throw new GristmillError(
      'EINVAL', `${JSON.stringify(name)} cannot be the name of a table: it has letters, digits, _ and $, at most 128`,
    )
  const before = await found(name, tools)
  if (before?.kind === 'view')
    throw new GristmillError('EEXIST', `${before.name} is a view; drop it first`, { details: { table: before.name } })
  const path = before?.managed ? before.path! : await freeDirectory(name, tools)
  try {
    await tools.save(query, path, { overwrite: replace })
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error
    throw new GristmillError(
      'EEXIST', `the directory of the table, ${path}, is there already; CREATE OR REPLACE TABLE … replaces it, and keeps it as a version, `
      + `CREATE EXTERNAL TABLE ${name} LOCATION '${path}' takes it as it is`, { cause: error },
    )
  }
  const table = await describedAt(name, path, tools)
  await tools.cluster.ask(protocol.create, { table: { ...table, managed: true }, replace }, tools.signal)
  return said(`created table ${name}`)
}

/** Directory of a new table that no other name has: a table that was renamed keeps the one of its first name. */
async function freeDirectory(name: string, { cluster: { ask }, signal }: CommandTools): Promise<string> {
  const taken = new Set<string>()
  for await (const { tables } of paged((after?: string) => ask(protocol.list, after === undefined ? {} : { after }, signal)))
    for (const { path } of tables) if (path !== undefined) taken.add(path)
  const own = `/tables/${name.toLowerCase()}`
  const isTaken = (path: string): boolean => [...taken].some(each => each === path || each.startsWith(`${path}/`))
  let path = own
  for (let i = 2; isTaken(path); i++) path = `${own}_${i}`
  return path
}

async function describedAt(name: string, path: string, { shape: shapeAt }: CommandTools): Promise<NewTable> {
  const { shape } = await shapeAt(path)
  const { format, partitions } = shape
  return {
    name, kind: 'table', path: normalise(path), columns: columnsOfTable(shape).map(({ name: column, type }) => ({ name: column, type })),
    ...partitions.length > 0 && { partitions: partitions.map(each => each.name) },
    ...format.kind !== 'parquet' && { format: JSON.stringify(format) },
  }
}

async function dropped(
  { of, name, ifExists }: Extract<SqlCommand, { kind: 'drop' }>, tools: CommandTools,
): Promise<CommandRows> {
  const { cluster: { ask }, signal } = tools
  let table: CatalogTable
  try {
    table = await ask(protocol.drop, { name, kind: of }, signal)
  } catch (error) {
    if (ifExists && hasCode(error, 'ENOENT')) return said(`there is no ${of} ${name}`)
    throw error
  }
  if (!table.managed) return said(`dropped ${of} ${name}`)
  try {
    await ask(remove, { path: table.path!, recursive: true }, signal)
  } catch (error) {
    if (!hasCode(error, 'ENOENT'))
      throw new GristmillError('EACCES', `dropped table ${name}, but its files are still in ${table.path!}: ${(error as Error).message}`)
  }
  return said(`dropped ${of} ${name}; its files are in the trash`)
}

async function tablesOf({ cluster: { ask }, signal }: CommandTools): Promise<CommandRows> {
  const rows: Array<readonly (string | null)[]> = []
  const pages = paged((after?: string) => ask(protocol.list, after === undefined ? {} : { after }, signal))
  for await (const { tables } of pages)
    for (const { name, kind, path = null, owner, comment = null } of tables) rows.push([name, kind, path, owner, comment])
  return { names: ['name', 'kind', 'path', 'owner', 'comment'], rows }
}

/** Counts rows and distinct values, by which the planner orders joins. */
async function analyzed(name: string, tools: CommandTools): Promise<CommandRows> {
  const { columns, kind, path, name: own } = await existing(name, tools)
  if (kind === 'view') throw new GristmillError('EINVAL', `${own} is a view, which has no rows of its own; ANALYZE its tables`)
  const { bytes } = await tools.shape(path!)
  const isCounted = columns.map(({ type }) => !/[[(]/.test(type) || type.startsWith('DECIMAL'))
  const counts = columns.map((column, i) => (isCounted[i] ? `, approx_count_distinct(${quotedName(column.name)})` : ', 0'))
  const [rows, ...distinct] = (await tools.row(`SELECT count(*)${counts.join('')} FROM ${quotedName(own)}`)).map(Number)
  const { cluster: { ask, clock }, signal } = tools
  const statistics = { rows: rows!, bytes, atMs: Math.floor(clock.now()), distinct }
  await ask(protocol.alter, { name, statistics }, signal)
  return said(`analyzed ${own}: ${rows!} rows`)
}

/** Throws EINVAL for a table whose rows are not those of a statement. */
async function writtenTable(name: string, tools: CommandTools): Promise<CatalogTable> {
  const table = await existing(name, tools)
  if (table.kind === 'view' || !table.managed)
    throw new GristmillError(
      'EINVAL', `${table.name} was not made by CREATE TABLE … AS, so this statement does not write it; write its path: COPY (…) TO`,
    )
  return table
}

/** The rows of the query in the types of the table's columns; columns that it does not give are NULL. */
function rowsFor({ name, columns }: CatalogTable, query: string, named?: readonly string[]): string {
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

/** The rows of the query take the places of the table's. */
async function overwritten(
  { name, query }: Extract<SqlCommand, { kind: 'insert overwrite' }>, tools: CommandTools,
): Promise<CommandRows> {
  const table = await writtenTable(name, tools)
  await tools.save(rowsFor(table, query), table.path!, { overwrite: true })
  return said(`overwrote ${table.name}`)
}

/** The rows of the query are added to those of the table, which are written again. */
async function inserted(
  { name, query, columns }: Extract<SqlCommand, { kind: 'insert into' }>, tools: CommandTools,
): Promise<CommandRows> {
  const table = await writtenTable(name, tools)
  const rows = rowsFor(table, query, columns)
  await rewritten(table, tools, now => `${now} UNION ALL (${rows})`)
  return said(`inserted into ${table.name}`)
}

/** Small files of the table become few. */
async function optimized(name: string, tools: CommandTools): Promise<CommandRows> {
  const table = await writtenTable(name, tools)
  await rewritten(table, tools, now => now)
  return said(`optimized ${table.name}`)
}

/** Another statement has published the table meanwhile: its rows are read again. */
const rewritesMax = 5

/** Publishes rows that are made of those of the table, unless these are no longer the ones that were read. */
async function rewritten(table: CatalogTable, tools: CommandTools, sql: (now: string) => string): Promise<void> {
  const { cluster: { ask }, signal } = tools
  const list = table.columns.map(({ name }) => quotedName(name)).join(', ')
  for (let tries = 1; ; tries++) {
    const { versions } = await ask(versionList, { path: table.path! }, signal)
    const head = versions.find(each => each.head)?.number ?? 0
    if (head === 0) throw new GristmillError('ENOENT', `${table.path!}, the directory of ${table.name}, is no output of a job any more`)
    try {
      const now = `SELECT ${list} FROM ${quotedName(`${table.name}@${head}`)}`
      return await tools.save(sql(now), table.path!, { overwrite: true, ifVersion: head })
    } catch (error) {
      if (!isOutputChanged(error) || tries === rewritesMax) throw error
    }
  }
}
