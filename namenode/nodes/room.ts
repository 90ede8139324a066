// Room of the datanodes that this namenode knows: their registry, and the report ids that stand for them in the block table. Datanodes are
// answered by another room (nodecalls/room.ts), once all rooms listen to the registry.

import type { World } from '../../src/ports/world.ts'
import type { Journal } from '../journal/journal.ts'
import { room } from '../room.ts'
import { forgetGone, knownNodes, nodeMutations } from './known.ts'
import { NodeRegistry } from './registry.ts'
import { ReportIds } from './reportids.ts'

interface NodesNeeds {
  readonly world: Pick<World, 'clock' | 'log' | 'random'>
  readonly journal: Journal
  readonly times: { readonly nodeStaleMs: number; readonly nodeDeadMs: number; readonly longPollMs: number }
}

export const nodesRoom = room({
  name: 'nodes',
  mutations: nodeMutations,
  open({ world: { clock, log, random }, journal, times }: NodesNeeds) {
    const reportIds = new ReportIds()
    const registry = new NodeRegistry({ clock, log, random }, reportIds, times)
    for (const each of knownNodes(journal.view)) registry.expect(each)
    return {
      made: { registry, reportIds },
      chores: [
        { name: 'check heartbeats', everyMs: Math.min(250, times.nodeStaleMs / 4), work: () => registry.check() },
        { name: 'forget dead nodes', everyMs: 60_000, records: true, work: () => forgetGone({ journal, registry, clock }) },
      ],
      stop: () => registry.stop(),
      checkState: () => registry.checkState(),
    }
  },
})
