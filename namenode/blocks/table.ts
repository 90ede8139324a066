// Hash table of all blocks in typed arrays: id, target, up to three replicas; further ones in a map. Open addressing with
// linear probing; 16 bytes per slot, at most two thirds full: about 30 bytes per block. A replica is stored as a report id of
// its datanode (nodes/reportids.ts), 16 bits.
// INVARIANT: a block has each report id once; a slot number is valid until the next `add` or `remove` of any block.

import { noReportId } from '../nodes/reportids.ts'
import { assert, assertKept } from '../../src/base/assert.ts'
import { blockId, type BlockId } from '../../src/base/ids.ts'

const inline = 3
const fillMax = 0.66

export class BlockTable {
  #capacity = 1024
  #ids = new Float64Array(this.#capacity)
  #targets = new Uint8Array(this.#capacity)
  /** Mark of the owner: the block's health. */
  #marks = new Uint8Array(this.#capacity)
  #reportIds = new Uint16Array(this.#capacity * inline).fill(noReportId)
  readonly #more = new Map<number, number[]>()
  #size = 0
  #generation = 0

  get size(): number { return this.#size }
  /** Slots to walk, from the highest down. If `generation` changes during a walk, blocks may have been skipped: walk again. */
  get capacity(): number { return this.#capacity }
  get generation(): number { return this.#generation }

  #start(id: number): number {
    // Ids are consecutive: multiplying spreads runs of them, so that removing a run leaves no clusters.
    return Math.imul(id % 0x1_0000_0000, 0x9e37_79b1) >>> 7 & this.#capacity - 1
  }

  /** -1 if the block is absent. */
  slot(id: BlockId): number {
    for (let at = this.#start(id); ; at = at + 1 & this.#capacity - 1) {
      const there = this.#ids[at]
      if (there === id) return at
      if (there === 0) return -1
    }
  }

  /** The block in a slot; undefined if the slot is empty. */
  at(slot: number): BlockId | undefined {
    const id = this.#ids[slot]!
    return id === 0 ? undefined : blockId(id)
  }

  /** The block's slot; a new block gets target 0 and no replicas. */
  add(id: BlockId): number {
    assert(id > 0, 'block ids start at 1')
    const known = this.slot(id)
    if (known >= 0) return known
    if (this.#size >= this.#capacity * fillMax) this.#grow()
    let at = this.#start(id)
    while (this.#ids[at] !== 0) at = at + 1 & this.#capacity - 1
    this.#ids[at] = id
    this.#size++
    return at
  }

  remove(id: BlockId): void {
    let hole = this.slot(id)
    if (hole < 0) return
    this.#size--
    this.#more.delete(id)
    // Entries that would become unreachable over the hole move into it.
    const mask = this.#capacity - 1
    for (let at = hole + 1 & mask; this.#ids[at] !== 0; at = at + 1 & mask) {
      const start = this.#start(this.#ids[at]!)
      if ((at - start & mask) >= (at - hole & mask)) {
        // A downward walk meets downward moves again, but not the rare moves over the end of the array.
        if (hole > at) this.#generation++
        this.#copy(at, hole)
        hole = at
      }
    }
    this.#clear(hole)
  }

  target(slot: number): number { return this.#targets[slot]! }
  setTarget(slot: number, target: number): void { this.#targets[slot] = target }
  mark(slot: number): number { return this.#marks[slot]! }
  setMark(slot: number, mark: number): void { this.#marks[slot] = mark }

  /** Report ids of the nodes that hold the block. */
  reportIds(slot: number): number[] {
    const found: number[] = []
    for (let i = slot * inline; i < (slot + 1) * inline; i++) if (this.#reportIds[i] !== noReportId) found.push(this.#reportIds[i]!)
    const more = this.#more.size > 0 ? this.#more.get(this.#ids[slot]!) : undefined
    return more ? [...found, ...more] : found
  }

  /** Adds a report id and removes those in `instead` (earlier ids of the same node). Returns true if the table changed. */
  addReportId(slot: number, reportId: number, instead: readonly number[] = []): boolean {
    const id = this.#ids[slot]!
    const more = this.#more.size > 0 ? this.#more.get(id) : undefined
    const end = (slot + 1) * inline
    for (let i = slot * inline; i < end; i++) if (this.#reportIds[i] === reportId) return false
    if (more?.includes(reportId)) return false
    for (const old of instead) this.removeReportId(slot, old)
    for (let i = slot * inline; i < end; i++) {
      if (this.#reportIds[i] !== noReportId) continue
      this.#reportIds[i] = reportId
      return true
    }
    const others = this.#more.get(id)
    if (others) others.push(reportId)
    else this.#more.set(id, [reportId])
    return true
  }

  /** Returns true if the report id was present. */
  removeReportId(slot: number, reportId: number): boolean {
    const id = this.#ids[slot]!
    const more = this.#more.size > 0 ? this.#more.get(id) : undefined
    const take = (): number => {
      const last = more?.pop() ?? noReportId
      if (more?.length === 0) this.#more.delete(id)
      return last
    }
    for (let i = slot * inline; i < (slot + 1) * inline; i++) {
      if (this.#reportIds[i] !== reportId) continue
      this.#reportIds[i] = take()
      return true
    }
    const at = more?.indexOf(reportId) ?? -1
    if (!more || at < 0) return false
    more.splice(at, 1)
    if (more.length === 0) this.#more.delete(id)
    return true
  }

  /**
   * Throws AssertionFailed if a block is not found, or a count or place of report ids is wrong. Passes each block to `look`. For tests and
   * simulations.
   */
  checkState(look?: (slot: number, reportIds: readonly number[]) => void): void {
    let size = 0
    for (let slot = 0; slot < this.#capacity; slot++) {
      const id = this.#ids[slot]!
      if (id === 0) continue
      size++
      assertKept('slot', this.slot(id as BlockId), slot, id)
      const reportIds = this.reportIds(slot)
      for (const [i, reportId] of reportIds.entries()) assertKept('place of a report id', i, reportIds.indexOf(reportId), id)
      look?.(slot, reportIds)
    }
    assertKept('size of the block table', this.#size, size)
    for (const [id, more] of this.#more) {
      // Further report ids move up when one of the first is removed.
      const slot = this.slot(blockId(id))
      assert(slot >= 0 && more.length > 0, `${more.length} further report ids are kept of block ${id}, which is in slot ${slot}`)
      assertKept('report ids beside the further ones', this.reportIds(slot).length - more.length, inline, id)
    }
  }

  #copy(from: number, to: number): void {
    this.#ids[to] = this.#ids[from]!
    this.#targets[to] = this.#targets[from]!
    this.#marks[to] = this.#marks[from]!
    this.#reportIds.copyWithin(to * inline, from * inline, (from + 1) * inline)
  }

  #clear(slot: number): void {
    this.#ids[slot] = 0
    this.#targets[slot] = 0
    this.#marks[slot] = 0
    this.#reportIds.fill(noReportId, slot * inline, (slot + 1) * inline)
  }

  #grow(): void {
    const ids = this.#ids
    const targets = this.#targets
    const marks = this.#marks
    const reportIds = this.#reportIds
    this.#capacity *= 2
    this.#ids = new Float64Array(this.#capacity)
    this.#targets = new Uint8Array(this.#capacity)
    this.#marks = new Uint8Array(this.#capacity)
    this.#reportIds = new Uint16Array(this.#capacity * inline).fill(noReportId)
    this.#generation++
    for (let from = 0; from < ids.length; from++) {
      if (ids[from] === 0) continue
      let at = this.#start(ids[from]!)
      while (this.#ids[at] !== 0) at = at + 1 & this.#capacity - 1
      this.#ids[at] = ids[from]!
      this.#targets[at] = targets[from]!
      this.#marks[at] = marks[from]!
      this.#reportIds.set(reportIds.subarray(from * inline, (from + 1) * inline), at * inline)
    }
  }
}
