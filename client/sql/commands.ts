// Runs statements that change the catalogue or write tables. A table that is made with its rows is the output of a job, with its versions,
// below /tables unless the statement says where; its name enters the catalogue once the output is published.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { normalise } from '../../src/base/paths.ts'
import { quotedName, typeText, type SqlColumn, type SqlValue } from '../../src/base/sql.ts'
import { columnsOfTable, type TableShape } from '../../src/operator/sqltable.ts'
import { remove } from '../../src/protocol/namespace.ts'
import * as protocol from '../../src/protocol/table.ts'
import type { CatalogTable, NewTable } from '../../src/protocol/table.ts'
import type { Cluster } from '../call/cluster.ts'
import { paged } from '../call/pages.ts'
import type { SqlCommand } from './command.ts'

/** Rows of texts, as a statement returns them. */
export interface CommandRows { readonly names: readonly string[]; readonly rows: ReadonlyArray<readonly (string | null)[]> }

export interface RowsSaved { readonly format?: 'parquet' | 'csv'; readonly overwrite?: boolean }

interface CommandTools {
  readonly cluster: Cluster
  readonly signal: AbortSignal | undefined
  /** Publishes the rows of a query at a path; resolves once that is done. */
  readonly save: (sql: string, path: string, options: RowsSaved) => Promise<void>
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
    default:
      await tools.save(command.query, command.path, { format: command.format })
      return said(`wrote ${normalise(command.path)}`)
  }
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

/** The rows of the query take the places of the table's, in the types of its columns. */
async function overwritten(
  { name, query }: Extract<SqlCommand, { kind: 'insert overwrite' }>, tools: CommandTools,
): Promise<CommandRows> {
  const { kind, managed, columns, path, name: own } = await existing(name, tools)
  if (kind === 'view' || !managed)
    throw new GristmillError(
      'EINVAL', `${own} was not made by CREATE TABLE … AS, so INSERT does not write it; write its path: COPY (…) TO`,
    )
  const none = columns.map(({ name: column, type }) => `CAST(NULL AS ${type}) AS ${quotedName(column)}`)
  const list = columns.map(({ name: column, type }) => `CAST(${quotedName(column)} AS ${type}) AS ${quotedName(column)}`)
  const rows = query.trim().replace(/(?:;\s*)+$/, '')
  // The union has as many columns on both sides, or is an error of the engine.
  const all = `SELECT ${none.join(', ')} WHERE false UNION ALL (${rows}\n)`
  await tools.save(`SELECT ${list.join(', ')} FROM (${all}) AS t`, path!, { overwrite: true })
  return said(`overwrote ${own}`)
}
