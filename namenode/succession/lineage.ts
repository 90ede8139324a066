// Lineage: a packed list of the starts of this namenode, which tells for each epoch the incarnation (the random id of one start) that
// began it. It is long because each command of an embedded cluster is a start. A row of the table `meta` holds consecutive epochs, ten
// bytes each. Above `rowsMax` rows the oldest is removed, and the record `starts` says from then on that the list is cut.

import { crc32c } from '@node-rs/crc32'
import type { Draft } from '../journal/draft.ts'
import { idKey, readId } from '../journal/keys.ts'
import type { View } from '../journal/view.ts'

/** One start in the lineage. */
interface Ancestor {
  /** CRC32C of the incarnation's name. */
  readonly sum: number
  /** Number of the start's operation. */
  readonly seq: number
}

const prefix = Buffer.from('lineage')
const keyOf = (epoch: number): Buffer => Buffer.concat([prefix, idKey(epoch)])
const epochOf = (key: Buffer): number => readId(key, prefix.length)

/** 4 bytes sum, 6 bytes seq. */
const entryBytes = 10
/** 2.5 KiB per row; each start rewrites one row. */
const entriesMax = 256
/** 262,144 starts, 2.6 MB. */
const rowsMax = 1_024
const epochMax = Number.MAX_SAFE_INTEGER

export const sumOf = (incarnation: string): number => crc32c(incarnation)

const entryAt = (row: Buffer, index: number): Ancestor => ({
  sum: row.readUInt32BE(index * entryBytes), seq: row.readUIntBE(index * entryBytes + 4, 6),
})

interface Row { readonly first: number; readonly bytes: Buffer }

/** The last row that begins at or before `epoch`. */
function rowBefore(view: Pick<View, 'range'>, epoch: number): Row | undefined {
  for (const { key, value } of view.range('meta', { start: keyOf(0), end: keyOf(epoch + 1), reverse: true, limit: 1 }))
    return { first: epochOf(key), bytes: value }
  return undefined
}

const endOf = ({ first, bytes }: Row): number => first + bytes.length / entryBytes

/** The start that began `epoch`; undefined if it is not recorded. */
export function ancestorOf(view: Pick<View, 'range'>, epoch: number): Ancestor | undefined {
  const row = rowBefore(view, epoch)
  return row && epoch < endOf(row) ? entryAt(row.bytes, epoch - row.first) : undefined
}

/** Operations of `epoch` have numbers below this; undefined if no later start is recorded. */
export function endSeqOf(view: Pick<View, 'range'>, epoch: number): number | undefined {
  const row = rowBefore(view, epoch)
  if (row && epoch + 1 < endOf(row)) return entryAt(row.bytes, epoch + 1 - row.first).seq
  for (const { value } of view.range('meta', { start: keyOf(epoch + 1), end: keyOf(epochMax), limit: 1 })) return entryAt(value, 0).seq
  return undefined
}

/** Earliest recorded epoch; undefined if there is none. */
export function earliestOf(view: Pick<View, 'range'>): number | undefined {
  for (const { key } of view.range('meta', { start: keyOf(0), end: keyOf(epochMax), limit: 1 })) return epochOf(key)
  return undefined
}

/** Last recorded epoch; 0 if there is none. */
export function latestOf(view: Pick<View, 'range'>): number {
  const row = rowBefore(view, epochMax - 1)
  return row ? endOf(row) - 1 : 0
}

/** Records a start. REQUIRES: `epoch` is higher than all recorded ones. Returns true if the oldest row was removed. */
export function noteAncestor(draft: Draft, { epoch, incarnation, seq }: { epoch: number; incarnation: string; seq: number }): boolean {
  const entry = Buffer.alloc(entryBytes)
  entry.writeUInt32BE(sumOf(incarnation), 0)
  entry.writeUIntBE(seq, 4, 6)
  const row = rowBefore(draft, epoch)
  if (row && endOf(row) === epoch && row.bytes.length < entriesMax * entryBytes) {
    draft.put('meta', keyOf(row.first), Buffer.concat([row.bytes, entry]))
    return false
  }
  const keys = [...draft.range('meta', { start: keyOf(0), end: keyOf(epochMax) })].map(({ key }) => key)
  for (const key of keys.slice(0, Math.max(0, keys.length - rowsMax + 1))) draft.remove('meta', key)
  draft.put('meta', keyOf(epoch), entry)
  return keys.length >= rowsMax
}
