// Items in the trash. An item is a directory /.gristmill/trash/USER/TIME-NUMBER that holds one removed entry under its own
// name; the former path and the user are in a row of the table "trash", ordered by time. Removing is one rename for any size
// and depth, paths get longer by a few names only, and removed entries of one name do not conflict.
// INVARIANT: every row was written together with an item; an item that its user has moved or emptied no longer counts.

import { createHash } from 'node:crypto'
import { assert } from '../../src/base/assert.ts'
import { inodeId, type InodeId } from '../../src/base/ids.ts'
import { join, nameOf, systemDirectory } from '../../src/base/paths.ts'
import type { TrashItem } from '../../src/protocol/trash.ts'
import { Packer, Unpacker } from '../journal/codec.ts'
import type { Draft } from '../journal/draft.ts'
import { pairKey, readId } from '../journal/keys.ts'
import { systemActor } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import type { NameEntry } from '../namespace/entry.ts'
import { child, directoryAt } from '../namespace/resolve.ts'
import { addDirectory } from '../namespace/tree.ts'

export const trashDirectory = join(systemDirectory, 'trash')

interface Item {
  readonly key: Buffer
  /** `20261123T023805.123Z-77`. */
  readonly name: string
  /** Inode of the item's directory. */
  readonly id: InodeId
  readonly user: string
  readonly from: string
  readonly removedMs: number
}

const version = 1
const packer = new Packer()

/** Name of a user's trash directory; unusual user names are replaced by a hash. */
const homeName = (user: string): string =>
  (/^[A-Za-z0-9_][\w.@+-]{0,199}$/.test(user) ? user : `%${createHash('sha256').update(user).digest('hex').slice(0, 32)}`)

const nameFor = (removedMs: number, id: number): string => `${new Date(removedMs).toISOString().replaceAll(/[-:]/g, '')}-${id}`

/** Key of the item of this name; undefined if the name is not an item's. */
export function keyOfItem(name: string): Buffer | undefined {
  const match = /^(\d{4,6})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d\.\d{3})Z-(\d{1,15})$/.exec(name)
  if (!match) return undefined
  const [, year, month, day, hour, minute, second, id] = match
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(ms) ? undefined : pairKey(ms, Number(id))
}

function decode(key: Buffer, bytes: Buffer): Item {
  const unpacker = new Unpacker(bytes)
  assert(unpacker.u8() === version, 'an item of version 1')
  const removedMs = readId(key)
  const id = inodeId(readId(key, 8))
  return { key: Buffer.from(key), name: nameFor(removedMs, id), id, user: unpacker.text(), from: unpacker.text(), removedMs }
}

export function itemAt(view: View, name: string): Item | undefined {
  const key = keyOfItem(name)
  const bytes = key && view.get('trash', key)
  return bytes && decode(key, bytes)
}

/** Items in order of time. `from` and `before` are keys. */
export function* items(
  view: View,
  { from, before, limit, reverse }: { from?: Buffer | undefined; before?: Buffer | undefined; limit?: number; reverse?: boolean },
): Iterable<Item> {
  for (const { key, value } of view.range('trash', { start: from, end: before, limit, reverse })) yield decode(key, value)
}

const homePath = (user: string): string => join(trashDirectory, homeName(user))
export const itemPath = ({ user, name }: Item): string => join(homePath(user), name)

/** Directory and content of an item, if both are still in place. */
export function contentOf(view: View, item: Item): { home: InodeId; directory: NameEntry; entry: NameEntry | undefined } | undefined {
  const home = homeOf(view, item.user)
  const directory = home && child(view, home, item.name)
  return directory?.id === item.id ? { home: home!, directory, entry: child(view, item.id, nameOf(item.from)) } : undefined
}

function homeOf(view: View, user: string): InodeId | undefined {
  const top = child(view, directoryAt(view, systemActor, systemDirectory).entry.id, nameOf(trashDirectory))
  const home = top && child(view, top.id, homeName(user))
  return home?.directory ? home.id : undefined
}

export function describe(view: View, item: Item): TrashItem | undefined {
  const entry = contentOf(view, item)?.entry
  if (!entry) return undefined
  return {
    item: item.name, from: item.from, path: join(itemPath(item), nameOf(item.from)), user: item.user, removedMs: item.removedMs,
    type: entry.directory ? 'directory' : 'file', id: entry.id, length: entry.length,
  }
}

/** Creates an empty item, whose directory only its user may use. Directories above it are created on first use. */
export function openItem(draft: Draft, { user, from, removedMs }: { user: string; from: string; removedMs: number }): Item {
  const above = directoryAt(draft, systemActor, systemDirectory).entry
  const { owner, group } = above
  const top =
    child(draft, above.id, nameOf(trashDirectory))
    ?? addDirectory(draft, above.id, nameOf(trashDirectory), { owner, group, mode: 0o755, nowMs: removedMs })
  const own = { owner: user, group: user, mode: 0o700, nowMs: removedMs }
  const home = child(draft, top.id, homeName(user)) ?? addDirectory(draft, top.id, homeName(user), own)
  assert(top.directory && home.directory, 'the trash is made of directories')
  const name = nameFor(removedMs, draft.counters.nextInode)
  const { id } = addDirectory(draft, home.id, name, own)
  const key = pairKey(removedMs, id)
  draft.put('trash', key, packer.u8(version).text(user).text(from).done())
  return { key, name, id, user, from, removedMs }
}
