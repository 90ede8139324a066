// Measures commands from outside, as whole processes: time, processor seconds of the command and of the servers with all their children,
// and memory of all of them together, which is sampled while the command runs. Linux only: reads /proc.

import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { loadavg } from 'node:os'

export interface Measured {
  readonly seconds: number
  /** User and system, of the command and of the servers below `roots`. */
  readonly cpuSeconds: number
  /** Largest sum of the resident memory, with the pages that several of them share counted in each. */
  readonly residentMiB: number
  /** The same with such pages counted once. */
  readonly sharedMiB: number
  readonly stdout: string
}

/** Interval of the samples of memory: processor time that is not theirs. */
const sampleMs = 150
/** Pages that processes share are looked for in each of so many samples: it takes the kernel milliseconds. */
const sharedEvery = 5
/** Ticks of /proc/PID/stat in a second. */
const ticks = 100

interface Process { readonly pid: number; readonly parent: number; readonly ownTicks: number; readonly childTicks: number }

function processOf(pid: number): Process | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
    const [user, system, childUser, childSystem] = fields.slice(11, 15).map(Number) as [number, number, number, number]
    return { pid, parent: Number(fields[1]), ownTicks: user + system, childTicks: childUser + childSystem }
  } catch {
    return undefined // it has ended
  }
}

/** The processes `roots` and all below them. */
function treeOf(roots: readonly number[]): Process[] {
  const all = readdirSync('/proc').filter(name => /^\d+$/.test(name)).flatMap(name => processOf(Number(name)) ?? [])
  const wanted = new Set(roots)
  for (let before = -1; before !== wanted.size;) {
    before = wanted.size
    for (const { pid, parent } of all) if (wanted.has(parent)) wanted.add(pid)
  }
  return all.filter(({ pid }) => wanted.has(pid))
}

/** Processor seconds so far of these processes, of all below them, and of their children that have ended. */
export const cpuSecondsOf = (roots: readonly number[]): number =>
  treeOf(roots).reduce((sum, { ownTicks, childTicks }) => sum + ownTicks + childTicks, 0) / ticks

function memoryOf(pid: number, file: string, field: string): number {
  try {
    return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/${file}`, 'utf8'))?.[1] ?? 0) / 1024
  } catch {
    return 0
  }
}

/** `shared`: a page that several processes have is divided among them. */
export function memoryMiB(roots: readonly number[]): { resident: number; shared: number } {
  const tree = treeOf(roots)
  return { resident: residentOf(tree), shared: sharedOf(tree) }
}

const residentOf = (tree: readonly Process[]): number => tree.reduce((sum, { pid }) => sum + memoryOf(pid, 'status', 'VmRSS'), 0)
const sharedOf = (tree: readonly Process[]): number => tree.reduce((sum, { pid }) => sum + memoryOf(pid, 'smaps_rollup', 'Pss'), 0)

export interface CommandOptions {
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** Servers whose work and memory count, too. */
  readonly servers: readonly number[]
  /** The command is killed at this time of performance.now(), and the row fails. */
  readonly untilMs: number
}

/** Processor seconds of children of this process that have ended. */
const endedSeconds = (): number => processOf(process.pid)!.childTicks / ticks

/** Runs a command to its end. REQUIRES: no other child of this process ends meanwhile. */
export async function measured(argv: readonly string[], { env, cwd, servers, untilMs }: CommandOptions): Promise<Measured> {
  const cpuBefore = cpuSecondsOf(servers) + endedSeconds()
  const started = performance.now()
  const child = spawn(argv[0]!, argv.slice(1), { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (piece: Buffer) => { stdout += piece.toString() })
  child.stderr.on('data', (piece: Buffer) => { stderr = `${stderr}${piece.toString()}`.slice(-2_000) })
  const most = { resident: 0, shared: 0 }
  let samples = 0
  // The first sample comes after the shortest commands have ended, so that it does not slow them.
  const sampling = setInterval(() => {
    const tree = treeOf([child.pid!, ...servers])
    most.resident = Math.max(most.resident, residentOf(tree))
    if (samples++ % sharedEvery === 0) most.shared = Math.max(most.shared, sharedOf(tree))
  }, sampleMs)
  const limit = setTimeout(() => child.kill('SIGKILL'), Math.max(0, untilMs - started))
  try {
    const [code, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (...how) => resolve(how))
    })
    const seconds = (performance.now() - started) / 1000
    if (code !== 0) throw new Error(`${argv.slice(-6).join(' ')} ended with ${code ?? signal}: ${stderr.trim()}`)
    const cpuSeconds = cpuSecondsOf(servers) + endedSeconds() - cpuBefore
    return { seconds, cpuSeconds, residentMiB: most.resident, sharedMiB: most.shared, stdout }
  } finally {
    clearInterval(sampling)
    clearTimeout(limit)
  }
}

/** The state of the machine, which every number has to be read with. */
export const load = (): string => `load ${loadavg()[0]!.toFixed(1)}`
