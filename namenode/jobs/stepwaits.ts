// Steps of detached programs that were refused because the cluster is overloaded or their user has too many jobs. The process that drives
// the program sends such a step again until it is taken (client/driving/overload.ts), and the status of the drive tells what it waits for.
// Nothing is stored: after a restart of the namenode the next refusal is noted.
// INVARIANT: there is at most one note for each running drive.

import { hasCode } from '../../src/base/errors.ts'
import type { JobId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { JobSpec } from '../../src/protocol/job.ts'
import { isDetachedStep, isDrive } from '../../src/protocol/task.ts'
import type { RunningJob } from './scheduler/state.ts'

/** A step that is not sent again for this time is given up: 7 of the longest pauses between two tries. */
const shownMs = 15_000
/** As the status of a job bounds it. */
const textMax = 300

interface Refused { readonly step: number; readonly text: string; readonly ms: number }

type Jobs = ReadonlyMap<JobId, Pick<RunningJob, 'id' | 'user' | 'spec'>>

interface StepWaitsDeps {
  /** Running jobs. */
  readonly jobs: Jobs
  readonly clock: Pick<Clock, 'mono'>
}

export class StepWaits {
  readonly #jobs: Jobs
  readonly #clock: Pick<Clock, 'mono'>
  readonly #refused = new Map<JobId, Refused>()

  constructor({ jobs, clock }: StepWaitsDeps) {
    this.#jobs = jobs
    this.#clock = clock
  }

  /** Notes whether a step of a detached program was taken. Returns and throws what `submit` does. */
  async noting<T>({ user, spec }: { readonly user: string; readonly spec: JobSpec }, submit: () => Promise<T>): Promise<T> {
    const { driver } = spec
    if (!driver || !isDetachedStep(spec)) return submit()
    const isOf = (job: { readonly user: string; readonly spec: JobSpec }): boolean =>
      job.user === user && isDrive(job.spec) && job.spec.driver!.id === driver.id
    const drive = [...this.#jobs.values()].find(isOf)?.id
    try {
      const result = await submit()
      if (drive !== undefined && this.#refused.get(drive)?.step === driver.step) this.#refused.delete(drive)
      return result
    } catch (error) {
      if (drive !== undefined && hasCode(error, 'OVERLOADED')) this.#note(drive, driver, error.message)
      throw error
    }
  }

  #note(drive: JobId, { step, method }: { readonly step: number; readonly method: string }, why: string): void {
    for (const job of this.#refused.keys()) if (!this.#jobs.has(job)) this.#refused.delete(job)
    const text = `for a place for its step ${step} (${method}): ${why}`.slice(0, textMax)
    this.#refused.set(drive, { step, text, ms: this.#clock.mono() })
  }

  /** Reason for which a job waits that drives a program. */
  of(job: JobId): string | undefined {
    const found = this.#refused.get(job)
    return found && this.#clock.mono() - found.ms < shownMs ? found.text : undefined
  }
}
