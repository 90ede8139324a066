// Room of snapshots: the messages `snapshot.*`. The sweeper of the namespace removes the history that no snapshot sees any more.

import type { Clock } from '../../src/ports/clock.ts'
import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import { room } from '../room.ts'
import { snapshotMutations } from './mutations.ts'
import { snapshotRoutes } from './routes.ts'

interface SnapshotsNeeds {
  readonly world: { readonly clock: Clock }
  readonly journal: Journal
  readonly actor: (user: string) => Actor
  readonly removed: () => void
}

export const snapshotsRoom = room({
  name: 'snapshots',
  mutations: snapshotMutations,
  open: ({ world: { clock }, journal, actor, removed }: SnapshotsNeeds) => ({
    routes: snapshotRoutes({ journal, clock, actor, removed }),
  }),
})
