// Programs over Datasets compared with the same functions in bare programs: word count, TeraSort, a join with an aggregation, the rounds of
// PageRank over cached links; and the cost of a job of three empty stages, of a thousand empty tasks, and of the states of 100,000 tasks.
// `--quick` uses a twentieth of the data, `--only=empty,join` runs these parts. The ratio is the bare program's time to ours: 1 is as fast.

import { spawn } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type JobStatus, type Mill } from 'gristmill'
import { startCluster } from '../kit/cluster.ts'
import { generator, records, text } from './data.ts'

const scale = process.argv.includes('--quick') ? 0.05 : 1
const programs = join(import.meta.dirname, 'programs')
const examples = join(import.meta.dirname, '../../docs/examples/datasets')
const bare = join(import.meta.dirname, 'bare')

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`
const compared = (ours: number, limit: number): string => `${seconds(ours)}; bare ${seconds(limit)}; ratio ${(limit / ours).toFixed(2)}`

const node = (...args: readonly string[]): Promise<void> => new Promise((resolve, reject) => {
  const child = spawn(process.execPath, [...args], { stdio: ['ignore', 'ignore', 'inherit'] })
  child.once('close', code => { if (code === 0) resolve(); else reject(new Error(`${args.join(' ')} exited with ${code}`)) })
})

interface RunWith {
  readonly input?: string
  readonly output: string
  readonly params?: Readonly<Record<string, unknown>>
  readonly reducers?: number
}

const runs = (mill: Mill, program: string, options: RunWith): Promise<number> => timed(async () => {
  const run = await mill.run(program, { overwrite: true, ...options })
  await run.wait()
})

/** Times of a run on warm executors, after `first` ones that do not count. */
async function warm(times: number, first: number, work: () => Promise<number>): Promise<number[]> {
  const all: number[] = []
  for (let i = 0; i < first + times; i++) all.push(await work())
  return all.slice(first)
}

async function empty(mill: Mill): Promise<void> {
  await mill.writeFile('/one-line', 'a line\n')
  const stages = await warm(15, 5, () => runs(mill, join(programs, 'threestages.ts'), { input: '/one-line', output: '/three' }))
  console.log(`an empty job of three stages on a warm cluster: median ${median(stages).toFixed(0)} ms (goal: under 100)`)
  const tasks = await warm(1, 0, () => runs(mill, join(programs, 'tasks.ts'), { output: '/tasks', params: { tasks: 1000 } }))
  const [last] = await mill.jobs({ limit: 1 })
  const count = last!.stages.reduce((sum, stage) => sum + stage.tasks, 0)
  console.log(`${count.toLocaleString('en')} tasks of nothing: median ${seconds(median(tasks))} (goal: under 3 s)`)
}

/** In a process of its own, whose heap has nothing else. */
async function states(): Promise<void> {
  const child = spawn(process.execPath, ['--expose-gc', join(bare, 'taskstates.ts')], { stdio: ['ignore', 'pipe', 'inherit'] })
  const { tasks, bytes, cpuMs } = JSON.parse((await Array.fromAsync(child.stdout)).join('')) as Record<'tasks' | 'bytes' | 'cpuMs', number>
  console.log(`${tasks.toLocaleString('en')} task states in the namenode: ${(bytes / 1e6).toFixed(0)} MB (goal: under 150); `
    + `${(cpuMs / tasks * 1000).toFixed(0)} µs of processor for each task in the scheduler`)
}

async function wordcount(mill: Mill): Promise<void> {
  const bytes = Math.floor(2 ** 30 * scale)
  const file = text(bytes)
  await mill.put(file, '/text', { format: 'lines', replication: 2 })
  const half = String(Math.floor(bytes / 2))
  const limit = await timed(() => Promise.all([
    node(join(bare, 'wordcount.ts'), file, '0', half), node(join(bare, 'wordcount.ts'), file, half, String(bytes + 2 ** 20)),
  ]))
  const ours = await runs(mill, join(programs, 'counted.ts'), { input: '/text', output: '/words', reducers: 2 })
  console.log(`word count over ${(bytes / 2 ** 20).toFixed(0)} MiB: ${compared(ours, limit)} (goal: 1.3)`)
}

async function terasort(mill: Mill): Promise<void> {
  const bytes = Math.floor(2 ** 31 * scale)
  const file = records(bytes)
  await mill.put(file, '/records', { format: 'lines', replication: 2 })
  const output = join(tmpdir(), `gristmill-bench-tera-${process.pid}`)
  const limit = await timed(() => node(join(bare, 'sort.ts'), file, output))
  await rm(output, { force: true })
  const ours = await runs(mill, join(examples, 'terasort.ts'), { input: '/records', output: '/sorted', reducers: 4 })
  console.log(`TeraSort of ${(bytes / 2 ** 20).toFixed(0)} MiB: ${compared(ours, limit)} (goal: 0.7; the bare program is one process)`)
}

async function joins(mill: Mill, dir: string): Promise<void> {
  const [orders, customers] = [Math.floor(10_000_000 * scale), Math.floor(1_000_000 * scale)]
  const next = generator(11)
  const lines = (count: number, line: (i: number) => string): string => Array.from({ length: count }, (_, i) => line(i)).join('\n')
  const files = { orders: join(dir, 'orders'), customers: join(dir, 'customers') }
  await writeFile(files.customers, `${lines(customers, i => `customer-${i},town ${Math.floor(next() * customers)}`)}\n`)
  await writeFile(files.orders, `${lines(orders, () => `customer-${Math.floor(next() * customers)},${Math.floor(next() * 100)}`)}\n`)
  for (const [name, file] of Object.entries(files)) await mill.put(file, `/${name}`, { format: 'lines', replication: 2 })
  const limit = await timed(() => node('--max-old-space-size=2048', join(bare, 'join.ts'), files.orders, files.customers))
  const ours = await runs(mill, join(programs, 'joined.ts'), { input: '/orders', output: '/joined', reducers: 4 })
  console.log(`join of ${orders.toLocaleString('en')} with ${customers.toLocaleString('en')} rows, summed by key: ${compared(ours, limit)} `
    + '(goal: 0.6; the bare program is one process)')
}

interface Link { readonly from: string; readonly to: string; readonly weight: number }

/** One round of PageRank over links in memory. */
function rankBare(links: readonly Link[], ranks: ReadonlyMap<string, number>): Map<string, number> {
  const flows = new Map<string, number>()
  for (const { from, to, weight } of links) flows.set(to, (flows.get(to) ?? 0) + ranks.get(from)! * weight)
  return flows
}

async function pagerank(mill: Mill, dir: string): Promise<void> {
  const count = Math.floor(2_000_000 * scale)
  const next = generator(13)
  const page = (): string => `page-${Math.floor(next() * count / 20)}`
  const links = Array.from({ length: count }, () => ({ from: page(), to: page(), weight: 1 }))
  const file = join(dir, 'links.csv')
  await writeFile(file, `origin,destination,count\n${links.map(({ from, to }) => `${from},${to},1`).join('\n')}\n`)
  await mill.put(file, '/links.csv', { format: 'csv', replication: 2 })
  const ranks = new Map(links.flatMap(({ from, to }) => [[from, 1], [to, 1]] as const))
  const limits = await warm(5, 2, async () => timed(async () => { rankBare(links, ranks) }))
  const params = { rounds: 10, change: 0 }
  const run = await mill.run(join(examples, 'pagerank.ts'), { input: '/links.csv', output: '/ranks', overwrite: true, params })
  await run.wait()
  const steps = await Promise.all(run.steps.map(step => step.status()))
  // The first steps read the links and their nodes; the last one saves.
  const timeOf = ({ submittedMs, finishedMs }: JobStatus): number => finishedMs! - submittedMs
  const rounds = steps.filter(({ driver }) => driver?.method === 'collect').slice(2).map(timeOf)
  const first = steps.find(({ driver }) => driver?.method === 'cache')!
  console.log(`PageRank of ${count.toLocaleString('en')} links: caching them ${seconds(timeOf(first))}, a round `
    + `${compared(median(rounds), median(limits))}, the slowest ${seconds(Math.max(...rounds))} (goal: 1.2 times the loop and a shuffle)`)
}

await using cluster = await startCluster({ datanodes: 2, settings: { GRISTMILL_SLOTS: '1', GRISTMILL_MEMORY: '1GiB' } })
Object.assign(process.env, cluster.env)
await using mill = await connect(`gristmill://${cluster.namenode.address}`)
const parts: Readonly<Record<string, () => Promise<void>>> = {
  empty: () => empty(mill), states, wordcount: () => wordcount(mill), terasort: () => terasort(mill),
  join: () => joins(mill, cluster.dir), pagerank: () => pagerank(mill, cluster.dir),
}
const only = process.argv.find(word => word.startsWith('--only='))?.slice('--only='.length).split(',')
for (const [name, part] of Object.entries(parts)) if (!only || only.includes(name)) await part()
