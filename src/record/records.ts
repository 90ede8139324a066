// Contract between sources of bytes (blocks, files) and readers of records (map functions).
//
// - A record belongs to the range in which it starts. Adjacent ranges therefore give every record exactly once.
// - An aligned range starts and ends at record boundaries: no byte outside of it is needed. A reader of an unaligned range
//   starts one byte early and reads past its end, up to the end of the last record that starts before it.
// - Records come in batches sliced from one decoded piece of the file: one promise per piece, never one per record.
// - The caller owns a batch's values. Its offsets are available until the next batch is requested.

import { GristmillError } from '../base/errors.ts'
import { recordEnd, textEncodings, type InputFormat, type TextEncoding } from '../base/formats.ts'
import { asWrongUse } from '../base/wronguse.ts'

/** Part of a file that one task reads: the records that start in [start, end). */
export interface RecordRange {
  /** For messages and for `whole`. */
  readonly path: string
  readonly start: number
  readonly end: number
  /** Both ends are record boundaries (or the ends of the file). */
  readonly aligned: boolean
  /**
   * Not the whole file: the splitter has inspected the file's beginning, and it is plain text of the given encoding whose records end with
   * newlines. A range of a whole file may be compressed or in another dialect, which its reader detects.
   */
  readonly partial?: boolean | undefined
  /** csv: delimiter of this file if the options set none; default: `,`, and detected by a reader of the whole file. */
  readonly delimiter?: string | undefined
  /** csv with a header: the columns, required where `start` > 0; see `parseCsvHeader`. */
  readonly header?: readonly string[] | undefined
  /**
   * The file's bytes from `from` to the end of the file, in pieces of any size; a piece is valid until the next one is requested.
   * The reader ends the iteration early (`return`) as soon as it has all records of the range.
   */
  open(from: number): AsyncIterable<Uint8Array>
}

export interface Batch<T = unknown> {
  readonly values: readonly T[]
  /** File of the records. */
  readonly path: string
  /** Byte offset in the file at which record `index` starts. Looks at the bytes behind the record that was asked for before. */
  offset(index: number): number
}

/** Counters of a read; the reader only adds to them. */
export interface ReadCounters {
  /** Bytes read from sources, including those beyond the ends of unaligned ranges. */
  bytes: number
  records: number
  invalidUtf8Records: number
  /** Records left out under `badRecords: 'skip'`. */
  badRecords: number
}

export const newReadCounters = (): ReadCounters => ({ bytes: 0, records: 0, invalidUtf8Records: 0, badRecords: 0 })

/** Values in one batch of values that the program computes. */
const valuesAtOnce = 1000

/** Batches of values that come from no file. `valuesOf` is called when the first batch is requested; `own` copies a value. */
export function * batchesOf(
  valuesOf: () => Iterable<unknown>, counters: ReadCounters, own: (value: unknown) => unknown,
): Generator<Batch> {
  let values: unknown[] = []
  let first = 0
  const batch = (): Batch => {
    const from = first
    first += values.length
    counters.records += values.length
    return { values, path: '', offset: index => from + index }
  }
  for (const value of valuesOf()) {
    values.push(own(value))
    if (values.length < valuesAtOnce) continue
    yield batch()
    values = []
  }
  if (values.length > 0) yield batch()
}

/** Advice for authors: a program without code has no such setting. */
export const skipping = (records: string): string => `have a program of your own skip such ${records} (badRecords: "skip" in its input)`

/** EINVAL for invalid input at one offset of one file. */
export function recordError(message: string, place: { path: string; offset: number }, cause?: unknown): GristmillError {
  return asWrongUse(new GristmillError('EINVAL', `${place.path}, byte ${place.offset}: ${message}`, { cause, details: { ...place } }))
}

/**
 * True if one file can be read as several ranges: lines, JSON lines and Avro always; CSV only at record boundaries, because all bytes
 * before a newline decide whether it is inside quotes; a whole file never.
 */
export function splittable(format: InputFormat, aligned: boolean): boolean {
  switch (recordEnd(format)) {
    case 'newline': case 'marker': return true
    case 'row': return aligned
    default: return false
  }
}

/** Throws EINVAL unless the value is the name of a supported encoding. */
export function textEncodingOf(value: unknown): TextEncoding {
  const found = textEncodings.find(name => name === value)
  if (found !== undefined) return found
  throw new GristmillError(
    'EINVAL',
    `unknown encoding ${typeof value === 'string' ? JSON.stringify(value) : `of type ${typeof value}`}; supported encodings: ` +
    `${textEncodings.slice(0, -1).join(', ')} or ${textEncodings.at(-1)!}`,
  )
}

/** The delimiter's character code. Throws EINVAL unless it is one ASCII character that may separate CSV fields. */
export function delimiterCode(delimiter = ','): number {
  const code = delimiter.charCodeAt(0)
  if (delimiter.length !== 1 || code > 127 || code === 0 || code === 34 || code === 10 || code === 13) {
    throw new GristmillError(
      'EINVAL',
      `${JSON.stringify(delimiter)} cannot separate CSV columns; give one ASCII character, such as "," or ";" or a tab`,
    )
  }
  return code
}
