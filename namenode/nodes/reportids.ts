// Report ids: 16-bit numbers that stand for a datanode in the block table. A node gets a new one for each full report:
// replicas that the report does not list keep the old id and vanish when it is retired, without comparing lists. A retired id
// stands for no node; it is reused only after a review has removed it from the whole table.

import { GristmillError } from '../../src/base/errors.ts'
import type { DataNode } from './node.ts'

/** Marks an empty place in the block table. */
export const noReportId = 0xffff

export class ReportIds {
  readonly #nodes: Array<DataNode | undefined> = []
  readonly #free: number[] = []
  readonly #retired = new Set<number>()
  readonly #listeners: Array<() => void> = []

  /** `retired` is called when there are retired ids to remove from the table. */
  listen(retired: () => void): void { this.#listeners.push(retired) }

  node(reportId: number): DataNode | undefined { return this.#nodes[reportId] }

  grant(node: DataNode): number {
    const reportId = this.#free.pop() ?? this.#nodes.length
    if (reportId >= noReportId)
      throw new GristmillError('OVERLOADED', 'too many datanodes have registered in a short time; try again in a moment')
    this.#nodes[reportId] = node
    return reportId
  }

  retire(reportId: number): void {
    if (!this.#nodes[reportId]) return
    this.#nodes[reportId] = undefined
    this.#retired.add(reportId)
    for (const retired of this.#listeners) retired()
  }

  /** Retired ids; after removing them from all blocks, the caller passes them to `wiped`. */
  get retired(): ReadonlySet<number> { return this.#retired }

  wiped(reportIds: Iterable<number>): void {
    for (const reportId of reportIds) if (this.#retired.delete(reportId)) this.#free.push(reportId)
  }
}
