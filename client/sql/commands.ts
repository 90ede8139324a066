// Runs statements that change the catalogue or make tables; those that write rows into one are in writing.ts. A table that is made with
// its rows is the output of a job, with its versions, below /tables unless the statement says where; its name enters the catalogue once the
// output is published.

import { shownUrl } from '../../src/base/url.ts'
import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { normalise } from '../../src/base/paths.ts'
import { isKafka } from '../../src/connector/kafka/address.ts'
import { quotedName, typeText } from '../../src/base/sql.ts'
import * as protocol from '../../src/protocol/table.ts'
import type { NewTable } from '../../src/protocol/table.ts'
import { paged } from '../call/pages.ts'
import type { SqlExportOptions } from './cluster.ts'
import type { DeclaredColumn, SqlCommand } from './command.ts'
import { isOutside } from './outside.ts'
import { currentTable, describedAt, describedOf } from './current.ts'
import { declaredTypes, notDeclared } from './declared.ts'
import { allTables, dropped, tablesIn } from './dropping.ts'
import type { ToldForms } from './readcalls.ts'
import { existing, found, inserted, optimized, overwritten, said, type CommandRows, type WritingTools } from './writing.ts'

interface CommandTools extends WritingTools {
  /** Moves the rows of a query to a place outside of the cluster. */
  readonly export: (sql: string, url: string, options: SqlExportOptions) => Promise<unknown>
}

export async function runCommand(command: SqlCommand, tools: CommandTools): Promise<CommandRows> {
  const { cluster: { ask }, signal } = tools
  switch (command.kind) {
    case 'show tables': return tablesOf(tools)
    case 'create table': return unlessThere(command, tools, () => createFrom(command, tools))
    case 'create external table': return unlessThere(command, tools, async () => {
      const table = await namedAt(command.name, command.path, tools, command.csv)
      const own = command.columns ? await declared(table, command.columns, tools) : table
      await ask(protocol.create, { table: own, replace: command.replace }, signal)
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
      const now = column === undefined ? {} : await redescribed(name, tools)
      await ask(protocol.alter, { name, ...now, ...column === undefined ? { comment } : { columnComment: { column, comment } } }, signal)
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
  { query, path, format, mode, key, overwrite, rate, via }: Extract<SqlCommand, { kind: 'copy' }>, tools: CommandTools,
): Promise<CommandRows> {
  if (isOutside(path)) {
    await tools.export(query, path, { format, mode, key, overwrite, rate, via })
    // The rows are computed anew each time: the place cannot know them for the same.
    const adds = via === undefined && (isKafka(path) || mode === 'append')
    return said(`wrote ${shownUrl(path)}${adds ? '; the same statement would add its rows again, unless it has VIA' : ''}`)
  }
  if (mode !== undefined || key !== undefined || overwrite || rate !== undefined || via !== undefined)
    throw new GristmillError(
      'EINVAL', 'MODE, KEY, OVERWRITE, RATE and VIA are for places outside of the cluster, such as postgres://HOST/DATABASE/TABLE',
    )
  await tools.save(query, path, { ...format !== undefined && { format } })
  return said(`wrote ${normalise(path)}`)
}

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
  const own = before?.managed ? before.path! : undefined
  const path = own ?? await freeDirectory(name, tools)
  try {
    // A directory that no table has made is not replaced: DROP TABLE would remove it with the table.
    await tools.save(query, path, { overwrite: replace && own !== undefined })
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error
    throw new GristmillError(
      'EEXIST', `the directory of the table, ${path}, is there already, and no table has made it; CREATE EXTERNAL TABLE ${name} LOCATION `
      + `'${path}' takes it as it is, "gristmill rm -r ${path}" moves it to the trash`, { cause: error },
    )
  }
  const table = await namedAt(name, path, tools)
  await tools.cluster.ask(protocol.create, { table: { ...table, managed: true }, replace }, tools.signal)
  return said(`created table ${name}`)
}

/** Directory of a new table that no other name has: a table that was renamed keeps the one of its first name. */
async function freeDirectory(name: string, tools: CommandTools): Promise<string> {
  const all = await allTables(tools)
  const own = `/tables/${name.toLowerCase()}`
  let path = own
  for (let i = 2; tablesIn(all, path).length > 0; i++) path = `${own}_${i}`
  return path
}

const namedAt = async (
  name: string, path: string, { cluster: { ask }, shape, signal }: CommandTools, csv?: ToldForms,
): Promise<NewTable> => ({ name, kind: 'table', ...await describedAt(path, { ask, shape, signal }, csv) })

/** The table with the types that a statement declares. Throws EINVAL for columns that the files do not have. */
async function declared(table: NewTable, given: readonly DeclaredColumn[], { columns: columnsOf }: CommandTools): Promise<NewTable> {
  const kind = table.format === undefined ? 'parquet' : (JSON.parse(table.format) as { readonly kind: string }).kind
  if (kind !== 'csv' && kind !== 'json')
    throw new GristmillError(
      'EINVAL', `types of columns are declared for CSV and JSON; the files of ${table.path!} have their own, so leave the columns out, or `
      + `convert them in a view: CREATE VIEW … AS SELECT CAST(… AS …) FROM ${table.name}`,
    )
  const isSame = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()
  for (const [i, { name }] of given.entries()) {
    if (!table.columns.some(column => isSame(column.name, name)))
      throw new GristmillError('EINVAL', `${table.path!} has no column ${name}; it has ${table.columns.map(each => each.name).join(', ')}`)
    if (given.findIndex(other => isSame(other.name, name)) < i) throw new GristmillError('EINVAL', `the column ${name} is declared twice`)
  }
  const other = given.find(({ type }) => !declaredTypes.test(type))
  if (other) throw new GristmillError('EINVAL', notDeclared(other))
  const types = await columnsOf(`SELECT ${given.map(({ type }, i) => `CAST(NULL AS ${type}) AS c${i}`).join(', ')}`)
  const columns = table.columns.map(column => {
    const at = given.findIndex(({ name }) => isSame(name, column.name))
    return at < 0 ? column : { ...column, type: typeText(types[at]!.type) }
  })
  return { ...table, columns }
}

async function tablesOf({ cluster: { ask }, signal }: CommandTools): Promise<CommandRows> {
  const rows: Array<readonly (string | null)[]> = []
  const pages = paged((after?: string) => ask(protocol.list, after === undefined ? {} : { after }, signal))
  for await (const { tables } of pages)
    for (const { name, kind, path = null, owner, comment = null } of tables) rows.push([name, kind, path, owner, comment])
  return { names: ['name', 'kind', 'path', 'owner', 'comment'], rows }
}

/** Columns to send with a change of the catalogue, if those that it has are no longer those of the table. */
async function redescribed(
  name: string, { cluster: { ask }, shape, signal }: CommandTools,
): Promise<{ described?: ReturnType<typeof describedOf> }> {
  const table = await found(name, { cluster: { ask }, signal })
  return table?.stale ? { described: describedOf(await currentTable(table, { ask, shape, signal })) } : {}
}

/** Counts rows and distinct values, by which the planner orders joins. */
async function analyzed(name: string, tools: CommandTools): Promise<CommandRows> {
  const { cluster: { ask, clock }, shape, signal } = tools
  const stored = await existing(name, tools)
  const { columns, kind, path, name: own } = await currentTable(stored, { ask, shape, signal })
  if (kind === 'view') throw new GristmillError('EINVAL', `${own} is a view, which has no rows of its own; ANALYZE its tables`)
  const { bytes } = await tools.shape(path!)
  const isCounted = columns.map(({ type }) => !/[[(]/.test(type) || type.startsWith('DECIMAL'))
  const counts = columns.map((column, i) => (isCounted[i] ? `, approx_count_distinct(${quotedName(column.name)})` : ', 0'))
  const [rows, ...distinct] = (await tools.row(`SELECT count(*)${counts.join('')} FROM ${quotedName(own)}`)).map(Number)
  const statistics = { rows: rows!, bytes, atMs: Math.floor(clock.now()), distinct }
  await ask(protocol.alter, { name, statistics, ...await redescribed(name, tools) }, signal)
  return said(`analyzed ${own}: ${rows!} rows`)
}
