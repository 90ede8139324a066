// SQL over files in a cluster (three datanodes, two slots in all) compared with plain DuckDB with two threads over the same files on disk:
// the 22 queries of TPC-H over Parquet, a query for one row, an aggregation over a CSV file, and the first query of an embedded cluster.
// Prints rows of the table of docs/performance.md; processor seconds are those of all processes that take part.
//   npm run bench -- sql [--quick] [--only=tpch,point,csv,embedded] [--query=5,18] [--times=3] [--explain] [--profile=DIR]
// TPC-H at scale 1, with `--quick` at 0.1 (and a tenth of the CSV file); its data come from DuckDB's extension, which pip fetches once:
// without python3 and pip the run says that it is skipped. `--explain`: how each query was divided, and what its stages took.

import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import { connect, type Mill } from 'gristmill'
import { startCluster } from '../kit/cluster.ts'
import { bin } from '../kit/process/server.ts'
import { difference } from '../sql/compare.ts'
import { openDuckDB, read } from '../sql/duckdb.ts'
import { extension } from '../sql/extension.ts'
import { answerOf, makeTpch, overCluster } from '../sql/tpchfiles.ts'
import { cpuSecondsOf, measured } from './processes.ts'

const quick = process.argv.includes('--quick')
const isExplained = process.argv.includes('--explain')
const flag = (name: string): string | undefined => process.argv.find(word => word.startsWith(`--${name}=`))?.slice(name.length + 3)
const only = flag('only')?.split(',')
const wanted = flag('query')?.split(',').map(Number)
const times = Number(flag('times') ?? 3)
const scale = quick ? '0.1' : '1'
const csvBytes = quick ? 100 * 2 ** 20 : 2 ** 30
/** Files have several row groups, as those of other programs. */
const fileRows = 1_000_000

const dir = mkdtempSync(join(tmpdir(), 'gristmill-bench-sql-'))

interface Taken { readonly ms: number; readonly cpu: number }

const s = (ms: number): string => `${(ms / 1000).toFixed(2)} s`
const both = ({ ms, cpu }: Taken): string => `${s(ms)}, ${cpu.toFixed(2)} s`
const load = (): string => loadavg()[0]!.toFixed(1)

/** Of the runs of one query: the one of the median time. */
const median = (all: readonly Taken[]): Taken => all.toSorted((a, b) => a.ms - b.ms)[all.length >> 1]!

/** Processor seconds of this process, and of servers with their children. */
const cpuOf = (servers: readonly number[]): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6 + (servers.length > 0 ? cpuSecondsOf(servers) : 0)
}

async function taken<T>(servers: readonly number[], work: () => Promise<T>): Promise<Taken & { readonly value: T }> {
  const cpu = cpuOf(servers)
  const start = performance.now()
  const value = await work()
  return { value, ms: performance.now() - start, cpu: cpuOf(servers) - cpu }
}

interface Sides { readonly mill: Mill; readonly plain: DuckDBConnection; readonly servers: readonly number[] }

/** Both in turns. Throws for another answer than plain DuckDB's. */
async function compared(
  name: string, { mill, plain, servers }: Sides, { own, theirs, repeats }: { own: string; theirs: string; repeats: number },
): Promise<{ ours: Taken; limit: Taken }> {
  const [ours, limit]: [Taken[], Taken[]] = [[], []]
  for (let i = 0; i < repeats; i++) {
    const expected = await taken([], () => read(plain, theirs))
    const found = await taken(servers, () => answerOf(mill, own))
    const fault = difference(found.value, expected.value, false)
    if (fault !== undefined) throw new Error(`${name}: ${fault}`)
    ours.push(found)
    limit.push(expected)
  }
  return { ours: median(ours), limit: median(limit) }
}

async function tpch(sides: Sides, queries: ReadonlyArray<readonly [number, string]>): Promise<void> {
  console.log(`| TPC-H, scale ${scale} | time, processor | plain DuckDB | ratio | stages |\n|---|---|---|---|---|`)
  const sum = { ms: 0, cpu: 0 }
  const limits = { ms: 0, cpu: 0 }
  let [whole, small] = [0, 0]
  for (const [number, sql] of queries) {
    if (wanted && !wanted.includes(number)) continue
    const own = overCluster(sql)
    const { ours, limit } = await compared(`query ${number}`, sides, { own, theirs: sql, repeats: times })
    for (const [all, one] of [[sum, ours], [limits, limit]] as const) {
      all.ms += one.ms
      all.cpu += one.cpu
    }
    const { stages, place, text } = await sides.mill.sql(own).explain({ analyze: isExplained })
    const gathered = stages.flatMap(stage => stage.gathered ?? [])
    const isSmall = place === 'process' || gathered.some(reason => /^it(s tables have| reads) /.test(reason))
    if (isSmall) small++
    // As a larger scale would have it.
    const divided = await sides.mill.sql(own, null, { distribute: 'always' }).explain()
    if (divided.stages.every(stage => stage.gathered === undefined)) whole++
    const how = place === 'process' ? 'in the process that asks' : isSmall ? 'one task: it reads little'
      : [stages.length, ...gathered].join('; ')
    console.log(`| ${number} | ${both(ours)} | ${both(limit)} | ${(ours.ms / limit.ms).toFixed(2)} | ${how} |`)
    if (isExplained) console.log(text)
  }
  console.log(`| all | ${both(sum)} | ${both(limits)} | ${(sum.ms / limits.ms).toFixed(2)} (goal: 1.5) | `
    + `${small} read too little to be divided; ${whole} would have no gathered rows; load ${load()} |`)
}

async function point({ mill, plain, servers }: Sides): Promise<void> {
  const repeats = 15
  const one = (table: string): string => `SELECT * FROM ${table} WHERE o_orderkey = 424242`
  const { ours, limit } = await compared('point query', { mill, plain, servers }, {
    own: one(`'/tpch/orders'`), theirs: one('orders'), repeats,
  })
  console.log(`| query for one row of orders, warm cluster | ${both(ours)} | ${both(limit)} | ${(ours.ms - limit.ms).toFixed(0)} ms more `
    + `(goal: 60) | median of ${repeats}; load ${load()} |`)
}

async function csv(sides: Sides): Promise<void> {
  const { mill, plain } = sides
  const file = join(dir, 'sales.csv')
  // Some 64 bytes a row.
  const rows = Math.floor(csvBytes / 64)
  await plain.run(`COPY (SELECT i AS id, DATE '2024-01-01' + CAST(hash(i) % 365 AS INTEGER) AS day, 'shop-' || hash(i + 1) % 1000 AS shop,
    'customer-' || hash(i + 2) % 1000000 AS customer, (hash(i + 3) % 100000) / 100 AS amount, 'paid' AS state FROM range(${rows}) t(i))
    TO '${file}'`)
  await mill.put(file, '/sales.csv', { format: 'csv' })
  const sum = (from: string): string =>
    `SELECT shop, count(*) AS n, sum(amount) AS total FROM ${from} WHERE day BETWEEN DATE '2024-03-01' AND DATE '2024-05-31' GROUP BY shop`
  const { ours, limit } = await compared('aggregation over CSV', sides, {
    own: sum(`'/sales.csv'`), theirs: sum(`read_csv('${file}')`), repeats: Math.min(times, 3),
  })
  console.log(`| filtered aggregation over CSV, ${(statSync(file).size / 2 ** 20).toFixed(0)} MiB | ${both(ours)} | ${both(limit)} | `
    + `${(limit.ms / ours.ms).toFixed(2)} of its speed (goal: 0.7) | load ${load()} |`)
}

/** The whole command, which starts the cluster of a home that has one file. */
async function embedded(): Promise<void> {
  const home = join(dir, 'home')
  mkdirSync(home)
  const env = { PATH: `${dirname(process.execPath)}:/usr/bin:/bin`, HOME: home, GRISTMILL_HOME: join(home, 'own') }
  const command = (...words: string[]) =>
    measured([process.execPath, bin, ...words], { env, cwd: home, servers: [], untilMs: performance.now() + 600_000 })
  const plain = await openDuckDB({ threads: 2 })
  await plain.run(`COPY (SELECT i, i % 7 AS k FROM range(1000000) t(i)) TO '${join(home, 'rows.parquet')}'`)
  plain.closeSync()
  await command('put', 'rows.parquet', '/rows.parquet')
  const runs: Taken[] = []
  for (let i = 0; i < 5; i++) {
    const { seconds, cpuSeconds } = await command('sql', `SELECT k, count(*) AS n FROM '/rows.parquet' GROUP BY k ORDER BY k`)
    runs.push({ ms: seconds * 1000, cpu: cpuSeconds })
  }
  console.log(`| \`gristmill sql\`, which starts an embedded cluster | ${both(median(runs))} | | (goal: 1 s) | median of ${runs.length}; `
    + `load ${load()} |`)
}

const isWanted = (part: string): boolean => !only || only.includes(part)

const file = extension('tpch')
try {
  const plain = await openDuckDB({ threads: 2, memory: '4GB' })
  // As its users have it.
  await plain.run('RESET disabled_optimizers')
  const profile = flag('profile')
  await using cluster = await startCluster({
    // The processors of a machine are the slots of one datanode.
    datanodes: 3, slots: [2, 0, 0],
    settings: { GRISTMILL_MEMORY: '2GiB', ...profile !== undefined && { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profile}` } },
  })
  const servers = [cluster.namenode, ...cluster.datanodes].map(({ pid }) => pid)
  await using mill = await connect({ address: cluster.namenode.address, secretFile: cluster.secretFile })
  const sides = { mill, plain, servers }
  if (file !== undefined && (isWanted('tpch') || isWanted('point'))) {
    const queries = await makeTpch(plain, { dir: join(dir, 'tpch'), extension: file, scale, fileRows })
    await mill.put(join(dir, 'tpch'), '/tpch', { recursive: true })
    // The first task of each node starts its process.
    await mill.sql(`SELECT count(*) FROM '/tpch/lineitem'`, null, { distribute: 'always' }).collect()
    if (isWanted('tpch')) await tpch(sides, queries)
    if (isWanted('point')) await point(sides)
  }
  if (isWanted('csv')) await csv(sides)
  plain.closeSync()
  if (isWanted('embedded')) await embedded()
} finally {
  rmSync(dir, { recursive: true, force: true })
}
