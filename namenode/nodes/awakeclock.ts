// Monotonic time without the time in which this process stood still (its disk, a long computation, a machine that gives it no time):
// what others sent meanwhile lies unread, so that none of it is their silence. Whatever the namenode concludes from not having heard
// is measured with this clock.
// REQUIRES: a chore reads it several times within the bound, so that a longer gap between two readings is a standstill.

import { limits } from '../../src/base/limits.ts'
import type { Clock } from '../../src/ports/clock.ts'

/** Shorter gaps are those of a busy machine. */
const gapMs = 1_000

export class AwakeClock {
  readonly #clock: Pick<Clock, 'mono'>
  /**
   * A gap that is longer is a standstill: half of the time after which a node is silent, and less than a writer may be late with its
   * renewal.
   */
  readonly #boundMs: number
  #readMs: number
  #stoodMs = 0

  constructor(clock: Pick<Clock, 'mono'>, { nodeStaleMs }: { readonly nodeStaleMs: number }) {
    this.#clock = clock
    this.#boundMs = Math.max(gapMs, Math.min(nodeStaleMs / 2, limits.leaseRenewMs))
    this.#readMs = clock.mono()
  }

  mono(): number {
    const now = this.#clock.mono()
    const sinceMs = now - this.#readMs
    this.#readMs = now
    if (sinceMs > this.#boundMs) this.#stoodMs += sinceMs
    return now - this.#stoodMs
  }

  /** How long this process has stood still so far, all in all. */
  get stoodMs(): number {
    this.mono()
    return this.#stoodMs
  }
}
