// Datanodes that recently did not answer this process. Readers ask other nodes first for 10 s, so that a node that is cut off or
// paused costs one wait instead of one per block, until the namenode has noticed.
// Invariant: suspicion changes the order in which replicas are asked, never the set.

import type { NodeId } from '../base/ids.ts'
import type { Clock } from '../ports/clock.ts'
import type { NodePlace } from '../protocol/fields.ts'

/** By then the namenode has declared the node dead, and no longer lists it. */
const doubtMs = 10_000

export class SuspectNodes {
  readonly #clock: Clock
  readonly #until = new Map<NodeId, number>()

  constructor(clock: Clock) { this.#clock = clock }

  has(node: NodeId): boolean {
    const until = this.#until.get(node)
    if (until === undefined) return false
    if (this.#clock.mono() < until) return true
    this.#until.delete(node)
    return false
  }

  add(node: NodeId): void { this.#until.set(node, this.#clock.mono() + doubtMs) }

  /** Called when the node has answered. */
  clear(node: NodeId): void { if (this.#until.size > 0) this.#until.delete(node) }

  /** The same places, suspect nodes last. */
  sort(places: readonly NodePlace[]): readonly NodePlace[] {
    if (this.#until.size === 0) return places
    return places.toSorted((a, b) => Number(this.has(a.node)) - Number(this.has(b.node)))
  }
}
