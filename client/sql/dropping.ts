// DROP: removes a name from the catalogue, and moves the files that a table has made to the trash. Files of a user are never among them:
// not those that another name reads, not what was put in the place of the rows, and no file that was put beside them.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { nameOf } from '../../src/base/paths.ts'
import { list, remove, type FileStatus } from '../../src/protocol/namespace.ts'
import * as protocol from '../../src/protocol/table.ts'
import type { CatalogTable, TableSummary } from '../../src/protocol/table.ts'
import { list as versionList, show as showVersion, type Version } from '../../src/protocol/version.ts'
import { paged } from '../call/pages.ts'
import type { SqlCommand } from './command.ts'
import { found, said, type CommandRows, type WritingTools } from './writing.ts'

type DropTools = Pick<WritingTools, 'cluster' | 'signal'>

export async function dropped(
  { of, name, ifExists }: Extract<SqlCommand, { kind: 'drop' }>, tools: DropTools,
): Promise<CommandRows> {
  const { cluster: { ask }, signal } = tools
  const before = await found(name, tools)
  const why = before?.managed ? await whyKept(before, tools) : undefined
  if (before?.managed && why === undefined) await checkOwn(before, tools)
  let table: CatalogTable
  try {
    table = await ask(protocol.drop, { name, kind: of }, signal)
  } catch (error) {
    if (ifExists && hasCode(error, 'ENOENT')) return said(`there is no ${of} ${name}`)
    throw error
  }
  if (!table.managed) return said(`dropped ${of} ${name}`)
  // Another statement may have made it meanwhile.
  if (why !== undefined || table.path !== before?.path) return said(`dropped ${of} ${name}${why ?? `; its files stay in ${table.path!}`}`)
  try {
    await ask(remove, { path: table.path!, recursive: true }, signal)
  } catch (error) {
    if (!hasCode(error, 'ENOENT'))
      throw new GristmillError('EACCES', `dropped table ${name}, but its files are still in ${table.path!}: ${(error as Error).message}`)
  }
  return said(`dropped ${of} ${name}; its files are in the trash`)
}

/** Reason for which the files at the path of a table that was made with its rows stay there when it is dropped. */
async function whyKept(table: CatalogTable, tools: DropTools): Promise<string | undefined> {
  const path = table.path!
  const other = tablesIn(await allTables(tools), path).find(({ name }) => name.toLowerCase() !== table.name.toLowerCase())
  if (other) return `; its files stay in ${path}, because the table ${other.name} reads them`
  return await isOwnOutput(table, tools) ? undefined : `; the rows that it has made are no longer at ${path}, where nothing is removed`
}

/** The directory is the one that statements have made, and not another one that was put in its place. */
async function isOwnOutput({ path, changedMs }: CatalogTable, { cluster: { ask }, signal }: DropTools): Promise<boolean> {
  try {
    let first: Version | undefined
    const pages = paged((before?: number) => ask(versionList, { path: path!, ...before !== undefined && { before } }, signal))
    for await (const { versions } of pages) first = versions.at(-1) ?? first
    // The rows of a table are published before its entry in the catalogue is changed.
    return first !== undefined && !(first.number === 1 && Math.floor(first.madeMs) > changedMs)
  } catch (error) {
    if (hasCode(error, 'EINVAL', 'ENOENT', 'ENOTDIR')) return false
    throw error
  }
}

/** Throws EINVAL for a directory with a file that no statement of the table has made: it would go to the trash with the others. */
async function checkOwn({ name, path }: CatalogTable, { cluster: { ask }, signal }: DropTools): Promise<void> {
  const { version: { madeMs }, intact } = await ask(showVersion, { path: path! }, signal)
  if (intact === true) return
  const advice = 'then run DROP TABLE again'
  const isNewer = (entry: FileStatus): boolean => entry.mtimeMs > madeMs && nameOf(entry.path) !== '_SUCCESS'
  for await (const { entries } of paged((after?: string) => ask(list, { path: path!, ...after !== undefined && { after } }, signal)))
    for (const entry of entries)
      if (entry.type === 'directory' || !ownFile.test(nameOf(entry.path)) || isNewer(entry))
        throw new GristmillError(
          'EINVAL', `${entry.path} is in the directory of the table ${name}, and is no file of it: nothing is dropped; move it to `
          + `another place ("gristmill mv ${entry.path} …"), ${advice}`, { details: { path: entry.path } },
        )
  if (intact === false)
    throw new GristmillError(
      'EINVAL', `the files in ${path!} are not those that the table ${name} has made, because some were moved or removed: nothing is `
      + `dropped; move those that are to be kept to another place, remove the others ("gristmill rm -r ${path!}"), ${advice}`,
      { details: { path: path! } },
    )
}

/** Files of the output of a job. */
const ownFile = /^(?:part-\d{5,}\.(?:parquet|csv)|_SUCCESS)$/

export async function allTables({ cluster: { ask }, signal }: DropTools): Promise<TableSummary[]> {
  const found: TableSummary[] = []
  for await (const { tables } of paged((after?: string) => ask(protocol.list, after === undefined ? {} : { after }, signal)))
    found.push(...tables)
  return found
}

/** Tables whose files are in the directory, also in a version of it. */
export const tablesIn = (tables: readonly TableSummary[], directory: string): TableSummary[] =>
  tables.filter(({ path }) => path === directory || path?.startsWith(`${directory}/`) || path?.startsWith(`${directory}@`))
