// Callers that wait for a job to change. Small changes (a task started) wake them together, 100 ms after the first one; urgent
// ones (a stage or the job ended) at once. A caller that comes behind a change waits as if the change came with it: else one that asks
// again with each answer would be answered for each of a job's small tasks.

import type { JobId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import type { Clock } from '../../src/ports/clock.ts'

/** Changes within this time are reported together: ten updates per second suffice for a progress bar. */
const gatherMs = 100

interface Watched { readonly wake: Set<() => void>; cancel: (() => void) | undefined }

export class Watchers {
  readonly #clock: Clock
  readonly #jobs = new Map<JobId, Watched>()

  constructor(clock: Clock) { this.#clock = clock }

  /**
   * Settles when the job has changed, after limits.longPollMs, or when the signal aborts. Never rejects. `isBehind`: the job has changed
   * since the caller was answered last.
   */
  wait(job: JobId, signal: AbortSignal, isBehind = false): Promise<void> {
    return new Promise(resolve => {
      let watched = this.#jobs.get(job)
      if (!watched) this.#jobs.set(job, watched = { wake: new Set(), cancel: undefined })
      const { wake } = watched
      const finish = (): void => {
        wake.delete(finish)
        if (wake.size === 0) this.#forget(job, watched)
        cancel()
        signal.removeEventListener('abort', finish)
        resolve()
      }
      const cancel = this.#clock.after(limits.longPollMs, finish)
      signal.addEventListener('abort', finish, { once: true })
      wake.add(finish)
      if (signal.aborted) finish()
      else if (isBehind) this.changed(job, false)
    })
  }

  changed(job: JobId, urgent: boolean): void {
    const watched = this.#jobs.get(job)
    if (!watched) return
    if (urgent) return this.#wake(job, watched)
    watched.cancel ??= this.#clock.after(gatherMs, () => this.#wake(job, watched))
  }

  stop(): void {
    for (const [job, watched] of this.#jobs) this.#wake(job, watched)
  }

  /** Jobs with a waiting caller. */
  get watched(): number { return this.#jobs.size }

  #forget(job: JobId, watched: Watched): void {
    watched.cancel?.()
    if (this.#jobs.get(job) === watched) this.#jobs.delete(job)
  }

  #wake(job: JobId, watched: Watched): void {
    this.#forget(job, watched)
    for (const wake of [...watched.wake]) wake()
  }
}
