// Room of the replicas of blocks: where they are, how many there are to be, and on which nodes. Operators' service states of datanodes and
// the balancer belong to it too, because both move replicas.

import type { BlockId } from '../../src/base/ids.ts'
import type { World } from '../../src/ports/world.ts'
import type { BlockTokens } from '../../src/rpc/token.ts'
import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import type { Authority } from '../succession/authority.ts'
import type { NodeRegistry } from '../nodes/registry.ts'
import type { ReportIds } from '../nodes/reportids.ts'
import type { Succession } from '../succession/succession.ts'
import { room } from '../room.ts'
import { BalanceControl } from './balancecontrol.ts'
import { balanceMutations } from './balancerequest.ts'
import { Blocks } from './blocks.ts'
import { Maintenance } from './maintenance.ts'

interface BlocksNeeds {
  readonly world: Pick<World, 'clock' | 'log' | 'random'>
  readonly journal: Journal
  readonly times: { readonly nodeDeadMs: number }
  readonly tokens: BlockTokens
  readonly actor: (user: string) => Actor
  readonly registry: NodeRegistry
  readonly reportIds: ReportIds
  readonly succession: Succession
  readonly authority: Authority
  readonly lifetimes: { isOpen(block: BlockId): boolean }
}

export const blocksRoom = room({
  name: 'blocks',
  mutations: balanceMutations,
  open({ world, journal, times, tokens, actor, registry, reportIds, succession, authority, lifetimes }: BlocksNeeds) {
    const { clock, log, random } = world
    const blocks = new Blocks({
      view: journal.view, registry, reportIds, tokens, clock, log, random, authority, nodeDeadMs: times.nodeDeadMs,
      isOpen: block => lifetimes.isOpen(block),
    })
    succession.listen({ behind: () => blocks.halt() })
    const maintenance = new Maintenance({ journal, registry, blocks, clock, actor })
    const balancing = new BalanceControl({ journal, balancer: blocks.balancer, clock, log, actor })
    return {
      made: { blocks },
      routes: [...maintenance.routes, ...balancing.routes],
      chores: [...blocks.chores, maintenance.chore, balancing.chore],
      start: () => blocks.start(),
      stop: () => blocks.stop(),
    }
  },
})
