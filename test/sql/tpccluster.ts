// TPC-H on a cluster of datanodes with one slot each, real processes on this machine: tables as Parquet files in the cluster, each query
// divided wherever its tables have parts. The answers are those of plain DuckDB over the same files; its time is that of two threads.
// With `isKilled` each query loses a datanode when a share of its tasks has ended, which a seed draws, and rows of exchanges with it; the
// datanode is back before the next query.

import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type Job, type Mill } from '../../client/index.ts'
import { startClusterHere } from '../cluster/inprocess.ts'
import { until, type TestCluster } from '../kit/cluster.ts'
import { difference } from './compare.ts'
import type { Deadline } from './deadline.ts'
import { randomOf, type Random } from './draw.ts'
import { openDuckDB, read, type Answer } from './duckdb.ts'
import { answerOf, makeTpch, overCluster } from './tpchfiles.ts'

/** Rows of a file of a table. */
const fileRows = 200_000

export interface TpchOptions {
  readonly scale: string
  /** Path of DuckDB's extension. */
  readonly extension: string
  /** Number of the only query. */
  readonly only: string | undefined
  /** Prints what each stage took. */
  readonly isAnalyzed: boolean
  readonly isKilled: boolean
  readonly deadline: Deadline
}

/** False if an answer is wrong, or if no query has lost an attempt though nodes were killed. */
export async function runTpchOnCluster({ scale, extension, only, isAnalyzed, isKilled, deadline }: TpchOptions): Promise<boolean> {
  const dir = mkdtempSync(join(tmpdir(), 'gristmill-tpch-'))
  const plain = await openDuckDB({ threads: 2, memory: '4GB' })
  const queries = await makeTpch(plain, { dir: join(dir, 'tpch'), extension, scale, fileRows })
  const settings = { GRISTMILL_SLOTS: '1', GRISTMILL_REPLICATION: '2' }
  const cluster = await startClusterHere({ datanodes: isKilled ? 3 : 2, settings })
  const seed = Math.floor(Date.now() / 1000)
  if (isKilled) console.log(`TPC-H with a datanode killed in each query: seed ${seed}`)
  try {
    await using mill = await connect({ address: cluster.namenode.address, secretFile: cluster.secretFile })
    await mill.put(join(dir, 'tpch'), '/tpch', { recursive: true })
    // The first task of each node starts its process.
    await mill.sql(`SELECT count(*) FROM '/tpch/lineitem'`, null, { distribute: 'always' }).collect()
    let [ran, faults, whole, lost, ours, theirs] = [0, 0, 0, 0, 0, 0]
    for (const [number, sql] of queries) {
      if ((only !== undefined && Number(only) !== number) || deadline.isOver(`TPC-H ${number} on a cluster`)) continue
      const plainMs = await timed(async () => read(plain, sql))
      const killing = isKilled ? new Killing(mill, cluster, randomOf(seed * 100 + number)) : undefined
      const clusterMs = await timed(() =>
        answerOf(mill, overCluster(sql), { distribute: 'always', ...killing && { onJob: job => { killing.begin(job) } } }))
        .catch((error: unknown) => ({ value: error as Error, ms: 0 }))
      const killed = await killing?.end()
      lost += killed?.lost ?? 0
      const fault = faultIn(clusterMs.value, plainMs.value)
      const { stages, text } = await mill.sql(overCluster(sql), null, { distribute: 'always' }).explain({ analyze: isAnalyzed })
      const gathered = stages.flatMap(stage => stage.gathered ?? [])
      ran++
      if (gathered.length === 0) whole++
      if (fault !== undefined) faults++
      ours += clusterMs.ms
      theirs += plainMs.ms
      const times = `${(clusterMs.ms / 1000).toFixed(2)} s in ${stages.length} stages, plain DuckDB ${(plainMs.ms / 1000).toFixed(2)} s`
      const how = [...killed ? [killed.text] : [], ...gathered.map(reason => `gathered: ${reason}`)]
      console.log(`TPC-H ${number}: ${[`${fault ?? 'same'}, ${times}`, ...how].join('; ')}`)
      if (isAnalyzed) console.log(text)
    }
    const [load] = loadavg()
    console.log(
      `TPC-H at scale ${scale} on a cluster: ${ran} queries, ${faults} faults, ${whole} queries without a gathered part, `
      + `${isKilled ? `${lost} lost attempts, ` : ''}${(ours / 1000).toFixed(1)} s in all, plain DuckDB with two threads `
      + `${(theirs / 1000).toFixed(1)} s, at a load of ${load!.toFixed(1)}`,
    )
    if (isKilled && ran >= lossless && lost === 0) console.log('FAILED: no killed datanode had anything of a query')
    return faults === 0 && !(isKilled && ran >= lossless && lost === 0)
  } finally {
    await cluster.stop()
    plain.closeSync()
    rmSync(dir, { recursive: true, force: true })
  }
}

/** Queries of which one has to lose an attempt: a kill may come when nothing of its node is needed any more. */
const lossless = 10

const faultIn = (found: Answer | Error, expected: Answer): string | undefined =>
  (found instanceof Error ? `error: ${found.message}` : difference(found, expected, false))

/** Kills one datanode while a job runs, and starts it again at the end. */
class Killing {
  readonly #mill: Mill
  readonly #cluster: TestCluster
  readonly #random: Random
  #killed: Promise<{ text: string; job: Job; node: TestCluster['datanodes'][number] }> | undefined

  constructor(mill: Mill, cluster: TestCluster, random: Random) {
    this.#mill = mill
    this.#cluster = cluster
    this.#random = random
  }

  begin(job: Job): void {
    this.#killed ??= this.#kill(job)
    // `end` throws it.
    this.#killed.catch(() => {})
  }

  async #kill(job: Job): Promise<{ text: string; job: Job; node: TestCluster['datanodes'][number] }> {
    const share = 0.05 + 0.9 * this.#random.next()
    const node = this.#random.pick(this.#cluster.datanodes)
    const progress = await until('a share of the tasks has ended', async () => {
      const { state, stages } = await job.status()
      const sum = (what: 'tasks' | 'done'): number => stages.reduce((all, stage) => all + stage[what], 0)
      const isThere = state !== 'running' || sum('done') >= Math.floor(share * sum('tasks'))
      return isThere && `a datanode killed after ${sum('done')} of ${sum('tasks')} tasks${state === 'running' ? '' : ', at the end'}`
    })
    await node.kill()
    return { text: progress, job, node }
  }

  /** Attempts that were lost with the datanode. */
  async end(): Promise<{ text: string; lost: number }> {
    if (this.#killed === undefined) return { text: 'no job', lost: 0 }
    const { text, job, node } = await this.#killed
    const attempts = (await Array.fromAsync(job.tasks())).flatMap(task => task.attempts)
    const lost = attempts.filter(({ state }) => state === 'lost').length
    await node.start()
    await until('the datanode is back', async () => {
      const { nodes } = await this.#mill.clusterStatus()
      return nodes.length === this.#cluster.datanodes.length && nodes.every(({ state }) => state === 'live')
    })
    return { text: `${text}, ${lost} lost attempts`, lost }
  }
}

async function timed<T>(work: () => Promise<T>): Promise<{ value: T; ms: number }> {
  const startMs = performance.now()
  const value = await work()
  return { value, ms: performance.now() - startMs }
}
