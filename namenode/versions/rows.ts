// Rows of versions of outputs. A version is a directory that a job has published. The newest one, the head, has the output's name; the
// older ones are in a directory without a legal name, the shelf, which is an entry of the head: renaming, removing, restoring and
// counting the head therefore includes its versions. Table "versions": directory → its record; table "expiries": one key for each
// version that retention may free, in order of the time at which it was replaced.
// INVARIANT: each number in a record that was replaced and has no tag has one row in "expiries", and no other number has one.

import { assert } from '../../src/base/assert.ts'
import { inodeId, type InodeId, type JobId, type ProgramId } from '../../src/base/ids.ts'
import type { Origin } from '../../src/protocol/job.ts'
import { decodeValue, encodeValue } from '../journal/codec.ts'
import type { Draft } from '../journal/draft.ts'
import { childKey, idKey, nameOfKey, pairKey, putId, readId } from '../journal/keys.ts'
import type { View } from '../journal/view.ts'
import { decodeEntry, type NameEntry } from '../namespace/entry.ts'
import { shelfName } from '../namespace/resolve.ts'
import { encodeSnapshot, versionView } from '../snapshots/rows.ts'

/** One number under which a directory is a version of its output. After a rollback a directory has several. */
export interface VersionNumber {
  readonly number: number
  /** When it became the head, and who published it or rolled back to it. */
  readonly madeMs: number
  readonly user: string
  /** Set by a rollback: the version whose directory this is. */
  readonly from?: number
  /** Set by a rollback: the operation before it. Snapshots up to there do not read the directory under this number. */
  readonly since?: number
  /** Operation after which the directory was as it is read under this number. Missing: as the directory is now. */
  readonly at?: number
  /** Time of the journal at which the next head replaced it; missing for the head. */
  readonly replacedMs?: number
  /** Name that keeps it from being freed. */
  readonly tag?: string
}

/** Job that made the contents of a version. All fields are missing for an output of an earlier version of gristmill. */
export interface MadeBy {
  readonly job?: JobId
  readonly name?: string
  readonly program?: { readonly id: ProgramId; readonly path: string }
  readonly fingerprint?: string
  readonly seed?: number
  /** Missing if they were too large to be kept. */
  readonly params?: Readonly<Record<string, unknown>>
  /** Names of environment variables; values are not kept. */
  readonly env?: readonly string[]
  /** Inputs as named: paths and patterns. */
  readonly inputs?: readonly string[]
  readonly origin?: Origin
  readonly limits?: {
    readonly attemptsMax: number; readonly memoryBytes: number; readonly taskDeadlineMs: number
    /** Missing if the run did not name a number of slots. */
    readonly cpu?: number
  }
  readonly format?: string
  readonly rows?: number
  readonly bytes?: number
  readonly files?: number
  /** Digest of the published files (jobs/publish/staging.ts). */
  readonly digest?: string
  /** Missing for a program that does not check its output. */
  readonly check?: 'passed' | 'overruled'
}

/** A number that was freed. Snapshots of directories above, made before operation `until`, still read it. */
interface FreedNumber extends VersionNumber { readonly until: number }

export interface VersionRecord {
  /** Rising; the last one is the newest. Empty in a directory that snapshots alone see. */
  readonly numbers: readonly VersionNumber[]
  /** In no order. They keep their views, and end with the last snapshot that sees them (snapshots/historysweep.ts). */
  readonly freed?: readonly FreedNumber[]
  readonly made: MadeBy
}

export function recordOf(view: View, directory: InodeId): VersionRecord | undefined {
  if (view.counters.versions === 0) return undefined
  const bytes = view.get('versions', idKey(directory))
  return bytes && decodeValue<VersionRecord>(bytes)
}

function expiryKey(replacedMs: number, directory: InodeId, number: number): Buffer {
  const key = Buffer.allocUnsafe(20)
  putId(key, replacedMs, 0)
  putId(key, directory, 8)
  key.writeUInt32BE(number, 16)
  return key
}

const expires = ({ replacedMs, tag }: VersionNumber): boolean => replacedMs !== undefined && tag === undefined

/**
 * Replaces the record of a directory, its rows in "expiries", and its views. Returns true if a view ended: then history may be stale
 * (snapshots/historysweep.ts).
 */
export function putRecord(draft: Draft, directory: InodeId, record: VersionRecord): boolean {
  assert(allNumbers(record).length > 0, 'a version has a number')
  const before = recordOf(draft, directory)
  forgetExpiries(draft, directory, before)
  if (!before) draft.count('versions', 1)
  draft.put('versions', idKey(directory), encodeValue(record))
  for (const each of record.numbers) {
    if (!expires(each)) continue
    draft.put('expiries', expiryKey(each.replacedMs!, directory, each.number), Buffer.from([1]))
    draft.count('expiries', 1)
  }
  return changeViews(draft, directory, before, record)
}

/**
 * Views are rows of "snapshots" without an owner, which are shown to no user. The history of names then keeps what a view sees
 * (snapshots/history.ts).
 */
function changeViews(draft: Draft, directory: InodeId, before: VersionRecord | undefined, after: VersionRecord | undefined): boolean {
  const [old, now] = [before, after].map(record => new Set(allNumbers(record).flatMap(({ at }) => (at === undefined ? [] : [at]))))
  for (const at of now!) {
    if (old!.delete(at)) continue
    draft.put('snapshots', pairKey(directory, at), encodeSnapshot({ name: versionView, createdMs: 0, owner: '' }))
    draft.count('snapshots', 1)
    draft.forgetDirectories()
  }
  for (const at of old!) {
    draft.remove('snapshots', pairKey(directory, at))
    draft.count('snapshots', -1)
    draft.forgetDirectories()
  }
  return old!.size > 0
}

function forgetExpiries(draft: Draft, directory: InodeId, record: VersionRecord | undefined): void {
  for (const each of record?.numbers ?? []) {
    if (!expires(each)) continue
    draft.remove('expiries', expiryKey(each.replacedMs!, directory, each.number))
    draft.count('expiries', -1)
  }
}

/** The directory is removed. Returns true if a view ended. */
export function dropRecord(draft: Draft, directory: InodeId): boolean {
  const record = recordOf(draft, directory)
  if (!record) return false
  forgetExpiries(draft, directory, record)
  draft.remove('versions', idKey(directory))
  draft.count('versions', -1)
  return changeViews(draft, directory, record, undefined)
}

/** Versions that may expire, the one that was replaced first at the front. */
export function* expiries(
  view: View, limit?: number, after?: Buffer,
): Iterable<{ readonly key: Buffer; readonly replacedMs: number; readonly directory: InodeId; readonly number: number }> {
  if (view.counters.expiries === 0) return
  const start = after && Buffer.concat([after, Buffer.from([0])])
  for (const { key } of view.range('expiries', { start, limit }))
    yield { key: Buffer.from(key), replacedMs: readId(key), directory: inodeId(readId(key, 8)), number: key.readUInt32BE(16) }
}

/** A directory of an output's history. */
export interface KeptDirectory { readonly id: InodeId; readonly entry: NameEntry; readonly record: VersionRecord }

/** Names in directories, now or in a snapshot. */
export interface Reading {
  child(directory: InodeId, name: string): NameEntry | undefined
  children(directory: InodeId): Iterable<{ readonly name: string; readonly entry: NameEntry }>
  /** Operation of the snapshot; missing for the present. */
  readonly at?: number
}

/** The present names. */
export const present = (view: View): Reading => ({
  child(directory, name) {
    const bytes = view.get('children', childKey(directory, name))
    return bytes && decodeEntry(bytes)
  },
  *children(directory) {
    for (const { key, value } of view.range('children', { start: childKey(directory, ''), end: idKey(directory + 1) }))
      yield { name: nameOfKey(key), entry: decodeEntry(value) }
  },
})

/** The shelf of a head; undefined if the output has no older versions. */
export const shelfOf = (view: View, head: InodeId, reading = present(view)): NameEntry | undefined =>
  (view.counters.versions === 0 ? undefined : reading.child(head, shelfName))

/** Directories on the shelf, with the names that they have there. */
export function* onShelf(view: View, shelf: InodeId, reading = present(view)): Iterable<KeptDirectory & { readonly name: string }> {
  for (const { name, entry } of reading.children(shelf)) {
    const record = recordOf(view, entry.id)
    // A snapshot may show a directory of an earlier version of gristmill, which kept no record of what was freed.
    if (record) yield { id: entry.id, entry, record, name }
  }
}

const allNumbers = (record: VersionRecord | undefined): ReadonlyArray<VersionNumber | FreedNumber> =>
  [...record?.numbers ?? [], ...record?.freed ?? []]

/** Numbers that a directory has, or had in a snapshot; rising. */
export function numbersIn(record: VersionRecord, at: number | undefined): readonly VersionNumber[] {
  if (at === undefined) return record.numbers
  return allNumbers(record)
    .filter(each => (each.since ?? 0) < at && (!('until' in each) || at < each.until))
    .sort((a, b) => a.number - b.number)
}

export const newestOf = ({ numbers }: VersionRecord): VersionNumber => numbers.at(-1)!
