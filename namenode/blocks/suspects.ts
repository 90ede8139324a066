// Replicas that readers reported as bad, and that their nodes are verifying. A node is asked once per replica, whatever the
// number of complaints, and for a bounded number of replicas, so that false complaints cannot keep it busy.

import type { BlockId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { DataNode } from '../nodes/node.ts'

/** Replicas that one node verifies at a time. Further ones are found by later reads, or by the node's scrub. */
const perNodeMax = 1000
/** After this long without an answer, the next complaint asks again. */
const answerMs = 60_000

export class Suspects {
  readonly #clock: Clock
  readonly #nodes = new Map<DataNode, Map<BlockId, number>>()

  constructor(clock: Clock) { this.#clock = clock }

  /** Returns true if a verify order was sent. */
  accuse(node: DataNode, id: BlockId): boolean {
    const nowMs = this.#clock.mono()
    let asked = this.#nodes.get(node)
    if (!asked) this.#nodes.set(node, asked = new Map())
    const atMs = asked.get(id)
    if (atMs !== undefined && nowMs - atMs < answerMs) return false
    if (atMs === undefined && asked.size >= perNodeMax) {
      for (const [old, since] of asked) if (nowMs - since >= answerMs) asked.delete(old)
      if (asked.size >= perNodeMax) return false
    }
    asked.set(id, nowMs)
    node.orders.push({ kind: 'verify', block: id })
    return true
  }

  /** The node has answered about its replica. */
  answered(node: DataNode, id: BlockId): void { this.#nodes.get(node)?.delete(id) }

  /** The node began a new session, or is dead: pending orders are void. */
  reset(node: DataNode): void { this.#nodes.delete(node) }
}
