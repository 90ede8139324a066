// Report ids: 16-bit numbers that stand for a datanode in the block table. A node gets a new one for each full report:
// replicas that the report does not list keep the old id and vanish when it is retired, without comparing lists. A retired id
// stands for no node; it is reused only after a review has removed it from the whole table.

import { assert, assertKept } from '../../src/base/assert.ts'
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

  /**
   * Throws AssertionFailed unless each report id is granted, retired or free, and those in the block table (`used`) are not free: the next
   * node to which one is granted would count as a holder of these blocks. For tests and simulations.
   */
  checkState(used: Iterable<number>): void {
    const free = new Set(this.#free)
    assertKept('free report ids', this.#free.length, free.size)
    for (const [reportId, node] of this.#nodes.entries()) {
      const states = Number(node !== undefined) + Number(this.#retired.has(reportId)) + Number(free.has(reportId))
      assertKept('states (granted, retired, free)', states, 1, `report id ${reportId}`)
      if (!node) continue
      const own = [node.reportId, ...node.earlier]
      assert(own.includes(reportId), `report id ${reportId} is granted to ${node.node}, which has ${own.join(', ')}`)
    }
    for (const reportId of used)
      assert(reportId < this.#nodes.length && !free.has(reportId), `report id ${reportId} is in the block table and was given back`)
  }
}
