// The block table names a replica's node by a 16-bit number. A node gets a new one each time it begins a full report:
// whatever the report does not mention keeps the old number and is gone once that is retired; no list is compared.
// A retired number means nobody; it is used again only after it has been wiped from the whole table.

import { GristmillError } from '../../src/base/errors.ts'
import { noTerm } from '../blocks/table.ts'
import type { DataNode } from './node.ts'

export class ReportIds {
  readonly #nodes: Array<DataNode | undefined> = []
  readonly #free: number[] = []
  readonly #retired = new Set<number>()
  /** Called when there are retired numbers to be wiped. */
  onRetired: () => void = () => {}

  node(term: number): DataNode | undefined { return this.#nodes[term] }

  grant(node: DataNode): number {
    const term = this.#free.pop() ?? this.#nodes.length
    if (term >= noTerm) throw new GristmillError('OVERLOADED', 'too many datanodes have registered in a short time; this one is taken in a moment')
    this.#nodes[term] = node
    return term
  }

  retire(term: number): void {
    if (!this.#nodes[term]) return
    this.#nodes[term] = undefined
    this.#retired.add(term)
    this.onRetired()
  }

  /** The numbers to wipe; give them to `wiped` when no block has them any more. */
  get retired(): ReadonlySet<number> { return this.#retired }

  wiped(reportIds: Iterable<number>): void {
    for (const term of reportIds) if (this.#retired.delete(term)) this.#free.push(term)
  }
}
