// Detects that this process was paused (SIGSTOP, debugger, suspended host): reads the monotonic clock periodically and looks for gaps.
// A write that spans a pause is not acknowledged: the namenode may have declared the node dead, and the writer may have gone on without
// it.

import type { Clock } from '../../src/ports/clock.ts'

/** Clock reads during the longest harmless pause. */
const looks = 4

export class PauseDetector {
  readonly #clock: Clock
  readonly #harmlessMs: number
  #seenMs: number
  #pausedMs = Number.NEGATIVE_INFINITY
  #cancel: () => void = () => {}

  /** `harmlessMs`: longest pause during which no other process declares this node dead. */
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

  /** True if the process was not paused since `ms` of the monotonic clock. */
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
