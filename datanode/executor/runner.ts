// Task runner of a datanode: runs the attempts that the namenode orders, one per slot, and beside them those that drive programs. For each
// it takes a warm process, reports the outcome, and removes the output of attempts that were not committed. Each order ends in exactly one
// report, whatever happens to the process.

import { assert } from '../../src/base/assert.ts'
import { asError } from '../../src/base/errors.ts'
import type { AttemptId, JobId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import { prune } from '../../src/home/prune.ts'
import { isDrive, type TaskWork } from '../../src/protocol/task.ts'
import type { Runner, TaskHost } from '../ports.ts'
import type { MapOutputs } from '../shuffle/mapoutputs.ts'
import { OutputSweeper } from '../shuffle/sweeper.ts'
import { Alone, ranOutOfMemory, sharesAlone } from './alone.ts'
import type { Executor } from './executor.ts'
import { LogWriter } from './logs.ts'
import { cannotStart, failed, type AttemptOutcome } from './messages.ts'
import { Pool } from './pool.ts'
import { Reporter } from './reporter.ts'

interface Attempt {
  readonly work: TaskWork
  executor: Executor | undefined
  /** Reason of a kill that came before the attempt had a process. */
  killed: string | undefined
  /** Ends a pause before the attempt has a process. */
  wake: (() => void) | undefined
  /** Log of the attempt, for output of the process itself. */
  readonly log: LogWriter
}

/** The scheduler counts slots, so that only races of messages put tasks into the queue. */
const queueMax = 1000
/** Programs in the cache; a program is some KiB and is fetched again when needed. */
const programsKept = 500
/** Number of ended jobs between two prunings of the programs. */
const prunedEvery = 50

export class TaskRunner implements Runner {
  readonly slots: number
  readonly #host: TaskHost
  readonly #outputs: MapOutputs
  readonly #pool: Pool
  readonly #reporter: Reporter
  readonly #sweeper: OutputSweeper
  readonly #running: Map<AttemptId, Attempt>
  readonly #queue: TaskWork[] = []
  readonly #ending = new Set<Promise<void>>()
  readonly #alone = new Alone()
  #stopped = false
  #ended = 0
  /** Jobs that have ended since the start. */
  #forgotten = 0

  /** `driver`: main file of a process that drives a program; default: the node drives none. */
  static async open(host: TaskHost, outputs: MapOutputs, driver?: URL): Promise<TaskRunner> {
    const { world, dir, slots, memoryBytes } = host
    const running = new Map<AttemptId, Attempt>()
    const pool = await Pool.open({
      world, dir, slots, memoryBytes, driver, onOutput: (attempt, bytes) => running.get(attempt)?.log.write(bytes),
    })
    for (const name of ['programs', 'logs']) await world.disk.mkdir(`${dir}/${name}`)
    await prune(world, `${dir}/logs`, { entries: limits.jobsKept })
    await prune(world, `${dir}/programs`, { entries: programsKept, bytes: limits.programsKeptBytes })
    return new TaskRunner(host, outputs, pool, running)
  }

  private constructor(host: TaskHost, outputs: MapOutputs, pool: Pool, running: Map<AttemptId, Attempt>) {
    const { clock, random, log } = host.world
    this.slots = host.slots
    this.#host = host
    this.#outputs = outputs
    this.#pool = pool
    this.#running = running
    this.#sweeper = new OutputSweeper({ clock, log, namenode: host.namenode, caller: host.caller, session: host.session, outputs })
    this.#reporter = new Reporter({
      clock, random, log, node: host.node, namenode: host.namenode, caller: host.caller, session: host.session,
      running: () =>
        [...this.#running].map(([attempt, { executor }]) => ({
          attempt, counters: executor?.progress?.counters ?? {}, fraction: executor?.progress?.fraction ?? 0,
        })),
      onKill: attempt => this.kill(attempt),
    })
  }

  /** Starts a process in advance. */
  prepare(): Promise<void> { return this.#pool.prepare() }
  /** Process ids of executors. */
  get pids(): number[] { return this.#pool.pids }

  get memory(): { readonly task: number; readonly all: number } {
    const { memoryBytes, memoryBytesAll } = this.#host
    return { task: memoryBytes, all: memoryBytesAll }
  }

  get drives(): number { return this.#host.drives }

  get ended(): number { return this.#ended }

  freeSlots(): number {
    return this.#stopped || this.#alone.isWanted ? 0 : Math.max(0, this.slots - this.#busy - this.#queue.length)
  }

  /** Slots that are taken. */
  get #busy(): number {
    let busy = 0
    for (const { work } of this.#running.values()) if (!isDrive(work)) busy++
    return busy
  }

  running(): AttemptId[] { return [...this.#running.keys(), ...this.#queue.map(work => work.attempt), ...this.#reporter.telling] }
  /** True if the attempt neither runs nor waits on this node. */
  isOver(attempt: AttemptId): boolean { return !this.#running.has(attempt) && !this.#queue.some(work => work.attempt === attempt) }

  run(work: TaskWork): void {
    if (this.running().includes(work.attempt)) return // the same order again
    if (this.#stopped || this.#queue.length >= queueMax) return this.#tell(work, failed('killed', 'this datanode accepts no tasks now'))
    if (!isDrive(work) && (this.#busy >= this.slots || this.#alone.isWanted)) { this.#queue.push(work); return }
    const attempt: Attempt = {
      work, executor: undefined, killed: undefined, wake: undefined,
      log: new LogWriter(this.#host.world.disk, this.#host.dir, work.attempt),
    }
    this.#running.set(work.attempt, attempt)
    this.#reporter.watch()
    this.#own(this.#work(attempt))
  }

  kill(id: AttemptId): void {
    const queued = this.#queue.findIndex(work => work.attempt === id)
    if (queued >= 0) return this.#tell(this.#queue.splice(queued, 1)[0]!, failed('killed', 'the attempt was cancelled before it began'))
    const attempt = this.#running.get(id)
    if (!attempt) return
    attempt.killed = 'the attempt was cancelled'
    attempt.wake?.()
    attempt.executor?.kill(attempt.killed)
  }

  async forget(job: JobId): Promise<void> {
    for (const { work } of this.#running.values()) if (work.job === job) this.kill(work.attempt)
    this.#pool.jobOver(job)
    await this.#outputs.forget(job)
    const { world, dir } = this.#host
    await prune(world, `${dir}/logs`, { entries: limits.jobsKept, keep: this.#isBusy(({ job }) => job) })
    await this.#prunePrograms()
  }

  #pruneLogs(job: JobId): Promise<void> {
    const { world, dir } = this.#host
    return prune(world, `${dir}/logs/${job}`, { entries: limits.attemptsKeptMax })
  }

  /** Runs after every `prunedEvery`th job. Programs of running and waiting tasks stay, because assets are read on demand. */
  async #prunePrograms(): Promise<void> {
    if (++this.#forgotten % prunedEvery !== 0) return
    const { world, dir } = this.#host
    const isBusy = this.#isBusy(({ program }) => program.id)
    await prune(world, `${dir}/programs`, {
      entries: programsKept, bytes: limits.programsKeptBytes, keep: name => isBusy(name.replace(/\..*$/, '')),
    })
  }

  /** Tells whether a task that runs or waits at that moment has the given property. */
  #isBusy(property: (work: TaskWork) => string): (value: string) => boolean {
    return value => [...[...this.#running.values()].map(({ work }) => work), ...this.#queue].some(work => property(work) === value)
  }

  /** Throws AssertionFailed if slots, queue and processes do not agree. For tests and simulations. */
  checkState(): void {
    const busy = this.#busy
    assert(busy <= this.slots, `${busy} attempts run in ${this.slots} slots`)
    const waiting = this.#queue.length
    assert(waiting === 0 || busy === this.slots || this.#alone.isWanted, `${waiting} tasks wait, and ${this.slots - busy} slots are free`)
    for (const { attempt } of this.#queue) assert(!this.#running.has(attempt), `${attempt} runs, and waits as well`)
    this.#pool.checkState()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#queue.length = 0
    this.#reporter.stop()
    for (const attempt of this.#running.values()) {
      attempt.killed ??= 'the datanode stops'
      attempt.wake?.()
    }
    await this.#sweeper.stop()
    await this.#pool.stop()
    await Promise.all(this.#ending)
  }

  async #work(attempt: Attempt): Promise<void> {
    const { work } = attempt
    let outcome: AttemptOutcome
    try {
      outcome = await this.#execute(attempt)
    } catch (error) {
      outcome = failed('system', `this datanode could not run the task: ${asError(error).message}`)
      this.#host.world.log.error('a task could not be run', { error, attempt: work.attempt })
    }
    await attempt.log.close()
    // The task of a schedule has an attempt for each build; the namenode lists the last ones.
    if (isDrive(work)) await this.#pruneLogs(work.job)
    // The report is started and the slot freed in the same turn, so that the namenode sees both together.
    const telling = this.#finish(work, outcome)
    this.#running.delete(work.attempt)
    this.#ended++
    this.#alone.leave(work.attempt)
    this.#alone.check(this.#busy)
    this.#fill()
    await telling
  }

  /** Starts attempts that wait. That slots are free the namenode learns from the reports of the attempts that had them. */
  #fill(): void {
    if (this.#alone.isWanted) return
    while (this.#queue.length > 0 && this.#busy < this.slots && !this.#stopped) this.run(this.#queue.shift()!)
  }

  async #execute(attempt: Attempt): Promise<AttemptOutcome> {
    const { work } = attempt
    const { memoryBytes, world: { log } } = this.#host
    await this.#prepare(work)
    await this.#pauseBefore(attempt)
    const outcome = await this.#executeOnce(attempt, work)
    if (!ranOutOfMemory(work, outcome) || attempt.killed !== undefined) return outcome
    log.info('a query ran out of memory, and runs again with that of all slots', { attempt: work.attempt })
    attempt.wake = () => this.#alone.leave(work.attempt)
    await this.#alone.enter(work.attempt, () => this.#busy)
    attempt.wake = undefined
    const last = await this.#executeOnce(attempt, { ...work, memoryBytes: memoryBytes * sharesAlone(this.slots) })
    // It has had more already: the namenode need not try it once more.
    if (last.kind === 'failed') delete last.outOfMemory
    return last
  }

  async #executeOnce(attempt: Attempt, work: TaskWork): Promise<AttemptOutcome> {
    const { node, host, rack, namenode, secret, otherSecret, dir, cluster, nowMs, memoryBytes } = this.#host
    // Ends after one round for each warm process at most: a new one gives an outcome.
    for (;;) {
      if (attempt.killed !== undefined) return failed('killed', attempt.killed)
      const executor = await this.#pool.take(work).catch((error: unknown) => asError(error))
      if (executor instanceof Error)
        return attempt.killed === undefined ? cannotStart({ node, host }, executor.message) : failed('killed', attempt.killed)
      try {
        if (attempt.killed !== undefined) return failed('killed', attempt.killed)
        attempt.executor = executor
        const outcome = await executor.run(work, {
          cluster: cluster(), node, host, rack, namenode, secret, otherSecret, dir, user: work.user, nowMs: nowMs(),
          memoryBytes: work.memoryBytes || memoryBytes,
        })
        if (outcome) return outcome
      } finally {
        // A kill that comes while its log is closed must not reach the next attempt of the process.
        attempt.executor = undefined
        this.#pool.give(executor)
      }
    }
  }

  /** Waits while executors could not be started, so that the namenode's next attempt does not come at once; a kill ends the wait. */
  async #pauseBefore(attempt: Attempt): Promise<void> {
    const { pauseMs } = this.#pool
    if (pauseMs === 0 || attempt.killed !== undefined) return
    await new Promise<void>(resolve => {
      const cancel = this.#host.world.clock.after(pauseMs, resolve)
      attempt.wake = () => {
        cancel()
        resolve()
      }
    })
    attempt.wake = undefined
  }

  /**
   * Makes the directories that the attempt writes to: the executor may not create them, and they may have been removed from outside.
   */
  async #prepare(work: TaskWork): Promise<void> {
    const { world: { disk }, dir } = this.#host
    await Promise.all([
      ...['programs', 'logs'].map(name => disk.mkdir(`${dir}/${name}`)),
      work.output.kind === 'shuffle' && this.#outputs.prepare(work.job),
    ])
  }

  /** Reports the outcome; removes the output of an attempt that was not committed. */
  async #finish(work: TaskWork, outcome: AttemptOutcome): Promise<void> {
    const committed = await this.#reporter.tell(work.attempt, outcome)
    // A finished attempt whose report did not get through before this node stopped may be used after its restart.
    if (committed || (this.#stopped && outcome.kind === 'done')) return
    try {
      await this.#outputs.discard(work.attempt)
    } catch (error) {
      this.#host.world.log.warn('the files of an attempt could not be removed', { error, attempt: work.attempt })
    }
  }

  #tell(work: TaskWork, outcome: AttemptOutcome): void { this.#own(this.#finish(work, outcome)) }

  #own(work: Promise<void>): void {
    const owned: Promise<void> = work
      .catch((error: unknown) => {
        this.#host.world.log.error('the end of an attempt was not handled cleanly', { error })
      })
      .finally(() => {
        this.#ending.delete(owned)
      })
    this.#ending.add(owned)
  }
}
