// Mutations of the trash: discard (instead of remove), restore, purge. Who may remove a thing may discard it, and an item
// is its user's. What is purged is removed like anything else, and taken apart in the background.

import { GristmillError } from '../../src/base/errors.ts'
import type { RequestId } from '../../src/base/ids.ts'
import { isWithin, join, nameOf, parentOf, systemDirectory } from '../../src/base/paths.ts'
import { mutation, type Actor, type AnyMutation } from '../journal/operation.ts'
import { directoryMode, removable, rename, type Removing } from '../namespace/names.ts'
import { hasSnapshots } from '../namespace/history.ts'
import { checkNoSnapshots, detach, makeDirectories, move } from '../namespace/tree.ts'
import { contentOf, itemAt, itemPath, items, keyOfItem, openItem } from './items.ts'

interface Asked extends Actor { readonly requestId?: RequestId | undefined; readonly nowMs: number }

/** What the system keeps, its trash too, is removed at once. */
export const isFinal = (path: string): boolean => isWithin(path, systemDirectory)

/** Moves a thing into the trash of whoever asks. The result is the item's name. */
export const discard = mutation<Asked & Removing & { path: string }, string>({
  kind: 'trash.discard',
  mutate(draft, { path, recursive, searched, nowMs, user, root }) {
    const { parent, name, entry } = removable(draft, { user, root }, path, { recursive, searched })
    if (entry.directory) checkNoSnapshots(draft, entry.id, path, 'removed')
    const item = openItem(draft, { user, from: path, removedMs: Math.floor(nowMs) })
    move(draft, { parent: parent.entry.id, name }, { parent: item.id, name }, entry)
    return item.name
  },
})

/** The result is the path that the thing has now. */
export const restore = mutation<Asked & { item: string; to?: string | undefined; overwrite?: boolean | undefined }, string>({
  kind: 'trash.restore',
  mutate(draft, { item: name, to: wanted, overwrite, nowMs, user, root }) {
    const actor = { user, root }
    const item = itemAt(draft, name)
    const content = item && contentOf(draft, item)
    if (!item || !content?.entry)
      throw new GristmillError(
        'ENOENT',
        `there is no item ${name} in the trash; it was restored or removed for good, by somebody or by time`,
        { details: { item: name } },
      )
    if (!root && item.user !== user)
      throw new GristmillError('EACCES', `the item ${name} is in the trash of ${item.user}`, { details: { item: name } })
    const to = wanted ?? item.from
    makeDirectories(draft, actor, parentOf(to), { mode: directoryMode, nowMs, asked: to })
    rename.mutate(draft, { from: join(itemPath(item), nameOf(item.from)), to, overwrite, nowMs, ...actor })
    detach(draft, content.home, item.name, content.directory)
    draft.remove('trash', item.key)
    return to
  },
})

export interface Purged {
  readonly removed: number
  /** Where to go on: the name of an item. */
  readonly next?: string
}

/** Removes what was discarded before `beforeMs`, of one user or of all; looks at `limit` items, from the one of the name `from` on. */
export const purge = mutation<
  { requestId?: RequestId | undefined; owner?: string | undefined; beforeMs: number; from?: string | undefined; limit: number },
  Purged
>({
  kind: 'trash.purge',
  mutate(draft, { owner, beforeMs, from, limit }) {
    const page = [...items(draft, { from: from === undefined ? undefined : keyOfItem(from), limit: limit + 1 })]
    let removed = 0
    for (const item of page.slice(0, limit)) {
      if (item.removedMs >= beforeMs) return { removed }
      if (owner !== undefined && item.user !== owner) continue
      const content = contentOf(draft, item)
      // Somebody may have moved something with snapshots in here by hand, and made it his own care.
      if (content && !hasSnapshots(draft, item.id)) detach(draft, content.home, item.name, content.directory)
      draft.remove('trash', item.key)
      if (content?.entry) removed++
    }
    const next = page[limit]
    return { removed, ...(next && { next: next.name }) }
  },
})

export const trashMutations: readonly AnyMutation[] = [discard, restore, purge]
