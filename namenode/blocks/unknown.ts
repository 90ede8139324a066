// Unknown blocks: replicas whose ids this namenode never gave out, or that operations lost in a recovery may have given out.
// They may be all that is left of acknowledged files, so they are never deleted; `namenode lost` counts them, and an operator
// can release the lost ids (succession/recovered.ts).

import type { BlockId } from '../../src/base/ids.ts'
import type { Log } from '../../src/ports/log.ts'
import type { LostNode } from '../../src/protocol/safety.ts'
import { lostBlocks } from '../succession/recovered.ts'
import type { View } from '../journal/view.ts'
import type { DataNode } from '../nodes/node.ts'
import type { ReportedReplica } from './health.ts'

/** Bound per node; further blocks are not counted, and not deleted either. */
const perNodeMax = 100_000

export class UnknownBlocks {
  readonly #nodes = new Map<DataNode, Map<BlockId, number>>()
  readonly #log: Log

  constructor(log: Log) { this.#log = log }

  /** Number of counted blocks of all nodes. */
  get blocks(): number {
    let count = 0
    for (const blocks of this.#nodes.values()) count += blocks.size
    return count
  }

  note(node: DataNode, { id, length }: ReportedReplica): void {
    let blocks = this.#nodes.get(node)
    if (!blocks) {
      this.#nodes.set(node, blocks = new Map())
      this.#log.error(
        'a datanode holds blocks that this namenode never gave out, or that lost operations may have created; they are not deleted. `gristmill namenode lost` counts them',
        { node: node.node, first: id },
      )
    }
    if (blocks.size < perNodeMax) blocks.set(id, length)
  }

  removed(node: DataNode, id: BlockId): void { this.#nodes.get(node)?.delete(id) }

  /** The node began a new session, or is dead. */
  reset(node: DataNode): void { this.#nodes.delete(node) }

  /** Counts by node. `foreign`: blocks outside of all lost ranges, given out by another namenode. */
  summary(view: View): LostNode[] {
    const ranges = lostBlocks(view)
    const found: LostNode[] = []
    for (const [{ node, address }, held] of this.#nodes) {
      if (held.size === 0) continue
      const sum = { blocks: 0, bytes: 0, foreign: 0 }
      for (const [id, length] of held) {
        if (!ranges.some(({ from, to }) => id >= from && id < to)) sum.foreign++
        else { sum.blocks++; sum.bytes += length }
      }
      found.push({ node, address, ...sum, ...held.size === perNodeMax && { more: true } })
    }
    return found
  }

  /** Forgets all blocks, so that they are judged again. Returns the nodes that must send a full report. */
  release(): DataNode[] {
    const nodes = [...this.#nodes.keys()]
    this.#nodes.clear()
    return nodes
  }
}
