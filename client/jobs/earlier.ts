// Results that the program of a drive has got from an earlier process (drivelog.ts). They are given to it again, each when the program has
// asked for its step, in the order in which that process has delivered them: then the program asks for the same steps, with the same
// numbers.

import { unreachable } from '../../src/base/assert.ts'
import { GristmillError, type ErrorCode } from '../../src/base/errors.ts'
import { isSameFingerprint, type HistoryEntry } from '../../src/plan/history.ts'
import { broadcastMethod } from '../../src/plan/shipped.ts'
import type { JobStatus } from '../../src/protocol/job.ts'
import type { PlannedProgramStep, StepResult } from '../load/driving.ts'
import type { Job } from './job.ts'
import type { Shipping } from './shipping.ts'

interface EarlierDeps {
  readonly shipping: Pick<Shipping, 'again' | 'read'>
  readonly jobOf: (job: JobStatus['job']) => Job
  /** Lines of the result of a job. */
  readonly linesOf: (job: Job, step: PlannedProgramStep) => Promise<readonly string[]>
}

interface EarlierResult {
  readonly step: PlannedProgramStep
  readonly entry: HistoryEntry
  /** Undefined: the step had none. */
  readonly job: Job | undefined
  readonly result: StepResult
}

export class EarlierResults {
  readonly #deps: EarlierDeps
  readonly #left: HistoryEntry[]
  readonly #numbers: ReadonlySet<number>
  readonly #asked = new Map<number, PlannedProgramStep>()
  readonly #delivered = Promise.withResolvers<void>()
  #refusal: GristmillError | undefined

  constructor(deps: EarlierDeps, entries: readonly HistoryEntry[]) {
    this.#deps = deps
    this.#left = [...entries]
    this.#numbers = new Set(entries.map(({ number }) => number))
    if (entries.length === 0) this.#delivered.resolve()
  }

  has(number: number): boolean { return this.#numbers.has(number) }

  /** Resolves when the program has all of them again. */
  get delivered(): Promise<void> { return this.#delivered.promise }

  /** Throws PROGRAM_INVALID if the program asks for another step than the one of this number that the earlier process has begun. */
  checkSame({ number, method, planned }: PlannedProgramStep, before: Pick<HistoryEntry, 'method' | 'fingerprint'>): void {
    if (before.method === method && isSameFingerprint(before, planned.lowered ?? '')) return
    this.#refusal ??= new GristmillError(
      'PROGRAM_INVALID',
      `the process that drives the program was replaced, and the program does not do the same again: its step ${number} was `
      + `${before.method}${before.method === method ? ' with another plan' : `, and is ${method}`}; run it again, and let its steps depend on its `
      + 'parameters and on the results of its steps alone',
    )
    throw this.#refusal
  }

  /** True for the failure of `checkSame`, which ends the program: no step gets it. */
  isRefusal(error: unknown): boolean { return error !== undefined && error === this.#refusal }

  /** The program has asked for a step that is one of these. */
  asked(step: PlannedProgramStep): void { this.#asked.set(step.number, step) }

  /**
   * The next ones that the program has asked for. The caller delivers each before it reads the following one. Throws PROGRAM_INVALID if the
   * program asks for another step than it did before. REQUIRES: read by one caller at a time.
   */
  async *next(): AsyncGenerator<EarlierResult, void, undefined> {
    for (let entry = this.#left[0]; entry && this.#asked.has(entry.number); entry = this.#left[0]) {
      const step = this.#asked.get(entry.number)!
      this.checkSame(step, entry)
      if (step.shipped && !('failed' in step.shipped)) await this.#deps.shipping.again(step.shipped, entry.result)
      const job = entry.job === '-' ? undefined : this.#deps.jobOf(entry.job as JobStatus['job'])
      yield { step, entry, job, result: await this.#resultOf(step, entry, job) }
      this.#left.shift()
    }
    if (this.#left.length === 0) this.#delivered.resolve()
  }

  async #resultOf(step: PlannedProgramStep, { method, result }: HistoryEntry, job: Job | undefined): Promise<StepResult> {
    switch (result.kind) {
      case 'failed': return { failed: { code: result.code as ErrorCode, message: result.message, details: result.details ?? {} } }
      case 'lines': return { lines: result.lines, ...method === broadcastMethod && { isShipped: true } }
      case 'file': return { lines: [(await this.#deps.shipping.read(result)).toString('base64')], isShipped: true }
      case 'stored': return { lines: await this.#deps.linesOf(job!, step) }
      default: return unreachable(result)
    }
  }
}
