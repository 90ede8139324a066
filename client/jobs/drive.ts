// Runs the steps that a program over Datasets asks for: submits the job of each, waits for it, reads its result, and continues the program.
// The results of all steps are the history of the program, which executors get with each later step.
// With a log (drivelog.ts), a process that was ended is replaced by another one: it gives the program the recorded results first, in their
// order, and waits for the jobs of steps that were sent before in place of sending them again.
// INVARIANT: results are delivered in the order of the history.

import { asError, GristmillError, hasCode } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { Semaphore } from '../../src/base/queue.ts'
import { isUrl } from '../../src/connector/location.ts'
import { encodeEntry, isSmall, type HistoryEntry } from '../../src/plan/history.ts'
import type { JobStatus } from '../../src/protocol/job.ts'
import type { Driver } from '../../src/protocol/task.ts'
import type { StepQuery } from '../../src/program/recipe.ts'
import type { LoadEvent, PlannedProgramStep, StepResult } from '../load/driving.ts'
import type { Loading } from '../load/loader.ts'
import type { DriveLog } from './drivelog.ts'
import { EarlierResults } from './earlier.ts'
import type { Job } from './job.ts'
import type { Delivered, StepRecord } from './runinputs.ts'
import type { Shipping } from './shipping.ts'

interface DriveDeps {
  readonly loading: Loading
  /** Submits the job of a step; `delivered`: the steps before it whose results the program has got. */
  readonly submit: (
    step: PlannedProgramStep, driver: Driver, delivered: readonly Delivered[], part: Partial<FirstTasks & OtherOutput & BeforeSending>,
  ) => Promise<Job>
  /** Submits the job of a step that is a query. */
  readonly query: (query: StepQuery, driver: Driver, delivered: readonly Delivered[]) => Promise<Job>
  /** Has the job of a step publish files at a path, which then go to a place outside of the cluster. */
  readonly write: (
    url: string, make: (path: string) => Promise<void>, step: PlannedProgramStep, signal: AbortSignal,
  ) => Promise<unknown>
  /** Called when the program has ended. It does not reject. */
  readonly release: () => Promise<void>
  /** True for a failure that ends the program, which does not get it. */
  readonly isFatal: (error: unknown) => boolean
  /** Lines of the result of a job that has succeeded. */
  readonly readResult: (status: JobStatus, step: PlannedProgramStep, signal: AbortSignal) => Promise<readonly string[]>
  readonly dropResult: (job: JobStatus['job']) => Promise<void>
  readonly shipping: Shipping
  /** Of a program that a job of the cluster drives. */
  readonly log?: DriveLog | undefined
  /** Handle of a job. */
  readonly jobOf: (job: JobStatus['job']) => Job
  /** Inputs of a step, for the log. */
  readonly readsOf: (step: number) => StepRecord | undefined
}

/** The first tasks of a job alone, if the plan allows it. `onPart`: called if there are more. */
interface FirstTasks { readonly tasks: number; readonly onPart: () => void }
/** Called when the job is planned, before it is sent; resolves to the name of its request. */
interface BeforeSending { readonly onReady: () => Promise<string> }
/** Other directory to publish than that of the step. */
interface OtherOutput { readonly output: string }

interface DriveOptions { readonly id: string; readonly nowMs: number }

/** Tasks that a step runs first which returns its first values. If they have too few, all run. */
const firstTasks = 1
/** Failures of calls to the cluster, and not of steps. */
const unreachableCodes = ['UNAVAILABLE', 'TIMEOUT', 'SAFE_MODE', 'OVERLOADED', 'OUTCOME_UNKNOWN'] as const
/** Results that are dropped at a time. */
const dropsAtOnce = 8

export class ProgramDriver {
  readonly id: string
  readonly #deps: DriveDeps
  readonly #nowMs: number
  /** By the number of the step, from 1 on; a step that could not be submitted has none. */
  readonly #jobs = new Map<number, Job>()
  /** Steps that have ended without a job. */
  readonly #jobless = new Set<number>()
  readonly #running = new Map<number, Promise<void>>()
  readonly #failures = new Map<number, Error>()
  readonly #history: HistoryEntry[] = []
  readonly #results = new Set<JobStatus['job']>()
  readonly #ended = Promise.withResolvers<void>()
  readonly #abandoned = new AbortController()
  /** Aborted when steps are killed: rows on their way to a place outside of the cluster do not arrive. */
  readonly #killed = new AbortController()
  /** Results that the program has got from an earlier process. */
  readonly #earlier: EarlierResults
  /** Results on their way into the log and to the program. */
  #gets: Promise<void> = Promise.resolve()
  #changed = Promise.withResolvers<void>()
  #isCancelled = false
  #isOver = false
  #steps = 0
  /** The program did nothing after its last step that it had to wait for. */
  endedAtOnce = false

  constructor(deps: DriveDeps, { id, nowMs }: DriveOptions) {
    this.#deps = deps
    this.id = id
    this.#nowMs = nowMs
    const { log, shipping, jobOf } = deps
    this.#earlier = new EarlierResults({ shipping, jobOf, linesOf: (job, step) => this.#linesOf(job, step) }, log?.results ?? [])
    this.#ended.promise.catch(() => {})
  }

  /** Jobs of the steps so far, in their order. */
  get steps(): Job[] { return [...this.#jobs].sort(([a], [b]) => a - b).map(([, job]) => job) }

  /** Resolves when the program has ended and its results are dropped; rejects with its failure. */
  get ended(): Promise<void> { return this.#ended.promise }

  take(event: LoadEvent): void {
    if ('step' in event && !('error' in event)) {
      const { step } = event
      this.#steps = Math.max(this.#steps, step.number)
      const begun = this.#earlier.has(step.number) ? this.#runAgain(step) : this.#run(step)
      const running = begun.finally(() => { this.#running.delete(step.number) })
      this.#running.set(step.number, running)
      return
    }
    if ('error' in event) {
      const { code, message, details } = event.error
      const known = event.step === undefined ? undefined : this.#failures.get(event.step)
      void this.#end(known ?? new GristmillError(code, message, { details: { ...details } }))
      return
    }
    if (!('ended' in event)) return
    this.endedAtOnce = event.atOnce
    void this.#end()
  }

  /** The job after `count` ones, in the order of steps; undefined: the program has ended, and there is none. */
  async job(count: number): Promise<Job | undefined> {
    for (;;) {
      const { promise } = this.#changed
      // Steps before it may still be on their way to the namenode.
      const number = [...this.#jobs.keys()].sort((a, b) => a - b)[count]
      if (number !== undefined && (this.#isOver || this.#isSettled(number))) return this.#jobs.get(number)
      if (this.#isOver) return undefined
      await promise
    }
  }

  /** All steps before this one have jobs, or have ended without. */
  #isSettled(number: number): boolean {
    for (let before = 1; before < number; before++) if (!this.#jobs.has(before) && !this.#jobless.has(before)) return false
    return true
  }

  /** Cancels the steps that run; the program asks for no further ones. Resolves when they have ended. */
  async cancel(): Promise<void> {
    if (this.#isOver) return
    this.#isCancelled = true
    await this.#kill()
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
      } else result = { lines: await this.#computed(step, each => { job = each }) }
    } catch (thrown) {
      if (this.#isOver) return
      const error = asError(thrown)
      if (this.#isLost(thrown)) return this.abandon(error)
      if (this.#deps.isFatal(thrown) || this.#earlier.isRefusal(thrown)) return void this.#end(error)
      this.#failures.set(number, error)
      const { code, message, details } = error
      result = { failed: { code, message, details: JSON.parse(JSON.stringify(details)) as Record<string, unknown> } }
    }
    if (!job) {
      this.#jobless.add(number)
      this.#tell()
    }
    if (this.#isOver || this.#isCancelled) return
    const told: HistoryEntry = { number, method, fingerprint: planned.lowered ?? '', job: job?.id ?? '-', result: entry ?? entryOf(result) }
    if (this.#deps.log) return this.#recorded(this.#deps.log, step, told, result)
    this.#history.push(told)
    await this.#deps.loading.deliver(number, result)
  }

  /** Another process may go on where this one has failed: the cluster cannot be reached, or that process does already. */
  #isLost(thrown: unknown): boolean {
    const { log } = this.#deps
    return log !== undefined && (log.isFailure(thrown) || hasCode(thrown, ...unreachableCodes))
  }

  /** Gives the program a result, behind all that it had before, once that is in the log. */
  #recorded(log: DriveLog, step: PlannedProgramStep, entry: HistoryEntry, result: StepResult): Promise<void> {
    return this.#gets = this.#gets.then(async () => {
      await this.#earlier.delivered
      if (this.#isOver || this.#isCancelled) return
      await log.gets(encodeEntry(entry), this.#factsOf(step))
      if (this.#isOver || this.#isCancelled) return
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
        if (job) this.#noteJob(again, job)
        else this.#jobless.add(again.number)
        if ('failed' in result) this.#failures.set(again.number, new GristmillError(result.failed.code, result.failed.message))
        this.#history.push(entry)
        await this.#deps.loading.deliver(again.number, result)
      }
    }).catch((error: unknown) => (this.#isLost(error) ? this.abandon(asError(error)) : void this.#end(asError(error)))))
  }

  /** Lines of the result of a step, by its job. */
  async #computed(step: PlannedProgramStep, onJob: (job: Job) => void): Promise<readonly string[]> {
    const first = typeof step.returns === 'object' ? step.returns.first : undefined
    let isPart = false
    const submitted = async (part?: FirstTasks | OtherOutput): Promise<readonly string[]> => {
      const { log } = this.#deps
      const { number, method, planned: { lowered: fingerprint = '' } } = step
      const onReady = log && (() => log.sends({ number, method, fingerprint }, isPart, this.#factsOf(step)))
      const job = await this.#submit(step, { ...part, ...onReady && { onReady } })
      onJob(job)
      return this.#linesOf(job, step)
    }
    const before = await this.#sentBefore(step)
    if (before) {
      onJob(before.job)
      const lines = await this.#linesOf(before.job, step)
      return before.isPart && lines.length < first! ? submitted() : lines
    }
    const { output } = step.planned
    if (step.returns === 'nothing' && output !== undefined && isUrl(output)) {
      const until = AbortSignal.any([this.#abandoned.signal, this.#killed.signal])
      await this.#deps.write(output, async path => { await submitted({ output: path }) }, step, until)
      return []
    }
    const lines = await submitted(first === undefined ? undefined : { tasks: firstTasks, onPart: () => { isPart = true } })
    if (!isPart || lines.length >= first!) return lines
    isPart = false
    return submitted()
  }

  /** The job of the step that an earlier process has sent. A query is asked again, because its plan depends on what it finds. */
  async #sentBefore(step: PlannedProgramStep): Promise<{ readonly job: Job; readonly isPart: boolean } | undefined> {
    const found = step.query ? undefined : await this.#deps.log?.sentBefore(step.number)
    if (!found) return undefined
    const { method = step.method, fingerprint = '' } = found
    this.#earlier.checkSame(step, { method, fingerprint })
    const job = this.#deps.jobOf(found.job)
    this.#noteJob(step, job)
    return { job, isPart: found.isPart }
  }

  #factsOf({ number, clock }: PlannedProgramStep): { readonly clock: string; readonly reads: StepRecord | undefined } {
    return { clock, reads: this.#deps.readsOf(number) }
  }

  #noteJob({ number, returns }: PlannedProgramStep, job: Job): void {
    this.#jobs.set(number, job)
    if (returns !== 'nothing') this.#results.add(job.id)
    this.#tell()
  }

  async #linesOf(job: Job, step: PlannedProgramStep): Promise<readonly string[]> {
    const { signal } = this.#abandoned
    const status = await job.wait({ signal })
    return step.returns === 'nothing' || step.returns === 'cached' ? [] : this.#deps.readResult(status, step, signal)
  }

  async #submit(step: PlannedProgramStep, part: Partial<FirstTasks & OtherOutput & BeforeSending>): Promise<Job> {
    const { number, method, after, clock, planned: { outline = '' } } = step
    if (this.#isCancelled) throw new GristmillError('JOB_CANCELLED', 'the program was cancelled')
    const history = this.#told(after)
    const delivered = this.#history.slice(0, after)
      .map(entry => ({ number: entry.number, failed: entry.result.kind === 'failed', job: entry.job }))
    const driver = { id: this.id, step: number, method, nowMs: this.#nowMs, ...clock !== '' && { clock }, outline, history }
    const job = await (step.query ? this.#deps.query(step.query, driver, delivered) : this.#deps.submit(step, driver, delivered, part))
    this.#noteJob(step, job)
    if (this.#isCancelled) await job.kill()
    return job
  }

  /** The first entries of the history, as they travel. Where they are too large, the oldest results are left where they are stored. */
  #told(count: number): string[] {
    const told = this.#history.slice(0, count).map(encodeEntry)
    let chars = told.reduce((sum, { length }) => sum + length, 0)
    for (const [i, entry] of this.#history.slice(0, count).entries()) {
      if (chars <= limits.historyBytesMax) break
      if (entry.result.kind !== 'lines') continue
      const stored = encodeEntry({ ...entry, result: { kind: 'stored' } })
      if (entry.job === '-' || !this.#results.has(entry.job as JobStatus['job']) || stored.length >= told[i]!.length) continue
      chars += stored.length - told[i]!.length
      told[i] = stored
    }
    return told
  }

  async #kill(): Promise<void> {
    this.#killed.abort(new GristmillError('JOB_CANCELLED', 'the program was cancelled'))
    const running = [...this.#running.keys()].flatMap(number => this.#jobs.get(number) ?? [])
    await Promise.allSettled(running.map(job => job.kill()))
  }

  async #end(failure?: Error): Promise<void> {
    if (this.#isOver) return
    const closed = this.#deps.loading.end()
    if (this.#deps.log) {
      // First: a process that takes over does not begin again without results that are dropped.
      const ended = await this.#deps.log.ends(failure).then(() => true, (error: unknown) => this.abandon(asError(error)))
      if (!ended) return
    }
    this.#isCancelled = true
    // Steps that the program does not wait for any more.
    if (this.#running.size > 0) await this.#kill()
    await Promise.allSettled(this.#running.values())
    const gate = new Semaphore(dropsAtOnce)
    // A result that cannot be dropped now goes by itself (limits.resultKeepMs).
    await Promise.allSettled([...this.#results].map(job => gate.run(() => this.#deps.dropResult(job))))
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
    this.#tell()
  }

  #tell(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}

function entryOf(result: StepResult): HistoryEntry['result'] {
  if ('failed' in result) return { kind: 'failed', code: result.failed.code, message: result.failed.message }
  return isSmall(result.lines) ? { kind: 'lines', lines: result.lines } : { kind: 'stored' }
}
