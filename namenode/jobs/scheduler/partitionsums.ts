// Bytes of the partitions of a stage, summed over its map outputs. Each task is counted once: one that runs again gives the same rows. The
// sums are complete when each task was counted, also after a restart, because the journal has the sizes of each committed output.

import { assert } from '../../../src/base/assert.ts'
import { decodeSizes } from '../../../src/shuffle/sizes.ts'

export class PartitionSums {
  readonly #sums: number[]
  readonly #counted = new Set<number>()

  constructor(partitions: number) { this.#sums = Array.from({ length: partitions }, () => 0) }

  /** `sizes`: undefined if the datanode does not tell them. */
  add(task: number, sizes: string | undefined): void {
    if (sizes === undefined || this.#counted.has(task)) return
    const bytes = decodeSizes(sizes, this.#sums.length)
    if (!bytes) return
    this.#counted.add(task)
    for (const [partition, each] of bytes.entries()) this.#sums[partition]! += each
  }

  /** Undefined unless all of so many tasks were counted. */
  of(tasks: number): readonly number[] | undefined {
    assert(this.#counted.size <= tasks, 'no more tasks are counted than the stage has')
    return this.#counted.size === tasks ? this.#sums : undefined
  }
}
