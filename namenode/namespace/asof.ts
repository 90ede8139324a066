// Lookup of names in the current state, in a snapshot, or in an older version of an output or of an object. `at` is the operation number of
// the snapshot; without it the current state is read.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import type { InodeId } from '../../src/base/ids.ts'
import { nameOf, namesOf, systemDirectory } from '../../src/base/paths.ts'
import { childKey, childKeyAfter, idKey, nameOfKey } from '../journal/keys.ts'
import { systemActor, type Actor } from '../journal/operation.ts'
import type { Row, View } from '../journal/view.ts'
import { snapshotNamed, snapshotsOf, topOf } from '../snapshots/rows.ts'
import { checkMay, mayRead, maySearch } from './access.ts'
import { decodeEntry, sinceOf, type NameEntry } from './entry.ts'
import { decodeVersion, endOfHistory, historyKey, nameOfHistory } from '../snapshots/history.ts'
import { findOlder } from './keyversions.ts'
import { snapshotsName } from './reserved.ts'
import { checkAsked, entryAt, isShelf, missingName, notDirectory, objectsName, rootId } from './resolve.ts'
import { readAs, versionIn } from '../versions/lookup.ts'
import { present, type Reading } from '../versions/rows.ts'

export interface FoundName {
  readonly entry: NameEntry
  /** Operation number of the snapshot. */
  readonly at: number | undefined
  /** Set if the path ends with a version: its number. */
  readonly number?: number
  /** Set if the entry is the directory `.snapshot` of this directory. */
  readonly of?: NameEntry
}

const missing = (path: string, what: string): GristmillError =>
  new GristmillError('ENOENT', `there is no ${path}: ${what}`, { details: { path } })

/**
 * Finds the entry at a path, which may lead into a snapshot or into a version of an output (`PATH@3`). A name that exists as it is
 * written wins over a version. Throws ENOENT, ENOTDIR, EACCES.
 */
export function find(view: View, actor: Actor, path: string): FoundName {
  if (view.counters.versions === 0 || !path.includes('@')) return findNamed(view, actor, path)
  try {
    return findNamed(view, actor, path)
  } catch (error) {
    const found = hasCode(error, 'ENOENT') ? findVersion(view, actor, path) : undefined
    if (!found) throw error
    return found
  }
}

/** As `find`, without versions. */
export function findNamed(view: View, actor: Actor, path: string): FoundName {
  if (!path.includes(`/${snapshotsName}`)) return { entry: entryAt(view, actor, path), at: undefined }
  checkAsked(path)
  const names = namesOf(path)
  const index = names.indexOf(snapshotsName)
  const isObjects = index >= 0 && names[index + 1] === objectsName
  if (index < 0 || (!isObjects && view.counters.snapshots === 0)) return { entry: entryAt(view, actor, path), at: undefined }
  const base = `/${names.slice(0, index).join('/')}`
  const now = entryAt(view, actor, base)
  if (!now.directory) throw new GristmillError('ENOTDIR', `${base} is a file, not a directory`, { details: { path } })
  checkMay(actor, now, maySearch, base)
  if (isObjects) return { entry: findOlder(view, now, names.slice(index + 2), path), at: undefined }
  const [name, ...below] = names.slice(index + 1)
  if (name === undefined) {
    for (const _ of snapshotsOf(view, now.id)) return { entry: now, at: undefined, of: now }
    throw missing(path, `${base} has no snapshots`)
  }
  const snapshot = snapshotNamed(view, now.id, name)
  if (!snapshot) throw missing(path, `${base} has no snapshot "${name}"`)
  let entry = topOf(snapshot, now)
  let above = `${base === '/' ? '' : base}/${snapshotsName}/${name}`
  for (const each of below) {
    if (!entry.directory) throw new GristmillError('ENOTDIR', `${above} is a file, not a directory`, { details: { path } })
    checkMay(actor, entry, maySearch, above)
    const next = childAt(view, entry.id, each, snapshot.seq)
    above = `${above}/${each}`
    if (!next) throw missing(path, `${above} was not there when the snapshot was taken`)
    entry = next
  }
  return { entry, at: snapshot.seq }
}

/** undefined: the path leads through no version. Throws EACCES, and ENOENT, ENOTDIR for a name that the version does not have. */
function findVersion(view: View, actor: Actor, path: string): FoundName | undefined {
  const names = namesOf(path)
  let found: FoundName = { entry: entryAt(view, systemActor, '/'), at: undefined }
  let number: number | undefined
  let isSnapshot = false
  for (let i = 0; i < names.length; i++) {
    const { entry, at } = found
    if (!entry.directory) {
      if (number === undefined) return undefined
      throw notDirectory(path, `/${names.slice(0, i).join('/')}`)
    }
    checkMay(actor, entry, maySearch, `/${names.slice(0, i).join('/')}`)
    // Replaced objects went with the directory that had them, and are read as in any other one.
    if (names[i] === snapshotsName && names[i + 1] === objectsName && number !== undefined && !isSnapshot)
      return { entry: findOlder(view, entry, names.slice(i + 2), path), at: undefined }
    if (names[i] === snapshotsName && at === undefined) {
      const snapshot = snapshotNamed(view, entry.id, names[++i] ?? '')
      if (!snapshot) return undefined
      found = { entry: topOf(snapshot, entry), at: snapshot.seq }
      isSnapshot = true
      continue
    }
    const reading = at === undefined ? present(view) : past(view, at)
    const literal = reading.child(entry.id, names[i]!)
    const version = literal ? undefined : versionIn(view, entry.id, names[i]!, reading)
    if (literal) found = { entry: literal, at }
    else if (version) {
      const { entry: as, at: own = at } = readAs(version.version, version.head)
      number = version.version.number.number
      // In a snapshot that is older than the view of a number, the directory is read as of the snapshot.
      found = { entry: as, at: at === undefined ? own : Math.min(own!, at), number }
    } else if (number !== undefined) throw missingName(path, `/${names.slice(0, i + 1).join('/')}`)
    else return undefined
  }
  return found
}

const past = (view: View, at: number): Reading => ({
  child: (directory, name) => childAt(view, directory, name, at),
  children: directory => entriesOf(view, { entry: { id: directory }, at }),
  at,
})

/** Snapshots of the root do not include the system directory. */
const isHidden = (parent: InodeId, name: string): boolean => parent === rootId && name === nameOf(systemDirectory)

export function childAt(view: View, parent: InodeId, name: string, at: number): NameEntry | undefined {
  if (isHidden(parent, name)) return undefined
  const bytes = view.get('children', childKey(parent, name))
  if (bytes && sinceOf(bytes) <= at) return decodeEntry(bytes)
  for (const { value } of view.range('history', {
    start: historyKey(parent, name, at + 1), end: historyKey(parent, name, 2 ** 48), limit: 1,
  })) {
    const { since, entry } = decodeVersion(value)
    if (since <= at) return entry
  }
  return undefined
}

interface Named { readonly name: string; readonly entry: NameEntry }

type Listed = Omit<FoundName, 'entry'> & { readonly entry: Pick<NameEntry, 'id'> }

/** Entries of a directory after the name `after`, in byte order of names. The system directory and shelves are not listed. */
export function* childrenOf(view: View, directory: Listed, after?: string): Iterable<Named> {
  for (const named of entriesOf(view, directory, after)) if (!isShelf(named.name)) yield named
}

/** The same, with the shelves of older versions. */
export function* entriesOf(view: View, { entry: { id }, at, of }: Listed, after?: string): Iterable<Named> {
  if (of !== undefined) return yield* snapshotDirectories(view, of, after)
  const rows = view.range('children', { start: after === undefined ? childKey(id, '') : childKeyAfter(id, after), end: idKey(id + 1) })
  // After every version of `after`; their keys continue with NUL and a number.
  const start = after === undefined ? childKey(id, '') : Buffer.concat([childKey(id, after), Buffer.from([1])])
  for (const named of at === undefined ? decoded(rows) : merged(view, id, rows, { at, start })) if (!isHidden(id, named.name)) yield named
}

/** The same, from the name `start` on. */
export function* entriesFrom(
  view: View, { id, at }: { readonly id: InodeId; readonly at: number | undefined }, name: string,
): Generator<Named, undefined> {
  const start = childKey(id, name)
  const rows = view.range('children', { start, end: idKey(id + 1) })
  for (const named of at === undefined ? decoded(rows) : merged(view, id, rows, { at, start })) if (!isHidden(id, named.name)) yield named
  return undefined
}

function* decoded(rows: Iterable<Row>): Iterable<Named> {
  for (const { key, value } of rows) yield { name: nameOfKey(key), entry: decodeEntry(value) }
}

/**
 * Merges two ordered lists: entries that are unchanged, and old versions from the history. At most one version of a name is valid at a
 * time.
 */
function* merged(
  view: View, id: InodeId, rows: Iterable<Row>, { at, start }: { readonly at: number; readonly start: Buffer },
): Iterable<Named> {
  const kept = view.range('history', { start, end: idKey(id + 1) })[Symbol.iterator]()
  const nextKept = (): { key: Buffer; named: Named } | undefined => {
    for (let row = kept.next(); !row.done; row = kept.next()) {
      const { key, value } = row.value
      if (endOfHistory(key) <= at) continue
      const { since, entry } = decodeVersion(value)
      if (since <= at) return { key: Buffer.from(key.subarray(0, key.length - 9)), named: { name: nameOfHistory(key), entry } }
    }
    return undefined
  }
  try {
    let old = nextKept()
    for (const { key, value } of rows) {
      for (; old && old.key.compare(key) < 0; old = nextKept()) yield old.named
      if (sinceOf(value) <= at) yield { name: nameOfKey(key), entry: decodeEntry(value) }
    }
    for (; old; old = nextKept()) yield old.named
  } finally {
    kept.return?.()
  }
}

function* snapshotDirectories(view: View, of: NameEntry, after: string | undefined): Iterable<Named> {
  const all = [...snapshotsOf(view, of.id)].map(snapshot => ({ snapshot, bytes: Buffer.from(snapshot.name) }))
    .sort((a, b) => a.bytes.compare(b.bytes))
  const from = after === undefined ? undefined : Buffer.from(after)
  for (const { snapshot, bytes } of all)
    if (!from || bytes.compare(from) > 0) yield { name: snapshot.name, entry: topOf(snapshot, of) }
}

export const mayList = (actor: Actor, { entry }: FoundName, path: string): void => checkMay(actor, entry, mayRead, path)
