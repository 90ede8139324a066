// Two walks over all blocks, in small steps between other work. The census reads the blocks of all files from the store after
// a start, so that blocks that no datanode reports are known to be missing. The review walks the block table when a node's
// replicas became void, or when the repair may have skipped blocks.

import type { Clock } from '../../src/ports/clock.ts'
import type { View } from '../journal/view.ts'
import type { InodeId } from '../../src/base/ids.ts'
import { knownBlocks, targetOf } from '../namespace/file.ts'
import type { ReportIds } from '../nodes/reportids.ts'
import type { BlockMap } from './map.ts'

/** Rows of the store, and slots of the table, between two turns of the event loop: one or two milliseconds. */
const rowsMax = 1_000
const slotsMax = 20_000

export async function census({ view, map, clock }: { view: View; map: BlockMap; clock: Clock }, stopped: () => boolean): Promise<void> {
  let from = 0
  let inode: InodeId | undefined
  let target = 0
  for (let count = rowsMax; count === rowsMax && !stopped();) {
    count = 0
    for (const block of knownBlocks(view, from, rowsMax)) {
      count++
      from = block.id + 1
      // Consecutive blocks mostly belong to one file.
      if (block.inode !== inode) {
        inode = block.inode
        target = targetOf(view, block.inode) ?? 0
      }
      if (target > 0) map.know(block.id, target)
    }
    await clock.yield()
  }
}

export class Review {
  readonly #map: BlockMap
  readonly #reportIds: ReportIds
  readonly #clock: Clock
  #wanted = false
  #running: Promise<void> | undefined
  #stopped = false

  constructor({ map, reportIds, clock }: { map: BlockMap; reportIds: ReportIds; clock: Clock }) {
    this.#map = map
    this.#reportIds = reportIds
    this.#clock = clock
    reportIds.listen(() => this.want())
  }

  /** Requests one full walk that begins after this call. */
  want(): void {
    this.#wanted = true
    if (!this.#stopped) this.#running ??= this.#run()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  async #run(): Promise<void> {
    await this.#clock.yield()
    while (this.#wanted && !this.#stopped) {
      this.#wanted = false
      await this.#walk()
    }
    this.#running = undefined
  }

  async #walk(): Promise<void> {
    const { table } = this.#map
    const retired = new Set(this.#reportIds.retired)
    const { generation } = table
    // Downwards: a removal moves blocks to lower slots, which are still ahead.
    for (let slot = table.capacity - 1; slot >= 0 && !this.#stopped;) {
      for (const end = Math.max(-1, slot - slotsMax); slot > end; slot--) this.#map.review(slot, retired)
      await this.#clock.yield()
      if (table.generation !== generation) {
        this.#wanted = true
        return
      }
    }
    if (!this.#stopped) this.#reportIds.wiped(retired)
  }
}
