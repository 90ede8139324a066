// The block table names a replica's node by a 16-bit number. A node gets a new one each time it begins a full report:
// whatever the report does not mention keeps the old number and is gone once that is retired; no list is compared.
// A retired number means nobody; it is used again only after it has been wiped from the whole table.

import { GristmillError } from '../../src/base/errors.ts'
import type { DataNode } from './node.ts'

/** Stands for an empty place in the block table. */
export const noReportId = 0xffff

export class ReportIds {
  readonly #nodes: Array<DataNode | undefined> = []
  readonly #free: number[] = []
  readonly #retired = new Set<number>()
  /** Called when there are retired numbers to be wiped. */
  onRetired: () => void = () => {}

  node(reportId: number): DataNode | undefined { return this.#nodes[reportId] }

  grant(node: DataNode): number {
    const reportId = this.#free.pop() ?? this.#nodes.length
    if (reportId >= noReportId)
      throw new GristmillError('OVERLOADED', 'too many datanodes have registered in a short time; this one is taken in a moment')
    this.#nodes[reportId] = node
    return reportId
  }

  retire(reportId: number): void {
    if (!this.#nodes[reportId]) return
    this.#nodes[reportId] = undefined
    this.#retired.add(reportId)
    this.onRetired()
  }

  /** The numbers to wipe; give them to `wiped` when no block has them any more. */
  get retired(): ReadonlySet<number> { return this.#retired }

  wiped(reportIds: Iterable<number>): void {
    for (const reportId of reportIds) if (this.#retired.delete(reportId)) this.#free.push(reportId)
  }
}
