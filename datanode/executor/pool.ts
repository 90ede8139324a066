// Pool of warm executor processes, at most one per slot and one spare; and a process for each program that is driven on this node, which is
// beside the slots and runs nothing else. Starting a process takes far longer than a small task, so an
// unused spare is kept ready, and a process that has run a program is kept for that program's next tasks. A node without tasks for a minute
// has none of them.
// Invariant: a process runs only tasks of the first program and user that it was given, so no program sees another one's memory.

import { assert } from '../../src/base/assert.ts'
import { asError, GristmillError } from '../../src/base/errors.ts'
import type { AttemptId, JobId } from '../../src/base/ids.ts'
import type { World } from '../../src/ports/world.ts'
import { isDrive, type TaskWork } from '../../src/protocol/task.ts'
import { Executor } from './executor.ts'
import { StartBackoff } from './startbackoff.ts'

interface PoolOptions {
  readonly world: Pick<World, 'clock' | 'disk' | 'log' | 'processes' | 'random'>
  /** Scratch directories are created below it. */
  readonly dir: string
  readonly slots: number
  readonly memoryBytes: number
  /** Main file of a process that drives a program; default: it drives none. */
  readonly driver?: URL | undefined
  readonly onOutput: (attempt: AttemptId, bytes: Buffer) => void
}

/** Tasks arrive in bursts: the next spare is started after the burst, so that it does not compete with it. */
const spareAfterMs = 300
/** A warm process takes about 70 MiB: it is ended after this time without a task, and so is the spare. */
const idleMs = 60_000
/** Wait before a scratch directory that could not be removed is tried again. */
const removeAgainMs = 10_000

export class Pool {
  readonly #options: PoolOptions
  readonly #executors = new Set<Executor>()
  /** The subset that drives programs. */
  readonly #drivers = new Set<Executor>()
  readonly #idleSince = new Map<Executor, number>()
  readonly #scratch: string
  readonly #removing = new Set<Promise<void>>()
  readonly #starting = new Set<Promise<unknown>>()
  readonly #starts: StartBackoff
  #cancelSpare: (() => void) | undefined
  #cancelIdle: (() => void) | undefined
  #empty: (() => void) | undefined
  #started = 0
  /** Time at which a task came or ended last, or the pool was opened. */
  #lastTaskMs: number
  #preparing = false
  #stopped = false

  private constructor(options: PoolOptions) {
    this.#options = options
    this.#scratch = `${options.dir}/executor`
    this.#starts = new StartBackoff(options.world)
    this.#lastTaskMs = options.world.clock.mono()
  }

  /** Ends processes and removes files that an earlier datanode process left. */
  static async open(options: PoolOptions): Promise<Pool> {
    const pool = new Pool(options)
    await options.world.processes.endStrays(pool.#scratch)
    await options.world.disk.removeTree(pool.#scratch)
    await options.world.disk.mkdir(pool.#scratch)
    await options.world.disk.mkdir(pool.#cacheDir)
    return pool
  }

  /** The compile cache is kept across restarts of the node: a process is then warm in half the time. */
  get #cacheDir(): string { return `${this.#options.dir}/cache` }

  /** Milliseconds that a caller should wait before `take`, because executors could not be started. */
  get pauseMs(): number { return this.#starts.pauseMs }

  /** Process ids, for tests and monitoring. */
  get pids(): number[] { return [...this.#executors].map(executor => executor.pid) }

  /** Starts a spare process, unless there is one. */
  async prepare(): Promise<void> {
    const { slots, memoryBytes } = this.#options
    const isSpare = (executor: Executor): boolean =>
      executor.isIdle && !this.#drivers.has(executor) && executor.affinity === undefined && executor.memoryBytes === memoryBytes
    if (this.#stopped || this.#preparing || this.#count > slots || [...this.#executors].some(isSpare)) return
    this.#preparing = true
    try {
      this.#idle(await this.#start(memoryBytes))
    } finally {
      this.#preparing = false
    }
  }

  /**
   * Returns a process for this task, a warm one if possible. REQUIRES: less than `slots` tasks run, or the task drives a
   * program. The caller must call `give` when the task has ended.
   */
  async take(work: TaskWork): Promise<Executor> {
    this.#lastTaskMs = this.#options.world.clock.mono()
    const affinity = `${work.user} ${work.program.id}`
    const memoryBytes = work.memoryBytes || this.#options.memoryBytes
    if (isDrive(work)) return this.#startDriver(memoryBytes, affinity)
    const idle = [...this.#executors].filter(
      executor =>
        executor.isIdle && executor.memoryBytes === memoryBytes && executor.serves(work.job) && this.#idleSince.has(executor),
    )
    const warm = idle.find(executor => executor.affinity === affinity) ?? idle.find(executor => executor.affinity === undefined)
    if (warm) this.#idleSince.delete(warm)
    const found = warm && await this.#hasScratch(warm) ? warm : undefined
    if (!found && this.#count > this.#options.slots) this.#retireOldest()
    const executor = found ?? await this.#start(memoryBytes)
    executor.affinity = affinity
    this.#scheduleSpare()
    return executor
  }

  /** False if its scratch directory was removed or the process has ended; it is then retired. */
  async #hasScratch(executor: Executor): Promise<boolean> {
    const found = await this.#options.world.disk.stat(executor.scratch)
    if (found?.kind === 'directory' && executor.isIdle) return true
    executor.retire()
    return false
  }

  give(executor: Executor): void {
    this.#lastTaskMs = this.#options.world.clock.mono()
    if (executor.isWorn || this.#drivers.has(executor)) executor.retire()
    if (executor.isIdle && !this.#stopped) this.#idle(executor)
    this.#scheduleSpare()
  }

  /** Ends executors whose program has started processes for this job. */
  jobOver(job: JobId): void {
    for (const executor of this.#executors) {
      executor.jobOver(job)
      if (!executor.isIdle) this.#idleSince.delete(executor)
    }
  }

  /** Processes that run tasks in slots, and the spare. */
  get #count(): number { return this.#executors.size - this.#drivers.size }

  async #startDriver(memoryBytes: number, affinity: string): Promise<Executor> {
    const { driver } = this.#options
    if (!driver) throw new GristmillError('CONFIG_INVALID', 'this datanode drives no programs')
    const executor = await this.#start(memoryBytes, driver)
    executor.affinity = affinity
    return executor
  }

  async #start(memoryBytes: number, main?: URL): Promise<Executor> {
    try {
      return await this.#startNow(memoryBytes, main)
    } catch (error) {
      if (!this.#stopped) this.#starts.failed({ reason: asError(error).message, output: '' })
      throw error
    }
  }

  async #startNow(memoryBytes: number, main: URL | undefined): Promise<Executor> {
    const { world, onOutput } = this.#options
    const { processes, clock, log, disk } = world
    const scratch = `${this.#scratch}/${++this.#started}`
    const made = disk.mkdir(scratch)
    this.#starting.add(made)
    try {
      await made
    } finally {
      this.#starting.delete(made)
    }
    // A process started after `stop` would never be ended.
    if (this.#stopped) throw new GristmillError('ABORTED', 'the datanode stops')
    const executor: Executor = new Executor({
      processes, main, clock, log, scratch, cacheDir: this.#cacheDir, memoryBytes,
      writable: ['shuffle', 'logs', 'programs'].map(name => `${this.#options.dir}/${name}`),
      onOutput, onStarted: () => this.#starts.succeeded(), onExit: exited => this.#exited(exited),
    })
    this.#executors.add(executor)
    if (main) this.#drivers.add(executor)
    return executor
  }

  #idle(executor: Executor): void {
    const { clock } = this.#options.world
    this.#idleSince.set(executor, clock.mono())
    this.#cancelIdle ??= clock.after(idleMs, () => this.#retireIdle())
  }

  /** No task came or ended for `idleMs`. */
  get #isQuiet(): boolean { return this.#options.world.clock.mono() - this.#lastTaskMs >= idleMs }

  /** Retires processes without a task for `idleMs`; the spare, once the node had none. */
  #retireIdle(): void {
    const { clock } = this.#options.world
    this.#cancelIdle = undefined
    for (const [executor, since] of this.#idleSince) {
      if (clock.mono() - since >= idleMs && (executor.affinity !== undefined || this.#isQuiet)) this.#retire(executor)
    }
    if (this.#idleSince.size > 0) this.#cancelIdle = clock.after(idleMs, () => this.#retireIdle())
  }

  #retireOldest(): void {
    for (const executor of this.#idleSince.keys()) return this.#retire(executor)
  }

  #retire(executor: Executor): void {
    this.#idleSince.delete(executor)
    executor.retire()
  }

  #exited(executor: Executor): void {
    this.#executors.delete(executor)
    this.#drivers.delete(executor)
    this.#idleSince.delete(executor)
    if (executor.startFailure && !this.#stopped) this.#starts.failed(executor.startFailure)
    this.#remove(executor.scratch)
    if (this.#executors.size === 0) this.#empty?.()
    this.#scheduleSpare()
  }

  /** Removes a scratch directory; retried while the disk refuses. Leftovers are removed at the next start of the node. */
  #remove(scratch: string): void {
    const { clock, disk, log, processes } = this.#options.world
    const ended = processes.endStrays(scratch).then(
      strays => { if (strays > 0) log.info('processes that a task had started and left behind were ended', { strays }) },
      (error: unknown) => log.warn('the search for processes that a task may have left behind failed', { error: asError(error) }),
    )
    const removed = ended.then(() => disk.removeTree(scratch))
      .catch((error: unknown) => {
        log.warn('a scratch directory could not be removed', { error, dir: scratch })
        clock.after(removeAgainMs, () => { if (!this.#stopped) this.#remove(scratch) })
      })
      .finally(() => { this.#removing.delete(removed) })
    this.#removing.add(removed)
  }

  #scheduleSpare(): void {
    if (this.#stopped || this.#cancelSpare) return
    this.#cancelSpare = this.#options.world.clock.after(Math.max(spareAfterMs, this.pauseMs), () => {
      this.#cancelSpare = undefined
      if (this.#isQuiet) return
      this.prepare().catch((error: unknown) => {
        if (!this.#stopped) this.#options.world.log.warn('no executor could be started in advance', { error })
      })
    })
  }

  /** Throws AssertionFailed if a process that has ended, or runs a task, counts as idle. For tests and simulations. */
  checkState(): void {
    for (const executor of this.#idleSince.keys())
      assert(this.#executors.has(executor) && executor.isIdle, `process ${executor.pid} counts as idle; it has ended or runs a task`)
  }

  /** Kills all processes and waits until they have exited. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancelSpare?.()
    this.#cancelIdle?.()
    this.#idleSince.clear()
    await Promise.allSettled(this.#starting)
    if (this.#executors.size > 0) {
      const empty = new Promise<void>(resolve => { this.#empty = resolve })
      for (const executor of this.#executors) executor.kill('the datanode stops')
      await empty
    }
    await Promise.all(this.#removing)
  }
}
