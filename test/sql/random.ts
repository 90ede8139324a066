// Random queries, planned and run in tasks, against plain DuckDB: `node test/sql/random.ts --seeds 100 [--from 1]`, or `--fresh N` for N
// seeds that no run has had; with --cluster on a cluster of real processes, with --writes there with statements that write a table, eight
// for each seed. A run prints its first seed; `--seeds 1 --from SEED` repeats one query.

import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { planQuery } from '../../src/sql/plan.ts'
import type { TableInfo } from '../../src/sql/query.ts'
import { sqlRuleNames } from '../../src/sql/rules.ts'
import { openDuckDB, oracleOf, read, type Answer } from './duckdb.ts'
import { randomOf, type Random } from './draw.ts'
import { randomQuery } from './generator.ts'
import { faultOf, type Outcome } from './outcome.ts'
import { makeTables, randomTables } from './tables.ts'
import { runPlan } from './runner.ts'

/** One database with random tables for many queries; tables change with each 25th seed. */
export async function randomRuns(seeds: readonly number[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  const oracle = oracleOf(await openDuckDB())
  let connection = await openDuckDB()
  let era: number | undefined
  let tables: TableInfo[] = []
  for (const seed of seeds) {
    if (era !== Math.floor(seed / 25)) {
      era = Math.floor(seed / 25)
      connection.closeSync()
      connection = await openDuckDB()
      tables = randomTables(randomOf(era))
      await makeTables(connection, tables, randomOf(era * 31 + 7))
    }
    outcomes.push(await randomRun(seed, tables, connection, oracle))
  }
  connection.closeSync()
  return outcomes
}

async function randomRun(
  seed: number,
  tables: readonly TableInfo[],
  connection: Awaited<ReturnType<typeof openDuckDB>>,
  oracle: ReturnType<typeof oracleOf>,
): Promise<Outcome> {
  const random = randomOf(seed)
  const { sql, isOrdered } = randomQuery(random, tables)
  const attempt = async (work: () => Promise<Answer>): Promise<Answer | Error> => work().catch((error: unknown) => error as Error)
  const expected = await attempt(() => read(connection, sql))
  const gathered: string[] = []
  const found = await attempt(async () => {
    const off = new Set(sqlRuleNames.filter(() => random.chance(0.12)))
    const sized = tables.map(table => ({ ...table, ...sizeOf(random) }))
    const plan = await planQuery(sql, sized, oracle, { off, broadcastBytes: random.pick([0, 1000, 1e9]) })
    gathered.push(...plan.gathered.map(({ reason }) => reason))
    return runPlan(connection, plan, { splits: random.int(1, 4), partitions: random.int(1, 4), random: random.next })
  })
  const fault = faultOf(found, expected, isOrdered)
  return { seed, sql, gathered, failed: expected instanceof Error, ...(fault !== undefined && { fault }) }
}

/** A size that is unknown, small, or large, whatever the table has. */
function sizeOf(random: Random): Partial<TableInfo> {
  const rows = random.pick([undefined, 10, 1e6])
  return rows === undefined ? {} : { rows, bytes: rows * 40 }
}

async function* inProcess(first: number, count: number): AsyncGenerator<Outcome> {
  for (let from = first; from < first + count; from += 25)
    yield* await randomRuns(Array.from({ length: Math.min(25, first + count - from) }, (_, i) => from + i))
}

async function* onCluster(first: number, count: number): AsyncGenerator<Outcome> {
  const { clusterRuns } = await import('./randomcluster.ts')
  yield* clusterRuns(Array.from({ length: count }, (_, i) => first + i))
}

async function* written(first: number, count: number): AsyncGenerator<Outcome> {
  const { writeRuns } = await import('./randomwrites.ts')
  yield* writeRuns(Array.from({ length: count }, (_, i) => first + i))
}

async function main(): Promise<void> {
  const [text, flag] = [{ type: 'string' } as const, { type: 'boolean' } as const]
  const { values } = parseArgs({ options: { seeds: text, from: text, fresh: text, cluster: flag, writes: flag } })
  const first = values.fresh === undefined ? Number(values.from ?? 1) : Math.floor(Date.now() / 1000) * 1000
  const count = Number(values.fresh ?? values.seeds ?? 100)
  console.log(`seeds ${first} to ${first + count - 1}`)
  const reasons = new Map<string, number>()
  let [faults, refused, planned] = [0, 0, 0]
  const runs = values.writes ? written : values.cluster ? onCluster : inProcess
  let statements = 0
  for await (const { seed, sql, fault, gathered, failed } of runs(first, count)) {
    statements++
    if (failed) refused++
    if (gathered.length === 0) planned++
    for (const reason of gathered) reasons.set(reason.slice(0, 90), (reasons.get(reason.slice(0, 90)) ?? 0) + 1)
    if (fault === undefined) continue
    faults++
    console.log(`seed ${seed}: ${fault}\n  ${sql}`)
  }
  for (const [reason, times] of [...reasons].sort((a, b) => b[1] - a[1]).slice(0, 25)) console.log(`${times} gathered: ${reason}`)
  console.log(`${statements} statements, ${planned} without a gathered part, ${refused} that DuckDB refuses, ${faults} faults`)
  process.exitCode = faults > 0 ? 1 : 0
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main()
