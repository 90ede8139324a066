// Replicas that readers have found to be bad, while their own nodes look again. A node is asked once about a replica, however
// many readers complain of it; and about few replicas at a time, so that liars cannot keep it busy.

import type { BlockId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { DataNode } from '../nodes/node.ts'

/** Replicas that one node is looking at. More come to light when they are read again, or by its own scrubber. */
const perNodeMax = 1000
/** After this long without an answer, the next complaint asks again. */
const answerMs = 60_000

export class Suspects {
  readonly #clock: Clock
  readonly #nodes = new Map<DataNode, Map<BlockId, number>>()

  constructor(clock: Clock) { this.#clock = clock }

  /** True if the node was asked to look. */
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

  /** The node has said how its replica is. */
  answered(node: DataNode, id: BlockId): void { this.#nodes.get(node)?.delete(id) }

  /** The node began a new session, or is dead: it was asked nothing. */
  reset(node: DataNode): void { this.#nodes.delete(node) }
}
