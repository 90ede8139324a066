// Room of the trash: the messages `trash.*`, and the chore that purges expired items.

import type { Clock } from '../../src/ports/clock.ts'
import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import { room } from '../room.ts'
import { trashMutations } from './mutations.ts'
import { purging, trashRoutes } from './routes.ts'

interface TrashNeeds {
  readonly world: { readonly clock: Clock }
  readonly trashKeepMs: number
  readonly journal: Journal
  readonly actor: (user: string) => Actor
  /** Authority of this namenode. */
  readonly authority: { readonly frozen: boolean }
  readonly removed: () => void
}

export const trashRoom = room({
  name: 'trash',
  mutations: trashMutations,
  open({ world: { clock }, trashKeepMs: keepMs, journal, actor, authority, removed }: TrashNeeds) {
    const options = { journal, clock, actor, keepMs, removed, frozen: () => authority.frozen }
    return { routes: trashRoutes(options), chores: [purging(options)] }
  },
})
