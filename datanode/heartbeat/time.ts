// What time it is for the namenode, which issues tokens and says until when they are good. Its answers carry its time; in between the
// monotonic clock goes on from the last one. So a wall clock that is wrong, or is set, locks nobody out of this node.

import type { Clock } from '../../src/ports/clock.ts'

/** An answer that took longer says too little of now; unless there is no other. */
const roundMsMax = 10_000

export class ClusterTime {
  readonly #clock: Clock
  #originMs: number
  #heard = false

  constructor(clock: Clock) {
    this.#clock = clock
    this.#originMs = clock.now() - clock.mono()
  }

  /** Never jumps but when the namenode's does, as when it begins a new life. This machine's own time as long as nothing was heard. */
  now(): number { return this.#originMs + this.#clock.mono() }

  /** So it was for the namenode at some moment since `askedMs` of the monotonic clock. One that does not say changes nothing. */
  heard(nowMs: number | undefined, askedMs: number): void {
    const mono = this.#clock.mono()
    if (nowMs === undefined || (this.#heard && mono - askedMs > roundMsMax)) return
    this.#originMs = nowMs - mono
    this.#heard = true
  }
}
