// Backoff of a datanode whose executor processes end before they take a task: a broken installation, a full disk, a limit of the system.
// Each failed start is logged, and the next one waits: a node that cannot start executors must not start one after the other.
// INVARIANT: the first start, and each start after a successful one, waits for nothing.

import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'

export interface StartFailure {
  /** In a few words, for the job that waits. */
  readonly reason: string
  /** Last output of the process, for the log. */
  readonly output: string
}

const firstPauseMs = 500
/** A task waits at most this long: 50 losses (limits.lossesMax) take about four minutes, and then its job fails with the reason. */
const pauseMaxMs = 5000

export class StartBackoff {
  readonly #clock: Clock
  readonly #log: Log
  #failures = 0
  #untilMs = 0

  constructor({ clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#clock = clock
    this.#log = log
  }

  /** Milliseconds before the next start. */
  get pauseMs(): number { return this.#failures === 0 ? 0 : Math.max(0, this.#untilMs - this.#clock.mono()) }

  succeeded(): void {
    if (this.#failures > 0) this.#log.info('executors can be started again', { failures: this.#failures })
    this.#failures = 0
  }

  failed({ reason, output }: StartFailure): void {
    const pauseMs = Math.min(pauseMaxMs, firstPauseMs * 2 ** this.#failures++)
    this.#untilMs = this.#clock.mono() + pauseMs
    this.#log.error('an executor could not be started; tasks of this node wait, and run on other nodes', {
      reason, output, failures: this.#failures, pauseMs,
    })
  }
}
