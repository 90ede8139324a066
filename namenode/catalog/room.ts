// Room of the catalogue of tables: the messages `table.*`.

import type { Clock } from '../../src/ports/clock.ts'
import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import { room } from '../room.ts'
import { catalogMutations } from './mutations.ts'
import { catalogRoutes } from './routes.ts'

interface CatalogNeeds {
  readonly world: { readonly clock: Clock }
  readonly journal: Journal
  readonly actor: (user: string) => Actor
}

export const catalogRoom = room({
  name: 'catalog',
  mutations: catalogMutations,
  open: ({ world: { clock }, journal, actor }: CatalogNeeds) => ({ routes: catalogRoutes({ journal, clock, actor }) }),
})
