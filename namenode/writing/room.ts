// Two rooms of files being written. The room of leases is opened before the room of blocks, which asks whether a block belongs to a lease.
// The room that answers writers is opened after the room of blocks, because it places blocks.

import type { BlockId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Random } from '../../src/ports/random.ts'
import type { BlockTokens } from '../../src/rpc/token.ts'
import type { Blocks } from '../blocks/blocks.ts'
import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import type { Authority } from '../succession/authority.ts'
import type { NodeRegistry } from '../nodes/registry.ts'
import { room } from '../room.ts'
import { Lifetimes } from './lifetimes.ts'
import { writingMutations } from './mutations.ts'
import { concat } from './concat.ts'
import { put } from './put.ts'
import { expireLeases, writingRoutes } from './routes.ts'

interface LeasesNeeds {
  readonly journal: Journal
  readonly registry: NodeRegistry
  readonly times: { readonly leaseSoftMs: number; readonly leaseHardMs: number }
}

export const leasesRoom = room({
  name: 'leases',
  mutations: [],
  open({ journal, registry, times }: LeasesNeeds) {
    const lifetimes = new Lifetimes({ clock: registry.awake, view: journal.view, times })
    return { made: { lifetimes }, checkState: () => lifetimes.checkState() }
  },
})

interface WritingNeeds {
  readonly world: { readonly clock: Clock; readonly random: Random }
  readonly config: { readonly defaults: { readonly replication: number; readonly blockBytes: number } }
  readonly inlineBytes: number
  readonly journal: Journal
  readonly tokens: BlockTokens
  readonly actor: (user: string) => Actor
  readonly registry: NodeRegistry
  readonly authority: Authority
  readonly lifetimes: Lifetimes
  readonly blocks: Blocks
}

export const writingRoom = room({
  name: 'writing',
  mutations: [...writingMutations, put, concat],
  open(needs: WritingNeeds) {
    const { world: { clock, random }, config: { defaults }, inlineBytes, journal, tokens, actor } = needs
    const { registry, authority, lifetimes, blocks } = needs
    const invalidate = (ids: readonly BlockId[]): void => blocks.invalidate(ids)
    return {
      routes: writingRoutes({
        journal, registry, map: blocks.map, lifetimes, tokens, clock, random, defaults, actor, inlineBytes, invalidate,
      }),
      chores: [{
        name: 'end expired leases', everyMs: 1000,
        work: () => { if (!authority.frozen) return expireLeases({ journal, lifetimes, invalidate }) },
      }],
    }
  },
})
