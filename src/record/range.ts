// Reads a range of a file as chunks of whole records, and only of records that start in the range.
// A chunk is valid until the next one is requested. A record that spans pieces is copied into its own chunk, so that large pieces are
// never copied. Memory: one piece and one record.

import { GristmillError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { KiB } from '../base/units.ts'
import { asBuffer, type Scanner } from './boundary.ts'
import { recordError, type ReadCounters, type RecordRange } from './records.ts'

/** Whole records; the file's last one may have no newline. */
export interface Chunk {
  readonly bytes: Buffer
  /** Position of the first byte in the file. */
  readonly position: number
}

/** Larger pieces are cut to this size: the decoded string and the records sliced from it stay in the cache of one core. */
const chunkBytesMax = 256 * KiB
const newline = 10

/**
 * The bytes of all records that start in the range. For an unaligned range both ends are moved to line starts: from just after the first
 * newline at or after start - 1, to just after the first newline at or after end - 1.
 */
export async function* ownedPieces(range: RecordRange, counters: ReadCounters): AsyncGenerator<Chunk> {
  const { start, end, aligned } = range
  if (end <= start) return
  let skipping = !aligned && start > 0
  let position = skipping ? start - 1 : start
  for await (const piece of range.open(position)) {
    let bytes = asBuffer(piece)
    counters.bytes += bytes.length
    if (skipping) {
      const found = bytes.indexOf(newline)
      const skipped = found < 0 ? bytes.length : found + 1
      position += skipped
      if (found < 0 && position < end) continue
      if (position >= end) return
      bytes = bytes.subarray(skipped)
      skipping = false
    }
    if (position + bytes.length >= end) {
      const stop = aligned ? end - position : stopAfter(bytes, end - 1 - position)
      if (stop >= 0) {
        yield* cut(bytes.subarray(0, stop), position)
        return
      }
    }
    yield* cut(bytes, position)
    position += bytes.length
  }
  // The length of decompressed text (end Infinity) is not known in advance.
  if (position < end && end !== Infinity) {
    throw new GristmillError('CORRUPT', `${range.path} ended at byte ${position}, before the end ${end} of the range to be read`, {
      details: { path: range.path, offset: position },
    })
  }
}

/** The position after the first newline at or after `from`, or -1. */
function stopAfter(bytes: Buffer, from: number): number {
  const found = bytes.indexOf(newline, Math.max(0, from))
  return found < 0 ? -1 : found + 1
}

function* cut(bytes: Buffer, position: number): Generator<Chunk> {
  for (let from = 0; from < bytes.length; from += chunkBytesMax) {
    yield { bytes: bytes.subarray(from, from + chunkBytesMax), position: position + from }
  }
}

/** The range's records, whole, in order. Throws EINVAL with the offset of a record over limits.recordBytesMax. */
export async function* wholeRecords(range: RecordRange, scanner: Scanner, counters: ReadCounters): AsyncGenerator<Chunk> {
  let carry: Buffer[] = []
  let carryBytes = 0
  let carryPosition = 0
  for await (const { bytes, position } of ownedPieces(range, counters)) {
    scanner.scan(bytes)
    const { first, last } = scanner
    let from = 0
    if (carryBytes > 0) {
      if (carryBytes + (first ?? bytes.length) > limits.recordBytesMax) throw tooLong(range.path, carryPosition)
      // Record ends before these bytes, known only now, are rare: then all up to the last one is one chunk.
      const end = first === undefined ? undefined : first > 0 ? first : last!
      if (end === undefined || end <= 0) {
        carry.push(Buffer.from(bytes))
        carryBytes += bytes.length
        if (end === undefined) continue
        const whole = Buffer.concat(carry)
        const rest = carryBytes - bytes.length + end
        const chunk = { bytes: whole.subarray(0, rest), position: carryPosition }
        carry = [whole.subarray(rest)]
        carryBytes -= rest
        carryPosition += rest
        yield chunk
        continue
      }
      yield { bytes: Buffer.concat([...carry, bytes.subarray(0, end)]), position: carryPosition }
      carry = []
      carryBytes = 0
      from = end
    }
    const to = Math.max(from, last ?? 0)
    // Copied before the yield: the piece may be overwritten while the consumer holds the chunk.
    if (to < bytes.length) {
      carry.push(Buffer.from(bytes.subarray(to)))
      carryBytes = bytes.length - to
      carryPosition = position + to
    }
    if (to > from) yield { bytes: bytes.subarray(from, to), position: position + from }
  }
  if (carryBytes > 0) yield { bytes: Buffer.concat(carry), position: carryPosition }
}

function tooLong(path: string, offset: number): GristmillError {
  return recordError(
    `the record that starts here has no end within ${limits.recordBytesMax} bytes; ` +
    'if the file is not made of lines, read it with the format "whole"; in CSV look for a quote that is never closed',
    { path, offset },
  )
}
