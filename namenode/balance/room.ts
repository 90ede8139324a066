// Room of balancing: moving blocks from full datanodes to empty ones while an operator's request for it is stored. It uses the copies and
// deletions of the room of blocks, which does not know it.

import type { World } from '../../src/ports/world.ts'
import type { Blocks } from '../blocks/blocks.ts'
import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import type { NodeRegistry } from '../nodes/registry.ts'
import { room } from '../room.ts'
import { Balancer } from './balancer.ts'
import { balanceMutations } from './request.ts'
import { BalanceControl } from './routes.ts'

interface BalanceNeeds {
  readonly world: Pick<World, 'clock' | 'log' | 'random'>
  readonly journal: Journal
  readonly actor: (user: string) => Actor
  readonly registry: NodeRegistry
  readonly blocks: Blocks
}

export const balanceRoom = room({
  name: 'balance',
  mutations: balanceMutations,
  open({ world: { clock, log, random }, journal, actor, registry, blocks }: BalanceNeeds) {
    const balancer = new Balancer({ view: journal.view, blocks, registry, clock, log, random })
    const { routes, chore } = new BalanceControl({ journal, balancer, clock, log, actor })
    return { made: { balancer }, routes, chores: [chore] }
  },
})
