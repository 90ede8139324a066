// Shared by tests of the record room: ranges over bytes in memory, and blocks as `put` cuts them.

import { expect } from 'vitest'
import type { InputOptions } from '../../../../src/base/formats.ts'
import { Boundary, type Dialect } from '../../../../src/record/boundary.ts'
import type { Batch, ReadCounters, RecordRange } from '../../../../src/record/records.ts'
import { newReadCounters } from '../../../../src/record/records.ts'
import { readRecords } from '../../../../src/record/reader.ts'
import { loadAvro } from '../../../../src/world/avro.ts'
import type { Dice } from '../../../kit/dice.ts'

/** A range over `bytes` whose source reuses one buffer for pieces of random lengths, as real sources may. */
export function rangeOf(
  bytes: Buffer,
  range: {
    path?: string
    start?: number
    end?: number
    aligned?: boolean
    header?: string[] | undefined
    partial?: boolean
    delimiter?: string | undefined
  },
  random: Dice, pieceMax = 40,
): RecordRange & { closed: () => boolean } {
  let closed = true
  return {
    path: range.path ?? '/file', start: range.start ?? 0, end: range.end ?? bytes.length, aligned: range.aligned ?? true,
    header: range.header, partial: range.partial, delimiter: range.delimiter, closed: () => closed,
    async *open(from: number) {
      closed = false
      const reused = Buffer.alloc(pieceMax)
      try {
        for (let at = from; at < bytes.length;) {
          const length = Math.min(bytes.length - at, random.below(pieceMax + 1))
          bytes.copy(reused, 0, at, at + length)
          at += length
          yield reused.subarray(0, length)
          reused.fill(0x21)
        }
      } finally {
        closed = true
      }
    },
  }
}

export interface Found { readonly value: unknown; readonly offset: number; readonly path: string }

export async function readAll(ranges: RecordRange[], input: InputOptions, counters: ReadCounters = newReadCounters()): Promise<Found[]> {
  const found: Found[] = []
  const take = (batch: Batch) => {
    // Offsets are found from the record that was asked for before: they are the same in each order.
    const backwards = batch.values.map((_, index, { length }) => batch.offset(length - 1 - index)).reverse()
    batch.values.forEach((value, index) => found.push({ value, offset: batch.offset(index), path: batch.path }))
    expect(batch.values.map((_, index) => batch.offset(index))).toEqual(backwards)
  }
  for await (const batch of readRecords(ranges, { input, counters, loadAvro })) take(batch)
  return found
}

/** Ends of blocks of at most `blockBytes`, as `put` cuts them, and which of them begin and end between records. */
export function blocksOf(
  bytes: Buffer, format: 'lines' | 'jsonl' | 'csv',
  { blockBytes, random, ...dialect }: Dialect & { blockBytes: number; random: Dice },
): Array<{ start: number; end: number; aligned: boolean }> {
  const blocks: Array<{ start: number; end: number; aligned: boolean }> = []
  let startsAligned = true
  let boundary: Boundary | undefined
  let base = 0
  for (let start = 0; start < bytes.length;) {
    const limit = Math.min(start + blockBytes, bytes.length)
    boundary ??= new Boundary(format, { ...dialect, atFileStart: start === 0 })
    for (let at = base + boundary.bytes; at < limit;) {
      const to = Math.min(limit, at + 1 + random.below(30))
      boundary.push(bytes.subarray(at, to))
      at = to
    }
    const last = base + boundary.last > start ? base + boundary.last : 0
    const end = limit === bytes.length || last === 0 ? limit : last
    const endsAligned = limit === bytes.length || last > 0
    blocks.push({ start, end, aligned: startsAligned && endsAligned })
    startsAligned = endsAligned
    if (endsAligned) {
      boundary = undefined
      base = end
    }
    start = end
  }
  return blocks
}
