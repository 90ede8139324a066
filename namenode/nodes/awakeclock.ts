// Monotonic time without pauses of this process (slow disk, long computation, starved host). Messages that arrive during a
// pause stay unread, so a pause must not count as silence of datanodes or writers. The namenode measures every timeout of a
// remote party with this clock.
// REQUIRES: a chore reads it several times within the bound, so that a longer gap between two readings is a pause.

import { limits } from '../../src/base/limits.ts'
import type { Clock } from '../../src/ports/clock.ts'

/** Shorter gaps occur on a busy machine. */
const gapMs = 1_000

export class AwakeClock {
  readonly #clock: Pick<Clock, 'mono'>
  /** Longer gaps are pauses: half of the time after which a node is stale, and less than a writer's renewal may be late. */
  readonly #boundMs: number
  #readMs: number
  #stoodMs = 0
  #awakeMs: number

  constructor(clock: Pick<Clock, 'mono'>, { nodeStaleMs }: { readonly nodeStaleMs: number }) {
    this.#clock = clock
    this.#boundMs = Math.max(gapMs, Math.min(nodeStaleMs / 2, limits.leaseRenewMs))
    this.#readMs = this.#awakeMs = clock.mono()
  }

  mono(): number {
    const now = this.#clock.mono()
    const sinceMs = now - this.#readMs
    this.#readMs = now
    if (sinceMs > this.#boundMs) this.#stoodMs += sinceMs
    // A sum of pauses is rounded: without the maximum, time would go back by some 1e-13 ms after a pause.
    return this.#awakeMs = Math.max(this.#awakeMs, now - this.#stoodMs)
  }

  /** Sum of all pauses so far. */
  get stoodMs(): number {
    this.mono()
    return this.#stoodMs
  }
}
