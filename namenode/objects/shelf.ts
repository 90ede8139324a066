// Edits of the older versions of objects (namespace/keyversions.ts): a version that is replaced or deleted is put on the shelf of its
// directory, a delete marker stands there alone, and the version before a removed one takes the key again. All are renames, whatever the
// size of the objects, in the operation that writes or removes: a crash leaves the state before or the one after.
// INVARIANT: each version has one place; a key has at most one version `null` that is seen. A write of another door hides one on the shelf,
// which goes with it. A version that a directory of the key's name keeps from becoming the object becomes it when S3 removes the
// directory.

import { GristmillError } from '../../src/base/errors.ts'
import type { InodeId } from '../../src/base/ids.ts'
import { isWithin } from '../../src/base/paths.ts'
import type { Draft } from '../journal/draft.ts'
import { systemActor } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import type { NameEntry } from '../namespace/entry.ts'
import {
  coveredAttribute, isCoveredBy, newestOlder, nullVersion, olderOf, olderVersions, orderAttribute, versionAttribute, versioningOf,
  versionOf, type Versioning,
} from '../namespace/keyversions.ts'
import { child, lowestAt, objectShelfName } from '../namespace/resolve.ts'
import { addDirectory, detach, isEmpty, move } from '../namespace/tree.ts'
import { writerOf } from '../writing/lease.ts'
import { putAttribute, removeAttribute } from '../xattrs/rows.ts'

/** Key of an object: its directory, and its name there. */
interface KeyPlace { readonly directory: NameEntry; readonly name: string }

interface Edited { readonly nowMs: number; readonly state: Versioning }

const shelfMode = 0o700

/** Versioning of the bucket at `base`; undefined if the path is not in it, or the bucket has never had any. */
export function versioningAt(view: View, base: string | undefined, path: string): Versioning | undefined {
  if (base === undefined || view.counters.attributes === 0 || !isWithin(path, base)) return undefined
  const bucket = lowestAt(view, systemActor, base)
  return bucket.path === base ? versioningOf(view, bucket.entry) : undefined
}

/** Later ids are lower, so that the newest comes first in the order of names. */
const newId = (draft: Draft): string => (2 ** 48 - 1 - draft.take('nextInode')).toString(16).padStart(12, '0')

/** The file is the newest version of its key. */
export function nameVersion(draft: Draft, file: NameEntry): void {
  putAttribute(draft, file.id, { name: versionAttribute, value: Buffer.from(newId(draft)) })
}

/** Takes the file from its key, which is about to be written or deleted: an older version, unless it is the `null` that is replaced. */
export function setAside(draft: Draft, place: KeyPlace, file: NameEntry | undefined, { state, nowMs }: Edited): void {
  const { directory, name } = place
  const version = file && versionOf(draft, file)
  uncover(draft, place)
  if (state === 'Suspended' || version === nullVersion) dropNull(draft, place)
  if (!file || version === undefined) return
  if (state === 'Suspended' && version === nullVersion) return detach(draft, directory.id, name, file)
  const older = makeOlder(draft, place, nowMs)
  // No two versions have one id; a damaged one is kept all the same.
  const free = child(draft, older.id, version) ? newId(draft) : version
  if (free === nullVersion) putAttribute(draft, file.id, { name: orderAttribute, value: Buffer.from(newId(draft)) })
  move(draft, { parent: directory.id, name }, { parent: older.id, name: free }, file)
}

/** Removes the older version `null` of a key, if it has one. */
export function dropNull(draft: Draft, { directory, name }: KeyPlace): void {
  const older = olderOf(draft, directory.id, name)
  const found = older && child(draft, older.id, nullVersion)
  if (found) detach(draft, older.id, nullVersion, found)
}

function makeOlder(draft: Draft, { directory, name }: KeyPlace, nowMs: number): NameEntry {
  const made = { owner: directory.owner, group: directory.group, mode: shelfMode, nowMs }
  const shelf = child(draft, directory.id, objectShelfName) ?? addDirectory(draft, directory.id, objectShelfName, made)
  return child(draft, shelf.id, name) ?? addDirectory(draft, shelf.id, name, made)
}

/** Adds a delete marker as the newest version. REQUIRES: the key has no file. Returns its id. */
export function addMarker(draft: Draft, place: KeyPlace, { state, nowMs, owner }: Edited & { readonly owner: string }): string {
  const older = makeOlder(draft, place, nowMs)
  const id = newId(draft)
  const version = state === 'Enabled' ? id : nullVersion
  const marker = addDirectory(draft, older.id, version, { owner, group: place.directory.group, mode: shelfMode, nowMs })
  if (version === nullVersion) putAttribute(draft, marker.id, { name: orderAttribute, value: Buffer.from(id) })
  return version
}

interface Restoring {
  readonly path: string
  /** A version that cannot become the object now becomes it later, or the caller is refused; false: it stays an older version. */
  readonly isOwed: boolean
}

/**
 * Removes an older version for good. With the delete marker by which a key is deleted, the version before it becomes the object again.
 * REQUIRES: `entry` is on the shelf under this id.
 */
export function removeOlder(
  draft: Draft, place: KeyPlace, { version, entry, ...restoring }: Restoring & { readonly version: string; readonly entry: NameEntry },
): void {
  const older = olderOf(draft, place.directory.id, place.name)!
  const isNewest = newestOlder(draft, older)?.version === version
  detach(draft, older.id, version, entry)
  if (isNewest && entry.directory) restoreNewest(draft, place, restoring)
}

/**
 * The newest older version becomes the object, unless it is a delete marker. While the name is that of a directory it stays on the shelf,
 * with a note of that directory. Throws EBUSY if a file of this name is being written, which would be the object.
 */
export function restoreNewest(draft: Draft, place: KeyPlace, { path, isOwed }: Restoring): void {
  const { directory, name } = place
  const older = olderOf(draft, directory.id, name)
  const newest = older && newestOlder(draft, older)
  if (!newest || newest.entry.directory) return
  const there = child(draft, directory.id, name)
  if (there) {
    if (isOwed && there.directory) putAttribute(draft, older.id, { name: coveredAttribute, value: Buffer.from(String(there.id)) })
    return
  }
  const lease = writerOf(draft, directory.id, name)
  if (lease !== undefined) {
    if (!isOwed) return
    throw new GristmillError('EBUSY', `${path} is being written; try again when its writer is done`, { details: { path, lease } })
  }
  if (newest.version === nullVersion) removeAttribute(draft, newest.entry.id, orderAttribute)
  move(draft, { parent: older.id, name: newest.version }, { parent: directory.id, name }, newest.entry)
}

/** True if a version of the key waits for the removal of this directory, which has the key's name. */
export function isCovering(view: View, { directory, name }: KeyPlace, covering: InodeId): boolean {
  const older = olderOf(view, directory.id, name)
  return older !== undefined && isCoveredBy(view, older, covering)
}

/** The directory of the key's name was removed: the version that has waited for that becomes the object. */
export function restoreCovered(draft: Draft, place: KeyPlace, path: string): void {
  uncover(draft, place)
  restoreNewest(draft, place, { path, isOwed: true })
  dropEmptyShelf(draft, place)
}

/** No version of the key waits to become the object. */
function uncover(draft: Draft, { directory, name }: KeyPlace): void {
  const older = olderOf(draft, directory.id, name)
  if (older) removeAttribute(draft, older.id, coveredAttribute)
}

/** True if the key has this version and nothing else. */
export function isOnly(view: View, { directory, name }: KeyPlace, entry: NameEntry): boolean {
  const file = child(view, directory.id, name)
  if (file && !file.directory) return file.id === entry.id
  const older = olderOf(view, directory.id, name)
  if (older) for (const each of olderVersions(view, older)) if (each.entry.id !== entry.id) return false
  return older !== undefined
}

/** Removes the directories of versions that hold none any more. */
export function dropEmptyShelf(draft: Draft, { directory, name }: KeyPlace): void {
  const shelf = child(draft, directory.id, objectShelfName)
  if (!shelf) return
  const older = child(draft, shelf.id, name)
  if (older && isEmpty(draft, older.id)) detach(draft, shelf.id, name, older)
  if (isEmpty(draft, shelf.id)) detach(draft, directory.id, objectShelfName, shelf)
}

