// Room of users: the messages `user.*`.

import type { Clock } from '../../src/ports/clock.ts'
import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import { room } from '../room.ts'
import { userMutations } from './mutations.ts'
import { userRoutes } from './routes.ts'

interface UsersNeeds {
  readonly world: { readonly clock: Clock }
  readonly journal: Journal
  readonly actor: (user: string) => Actor
}

export const usersRoom = room({
  name: 'users',
  mutations: userMutations,
  open: ({ world: { clock }, journal, actor }: UsersNeeds) => ({ routes: userRoutes({ journal, clock, actor }) }),
})
