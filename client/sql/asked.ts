// Reads a statement, resolves names of tables and views in the catalogue, and finds the files of its tables, which are not read.

import { isAbsolute } from 'node:path'
import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { formatBytes, MiB } from '../../src/base/units.ts'
import { Semaphore } from '../../src/base/queue.ts'
import type { LoadAvro } from '../../src/ports/avro.ts'
import type { Database, OpenDatabase } from '../../src/ports/database.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Random } from '../../src/ports/random.ts'
import type { CallMessage } from '../call/cluster.ts'
import { advisingLocal } from '../files/localname.ts'
import { settled } from '../jobs/splits.ts'
import type { LinesTable } from '../jobs/stepquery.ts'
import type { SqlCluster } from './cluster.ts'
import type { Division } from './division.ts'
import type { SqlFunctions } from './functions.ts'
import { checkOutside, isOutside, outsideTable, plainPlaces } from './outside.ts'
import { withParser } from './parsers.ts'
import { Workspace } from './workspace.ts'
import { resolveNames, type ResolvedQuery } from './names.ts'
import { callOf } from './readcalls.ts'
import { checkReads, readStatement, type SqlParams, type Statement } from './statement.ts'
import { informationSchema } from './tablenames.ts'
import { catalogTable, checkName, clusterTable, isPathName, linesTable, localName, localTable, type SqlTable } from './tables.ts'

export interface SqlTools {
  readonly disk: Disk
  readonly random: Random
  readonly openDatabase: OpenDatabase | undefined
  readonly scratchDir: string
  /** Base of relative local paths, and the place of `~`, which only a shell user has. */
  readonly cwd: string
  readonly home?: string | undefined
  /** Types of Avro. Default: the queries read no Avro. */
  readonly loadAvro?: LoadAvro | undefined
  /** Queries read no files of this machine, which belongs to others than the user. */
  readonly isRemote?: boolean | undefined
  /** Throws if there is no cluster. Called for a query that reads one. */
  readonly cluster: () => Promise<SqlCluster>
  /** Tables that a program has for its query, by their names in lower case. */
  readonly lines?: ReadonlyMap<string, LinesTable> | undefined
  /** Module of functions that the query calls. */
  readonly functions?: SqlFunctions | undefined
  /** For tests: how queries are divided. */
  readonly division?: Division | undefined
}

export interface Asked {
  readonly statement: Statement
  readonly tables: readonly SqlTable[]
  /** Names of views that it reads. */
  readonly views: readonly string[]
}

interface Question {
  readonly text: string
  readonly params: SqlParams | undefined
  readonly signal: AbortSignal | undefined
  /** Removes copies of places outside of the cluster, which are there as long as it is. Default: the query may read no such place. */
  readonly space: Workspace | undefined
}

/** Memory of the engine that reads a statement: its tree takes some 2 KiB for each value of a list. */
const parserBytes = 256 * MiB

export function engineOf({ openDatabase }: Pick<SqlTools, 'openDatabase'>): OpenDatabase {
  if (!openDatabase) throw new GristmillError('CONFIG_INVALID', 'there is no SQL engine in a simulated cluster; use real processes')
  return openDatabase
}

/** Directory of one query. REQUIRES: the caller closes it. */
export const workspaceIn = ({ disk, scratchDir, random, functions, loadAvro, isRemote }: SqlTools): Workspace =>
  new Workspace(disk, scratchDir, random.id(), { functions: functions && (() => functions.list()), loadAvro, isRemote })

/** Reads the statement, and finds its tables and views. Places outside of the cluster are copied into it. */
export async function askedOf(tools: SqlTools, { text, params, signal, space }: Question): Promise<Asked> {
  try {
    const { statement, resolved } = await withParser(engineOf(tools), { memoryBytes: parserBytes, threads: 1 }, async parser => {
      const read = await readStatement(parser, plainPlaces(text), params)
      checkOutside(text, read.tables)
      const other = read.tables.find(name => name !== informationSchema)
      if (other !== undefined && read.tables.includes(informationSchema))
        throw new GristmillError(
          'EINVAL', `information_schema is not joined with other tables, such as ${other}; ask it in a query of its own`,
        )
      const found = await resolvedIn(tools, parser, read, signal)
      if (tools.isRemote) await checkReads(parser, found.sql)
      return { statement: read, resolved: found }
    })
    const tables = await tablesIn(tools, resolved, { own: new Set(statement.tables), space, signal })
    return { statement: { ...statement, sql: resolved.sql }, tables, views: resolved.views }
  } catch (error) {
    // The limit of the query's memory is not the one that is too low.
    if (!hasCode(error, 'TOO_LARGE') || error.details['engine'] === undefined) throw error
    throw new GristmillError(
      'TOO_LARGE', `the statement and its parameters need more than ${formatBytes(parserBytes)} to be read; give shorter lists, or join `
      + 'with a table that has their values', { cause: error },
    )
  }
}

/** Looks names that are no paths up in the catalogue, if there is a cluster. */
async function resolvedIn(
  tools: SqlTools, parser: Database, { sql, tables }: Statement, signal: AbortSignal | undefined,
): Promise<ResolvedQuery> {
  const isGiven = (name: string): boolean => tools.lines?.has(name.toLowerCase()) === true
  const isPath = (name: string): boolean => isPathName(name) || isGiven(name)
  const isCalled = tables.some(name => !isPath(name))
  const ask = isCalled ? await tools.cluster().then(({ cluster }) => cluster.ask, () => undefined) : undefined
  if (!ask) return { sql, names: tables, tables: [], views: [] }
  return resolveNames({ sql, tables }, { ask, signal, isPath, isGiven, read: text => readStatement(parser, text, undefined) })
}

async function tablesIn(
  tools: SqlTools, { names, tables: known }: Pick<ResolvedQuery, 'names' | 'tables'>,
  { own, space, signal }: { readonly own: ReadonlySet<string> } & Pick<Question, 'space' | 'signal'>,
): Promise<SqlTable[]> {
  const { cluster } = tools
  const tableOf = async (name: string): Promise<SqlTable | undefined> => {
    const lines = tools.lines?.get(name.toLowerCase())
    if (lines) return linesTable((await cluster()).cluster.ask, name, lines, signal)
    const found = known.find(each => each.name === name)
    if (found) return catalogTable((await cluster()).cluster.ask, found, signal)
    return isPathName(name) ? filesOf(tools, name, signal) : undefined
  }
  const wanted = [...new Set(names)]
  const gate = new Semaphore(lookupsAtOnce)
  const isInside = (name: string): boolean => !isOutside(name) || known.some(each => each.name === name)
  const tables = await settled(wanted.map(async name => (isInside(name) ? gate.run(() => tableOf(name), signal) : undefined)))
  // Copying begins when all others are known to be there.
  for (const [i, name] of wanted.entries())
    if (!isInside(name)) tables[i] = await outsideTable(name, { ...tools, isOwn: own.has(name), space, signal })
  return tables.filter(table => table !== undefined)
}

/** Tables whose files are looked up at a time. */
const lookupsAtOnce = 8

/** The table of a path, or of a call that says how its files are read. */
async function filesOf(tools: SqlTools, name: string, signal: AbortSignal | undefined): Promise<SqlTable> {
  const call = callOf(name)
  const path = call?.path ?? name
  checkName(path)
  const local = localName(path, tools)
  if (local !== undefined && tools.isRemote)
    throw new GristmillError(
      'EACCES', `${path} is a file of the machine that runs the query, which is not read here; name one of the cluster`,
      { details: { path } },
    )
  const table = local === undefined
    ? await clusterTableOr(tools, path, (await tools.cluster()).cluster.ask, { signal, kind: call?.kind })
    : await localTable(tools.disk, path, local, { ...tools, kind: call?.kind })
  return call ? { ...table, name, path, csv: call.csv } : table
}

/** The table of a path of the cluster. For a file of this machine, which the cluster does not have, the error says how to name it. */
function clusterTableOr(
  { isRemote, disk, cwd }: SqlTools, path: string, ask: CallMessage,
  { signal, kind }: { readonly signal: AbortSignal | undefined; readonly kind: SqlTable['kind'] | undefined },
): Promise<SqlTable> {
  const table = clusterTable(ask, path, signal, kind)
  // The user of a gateway has no business with the files of its machine.
  if (isRemote) return table
  return advisingLocal([path], { disk, cwd }, table, (named, found) =>
    `there is a local ${found} of this name, which is written '${isAbsolute(named) ? 'file:' : './'}${named}'`)
}

/** A table of this machine among them. */
export const localAmong = (tables: readonly SqlTable[]): SqlTable | undefined =>
  tables.find(table => table.files.some(file => file.local !== undefined))
