// Tables that a query names by their paths: `from '/logs/*.csv'` in the cluster, `from './x.csv'` on this machine. Finds their files, by
// the patterns of docs/reference/patterns.md.

import { isAbsolute, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isUrl, notPath } from '../../src/base/url.ts'
import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { nameOf, normalise } from '../../src/base/paths.ts'
import { withoutEnd } from '../../src/base/withoutend.ts'
import type { LineKind } from '../../src/operator/linefile.ts'
import type { Disk, DiskEntry } from '../../src/ports/disk.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import type { CatalogTable } from '../../src/protocol/table.ts'
import { hidden } from '../../src/protocol/overlap.ts'
import { expand, isPattern, type GlobTree } from '../glob/expand.ts'
import { localEntry } from '../glob/local.ts'
import { findInputs } from '../jobs/inputs.ts'
import type { LinesTable } from '../jobs/stepquery.ts'
import type { CallMessage } from '../call/cluster.ts'
import type { NamedTable } from './names.ts'
import { isCallName, type CsvReading } from './readcalls.ts'

type TableKind = 'csv' | 'json' | 'parquet' | LineKind

/** A file of a table. `path`: as the user would write it. */
export interface SqlFile {
  readonly path: string
  readonly bytes: number
  readonly status?: FileStatus
  readonly local?: string
  /** The path without the working directory. Names of its directories may hold values of columns. Default: `path`. */
  readonly named?: string
}

export interface SqlTable {
  /** As the statement names it. */
  readonly name: string
  readonly kind: TableKind
  readonly files: readonly SqlFile[]
  /** Path of the files. Default: the name. */
  readonly path?: string
  /** What the catalogue knows of the table. */
  readonly known?: CatalogTable
  /** What the statement says of its files. */
  readonly csv?: CsvReading
}

const kinds: Readonly<Record<string, TableKind>> = {
  csv: 'csv', tsv: 'csv', json: 'json', jsonl: 'json', ndjson: 'json', parquet: 'parquet',
  arrow: 'arrow', arrows: 'arrow', feather: 'arrow', avro: 'avro',
}
const known = Object.keys(kinds).map(name => `.${name}`).join(', ')

/** True for the name of a table that is a path; other names are those of tables that the statement, or a catalogue, defines. */
export const isPathName = (name: string): boolean =>
  name.includes('/') || name.startsWith('file:') || isCallName(name) || /\.[a-z]+(\.(gz|zst))?$/i.test(name)

/** A name of files of this machine. */
interface LocalName {
  /** The name may be a pattern; the directory that it begins in is none, whatever its characters. */
  readonly pattern: string
  readonly base: string
  /** Both, taken literally. */
  readonly path: string
}

/** The name, if it is one of this machine: it begins with `./`, `../`, `~/` or `file:`. Other paths are in the cluster. */
export function localName(
  name: string, { cwd, home }: { readonly cwd: string; readonly home?: string | undefined },
): LocalName | undefined {
  if (name.startsWith('file://')) return placed(fileURLToPath(name), '/')
  if (name.startsWith('file:')) return placed(name.slice('file:'.length), cwd)
  if (home !== undefined && name.startsWith('~/')) return placed(name.slice(2), home)
  return /^\.\.?(\/|$)/.test(name) ? placed(name, cwd) : undefined
}

function placed(pattern: string, directory: string): LocalName {
  const base = isAbsolute(pattern) ? '/' : directory
  return { pattern, base, path: join(base, pattern) }
}

/** Throws EINVAL for a name that is no path, or of another place. */
export function checkName(name: string): void {
  if (isUrl(name) && !/^file:/i.test(name)) throw notPath(name, 'cluster')
}

/** Throws ENOENT, and EINVAL for files that are no tables. `kind`: that of all files, whatever their names. */
export async function clusterTable(
  ask: CallMessage, name: string, signal: AbortSignal | undefined, kind?: TableKind,
): Promise<SqlTable> {
  const files = await findInputs(ask, [name], { signal })
  return tableOf(name, files.map(status => ({ path: status.path, bytes: status.length, status })), kind)
}

/** A table of the catalogue, under the name that the query has for it. One without files has no rows: its columns are known. */
export async function catalogTable(
  ask: CallMessage, { name, path, table }: NamedTable, signal: AbortSignal | undefined,
): Promise<SqlTable> {
  try {
    const files = await findInputs(ask, [path], { signal })
    if (files.length === 0) return { name, path, known: table, kind: kindIn(table), files: [] }
    return { ...tableOf(path, files.map(status => ({ path: status.path, bytes: status.length, status }))), name, path, known: table }
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
    if (path !== table.path)
      throw new GristmillError(
        'ENOENT', `there is no version ${path.slice(path.lastIndexOf('@') + 1)} of the table ${table.name}, or it is not kept any more; `
        + `"gristmill history ${table.path!}" lists its versions`, { details: { table: table.name }, cause: error },
      )
    throw new GristmillError(
      'ENOENT', `the files of the table ${table.name} are not there: ${(error as Error).message}; `
      + `${table.managed ? 'look at "gristmill trash ls", or ' : ''}DROP TABLE ${table.name} removes the name`,
      { details: { table: table.name }, cause: error },
    )
  }
}

/** A table of a program: JSON lines whose values are texts of the types of its columns, also inside of lists and structs. */
export async function linesTable(
  ask: CallMessage, name: string, { path, columns }: LinesTable, signal: AbortSignal | undefined,
): Promise<SqlTable> {
  const known: CatalogTable = {
    name, kind: 'table', columns: columns.map(([column, type]) => ({ name: column, type })), owner: '', createdMs: 0, changedMs: 0,
    format: JSON.stringify({ kind: 'json', layout: 'newline_delimited', isText: true }),
  }
  const files = await findInputs(ask, [path], { signal })
  return { name, path, known, kind: 'json', files: files.map(status => ({ path: status.path, bytes: status.length, status })) }
}

const kindIn = ({ format }: CatalogTable): TableKind =>
  (format === undefined ? 'parquet' : (JSON.parse(format) as { readonly kind: TableKind }).kind)

/** The same for a path of this machine. */
export async function localTable(
  disk: Disk, name: string, { pattern, base, path }: LocalName,
  { cwd, home = cwd, kind }: { readonly cwd: string; readonly home?: string | undefined; readonly kind?: TableKind | undefined },
): Promise<SqlTable> {
  const files: SqlFile[] = []
  const named = (at: string): string => (isAbsolute(name.replace(/^file:/, '')) ? at : relative(name.startsWith('~/') ? home : cwd, at))
  const add = async (at: string): Promise<void> => {
    const found = await disk.stat(at, { follow: true })
    if (found?.kind === 'directory') {
      for (const entry of await sorted(disk, at)) if (!hidden.includes(entry.name[0]!)) await add(join(at, entry.name))
    } else if (found?.kind === 'file') files.push({ path: at, named: named(at), bytes: found.bytes, local: found.path ?? at })
  }
  if (!isPattern(pattern) || await disk.stat(path, { follow: true })) {
    if (!await disk.stat(path, { follow: true })) throw missing(name, path)
    await add(path)
  } else {
    for await (const { path: at } of expand(pattern, treeOf(disk, base), { hidden })) await add(at)
    if (files.length === 0) throw missing(name, path)
  }
  return tableOf(name, files, kind)
}

const missing = (name: string, path: string): GristmillError =>
  new GristmillError('ENOENT', `${name}: there is no such file or directory on this machine (${path})`, { details: { path: name } })

async function sorted(disk: Disk, directory: string): Promise<DiskEntry[]> {
  return (await disk.list(directory)).sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))
}

function treeOf(disk: Disk, base: string): GlobTree {
  return {
    start: () => base, join,
    async *list(directory) {
      for (const entry of await sorted(disk, directory)) yield localEntry(disk, join(directory, entry.name), entry)
    },
    async find(path) {
      const found = await disk.stat(path)
      return found && localEntry(disk, path, { name: nameOf(path), kind: found.kind })
    },
  }
}

function tableOf(name: string, files: readonly SqlFile[], given?: TableKind): SqlTable {
  if (files.length === 0)
    throw new GristmillError(
      'EINVAL', `${name} has no files, so its columns are not known; files whose names begin with _ or . are left out`,
      { details: { path: name } },
    )
  if (given !== undefined) return { name, kind: given, files }
  const found = new Map<TableKind, string>()
  for (const { path } of files) {
    const kind = kindOf(path)
    if (kind === undefined)
      throw new GristmillError(
        'EINVAL', `${path} is no table that SQL reads: its name ends in none of ${known}; those of text also with .gz or .zst`,
        { details: { path } },
      )
    if (!found.has(kind)) found.set(kind, path)
  }
  const [first, second] = found.values()
  if (second !== undefined)
    throw new GristmillError(
      'EINVAL', `${name} has files of several kinds, such as ${first!} and ${second}; name those of one kind: ${patternOf(name)}`,
    )
  return { name, kind: [...found.keys()][0]!, files }
}

/** A local name stays one. */
const patternOf = (name: string): string =>
  `'${/^(?:\.|~|file:)/.test(name) ? withoutEnd(name, '/') : normalise(name)}/**/*.csv'`

function kindOf(path: string): TableKind | undefined {
  const [, extension, packed] = /\.([a-z]+)(\.(?:gz|zst))?$/i.exec(path) ?? []
  const kind = kinds[extension?.toLowerCase() ?? '']
  return packed !== undefined && kind !== 'csv' && kind !== 'json' ? undefined : kind
}
