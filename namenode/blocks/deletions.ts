// Replicas to delete, by node. Delete orders are sent in batches, few at a time per node, and never in safe mode. Nothing is
// stored: replicas of lost orders (node restart, dropped order) come back as garbage in the node's next full report.
// INVARIANT: a replica that its node was told to delete is no reason to delete another one, until a report that the node has made after it
// took the order says that the replica is there.

import { assert, assertKept } from '../../src/base/assert.ts'
import type { BlockId } from '../../src/base/ids.ts'
import type { DataNode } from '../nodes/node.ts'

/** Blocks per order: a few seconds of unlinking at worst. */
const batchMax = 1000
/** Unacknowledged delete orders per node. */
const ordersMax = 2
/** Above this many waiting blocks of one node, blocks are dropped; once the rest is done, the node is asked for a full report. */
const waitingMax = 1_000_000

interface Waiting {
  blocks: BlockId[]
  orders: Map<number, number>
  dropped: boolean
  /** Replicas of files' blocks in orders, with the number of the order, until the node reports on them after it has taken the order. */
  readonly condemned: Map<BlockId, number>
}

interface DeletionsOptions {
  /** Checked just before an order is sent, because the state may have changed since the replica was added. */
  readonly may: (node: DataNode, block: BlockId) => boolean
  /** True if the block is a file's: others of its replicas are to stay. */
  readonly isKept: (block: BlockId) => boolean
}

export class Deletions {
  readonly #nodes = new Map<DataNode, Waiting>()
  readonly #options: DeletionsOptions
  #open = false
  #count = 0

  constructor(options: DeletionsOptions) { this.#options = options }

  /** Replicas that wait, or are in unacknowledged orders. */
  get pending(): number { return this.#count }

  add(node: DataNode, blocks: readonly BlockId[]): void {
    let waiting = this.#nodes.get(node)
    if (!waiting) this.#nodes.set(node, waiting = { blocks: [], orders: new Map(), dropped: false, condemned: new Map() })
    const room = waitingMax - waiting.blocks.length
    waiting.dropped ||= blocks.length > room
    for (const block of blocks.slice(0, Math.max(0, room))) waiting.blocks.push(block)
    this.#count += Math.max(0, Math.min(room, blocks.length))
    this.#pump(node, waiting)
  }

  /**
   * True if the node was told to delete this replica and has not reported on it since it took the order. A report that the replica is there
   * may be older than the order, which a slow network can deliver later than the report.
   */
  isCondemned(node: DataNode, block: BlockId): boolean { return this.#nodes.get(node)?.condemned.has(block) ?? false }

  /**
   * A report of the node says whether it has the replica; it was made when the node had taken the orders up to `taken`. After an order to
   * delete the replica, it is gone, or there again by a copy, or there because the node has refused the order: a report has only the newest
   * state.
   */
  told(node: DataNode, block: BlockId, taken: number): void {
    const condemned = this.#nodes.get(node)?.condemned
    if ((condemned?.get(block) ?? Infinity) <= taken) condemned!.delete(block)
  }

  /** A full report of the node is complete; it began when the node had taken the orders up to `taken`. Replicas not in it are gone. */
  reported(node: DataNode, taken: number): void {
    const condemned = this.#nodes.get(node)?.condemned
    for (const [block, seq] of condemned ?? []) if (seq <= taken) condemned!.delete(block)
  }

  /** The node has acknowledged these orders. */
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

  /** Stops sending orders. */
  close(): void { this.#open = false }

  /** Safe mode has ended: sends orders from now on. */
  open(): void {
    this.#open = true
    for (const [node, waiting] of this.#nodes) this.#pump(node, waiting)
  }

  /** Throws AssertionFailed if the number of pending replicas is not the sum over the nodes. For tests and simulations. */
  checkState(): void {
    let pending = 0
    for (const [node, { blocks, orders }] of this.#nodes) {
      pending += blocks.length
      for (const count of orders.values()) pending += count
      assert(orders.size <= ordersMax, `${node.node} has ${orders.size} unacknowledged delete orders, at most ${ordersMax} are allowed`)
    }
    assertKept('pending deletions', this.#count, pending)
  }

  #pump(node: DataNode, waiting: Waiting): void {
    if (!this.#open || !node.serves) return
    while (waiting.blocks.length > 0 && waiting.orders.size < ordersMax) {
      // From the end: cheap, and the order does not matter.
      const batch = waiting.blocks.splice(-batchMax)
      const blocks = batch.filter(block => this.#options.may(node, block))
      this.#count -= batch.length - blocks.length
      if (blocks.length === 0) continue
      const seq = node.orders.push({ kind: 'delete', blocks })
      waiting.orders.set(seq, blocks.length)
      for (const block of blocks) if (this.#options.isKept(block)) waiting.condemned.set(block, seq)
    }
    if (waiting.dropped && waiting.blocks.length === 0) {
      waiting.dropped = false
      node.orders.push({ kind: 'report' })
    }
  }
}
