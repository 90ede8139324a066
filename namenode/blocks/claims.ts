// Replicas of which a writer has told, and their nodes have not. A node tells of each replica at once, mostly before its writer ends the
// file. One that has lost a disk since, or was set back to an earlier state, has reported without the replica before the writer named it:
// after some seconds it is asked. Soft state; what does not fit is found by the node's next full report.

import { assert } from '../../src/base/assert.ts'
import type { BlockId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { DataNode } from '../nodes/node.ts'

/** A report is late by this much on a machine that does a lot. */
export const confirmMs = 10_000
/** Claims kept per node: 10,000 files a second for as long. */
const perNodeMax = 100_000

export class Claims {
  readonly #clock: Pick<Clock, 'mono'>
  /** Times of the claims on each node, oldest first. */
  readonly #nodes = new Map<DataNode, Map<BlockId, number>>()

  /** `clock` stands still while the namenode does: reports wait as well. */
  constructor(clock: Pick<Clock, 'mono'>) { this.#clock = clock }

  /** A writer says that the node holds the block, of which the node has not told in its session. */
  add(node: DataNode, id: BlockId): void {
    let claims = this.#nodes.get(node)
    if (!claims) this.#nodes.set(node, claims = new Map())
    claims.delete(id) // a repeated call: the order is that of the times
    if (claims.size >= perNodeMax) return
    claims.set(id, this.#clock.mono())
  }

  /** Nodes with claims, and those whose last claim has ended since the last call of `overdue`. */
  get nodes(): number { return this.#nodes.size }

  /** The node has told of the block. */
  told(node: DataNode, id: BlockId): void { this.#nodes.get(node)?.delete(id) }

  /** Takes the claims of which their nodes should have told by now. Such a node may have told that it does not have the replica. */
  overdue(): Map<DataNode, BlockId[]> {
    const untilMs = this.#clock.mono() - confirmMs
    const found = new Map<DataNode, BlockId[]>()
    for (const [node, claims] of this.#nodes) {
      const ids: BlockId[] = []
      for (const [id, atMs] of claims) {
        if (atMs > untilMs) break
        claims.delete(id)
        ids.push(id)
      }
      if (ids.length > 0) found.set(node, ids)
      if (claims.size === 0) this.#nodes.delete(node)
    }
    return found
  }

  /** Throws AssertionFailed if claims are not in the order of their times. For tests and simulations. */
  checkState(): void {
    for (const [node, claims] of this.#nodes) {
      let last = -Infinity
      for (const [id, atMs] of claims) {
        assert(atMs >= last, `the claim on block ${id} of ${node.node} is older than the one before it`)
        last = atMs
      }
    }
  }
}
