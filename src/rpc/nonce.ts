// Used nonces, so that a recorded request cannot be replayed. Two generations of `keptMs` each: a nonce is remembered for at least
// that long and at most twice as long. Bounded: a full generation refuses requests rather than forgetting nonces.

import { GristmillError } from '../base/errors.ts'
import type { Clock } from '../ports/clock.ts'

/** 4 million in two minutes are over 30,000 signed requests per second, and about 160 MB: more than one namenode serves. */
const countMaxDefault = 4_000_000

export class Nonces {
  readonly #clock: Clock
  readonly #keptMs: number
  readonly #countMax: number
  // 52 bits of each nonce: as numbers they take a fifth of the memory of strings, and two collide once in about 10^9 requests,
  // which costs that caller one refusal.
  #young = new Set<number>()
  #old = new Set<number>()
  #bornMs: number

  constructor({ clock, keptMs, countMax = countMaxDefault }: { clock: Clock; keptMs: number; countMax?: number }) {
    this.#clock = clock
    this.#keptMs = keptMs
    this.#countMax = countMax
    this.#bornMs = clock.mono()
  }

  /** False if the nonce was used before. */
  add(nonce: string): boolean {
    const now = this.#clock.mono()
    const age = now - this.#bornMs
    if (age >= this.#keptMs) {
      this.#old = age >= 2 * this.#keptMs ? new Set() : this.#young
      this.#young = new Set()
      this.#bornMs = now
    }
    const short = Number.parseInt(nonce.slice(0, 13), 16)
    if (this.#young.has(short) || this.#old.has(short)) return false
    if (this.#young.size >= this.#countMax) {
      throw new GristmillError(
        'OVERLOADED',
        `over ${this.#countMax} signed requests came within ${this.#keptMs / 1000} s; try again in a moment`,
      )
    }
    this.#young.add(short)
    return true
  }
}
