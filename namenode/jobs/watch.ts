// Those who wait for a job to change. Many small changes (a task started, another) wake them together, a moment after
// the first; what matters at once (a stage or the job ended) wakes them at once.

import type { JobId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import type { Clock } from '../../src/ports/clock.ts'

/** Changes within this time are one piece of news: ten a second are plenty for a progress bar. */
const gatherMs = 100

interface Watched { readonly wake: Set<() => void>; cancel: (() => void) | undefined }

export class Watchers {
  readonly #clock: Clock
  readonly #jobs = new Map<JobId, Watched>()

  constructor(clock: Clock) { this.#clock = clock }

  /** Settles when the job has changed, when limits.longPollMs have passed, or when the signal aborts. Never rejects. */
  wait(job: JobId, signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      let watched = this.#jobs.get(job)
      if (!watched) this.#jobs.set(job, watched = { wake: new Set(), cancel: undefined })
      const { wake } = watched
      const finish = (): void => {
        wake.delete(finish)
        cancel()
        signal.removeEventListener('abort', finish)
        resolve()
      }
      const cancel = this.#clock.after(limits.longPollMs, finish)
      signal.addEventListener('abort', finish, { once: true })
      wake.add(finish)
      if (signal.aborted) finish()
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

  #wake(job: JobId, watched: Watched): void {
    watched.cancel?.()
    this.#jobs.delete(job)
    for (const wake of [...watched.wake]) wake()
  }
}
