// Cluster of real processes without proxies, for tests of the command line, benchmarks and the demo: one namenode and some datanodes, each
// ended by its own process id. Tests that inject faults use `Cluster` of index.ts instead.
// `await using cluster = await startCluster(…)` stops and removes everything, also after a failure.

import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bin, ServerProcess } from './process/server.ts'

export interface ClusterOptions {
  datanodes?: number
  /** Rack of datanode i; default: the same rack for all. */
  racks?: readonly string[]
  /** Slots of datanode i; default: those of the settings. */
  slots?: readonly number[]
  /** Host name of datanode i, as the cluster sees it; default: this host. */
  hosts?: readonly string[]
  /** More settings for every process, as GRISTMILL_* variables. */
  settings?: Readonly<Record<string, string>>
  /** Files that each process may have open; default: the limit of this process. */
  openFiles?: number
  /** Data directory; default: a new temporary directory, removed at the end. */
  dir?: string
  /** Runs the commands of `run` and `ok`; default: each in a process of its own. */
  runner?: Runner
}

export interface Result { code: number; stdout: string; stderr: string }

/** Runs a command of the command line with exactly this environment. */
export type Runner = (args: readonly string[], env: Readonly<Record<string, string>>, input?: string | Buffer) => Promise<Result>

/** One process of the cluster. It keeps its directory and its port when it is killed and started again. */
export class Member {
  readonly role: 'namenode' | 'datanode'
  readonly dir: string
  readonly #args: string[]
  readonly #env: Record<string, string>
  readonly #openFiles: number | undefined
  #process: ServerProcess | undefined
  #address = ''

  constructor(
    role: 'namenode' | 'datanode', dir: string, args: string[], env: Record<string, string>, { openFiles }: { openFiles?: number } = {},
  ) {
    this.role = role
    this.dir = dir
    this.#args = args
    this.#env = env
    this.#openFiles = openFiles
  }

  get address(): string { return this.#address }
  get pid(): number { return this.#process?.pid ?? 0 }
  get running(): boolean { return this.#process?.running ?? false }
  /** Its stderr, for failure messages. */
  get errors(): string { return this.#process?.errors ?? '' }

  /** Starts the process and waits for its ready line. The port of the first start is kept over restarts. */
  async start(): Promise<void> {
    const port = this.#address === '' ? '0' : this.#address.split(':').at(-1)!
    this.#process = new ServerProcess({
      role: this.role,
      args: ['--dir', this.dir, '--port', port, ...this.#args],
      env: this.#env,
      ...(this.#openFiles !== undefined && { openFiles: this.#openFiles }),
    })
    this.#address = (await this.#process.ready()).address
  }

  signal(name: NodeJS.Signals): void { this.#process?.signal(name) }

  /** Ends the process and waits for its exit. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> { await this.#process?.end(signal) }
  kill(): Promise<void> { return this.end('SIGKILL') }
}

export class TestCluster {
  readonly dir: string
  readonly home: string
  readonly secretFile: string
  readonly namenode: Member
  readonly datanodes: Member[]
  /** The environment in which commands find this cluster and no other. */
  readonly env: Record<string, string>
  readonly #temporary: boolean
  readonly #runner: Runner

  constructor(parts: {
    dir: string
    home: string
    secretFile: string
    namenode: Member
    datanodes: Member[]
    env: Record<string, string>
    temporary: boolean
    runner: Runner
  }) {
    this.dir = parts.dir
    this.home = parts.home
    this.secretFile = parts.secretFile
    this.namenode = parts.namenode
    this.datanodes = parts.datanodes
    this.env = parts.env
    this.#temporary = parts.temporary
    this.#runner = parts.runner
  }

  /** Runs a command of the command line; returns exit code and output. */
  run(args: readonly string[], input?: string | Buffer): Promise<Result> {
    return this.#runner(args, this.env, input)
  }

  /** Runs a command that must succeed; returns its stdout. */
  async ok(args: readonly string[], input?: string | Buffer): Promise<string> {
    const result = await this.run(args, input)
    if (result.code !== 0) throw new Error(`gristmill ${args.join(' ')} exited with ${result.code}:\n${result.stderr}\n${result.stdout}`)
    return result.stdout
  }

  async stop(): Promise<void> {
    await Promise.all(this.datanodes.map(node => node.end()))
    await this.namenode.end()
    if (this.#temporary) await rm(this.dir, { recursive: true, force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> { await this.stop() }
}

/** Runs the bin with exactly this environment, as a process. */
export function run(args: readonly string[], env: Readonly<Record<string, string>>, input?: string | Buffer): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [bin, ...args], { env, stdio: ['pipe', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (bytes: Buffer) => { stdout += bytes.toString() })
    child.stderr.on('data', (bytes: Buffer) => { stderr += bytes.toString() })
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code: code ?? (signal === 'SIGKILL' ? 137 : 1), stdout, stderr }))
    child.stdin.on('error', () => {})
    child.stdin.end(input ?? '')
  })
}

/** Retries `work` every 50 ms until it returns neither undefined nor false; fails with `what` after `ms`. */
export async function until<T>(what: string, work: () => Promise<T | undefined | false>, ms = 180_000): Promise<T> {
  const end = performance.now() + ms
  for (;;) {
    const value = await work()
    if (value !== undefined && value !== false) return value
    if (performance.now() > end) throw new Error(`waited ${ms} ms in vain for: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

export async function startCluster(options: ClusterOptions = {}): Promise<TestCluster> {
  const dir = options.dir ?? await mkdtemp(join(tmpdir(), 'gristmill-test-'))
  const home = join(dir, 'home')
  const secretFile = join(dir, 'secret')
  const base: Record<string, string> = {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    NO_COLOR: '1',
    GRISTMILL_HOME: home,
    // Every file has blocks, however small, which a test can damage, lose and count.
    GRISTMILL_INLINE_BYTES: '0',
    GRISTMILL_SECRET_FILE: secretFile,
    ...options.settings,
  }
  if (!options.dir) await writeFile(secretFile, randomBytes(32).toString('hex'), { mode: 0o600 })
  const { openFiles } = options
  const bound = { ...openFiles !== undefined && { openFiles } }
  const namenode = new Member('namenode', join(dir, 'namenode'), [], base, bound)
  const cluster = {
    dir, home, secretFile, namenode, datanodes: [] as Member[], env: base, temporary: options.dir === undefined,
    runner: options.runner ?? run,
  }
  try {
    await namenode.start()
    cluster.env = { ...base, GRISTMILL_CLUSTER: namenode.address }
    cluster.datanodes = Array.from({ length: options.datanodes ?? 3 }, (_, i) => {
      const args = [
        ...options.racks ? ['--rack', options.racks[i]!] : [], ...options.hosts ? ['--host-name', options.hosts[i]!] : [],
        ...options.slots ? ['--slots', String(options.slots[i]!)] : [],
      ]
      return new Member('datanode', join(dir, `datanode${i + 1}`), args, cluster.env, bound)
    })
    await Promise.all(cluster.datanodes.map(node => node.start()))
  } catch (error) {
    await new TestCluster(cluster).stop()
    throw error
  }
  return new TestCluster(cluster)
}
