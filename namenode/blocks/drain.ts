// How far nodes are that are to be emptied, or to be away: a walk over all blocks in small steps, counting what lies on them
// and what of it would be missed. Copying is the repair's work; this only looks.

import type { Clock } from '../../src/ports/clock.ts'
import type { DataNode, DrainCounts } from '../nodes/node.ts'
import type { BlockMap } from './map.ts'

/** Slots between two turns of the event loop. */
const slotsMax = 20_000

/** `places`: nodes that may take copies, now or soon. undefined: the table grew under the walk; another one is needed. */
export async function countDrain(
  { map, clock, places }: { map: BlockMap; clock: Clock; places: number },
  nodes: readonly DataNode[],
): Promise<Map<DataNode, DrainCounts> | undefined> {
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
        // A node that comes back is missed only for what nobody else has; one that goes for ever, for all that is short of its
        // target without it and could have another copy, for what nobody else has, and for what is being written.
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
