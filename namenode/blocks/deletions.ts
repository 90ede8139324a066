// Replicas that are to go, by node. They are ordered in batches, few at a time for each node, and never while the cluster
// is in safe mode. What is lost on the way (a node that restarts, an order that is dropped) comes back as garbage in the
// node's next full report; so nothing here has to last.

import type { BlockId } from '../../src/base/ids.ts'
import type { DataNode } from '../nodes/node.ts'

/** One order: some seconds of unlinking at worst. */
const batchMax = 1000
/** Delete orders that a node has not taken over yet. */
const ordersMax = 2
/** More waiting for one node than this are dropped, and the node is asked for a full report when the rest is done. */
const waitingMax = 1_000_000

interface Waiting { blocks: BlockId[]; orders: Map<number, number>; dropped: boolean }

export class Deletions {
  readonly #nodes = new Map<DataNode, Waiting>()
  readonly #may: (node: DataNode, block: BlockId) => boolean
  #open = false
  #count = 0

  /** `may` is asked just before an order goes out: much may have changed since the replica was added. */
  constructor(may: (node: DataNode, block: BlockId) => boolean) { this.#may = may }

  /** Replicas that wait, or were ordered and not taken over. */
  get pending(): number { return this.#count }

  add(node: DataNode, blocks: readonly BlockId[]): void {
    let waiting = this.#nodes.get(node)
    if (!waiting) this.#nodes.set(node, waiting = { blocks: [], orders: new Map(), dropped: false })
    const room = waitingMax - waiting.blocks.length
    waiting.dropped ||= blocks.length > room
    for (const block of blocks.slice(0, Math.max(0, room))) waiting.blocks.push(block)
    this.#count += Math.max(0, Math.min(room, blocks.length))
    this.#pump(node, waiting)
  }

  /** Orders of a node that it has taken over. */
  taken(node: DataNode, seqs: readonly number[]): void {
    const waiting = this.#nodes.get(node)
    if (!waiting) return
    for (const seq of seqs) {
      this.#count -= waiting.orders.get(seq) ?? 0
      waiting.orders.delete(seq)
    }
    this.#pump(node, waiting)
  }

  /** The node began a new session, or is dead: its orders are void. */
  reset(node: DataNode): void {
    const waiting = this.#nodes.get(node)
    if (!waiting) return
    this.#count -= waiting.blocks.length
    for (const count of waiting.orders.values()) this.#count -= count
    this.#nodes.delete(node)
  }

  /** Nothing goes out from now on. */
  close(): void { this.#open = false }

  /** Safe mode is over. */
  open(): void {
    this.#open = true
    for (const [node, waiting] of this.#nodes) this.#pump(node, waiting)
  }

  #pump(node: DataNode, waiting: Waiting): void {
    if (!this.#open || !node.serves) return
    while (waiting.blocks.length > 0 && waiting.orders.size < ordersMax) {
      // From the end: cheap, and the order does not matter.
      const batch = waiting.blocks.splice(-batchMax)
      const blocks = batch.filter(block => this.#may(node, block))
      this.#count -= batch.length - blocks.length
      if (blocks.length > 0) waiting.orders.set(node.orders.push({ kind: 'delete', blocks }), blocks.length)
    }
    if (waiting.dropped && waiting.blocks.length === 0) {
      waiting.dropped = false
      node.orders.push({ kind: 'report' })
    }
  }
}
