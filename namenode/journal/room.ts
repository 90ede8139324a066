// Room of the journal: answers that are kept for repeated requests, and the chores that keep store and journal small. The
// namenode (namenode/namenode.ts) opens journal and store.

import type { Clock } from '../../src/ports/clock.ts'
import type { Store } from '../../src/ports/store.ts'
import { room } from '../room.ts'
import type { Journal } from './journal.ts'
import { forgetting, requestMutations } from './requests.ts'

interface JournalNeeds {
  readonly world: { readonly clock: Clock }
  readonly journal: Journal
  readonly store: Store
}

export const journalRoom = room({
  name: 'journal',
  mutations: requestMutations,
  open: ({ world: { clock }, journal, store }: JournalNeeds) => ({
    chores: [forgetting(journal, clock), { name: 'give back memory', everyMs: 500, work: () => store.relax() }],
  }),
})
