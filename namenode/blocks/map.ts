// Where the replicas of every block are, as far as datanodes have said: soft state, rebuilt from their reports.
// A block is `open` while its file is being written (it has no target then), and becomes known when the file completes
// or when the census finds it in the store. Whoever is to act on it is told when it has too few or too many replicas.

import type { BlockId } from '../../src/base/ids.ts'
import type { DataNode } from '../nodes/node.ts'
import type { Terms } from '../nodes/terms.ts'
import { BlockTable } from './table.ts'

/** How a block stands; the table's mark. */
export const standing = { open: 0, missing: 1, under: 2, full: 3, over: 4 } as const
export type Standing = (typeof standing)[keyof typeof standing]

export class BlockMap {
  readonly table = new BlockTable()
  readonly #terms: Terms
  /** Blocks by their standing. */
  readonly counts: number[] = [0, 0, 0, 0, 0]
  /** A block has too few replicas (and at least one), or too many. May be told more than once. */
  onUnder: (id: BlockId, live: number) => void = () => {}
  onOver: (id: BlockId) => void = () => {}

  constructor(terms: Terms) { this.#terms = terms }

  /** Blocks of files that have at least one replica. */
  get present(): number { return this.counts[standing.under]! + this.counts[standing.full]! + this.counts[standing.over]! }
  /** Blocks of files that have been heard of, by a report or by the census. */
  get known(): number { return this.present + this.counts[standing.missing]! }

  has(id: BlockId): boolean { return this.table.slot(id) >= 0 }

  /** A block of a file, with so many replicas wanted. */
  know(id: BlockId, target: number): void {
    const slot = this.#slot(id)
    if (this.table.target(slot) === target) return
    this.table.setTarget(slot, target)
    this.#judge(id, slot)
  }

  /** `node` holds the block. */
  add(id: BlockId, node: DataNode): void {
    const slot = this.#slot(id)
    if (this.table.addTerm(slot, node.term, node.earlier)) this.#judge(id, slot)
  }

  /** `node` does not hold it any more. True if it was thought to. */
  drop(id: BlockId, node: DataNode): boolean {
    const slot = this.table.slot(id)
    if (slot < 0) return false
    let was = this.table.removeTerm(slot, node.term)
    for (const term of node.earlier) was = this.table.removeTerm(slot, term) || was
    if (was) this.#judge(id, slot)
    return was
  }

  /** The block is no file's any more. Gives those who hold it. */
  forget(id: BlockId): DataNode[] {
    const holders = this.holders(id)
    const slot = this.table.slot(id)
    if (slot < 0) return holders
    this.counts[this.table.mark(slot)]!--
    this.table.remove(id)
    return holders
  }

  /** Nodes that hold the block and are not dead. */
  holders(id: BlockId): DataNode[] {
    const slot = this.table.slot(id)
    return slot < 0 ? [] : this.#holders(slot)
  }

  target(id: BlockId): number {
    const slot = this.table.slot(id)
    return slot < 0 ? 0 : this.table.target(slot)
  }

  standing(id: BlockId): Standing | undefined {
    const slot = this.table.slot(id)
    return slot < 0 ? undefined : this.table.mark(slot) as Standing
  }

  /** Wipes retired terms from a slot and tells again whoever should act on the block. For whoever walks over the table. */
  review(slot: number, retired: ReadonlySet<number>): void {
    const id = this.table.at(slot)
    if (id === undefined) return
    if (retired.size > 0) for (const term of this.table.terms(slot)) if (retired.has(term)) this.table.removeTerm(slot, term)
    this.#judge(id, slot)
  }

  #slot(id: BlockId): number {
    const known = this.table.slot(id)
    if (known >= 0) return known
    this.counts[standing.open]!++
    return this.table.add(id)
  }

  #holders(slot: number): DataNode[] {
    const found: DataNode[] = []
    for (const term of this.table.terms(slot)) {
      const node = this.#terms.node(term)
      if (node?.holds && !found.includes(node)) found.push(node)
    }
    return found
  }

  #judge(id: BlockId, slot: number): void {
    const target = this.table.target(slot)
    const live = this.#holders(slot).length
    const now = target === 0 ? standing.open : live === 0 ? standing.missing : live < target ? standing.under : live === target ? standing.full : standing.over
    this.counts[this.table.mark(slot)]!--
    this.counts[now]!++
    this.table.setMark(slot, now)
    if (now === standing.under) this.onUnder(id, live)
    else if (now === standing.over) this.onOver(id)
  }
}
