// Block map: the nodes that hold each block, as reported by datanodes. Soft state, rebuilt from their reports. A block is
// `open` (target 0) while its file is being written, and known once the file completes or the census finds it in the store.
// Changes of health (health.ts) are passed to the listeners.

import { assertKept } from '../../src/base/assert.ts'
import type { BlockId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import type { DataNode } from '../nodes/node.ts'
import type { ReportIds } from '../nodes/reportids.ts'
import { healthOf, lacking, health, type Health, type Topology, type ReplicaCounts } from './health.ts'
import { BlockTable } from './table.ts'

export { health, type Health } from './health.ts'

const noReplicas: ReplicaCounts = Object.freeze({ live: 0, inMaintenance: 0, decommissioning: 0, racks: 0 })

/** Called when a block's health changes, and repeatedly while it is `under`, `over` or `misplaced`. */
type HealthListener = (id: BlockId, now: Health, tally: ReplicaCounts) => void

export class BlockMap {
  readonly table = new BlockTable()
  readonly #reportIds: ReportIds
  /** Number of blocks by health. */
  readonly counts: number[] = [0, 0, 0, 0, 0, 0]
  /** Number of blocks by target; open blocks have target 0. */
  readonly targets: number[] = new Array<number>(limits.replicationMax + 1).fill(0)
  #topology: Topology = { racks: 1, unregistered: 0 }
  readonly #listeners: HealthListener[] = []
  readonly #racks = new Set<string>()

  readonly #onClaimed: (node: DataNode, id: BlockId) => void

  /** `onClaimed`: called for each replica that a writer has told of first. */
  constructor(reportIds: ReportIds, onClaimed: (node: DataNode, id: BlockId) => void = () => {}) {
    this.#reportIds = reportIds
    this.#onClaimed = onClaimed
  }

  /** Listeners are called in the order in which they were added. */
  listen(listener: HealthListener): void { this.#listeners.push(listener) }

  /** Sets what the health of all blocks depends on. Returns true if it has changed: the caller then requests a review. */
  setTopology({ racks, unregistered }: Topology): boolean {
    if (this.#topology.racks === racks && this.#topology.unregistered === unregistered) return false
    this.#topology = { racks, unregistered }
    return true
  }

  /** Blocks of files with at least one replica. */
  get present(): number {
    const { under, healthy, over, misplaced } = health
    return this.counts[under]! + this.counts[healthy]! + this.counts[over]! + this.counts[misplaced]!
  }
  /** Blocks of files that were found by a report or by the census. */
  get known(): number { return this.present + this.counts[health.missing]! }

  has(id: BlockId): boolean { return this.table.slot(id) >= 0 }

  /** The block belongs to a file with this replication. */
  know(id: BlockId, target: number): void {
    const slot = this.#slot(id)
    if (this.#setTarget(slot, target)) this.#updateHealth(id, slot)
  }

  /** `node` holds the block. */
  add(id: BlockId, node: DataNode): void {
    const slot = this.#slot(id)
    if (this.table.addReportId(slot, node.reportId, node.earlier)) this.#updateHealth(id, slot)
  }

  /** A file with this replication was completed: the block belongs to it, and these nodes hold it. */
  sealed(id: BlockId, target: number, nodes: readonly DataNode[]): void {
    const slot = this.#slot(id)
    let changed = this.#setTarget(slot, target)
    for (const node of nodes) {
      if (!this.table.addReportId(slot, node.reportId, node.earlier)) continue
      changed = true
      this.#onClaimed(node, id)
    }
    // Once for all of them: a block may have been written to 16 nodes, and a file has 10,000 blocks.
    if (changed) this.#updateHealth(id, slot)
  }

  /** `node` no longer holds the block. Returns true if it was recorded. */
  drop(id: BlockId, node: DataNode): boolean {
    const slot = this.table.slot(id)
    if (slot < 0) return false
    let was = this.table.removeReportId(slot, node.reportId)
    for (const reportId of node.earlier) was = this.table.removeReportId(slot, reportId) || was
    if (was) this.#updateHealth(id, slot)
    return was
  }

  /** The block no longer belongs to a file. Returns its holders. */
  forget(id: BlockId): DataNode[] {
    const holders = this.holders(id)
    const slot = this.table.slot(id)
    if (slot < 0) return holders
    this.counts[this.table.mark(slot)]!--
    this.targets[this.table.target(slot)]!--
    this.table.remove(id)
    this.#tell(id, health.open, noReplicas)
    return holders
  }

  /** Nodes that hold the block and are not dead. */
  holders(id: BlockId): DataNode[] {
    const slot = this.table.slot(id)
    return slot < 0 ? [] : this.#holders(slot)
  }

  /** Replica counts of the block, and the number of replicas to make. */
  tally(id: BlockId): ReplicaCounts & { readonly lacking: number } {
    const slot = this.table.slot(id)
    if (slot < 0) return { ...noReplicas, lacking: 0 }
    const tally = this.#tally(slot)
    return { ...tally, lacking: lacking(tally, this.table.target(slot), this.#topology) }
  }

  /** Tells the listeners again. */
  again(id: BlockId): void {
    const slot = this.table.slot(id)
    if (slot < 0) return
    const tally = this.#tally(slot)
    this.#tell(id, this.table.mark(slot) as Health, tally)
  }

  target(id: BlockId): number {
    const slot = this.table.slot(id)
    return slot < 0 ? 0 : this.table.target(slot)
  }

  health(id: BlockId): Health | undefined {
    const slot = this.table.slot(id)
    return slot < 0 ? undefined : this.table.mark(slot) as Health
  }

  /** Removes retired report ids from a slot and recomputes the block's health. Called by walks over the table. */
  review(slot: number, retired: ReadonlySet<number>): void {
    const id = this.table.at(slot)
    if (id === undefined) return
    if (retired.size > 0)
      for (const reportId of this.table.reportIds(slot)) if (retired.has(reportId)) this.table.removeReportId(slot, reportId)
    this.#updateHealth(id, slot)
  }

  /** Throws AssertionFailed if a count differs from the block table, or a report id in it is unknown. For tests and simulations. */
  checkState(): void {
    const { table } = this
    const counts = this.counts.map(() => 0)
    const targets = this.targets.map(() => 0)
    const used = new Set<number>()
    table.checkState((slot, reportIds) => {
      counts[table.mark(slot)]!++
      targets[table.target(slot)]!++
      for (const reportId of reportIds) used.add(reportId)
    })
    for (const [name, mark] of Object.entries(health)) assertKept('blocks with health', this.counts[mark]!, counts[mark]!, name)
    for (const [target, count] of targets.entries()) assertKept('blocks with target', this.targets[target]!, count, target)
    this.#reportIds.checkState(used)
  }

  #tell(id: BlockId, now: Health, tally: ReplicaCounts): void {
    for (const listener of this.#listeners) listener(id, now, tally)
  }

  #slot(id: BlockId): number {
    const known = this.table.slot(id)
    if (known >= 0) return known
    this.counts[health.open]!++
    this.targets[0]!++
    return this.table.add(id)
  }

  /** Returns false if the target is the same as before. */
  #setTarget(slot: number, target: number): boolean {
    const before = this.table.target(slot)
    if (before === target) return false
    this.targets[before]!--
    this.targets[target]!++
    this.table.setTarget(slot, target)
    return true
  }

  #holders(slot: number): DataNode[] {
    const found: DataNode[] = []
    for (const reportId of this.table.reportIds(slot)) {
      const node = this.#reportIds.node(reportId)
      if (node?.holds && !found.includes(node)) found.push(node)
    }
    return found
  }

  #tally(slot: number): ReplicaCounts {
    const tally: ReplicaCounts = { live: 0, inMaintenance: 0, decommissioning: 0, racks: 0 }
    this.#racks.clear()
    for (const node of this.#holders(slot)) {
      if (node.inService) tally.live++
      else if (node.inMaintenance) tally.inMaintenance++
      else tally.decommissioning++
      if (node.inService || node.inMaintenance) this.#racks.add(node.rack)
    }
    tally.racks = this.#racks.size
    return tally
  }

  #updateHealth(id: BlockId, slot: number): void {
    const tally = this.#tally(slot)
    const before = this.table.mark(slot)
    const now = healthOf(tally, this.table.target(slot), this.#topology)
    this.counts[before]!--
    this.counts[now]!++
    this.table.setMark(slot, now)
    if (now !== before || now === health.under || now === health.over || now === health.misplaced) this.#tell(id, now, tally)
  }
}
