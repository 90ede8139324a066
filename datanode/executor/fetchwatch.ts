// Keeps an eye on a reduce task that fetches map outputs. A node that is cut off or frozen says nothing, and its connections keep their
// patience for busy nodes; meanwhile the namenode may have learnt that it is gone, and have its outputs made again. So whoever is kept
// waiting asks the namenode whether what it waits for is still to come.

import type { AttemptId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'

/** Nothing from a node for so long, and it is asked after; then as often. */
const askMs = 2_000

export interface FetchWatchOptions {
  readonly clock: Clock
  /** The outputs as the namenode lists them now; undefined if it cannot tell. Throws if some of them are being made again. */
  readonly list: () => Promise<readonly AttemptId[] | undefined>
  /** As they were listed at first. */
  readonly listed: readonly AttemptId[]
}

export class FetchWatch {
  readonly #options: FetchWatchOptions
  readonly #ending = new AbortController()
  /** What is waited for, and when it was last heard of. */
  readonly #waiting = new Map<object, number>()

  constructor(options: FetchWatchOptions) { this.#options = options }

  /** Aborts what is under way once there is no point in it, or the vigil is over. */
  get signal(): AbortSignal { return this.#ending.signal }

  /** Something of what `key` stands for has come; from the first call to `done` it is waited for. */
  heard(key: object): void { this.#waiting.set(key, this.#options.clock.mono()) }
  done(key: object): void { this.#waiting.delete(key) }

  /** Resolves with the work's result. Throws what `list` throws, or `changed`, after the work has been told to end and has ended. */
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
      if (![...this.#waiting.values()].some(heardMs => now - heardMs >= askMs)) continue
      const found = await list()
      if (found && (found.length !== listed.length || found.some((attempt, i) => attempt !== listed[i]))) throw changed()
    }
  }
}
