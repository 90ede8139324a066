// Messages about the trash, client → namenode. `namespace.remove` moves entries here by default; after the configured time they are
// deleted permanently.

import Type, { type Static } from './schema.ts'
import { limits } from '../base/limits.ts'
import { count, inodeId, instant, path, requestId, text } from './fields.ts'
import { message } from './message.ts'

/** Name of an item: its removal time, and a unique number. */
const itemName = Type.String({ minLength: 1, maxLength: 64 })

const trashItem = Type.Object({
  item: itemName,
  /** Original path. */
  from: path,
  /** Current path, at which it can be read. */
  path: Type.String({ minLength: 1, maxLength: limits.pathBytesMax + limits.nameBytesMax }),
  /** User who removed it. */
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
 * The caller's own items, newest first; with `all`, those of all users, which requires the superuser. A page may be short, or
 * empty, and still have a next one.
 */
export const list = message('trash.list', {
  callers: 'user',
  auditRead: ({ all }) => ({ all }),
  request: Type.Object({ all: Type.Optional(Type.Boolean()), after: Type.Optional(cursor) }),
  reply: Type.Object({ items: Type.Array(trashItem), next: Type.Optional(cursor) }),
})

/** Moves an item to its original path, or to `to`. Missing parent directories are created. */
export const restore = message('trash.restore', {
  callers: 'user',
  audit: ({ item, to, overwrite }, reply) => ({ item, path: reply?.path ?? to, overwrite }),
  mutation: true, paths: 'checked',
  request: Type.Object({ requestId, item: itemName, to: Type.Optional(path), overwrite: Type.Optional(Type.Boolean()) }),
  reply: Type.Object({ path }),
})

/** Permanently deletes a page of the caller's own items, oldest first; continue from `next`, with the same `beforeMs`. */
export const empty = message('trash.empty', {
  callers: 'user',
  audit: ({ all, olderThanMs }, reply) => ({ all, olderThanMs, removed: reply?.removed }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({
    requestId,
    all: Type.Optional(Type.Boolean()),
    /** Only items removed at least this long ago, by the namenode's clock. */
    olderThanMs: Type.Optional(count),
    beforeMs: Type.Optional(instant),
    from: Type.Optional(cursor),
  }),
  reply: Type.Object({ removed: count, beforeMs: instant, next: Type.Optional(cursor) }),
})
