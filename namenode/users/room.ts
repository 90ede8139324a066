// Room of users: the messages `user.*` and `token.*`, and the chores that remove expired delegation tokens and, while the cluster's secret
// is changed, seal access keys anew.

import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import type { Random } from '../../src/ports/random.ts'
import { Vault } from '../../src/rpc/vault.ts'
import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import { room } from '../room.ts'
import { userMutations } from './mutations.ts'
import { resealing, sealingWith } from './resealing.ts'
import { userRoutes } from './routes.ts'
import { tokenMutations } from './tokenmutations.ts'
import { expiringTokens, tokenRoutes } from './tokenroutes.ts'

interface UsersNeeds {
  readonly world: { readonly clock: Clock; readonly log: Log; readonly random: Random }
  readonly config: { readonly secret: Uint8Array; readonly otherSecret?: Uint8Array | undefined }
  readonly journal: Journal
  readonly actor: (user: string) => Actor
  readonly authority: { readonly frozen: boolean }
}

export const usersRoom = room({
  name: 'users',
  mutations: [...userMutations, ...tokenMutations],
  open: ({ world: { clock, log, random }, config, journal, actor, authority }: UsersNeeds) => {
    const parts = { journal, clock, frozen: () => authority.frozen }
    const vault = config.otherSecret && new Vault(config, random)
    return {
      routes: [
        ...userRoutes({ journal, clock, actor, sealing: vault && sealingWith(vault) }), ...tokenRoutes({ journal, clock, actor }),
      ],
      chores: [expiringTokens(parts), ...vault ? [resealing({ ...parts, log, vault })] : []],
    }
  },
})
