// Older versions of objects, read only. In a bucket with versioning a replaced or deleted object moves to the shelf of its directory, a
// directory without a legal name: `/objects`, in it one directory for each key, in it one entry for each older version, named by its id. A
// file is a version, an empty directory a delete marker. The newest version is the file itself, which has its id in an attribute.
// INVARIANT: ids descend: byte order of the names is the order from the newest to the oldest, but for `null`, which has its place in an
// attribute. The attributes have names that no user sets, so ids cannot be forged.

import type { InodeId } from '../../src/base/ids.ts'
import { childKey, childKeyAfter, idKey, nameOfKey } from '../journal/keys.ts'
import type { View } from '../journal/view.ts'
import { decodeEntry, type NameEntry } from './entry.ts'
import { child, missingName, objectShelfName } from './resolve.ts'

/** Id of a file that was written while its bucket had no versioning, while it was suspended, or by other means than an object's. */
export const nullVersion = 'null'

/** Attribute of a file: its version. */
export const versionAttribute = 'system.s3.version'
/** Attribute of the entry `null` on a shelf: the id by which it is in order. */
export const orderAttribute = 'system.s3.order'
/**
 * Attribute of the directory of a key's older versions: id of the directory that has the key's name, because of which the newest of them
 * has not become the object. Without it, no object is there because another door has removed it.
 */
export const coveredAttribute = 'system.s3.covered'
/** Attribute of a bucket's directory: `Enabled` or `Suspended`. */
export const versioningAttribute = 'system.s3.versioning'

const attributeOf = (view: View, { id }: Pick<NameEntry, 'id'>, name: string): string | undefined =>
  (view.counters.attributes === 0 ? undefined : view.get('attributes', childKey(id, name))?.toString())

export type Versioning = 'Enabled' | 'Suspended'

export const versioningOf = (view: View, bucket: Pick<NameEntry, 'id'>): Versioning | undefined =>
  attributeOf(view, bucket, versioningAttribute) as Versioning | undefined

/** Id of the version that a file under its own name is. */
export const versionOf = (view: View, file: Pick<NameEntry, 'id'>): string => attributeOf(view, file, versionAttribute) ?? nullVersion

/** The directory of a key's older versions; undefined if it has none. */
export function olderOf(view: View, directory: InodeId, name: string): NameEntry | undefined {
  const shelf = child(view, directory, objectShelfName)
  return shelf && child(view, shelf.id, name)
}

/** True if the newest older version of a key is to become the object when this directory, which has the key's name, is removed. */
export const isCoveredBy = (view: View, older: Pick<NameEntry, 'id'>, directory: InodeId): boolean =>
  attributeOf(view, older, coveredAttribute) === String(directory)

interface OlderVersion { readonly version: string; readonly entry: NameEntry }

/**
 * Older versions of a key, the newest first; `after`: only those behind this id. `older`: their directory. Reads one row for each version
 * and three more.
 */
export function* olderVersions(view: View, older: NameEntry, after?: string): Iterable<OlderVersion> {
  const none = child(view, older.id, nullVersion)
  const order = none && attributeOf(view, none, orderAttribute)
  const from = after === nullVersion ? order ?? '' : after
  // Behind itself `null` does not come again.
  let waiting = none && order !== undefined && after !== nullVersion && (from === undefined || order > from) ? none : undefined
  const start = from === undefined ? childKey(older.id, '') : childKeyAfter(older.id, from)
  for (const { key, value } of view.range('children', { start, end: childKey(older.id, nullVersion) })) {
    const version = nameOfKey(key)
    if (waiting && order! < version) {
      yield { version: nullVersion, entry: waiting }
      waiting = undefined
    }
    yield { version, entry: decodeEntry(value) }
  }
  if (waiting) yield { version: nullVersion, entry: waiting }
}

export function newestOlder(view: View, older: NameEntry): OlderVersion | undefined {
  for (const found of olderVersions(view, older)) return found
  return undefined
}

/** Any version of a key by its id: the file itself, or one on the shelf. `null` is the file, if it has no other id. */
export function findVersion(view: View, directory: InodeId, name: string, version: string): NameEntry | undefined {
  const file = child(view, directory, name)
  if (file && !file.directory && versionOf(view, file) === version) return file
  const older = olderOf(view, directory, name)
  return older && child(view, older.id, version)
}

/**
 * Entry at a path below `.snapshot/.objects` of a directory: the list of keys, the versions of one, or a version. Rights to the directories
 * are those of that directory. Throws ENOENT.
 */
export function findOlder(view: View, directory: NameEntry, [name, version, ...more]: readonly string[], path: string): NameEntry {
  const { mode, owner, group, acl } = directory
  const found = name === undefined ? child(view, directory.id, objectShelfName)
    : version === undefined ? olderOf(view, directory.id, name)
      : more.length === 0 ? findVersion(view, directory.id, name, version) : undefined
  if (!found) throw missingName(path, path)
  return version === undefined ? { ...found, mode, owner, group, acl } : found
}

/** Names of keys with older versions in a directory, in byte order, from `start` on. */
export function* versionedNames(
  view: View, directory: InodeId, start: string,
): Iterable<{ readonly name: string; readonly older: NameEntry }> {
  const shelf = child(view, directory, objectShelfName)
  if (!shelf) return
  for (const { key, value } of view.range('children', { start: childKey(shelf.id, start), end: idKey(shelf.id + 1) }))
    yield { name: nameOfKey(key), older: decodeEntry(value) }
}
