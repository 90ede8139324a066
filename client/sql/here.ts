// A query in this process: files of this machine are read in place, small ones of the cluster are fetched first, with every byte checked.
// CSV and JSON are read as tasks read them; Parquet as the engine reads it, once its files are known to have columns that agree.

import { throwIfAborted } from '../../src/base/abort.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { Semaphore } from '../../src/base/queue.ts'
import { literalOf, literalsOf, quotedName, typeText } from '../../src/base/sql.ts'
import type { FileClient } from '../../src/file/client.ts'
import { isLineKind, lineColumn, type LineKind } from '../../src/operator/linefile.ts'
import { lookAt } from '../../src/operator/look.ts'
import { lookAtParquet } from '../../src/operator/parquetfit.ts'
import {
  escapedPath, partitionsIn as hivePartitions, tableSelect, type TablePart, type TableShape,
} from '../../src/operator/sqltable.ts'
import type { Database } from '../../src/ports/database.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { FileSample } from './csvshape.ts'
import { settled } from '../jobs/splits.ts'
import { aboutFile } from './localnames.ts'
import { sampleHere } from './sample.ts'
import { partitionsOf, shapeOf } from './shape.ts'
import type { SqlTable } from './tables.ts'
import type { Workspace } from './workspace.ts'

/** Files that are fetched at the same time: each is a question to the namenode and to a node, or to a server outside. */
const filesAtOnce = 8

/** A table and the local paths of its files. `samples`: of CSV and JSON whose columns are not in the catalogue. */
interface PlacedTable {
  readonly table: SqlTable
  readonly locals: readonly string[]
  readonly samples: readonly FileSample[]
}

/** Fetches files of the cluster, and looks at the beginnings of CSV and JSON. */
export async function placeTables(
  tables: readonly SqlTable[],
  { disk, space, files, signal }: {
    readonly disk: Disk
    readonly space: Workspace
    /** Undefined: all files are of this machine. */
    readonly files: Pick<FileClient, 'locate' | 'read'> | undefined
    readonly signal: AbortSignal | undefined
  },
): Promise<PlacedTable[]> {
  const placed: PlacedTable[] = []
  const gate = new Semaphore(filesAtOnce)
  for (const [i, table] of tables.entries()) {
    const copies = await settled(table.files.map(file => gate.run(() => space.place(file, files, signal), signal)))
    const locals: string[] = []
    for (const [at, file] of table.files.entries())
      locals.push(table.kind === 'json' ? await space.unmarked(copies[at]!, file, signal) : copies[at]!)
    if (isLineKind(table.kind)) {
      placed.push(await linesOf(table, { kind: table.kind, index: i, locals }, { disk, space, signal }))
      continue
    }
    const isKnown = table.kind === 'parquet' || table.known?.format !== undefined
    const { samples } = isKnown ? { samples: [] } : await sampleHere(table, i, locals, { disk, space, signal })
    placed.push({ table, locals, samples })
  }
  return placed
}

/** Arrow or Avro files as JSON lines, with the columns of the first one, or those that the catalogue has. */
async function linesOf(
  table: SqlTable, { kind, index, locals }: { readonly kind: LineKind; readonly index: number; readonly locals: readonly string[] },
  { disk, space, signal }: { readonly disk: Disk; readonly space: Workspace; readonly signal: AbortSignal | undefined },
): Promise<PlacedTable> {
  const { known } = table
  const first = table.files.findIndex(({ bytes }) => bytes > 0)
  const { samples } = known?.format !== undefined || first < 0 ? { samples: [] }
    : await sampleHere({ ...table, files: [table.files[first]!] }, index, [locals[first]!], {
      disk, space, loadAvro: space.loadAvro, signal,
    })
  const columns = samples[0]?.columns
    ?? known?.columns.filter(({ name }) => !known.partitions?.includes(name)).map(({ name, type }) => lineColumn(name, type)) ?? []
  const made: string[] = []
  for (const [i, local] of locals.entries()) made.push(await space.lines(kind, { path: table.files[i]!.path, local }, columns, signal))
  return { table, locals: made, samples }
}

/** All paths that a query over these tables reaches. */
export const pathsOf = (tables: readonly PlacedTable[]): string[] =>
  [...new Set(tables.flatMap(({ locals, samples }) => [...locals, ...samples.map(each => each.local)])
    .flatMap(local => [local, escapedPath(local)]))]

/** Directories of the form name=value count in the part of a path that the statement names, not above it. */
function parquetSelect(files: readonly NamedFile[], partitions: TableShape['partitions']): string {
  const paths = literalsOf(files.map(({ local }) => escapedPath(local)))
  if (partitions.length === 0) return `SELECT * FROM read_parquet(${paths}, hive_partitioning = false)`
  const isOwn = (key: string): boolean => partitions.some(({ name }) => name === key)
  const above = [...new Set(files.flatMap(({ local }) => keysIn(local)))].filter(key => !isOwn(key))
  const list = above.length === 0 ? '*' : `* EXCLUDE (${above.map(quotedName).join(', ')})`
  // As tasks read them: the engine would take further texts for timestamps and numbers.
  const types = [...partitions, ...above.map(name => ({ name, type: 'VARCHAR' }))].map(({ name, type }) => `${literalOf(name)}: ${type}`)
  return `SELECT ${list} FROM read_parquet(${paths}, hive_partitioning = true, hive_types = {${types.join(', ')}})`
}

const keysIn = (path: string): string[] => [...hivePartitions(path).keys()]

interface Places { readonly disk: Disk; readonly space: Pick<Workspace, 'reads'>; readonly signal: AbortSignal | undefined }

interface NamedFile { readonly named: string; readonly local: string }

/** As a task reads it. */
async function fixedSelect(db: Database, shape: TableShape, files: readonly NamedFile[], { disk, space, signal }: Places): Promise<string> {
  const pause = (): undefined => {
    throwIfAborted(signal)
    return undefined
  }
  const parts: TablePart[] = []
  for (const { named: path, local } of files) {
    const part = { path, local, isFirst: true }
    parts.push({ ...part, ...await lookAt(part, { db, disk, shape, pause }) })
  }
  space.reads(parts.map(part => ({ shape, part })))
  return tableSelect(shape, parts)
}

async function selectOf(db: Database, { table, locals, samples }: PlacedTable, places: Places): Promise<string> {
  const files = table.files.map(({ path, named = path }, i) => ({ named, local: locals[i]! }))
  if (table.kind !== 'parquet' || files.length === 0) return fixedSelect(db, await shapeOf(db, { table, samples }), files, places)
  const partitions = partitionsOf(table)
  if (files.length > 1) {
    const [{ local }] = files as [NamedFile]
    const columns = await db.columnsOf(`SELECT * FROM read_parquet(${literalOf(escapedPath(local))}, hive_partitioning = false)`)
    const shape: TableShape = {
      name: table.name, format: { kind: 'parquet' }, columns: columns.map(({ name, type }) => ({ name, type: typeText(type) })), partitions,
    }
    // The engine reads files below other directories by itself only if all have the same keys.
    if (partitions.length > 0 && files.some(({ named }) => keysIn(named).join('/') !== keysIn(files[0]!.named).join('/')))
      return fixedSelect(db, shape, files, places)
    for (const { named: path, local: other } of files.slice(1)) await lookAtParquet({ path, local: other }, { db, shape })
  }
  return parquetSelect(files, partitions)
}

/** Makes the tables of a query views over local files. */
export async function defineTables(db: Database, tables: readonly PlacedTable[], places: Places): Promise<void> {
  for (const placed of tables) {
    const { name } = placed.table
    try {
      await db.run(`CREATE VIEW ${quotedName(name)} AS ${await selectOf(db, placed, places)}`)
    } catch (error) {
      if (!(error instanceof GristmillError)) throw error
      if (/already exists/.test(error.message))
        throw new GristmillError(
          'EINVAL', `${name} and another table of the query differ in the case of letters only; ask for them in two queries`,
        )
      if (error.code === 'PROGRAM_INVALID') throw new GristmillError('EINVAL', error.message, { details: error.details })
      const { table: { kind }, locals } = placed
      throw kind === 'parquet' ? aboutFile(error, name, locals) : error
    }
  }
}
