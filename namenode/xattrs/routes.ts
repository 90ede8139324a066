// Routes of extended attributes. Users who own an entry or may read it may read its attributes. Entries in a snapshot show
// their current attributes, which belong to the inode.

import * as protocol from '../../src/protocol/xattr.ts'
import { route, type Route } from '../../src/rpc/serve.ts'
import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import { checkMay, mayRead } from '../namespace/access.ts'
import { userAttributesOf } from './rows.ts'
import { find } from '../namespace/asof.ts'
import { checkFree } from '../namespace/reserved.ts'
import { dropAttribute, setAttribute } from './mutations.ts'

const owned = (name: string): { owned?: true } => (protocol.isOwned(name) ? { owned: true } : {})

export function xattrRoutes({ journal, actor }: { readonly journal: Journal; readonly actor: (user: string) => Actor }): Route[] {
  return [
    route(protocol.set, async ({ requestId, path, name, value }, { user }) => {
      checkFree(path)
      await journal.submit(setAttribute, { requestId, path, name, value, ...owned(name), ...actor(user) })
      return {}
    }),
    route(protocol.remove, async ({ requestId, path, name }, { user }) => {
      checkFree(path)
      await journal.submit(dropAttribute, { requestId, path, name, ...owned(name), ...actor(user) })
      return {}
    }),
    route(protocol.list, ({ path }, { user }) => {
      const who = actor(user)
      const { entry } = find(journal.view, who, path)
      if (entry.owner !== user) checkMay(who, entry, mayRead, path)
      // Attributes of the system, such as versions of objects, are no user's, and no copy takes them over.
      return { attributes: [...userAttributesOf(journal.view, entry.id)] }
    }),
  ]
}
