// Computes the steps of a program: submits the job of a step, waits for it, and reads the lines of its result. A step that returns its
// first values runs the first tasks of its job alone, and then all, if those have too few. A step that an earlier process of the same run
// has sent is not sent again (drivelog.ts).

import { isUrl } from '../../src/base/url.ts'
import { GristmillError } from '../../src/base/errors.ts'
import type { JobStatus } from '../../src/protocol/job.ts'
import type { Driver } from '../../src/protocol/task.ts'
import type { StepQuery } from '../../src/program/recipe.ts'
import type { PlannedProgramStep } from '../load/driving.ts'
import type { DriveLog } from './drivelog.ts'
import type { EarlierResults } from './earlier.ts'
import type { Job } from './job.ts'
import type { Delivered, StepRecord } from './runinputs.ts'
import type { StepJobs } from './stepjobs.ts'
import type { ToldHistory } from './toldhistory.ts'

/** Calls to the cluster. */
export interface StepCalls {
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
  /** Lines of the result of a job that has succeeded. */
  readonly readResult: (status: JobStatus, step: PlannedProgramStep, signal: AbortSignal) => Promise<readonly string[]>
  /** Handle of a job. */
  readonly jobOf: (job: JobStatus['job']) => Job
  /** Inputs of a step, for the log. */
  readonly readsOf: (step: number) => StepRecord | undefined
  /** Of a program that a job of the cluster drives. */
  readonly log?: DriveLog | undefined
}

/** The first tasks of a job alone, if the plan allows it. `onPart`: called if there are more. */
interface FirstTasks { readonly tasks: number; readonly onPart: () => void }
/** Called when the job is planned, before it is sent; resolves to the name of its request. */
interface BeforeSending { readonly onReady: () => Promise<string> }
/** Other directory to publish than that of the step. */
interface OtherOutput { readonly output: string }

interface StepWorkDeps extends StepCalls {
  readonly jobs: StepJobs
  readonly history: ToldHistory
  readonly checkSame: EarlierResults['checkSame']
}

/** The run of the program. `abandoned`: the program has ended without a call to the cluster. */
interface StepWorkOptions { readonly id: string; readonly nowMs: number; readonly abandoned: AbortSignal }

/** Tasks that a step runs first which returns its first values. If they have too few, all run. */
const firstTasks = 1

const cancelled = (): GristmillError => new GristmillError('JOB_CANCELLED', 'the program was cancelled')

export class StepWork {
  readonly #deps: StepWorkDeps
  readonly #options: StepWorkOptions
  /** Aborted when steps are killed: rows on their way to a place outside of the cluster do not arrive. */
  readonly #killed = new AbortController()
  #isCancelled = false

  constructor(deps: StepWorkDeps, options: StepWorkOptions) {
    this.#deps = deps
    this.#options = options
  }

  get isCancelled(): boolean { return this.#isCancelled }

  /** Aborted when steps are killed. */
  get killed(): AbortSignal { return this.#killed.signal }

  /** From now on no step is submitted; the job of one that is on its way is killed. */
  cancel(): void { this.#isCancelled = true }

  /** Kills the jobs of these steps. Does not reject. */
  async kill(steps: Iterable<number>): Promise<void> {
    this.#killed.abort(cancelled())
    await Promise.allSettled([...steps].flatMap(number => this.#deps.jobs.of(number) ?? []).map(job => job.kill()))
  }

  /** Lines of the result of a step, by its job. */
  async lines(step: PlannedProgramStep, onJob: (job: Job) => void): Promise<readonly string[]> {
    const { log, write } = this.#deps
    const { number, method, planned: { lowered: fingerprint = '', output } } = step
    const first = typeof step.returns === 'object' ? step.returns.first : undefined
    let isPart = false
    const onReady = log && (() => log.sends({ number, method, fingerprint }, isPart, this.factsOf(step)))
    const submitted = async (part?: FirstTasks | OtherOutput): Promise<readonly string[]> => {
      const job = await this.#submit(step, { ...part, ...onReady && { onReady } })
      onJob(job)
      return this.linesOf(job, step)
    }
    const before = await this.#sentBefore(step)
    if (before) {
      onJob(before.job)
      const lines = await this.linesOf(before.job, step)
      return before.isPart && lines.length < first! ? submitted() : lines
    }
    if (step.returns === 'nothing' && output !== undefined && isUrl(output)) {
      const until = AbortSignal.any([this.#options.abandoned, this.#killed.signal])
      await write(output, async path => { await submitted({ output: path }) }, step, until)
      return []
    }
    const lines = await submitted(first === undefined ? undefined : { tasks: firstTasks, onPart: () => { isPart = true } })
    if (!isPart || lines.length >= first!) return lines
    isPart = false
    return submitted()
  }

  /** Waits for a job of a step, and reads the lines of its result. */
  async linesOf(job: Job, step: PlannedProgramStep): Promise<readonly string[]> {
    const { abandoned: signal } = this.#options
    const status = await job.wait({ signal })
    return step.returns === 'nothing' || step.returns === 'cached' ? [] : this.#deps.readResult(status, step, signal)
  }

  /** Times and inputs of a step, which the log records with it. */
  factsOf({ number, clock }: PlannedProgramStep): { readonly clock: string; readonly reads: StepRecord | undefined } {
    return { clock, reads: this.#deps.readsOf(number) }
  }

  /** The job of the step that an earlier process has sent. A query is asked again, because its plan depends on what it finds. */
  async #sentBefore(step: PlannedProgramStep): Promise<{ readonly job: Job; readonly isPart: boolean } | undefined> {
    const { log, jobs, jobOf, checkSame } = this.#deps
    const found = step.query ? undefined : await log?.sentBefore(step.number)
    if (!found) return undefined
    const { method = step.method, fingerprint = '' } = found
    checkSame(step, { method, fingerprint })
    const job = jobOf(found.job)
    jobs.add(step, job)
    return { job, isPart: found.isPart }
  }

  async #submit(step: PlannedProgramStep, part: Partial<FirstTasks & OtherOutput & BeforeSending>): Promise<Job> {
    const { number, method, after, clock, planned: { outline = '' } } = step
    const { jobs, history, query, submit } = this.#deps
    const { id, nowMs } = this.#options
    if (this.#isCancelled) throw cancelled()
    const delivered = history.delivered(after)
    const driver = { id, step: number, method, nowMs, ...clock !== '' && { clock }, outline, history: history.encoded(after) }
    const job = await (step.query ? query(step.query, driver, delivered) : submit(step, driver, delivered, part))
    jobs.add(step, job)
    if (this.#isCancelled) await job.kill()
    return job
  }
}
