// Room of what operators order about datanodes: decommission, maintenance, and balancing between them. The copies are made by the rooms of
// blocks.

import type { World } from '../../src/ports/world.ts'
import type { Blocks } from '../blocks/blocks.ts'
import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import type { NodeRegistry } from '../nodes/registry.ts'
import { room } from '../room.ts'
import { BalanceControl } from './balancecontrol.ts'
import { balanceMutations } from './balancerequest.ts'
import { serviceMutations } from './rows.ts'
import { ServiceStates } from './servicestates.ts'

interface ServiceNeeds {
  readonly world: Pick<World, 'clock' | 'log'>
  readonly journal: Journal
  readonly actor: (user: string) => Actor
  readonly registry: NodeRegistry
  readonly blocks: Blocks
}

export const serviceRoom = room({
  name: 'service',
  mutations: [...serviceMutations, ...balanceMutations],
  open({ world: { clock, log }, journal, actor, registry, blocks }: ServiceNeeds) {
    const states = new ServiceStates({ journal, registry, blocks, clock, actor })
    const balancing = new BalanceControl({ journal, balancer: blocks.balancer, clock, log, actor })
    return { routes: [...states.routes, ...balancing.routes], chores: [states.chore, balancing.chore] }
  },
})
