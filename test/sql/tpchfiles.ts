// The tables of TPC-H as Parquet files, and its queries over paths of a cluster in place of names of tables.

import { mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import type { Mill, SqlOptions } from '../../client/index.ts'
import { read, type Answer } from './duckdb.ts'

export const tpchTables = ['region', 'nation', 'supplier', 'customer', 'part', 'partsupp', 'orders', 'lineitem'] as const

/** Generates the tables, writes them to `dir`/TABLE/*.parquet, and makes them views over these files. Returns the queries by number. */
export async function makeTpch(
  connection: DuckDBConnection, { dir, extension, scale, fileRows }:
    { readonly dir: string; readonly extension: string; readonly scale: string; readonly fileRows: number },
): Promise<Array<readonly [number: number, sql: string]>> {
  await connection.run(`LOAD '${extension}'`)
  await connection.run(`CALL dbgen(sf=${scale})`)
  for (const name of tpchTables) {
    await writeFiles(connection, name, join(dir, name), fileRows)
    await connection.run(`DROP TABLE ${name}`)
    await connection.run(`CREATE VIEW ${name} AS FROM read_parquet('${dir}/${name}/*.parquet')`)
  }
  const queries = (await read(connection, 'SELECT query_nr, query FROM tpch_queries() ORDER BY 1')).rows
  return queries.map(([number, sql]) => [Number(number), String(sql)] as const)
}

async function writeFiles(connection: DuckDBConnection, name: string, folder: string, fileRows: number): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const [[count]] = (await read(connection, `SELECT count(*) FROM ${name}`)).rows as [[string]]
  for (let from = 0; from === 0 || from < Number(count); from += fileRows) {
    const file = join(folder, `${String(from / fileRows).padStart(3, '0')}.parquet`)
    await connection.run(`COPY (SELECT * FROM ${name} WHERE rowid >= ${from} AND rowid < ${from + fileRows}) TO '${file}'`)
    if (statSync(file).size === 0) throw new Error(`${file} is empty`)
  }
}

/** The query with the directories /tpch/TABLE of the cluster in place of the names of its tables. */
export function overCluster(sql: string): string {
  const named = new RegExp(`\\b(from|join|,)(\\s+)(${tpchTables.join('|')})\\b(?=(\\s+(?:as\\s+)?\\w+)?)`, 'gi')
  const words = /^\s+(?:where|group|order|left|right|inner|join|on|union|limit)\b/i
  return sql.replaceAll(named, (_, before: string, space: string, name: string, next: string | undefined) =>
    `${before}${space}'/tpch/${name}'${next === undefined || words.test(next) ? ` AS ${name}` : ''}`)
}

/** The rows of a query as `read` gives those of plain DuckDB. */
export async function answerOf(mill: Pick<Mill, 'sql'>, sql: string, options: SqlOptions = {}): Promise<Answer> {
  await using running = await mill.sql(sql, null, options).run()
  const rows: unknown[][] = []
  for await (const batch of running.batches())
    for (const row of batch) rows.push(row.map(value => (typeof value === 'bigint' ? String(value) : value)))
  const types = running.columns.map(({ type }) => (type.kind === 'plain' ? type.name : type.kind))
  return { names: running.columns.map(({ name }) => name), types, rows }
}
