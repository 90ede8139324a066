// Takes replicas away where there are too many. Those that stay are on nodes in service that were heard of just now and have
// reported everything to this namenode: what might be gone does not count, so the last copy that is known to be there is
// never among those that go. Just before the order goes out it is asked again (reports.ts, `mayDelete`).

import type { BlockId } from '../../src/base/ids.ts'
import type { Random } from '../../src/ports/random.ts'
import type { DataNode } from '../nodes/node.ts'
import type { NodeRegistry } from '../nodes/registry.ts'
import type { Deletions } from './deletions.ts'
import type { BlockMap } from './map.ts'
import { racksOf, surplus } from './placement.ts'
import { health, type Health } from './health.ts'

export interface ExcessOptions {
  readonly map: BlockMap
  readonly registry: NodeRegistry
  readonly deletions: Deletions
  readonly random: Random
  /** Is a copy of it on its way? */
  readonly isCopying: (id: BlockId) => boolean
  /** Asks for a walk over all blocks. */
  readonly rescan: () => void
}

const queueMax = 50_000
const sliceMax = 500
/** Replicas that are to go because the balancer has copied them elsewhere. */
const movedMax = 10_000

/** Its replicas are known for sure. */
export const isSure = (node: DataNode): boolean => node.state === 'live' && node.reported && node.inService

export class ExcessReplicas {
  readonly #options: ExcessOptions
  readonly #over = new Set<BlockId>()
  /** From which node a replica is to go, if one may. */
  readonly #moved = new Map<BlockId, DataNode>()
  #trimming = false
  #more = false

  constructor(options: ExcessOptions) { this.#options = options }

  get waiting(): number { return this.#over.size }

  /** Removing is allowed: safe mode is over. */
  allow(): void { this.#trimming = true }

  stands(id: BlockId, now: Health): void {
    if (now !== health.over) {
      this.#over.delete(id)
    } else if (this.#trimming && this.#over.size < queueMax) {
      this.#over.add(id)
    } else {
      this.#more = true
    }
  }

  /** A copy of the block was made so that `node` may lose its own. */
  prefer(id: BlockId, node: DataNode): void { if (this.#moved.size < movedMax) this.#moved.set(id, node) }
  /** It was not made, or the block has gone. */
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

  /** Those that go; they count no more from now on. */
  #extra(id: BlockId): DataNode[] {
    const { map, registry, random, isCopying } = this.#options
    if (map.standing(id) !== health.over || isCopying(id)) return []
    const sure = map.holders(id).filter(isSure)
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
