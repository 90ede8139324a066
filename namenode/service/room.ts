// Room of the service states of datanodes, which operators set: decommission and maintenance. The copies are made by the room of blocks.

import type { Clock } from '../../src/ports/clock.ts'
import type { Blocks } from '../blocks/blocks.ts'
import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import type { NodeRegistry } from '../nodes/registry.ts'
import { room } from '../room.ts'
import { serviceMutations } from './rows.ts'
import { ServiceStates } from './servicestates.ts'

interface ServiceNeeds {
  readonly world: { readonly clock: Clock }
  readonly journal: Journal
  readonly actor: (user: string) => Actor
  readonly registry: NodeRegistry
  readonly blocks: Blocks
}

export const serviceRoom = room({
  name: 'service',
  mutations: serviceMutations,
  open({ world: { clock }, journal, actor, registry, blocks }: ServiceNeeds) {
    const { routes, chore } = new ServiceStates({ journal, registry, blocks, clock, actor })
    return { routes, chores: [chore] }
  },
})
