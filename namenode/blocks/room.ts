// Room of the replicas of blocks: where they are, how many there are to be, and on which nodes.

import type { BlockId } from '../../src/base/ids.ts'
import type { World } from '../../src/ports/world.ts'
import type { BlockTokens } from '../../src/rpc/token.ts'
import type { Journal } from '../journal/journal.ts'
import type { Authority } from '../succession/authority.ts'
import type { NodeRegistry } from '../nodes/registry.ts'
import type { ReportIds } from '../nodes/reportids.ts'
import type { Succession } from '../succession/succession.ts'
import { room } from '../room.ts'
import { Blocks } from './blocks.ts'

interface BlocksNeeds {
  readonly world: Pick<World, 'clock' | 'log' | 'random'>
  readonly journal: Journal
  readonly times: { readonly nodeDeadMs: number }
  readonly tokens: BlockTokens
  readonly registry: NodeRegistry
  readonly reportIds: ReportIds
  readonly succession: Succession
  readonly authority: Authority
  readonly lifetimes: { isOpen(block: BlockId): boolean }
}

export const blocksRoom = room({
  name: 'blocks',
  mutations: [],
  open({ world, journal, times, tokens, registry, reportIds, succession, authority, lifetimes }: BlocksNeeds) {
    const { clock, log, random } = world
    const blocks = new Blocks({
      view: journal.view, registry, reportIds, tokens, clock, log, random, authority, nodeDeadMs: times.nodeDeadMs,
      isOpen: block => lifetimes.isOpen(block),
    })
    succession.listen({ behind: () => blocks.halt() })
    return {
      made: { blocks },
      chores: blocks.chores,
      start: () => blocks.start(),
      stop: () => blocks.stop(),
      checkState: () => blocks.checkState(),
    }
  },
})
