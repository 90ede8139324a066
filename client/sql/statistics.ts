// Rows and distinct values of a table, estimated from the samples of its files. They decide about the order of joins and what is broadcast,
// never about the answer.

import { literalOf, literalsOf } from '../../src/base/sql.ts'
import { isLineKind } from '../../src/operator/linefile.ts'
import type { Database } from '../../src/ports/database.ts'
import type { TableInfo } from '../../src/sql/query.ts'
import type { SampledTable } from './sample.ts'

/** Leaves out unknown numbers. REQUIRES: `db` reaches the samples. */
export async function statisticsOf(
  db: Database, { table, samples }: SampledTable, bytes: number,
): Promise<Pick<TableInfo, 'rows' | 'distinct'>> {
  const [first] = samples
  if (!first) return {}
  if (isLineKind(table.kind)) return {}
  if (table.kind !== 'parquet') {
    const lines = samples.reduce((sum, sample) => sum + sample.lines, 0)
    const read = samples.reduce((sum, sample) => sum + sample.bytes, 0)
    return read === 0 ? {} : { rows: Math.ceil(bytes * lines / read) }
  }
  try {
    // The other files are like the first one.
    const files = Math.max(1, bytes / Math.max(1, table.files[0]!.bytes))
    const file = literalOf(first.local)
    const rows = Number(await one(db, `SELECT num_rows FROM parquet_file_metadata(${file})`))
    const distinct = new Map<string, number>()
    const ranges = await db.query(
      `SELECT path_in_schema, max(TRY_CAST(stats_max_value AS BIGINT)) - min(TRY_CAST(stats_min_value AS BIGINT)) + 1 AS range
       FROM parquet_metadata(${file}) WHERE type IN ('INT32', 'INT64') GROUP BY ALL HAVING range IS NOT NULL`,
    )
    for await (const found of ranges.batches())
      for (const [name, range] of found) distinct.set(String(name), Math.ceil(Number(range) * files))
    return { rows: Math.ceil(rows * files), distinct }
  } catch {
    return {}
  }
}

/** Shares of columns in the bytes of a Parquet table, by their names in lower case. Empty: they are not known. */
export async function columnShares(db: Database, { table, samples }: SampledTable): Promise<ReadonlyMap<string, number>> {
  if (table.kind !== 'parquet' || samples.length === 0) return new Map()
  try {
    const found = await db.query(
      `SELECT lower(split_part(path_in_schema, ', ', 1)), sum(total_compressed_size)
       FROM parquet_metadata(${literalsOf(samples.map(({ local }) => local))}) GROUP BY ALL`,
    )
    const bytes = new Map<string, number>()
    for await (const rows of found.batches()) for (const [name, count] of rows) bytes.set(String(name), Number(count))
    const all = [...bytes.values()].reduce((sum, each) => sum + each, 0)
    return new Map([...bytes].map(([name, count]) => [name, count / Math.max(1, all)]))
  } catch {
    return new Map()
  }
}

/** Numbers that ANALYZE has counted, scaled to the bytes that the table has now. */
export function knownStatistics({ table: { known } }: SampledTable, bytes: number): Pick<TableInfo, 'rows' | 'distinct'> {
  const statistics = known?.statistics
  if (!statistics || statistics.bytes === 0) return {}
  const distinct = known.columns.flatMap(({ name }, i) => {
    const count = statistics.distinct[i] ?? 0
    return count > 0 ? [[name, count] as const] : []
  })
  return { rows: Math.ceil(statistics.rows * bytes / statistics.bytes), distinct: new Map(distinct) }
}

async function one(db: Database, sql: string): Promise<unknown> {
  for await (const [row] of (await db.query(sql)).batches()) return row![0]
  return undefined
}
