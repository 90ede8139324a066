// Room of objects: the messages `object.*`, by which gateways for clients of object stores write, list and remove files.

import { limits } from '../../src/base/limits.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Blocks } from '../blocks/blocks.ts'
import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import type { NodeRegistry } from '../nodes/registry.ts'
import { room } from '../room.ts'
import type { Lifetimes } from '../writing/lifetimes.ts'
import { directoryMutations } from './directories.ts'
import { expiring } from './expiry.ts'
import { joinMutations } from './join.ts'
import { objectMutations } from './mutations.ts'
import { removalMutations } from './removal.ts'
import { objectRoutes } from './routes.ts'
import { versioningMutations } from './versioning.ts'

interface ObjectsNeeds {
  readonly world: { readonly clock: Clock }
  readonly journal: Journal
  readonly actor: (user: string) => Actor
  readonly registry: NodeRegistry
  readonly lifetimes: Lifetimes
  readonly blocks: Blocks
  readonly config: {
    readonly uploadKeepMs?: number | undefined
    readonly defaults: { readonly replication: number; readonly blockBytes: number }
  }
  readonly inlineBytes: number
  /** Authority of this namenode. */
  readonly authority: { readonly frozen: boolean }
  readonly removed: () => void
}

export const objectsRoom = room({
  name: 'objects',
  mutations: [...objectMutations, ...joinMutations, ...removalMutations, ...directoryMutations, ...versioningMutations],
  open: ({ world: { clock }, config, inlineBytes, journal, actor, registry, lifetimes, blocks, authority, removed }: ObjectsNeeds) => ({
    routes: objectRoutes({
      journal, clock, actor, registry, lifetimes, map: blocks.map, invalidate: ids => blocks.invalidate(ids), inlineBytes,
      defaults: config.defaults,
    }),
    chores: [expiring({
      journal, clock, removed, keepMs: config.uploadKeepMs ?? limits.uploadKeepMs, frozen: () => authority.frozen,
    })],
  }),
})
