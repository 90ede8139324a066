// Names in a directory for a walk over keys: as they are now, as of a snapshot, the snapshots of a directory, and the older versions of its
// objects. A list whose prefix leads below `.snapshot`, or into a version of an output, starts there; no other list shows these names.

import { hasCode } from '../../src/base/errors.ts'
import type { InodeId } from '../../src/base/ids.ts'
import { join } from '../../src/base/paths.ts'
import { namesOfKey } from '../../src/protocol/objectkey.ts'
import type { Actor } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import { childAt, entriesFrom, find, type FoundName } from '../namespace/asof.ts'
import type { NameEntry } from '../namespace/entry.ts'
import { findVersion, olderOf, olderVersions, versionedNames } from '../namespace/keyversions.ts'
import { snapshotsName } from '../namespace/reserved.ts'
import { child, objectsName } from '../namespace/resolve.ts'
import { snapshotNamed, snapshotsOf, topOf } from '../snapshots/rows.ts'

interface NamedEntry { readonly name: string; readonly entry: NameEntry }

export interface Below {
  child(directory: InodeId, name: string): NameEntry | undefined
  /** Names from `start` on, in byte order. */
  from(directory: InodeId, start: string): Generator<NamedEntry, undefined>
  /** Names in a directory that this one has. */
  within(name: string): Below
}

/** The names as they are now. */
export const presentBelow = (view: View): Below => {
  const below: Below = {
    child: (directory, name) => child(view, directory, name),
    from: (directory, start) => entriesFrom(view, { id: directory, at: undefined }, start),
    within: () => below,
  }
  return below
}

/** The names as of the operation with this number. */
function pastBelow(view: View, at: number): Below {
  const below: Below = {
    child: (directory, name) => childAt(view, directory, name, at),
    from: (directory, start) => entriesFrom(view, { id: directory, at }, start),
    within: () => below,
  }
  return below
}

const isFrom = (name: string, start: string): boolean => Buffer.compare(Buffer.from(name), Buffer.from(start)) >= 0

/** The snapshots of a directory. */
const snapshotsBelow = (view: View, of: NameEntry): Below => ({
  child(_, name) {
    const snapshot = snapshotNamed(view, of.id, name)
    return snapshot && topOf(snapshot, of)
  },
  *from(_, start) {
    const found = [...snapshotsOf(view, of.id)].filter(({ name }) => isFrom(name, start))
    for (const each of found.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name))))
      yield { name: each.name, entry: topOf(each, of) }
    return undefined
  },
  within: name => pastBelow(view, snapshotNamed(view, of.id, name)!.seq),
})

/** Keys of a directory that have older versions. Rights are those of the directory, as at other doors. */
function versionedBelow(view: View, of: NameEntry): Below {
  const { mode, owner, group, acl } = of
  const lent = (older: NameEntry): NameEntry => ({ ...older, mode, owner, group, acl })
  return {
    child(_, name) {
      const older = olderOf(view, of.id, name)
      return older && lent(older)
    },
    *from(_, start) {
      for (const { name, older } of versionedNames(view, of.id, start)) yield { name, entry: lent(older) }
      return undefined
    },
    within: name => versionsBelow(view, of, name),
  }
}

/** Older versions of one key, without its delete markers, which have no bytes. */
const versionsBelow = (view: View, of: NameEntry, key: string): Below => ({
  child(_, version) {
    const found = findVersion(view, of.id, key, version)
    return found?.directory ? undefined : found
  },
  *from(_, start) {
    const older = olderOf(view, of.id, key)
    const found = older ? [...olderVersions(view, older)] : []
    for (const { version, entry } of found.sort((a, b) => (a.version < b.version ? -1 : 1)))
      if (!entry.directory && isFrom(version, start)) yield { name: version, entry }
    return undefined
  },
  within: () => presentBelow(view),
})

interface FoundBelow { readonly key: string; readonly path: string; readonly entry: NameEntry; readonly below: Below }

/**
 * The directory of a prefix that leads to an older state; undefined: it leads to none. Throws EACCES.
 */
export function olderBelow(view: View, actor: Actor, { path, prefix }: { path: string; prefix: string }): FoundBelow | undefined {
  const key = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  if (!key.includes(`${snapshotsName}/`) && !key.includes('@')) return undefined
  try {
    const names = namesOfKey(key).slice(0, -1)
    const at = names.reduce(join, path)
    const found = find(view, actor, at)
    const below = found.entry.directory ? belowOf(view, actor, found, { path, names }) : undefined
    return below && { key, path: at, entry: found.entry, below }
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EINVAL', 'ENAMETOOLONG')) return undefined
    throw error
  }
}

function belowOf(
  view: View, actor: Actor, { at, of, number }: FoundName, { path, names }: { readonly path: string; readonly names: readonly string[] },
): Below | undefined {
  if (of) return snapshotsBelow(view, of)
  if (at !== undefined) return pastBelow(view, at)
  const index = names.indexOf(snapshotsName)
  if (index >= 0 && names[index + 1] === objectsName) {
    const { entry } = find(view, actor, names.slice(0, index).reduce(join, path))
    const key = names[index + 2]
    return key === undefined ? versionedBelow(view, entry) : versionsBelow(view, entry, key)
  }
  return number === undefined ? undefined : presentBelow(view)
}
