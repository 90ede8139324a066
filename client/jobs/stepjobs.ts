// Jobs of the steps of one program, by the numbers of the steps, although they are submitted in any order; and those of them whose results
// the cluster keeps until the program has ended.

import { Semaphore } from '../../src/base/queue.ts'
import type { JobStatus } from '../../src/protocol/job.ts'
import type { PlannedProgramStep } from '../load/driving.ts'
import type { Job } from './job.ts'

/** Results that are dropped at a time. */
const dropsAtOnce = 8

export class StepJobs {
  /** By the number of the step, from 1 on; a step that could not be submitted has none. */
  readonly #jobs = new Map<number, Job>()
  /** Steps that have ended without a job. */
  readonly #jobless = new Set<number>()
  readonly #results = new Set<JobStatus['job']>()
  #changed = Promise.withResolvers<void>()
  #isOver = false

  /** In the order of their steps. */
  get all(): Job[] { return this.#numbers.map(number => this.#jobs.get(number)!) }

  get #numbers(): number[] { return [...this.#jobs.keys()].sort((a, b) => a - b) }

  of(step: number): Job | undefined { return this.#jobs.get(step) }

  /** True for a job whose result is kept. */
  keeps(job: string): boolean { return this.#results.has(job as JobStatus['job']) }

  /** A second job of a step takes the place of the first one. */
  add({ number, returns }: Pick<PlannedProgramStep, 'number' | 'returns'>, job: Job): void {
    this.#jobs.set(number, job)
    if (returns !== 'nothing') this.#results.add(job.id)
    this.#tell()
  }

  /** The step has ended, and has no job. */
  addNone(number: number): void {
    this.#jobless.add(number)
    this.#tell()
  }

  /** The program has ended: there will be no further jobs. */
  end(): void {
    this.#isOver = true
    this.#tell()
  }

  /** The job after `count` ones, in the order of steps; undefined: the program has ended, and there is none. */
  async at(count: number): Promise<Job | undefined> {
    for (;;) {
      const { promise } = this.#changed
      // Steps before it may still be on their way to the namenode.
      const number = this.#numbers[count]
      if (number !== undefined && (this.#isOver || this.#isSettled(number))) return this.#jobs.get(number)
      if (this.#isOver) return undefined
      await promise
    }
  }

  /** Drops the results. One that cannot be dropped now goes by itself (limits.resultKeepMs). */
  async drop(dropResult: (job: JobStatus['job']) => Promise<void>): Promise<void> {
    const gate = new Semaphore(dropsAtOnce)
    await Promise.allSettled([...this.#results].map(job => gate.run(() => dropResult(job))))
  }

  /** All steps before this one have jobs, or have ended without. */
  #isSettled(number: number): boolean {
    for (let before = 1; before < number; before++) if (!this.#jobs.has(before) && !this.#jobless.has(before)) return false
    return true
  }

  #tell(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}
