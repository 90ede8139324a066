// Does this process run? It looks at the monotonic clock again and again; where the looks lie far apart, it stood still: stopped by
// a signal, by a debugger, by a host that slept. The others took it for dead meanwhile. What it was about to acknowledge is not
// acknowledged then: whoever waited for it has gone on without.

import type { Clock } from '../../src/ports/clock.ts'

/** Looks during the longest pause that does no harm. */
const looks = 4

export class PauseDetector {
  readonly #clock: Clock
  readonly #harmlessMs: number
  #seenMs: number
  #pausedMs = Number.NEGATIVE_INFINITY
  #cancel: () => void = () => {}

  /** `harmlessMs`: so long a pause has been taken for nothing by anybody. */
  constructor(clock: Clock, harmlessMs: number) {
    this.#clock = clock
    this.#harmlessMs = harmlessMs
    this.#seenMs = clock.mono()
  }

  start(): void {
    this.#cancel = this.#clock.after(this.#harmlessMs / looks, () => {
      this.#look()
      this.start()
    })
  }

  stop(): void { this.#cancel() }

  /** Has it run all the time since then? */
  steadySince(ms: number): boolean {
    this.#look()
    return this.#pausedMs <= ms
  }

  #look(): void {
    const now = this.#clock.mono()
    if (now - this.#seenMs > this.#harmlessMs) this.#pausedMs = now
    this.#seenMs = now
  }
}
