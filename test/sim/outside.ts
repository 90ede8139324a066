// Simulated network between exporters and a service outside of the cluster: every call waits until it is chosen, by the seed, among all
// that wait, and has a fate: it arrives, is lost, loses its reply, or is given up and arrives later. An exporter may be killed at any
// call, with what it has sent still on its way; the next one begins at any time, also while one that is only slow goes on.

import { GristmillError } from '../../src/base/errors.ts'
import type { Random } from '../../src/ports/random.ts'

/** Shares of fates. A call that is late has failed for its exporter, and has its effect later, or never. */
interface Fates { readonly lostRequest: number; readonly lostReply: number; readonly late: number; readonly killed: number }

export const noFaults: Fates = { lostRequest: 0, lostReply: 0, late: 0, killed: 0 }

interface Waiting { readonly by: Exporter; readonly pass: () => void }

/** One process that exports. Nothing that it waits for comes once it is killed. */
export class Exporter {
  isKilled = false
}

const away = (): GristmillError => new GristmillError('UNAVAILABLE', 'the connection is gone')

export class OutsideNetwork {
  readonly #random: Random
  #waiting: Waiting[] = []
  fates: Fates
  nowMs = 0
  kills = 0

  constructor(random: Random, fates: Fates) {
    this.#random = random
    this.fates = fates
  }

  /** `effect` is that of the call at the service. */
  call<T>(by: Exporter, effect: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ by, pass: () => {
        const { killed } = this.fates
        let draw = this.#random.float()
        const is = (share: number): boolean => (draw -= share) < 0
        if (!by.isKilled && is(killed)) {
          by.isKilled = true
          this.kills++
          // What is on its way arrives, or does not.
          if (this.#random.float() < 0.5) this.#late(by, effect)
          return
        }
        if (by.isKilled) return attempt(effect)
        if (is(this.fates.lostRequest)) return reject(away())
        if (is(this.fates.lostReply)) {
          attempt(effect)
          return reject(away())
        }
        if (is(this.fates.late)) {
          this.#late(by, effect)
          return reject(away())
        }
        try {
          resolve(effect())
        } catch (error) {
          reject(error as Error)
        }
      } })
    })
  }

  clockOf(by: Exporter) {
    return {
      now: (): number => this.nowMs, mono: (): number => this.nowMs,
      sleep: (ms: number): Promise<void> => new Promise(resolve => {
        this.#waiting.push({ by, pass: () => {
          this.nowMs += ms
          if (!by.isKilled) resolve()
        } })
      }),
      after: () => () => {},
    }
  }

  /** Lets one that waits go on. False: none waits. */
  step(): boolean {
    if (this.#waiting.length === 0) return false
    const [chosen] = this.#waiting.splice(this.#random.below(this.#waiting.length), 1)
    chosen!.pass()
    return true
  }

  #late(by: Exporter, effect: () => unknown): void { this.#waiting.push({ by, pass: () => attempt(effect) }) }
}

/** The effect of a call whose exporter does not hear of it. */
function attempt(effect: () => unknown): void {
  try {
    effect()
  } catch {}
}
