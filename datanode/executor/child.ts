// Main object of an executor process: runs one attempt at a time, from the datanode's message to the outcome. Its session (calls,
// wires, loaded programs) is kept from task to task.

import { assert } from '../../src/base/assert.ts'
import { asError, GristmillError } from '../../src/base/errors.ts'
import type { AttemptId, JobId } from '../../src/base/ids.ts'
import type { LoadAvro } from '../../src/ports/avro.ts'
import type { Commands } from '../../src/ports/command.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { OpenDatabase } from '../../src/ports/database.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { HttpFetch } from '../../src/ports/httpfetch.ts'
import type { Log, LogFields } from '../../src/ports/log.ts'
import type { Modules } from '../../src/ports/modules.ts'
import type { Net } from '../../src/ports/net.ts'
import type { Random } from '../../src/ports/random.ts'
import type { ProgramGlobals } from '../../src/ports/programglobals.ts'
import type { Started } from '../../src/ports/started.ts'
import { FunctionFailed } from '../../src/operator/operator.ts'
import { isSql } from '../../src/operator/sqlwork.ts'
import type { TaskWork } from '../../src/protocol/task.ts'
import { TaskContext } from './context.ts'
import { toFailure, type FailedTask } from './failure.ts'
import { ExecutorSession } from './session.ts'
import { LogWriter } from './logs.ts'
import { failed, type AttemptOutcome, type Failed, type FromExecutor, type ToExecutor } from './messages.ts'
import { QueryAttempt } from './query.ts'
import { TaskAttempt } from './task.ts'

interface ChildWorld {
  readonly clock: Clock
  readonly disk: Disk
  readonly random: Random
  readonly net: (log: Log) => Net
  /** A generator that gives the same numbers for the same seed. */
  readonly seeded: (seed: string) => Random
  /** Writes a line as the program's own output. */
  readonly print: (...parts: unknown[]) => void
  readonly send: (message: FromExecutor) => Promise<void>
  /** Module loader for programs; default: Node's. */
  readonly modules?: Modules | undefined
  /** Sets the environment variables that programs see, and no others; a simulation has none. */
  readonly setEnvironment?: ((env: Readonly<Record<string, string>>) => void) | undefined
  /** Tells whether a program has changed the process for others; a simulation has no process. */
  readonly isChanged?: (() => boolean) | undefined
  /** Runs Unix commands; a simulation has none. */
  readonly commands?: Commands | undefined
  /** Opens SQL engines; a simulation has none. */
  readonly openDatabase?: OpenDatabase | undefined
  /** Tracks work that programs leave running; a simulation has none. */
  readonly started?: Started | undefined
  /** Time and random numbers of programs that are replayed; a simulation has none. */
  readonly globals?: ProgramGlobals | undefined
  readonly loadAvro?: LoadAvro | undefined
  /** Reaches servers outside of the cluster; a simulation has none. */
  readonly httpFetch?: HttpFetch | undefined
}

/** A look takes about as long as a short task. */
const lookMs = 30

export class TaskRunnerChild {
  readonly #world: ChildWorld
  #session: ExecutorSession | undefined
  #task: FailedTask | undefined
  #attempt: AttemptId | undefined
  #job: JobId | undefined
  #log: LogWriter | undefined
  #failed = false
  #cancelLook: (() => void) | undefined

  constructor(world: ChildWorld) { this.#world = world }

  /** Appends to the log of the attempt. */
  print(bytes: Uint8Array): void { this.#log?.write(bytes) }

  async run({ work, setup }: ToExecutor): Promise<void> {
    const { disk, started } = this.#world
    this.#cancelLook?.()
    if (this.#job !== undefined && this.#job !== work.job && this.#world.isChanged?.() === true)
      return this.#send({ kind: 'declined', attempt: work.attempt })
    this.#attempt = work.attempt
    this.#job = work.job
    this.#send({ kind: 'began', attempt: work.attempt })
    started?.begin(work.job)
    const log = this.#log = new LogWriter(disk, setup.dir, work.attempt)
    let outcome: AttemptOutcome
    try {
      await log.open().catch(() => {}) // a log that cannot be written fails nothing
      const session = this.#session ??= new ExecutorSession({ ...this.#world, setup, log: this.#nodeLog() })
      session.sample(setup.nowMs)
      this.#world.setEnvironment?.({ TMPDIR: setup.scratch, ...work.env })
      outcome = await (isSql(work) ? this.#query(session, work) : this.#program(session, work, log))
    } catch (error) {
      outcome = this.#failure(error)
    }
    this.#task = undefined
    this.#log = undefined
    await log.close()
    this.#finish(outcome)
  }

  /** Files outside of the cluster have their addresses: the paths of their references are gone with the job. */
  #failure(error: unknown): Failed {
    const failed = toFailure(error, this.#task)
    const { message, record, ...failure } = failed.failure
    const named = (text: string): string => this.#session?.files.named(text) ?? text
    return { ...failed, failure: { ...failure, message: named(message), ...record && { record: { ...record, path: named(record.path) } } } }
  }

  async #program(session: ExecutorSession, work: TaskWork, log: LogWriter): Promise<AttemptOutcome> {
    const { seeded, print, started, commands } = this.#world
    const isFirst = !session.hasLoaded(work)
    const program = await session.program(work)
    const context = new TaskContext({
      work, params: program.params, assets: program.assets,
      random: seeded(`${work.seed} ${work.stage} ${work.task}`), seeded: name => seeded(`${work.seed} step ${name}`),
      print, tellDoing: text => this.#send({ kind: 'doing', attempt: work.attempt, text }),
    })
    const task = new TaskAttempt({
      session, work, program, context, started, isFirst, ...commands && { commands: { commands, log: bytes => log.write(bytes) } },
      onProgress: (counters, fraction) => this.#send({ kind: 'progress', attempt: work.attempt, counters, fraction }),
      onLate: error => this.#late(error),
    })
    this.#task = task
    return task.run()
  }

  /** A query has no program, and loads nothing of a user's code but functions that it calls. */
  async #query(session: ExecutorSession, work: TaskWork): Promise<AttemptOutcome> {
    const { openDatabase } = this.#world
    assert(openDatabase, 'this process can run queries')
    const task = new QueryAttempt({
      session, work, openDatabase, functions: await session.functions(work),
      onProgress: (counters, fraction) => this.#send({ kind: 'progress', attempt: work.attempt, counters, fraction }),
    })
    this.#task = task
    return task.run()
  }

  /**
   * Ends the attempt because the process cannot continue: an uncaught error, an `emit` or a count of an earlier task, or the program calls
   * `process.exit`. The outcome is written to the channel before this returns. REQUIRES: called by the code that is to blame, or in its
   * asynchronous context: an attempt is not failed for what another job has left running, it is ended and runs again elsewhere.
   */
  fatal(thrown: unknown): void {
    const by = this.#world.started?.job
    const { message } = asError(thrown)
    const isOther = by !== undefined && by !== this.#job
    if (!this.#attempt || isOther) this.#warn('an executor ends because of what a program left running', { error: message, job: by })
    if (!this.#attempt) return
    if (isOther) return this.#finish(failed('killed', `the task's process ended because of what ${by} had left running in it: ${message}`))
    // EINVAL has the stack of its caller in the program, like an error of the program itself.
    this.#finish(
      this.#failure(thrown instanceof GristmillError && thrown.code !== 'EINVAL' ? thrown : new FunctionFailed(thrown, {})),
    )
  }

  /** An `emit` or a count of a task that has ended. */
  #late(error: Error): void {
    if (this.#attempt) return this.fatal(error)
    this.#warn('a program has called emit or counter after its task had ended; the record or the count is lost', {
      error: error.message, job: this.#world.started?.job,
    })
  }

  #warn(message: string, fields: LogFields): void {
    this.#send({ kind: 'log', level: 'warn', message, fields })
  }

  #finish(outcome: AttemptOutcome): void {
    const attempt = this.#attempt
    if (attempt === undefined || this.#failed) return
    this.#attempt = undefined
    // After a failure this process is ended; code that still runs in it must send no more outcomes.
    if (outcome.kind === 'failed') this.#failed = true
    else this.#lookLater()
    this.#send({ kind: 'finished', attempt, outcome })
  }

  /** Looks for changes of the process once it has no task: the next one is mostly of the same job, and comes at once. */
  #lookLater(): void {
    const { clock, isChanged } = this.#world
    const job = this.#job
    if (!isChanged || job === undefined) return
    this.#cancelLook = clock.after(lookMs, () => { if (isChanged()) this.#send({ kind: 'changed', job }) })
  }

  #send(message: FromExecutor): void {
    // The channel fails only when the datanode is gone; this process then ends as well.
    this.#world.send(message).catch(() => {})
  }

  /** Log for events of the node, which are not part of the program's output. */
  #nodeLog(): Log {
    const logAt = (level: 'debug' | 'info' | 'warn' | 'error', own: LogFields) => (message: string, fields?: LogFields): void => {
      const plain = Object.fromEntries(
        Object.entries({ ...own, ...fields }).map(([name, value]) => [name, value instanceof Error ? value.message : value]),
      )
      if (level !== 'debug') this.#send({ kind: 'log', level, message, fields: plain })
    }
    const make = (own: LogFields): Log => ({
      debug: logAt('debug', own), info: logAt('info', own), warn: logAt('warn', own), error: logAt('error', own),
      child: more => make({ ...own, ...more }),
    })
    return make({})
  }
}
