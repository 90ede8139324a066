// The statement of a session that runs: it ends when its client cancels it, when its time is over, and when the client has gone.
// REQUIRES: one statement at a time.

import { GristmillError } from '../../../src/base/errors.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Portal } from './portals.ts'
import type { PgSettings } from './settings.ts'

interface RunningDeps {
  readonly clock: Pick<Clock, 'after'>
  readonly settings: Pick<PgSettings, 'timeoutMs'>
  /** Aborted when the client has gone, or the gateway ends. */
  readonly signal: AbortSignal
}

const cancelled = (message: string): GristmillError => new GristmillError('ABORTED', message)

export class RunningStatement {
  readonly #deps: RunningDeps
  #running: AbortController | undefined

  constructor(deps: RunningDeps) { this.#deps = deps }

  /** Ends the statement that runs, by the wish of its client. */
  cancel(): void { this.#running?.abort(cancelled('canceling statement due to user request')) }

  /** Runs what may take long, until it is cancelled, its time is over, or the client has gone. */
  async work<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { clock, signal, settings } = this.#deps
    const running = this.#running = new AbortController()
    const timeoutMs = settings.timeoutMs
    const late = timeoutMs > 0
      ? clock.after(timeoutMs, () => running.abort(cancelled('canceling statement due to statement timeout'))) : (): void => {}
    try {
      const done = await work(AbortSignal.any([signal, running.signal]))
      // A call that has not looked at the signal would leave a statement that was cancelled to run.
      running.signal.throwIfAborted()
      return done
    } catch (error) {
      throw running.signal.aborted ? running.signal.reason : error
    } finally {
      late()
      this.#running = undefined
    }
  }

  /** As `work`; what ends the work ends the query of the portal, too. */
  workOn<T>(portal: Portal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.work(async signal => {
      const end = (): void => portal.ending.abort(signal.reason)
      signal.addEventListener('abort', end, { once: true })
      try {
        return await work(signal)
      } finally {
        signal.removeEventListener('abort', end)
      }
    })
  }
}
