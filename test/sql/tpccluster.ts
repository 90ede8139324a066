// TPC-H on a cluster of two datanodes with one slot each, real processes on this machine: tables as Parquet files in the cluster, each
// query divided wherever its tables have parts. The answers are those of plain DuckDB over the same files; its time is that of two threads.

import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '../../client/index.ts'
import { startClusterHere } from '../cluster/inprocess.ts'
import { difference } from './compare.ts'
import { openDuckDB, read } from './duckdb.ts'
import { answerOf, makeTpch, overCluster } from './tpchfiles.ts'

/** Rows of a file of a table. */
const fileRows = 200_000

export async function runTpchOnCluster(scale: string, extension: string, only: string | undefined, isAnalyzed: boolean): Promise<boolean> {
  const dir = mkdtempSync(join(tmpdir(), 'gristmill-tpch-'))
  const plain = await openDuckDB({ threads: 2, memory: '4GB' })
  const queries = await makeTpch(plain, { dir: join(dir, 'tpch'), extension, scale, fileRows })
  const cluster = await startClusterHere({ datanodes: 2, settings: { GRISTMILL_SLOTS: '1', GRISTMILL_REPLICATION: '2' } })
  try {
    await using mill = await connect({ address: cluster.namenode.address, secretFile: cluster.secretFile })
    await mill.put(join(dir, 'tpch'), '/tpch', { recursive: true })
    // The first task of each node starts its process.
    await mill.sql(`SELECT count(*) FROM '/tpch/lineitem'`, null, { distribute: 'always' }).collect()
    let [faults, whole, ours, theirs] = [0, 0, 0, 0]
    for (const [number, sql] of queries) {
      if (only !== undefined && Number(only) !== number) continue
      const plainMs = await timed(async () => read(plain, sql))
      const clusterMs = await timed(() => answerOf(mill, overCluster(sql), { distribute: 'always' }))
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

async function timed<T>(work: () => Promise<T>): Promise<{ value: T; ms: number }> {
  const startMs = performance.now()
  const value = await work()
  return { value, ms: performance.now() - startMs }
}
