// Blocks that datanodes hold and that are not the namenode's to judge: ids that it never gave out, or that operations which were
// lost in a recovery may have given out. They may be all that is left of acknowledged files, so nothing here is ever removed;
// an operator sees how many there are, and releases what is known to be of no use (journal/recovered.ts).

import type { BlockId } from '../../src/base/ids.ts'
import type { Log } from '../../src/ports/log.ts'
import type { LostNode } from '../../src/protocol/safety.ts'
import { lostBlocks } from '../journal/recovered.ts'
import type { View } from '../journal/view.ts'
import type { DataNode } from '../nodes/node.ts'
import type { ReportedReplica } from './reports.ts'

/** Of one node; more are not counted, and are left alone all the same. */
const perNodeMax = 100_000

export class UnknownBlocks {
  readonly #nodes = new Map<DataNode, Map<BlockId, number>>()
  readonly #log: Log

  constructor(log: Log) { this.#log = log }

  /** Of all nodes, as far as they are counted. */
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
        'a datanode holds blocks that this namenode never gave out, or that lost operations may have made; they are left alone. `gristmill namenode lost` counts them',
        { node: node.node, first: id },
      )
    }
    if (blocks.size < perNodeMax) blocks.set(id, length)
  }

  gone(node: DataNode, id: BlockId): void { this.#nodes.get(node)?.delete(id) }

  /** The node began a new session, or is dead. */
  reset(node: DataNode): void { this.#nodes.delete(node) }

  /** By node. What lies in no lost range was given out by somebody else. */
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

  /** They are to be judged anew. Gives the nodes that have to say again what they hold. */
  release(): DataNode[] {
    const nodes = [...this.#nodes.keys()]
    this.#nodes.clear()
    return nodes
  }
}
