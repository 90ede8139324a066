// Judges reported replicas against the namespace:
//   block of a file, with matching length and checksum: a replica;
//   with another length or checksum: wrong; deleted as soon as a good replica exists, else kept for an operator;
//   block that is being written: recorded, so that it can be deleted if the file never completes;
//   id that was given out and belongs to no file: garbage, deleted after the node's full report and outside of safe mode;
//   id that was never given out, or only by operations that may be lost: unknown block, never deleted.
// A replica that its node has found damaged no longer counts; the damage is remembered until a good replica is reported.

import { assert } from '../../src/base/assert.ts'
import type { BlockId } from '../../src/base/ids.ts'
import type { Log } from '../../src/ports/log.ts'
import { mayBeLost } from '../succession/recovered.ts'
import type { View } from '../journal/view.ts'
import { knownBlock, targetOf } from '../namespace/file.ts'
import type { DataNode } from '../nodes/node.ts'
import type { Deletions } from './deletions.ts'
import type { BlockMap } from './map.ts'
import type { Claims } from './claims.ts'
import { health, type ReportedReplica } from './health.ts'
import type { Repair } from './repair.ts'
import { UnknownBlocks } from './unknown.ts'
import type { Suspects } from './suspects.ts'
import { isSure } from './excess.ts'

interface ReportsOptions {
  readonly view: View
  readonly map: BlockMap
  readonly repair: Repair
  readonly deletions: Deletions
  readonly suspects: Suspects
  readonly claims: Claims
  readonly log: Log
  /** True if the block belongs to a file being written. */
  readonly isOpen: (id: BlockId) => boolean
  readonly safe: () => boolean
  /** Called when a node no longer has a replica. */
  readonly onRemoved: (id: BlockId, node: DataNode) => void
}

/** Suspected garbage kept per node; more is found by its next full report. */
const suspectsMax = 1_000_000
/** Bound of remembered damaged blocks; further ones count as missing only. */
const damagedMax = 100_000

export class Reports {
  readonly #options: ReportsOptions
  /** Suspected garbage, until it may be deleted. */
  readonly #suspects = new Map<DataNode, Set<BlockId>>()
  /** Replicas with a wrong length or checksum. */
  readonly #wrong = new Map<BlockId, Set<DataNode>>()
  /** Blocks with quarantined bad replicas, and no good replica reported since. */
  readonly #damaged = new Set<BlockId>()
  readonly unknown: UnknownBlocks

  constructor(options: ReportsOptions) {
    this.#options = options
    this.unknown = new UnknownBlocks(options.log)
  }

  /** The node holds this replica. `taken`, here and below: number of the last order that the node had taken when it made its report. */
  held(node: DataNode, { id, length, crc }: ReportedReplica, taken: number): void {
    const { view, map, repair, suspects, claims, isOpen, deletions } = this.#options
    deletions.told(node, id, taken)
    claims.told(node, id)
    const known = knownBlock(view, id)
    if (known) {
      if (known.length !== length || known.crc !== crc) return this.#mismatch(node, id, { length, crc, wanted: known })
      if (this.#damaged.size > 0) this.#damaged.delete(id)
      this.#right(node, id)
      suspects.answered(node, id)
      map.add(id, node)
      map.know(id, targetOf(view, known.inode) ?? 0)
      repair.arrived(id, node)
      this.#settle(id)
    } else if (isOpen(id)) {
      map.add(id, node)
    } else if (id >= view.counters.nextBlock || mayBeLost(view, id)) {
      this.unknown.note(node, { id, length, crc })
    } else {
      this.#suspect(node, id)
    }
  }

  /** The node no longer holds the replica. */
  removed(node: DataNode, id: BlockId, taken: number): void {
    this.#options.map.drop(id, node)
    this.#options.suspects.answered(node, id)
    this.#options.deletions.told(node, id, taken)
    this.#options.onRemoved(id, node)
    this.#suspects.get(node)?.delete(id)
    this.unknown.removed(node, id)
    this.#right(node, id)
  }

  /** The node has no wrong replica of the block any more: none, or a good one that was copied to it since. */
  #right(node: DataNode, id: BlockId): void {
    if (this.#wrong.size === 0) return
    const wrong = this.#wrong.get(id)
    if (wrong?.delete(node) && wrong.size === 0) this.#wrong.delete(id)
  }

  /** The node has found its replica damaged and no longer serves it. */
  bad(node: DataNode, id: BlockId, taken: number): void {
    const { map, view } = this.#options
    // With a good replica elsewhere there is nothing to remember.
    if (knownBlock(view, id) && this.#damaged.size < damagedMax && !map.holders(id).some(each => each !== node)) this.#damaged.add(id)
    this.removed(node, id, taken)
    if (this.isCorrupt(id)) map.again(id)
  }

  /** The last page of a full report was taken in. */
  complete(node: DataNode, taken: number): void { this.#options.deletions.reported(node, taken) }

  /** True for a block of a file without a good replica, as far as is known: a bad one may be all that is left. */
  isLast(id: BlockId): boolean { return knownBlock(this.#options.view, id) !== undefined && this.#options.map.holders(id).length === 0 }

  /** True if no good replica is known, and bad ones are or were. */
  isCorrupt(id: BlockId): boolean {
    return (this.#damaged.has(id) || (this.#wrong.get(id)?.size ?? 0) > 0) && this.#options.map.health(id) === health.missing
  }

  /** Number of corrupt blocks. */
  get corrupt(): number {
    let count = 0
    for (const id of new Set([...this.#damaged, ...this.#wrong.keys()])) if (this.isCorrupt(id)) count++
    return count
  }

  /** The block no longer belongs to a file. Returns the nodes that hold wrong replicas of it. */
  forget(id: BlockId): Iterable<DataNode> {
    const wrong = this.#wrong.get(id) ?? []
    this.#damaged.delete(id)
    this.#wrong.delete(id)
    return wrong
  }

  /** The node began a new session, or is dead. */
  reset(node: DataNode): void {
    this.#suspects.delete(node)
    this.unknown.reset(node)
    this.#options.suspects.reset(node)
    for (const [id, nodes] of this.#wrong) if (nodes.delete(node) && nodes.size === 0) this.#wrong.delete(id)
  }

  /** Deletes garbage of nodes that have sent a full report, outside of safe mode. */
  collect(): void {
    if (this.#options.safe()) return
    for (const [node, ids] of this.#suspects) {
      if (!node.reported || ids.size === 0) continue
      this.#suspects.delete(node)
      const { view, isOpen, deletions, log } = this.#options
      // A block becomes part of a file only through a lease, so this cannot change later; the check is cheap.
      const garbage = [...ids].filter(id => !isOpen(id) && !knownBlock(view, id))
      if (garbage.length > 0)
        log.info('a datanode holds blocks that belong to no file; they are deleted', { node: node.node, blocks: garbage.length })
      deletions.add(node, garbage)
    }
  }

  /** Throws AssertionFailed if a node counts as a holder of a block of which it has a wrong replica. For tests and simulations. */
  checkState(): void {
    for (const [id, nodes] of this.#wrong) {
      const holders = this.#options.map.holders(id)
      assert(nodes.size > 0, `block ${id} has no wrong replica, and is kept as one that has`)
      for (const node of nodes) assert(!holders.includes(node), `${node.node} holds block ${id}, and has a wrong replica of it`)
    }
  }

  #suspect(node: DataNode, id: BlockId): void {
    let ids = this.#suspects.get(node)
    if (!ids) this.#suspects.set(node, ids = new Set())
    if (ids.size < suspectsMax) ids.add(id)
  }

  #mismatch(node: DataNode, id: BlockId, facts: object): void {
    const { log, map } = this.#options
    log.error('the length or checksum of a replica does not match its block', { node: node.node, block: id, ...facts })
    this.#wrong.set(id, (this.#wrong.get(id) ?? new Set()).add(node))
    map.drop(id, node)
    map.again(id)
    this.#settle(id)
  }

  /** Deletes wrong replicas once there is a good one: they are no copies, and prevent new ones on their node. */
  #settle(id: BlockId): void {
    if (this.#wrong.size === 0) return
    const nodes = this.#wrong.get(id)
    if (!nodes || this.#options.map.holders(id).length === 0) return
    for (const node of nodes) this.#options.deletions.add(node, [id])
  }

  /**
   * Final check before a delete order is sent. Block of no file: yes. Wrong replica: if a good one is on a live node. Excess replica:
   * only while the full target is on other live nodes; otherwise the replica counts again.
   */
  mayDelete(node: DataNode, id: BlockId): boolean {
    const { view, map, deletions } = this.#options
    if (!knownBlock(view, id)) return true
    const others = map.holders(id).filter(each => each !== node && isSure(each) && !deletions.isCondemned(each, id))
    if (this.#wrong.get(id)?.has(node)) return others.length > 0
    if (others.length >= Math.max(1, map.target(id))) return true
    map.add(id, node)
    return false
  }
}
