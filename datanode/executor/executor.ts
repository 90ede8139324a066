// One executor process, as the datanode sees it: warm, working on one attempt, or gone. Whatever the user's code does to it, each
// attempt that it was given ends with exactly one outcome: the process's own word, or what is made of its death.

import { assert } from '../../src/base/assert.ts'
import { MiB, formatBytes, formatDuration } from '../../src/base/units.ts'
import type { AttemptId, JobId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import type { Child, Processes } from '../../src/ports/process.ts'
import type { Counters } from '../../src/protocol/fields.ts'
import type { TaskWork } from '../../src/protocol/task.ts'
import { failed, type Failed, type FromExecutor, type AttemptOutcome, type Setup, type ToExecutor } from './messages.ts'

export interface ExecutorOptions {
  readonly processes: Processes
  readonly clock: Clock
  readonly log: Log
  /** Its working directory, which exists. */
  readonly scratch: string
  /** Where compiled code is kept. */
  readonly cacheDir: string
  readonly memoryBytes: number
  /** Where it may write, beside its scratch and the compiled code. */
  readonly writable: readonly string[]
  /** What it writes to stdout and stderr, while it works on an attempt. */
  readonly onOutput: (attempt: AttemptId, bytes: Buffer) => void
  readonly onExit: (executor: Executor) => void
}

/** The heap's part of a task's memory; the rest is for buffers: map outputs, frames, the user's own. */
const heapShare = 0.7
/** Beside the task's memory and what the process took when it was warm: young objects, compiled code, malloc's own. */
const slackBytes = 96 * MiB
/** A loop that fills buffers makes some GiB a second: looked at 20 times a second it takes some 100 MiB too much. */
const memoryLookMs = 50
/** Before a warm process has been looked at. */
const baseBytesDefault = 96 * MiB

/** Each job has an instance of its program's module, which nothing removes from memory: after so many a fresh process is better. */
const jobsMax = 100

interface Running {
  readonly attempt: AttemptId
  readonly resolve: (outcome: AttemptOutcome) => void
  readonly cancels: Array<() => void>
  counters: Counters
  fraction: number
  /** Why it was killed, if it was. */
  verdict: Failed | undefined
}

export class Executor {
  readonly memoryBytes: number
  /** Whose program it runs; undefined until it has run one. */
  affinity: string | undefined
  readonly #options: ExecutorOptions
  readonly #child: Child
  readonly #jobs = new Set<JobId>()
  #baseBytes = baseBytesDefault
  #running: Running | undefined
  #lastWords = ''
  #gone = false
  #retired = false
  #spawned = false
  #over = false

  constructor(options: ExecutorOptions) {
    this.#options = options
    this.memoryBytes = options.memoryBytes
    this.#child = options.processes.start({
      main: new URL('./main.ts', import.meta.url),
      args: [options.cacheDir],
      env: {},
      cwd: options.scratch,
      heapBytesMax: options.memoryBytes * heapShare,
      // Blocks lie beside what it may write: a program's mistake must not reach them.
      writable: [options.scratch, options.cacheDir, ...options.writable],
      onOutput: bytes => this.#output(bytes),
      onMessage: message => this.#message(message as FromExecutor),
      onExit: end => this.#exit(end),
    })
  }

  get pid(): number { return this.#child.pid }
  get scratch(): string { return this.#options.scratch }
  get attempt(): AttemptId | undefined { return this.#running?.attempt }
  /** May it be given a task? */
  get isIdle(): boolean { return !this.#running && !this.#gone && !this.#retired }
  /** Has it run so many jobs that the next one should have another process, or is a job over whose processes may live on beside it? */
  get isWorn(): boolean { return this.#jobs.size >= jobsMax || this.#over }
  get progress(): { readonly counters: Counters; readonly fraction: number } | undefined { return this.#running }

  /** Never rejects. After a failure the process is of no more use and ends itself, or is ended. */
  run(work: TaskWork, setup: Omit<Setup, 'scratch'>): Promise<AttemptOutcome> {
    assert(this.isIdle, 'an executor runs one attempt at a time')
    const { clock } = this.#options
    this.#lastWords = ''
    this.#jobs.add(work.job)
    return new Promise(resolve => {
      const running: Running = { attempt: work.attempt, resolve, cancels: [], counters: {}, fraction: 0, verdict: undefined }
      this.#running = running
      if (work.deadlineMs > 0) {
        running.cancels.push(clock.after(work.deadlineMs, () => {
          this.#end(
            failed(
              'program',
              `the task ran longer than its time limit of ${formatDuration(work.deadlineMs)}; give it more (--task-timeout), or look for a loop that never ends`,
              running.counters,
            ),
          )
        }))
      }
      this.#watchMemory(running)
      this.#child.send({ kind: 'run', work, setup: { ...setup, scratch: this.scratch } } satisfies ToExecutor)
    })
  }

  /** Ends the attempt, and with it the process. */
  kill(why: string): void { this.#end(failed('killed', why, this.#running?.counters)) }

  /** A job has ended. What its program has started ends with this process: now, or when it has run what it runs. */
  jobOver(job: JobId): void {
    if (!this.#spawned || !this.#jobs.has(job)) return
    this.#over = true
    if (this.isIdle) this.retire()
  }

  /** Ends an idle process. */
  retire(): void {
    this.#retired = true
    this.#child.kill()
  }

  #end(verdict: Failed): void {
    if (this.#running) this.#running.verdict ??= verdict
    this.retire()
  }

  #watchMemory(running: Running): void {
    const bytesMax = this.#baseBytes + this.memoryBytes + slackBytes
    const look = (): void => {
      if (this.#running !== running) return
      if (this.#child.residentBytes() > bytesMax) {
        this.#end(
          failed(
            'program',
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
    switch (message.kind) {
      case 'ready':
        this.#baseBytes = this.#child.residentBytes() || baseBytesDefault
        return
      case 'spawned':
        this.#spawned = true
        return
      case 'log':
        return this.#options.log[message.level](message.message, { executor: this.pid, attempt: running?.attempt, ...message.fields })
      case 'progress':
        if (running?.attempt !== message.attempt) return
        running.counters = message.counters
        running.fraction = message.fraction
        return
      case 'finished':
        // A process that failed once may have lost its senses in any way: the next task gets another one.
        if (message.outcome.kind === 'failed') this.#retired = true
        if (running?.attempt === message.attempt) this.#settle(running.verdict ?? message.outcome)
        if (this.#retired) this.#child.kill()
    }
  }

  #output(bytes: Buffer): void {
    this.#lastWords = (this.#lastWords + bytes.toString('latin1')).slice(-4000)
    if (this.#running) this.#options.onOutput(this.#running.attempt, bytes)
  }

  #exit({ code, signal }: { code: number | null; signal: string | null }): void {
    this.#gone = true
    const running = this.#running
    if (running) this.#settle(running.verdict ?? failed('program', this.#causeOfDeath(code, signal), running.counters))
    this.#options.onExit(this)
  }

  #causeOfDeath(code: number | null, signal: string | null): string {
    if (/heap out of memory|Allocation failed|heap limit/i.test(this.#lastWords)) {
      return `the task used more than ${formatBytes(this.memoryBytes)} of memory: its heap was full; keep less at a time, or give it more (--memory)`
    }
    if (signal === 'SIGKILL')
      return "the task's process was killed by somebody else: by the system because memory had run out, or by its own program"
    if (signal !== null)
      return `the task's process was ended by ${signal}${signal === 'SIGSEGV' || signal === 'SIGABRT' ? '; a native module of the program may have crashed' : ''}`
    return `the program ended its process with exit code ${code} before the task was done; a task ends by itself when its input does`
  }

  #settle(outcome: AttemptOutcome): void {
    const running = this.#running!
    this.#running = undefined
    for (const cancel of running.cancels) cancel()
    running.resolve(outcome)
  }
}
