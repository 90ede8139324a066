// Loser tree over cursors: finds the cursor with the smallest key, the earliest segment first among equal keys. Advancing costs one
// comparison per level.

import type { Cursor } from './cursor.ts'
import { compareKeys } from './key.ts'

export class LoserTree {
  readonly #cursors: readonly Cursor[]
  /** Inner nodes 1 … n - 1: the cursor that lost there. */
  readonly #losers: Int32Array
  #winner: number

  /** Moves every cursor to its first entry. REQUIRES: at least one cursor; their order decides among equal keys. */
  constructor(cursors: readonly Cursor[]) {
    this.#cursors = cursors
    const count = cursors.length
    for (const cursor of cursors) cursor.next()
    this.#losers = new Int32Array(count)
    const winners = new Int32Array(2 * count)
    for (let i = 0; i < count; i++) winners[count + i] = i
    for (let node = count - 1; node > 0; node--) {
      const a = winners[2 * node]!
      const b = winners[2 * node + 1]!
      const first = this.#less(a, b)
      winners[node] = first ? a : b
      this.#losers[node] = first ? b : a
    }
    this.#winner = count === 1 ? 0 : winners[1]!
  }

  /** The cursor with the smallest key; at its end (prefix Infinity) only if all cursors are. */
  get winner(): Cursor { return this.#cursors[this.#winner]! }

  /** Must be called after the winner has moved to another key or to its end. */
  replay(): void {
    const losers = this.#losers
    let winner = this.#winner
    for (let node = (winner + this.#cursors.length) >> 1; node > 0; node >>= 1) {
      const other = losers[node]!
      if (this.#less(other, winner)) {
        losers[node] = winner
        winner = other
      }
    }
    this.#winner = winner
  }

  #less(i: number, j: number): boolean {
    const a = this.#cursors[i]!
    const b = this.#cursors[j]!
    if (a.prefix !== b.prefix) return a.prefix < b.prefix
    if (a.prefix === Infinity) return i < j
    const difference = compareKeys(a.bytes, a.keyStart, a.keyEnd, b.bytes, b.keyStart, b.keyEnd)
    return difference === 0 ? i < j : difference < 0
  }
}
