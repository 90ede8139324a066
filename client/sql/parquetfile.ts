// Structure of one Parquet file, out of its footer: schema, row groups, who wrote it. None of its rows is read.

import { GristmillError } from '../../src/base/errors.ts'
import { literalOf } from '../../src/base/sql.ts'
import { MiB } from '../../src/base/units.ts'
import type { Database, OpenDatabase } from '../../src/ports/database.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Random } from '../../src/ports/random.ts'
import type { SqlCluster } from './cluster.ts'
import { aboutFile } from './localnames.ts'
import { explainedIn } from './running.ts'
import { sampleTable } from './sample.ts'
import { clusterTable } from './tables.ts'
import { Workspace } from './workspace.ts'

export interface ParquetFile {
  readonly rows: number
  readonly writer: string
  /** In the order of the file; `depth` counts the groups around a column. */
  readonly columns: ReadonlyArray<{ readonly name: string; readonly type: string; readonly depth: number }>
  readonly groupCount: number
  /** The first ones. */
  readonly groups: ReadonlyArray<{ readonly rows: number; readonly bytes: number; readonly packedBytes: number; readonly codecs: string }>
}

export interface ParquetTools {
  readonly disk: Disk
  readonly random: Random
  readonly openDatabase: OpenDatabase | undefined
  readonly scratchDir: string
}

const memoryBytes = 128 * MiB
const groupsMax = 1_000
const columnsMax = 2_000

/** Throws EINVAL for a file that is no Parquet file, ENOENT, EACCES. */
export async function describeParquet(
  path: string, cluster: SqlCluster, { disk, random, openDatabase, scratchDir }: ParquetTools, signal: AbortSignal,
): Promise<ParquetFile> {
  if (!openDatabase) throw new GristmillError('CONFIG_INVALID', 'there is no SQL engine in a simulated cluster; use real processes')
  const table = await clusterTable(cluster.cluster.ask, path, signal)
  if (table.kind !== 'parquet' || table.files.length !== 1)
    throw new GristmillError('EINVAL', `${path} is not one Parquet file`, { details: { path } })
  await using space = new Workspace(disk, scratchDir, random.id(), { isRemote: true })
  const db = await space.open(openDatabase, memoryBytes, 1)
  const interrupt = (): void => db.interrupt()
  signal.addEventListener('abort', interrupt, { once: true })
  try {
    const { samples: [footer] } = await sampleTable(table, 0, { disk, files: cluster.files, space, signal, footers: 1 })
    await db.confine([footer!.local])
    return await described(db, literalOf(footer!.local))
  } catch (error) {
    throw aboutFile(await explainedIn(error, space), path)
  } finally {
    signal.removeEventListener('abort', interrupt)
    db.close()
  }
}

async function described(db: Database, file: string): Promise<ParquetFile> {
  const [whole] = await rowsOf(db, `SELECT num_rows, created_by, num_row_groups FROM parquet_file_metadata(${file})`)
  const schema = await rowsOf(db, `SELECT name, type, logical_type, converted_type, num_children, duckdb_type FROM parquet_schema(${file})
    LIMIT ${columnsMax}`)
  const groups = await rowsOf(db, `SELECT any_value(row_group_num_rows), sum(total_uncompressed_size), sum(total_compressed_size),
      string_agg(DISTINCT compression, ', ' ORDER BY compression)
    FROM parquet_metadata(${file}) GROUP BY row_group_id ORDER BY row_group_id LIMIT ${groupsMax}`)
  return {
    rows: Number(whole![0]), writer: String(whole![1] ?? ''), groupCount: Number(whole![2]), columns: columnsOf(schema),
    groups: groups.map(([rows, bytes, packedBytes, codecs]) =>
      ({ rows: Number(rows), bytes: Number(bytes), packedBytes: Number(packedBytes), codecs: String(codecs ?? '').toLowerCase() })),
  }
}

type Row = readonly unknown[]

async function rowsOf(db: Database, sql: string): Promise<Row[]> {
  const rows: Row[] = []
  for await (const batch of (await db.query(sql)).batches()) rows.push(...batch)
  return rows
}

/** Columns with their depths: a group is followed by its children. The first row is the file itself. */
function columnsOf(schema: readonly Row[]): ParquetFile['columns'] {
  const open: number[] = []
  return schema.slice(1).map(([name, type, logical, converted, children, own]) => {
    const depth = open.length
    if (open.length > 0) open[open.length - 1]!--
    if (Number(children ?? 0) > 0) open.push(Number(children))
    while (open.length > 0 && open.at(-1) === 0) open.pop()
    return { name: String(name), type: String(own ?? logical ?? converted ?? type ?? 'group'), depth }
  })
}
