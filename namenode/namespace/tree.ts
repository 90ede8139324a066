// Edits of the name tree, used by the mutations of namespace, writing and jobs. Callers check permissions; this file keeps the
// tree consistent and the counters correct, and hands removed entries to the sweep. Adding or removing a name does not change
// its directory's entry: a thousand creates per second would all rewrite that row.

import { assert } from '../../src/base/assert.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { inodeId, type InodeId } from '../../src/base/ids.ts'
import { join, namesOf } from '../../src/base/paths.ts'
import type { Draft } from '../journal/draft.ts'
import { childKey, idKey } from '../journal/keys.ts'
import { systemActor, type Actor } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import { checkMay, maySearch, mayWrite } from './access.ts'
import { dropContent } from './content.ts'
import { encodeEntry, type NameEntry } from './entry.ts'
import { dropAttributes } from '../xattrs/rows.ts'
import { doom, hasSnapshots, mark, orphan, preserve, stampOf } from '../snapshots/history.ts'
import { amountsOf, charge, discharge, recharge, recount } from '../quotas/usage.ts'
import { directoryIn } from './inherit.ts'
import { encodeHook, keyOf, lowestAt, type Directory, type NamePlace } from './resolve.ts'

interface NewDirectory extends Pick<NameEntry, 'owner' | 'group' | 'mode' | 'acl'> { readonly nowMs: number }

/** Adds a directory. REQUIRES: the name is free. */
export function addDirectory(draft: Draft, parent: InodeId, name: string, made: NewDirectory): NameEntry {
  charge(draft, parent, oneName)
  return putDirectory(draft, parent, name, made)
}

const oneName = { names: 1, bytes: 0 }

/** REQUIRES: the quotas have been charged. */
function putDirectory(draft: Draft, parent: InodeId, name: string, { owner, group, mode, acl, nowMs }: NewDirectory): NameEntry {
  const entry: NameEntry = {
    id: inodeId(draft.take('nextInode')), directory: true, mode, owner, group, mtimeMs: Math.floor(nowMs),
    replication: 0, blockBytes: 0, format: 'bytes', length: 0, blocks: 0, ...acl && { acl },
  }
  assertFree(draft, parent, name)
  draft.put('children', childKey(parent, name), encodeEntry(entry, stampOf(draft)))
  draft.put('directories', idKey(entry.id), encodeHook(parent, name))
  draft.count('directories', 1)
  return entry
}

/** Overwriting a row would leave its inode without a name: counted, stored, and never removed. */
function assertFree(draft: Draft, parent: InodeId, name: string): void {
  assert(!draft.has('children', childKey(parent, name)), `${name} in directory ${parent} is the name of something else already`)
}

/** Adds a file. REQUIRES: the name is free. Its blocks are added by file.ts. */
export function addFile(draft: Draft, parent: InodeId, name: string, entry: NameEntry): void {
  assertFree(draft, parent, name)
  charge(draft, parent, amountsOf(entry))
  draft.put('children', childKey(parent, name), encodeEntry(entry, stampOf(draft)))
  draft.count('files', 1)
}

/** Replaces an entry in its place. */
export function replaceEntry(draft: Draft, place: NamePlace, entry: NameEntry): void {
  if (place.name !== '') {
    preserve(draft, place.parent.entry.id, place.name)
    if (place.entry) recharge(draft, place.parent.entry.id, place.entry, entry)
  }
  draft.put('children', keyOf(place), encodeEntry(entry, stampOf(draft)))
  if (entry.directory) draft.forgetDirectories()
}

/** Removes a name with everything below it from the tree at once; the contents are removed later (sweep.ts). */
export function detach(draft: Draft, parent: InodeId, name: string, entry: NameEntry): void {
  if (entry.directory) checkNoSnapshots(draft, entry.id, name, 'removed')
  preserve(draft, parent, name)
  discharge(draft, parent, entry)
  draft.remove('children', childKey(parent, name))
  if (entry.directory) {
    draft.remove('directories', idKey(entry.id))
    draft.forgetDirectories()
  }
  if (orphan(draft, entry.id)) return
  if (!entry.directory && entry.blocks === 0) {
    dropAttributes(draft, entry.id)
    dropContent(draft, entry.id)
    draft.count('files', -1)
  } else doom(draft, entry.id, entry.directory)
}

/** Throws EBUSY: a directory with snapshots must keep its place. */
export function checkNoSnapshots(view: View, directory: InodeId, path: string, what: string): void {
  if (!hasSnapshots(view, directory)) return
  throw new GristmillError(
    'EBUSY',
    `${path} cannot be ${what}: it, or a directory in it, has snapshots; remove them first (snapshot ls, snapshot rm)`,
    { details: { path } },
  )
}

/** Gives an entry another name. REQUIRES: the new name is free, and a directory is not moved into itself. */
export function move(draft: Draft, from: { parent: InodeId; name: string }, to: { parent: InodeId; name: string }, entry: NameEntry): void {
  preserve(draft, from.parent, from.name)
  recount(draft, from.parent, to.parent, entry)
  if (entry.directory) mark(draft, entry.id, from.parent, to.parent)
  assertFree(draft, to.parent, to.name)
  draft.remove('children', childKey(from.parent, from.name))
  draft.put('children', childKey(to.parent, to.name), encodeEntry(entry, stampOf(draft)))
  if (!entry.directory) return
  draft.put('directories', idKey(entry.id), encodeHook(to.parent, to.name))
  draft.forgetDirectories()
}

export function isEmpty(view: View, directory: InodeId): boolean {
  for (const _ of view.range('children', { start: childKey(directory, ''), end: idKey(directory + 1), limit: 1 })) return false
  return true
}

interface Making {
  readonly nowMs: number
  /** Path given by the user, for messages. */
  readonly asked?: string
  /** Requires search permission on the lowest directory too; default: true. */
  readonly searched?: boolean
}

interface MadeDirectories {
  readonly directory: Directory
  /** Actor whose rights are checked when the caller adds names: `actor`, or if directories were made, the system. */
  readonly adder: Actor
}

/**
 * Returns the directory at `path`; missing directories are created with the actor as owner. As in HDFS rights are checked once, in the
 * lowest directory that exists: a default list may keep even the owner of a new directory from writing to it or searching it, and the
 * operation that makes it would be refused halfway. Throws EACCES, EDQUOT, and ENOTDIR if a file is in the way.
 */
export function makeDirectories(
  draft: Draft, actor: Actor, path: string, { nowMs, asked = path, searched = true }: Making,
): MadeDirectories {
  let at = lowestAt(draft, actor, path, asked)
  const names = namesOf(path.slice(at.path === '/' ? 0 : at.path.length) || '/')
  if (names.length === 0) return { directory: at, adder: actor }
  if (searched) checkMay(actor, at.entry, maySearch, at.path)
  checkMay(actor, at.entry, mayWrite, at.path)
  // Charged once for all of them: new directories have no quotas of their own.
  charge(draft, at.entry.id, { names: names.length, bytes: 0 })
  for (const name of names) {
    const made = { owner: actor.user, group: at.entry.group, ...directoryIn(at.entry, undefined), nowMs }
    const entry = putDirectory(draft, at.entry.id, name, made)
    at = { path: join(at.path, name), entry, parent: at }
  }
  return { directory: at, adder: systemActor }
}
