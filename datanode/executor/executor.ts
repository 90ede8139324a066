// Handle of one executor process in the datanode: starts it with its memory limit, gives it attempts, and ends those that exceed their
// time (`--task-timeout`) or memory. The process is idle, runs one attempt, or has exited.
// Invariant: each attempt given to it ends with exactly one outcome, whatever the user's code does: the one that the process sends, or one
// made from its exit. A process that does not take the attempt in time is killed. If it exits before it has taken the attempt, the program
// is not to blame: a new process has failed to start, and a used one was ending.

import { assert } from '../../src/base/assert.ts'
import { MiB, formatBytes, formatDuration } from '../../src/base/units.ts'
import type { AttemptId, JobId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import type { Child, Processes } from '../../src/ports/process.ts'
import type { Counters } from '../../src/protocol/fields.ts'
import type { TaskWork } from '../../src/protocol/task.ts'
import { exitCause, isHeapFull, startCause, type ExitStatus } from './exit.ts'
import {
  cannotStart, failed, outOfMemory, type Failed, type FromExecutor, type AttemptOutcome, type Setup, type ToExecutor,
} from './messages.ts'
import type { StartFailure } from './startbackoff.ts'

interface ExecutorOptions {
  readonly processes: Processes
  /** Default: the main file of tasks. */
  readonly main?: URL | undefined
  readonly clock: Clock
  readonly log: Log
  /** Working directory of the process. REQUIRES: it exists. */
  readonly scratch: string
  /** Directory of V8's compile cache. */
  readonly cacheDir: string
  readonly memoryBytes: number
  /** Directories that it may write to, beside its scratch and the compile cache. */
  readonly writable: readonly string[]
  /** Called with its stdout and stderr while it runs an attempt. */
  readonly onOutput: (attempt: AttemptId, bytes: Buffer) => void
  /** Called with its first message. */
  readonly onStarted: () => void
  readonly onExit: (executor: Executor) => void
}

/** Share of a task's memory for the V8 heap; the rest is for buffers: map outputs, frames, the user's own. */
const heapShare = 0.7
/** Tolerance beyond the task's memory and the warm process's own: young generation, compiled code, malloc overhead. */
const slackBytes = 96 * MiB
/** A loop that fills buffers allocates about 2 GiB/s: checked 20 times a second, it exceeds the limit by about 100 MiB. */
const memoryLookMs = 50
/** Resident size of a warm process before it was measured. */
const baseBytesDefault = 96 * MiB

/** Time in which a process has to take its task, which it does as soon as it has started: far longer than that takes on a busy machine. */
const beginMs = 120_000

/** Jobs per process: each loads its own instance of its program's module, which is never unloaded. */
const jobsMax = 100

interface Running {
  readonly attempt: AttemptId
  readonly setup: Pick<Setup, 'node' | 'host'>
  /** The process has run tasks before. */
  readonly isWarm: boolean
  readonly resolve: (outcome: AttemptOutcome | undefined) => void
  readonly cancels: Array<() => void>
  /** The process has taken it. */
  began: boolean
  /** What it has told of itself last. */
  doing: string | undefined
  counters: Counters
  fraction: number
  /** Outcome of a killed attempt. */
  verdict: Failed | undefined
}

export class Executor {
  readonly memoryBytes: number
  /** User and program that it runs; undefined before its first task. */
  affinity: string | undefined
  readonly #options: ExecutorOptions
  readonly #child: Child
  readonly #jobs = new Set<JobId>()
  /** The subset that has ended. */
  readonly #jobsOver = new Set<JobId>()
  #baseBytes = baseBytesDefault
  #running: Running | undefined
  #outputTail = ''
  #started = false
  #startFailure: StartFailure | undefined
  #exited = false
  #retired = false
  #spawned = false
  /** The only job whose tasks it may run. */
  #bound: JobId | undefined
  #jobEnded = false

  constructor(options: ExecutorOptions) {
    this.#options = options
    this.memoryBytes = options.memoryBytes
    this.#child = options.processes.start({
      main: options.main ?? new URL('./main.ts', import.meta.url),
      args: [options.cacheDir],
      env: {},
      cwd: options.scratch,
      heapBytesMax: options.memoryBytes * heapShare,
      // Blocks are outside of these directories: a faulty program cannot damage them.
      writable: [options.scratch, options.cacheDir, ...options.writable],
      onOutput: bytes => this.#output(bytes),
      onMessage: message => this.#message(message as FromExecutor),
      onExit: end => this.#exit(end),
    })
  }

  get pid(): number { return this.#child.pid }
  get scratch(): string { return this.#options.scratch }
  get attempt(): AttemptId | undefined { return this.#running?.attempt }
  /** True if it can take a task. */
  get isIdle(): boolean { return !this.#running && !this.#exited && !this.#retired }
  /** True if it must not be reused: it has run `jobsMax` jobs, or a job has ended whose child processes may still run. */
  get isWorn(): boolean { return this.#jobs.size >= jobsMax || this.#jobEnded }
  /** Reason why the process ended before it had started, or before it took its first task; undefined if it did not, or was killed. */
  get startFailure(): StartFailure | undefined { return this.#startFailure }
  get progress(): { readonly counters: Counters; readonly fraction: number } | undefined { return this.#running }

  /**
   * Runs an attempt. Never rejects. After a failure the process is not reused: it exits or is killed. Undefined: the process had run tasks
   * and ended before it took this one, because of what they had left running or changed; another process can run it. A new process that
   * ends before it takes the attempt is a failed start, which is not counted against the job.
   */
  run(work: TaskWork, setup: Omit<Setup, 'scratch'>): Promise<AttemptOutcome | undefined> {
    assert(this.isIdle, 'an executor runs one attempt at a time')
    const { clock } = this.#options
    const isWarm = this.#jobs.size > 0
    if (isWarm) this.#outputTail = ''
    this.#jobs.add(work.job)
    return new Promise(resolve => {
      const running: Running = {
        attempt: work.attempt, setup, isWarm, resolve, cancels: [], began: false, doing: undefined, counters: {}, fraction: 0,
        verdict: undefined,
      }
      this.#running = running
      if (work.deadlineMs > 0) {
        running.cancels.push(clock.after(work.deadlineMs, () => {
          this.#end(
            failed(
              'program',
              `the task ran longer than its time limit of ${formatDuration(work.deadlineMs)}; give it more (--task-timeout), or look for a loop that never ends, or in its log for a promise that nothing settles`,
              running.counters,
            ),
          )
        }))
      }
      running.cancels.push(clock.after(beginMs, () => {
        if (!running.began) this.#stuck(running)
      }))
      this.#watchMemory(running)
      this.#child.send({ kind: 'run', work, setup: { ...setup, scratch: this.scratch } } satisfies ToExecutor)
    })
  }

  /** Kills the process, and with it the attempt. */
  kill(why: string): void { this.#end(failed('killed', why, this.#running?.counters)) }

  /** False if a task of another job has changed the process. */
  serves(job: JobId): boolean { return this.#bound === undefined || this.#bound === job }

  /**
   * A job has ended. If its program has started processes, this process ends, and they with it: now, or after the running attempt. So it
   * does if the program has changed it.
   */
  jobOver(job: JobId): void {
    if (this.#jobs.has(job)) this.#jobsOver.add(job)
    if (this.#bound !== job && (!this.#spawned || !this.#jobs.has(job))) return
    this.#jobEnded = true
    if (this.isIdle) this.retire()
  }

  /** Kills the process; it takes no more tasks. */
  retire(): void {
    this.#retired = true
    this.#child.kill()
  }

  #end(verdict: Failed): void {
    if (this.#running) this.#running.verdict ??= verdict
    this.retire()
  }

  /** The process has not taken the attempt: another one gets it, here or on another node. */
  #stuck({ isWarm }: Running): void {
    if (!isWarm)
      this.#startFailure = { reason: `its process did not begin within ${formatDuration(beginMs)}`, output: this.#outputTail }
    this.#options.log.warn('a process did not take its task and is ended', { executor: this.pid, isWarm })
    this.retire()
  }

  #watchMemory(running: Running): void {
    const bytesMax = this.#baseBytes + this.memoryBytes + slackBytes
    const look = (): void => {
      if (this.#running !== running) return
      if (this.#child.residentBytes() > bytesMax) {
        this.#end(
          outOfMemory(
            `the task used more than ${formatBytes(this.memoryBytes)} of memory; keep less at a time, or give it more (--memory)`,
            running.counters,
          ),
        )
      } else {
        cancel = this.#options.clock.after(memoryLookMs, look)
      }
    }
    let cancel = this.#options.clock.after(memoryLookMs, look)
    running.cancels.push(() => cancel())
  }

  #message(message: FromExecutor): void {
    const running = this.#running
    if (!this.#started) {
      this.#started = true
      this.#options.onStarted()
    }
    switch (message.kind) {
      case 'ready':
        this.#baseBytes = this.#child.residentBytes() || baseBytesDefault
        return
      case 'spawned':
        this.#spawned = true
        return
      case 'changed':
        this.#bound ??= message.job
        if (this.#jobsOver.has(message.job)) this.jobOver(message.job)
        return
      case 'declined':
        if (running?.attempt !== message.attempt) return
        this.retire()
        return this.#settle(running.verdict)
      case 'began':
        if (running?.attempt === message.attempt) running.began = true
        return
      case 'log':
        return this.#options.log[message.level](message.message, { executor: this.pid, attempt: running?.attempt, ...message.fields })
      case 'doing':
        if (running?.attempt === message.attempt) running.doing = message.text
        return
      case 'progress':
        if (running?.attempt !== message.attempt) return
        running.counters = message.counters
        running.fraction = message.fraction
        return
      case 'finished':
        // After a failure the state of the process is unknown: the next task gets a new one.
        if (message.outcome.kind === 'failed') this.#retired = true
        if (running?.attempt === message.attempt) this.#settle(running.verdict ?? message.outcome)
        if (this.#retired) this.#child.kill()
        return
      default: message satisfies never // a program may send messages of its own, which mean nothing here
    }
  }

  #output(bytes: Buffer): void {
    this.#outputTail = (this.#outputTail + bytes.toString('latin1')).slice(-4000)
    if (this.#running) this.#options.onOutput(this.#running.attempt, bytes)
  }

  #exit(end: ExitStatus): void {
    this.#exited = true
    const running = this.#running
    const isNew = running ? !running.began && !running.isWarm : !this.#started
    if (isNew && !this.#retired) this.#startFailure = { reason: startCause(end, this.#outputTail), output: this.#outputTail }
    if (running) this.#settle(running.verdict ?? this.#outcomeOfExit(running, end))
    this.#options.onExit(this)
  }

  #outcomeOfExit(running: Running, end: ExitStatus): Failed | undefined {
    // A heap that is too small for the process to start is the job's: it asked for so little memory.
    if (running.began || isHeapFull(this.#outputTail)) {
      const why = exitCause(end, this.#outputTail, this.memoryBytes, running.doing)
      return isHeapFull(this.#outputTail) ? outOfMemory(why, running.counters) : failed('program', why, running.counters)
    }
    return this.#startFailure && cannotStart(running.setup, this.#startFailure.reason)
  }

  #settle(outcome: AttemptOutcome | undefined): void {
    const running = this.#running!
    this.#running = undefined
    for (const cancel of running.cancels) cancel()
    running.resolve(outcome)
  }
}
