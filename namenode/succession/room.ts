// Room of this namenode's right to act: whether it is the latest of its cluster (succession.ts), and what it may answer, change and do
// until then (authority.ts). It checks the routes and chores of all rooms.

import type { World } from '../../src/ports/world.ts'
import type { Seen } from '../../src/protocol/position.ts'
import type { Journal } from '../journal/journal.ts'
import { giveUp, knownNodes, noteRegistered } from '../nodes/known.ts'
import type { NodeRegistry } from '../nodes/registry.ts'
import { room } from '../room.ts'
import { Authority } from './authority.ts'
import { recoveredMutations } from './recovered.ts'
import { startMutations } from './starts.ts'
import { Succession } from './succession.ts'
import { hadNodes } from './witnesses.ts'

interface SuccessionNeeds {
  readonly world: Pick<World, 'clock' | 'disk' | 'log' | 'random'>
  readonly journal: Journal
  readonly config: { readonly dir: string; readonly beside?: Seen | undefined }
  readonly times: { readonly nodeDeadMs: number }
  readonly registry: NodeRegistry
}

export const successionRoom = room({
  name: 'succession',
  mutations: [...startMutations, ...recoveredMutations],
  async open({ world, journal, config: { dir, beside }, times: { nodeDeadMs }, registry }: SuccessionNeeds) {
    const succeed = await Succession.begin({ world, journal, dir, beside })
    const known = [...knownNodes(journal.view)]
    const succession = await succeed({
      awake: registry.awake, nodeDeadMs,
      witnesses: known.filter(({ service }) => service?.state !== 'decommissioned').map(({ node }) => node),
      hadNodes: known.length > 0 || hadNodes(journal.view),
    })
    const authority = new Authority(succession)
    succession.listen({
      async sure(givenUp) {
        // Replies are no longer provisional: datanodes remember changes from now on.
        for (const { orders } of registry.all) orders.nudge()
        await noteRegistered({ journal, registry, clock: world.clock })
        if (!givenUp) return
        world.log.warn('datanodes that have not registered are given up, as an operator has confirmed', { nodes: givenUp })
        await giveUp({ journal, registry }, givenUp)
      },
    })
    return {
      made: { succession, authority },
      gate: route => authority.guard(route, journal),
      gateChore: chore => authority.guardChore(chore),
    }
  },
})
