// Room of quotas: the messages `quota.*`, and the chore that counts the usage of a directory with a new quota.

import type { Clock } from '../../src/ports/clock.ts'
import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import type { Authority } from '../succession/authority.ts'
import { room } from '../room.ts'
import { counting } from './counter.ts'
import { quotaMutations } from './mutations.ts'
import { quotaRoutes } from './routes.ts'

interface QuotasNeeds {
  readonly world: { readonly clock: Clock }
  readonly journal: Journal
  readonly actor: (user: string) => Actor
  readonly authority: Authority
  readonly removed: () => void
}

export const quotasRoom = room({
  name: 'quotas',
  mutations: quotaMutations,
  open({ world: { clock }, journal, actor, authority, removed }: QuotasNeeds) {
    let stopped = false
    return {
      routes: quotaRoutes({ journal, clock, actor }),
      chores: [counting({ journal, clock, removed, frozen: () => authority.frozen, stopped: () => stopped })],
      quit: () => { stopped = true },
    }
  },
})
