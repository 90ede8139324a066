// Jobs compared with the same functions without a cluster: an empty job, word count over 1 GiB on two slots, a sort of 1 GiB of
// 100-byte records; and the start time of a command without a cluster. `--quick` uses a tenth of the data.

import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type Mill } from 'gristmill'
import { run, startCluster, type TestCluster } from '../kit/cluster.ts'
import { records, text } from './data.ts'

const bytes = process.argv.includes('--quick') ? 100 * 2 ** 20 : 2 ** 30
const programs = join(import.meta.dirname, 'programs')
const bare = join(import.meta.dirname, 'bare')

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!
const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const started = performance.now()
  await work()
  return performance.now() - started
}

interface Bare { cpu: { user: number; system: number }; rss: number }

function node(args: string[]): Promise<Bare> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let out = ''
    child.stdout.on('data', (piece: Buffer) => { out += piece.toString() })
    child.once('close', code =>
      code === 0 ? resolve(JSON.parse(out) as Bare) : reject(new Error(`${args.join(' ')} exited with ${code}`)),
    )
  })
}

async function startup(): Promise<void> {
  const times: number[] = []
  for (let i = 0; i < 7; i++) {
    const home = await mkdtemp(join(tmpdir(), 'gristmill-bench-'))
    times.push(await timed(async () => {
      const { code, stderr } = await run(['ls', '/'], { PATH: process.env['PATH'] ?? '', HOME: home, GRISTMILL_HOME: home })
      if (code !== 0) throw new Error(stderr)
    }))
    await rm(home, { recursive: true, force: true })
  }
  const empty: number[] = []
  for (let i = 0; i < 7; i++) empty.push(await timed(() => new Promise(done => spawn(process.execPath, ['-e', '0']).once('close', done))))
  console.log(
    `ls / with nothing running, embedded, fresh home: ${median(times).toFixed(0)} ms (goal: under 700; node itself starts in ${median(empty).toFixed(0)} ms)`,
  )
}

async function emptyJob(mill: Mill): Promise<void> {
  await mill.writeFile('/one-line', 'a line\n')
  const times: number[] = []
  for (let i = 0; i < 25; i++) {
    times.push(await timed(async () => {
      const job = await mill.run(join(programs, 'empty.ts'), { input: '/one-line', output: `/empty-${i}`, reducers: 1 })
      await job.wait()
    }))
  }
  // The first runs start executors and bundle the program.
  const warm = times.slice(5)
  console.log(
    `an empty job on a warm cluster: median ${median(warm).toFixed(0)} ms, worst ${Math.max(...warm).toFixed(0)} ms (goal: under 120; the first one took ${times[0]!.toFixed(0)} ms)`,
  )
}

async function wordcount(mill: Mill): Promise<void> {
  const file = text(bytes)
  await mill.put(file, '/text', { format: 'lines', replication: 2 })
  const ours: number[] = []
  const limits: number[] = []
  let counters: Record<string, number> = {}
  for (let i = 0; i < 3; i++) {
    const half = Math.floor(bytes / 2)
    limits.push(
      await timed(() =>
        Promise.all([
          node([join(bare, 'wordcount.ts'), file, '0', String(half)]),
          node([join(bare, 'wordcount.ts'), file, String(half), String(bytes + 2 ** 20)]),
        ]),
      ),
    )
    ours.push(await timed(async () => {
      const job = await mill.run(join(programs, 'wordcount.ts'), { input: '/text', output: '/wordcount', overwrite: true, reducers: 2 })
      counters = (await job.wait()).counters
    }))
  }
  const rate = (ms: number): string => `${(bytes / 1e6 / (ms / 1000)).toFixed(0)} MB/s`
  console.log(`word count, ${(bytes / 2 ** 20).toFixed(0)} MiB, two slots: ${rate(median(ours))}; the same functions in a bare loop on two processes: ${rate(median(limits))}; ` +
    `ratio ${(median(limits) / median(ours)).toFixed(2)} (goal: 0.75)`)
  console.log(
    `  read local ${counters['bytesReadLocal']}, rack ${counters['bytesReadRack'] ?? 0}, remote ${counters['bytesReadRemote'] ?? 0}; ` +
    `shuffled ${counters['shuffleBytes'] ?? 0} bytes`,
  )
}

async function sort(mill: Mill): Promise<void> {
  const file = records(bytes)
  await mill.put(file, '/records', { format: 'lines', replication: 2 })
  const output = join(tmpdir(), `gristmill-bench-sorted-${process.pid}`)
  const limit = await timed(() => node([join(bare, 'sort.ts'), file, output]))
  await rm(output, { force: true })
  const ours = await timed(async () => {
    const job = await mill.run(join(programs, 'sort.ts'), {
      input: '/records', output: '/sorted', overwrite: true, reducers: 4, replication: 1,
    })
    await job.wait()
  })
  console.log(
    `sort, ${(bytes / 2 ** 20).toFixed(0)} MiB of 100-byte records, two slots: ${(bytes / 1e6 / (ours / 1000)).toFixed(0)} MB/s; `
      + `reading, sorting in memory and writing in one bare process: ${(bytes / 1e6 / (limit / 1000)).toFixed(0)} MB/s; ratio ${(limit / ours).toFixed(2)}`,
  )
}

async function peak(cluster: TestCluster): Promise<void> {
  const { readFile } = await import('node:fs/promises')
  for (const member of [cluster.namenode, ...cluster.datanodes]) {
    const status = await readFile(`/proc/${member.pid}/status`, 'utf8').catch(() => '')
    console.log(`  peak resident memory of the ${member.role}: ${(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024).toFixed(0)} MiB`)
  }
}

await startup()
await using cluster = await startCluster({ datanodes: 2, settings: { GRISTMILL_SLOTS: '1', GRISTMILL_MEMORY: '1GiB' } })
await writeFile(join(cluster.dir, 'note'), 'a benchmark runs here\n')
Object.assign(process.env, cluster.env)
await using mill = await connect(`gristmill://${cluster.namenode.address}`)
await emptyJob(mill)
await wordcount(mill)
await sort(mill)
await peak(cluster)
