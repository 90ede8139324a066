// Runs the steps that a program over Datasets asks for: has each computed (stepwork.ts), and continues the program with the result. The
// results of all steps are the history of the program, which executors get with each later step.
// With a log (drivelog.ts), a process that was ended is replaced by another one: it gives the program the recorded results first, in their
// order, and waits for the jobs of steps that were sent before in place of sending them again.
// INVARIANT: results are delivered in the order of the history.

import { asError, GristmillError, hasCode } from '../../src/base/errors.ts'
import { isOfMachine } from '../../src/base/exhaustion.ts'
import { encodeEntry, isSmall, keptFailure, type HistoryEntry } from '../../src/plan/history.ts'
import type { JobStatus } from '../../src/protocol/job.ts'
import type { LoadEvent, PlannedProgramStep, StepResult } from '../load/driving.ts'
import type { Loading } from '../load/loader.ts'
import type { DriveLog } from './drivelog.ts'
import { EarlierResults } from './earlier.ts'
import type { Job } from './job.ts'
import type { Shipping } from './shipping.ts'
import { StepJobs } from './stepjobs.ts'
import { StepWork, type StepCalls } from './stepwork.ts'
import { ToldHistory } from './toldhistory.ts'

interface DriveDeps extends StepCalls {
  readonly loading: Loading
  /** Called when the program has ended. It does not reject. */
  readonly release: () => Promise<void>
  /** True for a failure that ends the program, which does not get it. */
  readonly isFatal: (error: unknown) => boolean
  readonly dropResult: (job: JobStatus['job']) => Promise<void>
  readonly shipping: Shipping
}

interface DriveOptions { readonly id: string; readonly nowMs: number }

/** Failures of calls to the cluster, and not of steps. */
const unreachableCodes = ['UNAVAILABLE', 'TIMEOUT', 'SAFE_MODE', 'OVERLOADED', 'OUTCOME_UNKNOWN', 'UNAUTHENTICATED'] as const

export class ProgramDriver {
  readonly id: string
  readonly #deps: DriveDeps
  readonly #jobs = new StepJobs()
  readonly #history = new ToldHistory(job => this.#jobs.keeps(job))
  readonly #work: StepWork
  readonly #running = new Map<number, Promise<void>>()
  readonly #failures = new Map<number, Error>()
  readonly #ended = Promise.withResolvers<void>()
  readonly #abandoned = new AbortController()
  /** Results that the program has got from an earlier process. */
  readonly #earlier: EarlierResults
  /** Results on their way into the log and to the program. */
  #gets: Promise<void> = Promise.resolve()
  #isOver = false
  /** The program did nothing after its last step that it had to wait for. */
  endedAtOnce = false

  constructor(deps: DriveDeps, { id, nowMs }: DriveOptions) {
    this.#deps = deps
    this.id = id
    const { log, shipping, jobOf } = deps
    const earlier = new EarlierResults({ shipping, jobOf, linesOf: (job, step) => this.#work.linesOf(job, step) }, log?.results ?? [])
    this.#earlier = earlier
    this.#work = new StepWork({
      ...deps, jobs: this.#jobs, history: this.#history, checkSame: (step, before) => earlier.checkSame(step, before),
    }, { id, nowMs, abandoned: this.#abandoned.signal })
    this.#ended.promise.catch(() => {})
  }

  /** Jobs of the steps so far, in their order. */
  get steps(): Job[] { return this.#jobs.all }

  /** Aborted when the program is cancelled or has ended: a step that is being submitted is given up. */
  get killed(): AbortSignal { return this.#work.killed }

  /** Resolves when the program has ended and its results are dropped; rejects with its failure. */
  get ended(): Promise<void> { return this.#ended.promise }

  take(event: LoadEvent): void {
    if ('step' in event && !('error' in event)) {
      const { step } = event
      const begun = this.#earlier.has(step.number) ? this.#runAgain(step) : this.#run(step)
      // The program could not be given a result: a file on the way to it could not be written.
      const running = begun.catch((error: unknown) => void this.#end(asError(error))).finally(() => { this.#running.delete(step.number) })
      this.#running.set(step.number, running)
      return
    }
    if ('error' in event) {
      const { code, message, details } = event.error
      const known = event.step === undefined ? undefined : this.#failures.get(event.step)
      const failure = known ?? new GristmillError(code, message, { details: { ...details } })
      if (this.#deps.log && isOfMachine(failure)) return this.abandon(failure)
      void this.#end(failure)
      return
    }
    if (!('ended' in event)) return
    this.endedAtOnce = event.atOnce
    void this.#end()
  }

  /** The job after `count` ones, in the order of steps; undefined: the program has ended, and there is none. */
  job(count: number): Promise<Job | undefined> { return this.#jobs.at(count) }

  /** Cancels the steps that run; the program asks for no further ones. Resolves when they have ended. */
  async cancel(): Promise<void> {
    if (this.#isOver) return
    this.#work.cancel()
    await this.#work.kill(this.#running.keys())
    await Promise.allSettled(this.#running.values())
    await this.#end(new GristmillError('JOB_CANCELLED', 'the program was cancelled'))
  }

  /** Ends the program without a call to the cluster: its connection is closed, or `why`. Jobs that run go on. */
  abandon(why: Error = new GristmillError('ABORTED', 'the connection to the cluster was closed while the program ran')): void {
    this.#abandoned.abort(why)
    void this.#deps.loading.end()
    this.#over(why)
  }

  async #run(step: PlannedProgramStep): Promise<void> {
    const { number, method, planned } = step
    let job = undefined as Job | undefined
    let result: StepResult
    let entry: HistoryEntry['result'] | undefined
    try {
      if (step.shipped) {
        entry = await this.#deps.shipping.ship(step.shipped)
        result = { lines: [] }
      } else result = { lines: await this.#work.lines(step, each => { job = each }) }
    } catch (thrown) {
      if (this.#isOver) return
      const error = asError(thrown)
      if (this.#isLost(thrown)) return this.abandon(error)
      if (this.#deps.isFatal(thrown) || this.#earlier.isRefusal(thrown)) return void this.#end(error)
      this.#failures.set(number, error)
      result = { failed: { code: error.code, ...keptFailure(error) } }
    }
    if (!job) this.#jobs.addNone(number)
    if (this.#isOver || this.#work.isCancelled) return
    const told: HistoryEntry = { number, method, fingerprint: planned.lowered ?? '', job: job?.id ?? '-', result: entry ?? entryOf(result) }
    if (this.#deps.log) return this.#recorded(this.#deps.log, step, told, result)
    this.#history.push(told)
    await this.#deps.loading.deliver(number, result)
  }

  /** Another process may go on where this one has failed: this machine has, the cluster cannot be reached, or that process does already. */
  #isLost(thrown: unknown): boolean {
    const { log } = this.#deps
    return log !== undefined && (log.isFailure(thrown) || hasCode(thrown, ...unreachableCodes) || isOfMachine(thrown))
  }

  /** Gives the program a result, behind all that it had before, once that is in the log. */
  #recorded(log: DriveLog, step: PlannedProgramStep, entry: HistoryEntry, result: StepResult): Promise<void> {
    return this.#gets = this.#gets.then(async () => {
      await this.#earlier.delivered
      if (this.#isOver || this.#work.isCancelled) return
      await log.gets(encodeEntry(entry), this.#work.factsOf(step))
      if (this.#isOver || this.#work.isCancelled) return
      this.#history.push(entry)
      await this.#deps.loading.deliver(step.number, result)
    }).catch((error: unknown) => this.abandon(asError(error)))
  }

  /** A step whose result an earlier process has recorded. Results come in the order in which that process has delivered them. */
  async #runAgain(step: PlannedProgramStep): Promise<void> {
    this.#earlier.asked(step)
    await (this.#gets = this.#gets.then(async () => {
      for await (const { step: again, entry, job, result } of this.#earlier.next()) {
        if (this.#isOver) return
        if (job) this.#jobs.add(again, job)
        else this.#jobs.addNone(again.number)
        if ('failed' in result) {
          const { code, message, details } = result.failed
          this.#failures.set(again.number, new GristmillError(code, message, { details: { ...details } }))
        }
        this.#history.push(entry)
        await this.#deps.loading.deliver(again.number, result)
      }
    }).catch((error: unknown) => (this.#isLost(error) ? this.abandon(asError(error)) : void this.#end(asError(error)))))
  }

  async #end(failure?: Error): Promise<void> {
    if (this.#isOver) return
    const closed = this.#deps.loading.end()
    if (this.#deps.log) {
      // First: a process that takes over does not begin again without results that are dropped.
      const ended = await this.#deps.log.ends(failure).then(() => true, (error: unknown) => this.abandon(asError(error)))
      if (!ended) return
    }
    this.#work.cancel()
    // Steps that the program does not wait for any more.
    if (this.#running.size > 0) await this.#work.kill(this.#running.keys())
    await Promise.allSettled(this.#running.values())
    await this.#jobs.drop(this.#deps.dropResult)
    await this.#deps.shipping.close()
    await this.#deps.release()
    await closed
    this.#over(failure)
  }

  #over(failure?: Error): void {
    if (this.#isOver) return
    this.#isOver = true
    if (failure) this.#ended.reject(failure)
    else this.#ended.resolve()
    this.#jobs.end()
  }
}

function entryOf(result: StepResult): HistoryEntry['result'] {
  if ('failed' in result) return { kind: 'failed', ...result.failed }
  return isSmall(result.lines) ? { kind: 'lines', lines: result.lines } : { kind: 'stored' }
}
