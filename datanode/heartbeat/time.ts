// Estimate of the namenode's clock, which sets the expiry of tokens. Replies of the namenode carry its time; between two replies the
// local monotonic clock counts on. So a wrong or changed wall clock of this machine makes no token invalid.

import type { Clock } from '../../src/ports/clock.ts'

/** A reply that took longer is too imprecise and is ignored, unless it is the first one. */
const roundMsMax = 10_000

export class ClusterTime {
  readonly #clock: Clock
  #originMs: number
  #synced = false

  constructor(clock: Clock) {
    this.#clock = clock
    this.#originMs = clock.now() - clock.mono()
  }

  /** Jumps only when the namenode's clock does, for example after its restart. Before the first reply: this machine's time. */
  now(): number { return this.#originMs + this.#clock.mono() }

  /** Takes the namenode's time from a reply to a call sent at `askedMs` of the monotonic clock. undefined changes nothing. */
  sample(nowMs: number | undefined, askedMs: number): void {
    const mono = this.#clock.mono()
    if (nowMs === undefined || (this.#synced && mono - askedMs > roundMsMax)) return
    this.#originMs = nowMs - mono
    this.#synced = true
  }
}
