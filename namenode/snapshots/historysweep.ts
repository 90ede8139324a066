// Sweep of the history: removes old values that no snapshot sees any more, page by page, one operation per page. A note in the
// table "meta" holds the position of the sweep; it survives a restart.

import { decodeValue, encodeValue } from '../journal/codec.ts'
import type { Draft } from '../journal/draft.ts'
import { textKey } from '../journal/keys.ts'
import { mutation } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import { decodeVersion, dropMark, forgetVersion, newestOf } from './history.ts'

/** Position of the sweep, as a key in hex. `again`: start over when the end is reached. */
interface Note { readonly from: string; readonly again: boolean }

const noteKey = textKey('history')

function noteOf(view: View): Note | undefined {
  const bytes = view.get('meta', noteKey)
  return bytes && decodeValue<Note>(bytes)
}

const putNote = (draft: Draft, note: Note): void => draft.put('meta', noteKey, encodeValue(note))

/** A snapshot was removed: starts the sweep, or makes a running one start over. */
export function noteStale(draft: Draft): void {
  const note = noteOf(draft)
  if (draft.counters.history > 0 || draft.counters.marks > 0) putNote(draft, { from: note?.from ?? '', again: note !== undefined })
}

/** True if the sweep has work. */
export const hasStale = (view: View): boolean => (view.counters.history > 0 || view.counters.marks > 0) && noteOf(view) !== undefined

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
