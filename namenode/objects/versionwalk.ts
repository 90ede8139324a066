// Walk over all versions of the keys of a directory: keys in byte order, the versions of each from the newest to the oldest. A page starts
// behind any version of any key; nothing before it is read but the file of that key and its version `null`.
// INVARIANT: at most one version of a key is the latest one: its file, the directory that is the key, or the delete marker in its place.

import { compareKeys } from '../../src/protocol/objectkey.ts'
import { join } from '../../src/base/paths.ts'
import { checkMay, mayRead, maySearch } from '../namespace/access.ts'
import type { NameEntry } from '../namespace/entry.ts'
import { nullVersion, olderVersions, versionOf } from '../namespace/keyversions.ts'
import { snapshotsName } from '../namespace/reserved.ts'
import { child, objectsName } from '../namespace/resolve.ts'
import { contentName, entriesInOrder, isKey, isReached, type KeyWalkOptions, type WalkedKey, type WalkPlace } from './walk.ts'

interface WalkedVersion extends WalkedKey {
  /** undefined for a common prefix. */
  readonly version?: string
  readonly latest?: boolean
  /** A delete marker; its entry is an empty directory. */
  readonly marker?: boolean
}

interface VersionWalkOptions extends KeyWalkOptions {
  /** With `after`: versions of that key behind this one come too. */
  readonly afterVersion: string | undefined
}

export function* walkVersions(place: WalkPlace, options: VersionWalkOptions): Generator<WalkedVersion, void, undefined> {
  const { actor, prefix, after, rolled } = options
  checkMay(actor, place.entry, mayRead, place.path)
  checkMay(actor, place.entry, maySearch, place.path)
  const isAfter = (key: string): boolean => after === undefined || compareKeys(key, after) > 0
  for (const { at, name, entry, older } of entriesInOrder(place, { ...options, versions: true })) {
    const key = place.key + at
    const path = join(place.path, name)
    if (older) {
      const isStarted = key === after && options.afterVersion !== undefined
      if (key.startsWith(prefix) && (isAfter(key) || isStarted)) yield* olderOfKey({ key, place, name, entry }, options)
      continue
    }
    if (!entry.directory) {
      if (key.startsWith(prefix) && isAfter(key))
        yield { key, path, entry, rolled: false, version: versionOf(options.view, entry), latest: true }
      continue
    }
    if (!key.startsWith(prefix) && !prefix.startsWith(key)) continue
    if (!isAfter(key) && !after!.startsWith(key)) continue
    if (rolled && key.length > prefix.length) {
      if (isReached({ key, path, entry }, options, walkVersions)) yield { key, path, entry, rolled: true }
      continue
    }
    if (key.startsWith(prefix) && isAfter(key) && isKey(options, entry.id))
      yield { key, path, entry, rolled: false, version: nullVersion, latest: true }
    yield* walkVersions({ entry, path, key }, options)
  }
}

/** `entry`: directory of the older versions of a key. */
interface OlderPlace {
  readonly key: string
  readonly place: WalkPlace
  readonly name: string
  readonly entry: NameEntry
}

/** A path of a version is the one under which it is read. */
function* olderOfKey(
  { key, place, name, entry }: OlderPlace, { view, attributes, after, afterVersion }: VersionWalkOptions,
): Iterable<WalkedVersion> {
  const file = child(view, place.entry.id, name)
  const isDirectoryKey = name === contentName && isKey({ view, attributes }, place.entry.id)
  const current = file && !file.directory ? versionOf(view, file) : isDirectoryKey ? nullVersion : undefined
  // Behind the file itself all older ones follow.
  const from = key === after && afterVersion !== current ? afterVersion : undefined
  let isFirst = from === undefined
  for (const { version, entry: found } of olderVersions(view, entry, from)) {
    // A file that other means have written is the version `null` now, and so is a directory that is the key.
    if (version !== nullVersion || current !== nullVersion) {
      const path = `${join(place.path, snapshotsName)}/${objectsName}/${name}/${version}`
      const marker = found.directory
      yield { key, path, entry: found, rolled: false, version, marker, latest: isFirst && current === undefined && marker }
    }
    isFirst = false
  }
}
