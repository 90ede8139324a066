// Sums of the counters of committed attempts, by name. They depend on the set of committed attempts, never on their order: the
// sums of a run with faults, or resumed after a restart, equal those of a run without, bit for bit.
// INVARIANT: a name is present while an included attempt has it, even with value zero.

import { ExactSum } from '../../../src/base/exactsum.ts'
import type { Counters } from '../../../src/protocol/fields.ts'

export class CounterSums {
  /** Rounded sums. */
  readonly values: Record<string, number> = {}
  readonly #sums = new Map<string, { readonly sum: ExactSum; attempts: number }>()

  /** Includes an attempt. */
  add(counters: Counters): void {
    for (const [name, value] of Object.entries(counters)) {
      let known = this.#sums.get(name)
      if (!known) this.#sums.set(name, known = { sum: new ExactSum(), attempts: 0 })
      known.sum.add(value)
      known.attempts++
      this.values[name] = known.sum.value
    }
  }

  /** Removes an included attempt. */
  takeBack(counters: Counters): void {
    for (const [name, value] of Object.entries(counters)) {
      const known = this.#sums.get(name)!
      known.sum.subtract(value)
      if (--known.attempts > 0) {
        this.values[name] = known.sum.value
        continue
      }
      this.#sums.delete(name)
      delete this.values[name]
    }
  }

  /** Sums over several of these. */
  static total(all: readonly CounterSums[]): Record<string, number> {
    const sums = new Map<string, ExactSum>()
    for (const each of all) {
      for (const [name, { sum }] of each.#sums) {
        let total = sums.get(name)
        if (!total) sums.set(name, total = new ExactSum())
        total.addAll(sum)
      }
    }
    return Object.fromEntries([...sums].map(([name, sum]) => [name, sum.value]))
  }
}
