// Blocks held by nodes that are decommissioning or in maintenance: walks all blocks in small steps and counts per node its blocks and
// those that still need a copy elsewhere, which is the progress that is shown. Read-only; blocks/repair.ts makes the copies.

import type { Clock } from '../../src/ports/clock.ts'
import type { DataNode, HeldCounts } from '../nodes/node.ts'
import type { BlockMap } from '../blocks/map.ts'

/** Slots between two turns of the event loop. */
const slotsMax = 20_000

/** `places`: nodes that may take copies, now or soon. Returns undefined if the table changed under the walk; the caller tries again. */
export async function countHeld(
  { map, clock, places }: { map: BlockMap; clock: Clock; places: number },
  nodes: readonly DataNode[],
): Promise<Map<DataNode, HeldCounts> | undefined> {
  const { table } = map
  const { generation } = table
  const counts = new Map<DataNode, { blocks: number; remaining: number; short?: number }>(
    nodes.map(node => [node, { blocks: 0, remaining: 0 }]),
  )
  const byReportId = new Map<number, DataNode>()
  for (const node of nodes) for (const reportId of [node.reportId, ...node.earlier]) byReportId.set(reportId, node)
  const seen = new Set<DataNode>()
  for (let slot = table.capacity - 1; slot >= 0;) {
    for (const end = Math.max(-1, slot - slotsMax); slot > end; slot--) {
      const id = table.at(slot)
      if (id === undefined) continue
      seen.clear()
      for (const reportId of table.reportIds(slot)) {
        const node = byReportId.get(reportId)
        if (node?.holds) seen.add(node)
      }
      if (seen.size === 0) continue
      const target = table.target(slot)
      const { live, inMaintenance } = map.tally(id)
      for (const node of seen) {
        const count = counts.get(node)!
        count.blocks++
        // Maintenance: a block remains if no node in service holds it. Decommissioning: a block remains if it is being written, or if
        // without this node it has fewer replicas than its target and than there are places for.
        if (
          node.inMaintenance
            ? target > 0 && live === 0
            : target === 0 || live + inMaintenance < Math.min(target, Math.max(1, places + inMaintenance))
        )
          count.remaining++
        else if (!node.inMaintenance && live + inMaintenance < target) count.short = (count.short ?? 0) + 1
      }
    }
    await clock.yield()
    if (table.generation !== generation) return undefined
  }
  return counts
}
