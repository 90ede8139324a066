// Room of extended attributes: the messages `xattr.*`.

import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import { room } from '../room.ts'
import { xattrMutations } from './mutations.ts'
import { xattrRoutes } from './routes.ts'

interface XattrsNeeds {
  readonly journal: Journal
  readonly actor: (user: string) => Actor
}

export const xattrsRoom = room({
  name: 'xattrs',
  mutations: xattrMutations,
  open: ({ journal, actor }: XattrsNeeds) => ({ routes: xattrRoutes({ journal, actor }) }),
})
