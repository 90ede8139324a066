// TPC-H on a cluster of two datanodes with one slot each, real processes on this machine: tables as Parquet files in the cluster, each
// query divided wherever its tables have parts. The answers are those of plain DuckDB over the same files; its time is that of two threads.

import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import { connect, type Mill } from '../../client/index.ts'
import { startClusterHere } from '../cluster/inprocess.ts'
import { difference } from './compare.ts'
import { openDuckDB, read, type Answer } from './duckdb.ts'

const tables = ['region', 'nation', 'supplier', 'customer', 'part', 'partsupp', 'orders', 'lineitem']

/** Rows of a file of a table. */
const fileRows = 200_000

export async function runTpchOnCluster(scale: string, extension: string, only: string | undefined, isAnalyzed: boolean): Promise<boolean> {
  const dir = mkdtempSync(join(tmpdir(), 'gristmill-tpch-'))
  const plain = await openDuckDB({ threads: 2, memory: '4GB' })
  await plain.run(`LOAD '${extension}'`)
  await plain.run(`CALL dbgen(sf=${scale})`)
  await writeFiles(plain, dir)
  const cluster = await startClusterHere({ datanodes: 2, settings: { GRISTMILL_SLOTS: '1', GRISTMILL_REPLICATION: '2' } })
  try {
    await using mill = await connect({ address: cluster.namenode.address, secretFile: cluster.secretFile })
    await mill.put(join(dir, 'tpch'), '/tpch', { recursive: true })
    const queries = (await read(plain, 'SELECT query_nr, query FROM tpch_queries() ORDER BY 1')).rows
    for (const name of tables) {
      await plain.run(`DROP TABLE ${name}`)
      await plain.run(`CREATE VIEW ${name} AS FROM read_parquet('${dir}/tpch/${name}/*.parquet')`)
    }
    // The first task of each node starts its process.
    await mill.sql(`SELECT count(*) FROM '/tpch/lineitem'`, null, { distribute: 'always' }).collect()
    let [faults, whole, ours, theirs] = [0, 0, 0, 0]
    for (const [number, sql] of queries.map(([nr, text]) => [Number(nr), String(text)] as const)) {
      if (only !== undefined && Number(only) !== number) continue
      const plainMs = await timed(async () => read(plain, sql))
      const clusterMs = await timed(() => answerOf(mill, overCluster(sql)))
      const fault = difference(clusterMs.value, plainMs.value, false)
      const { stages, text } = await mill.sql(overCluster(sql), null, { distribute: 'always' }).explain({ analyze: isAnalyzed })
      const gathered = stages.flatMap(stage => stage.gathered ?? [])
      if (gathered.length === 0) whole++
      if (fault !== undefined) faults++
      ours += clusterMs.ms
      theirs += plainMs.ms
      const times = `${(clusterMs.ms / 1000).toFixed(2)} s in ${stages.length} stages, plain DuckDB ${(plainMs.ms / 1000).toFixed(2)} s`
      console.log(`TPC-H ${number}: ${fault ?? 'same'}, ${times}${gathered.map(reason => `; gathered: ${reason}`).join('')}`)
      if (isAnalyzed) console.log(text)
    }
    const [load] = loadavg()
    console.log(
      `TPC-H at scale ${scale} on a cluster: ${faults} faults, ${whole} queries without a gathered part, `
      + `${(ours / 1000).toFixed(1)} s in all, plain DuckDB with two threads ${(theirs / 1000).toFixed(1)} s, at a load of ${load!.toFixed(1)}`,
    )
    return faults === 0
  } finally {
    await cluster.stop()
    plain.closeSync()
    rmSync(dir, { recursive: true, force: true })
  }
}

async function writeFiles(connection: DuckDBConnection, dir: string): Promise<void> {
  for (const name of tables) {
    const folder = join(dir, 'tpch', name)
    mkdirSync(folder, { recursive: true })
    const [[count]] = (await read(connection, `SELECT count(*) FROM ${name}`)).rows as [[string]]
    for (let from = 0; from === 0 || from < Number(count); from += fileRows) {
      const file = join(folder, `${String(from / fileRows).padStart(3, '0')}.parquet`)
      await connection.run(`COPY (SELECT * FROM ${name} WHERE rowid >= ${from} AND rowid < ${from + fileRows}) TO '${file}'`)
      if (statSync(file).size === 0) throw new Error(`${file} is empty`)
    }
  }
}

async function timed<T>(work: () => Promise<T>): Promise<{ value: T; ms: number }> {
  const startMs = performance.now()
  const value = await work()
  return { value, ms: performance.now() - startMs }
}

/** The query with the paths of its tables in place of their names. */
function overCluster(sql: string): string {
  const named = new RegExp(`\\b(from|join|,)(\\s+)(${tables.join('|')})\\b(?=(\\s+(?:as\\s+)?\\w+)?)`, 'gi')
  const words = /^\s+(?:where|group|order|left|right|inner|join|on|union|limit)\b/i
  return sql.replaceAll(named, (_, before: string, space: string, name: string, next: string | undefined) =>
    `${before}${space}'/tpch/${name}'${next === undefined || words.test(next) ? ` AS ${name}` : ''}`)
}

async function answerOf(mill: Mill, sql: string): Promise<Answer> {
  await using running = await mill.sql(sql, null, { distribute: 'always' }).run()
  const rows: unknown[][] = []
  for await (const batch of running.batches())
    for (const row of batch) rows.push(row.map(value => (typeof value === 'bigint' ? String(value) : value)))
  const types = running.columns.map(({ type }) => (type.kind === 'plain' ? type.name : type.kind))
  return { names: running.columns.map(({ name }) => name), types, rows }
}
