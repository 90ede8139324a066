// All numbers of "what is slow" from outside: the built package, started as a user starts it, measured as whole processes. Prints the rows
// of the tables of docs/performance.md as they are there, each with its goal and the load of the machine at its end.
//   npm run bench -- outside [--quick] [--only=startup,memory,small,jobs,default] [--minutes=30]
// Takes about eight minutes on two idle cores; a row that would begin later than `--minutes` is printed as not measured, and a command that
// runs at that time is ended. `--quick`: a tenth of the data, about two minutes.

import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { build } from '../tidy/build.ts'
import { root } from '../tidy/source.ts'
import { records, text } from './data.ts'
import { cpuSecondsOf, load, measured, memoryMiB, type Measured } from './processes.ts'

const quick = process.argv.includes('--quick')
const flag = (name: string): string | undefined => process.argv.find(word => word.startsWith(`--${name}=`))?.slice(name.length + 3)
const only = flag('only')?.split(',')
const untilMs = performance.now() + Number(flag('minutes') ?? 30) * 60_000
const bytes = quick ? 100 * 2 ** 20 : 2 ** 30
const gib = bytes / 2 ** 30

const dir = mkdtempSync(join(tmpdir(), 'gristmill-outside-'))
const bin = join(root, 'dist/client/cli/gristmill.js')

/** One home: a user with a cluster, or without. */
class Home {
  readonly env: Record<string, string>
  readonly cwd: string
  servers: number[] = []
  constructor(name: string, settings: Readonly<Record<string, string>> = {}) {
    this.cwd = join(dir, name)
    mkdirSync(this.cwd)
    this.env = { PATH: `${dirname(process.execPath)}:/usr/bin:/bin`, HOME: this.cwd, GRISTMILL_HOME: join(this.cwd, 'home'), ...settings }
  }

  run(...words: string[]): Promise<Measured> {
    return measured([process.execPath, bin, ...words], { env: this.env, cwd: this.cwd, servers: this.servers, untilMs })
  }

  async up(...words: string[]): Promise<Measured> {
    const started = await this.run('up', '--detach', '--json', '--port', '0', ...words)
    const { processes } = JSON.parse(started.stdout) as { processes: Array<{ pid: number }> }
    this.servers = processes.map(({ pid }) => pid)
    return { ...started, cpuSeconds: started.cpuSeconds + cpuSecondsOf(this.servers) }
  }

  down(): Promise<Measured> {
    this.servers = []
    return this.run('down')
  }
}

const row = (what: string, found: string, goal = ''): void => console.log(`| ${what} | ${found} | ${goal} | ${load()} |`)
const s = (value: number): string => `${value.toFixed(value < 10 ? 2 : 1)} s`
const mb = (value: number): string => `${value.toFixed(0)} MiB`
const median = (all: readonly Measured[], of: (one: Measured) => number): number => all.map(of).sort((a, b) => a - b)[all.length >> 1]!
const whole = (one: Measured): string => [
  s(one.seconds), `${s(one.cpuSeconds / gib)} CPU a GiB`, `${mb(one.residentMiB)} resident`,
  `${mb(one.sharedMiB)} with shared pages counted once`,
].join(', ')

async function repeat(times: number, work: () => Promise<Measured>): Promise<Measured[]> {
  const all: Measured[] = []
  for (let i = 0; i < times; i++) all.push(await work())
  return all
}

function show(what: string, all: readonly Measured[], goal: string): void {
  row(what, `${s(median(all, one => one.seconds))}, ${s(median(all, one => one.cpuSeconds))} CPU (median of ${all.length})`, goal)
}

function emptyProgram(home: Home): string {
  const file = join(home.cwd, 'empty.ts')
  writeFileSync(file, readFileSync(join(import.meta.dirname, 'programs/empty.ts')))
  writeFileSync(join(home.cwd, 'line'), 'a line\n')
  return file
}

async function startup(): Promise<void> {
  const warm = new Home('warm')
  const empty = emptyProgram(warm)
  const up = await warm.up()
  try {
    await warm.run('put', 'line', '/line')
    for (const output of ['/a', '/b']) await warm.run('run', empty, '-i', '/line', '-o', output)
    show('`--version`', await repeat(7, () => warm.run('--version')), '')
    show('`ls /`, warm cluster', await repeat(9, () => warm.run('ls', '/')), '0.12 s')
    let n = 0
    const again = (): Promise<Measured> => warm.run('run', empty, '-i', '/line', '-o', `/out${n++}`)
    show('`run` of an empty job, warm cluster', await repeat(9, again), '0.15 s')
  } finally {
    show('`up`, new home, three datanodes', [up], '')
    show('`down`', [await warm.down()], '0.5 s')
  }
  let n = 0
  show('`ls /`, embedded, new home', await repeat(7, () => new Home(`cold${n++}`).run('ls', '/')), '0.35 s')
  const used = new Home('used')
  await used.run('ls', '/')
  show('`ls /`, embedded, home in use', await repeat(7, () => used.run('ls', '/')), '')
  const first: Measured[][] = []
  for (let i = 0; i < 5; i++) {
    const home = new Home(`first${i}`)
    const program = emptyProgram(home)
    first.push([
      await home.run('put', 'line', '/in/'),
      await home.run('run', program, '-i', '/in', '-o', '/out'),
      await home.run('cat', '/out/part-*'),
    ])
  }
  show('`run` of an empty job, embedded, home in use by one command', first.map(([, run]) => run!), '0.7 s')
  const sum = (three: Measured[], of: (one: Measured) => number): number => three.reduce((all, one) => all + of(one), 0)
  const sums = first.map(three => ({
    ...three[0]!, seconds: sum(three, one => one.seconds), cpuSeconds: sum(three, one => one.cpuSeconds),
  }))
  show('put, run and cat, the first time in a home, together', sums, '1.5 s')
}

async function memory(): Promise<void> {
  const home = new Home('idle')
  await home.up()
  try {
    await home.run('ls', '/')
    // A minute without tasks ends the processes that wait for some.
    await new Promise(done => setTimeout(done, 75_000))
    const { resident, shared } = memoryMiB(home.servers)
    row('four servers of `up`, idle for 75 seconds', `${mb(resident)} resident, ${mb(shared)} with shared pages counted once`, '315 MiB')
  } finally {
    await home.down()
  }
}

const perFile = (one: Measured, files: number): string =>
  `${s(one.seconds)}: ${(files / one.seconds).toFixed(0)} a second, ${(one.cpuSeconds / files * 1000).toFixed(2)} ms CPU a file`

/** Files of 1 KiB, 500 in a directory. */
function makeFiles(home: Home, name: string, files: number): string {
  const source = join(home.cwd, name)
  for (let i = 0; i < files; i++) {
    const directory = join(source, `d${Math.floor(i / 500)}`)
    if (i % 500 === 0) mkdirSync(directory, { recursive: true })
    writeFileSync(join(directory, `f${i}`), `${i} `.repeat(300).slice(0, 1023).concat('\n'))
  }
  return source
}

async function small(): Promise<void> {
  const counts = quick ? [1_000, 10_000] : [10_000, 100_000]
  const home = new Home('small')
  await home.up()
  try {
    const rates: number[] = []
    for (const files of counts) {
      const source = makeFiles(home, `source${files}`, files)
      const put = await home.run('put', '-r', source, `/in${files}`)
      row(`\`put -r\`, ${files} files of 1 KiB, three replicas`, perFile(put, files), '2000 a second')
      row(`\`get -r\` of them`, perFile(await home.run('get', '-r', `/in${files}`, join(home.cwd, `out${files}`)), files), '4000 a second')
      rates.push(put.cpuSeconds / files)
      const count = await home.run('run', 'gristmill:wordcount', '-i', `/in${files}`, '-o', `/words${files}`)
      row(`word count over them`, perFile(count, files))
    }
    row(`processor time a file, ${counts[1]} against ${counts[0]} files`, (rates[1]! / rates[0]!).toFixed(2), '1: linear')
  } finally {
    await home.down()
  }
}

async function bare(name: string, ...calls: string[][]): Promise<void> {
  const node = `"${process.execPath}" "${join(import.meta.dirname, 'bare', name)}"`
  const script = `${calls.map(words => `${node} ${words.join(' ')} > /dev/null &`).join('\n')} wait`
  const found = await measured(['/bin/sh', '-c', script], { env: { PATH: process.env['PATH'] ?? '' }, cwd: dir, servers: [], untilMs })
  row(`bare loop of the same functions, ${calls.length === 1 ? 'one process' : `${calls.length} processes`}`, whole(found))
}

/** Two datanodes with one slot each, as many as cores. */
async function jobs(): Promise<void> {
  const home = new Home('jobs', { GRISTMILL_SLOTS: '1', GRISTMILL_MEMORY: '1GiB' })
  await home.up('--datanodes', '2', '--replication', '1')
  const programs = join(import.meta.dirname, 'programs')
  const size = quick ? '100 MiB' : '1 GiB'
  try {
    const [words, rows] = [text(bytes), records(bytes)]
    await home.run('put', '--format', 'lines', words, '/text')
    await home.run('put', '--format', 'lines', rows, '/records')
    const count = await home.run('run', join(programs, 'wordcount.ts'), '-i', '/text', '-o', '/counted', '--reducers', '2')
    row(`word count, ${size}, two slots`, whole(count), '')
    const half = String(Math.floor(bytes / 2))
    await bare('wordcount.ts', [words, '0', half], [words, half, String(bytes + 2 ** 20)])
    const sort = await home.run('run', join(programs, 'sort.ts'), '-i', '/records', '-o', '/sorted', '--reducers', '4')
    row(`sort of 100-byte records, ${size}, two slots`, whole(sort), '15 s CPU a GiB, under 954 MiB')
    await bare('sort.ts', [rows, join(dir, 'sorted')])
    const { status } = spawnSync('sort', ['--version'])
    if (status === 0) {
      const found = await measured(['sort', '-S', '1G', '--parallel=2', '-o', join(dir, 'sorted'), rows], {
        env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', TMPDIR: dir }, cwd: dir, servers: [], untilMs,
      })
      row('coreutils sort -S 1G --parallel=2', whole(found))
    }
  } finally {
    await home.down()
  }
}

/** The same with `up` as it is without options. */
async function defaults(): Promise<void> {
  const home = new Home('default')
  await home.up()
  try {
    await home.run('put', '--format', 'lines', records(bytes), '/records')
    const sort = await home.run('run', join(import.meta.dirname, 'programs/sort.ts'), '-i', '/records', '-o', '/sorted', '--reducers', '4')
    const size = quick ? '100 MiB' : '1 GiB'
    row(`sort of ${size}, \`up\` without options: three datanodes, three replicas`, whole(sort), '16.3 s, 30.6 s CPU a GiB')
  } finally {
    await home.down()
  }
}

const parts: Record<string, () => Promise<void>> = { startup, memory, small, jobs, default: defaults }

await build()
console.log('| what | measured | goal | |\n|---|---|---|---|')
let failed = false
try {
  for (const [name, work] of Object.entries(parts)) {
    if (only && !only.includes(name)) continue
    if (performance.now() > untilMs) { row(name, 'not measured: the time was over'); continue }
    await work().catch((error: unknown) => {
      failed = true
      row(name, `failed: ${error instanceof Error ? error.message.replaceAll('\n', ' ') : String(error)}`)
    })
  }
} finally {
  rmSync(dir, { recursive: true, force: true })
}
process.exitCode = failed ? 1 : 0
