// Changes of an output's history, used by publishing and by the mutations of versions: a head is replaced, an older version becomes the
// head again, a version is freed. All are renames, whatever the size of the outputs. While the head changes, the shelf waits in the
// directory above, so that no step moves a directory into itself and no quota sees anything leave.

import { assert } from '../../src/base/assert.ts'
import { GristmillError } from '../../src/base/errors.ts'
import type { InodeId } from '../../src/base/ids.ts'
import type { Draft } from '../journal/draft.ts'
import { childKey, idKey, nameOfKey } from '../journal/keys.ts'
import type { View } from '../journal/view.ts'
import { decodeEntry, isDirectory, sinceOf, type NameEntry } from '../namespace/entry.ts'
import { hookOf, pathOf, shelfName, type NamePlace } from '../namespace/resolve.ts'
import { addDirectory, detach, move } from '../namespace/tree.ts'
import { inheritUsage } from '../quotas/usage.ts'
import { endOfHistory, historyKey, nameOfHistory } from '../snapshots/history.ts'
import { noteStale, withoutUnseen } from '../snapshots/historysweep.ts'
import { copyAttributes } from '../xattrs/rows.ts'
import { versionsOf, type FoundVersion } from './lookup.ts'
import { dropRecord, newestOf, putRecord, recordOf, shelfOf, type MadeBy, type VersionNumber } from './rows.ts'

/** Names of a directory that are compared with an older state of it, about 20 ms. */
const comparedMax = 20_000
/** Versions freed by one operation: each may count up to 10,000 names for quotas. */
export const freedMax = 5

type Place = Pick<NamePlace, 'parent' | 'name' | 'path'>

/** Name of a shelf while its head is being replaced. */
const parked = (head: InodeId): string => `${shelfName}/${head}`

const shelfMode = 0o700

/** Number of the next version of an output. An output of an earlier version of gristmill, without record, counts as version 1. */
export function nextNumber(view: View, head: NameEntry | undefined): number {
  if (!head) return 1
  return (versionsOf(view, head)[0]?.number.number ?? 1) + 1
}

/**
 * Puts the head on its shelf and gives its name, mode, owner, group, attributes and quota to `next`. Throws EDQUOT, and EINVAL if there
 * are too many names to count. REQUIRES: `from` is the place of `next`, which has no shelf.
 */
export function replaceHead(
  draft: Draft, place: Place, head: NameEntry,
  { next, from, nowMs, replacedMs }: {
    readonly next: NameEntry
    readonly from: { readonly parent: InodeId; readonly name: string }
    readonly nowMs: number
    readonly replacedMs: number
  },
): void {
  const parent = place.parent.entry.id
  const { mode, acl, owner, group } = head
  const old = recordOf(draft, head.id) ?? { numbers: [{ number: 1, madeMs: head.mtimeMs, user: owner }], made: {} }
  const newest = newestOf(old)
  putRecord(draft, head.id, { ...old, numbers: [...old.numbers.slice(0, -1), { ...newest, replacedMs }] })
  copyAttributes(draft, head.id, next.id)
  if (inheritUsage(draft, { from: head.id, to: next, path: place.path })) noteStale(draft)
  const shelf = park(draft, parent, head, nowMs)
  move(draft, { parent, name: place.name }, { parent: shelf.id, name: String(newest.number) }, head)
  move(draft, from, { parent, name: place.name }, { ...next, mode, acl, owner, group, mtimeMs: Math.floor(nowMs) })
  move(draft, { parent, name: parked(head.id) }, { parent: next.id, name: shelfName }, shelf)
}

function park(draft: Draft, parent: InodeId, head: NameEntry, nowMs: number): NameEntry {
  const shelf = shelfOf(draft, head.id)
  if (!shelf) return addDirectory(draft, parent, parked(head.id), { owner: head.owner, group: head.group, mode: shelfMode, nowMs })
  move(draft, { parent: head.id, name: shelfName }, { parent, name: parked(head.id) }, shelf)
  return shelf
}

/** Records what a job has published as the newest version. */
export function recordMade(
  draft: Draft, directory: InodeId,
  { number, madeMs, user, made }: Pick<VersionNumber, 'number' | 'madeMs' | 'user'> & { readonly made: MadeBy },
): void {
  putRecord(draft, directory, { numbers: [{ number, madeMs: Math.floor(madeMs), user }], made })
}

/** Makes an older version the head, under a new number. Throws EINVAL if it is the head, or its directory was changed since. */
export function rollBack(
  draft: Draft, place: Place, head: NameEntry,
  { target, user, nowMs, replacedMs }: {
    readonly target: FoundVersion
    readonly user: string
    readonly nowMs: number
    readonly replacedMs: number
  },
): number {
  const { path } = place
  const { id, entry, record, number: { number, at } } = target
  if (at !== undefined && !isUnchanged(draft, id, at))
    throw new GristmillError(
      'EINVAL',
      `${path} cannot be rolled back to version ${number}: a later version has the same directory, and files in it were changed since; ` +
      `copy it instead ("gristmill cp -r ${path}@${number} NEW")`,
      { details: { path, version: number } },
    )
  const now = recordOf(draft, head.id)
  if (id === head.id)
    throw new GristmillError('EINVAL', `${path} has the contents of version ${number} already: it is version ${newestOf(now!).number}`, {
      details: { path, version: number },
    })
  const next = nextNumber(draft, head)
  const from = hookOf(draft, id)
  assert(from, 'a version on a shelf has a place')
  // The views come first: names that this operation writes into the directory are newer than they are.
  const seen = draft.counters.appliedSeq
  putRecord(draft, id, {
    ...record,
    numbers: [
      ...record.numbers.map(each => ({ ...each, at: each.at ?? seen })),
      { number: next, madeMs: Math.floor(nowMs), user, from: number, since: seen },
    ],
  })
  replaceHead(draft, place, head, { next: entry, from, nowMs, replacedMs })
  return next
}

/** True if the directory has the names that it had after operation `at`. A directory in it is not looked into and counts as a change. */
function isUnchanged(view: View, directory: InodeId, at: number): boolean {
  let count = 0
  for (const { key, value } of view.range('children', { start: childKey(directory, ''), end: idKey(directory + 1) })) {
    if (nameOfKey(key) === shelfName) continue
    if (isDirectory(value) || sinceOf(value) > at || ++count > comparedMax) return false
  }
  for (const { key } of view.range('history', { start: historyKey(directory, '', 0), end: idKey(directory + 1) }))
    if (nameOfHistory(key) !== shelfName && endOfHistory(key) > at || ++count > comparedMax) return false
  return true
}

/** Versions that retention may free: all but the head and tagged ones, the newest first. */
export const replaceable = (view: View, head: NameEntry): FoundVersion[] =>
  versionsOf(view, head).filter(({ isHead, number }) => !isHead && number.tag === undefined)

/** Frees the oldest versions beyond `keep`, at most `freedMax`. Returns their numbers, the newest first. */
export function freeBeyond(draft: Draft, head: NameEntry, keep: number): number[] {
  const freed = replaceable(draft, head).slice(keep).slice(-freedMax)
  for (const { id, number } of freed) free(draft, id, number.number)
  return freed.map(({ number }) => number.number)
}

/**
 * Frees one number of a directory, and the directory itself if that was the last one. While a number with a view remains, names that were
 * added after the view stay as well. A number that a snapshot sees stays in the record for it.
 */
export function free(draft: Draft, directory: InodeId, number: number): void {
  const before = recordOf(draft, directory)
  const one = before?.numbers.find(each => each.number === number)
  assert(before && one, 'what is freed is a version')
  const numbers = before.numbers.filter(each => each !== one)
  const all = { ...before, numbers, freed: [...before.freed ?? [], { ...one, until: draft.counters.appliedSeq + 1 }] }
  // It was removed with its output: it is being swept, or a snapshot holds it as it was, and no step may change it.
  if (pathOf(draft, directory) === undefined) return void putRecord(draft, directory, all)
  const record = withoutUnseen(draft, directory, all)
  if (numbers.length === 0) {
    takeOffShelf(draft, directory)
    if (!record.freed || draft.has('doomed', idKey(directory))) {
      if (dropRecord(draft, directory)) noteStale(draft)
      return
    }
  }
  if (putRecord(draft, directory, record)) noteStale(draft)
}

function takeOffShelf(draft: Draft, directory: InodeId): void {
  const hook = hookOf(draft, directory)
  assert(hook && hookOf(draft, hook.parent)?.name === shelfName, 'only versions on a shelf are freed')
  const bytes = draft.get('children', childKey(hook.parent, hook.name))
  assert(bytes, 'a version on a shelf has a name')
  detach(draft, hook.parent, hook.name, decodeEntry(bytes))
}
