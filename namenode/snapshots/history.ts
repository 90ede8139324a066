// History: old values of changed names, as long as a snapshot can see them. A snapshot is a directory and an operation number;
// creating one copies nothing. Later, an operation that changes or removes a name below it stores the old value in the table
// "history", under the number of the change; it was valid from its own number (`since`, in the value) until then.
// INVARIANT: a value that a snapshot sees is in "children" or in "history". An inode named by "history" is counted in "held"
// and is not swept: after its last name is removed it is an orphan, kept unchanged until no history row names it.
// Without snapshots the cost is one counter read.

import { assert } from '../../src/base/assert.ts'
import { inodeId, type InodeId } from '../../src/base/ids.ts'
import { nameOf, systemDirectory } from '../../src/base/paths.ts'
import { Packer, Unpacker } from '../journal/codec.ts'
import type { Draft } from '../journal/draft.ts'
import { childKey, idKey, pairKey, putId, readId } from '../journal/keys.ts'
import type { View } from '../journal/view.ts'
import { newestShown, newestUnversioned, snapshotsOf } from './rows.ts'
import { decodeEntry, sinceOf, type NameEntry } from '../namespace/entry.ts'
import { hookOf, rootId, shelfName } from '../namespace/resolve.ts'

/** Snapshots that see a place: those of this directory with numbers up to `newest`. */
interface Seer { readonly directory: number; readonly newest: number }

const version = 1
const packer = new Packer()
const idMax = 2 ** 48 - 1

/** (parent, name, end): versions of one name are adjacent, in order of their ends. */
export function historyKey(parent: number, name: string, end: number): Buffer {
  const length = 8 + Buffer.byteLength(name)
  const key = Buffer.alloc(length + 9)
  putId(key, parent, 0)
  key.write(name, 8)
  putId(key, end, length + 1)
  return key
}

export const nameOfHistory = (key: Buffer): string => key.toString('utf8', 8, key.length - 9)
export const endOfHistory = (key: Buffer): number => readId(key, key.length - 8)

interface Version { readonly seers: readonly Seer[]; readonly since: number; readonly entry: NameEntry }

export function decodeVersion(bytes: Buffer): Version {
  const unpacker = new Unpacker(bytes)
  assert(unpacker.u8() === version, 'a row of history of version 1')
  const seers = Array.from({ length: unpacker.varint() }, () => ({ directory: unpacker.u48(), newest: unpacker.u48() }))
  const rest = unpacker.rest()
  return { seers, since: sinceOf(rest), entry: decodeEntry(rest) }
}

/** Operation number to store with a change; 0 while there is no snapshot that would need it. */
export const stampOf = ({ counters }: View): number => (counters.snapshots > 0 ? counters.appliedSeq + 1 : 0)

/** Number of the newest snapshot of a directory, up to `max`; 0 if there is none. */
export function newestOf(view: View, directory: number, max = idMax): number {
  for (const { key } of view.range('snapshots', {
    start: pairKey(directory, 0), end: pairKey(directory, max + 1), limit: 1, reverse: true,
  }))
    return readId(key, 8)
  return 0
}

/**
 * Snapshots that see names in this directory: its own, those of directories above it, and those of directories that it, or one above
 * it, was moved out of. `asShelf`: those that see the shelf of versions in this directory.
 */
function seersOf(view: View, directory: InodeId, asShelf = false): readonly Seer[] {
  const memo = asShelf ? `seers of a shelf:${directory}` : `seers:${directory}`
  const known = view.memo.get<readonly Seer[]>(memo)
  if (known) return known
  const found = new Map<number, number>()
  const add = (of: number, newest: number): void => { if (newest > (found.get(of) ?? 0)) found.set(of, newest) }
  for (let at = directory, isAboveShelf = asShelf; ;) {
    // A version is not a part of the output that it was replaced by, and ends at its own time.
    add(at, isAboveShelf ? newestUnversioned(view, at) : newestOf(view, at))
    for (const { key, value } of view.range('marks', { start: pairKey(at, 0), end: pairKey(at + 1, 0) }))
      add(readId(key, 8), newestOf(view, readId(key, 8), readId(value)))
    const hook = hookOf(view, at)
    // Snapshots of the root do not include the system directory.
    if (!hook || (hook.parent === rootId && hook.name === nameOf(systemDirectory))) break
    isAboveShelf = hook.name === shelfName
    at = hook.parent
  }
  const seers = [...found].map(([of, newest]) => ({ directory: of, newest }))
  view.memo.set(memo, seers)
  return seers
}

/** True if a snapshot of a user, made by an operation between `after` and `before`, sees names in this directory, or might see them. */
export const isSeen = (view: View, directory: InodeId, { after, before }: { readonly after: number; readonly before: number }): boolean =>
  seersOf(view, directory).some(({ directory: of, newest }) => newestShown(view, inodeId(of), Math.min(newest, before - 1)) > after)

/** True if the inode must stay when its name is removed now: a snapshot sees it, or history names it already. */
export function isKept(view: View, parent: InodeId, name: string, id: InodeId): boolean {
  if (view.counters.history > 0 && view.get('held', idKey(id)) !== undefined) return true
  if (view.counters.snapshots === 0) return false
  const since = sinceOf(view.get('children', childKey(parent, name))!)
  return seersOf(view, parent).some(seer => seer.newest >= since)
}

/** Keeps the value of a name in the history, if a snapshot sees it. REQUIRES: the name is about to be changed or removed. */
export function preserve(draft: Draft, parent: InodeId, name: string): void {
  if (draft.counters.snapshots === 0) return
  const bytes = draft.get('children', childKey(parent, name))
  assert(bytes, 'the name stands for something')
  const since = sinceOf(bytes)
  const seers = seersOf(draft, parent).filter(seer => seer.newest >= since)
  if (seers.length === 0) return
  packer.u8(version).varint(seers.length)
  for (const { directory, newest } of seers) packer.u48(directory).u48(newest)
  draft.put('history', historyKey(parent, name, draft.counters.appliedSeq + 1), Buffer.concat([packer.done(), bytes]))
  draft.count('history', 1)
  const { id } = decodeEntry(bytes)
  const held = heldAt(draft, id)
  putHeld(draft, id, { orphan: false, count: (held?.count ?? 0) + 1 })
}

/**
 * Records that snapshots which see a directory in its old place continue to see its contents. REQUIRES: the directory is about to be
 * moved.
 */
export function mark(draft: Draft, directory: InodeId, from: InodeId, to: InodeId): void {
  if (draft.counters.snapshots === 0 || from === to) return
  const there = seersOf(draft, to)
  for (const { directory: of, newest } of seersOf(draft, from, hookOf(draft, directory)?.name === shelfName)) {
    if (there.some(seer => seer.directory === of && seer.newest >= newest)) continue
    const key = pairKey(directory, of)
    const before = draft.get('marks', key)
    if (before && readId(before) >= newest) continue
    draft.put('marks', key, idKey(newest))
    if (!before) draft.count('marks', 1)
  }
}

/** The directory is removed: snapshots no longer see its contents through it. */
export function unmark(draft: Draft, directory: InodeId): void {
  if (draft.counters.marks === 0) return
  for (const { key } of [...draft.range('marks', { start: pairKey(directory, 0), end: pairKey(directory + 1, 0) })]) dropMark(draft, key)
}

export function dropMark(draft: Draft, key: Buffer): void {
  draft.remove('marks', Buffer.from(key))
  draft.count('marks', -1)
}

interface Held { readonly orphan: boolean; readonly count: number }

function heldAt(draft: Draft, id: InodeId): Held | undefined {
  const bytes = draft.get('held', idKey(id))
  if (!bytes) return undefined
  const unpacker = new Unpacker(bytes)
  assert(unpacker.u8() === version, 'a row of held of version 1')
  return { orphan: unpacker.u8() === 1, count: unpacker.varint() }
}

const putHeld = (draft: Draft, id: InodeId, { orphan, count }: Held): void =>
  draft.put('held', idKey(id), packer.u8(version).u8(orphan ? 1 : 0).varint(count).done())

/** The last name of the inode was removed. Returns true if history holds the inode: it is then kept. */
export function orphan(draft: Draft, id: InodeId): boolean {
  if (draft.counters.history === 0) return false
  const held = heldAt(draft, id)
  if (!held) return false
  putHeld(draft, id, { ...held, orphan: true })
  return true
}

/** Removes a row of history, and dooms its inode if this was the last row that held it. */
export function forgetVersion(draft: Draft, key: Buffer, { id, directory }: NameEntry): void {
  draft.remove('history', Buffer.from(key))
  draft.count('history', -1)
  const held = heldAt(draft, id)
  assert(held && held.count > 0, 'what history names is held')
  if (held.count > 1) return putHeld(draft, id, { ...held, count: held.count - 1 })
  draft.remove('held', idKey(id))
  if (held.orphan) doom(draft, id, directory)
}

/** Hands an inode to the sweep (sweep.ts). */
export function doom(draft: Draft, id: InodeId, directory: boolean): void {
  draft.put('doomed', idKey(id), Buffer.from([directory ? 1 : 0]))
  draft.count('doomed', 1)
}

/** Directories with snapshots, including those of running quota counts. */
export function* snapshotted(view: View): Iterable<InodeId> {
  for (let from = 0; ;) {
    let found: number | undefined
    for (const { key } of view.range('snapshots', { start: pairKey(from, 0), limit: 1 })) found = readId(key)
    if (found === undefined) return
    yield inodeId(found)
    from = found + 1
  }
}

/** True if this directory, or one below it, has a snapshot. */
export function hasSnapshots(view: View, directory: InodeId): boolean {
  return view.counters.snapshots > 0 && leadingToSnapshots(view).has(directory)
}

/** Directories with snapshots, and all above them. Cached until a directory moves, or a snapshot is created or removed. */
export function leadingToSnapshots(view: View): ReadonlySet<InodeId> {
  const memo = 'leading to snapshots'
  const known = view.memo.get<ReadonlySet<InodeId>>(memo)
  if (known) return known
  const found = new Set<InodeId>()
  for (const one of snapshotted(view)) {
    // The snapshot of a running quota count does not keep anything.
    if (snapshotsOf(view, one)[Symbol.iterator]().next().done) continue
    for (let at: InodeId | undefined = one; at !== undefined && !found.has(at); at = hookOf(view, at)?.parent) found.add(at)
  }
  view.memo.set(memo, found)
  return found
}
