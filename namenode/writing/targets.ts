// Chooses the datanodes for new blocks (policy: blocks/placement.ts) and issues their write tokens. Reserves nothing: space is
// taken only when a datanode begins to receive.

import { GristmillError } from '../../src/base/errors.ts'
import type { BlockId, NodeId } from '../../src/base/ids.ts'
import { MiB } from '../../src/base/units.ts'
import type { Random } from '../../src/ports/random.ts'
import type { AllocatedBlock } from '../../src/protocol/writing.ts'
import type { BlockTokens } from '../../src/rpc/token.ts'
import { place, type Candidate, type PlacementRequest } from '../blocks/placement.ts'
import type { NodeRegistry } from '../nodes/registry.ts'

/** Second choice for a writer of unknown length, if no node has space for a full block. */
const unknownBytes = MiB

/** Space that a block needs on each datanode, preferred size first. `bytes`: remaining bytes according to the writer. */
export const sizesOf = (blockBytes: number, bytes: number | undefined): readonly number[] =>
  (bytes === undefined ? [blockBytes, Math.min(blockBytes, unknownBytes)] : [Math.min(blockBytes, bytes)])

interface TargetRequest {
  readonly replication: number
  readonly sizes: readonly number[]
  /** Host of the writer. */
  readonly host: string | undefined
  /** Datanodes that failed this writer. */
  readonly exclude: ReadonlySet<NodeId>
}

export class Targets {
  readonly #registry: NodeRegistry
  readonly #tokens: BlockTokens
  readonly #random: Random

  constructor({ registry, tokens, random }: { registry: NodeRegistry; tokens: BlockTokens; random: Random }) {
    this.#registry = registry
    this.#tokens = tokens
    this.#random = random
  }

  /**
   * Throws ENOSPC if no node can take a replica, UNAVAILABLE while no node is live: that is no lack of space, and passes when one sends a
   * heartbeat. Called before block ids are given out.
   */
  check(count: number, sizes: readonly number[], exclude: ReadonlySet<NodeId>): void {
    const registry = this.#registry
    if (count === 0 || this.#choose({ count: 1, exclude }, sizes).length > 0) return
    const nodes = registry.open.length
    if (nodes === 0)
      throw new GristmillError(
        'UNAVAILABLE',
        'no datanode in service is live; start one (gristmill up --detach starts those of "up" that have ended), or wait until it has registered',
      )
    const blockBytes = sizes.at(-1)!
    const failed = exclude.size > 0 ? ` (${exclude.size} have just failed for this writer)` : ''
    throw new GristmillError(
      'ENOSPC',
      `none of the ${nodes} live datanodes can take a block of ${blockBytes} bytes${failed}; free some space, or add a datanode`,
      { details: { nodes, blockBytes } },
    )
  }

  /** Datanodes of each block, in pipeline order, with a write token. Throws ENOSPC, UNAVAILABLE. */
  locate(blocks: readonly BlockId[], { replication, sizes, host, exclude }: TargetRequest): AllocatedBlock[] {
    return blocks.map(id => {
      const targets = this.#choose({ count: replication, host, exclude }, sizes)
      if (targets.length === 0) {
        const code = this.#registry.open.length === 0 ? 'UNAVAILABLE' : 'ENOSPC'
        throw new GristmillError(code, 'the datanodes that could take a block are gone; try again in a moment', {
          details: { block: id },
        })
      }
      const token = this.#tokens.issue({ mode: 'write', block: id })
      return { id, targets: targets.map(each => this.#registry.get(each.node)!.place), token }
    })
  }

  /** Nodes for the replicas of one block, of the first size that fits any node. */
  #choose(wanted: Omit<PlacementRequest, 'held' | 'blockBytes'>, sizes: readonly number[]): Candidate[] {
    const nodes = this.#registry.open
    for (const blockBytes of sizes) {
      const targets = place(nodes, { ...wanted, blockBytes, held: [] }, this.#random)
      if (targets.length > 0) return targets
    }
    return []
  }
}
