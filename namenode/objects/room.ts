// Room of objects: the messages `object.*`, by which gateways for clients of object stores write, list and remove files.

import type { Clock } from '../../src/ports/clock.ts'
import type { Blocks } from '../blocks/blocks.ts'
import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import type { NodeRegistry } from '../nodes/registry.ts'
import { room } from '../room.ts'
import type { Lifetimes } from '../writing/lifetimes.ts'
import { objectMutations } from './mutations.ts'
import { objectRoutes } from './routes.ts'

interface ObjectsNeeds {
  readonly world: { readonly clock: Clock }
  readonly journal: Journal
  readonly actor: (user: string) => Actor
  readonly registry: NodeRegistry
  readonly lifetimes: Lifetimes
  readonly blocks: Blocks
}

export const objectsRoom = room({
  name: 'objects',
  mutations: objectMutations,
  open: ({ world: { clock }, journal, actor, registry, lifetimes, blocks }: ObjectsNeeds) => ({
    routes: objectRoutes({ journal, clock, actor, registry, lifetimes, map: blocks.map, invalidate: ids => blocks.invalidate(ids) }),
  }),
})
