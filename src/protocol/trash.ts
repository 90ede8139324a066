// The conversation about the trash: client → namenode. What `namespace.remove` takes out of the tree goes here first, unless
// the caller or the cluster's settings say otherwise, and is removed for good when it has been here for long enough.

import Type, { type Static } from './schema.ts'
import { limits } from '../base/limits.ts'
import { count, inodeId, instant, path, requestId, text } from './fields.ts'
import { message } from './message.ts'

/** An item's name: when it was removed, and a number that no other item has. */
export const itemName = Type.String({ minLength: 1, maxLength: 64 })

export const trashItem = Type.Object({
  item: itemName,
  /** Where it was. */
  from: path,
  /** Where it is now: it can be read there. */
  path: Type.String({ minLength: 1, maxLength: limits.pathBytesMax + limits.nameBytesMax }),
  /** Who removed it. */
  user: text(255),
  removedMs: instant,
  type: Type.Union([Type.Literal('file'), Type.Literal('directory')]),
  id: inodeId,
  /** Bytes; 0 for a directory. */
  length: count,
})
export type TrashItem = Static<typeof trashItem>

const cursor = Type.String({ maxLength: 64 })

/**
 * The caller's own items, the newest first; with `all`, everybody's, for the superuser. A page may be short, or empty, and have a next one.
 */
export const list = message('trash.list', {
  request: Type.Object({ all: Type.Optional(Type.Boolean()), after: Type.Optional(cursor) }),
  reply: Type.Object({ items: Type.Array(trashItem), next: Type.Optional(cursor) }),
})

/** Gives an item its old name back, or the name `to`. Directories above it that are missing are made. */
export const restore = message('trash.restore', {
  mutation: true,
  request: Type.Object({ requestId, item: itemName, to: Type.Optional(path), overwrite: Type.Optional(Type.Boolean()) }),
  reply: Type.Object({ path }),
})

/** Removes the caller's own items for good, a page of them, the oldest first; ask again from `next`, with the same `beforeMs`. */
export const empty = message('trash.empty', {
  mutation: true,
  request: Type.Object({
    requestId,
    all: Type.Optional(Type.Boolean()),
    /** Only what was removed at least this long ago, by the namenode's clock. */
    olderThanMs: Type.Optional(count),
    beforeMs: Type.Optional(instant),
    from: Type.Optional(cursor),
  }),
  reply: Type.Object({ removed: count, beforeMs: instant, next: Type.Optional(cursor) }),
})
