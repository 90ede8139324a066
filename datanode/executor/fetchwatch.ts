// Watchdog of a shuffle fetch. A node that is partitioned or paused sends nothing, and connections have long timeouts because of busy
// nodes; meanwhile the namenode may have declared the node dead and ordered its map outputs to be recomputed. A fetch that gets no data
// for 2 s therefore asks the namenode whether the listed outputs are still valid, and ends if they are not.

import type { AttemptId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'

/** Time without data from a node after which the namenode is asked, and interval of further questions. */
const askMs = 2_000

interface FetchWatchOptions {
  readonly clock: Clock
  /** The outputs as the namenode lists them now; undefined if it cannot be asked. Throws if some of them are being recomputed. */
  readonly list: () => Promise<readonly AttemptId[] | undefined>
  /** The outputs as they were listed when the fetch began. */
  readonly listed: readonly AttemptId[]
}

export class FetchWatch {
  readonly #options: FetchWatchOptions
  readonly #ending = new AbortController()
  /** Pending requests, and the time of the last data of each. */
  readonly #waiting = new Map<object, number>()

  constructor(options: FetchWatchOptions) { this.#options = options }

  /** Aborts running requests once the listed outputs are no longer valid; also aborts when the watch ends. */
  get signal(): AbortSignal { return this.#ending.signal }

  /** Data of the request `key` has arrived. A request is pending from the first call until `done`. */
  received(key: object): void { this.#waiting.set(key, this.#options.clock.mono()) }
  done(key: object): void { this.#waiting.delete(key) }

  /** Resolves with the work's result. Throws the error of `list`, or `changed()`, after the work was aborted and has ended. */
  async over<T>(work: Promise<T>, changed: () => Error): Promise<T> {
    let reason: unknown
    const watch = this.#watch(changed).catch((error: unknown) => {
      reason = error
      this.#ending.abort(error)
    })
    try {
      const result = await work
      if (reason !== undefined) throw reason
      return result
    } finally {
      this.#ending.abort()
      await watch
    }
  }

  async #watch(changed: () => Error): Promise<void> {
    const { clock, list, listed } = this.#options
    for (;;) {
      try {
        await clock.sleep(askMs, this.signal)
      } catch {
        return
      }
      const now = clock.mono()
      if (![...this.#waiting.values()].some(receivedMs => now - receivedMs >= askMs)) continue
      const found = await list()
      if (found && (found.length !== listed.length || found.some((attempt, i) => attempt !== listed[i]))) throw changed()
    }
  }
}
