// Walk over the keys of a directory in byte order of the keys. Names are stored in byte order, but a directory's keys follow a slash: `a.b`
// comes before `a/b`. A directory therefore waits until the names before its slash have been yielded. Names that stand for parts that are
// no names (objectkey.ts) are looked up first and wait in the same way. A page starts anywhere: nothing before it is read.
// INVARIANT: keys are yielded once, in ascending order, all greater than `after`.

import { hasCode } from '../../src/base/errors.ts'
import type { InodeId } from '../../src/base/ids.ts'
import { join, nameOf, systemDirectory } from '../../src/base/paths.ts'
import { compareKeys, nameOfPart, partOf, standInNames } from '../../src/protocol/objectkey.ts'
import { childKey } from '../journal/keys.ts'
import type { Actor } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import { checkMay, mayRead, maySearch } from '../namespace/access.ts'
import type { NameEntry } from '../namespace/entry.ts'
import { olderOf, versionedNames } from '../namespace/keyversions.ts'
import { isShelf, rootId } from '../namespace/resolve.ts'
import { isEmpty } from '../namespace/tree.ts'
import { presentBelow, type Below } from './below.ts'

/** Name in a directory under which the key of that directory, with a slash at its end, has its content. */
export const contentName = nameOfPart('')

export interface WalkedKey {
  readonly key: string
  readonly path: string
  readonly entry: NameEntry
  /** True for a directory that is not walked: a common prefix. */
  readonly rolled: boolean
}

export interface WalkPlace {
  readonly entry: NameEntry
  readonly path: string
  readonly key: string
  /** Names in it; default: those of now. */
  readonly below?: Below | undefined
}

export interface KeyWalkOptions {
  readonly view: View
  readonly actor: Actor
  /** Only keys that begin so. */
  readonly prefix: string
  readonly after: string | undefined
  /** Yields a directory below the prefix as one rolled key. */
  readonly rolled: boolean
  /** Attributes that make a directory a key. */
  readonly attributes: readonly string[]
  /** Keys may have older versions: a directory that holds nothing else is no common prefix. */
  readonly versioned?: boolean
}

/** An entry with the place of its first key in the order: a directory's is its name with a slash. */
interface Waiting {
  readonly at: string
  readonly name: string
  readonly entry: NameEntry
  /** The entry is the directory of the older versions of the key. */
  readonly older?: true
}

export function* walkKeys(place: WalkPlace, options: KeyWalkOptions): Generator<WalkedKey, void, undefined> {
  const { actor, prefix, after, rolled } = options
  checkMay(actor, place.entry, mayRead, place.path)
  checkMay(actor, place.entry, maySearch, place.path)
  const isAfter = (key: string): boolean => after === undefined || compareKeys(key, after) > 0
  for (const { at, name, entry } of entriesInOrder(place, options)) {
    const key = place.key + at
    const path = join(place.path, name)
    const below = place.below?.within(name)
    if (!entry.directory) {
      if (key.startsWith(prefix) && isAfter(key)) yield { key, path, entry, rolled: false }
      continue
    }
    // The keys of a directory all begin with its own.
    if (!key.startsWith(prefix) && !prefix.startsWith(key)) continue
    if (!isAfter(key) && !after!.startsWith(key)) continue
    if (rolled && key.length > prefix.length) {
      if (isReached({ key, path, entry, below }, options, walkKeys) && (!options.versioned || holdsKey(options, entry.id)))
        yield { key, path, entry, rolled: true }
      continue
    }
    if (key.startsWith(prefix) && isAfter(key) && isKey(options, entry.id, below)) yield { key, path, entry, rolled: false }
    yield* walkKeys({ entry, path, key, below }, options)
  }
}

/** As `walkKeys`, with the key of the place itself, if the directory is one. */
export function* walkFrom(place: WalkPlace, options: KeyWalkOptions): Generator<WalkedKey, void, undefined> {
  const { key, path, entry, below } = place
  const { prefix, after } = options
  if (key === prefix && (after === undefined || compareKeys(key, after) > 0) && isKey(options, entry.id, below))
    yield { key, path, entry, rolled: false }
  yield* walkKeys(place, options)
}

/**
 * True if a directory is listed as a common prefix: `after` lies before it, or in it with a key behind. One whose entries the caller may
 * not read is listed.
 */
export function isReached<T extends KeyWalkOptions>(
  place: WalkPlace, options: T, walk: (place: WalkPlace, options: T) => Iterable<unknown>,
): boolean {
  const { after } = options
  if (after === place.key) return false
  if (!after?.startsWith(place.key)) return true
  try {
    for (const _ of walk(place, { ...options, prefix: place.key, rolled: false })) return true
    return false
  } catch (error) {
    if (hasCode(error, 'EACCES')) return true
    throw error
  }
}

/**
 * True for a directory that is a key itself: it is empty, or was stored as one and the key has no content since, which would be a file in
 * it. A directory of the name of that file is the key with one more slash.
 */
export function isKey(
  { view, attributes }: Pick<KeyWalkOptions, 'view' | 'attributes'>, directory: InodeId, below?: Below,
): boolean {
  if (below ? isEmptyIn(below, directory) : isEmpty(view, directory)) return true
  return view.counters.attributes > 0 && attributes.some(name => view.get('attributes', childKey(directory, name)) !== undefined)
    && contentOf(view, directory, below) === undefined
}

function isEmptyIn(below: Below, directory: InodeId): boolean {
  for (const _ of below.from(directory, '')) return false
  return true
}

/** File with the content of the key that a directory is, with a slash at its end; undefined: that key has none. */
export function contentOf(view: View, directory: InodeId, below: Below = presentBelow(view)): NameEntry | undefined {
  const entry = below.child(directory, contentName)
  return entry?.directory ? undefined : entry
}

interface OrderOptions extends Pick<KeyWalkOptions, 'view' | 'prefix' | 'after'> {
  /** Also keys of which there are older versions; such a directory comes behind the file of its key. */
  readonly versions?: boolean
}

/** Names that are looked at for one common prefix. */
const lookedAtMax = 10_000

/** True if there is a key in the directory or below, as far as is looked at. */
function holdsKey(options: Pick<KeyWalkOptions, 'view' | 'attributes'>, directory: InodeId, budget = { left: lookedAtMax }): boolean {
  if (isKey(options, directory)) return true
  for (const { name, entry } of presentBelow(options.view).from(directory, '')) {
    if (--budget.left < 0) return true
    if (!isShelf(name) && (!entry.directory || holdsKey(options, entry.id, budget))) return true
  }
  return false
}

/** Entries of a directory that may have wanted keys, in the order of their first keys. */
export function* entriesInOrder(
  { entry: { id }, key, below: own }: WalkPlace, { view, prefix, after, versions }: OrderOptions,
): Iterable<Waiting> {
  const below = own ?? presentBelow(view)
  const prefixHere = prefix.startsWith(key) ? prefix.slice(key.length) : ''
  const slash = prefixHere.indexOf('/')
  if (slash >= 0) {
    const name = nameOfPart(prefixHere.slice(0, slash))
    const entry = below.child(id, name)
    if (entry?.directory) yield { at: prefixHere.slice(0, slash + 1), name, entry }
    return
  }
  const [afterHere = ''] = after?.startsWith(key) ? after.slice(key.length).split('/', 1) : []
  const waiting: Waiting[] = []
  const wait = (name: string, entry: NameEntry): void => {
    waiting.push({ at: entry.directory ? `${partOf(name)}/` : partOf(name), name, entry })
    waiting.sort((a, b) => compareKeys(a.at, b.at))
  }
  for (const name of standInNames) {
    const entry = below.child(id, name)
    if (entry) wait(name, entry)
    const older = versions ? olderOf(view, id, name) : undefined
    if (older) waiting.push({ at: partOf(name), name, entry: older, older: true })
  }
  waiting.sort((a, b) => compareKeys(a.at, b.at))
  // Directories whose names come before the page, and whose keys do not: `a` before `a.b`.
  for (let end = Math.max(prefixHere.length, 1); end < afterHere.length; end++) {
    const name = afterHere.slice(0, end)
    if (afterHere[end]! > '/' || !name.isWellFormed() || standInNames.includes(name)) continue
    const entry = below.child(id, name)
    if (entry?.directory) wait(name, entry)
  }
  const start = compareKeys(afterHere, prefixHere) > 0 ? afterHere : prefixHere
  const found: Generator<Named, undefined> = below.from(id, start)
  for (const { name, entry, older } of versions ? withOlder(found, versionedNames(view, id, start)) : found) {
    if (!name.startsWith(prefixHere)) break
    if (isShelf(name) || standInNames.includes(name) || (id === rootId && name === nameOf(systemDirectory))) continue
    while (waiting.length > 0 && compareKeys(waiting[0]!.at, name) < 0) yield waiting.shift()!
    if (entry?.directory) wait(name, entry)
    else if (entry) yield { at: name, name, entry }
    if (older) yield { at: name, name, entry: older, older: true }
  }
  yield* waiting
}

interface Named { readonly name: string; readonly entry?: NameEntry; readonly older?: NameEntry }

/** Merges two lists in byte order of names. */
function* withOlder(names: Generator<Named, undefined>, versioned: Iterable<Required<Pick<Named, 'name' | 'older'>>>): Iterable<Named> {
  try {
    let next = names.next().value
    for (const { name, older } of versioned) {
      for (; next && compareKeys(next.name, name) < 0; next = names.next().value) yield next
      if (next?.name === name) {
        yield { ...next, older }
        next = names.next().value
      } else yield { name, older }
    }
    for (; next; next = names.next().value) yield next
  } finally {
    names.return(undefined)
  }
}
