// Every start of this namenode, packed, so that a namenode can tell for each epoch which incarnation spoke for it, however many starts
// ago that was: a command of an embedded cluster is a start. A row of the table `meta` holds consecutive epochs, ten bytes each. The
// oldest row goes when there are `rowsMax`; `cut` in `starts` says so from then on.

import { crc32c } from '@node-rs/crc32'
import type { Draft } from './draft.ts'
import { idKey, readId } from './keys.ts'
import type { View } from './view.ts'

/** One start. */
export interface Ancestor {
  /** CRC32C of the incarnation's name. */
  readonly sum: number
  /** Number of the operation that it is. */
  readonly seq: number
}

const prefix = Buffer.from('lineage')
const keyOf = (epoch: number): Buffer => Buffer.concat([prefix, idKey(epoch)])
const epochOf = (key: Buffer): number => readId(key, prefix.length)

/** 4 bytes sum, 6 bytes seq. */
const entryBytes = 10
/** A row of 2.5 KiB, which each start rewrites. */
const entriesMax = 256
/** 262,144 starts, 2.6 MB. */
const rowsMax = 1_024
const epochMax = Number.MAX_SAFE_INTEGER

export const sumOf = (incarnation: string): number => crc32c(incarnation)

const entryAt = (row: Buffer, index: number): Ancestor => ({
  sum: row.readUInt32BE(index * entryBytes), seq: row.readUIntBE(index * entryBytes + 4, 6),
})

interface Row { readonly first: number; readonly bytes: Buffer }

/** The row that holds `epoch`, or ends before it. */
function rowBefore(view: Pick<View, 'range'>, epoch: number): Row | undefined {
  for (const { key, value } of view.range('meta', { start: keyOf(0), end: keyOf(epoch + 1), reverse: true, limit: 1 }))
    return { first: epochOf(key), bytes: value }
  return undefined
}

const endOf = ({ first, bytes }: Row): number => first + bytes.length / entryBytes

/** The start that began `epoch`; undefined if it is not noted. */
export function ancestorOf(view: Pick<View, 'range'>, epoch: number): Ancestor | undefined {
  const row = rowBefore(view, epoch)
  return row && epoch < endOf(row) ? entryAt(row.bytes, epoch - row.first) : undefined
}

/** Operations of the namenode of `epoch` have numbers below this; undefined if no later start is noted. */
export function endSeqOf(view: Pick<View, 'range'>, epoch: number): number | undefined {
  const row = rowBefore(view, epoch)
  if (row && epoch + 1 < endOf(row)) return entryAt(row.bytes, epoch + 1 - row.first).seq
  for (const { value } of view.range('meta', { start: keyOf(epoch + 1), end: keyOf(epochMax), limit: 1 })) return entryAt(value, 0).seq
  return undefined
}

/** The earliest epoch that is noted; undefined if none is. */
export function earliestOf(view: Pick<View, 'range'>): number | undefined {
  for (const { key } of view.range('meta', { start: keyOf(0), end: keyOf(epochMax), limit: 1 })) return epochOf(key)
  return undefined
}

/** The last epoch that is noted; 0 if none is. */
export function latestOf(view: Pick<View, 'range'>): number {
  const row = rowBefore(view, epochMax - 1)
  return row ? endOf(row) - 1 : 0
}

/** REQUIRES: `epoch` is higher than all that are noted. Says whether the oldest ones had to go. */
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
