// Queues of blocks that wait for a copy, by priority level (health.ts). A block is in at most one level; each level is FIFO.
// Each level is bounded: blocks above the bound are skipped, and found again by a review.

import { assert, assertKept } from '../../src/base/assert.ts'
import type { BlockId } from '../../src/base/ids.ts'
import { levels, type Level } from './health.ts'

export class Queues {
  readonly #levels: readonly Set<BlockId>[] = Array.from({ length: levels }, () => new Set<BlockId>())
  readonly #max: number

  constructor(max: number) { this.#max = max }

  get size(): number { return this.#levels.reduce((sum, level) => sum + level.size, 0) }
  /** Number of blocks in each level. */
  get sizes(): number[] { return this.#levels.map(level => level.size) }

  /** Returns false if the level is full. */
  put(id: BlockId, level: Level): boolean {
    const queue = this.#levels[level]!
    if (queue.has(id)) return true
    this.remove(id)
    if (queue.size >= this.#max) return false
    queue.add(id)
    return true
  }

  remove(id: BlockId): void {
    for (const queue of this.#levels) if (queue.delete(id)) return
  }

  has(id: BlockId, level: Level): boolean { return this.#levels[level]!.has(id) }

  /** Throws AssertionFailed if a block is in two levels, or `fits` is false for its level. For tests and simulations. */
  checkState(fits: (id: BlockId, level: Level) => boolean): void {
    const all = new Set<BlockId>()
    for (const [level, queue] of this.#levels.entries()) {
      assert(queue.size <= this.#max, `${queue.size} blocks wait in level ${level}, at most ${this.#max} may`)
      for (const id of queue) {
        all.add(id)
        assert(fits(id, level as Level), `block ${id} waits in level ${level}, in which it has no reason to be`)
      }
    }
    assertKept('waiting blocks', this.size, all.size)
  }

  /** Offers at most `count` blocks of a level, oldest first. Blocks that `take` declines go to the end. */
  offer(level: Level, count: number, take: (id: BlockId) => boolean): void {
    const queue = this.#levels[level]!
    let left = Math.min(count, queue.size)
    for (const id of queue) {
      if (left-- === 0) return
      queue.delete(id)
      if (!take(id)) queue.add(id)
    }
  }
}
