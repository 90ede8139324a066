// Clock of the operating system. `mono` is the runtime's monotonic clock, which an administrator cannot set back. Timers never keep
// a process alive, except an awaited sleep.

import { performance } from 'node:perf_hooks'
import { setTimeout as wait } from 'node:timers/promises'
import type { Clock } from '../ports/clock.ts'

/** Node turns longer timers into 1 ms. A longer wait (over 24 days) ends early, and its caller checks again. */
const timerMsMax = 2 ** 31 - 1

const bounded = (ms: number): number => Math.min(Math.max(0, Math.ceil(ms)), timerMsMax)

export const systemClock: Clock = Object.freeze({
  now: () => Date.now(),
  mono: () => performance.now(),

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    try {
      await wait(bounded(ms), undefined, signal ? { signal } : {})
    } catch (error) {
      // Node wraps the reason into its own AbortError; callers expect the reason itself.
      throw signal?.aborted ? signal.reason : error
    }
  },

  after(ms: number, work: () => void): () => void {
    const timer = setTimeout(work, bounded(ms))
    timer.unref()
    return () => clearTimeout(timer)
  },

  deadline(ms: number, signal?: AbortSignal): AbortSignal {
    const timeout = AbortSignal.timeout(bounded(ms))
    return signal ? AbortSignal.any([signal, timeout]) : timeout
  },

  yield: () => new Promise<void>(resolve => { setImmediate(resolve) }),
})
