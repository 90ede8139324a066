// Room of the datanodes that this namenode knows, and of its own right to act: registry, succession and authority. It checks the routes and
// chores of all rooms. Datanodes are answered by nodes/callsroom.ts, once all rooms listen to the registry.

import type { World } from '../../src/ports/world.ts'
import type { Seen } from '../../src/protocol/position.ts'
import type { Journal } from '../journal/journal.ts'
import { room } from '../room.ts'
import { Authority } from './authority.ts'
import { forgetGone, giveUp, hadNodes, knownNodes, nodeMutations, noteRegistered } from './known.ts'
import { NodeRegistry } from './registry.ts'
import { ReportIds } from './reportids.ts'
import { Succession } from './succession.ts'

interface NodesNeeds {
  readonly world: Pick<World, 'clock' | 'disk' | 'log' | 'random'>
  readonly journal: Journal
  readonly config: { readonly dir: string; readonly beside?: Seen | undefined }
  readonly times: { readonly nodeStaleMs: number; readonly nodeDeadMs: number; readonly longPollMs: number }
}

export interface NodesMade {
  readonly registry: NodeRegistry
  readonly reportIds: ReportIds
  readonly succession: Succession
  readonly authority: Authority
}

export const nodesRoom = room<NodesNeeds, NodesMade>({
  name: 'nodes',
  mutations: nodeMutations,
  async open({ world, journal, config: { dir, beside }, times }) {
    const { clock, log, random } = world
    const succeed = await Succession.begin({ world, journal, dir, beside })
    const reportIds = new ReportIds()
    const registry = new NodeRegistry({ clock, log, random }, reportIds, times)
    const known = [...knownNodes(journal.view)]
    const succession = await succeed({
      awake: registry.awake, nodeDeadMs: times.nodeDeadMs,
      witnesses: known.filter(({ service }) => service?.state !== 'decommissioned').map(({ node }) => node),
      hadNodes: known.length > 0 || hadNodes(journal.view),
    })
    for (const each of known) registry.expect(each)
    const authority = new Authority(succession)
    succession.listen({
      async sure(givenUp) {
        // Replies are no longer provisional: datanodes remember changes from now on.
        for (const { orders } of registry.all) orders.nudge()
        await noteRegistered({ journal, registry, clock })
        if (!givenUp) return
        log.warn('datanodes that have not registered are given up, as an operator has confirmed', { nodes: givenUp })
        await giveUp({ journal, registry }, givenUp)
      },
    })
    return {
      made: { registry, reportIds, succession, authority },
      gate: route => authority.guard(route, journal),
      gateChore: chore => authority.guardChore(chore),
      chores: [
        { name: 'check heartbeats', everyMs: Math.min(250, times.nodeStaleMs / 4), work: () => registry.check() },
        { name: 'forget dead nodes', everyMs: 60_000, records: true, work: () => forgetGone({ journal, registry, clock }) },
      ],
      stop: () => registry.stop(),
    }
  },
})
