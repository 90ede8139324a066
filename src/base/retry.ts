// Repeats work that may succeed later (`retry`), and polls for a state that nothing announces, such as the end of another process
// (`waitUntil`): until success, a final failure, the end of the tries or the time, or the abort of the signal. A call to a server is
// repeated by src/rpc/call.ts already, which knows whether a request was sent.

import { abortable, abortError } from './abort.ts'
import { hasCode } from './errors.ts'

/** The part of the Clock port used here; the base does not import ports. */
interface Waiting { mono(): number; sleep(ms: number, signal?: AbortSignal): Promise<void> }

export interface RetryOptions {
  readonly clock: Waiting
  /** Milliseconds before the next try, given the number of the failed one, which starts at 1; mostly `backoffMs`. 0: at once. */
  readonly pauseMs: number | ((attempt: number) => number)
  /** True if another try may help. Called with each failure but the last one that `attemptsMax` allows; it may note what has failed. */
  readonly again: (error: unknown, attempt: number) => boolean
  readonly attemptsMax?: number | undefined
  /** Monotonic time after which a failure is final. */
  readonly untilMs?: number | undefined
  /** Aborts the pauses, and makes a failure final; the work must obey it by itself. */
  readonly signal?: AbortSignal | undefined
}

/** The result of the first try that succeeds. Throws the last failure, or the error of the abort. */
export async function retry<T>(
  work: (attempt: number) => Promise<T>,
  { clock, pauseMs, again, attemptsMax = Infinity, untilMs = Infinity, signal }: RetryOptions,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(attempt)
    } catch (error) {
      if (signal?.aborted) {
        const aborted = abortError(signal)
        // The work's own error of the abort may say more: whether its request was sent.
        throw hasCode(error, aborted.code) ? error : aborted
      }
      if (attempt >= attemptsMax || clock.mono() > untilMs || !again(error, attempt)) throw error
    }
    const ms = typeof pauseMs === 'number' ? pauseMs : pauseMs(attempt)
    if (ms > 0) await abortable(clock.sleep(ms, signal), signal)
  }
}

interface PollOptions {
  readonly clock: Waiting
  /** Milliseconds between two looks. */
  readonly pauseMs: number
  /** Monotonic time after which an unsuccessful look is the last one; default: none. */
  readonly untilMs?: number | undefined
  /** Aborts the pauses. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Calls `look` until it returns something else than undefined and false, and returns that; undefined if the time has run out. There is at
 * least one look. Throws errors of `look` and the reason of the abort.
 */
export async function waitUntil<T>(
  look: () => Promise<T | undefined | false> | T | undefined | false, { clock, pauseMs, untilMs = Infinity, signal }: PollOptions,
): Promise<T | undefined> {
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (clock.mono() > untilMs) return undefined
    await clock.sleep(pauseMs, signal)
  }
}
