// Blocks that wait to be copied, by how much they hurry (health.ts). A block is in one level at most; those of a level
// take turns. Each level is bounded: what does not fit is passed over, and found again by a walk over all blocks.

import type { BlockId } from '../../src/base/ids.ts'
import { levels, type Level } from './health.ts'

export class Queues {
  readonly #levels: readonly Set<BlockId>[] = Array.from({ length: levels }, () => new Set<BlockId>())
  readonly #max: number

  constructor(max: number) { this.#max = max }

  get size(): number { return this.#levels.reduce((sum, level) => sum + level.size, 0) }
  /** Blocks in each level. */
  get sizes(): number[] { return this.#levels.map(level => level.size) }

  /** False: there is no room for it. */
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

  /** Offers at most `count` blocks of a level, the longest waiting first. Those that `take` does not want go behind the others. */
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
