// Chores of a namenode: periodic background work of all rooms (its folders). Chores that change something check the authority first.

import type { Store } from '../src/ports/store.ts'
import type { World } from '../src/ports/world.ts'
import type { Chore } from './chores.ts'
import type { Journal } from './journal/journal.ts'
import { forgetting } from './journal/requests.ts'
import { forgetGone } from './nodes/known.ts'
import { counting } from './quotas/counter.ts'
import type { Rooms } from './rooms.ts'
import type { NamenodeTimes } from './times.ts'
import { purging } from './trash/routes.ts'
import { expireLeases } from './writing/routes.ts'

interface BackgroundDeps {
  readonly world: Pick<World, 'clock'>
  readonly journal: Journal
  readonly store: Store
  readonly times: NamenodeTimes
  readonly stopped: () => boolean
}

export function backgroundOf(rooms: Rooms, { world: { clock }, journal, store, times, stopped }: BackgroundDeps): Chore[] {
  const { authority, succession, registry, maintenance, blocks, balancing, lifetimes, trash, backups, discard } = rooms
  const { frozen, removed } = trash
  return [
    { name: 'check heartbeats', everyMs: Math.min(250, times.nodeStaleMs / 4), work: () => registry.check() },
    ...blocks.chores,
    authority.whenSure(maintenance.chore),
    authority.whenSure(balancing.chore),
    { name: 'end expired leases', everyMs: 1000, work: () => { if (!frozen()) return expireLeases({ journal, lifetimes, discard }) } },
    purging(trash),
    counting({ journal, clock, frozen, stopped, removed }),
    { name: 'sweep removed entries', everyMs: 500, work: removed },
    authority.whenSure({ name: 'forget dead nodes', everyMs: 60_000, work: () => forgetGone({ journal, registry, clock }) }),
    authority.whenSure(forgetting(journal, clock)),
    { name: 'check the succession', everyMs: 250, work: () => succession.look() },
    backups.chore,
    { name: 'give back memory', everyMs: 500, work: () => store.relax() },
  ]
}
