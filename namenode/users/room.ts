// Room of users: the messages `user.*` and `token.*`, and the chore that removes expired delegation tokens.

import type { Clock } from '../../src/ports/clock.ts'
import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import { room } from '../room.ts'
import { userMutations } from './mutations.ts'
import { userRoutes } from './routes.ts'
import { tokenMutations } from './tokenmutations.ts'
import { expiringTokens, tokenRoutes } from './tokenroutes.ts'

interface UsersNeeds {
  readonly world: { readonly clock: Clock }
  readonly journal: Journal
  readonly actor: (user: string) => Actor
  readonly authority: { readonly frozen: boolean }
}

export const usersRoom = room({
  name: 'users',
  mutations: [...userMutations, ...tokenMutations],
  open: ({ world: { clock }, journal, actor, authority }: UsersNeeds) => ({
    routes: [...userRoutes({ journal, clock, actor }), ...tokenRoutes({ journal, clock, actor })],
    chores: [expiringTokens({ journal, clock, frozen: () => authority.frozen })],
  }),
})
