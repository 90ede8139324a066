// Datanodes that did not answer this process lately. Whoever reads asks others first for a while, so that a node that is cut off
// or frozen costs one wait and not one for every block, until the namenode has noticed too.
// Invariant: doubt changes the order in which replicas are asked, never which ones.

import type { NodeId } from '../base/ids.ts'
import type { Clock } from '../ports/clock.ts'
import type { NodePlace } from '../protocol/fields.ts'

/** By then the namenode has declared a dead one dead, and lists it no more. */
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

  /** It has answered. */
  clear(node: NodeId): void { if (this.#until.size > 0) this.#until.delete(node) }

  /** The same places, those in doubt last. */
  sort(places: readonly NodePlace[]): readonly NodePlace[] {
    if (this.#until.size === 0) return places
    return places.toSorted((a, b) => Number(this.has(a.node)) - Number(this.has(b.node)))
  }
}
