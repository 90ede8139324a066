// Mutations of the trash: discard (instead of remove), restore, purge. Users who may remove an entry may discard it; an item
// belongs to its user. Purged items are removed like other entries, and swept in the background.

import { GristmillError } from '../../src/base/errors.ts'
import { isWithin, join, nameOf, parentOf, systemDirectory } from '../../src/base/paths.ts'
import { mutation, type AnyMutation, type Requested, type UserOperation } from '../journal/operation.ts'
import { removable, rename, type Removing } from '../namespace/names.ts'
import { hasSnapshots } from '../snapshots/history.ts'
import { checkNoSnapshots, detach, makeDirectories, move } from '../namespace/tree.ts'
import { contentOf, itemAt, itemPath, items, keyOfItem, openItem } from './items.ts'


/** Entries of the system directory, including the trash, are removed at once. */
export const isFinal = (path: string): boolean => isWithin(path, systemDirectory)

/** Moves an entry into the trash of the calling user. Result: the item's name. */
export const discard = mutation<UserOperation & Removing & { path: string }, string>({
  kind: 'trash.discard',
  mutate(draft, { path, recursive, searched, nowMs, user, root }) {
    const { parent, name, entry } = removable(draft, { user, root }, path, { recursive, searched })
    if (entry.directory) checkNoSnapshots(draft, entry.id, path, 'removed')
    const item = openItem(draft, { user, from: path, removedMs: Math.floor(nowMs) })
    move(draft, { parent: parent.entry.id, name }, { parent: item.id, name }, entry)
    return item.name
  },
})

/** Restores an item. Result: the new path of the entry. */
export const restore = mutation<UserOperation & { item: string; to?: string | undefined; overwrite?: boolean | undefined }, string>({
  kind: 'trash.restore',
  mutate(draft, { item: name, to: wanted, overwrite, nowMs, user, root }) {
    const actor = { user, root }
    const item = itemAt(draft, name)
    const content = item && contentOf(draft, item)
    if (!item || !content?.entry)
      throw new GristmillError(
        'ENOENT',
        `there is no item ${name} in the trash; it was restored, removed, or has expired`,
        { details: { item: name } },
      )
    if (!root && item.user !== user)
      throw new GristmillError('EACCES', `the item ${name} is in the trash of ${item.user}`, { details: { item: name } })
    const to = wanted ?? item.from
    const { adder } = makeDirectories(draft, actor, parentOf(to), { nowMs, asked: to })
    rename.mutate(draft, { from: join(itemPath(item), nameOf(item.from)), to, overwrite, nowMs, ...adder })
    detach(draft, content.home, item.name, content.directory)
    draft.remove('trash', item.key)
    return to
  },
})

interface Purged {
  readonly removed: number
  /** Name of the item to continue at. */
  readonly next?: string
}

/** Removes items discarded before `beforeMs`, of one user or of all. Examines `limit` items, starting at the name `from`. */
export const purge = mutation<
  Requested & { owner?: string | undefined; beforeMs: number; from?: string | undefined; limit: number },
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
      // A user may have moved a directory with snapshots into the item by hand: it is kept.
      if (content && !hasSnapshots(draft, item.id)) detach(draft, content.home, item.name, content.directory)
      draft.remove('trash', item.key)
      if (content?.entry) removed++
    }
    const next = page[limit]
    return { removed, ...(next && { next: next.name }) }
  },
})

export const trashMutations: readonly AnyMutation[] = [discard, restore, purge]
