// Excess replicas: of a block with more replicas than its target, chooses those to delete and passes them to deletions.ts. A replica that
// the balancer has moved goes first, else the one that `surplus` (placement.ts) chooses by rack, deaths of its node, host and free space.
// Only replicas on live nodes in service that have sent a full report to this namenode, and that are in no order of deletion, are counted
// and chosen: the last certain copy is never deleted. `mayDelete` (reports.ts) checks again just before the order is sent.

import { assertKept } from '../../src/base/assert.ts'
import type { BlockId } from '../../src/base/ids.ts'
import type { Random } from '../../src/ports/random.ts'
import type { DataNode } from '../nodes/node.ts'
import type { NodeRegistry } from '../nodes/registry.ts'
import type { Deletions } from './deletions.ts'
import type { BlockMap } from './map.ts'
import { racksOf, surplus } from './placement.ts'
import { health, type Health } from './health.ts'

interface ExcessOptions {
  readonly map: BlockMap
  readonly registry: NodeRegistry
  readonly deletions: Deletions
  readonly random: Random
  /** True if a copy of the block is in progress. */
  readonly isCopying: (id: BlockId) => boolean
  /** Requests a review of all blocks. */
  readonly rescan: () => void
}

const queueMax = 50_000
const sliceMax = 500
/** Bound on preferred deletions, for blocks that the balancer has copied. */
const movedMax = 10_000

/** True if the node's replicas are certain. */
export const isSure = (node: DataNode): boolean => node.state === 'live' && node.reported && node.inService

export class ExcessReplicas {
  readonly #options: ExcessOptions
  readonly #over = new Set<BlockId>()
  /** Block → node that should lose its replica. */
  readonly #moved = new Map<BlockId, DataNode>()
  #trimming = false
  #more = false

  constructor(options: ExcessOptions) {
    this.#options = options
    options.map.listen((id, now) => this.#healthChanged(id, now))
  }

  get waiting(): number { return this.#over.size }

  /** Deleting is allowed: safe mode has ended. */
  allow(): void { this.#trimming = true }

  #healthChanged(id: BlockId, now: Health): void {
    if (now !== health.over) {
      this.#over.delete(id)
    } else if (this.#trimming && this.#over.size < queueMax) {
      this.#over.add(id)
    } else {
      this.#more = true
    }
  }

  /** Prefers `node` for deletion: the balancer has copied its replica elsewhere. */
  prefer(id: BlockId, node: DataNode): void { if (this.#moved.size < movedMax) this.#moved.set(id, node) }
  /** The copy was not made, or the block is deleted. */
  forget(id: BlockId): void { this.#moved.delete(id) }

  work(): void {
    if (!this.#trimming) return
    let looked = 0
    const byNode = new Map<DataNode, BlockId[]>()
    for (const id of this.#over) {
      if (looked++ >= sliceMax) break
      this.#over.delete(id)
      for (const node of this.#extra(id)) {
        const blocks = byNode.get(node)
        if (blocks) blocks.push(id)
        else byNode.set(node, [id])
      }
    }
    for (const [node, blocks] of byNode) this.#options.deletions.add(node, blocks)
    if (!this.#more || this.#over.size > 0) return
    this.#more = false
    this.#options.rescan()
  }

  /** Throws AssertionFailed if a block waits that has no excess replicas. For tests and simulations. */
  checkState(): void {
    const { map } = this.#options
    for (const id of this.#over) assertKept('health', health.over, map.health(id) ?? -1, `block ${id}, which has excess replicas`)
  }

  /** Nodes that lose their replica; these replicas no longer count. */
  #extra(id: BlockId): DataNode[] {
    const { map, registry, deletions, random, isCopying } = this.#options
    if (map.health(id) !== health.over || isCopying(id)) return []
    const sure = map.holders(id).filter(node => isSure(node) && !deletions.isCondemned(node, id))
    const gone: DataNode[] = []
    while (sure.length > map.target(id)) {
      const node = this.#movedFrom(id, sure) ?? registry.get(surplus(sure, random)!.node)!
      sure.splice(sure.indexOf(node), 1)
      map.drop(id, node)
      gone.push(node)
    }
    return gone
  }

  #movedFrom(id: BlockId, sure: readonly DataNode[]): DataNode | undefined {
    const node = this.#moved.get(id)
    this.#moved.delete(id)
    if (!node || !sure.includes(node)) return undefined
    const rest = sure.filter(each => each !== node)
    return racksOf(rest) >= Math.min(2, racksOf(sure)) ? node : undefined
  }
}
