// Room of the journal: operations that belong to no other room, and the chores that keep store and journal small. The root opens both.

import type { Clock } from '../../src/ports/clock.ts'
import type { Store } from '../../src/ports/store.ts'
import { room } from '../room.ts'
import type { Journal } from './journal.ts'
import { recoveredMutations } from './recovered.ts'
import { forgetting, requestMutations } from './requests.ts'
import { startMutations } from './starts.ts'

interface JournalNeeds {
  readonly world: { readonly clock: Clock }
  readonly journal: Journal
  readonly store: Store
}

export const journalRoom = room({
  name: 'journal',
  mutations: [...requestMutations, ...startMutations, ...recoveredMutations],
  open: ({ world: { clock }, journal, store }: JournalNeeds) => ({
    chores: [forgetting(journal, clock), { name: 'give back memory', everyMs: 500, work: () => store.relax() }],
  }),
})
