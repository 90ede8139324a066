// Edits of the tree of names: what mutations of this room, of writing and of jobs are made of. Permissions are theirs to
// check; here the tree stays a tree, counters stay true, and what is removed goes to the doomed, never away at once.
// A directory's own entry is not touched when names in it come and go: a thousand creates a second would all rewrite it.

import { assert } from '../../src/base/assert.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { inodeId, type InodeId } from '../../src/base/ids.ts'
import { join, namesOf } from '../../src/base/paths.ts'
import type { Draft } from '../journal/draft.ts'
import { childKey, idKey } from '../journal/keys.ts'
import type { Actor } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import { checkMay, mayWrite } from './access.ts'
import { encodeEntry, type NameEntry } from './entry.ts'
import { dropAttributes } from './attributes.ts'
import { doom, hasSnapshots, mark, orphan, preserve, stampOf } from './history.ts'
import { amountsOf, charge, discharge, recharge, recount } from './usage.ts'
import { encodeHook, keyOf, lowestAt, type Directory, type NamePlace } from './resolve.ts'

export interface NewDirectory { readonly owner: string; readonly group: string; readonly mode: number; readonly nowMs: number }

/** Makes a directory where nothing is. */
export function addDirectory(draft: Draft, parent: InodeId, name: string, made: NewDirectory): NameEntry {
  charge(draft, parent, oneName)
  return putDirectory(draft, parent, name, made)
}

const oneName = { names: 1, bytes: 0 }

/** REQUIRES: it has been charged. */
function putDirectory(draft: Draft, parent: InodeId, name: string, { owner, group, mode, nowMs }: NewDirectory): NameEntry {
  const entry: NameEntry = {
    id: inodeId(draft.take('nextInode')), directory: true, mode, owner, group, mtimeMs: Math.floor(nowMs),
    replication: 0, blockBytes: 0, format: 'bytes', length: 0, blocks: 0,
  }
  assertFree(draft, parent, name)
  draft.put('children', childKey(parent, name), encodeEntry(entry, stampOf(draft)))
  draft.put('directories', idKey(entry.id), encodeHook(parent, name))
  draft.count('directories', 1)
  return entry
}

/** A row written over another one would leave what that stood for without a name: counted, stored, and never removed. */
function assertFree(draft: Draft, parent: InodeId, name: string): void {
  assert(!draft.has('children', childKey(parent, name)), `${name} in directory ${parent} is the name of something else already`)
}

/** Puts a file where nothing is. Its blocks are put by file.ts. */
export function addFile(draft: Draft, parent: InodeId, name: string, entry: NameEntry): void {
  assertFree(draft, parent, name)
  charge(draft, parent, amountsOf(entry))
  draft.put('children', childKey(parent, name), encodeEntry(entry, stampOf(draft)))
  draft.count('files', 1)
}

/** Writes an entry anew in its place. */
export function replaceEntry(draft: Draft, place: NamePlace, entry: NameEntry): void {
  if (place.name !== '') {
    preserve(draft, place.parent.entry.id, place.name)
    if (place.entry) recharge(draft, place.parent.entry.id, place.entry, entry)
  }
  draft.put('children', keyOf(place), encodeEntry(entry, stampOf(draft)))
  if (entry.directory) draft.forgetDirectories()
}

/** Takes a name out of the tree at once, with everything below it; what it stood for is taken apart later (sweep.ts). */
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
    draft.count('files', -1)
  } else doom(draft, entry.id, entry.directory)
}

/** Throws EBUSY: what has snapshots stays where they can be read. */
export function checkNoSnapshots(view: View, directory: InodeId, path: string, what: string): void {
  if (!hasSnapshots(view, directory)) return
  throw new GristmillError(
    'EBUSY',
    `${path} cannot be ${what}: it, or a directory in it, has snapshots; remove them first (snapshot ls, snapshot rm)`,
    { details: { path } },
  )
}

/** Gives something another name. REQUIRES: nothing has the new name, and a directory does not go into itself. */
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

/**
 * The directory at `path`; missing ones are made, if the actor may write to the one above them, and belong to the actor.
 * Throws EEXIST-free: an existing directory is fine, a file in the way is ENOTDIR.
 */
export function makeDirectories(
  draft: Draft, actor: Actor, path: string,
  { mode, nowMs, asked = path }: { mode: number; nowMs: number; asked?: string },
): Directory {
  let at = lowestAt(draft, actor, path, asked)
  const names = namesOf(path.slice(at.path === '/' ? 0 : at.path.length) || '/')
  // Once for all of them: those that are made have no quotas of their own.
  if (names.length > 0) charge(draft, at.entry.id, { names: names.length, bytes: 0 })
  for (const name of names) {
    checkMay(actor, at.entry, mayWrite, at.path)
    const entry = putDirectory(draft, at.entry.id, name, { owner: actor.user, group: at.entry.group, mode, nowMs })
    at = { path: join(at.path, name), entry, parent: at }
  }
  return at
}
