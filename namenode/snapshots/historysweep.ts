// Sweep of the history: removes old values that no snapshot sees any more, page by page, one operation per page; after the removal of a
// snapshot also numbers of versions that were kept for it. A note in the table "meta" holds the position of the sweep; it survives a
// restart.

import { decodeValue, encodeValue } from '../journal/codec.ts'
import type { Draft } from '../journal/draft.ts'
import { inodeId, type InodeId } from '../../src/base/ids.ts'
import { readId, textKey } from '../journal/keys.ts'
import { mutation } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import { pathOf } from '../namespace/resolve.ts'
import { putRecord, recordOf, type VersionRecord } from '../versions/rows.ts'
import { decodeVersion, dropMark, forgetVersion, isSeen, newestOf } from './history.ts'

/**
 * Position of the sweep, as a key in hex. `again`: start over when the end is reached. `versions`: position in the table "versions", which
 * follows the history if it is set.
 */
interface Note { readonly from: string; readonly again: boolean; readonly versions?: string }

/** Position after the whole history. */
const historyEnd = 'ff'.repeat(8)

const noteKey = textKey('history')

function noteOf(view: View): Note | undefined {
  const bytes = view.get('meta', noteKey)
  return bytes && decodeValue<Note>(bytes)
}

const putNote = (draft: Draft, note: Note): void => draft.put('meta', noteKey, encodeValue(note))

/** A view of a version, or of a quota count, has ended: starts the sweep, or makes a running one start over. */
export function noteStale(draft: Draft): void {
  const note = noteOf(draft)
  if (draft.counters.history === 0 && draft.counters.marks === 0) return
  putNote(draft, { ...note, from: note?.from ?? '', again: note !== undefined })
}

/** A snapshot was removed: the sweep goes through the versions as well. */
export function noteRemoved(draft: Draft): void {
  noteStale(draft)
  if (draft.counters.versions > 0) putNote(draft, { from: historyEnd, again: false, ...noteOf(draft), versions: '' })
}

/** True if the sweep has work. */
export const hasStale = (view: View): boolean =>
  (view.counters.history > 0 || view.counters.marks > 0 || view.counters.versions > 0) && noteOf(view) !== undefined

/** Checks `limit` rows of history, and removes those that no snapshot sees any more. */
export const sweepHistory = mutation<{ limit: number }, undefined>({
  kind: 'snapshot.sweep',
  mutate(draft, { limit }) {
    const note = noteOf(draft)
    if (!note) return undefined
    const rows = [...draft.range('history', { start: Buffer.from(note.from, 'hex'), limit })]
    for (const { key, value } of rows) {
      const { seers, since, entry } = decodeVersion(value)
      if (!seers.some(({ directory, newest }) => newestOf(draft, directory, newest) >= since && newestOf(draft, directory, newest) > 0))
        forgetVersion(draft, key, entry)
    }
    if (rows.length === limit)
      return (putNote(draft, { ...note, from: Buffer.concat([rows.at(-1)!.key, Buffer.alloc(1)]).toString('hex') }), undefined)
    if (note.versions !== undefined) return sweepVersions(draft, { ...note, versions: note.versions }, limit)
    if (note.again) return putNote(draft, { from: '', again: false }), undefined
    if (draft.counters.snapshots === 0) {
      // Without snapshots no mark is needed.
      const marks = [...draft.range('marks', { limit })]
      for (const { key } of marks) dropMark(draft, key)
      if (marks.length === limit) return undefined
    }
    draft.remove('meta', noteKey)
    return undefined
  },
})

/** Checks `limit` records of versions. If a view ends, the history is swept once more. */
function sweepVersions(draft: Draft, note: Required<Note>, limit: number): undefined {
  const keys = [...draft.range('versions', { start: Buffer.from(note.versions, 'hex'), limit })].map(({ key }) => Buffer.from(key))
  let again = note.again
  for (const key of keys) if (forgetUnseen(draft, inodeId(readId(key)))) again = true
  if (keys.length === limit)
    putNote(draft, { from: historyEnd, again, versions: Buffer.concat([keys.at(-1)!, Buffer.alloc(1)]).toString('hex') })
  else putNote(draft, { from: again ? '' : historyEnd, again: false })
  return undefined
}

/** Returns true if a view ended. */
function forgetUnseen(draft: Draft, directory: InodeId): boolean {
  const record = recordOf(draft, directory)
  // A removed directory keeps its record as long as the history holds it.
  if (!record?.freed || pathOf(draft, directory) === undefined) return false
  return putRecord(draft, directory, withoutUnseen(draft, directory, record))
}

/** The record without freed numbers that no snapshot sees. REQUIRES: the directory has a place. */
export function withoutUnseen(view: View, directory: InodeId, record: VersionRecord): VersionRecord {
  const { freed = [], ...rest } = record
  const seen = freed.filter(({ since = 0, until }) => isSeen(view, directory, { after: since, before: until }))
  return { ...rest, ...seen.length > 0 && { freed: seen } }
}
