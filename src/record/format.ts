// The contract between whoever holds bytes (blocks, files) and whoever wants records (a map function).
//
// - A record belongs to the range in which it starts. Ranges that lie end to end therefore give every record exactly once.
// - An aligned range starts and ends at record boundaries: no byte outside of it is needed. A reader of an unaligned range
//   starts one byte early and reads on past its end, up to the end of the last record that starts before it.
// - Records come in batches sliced from one decoded piece of the file: a promise per piece, never one per record.
// - A batch's values are the caller's for ever. Its offsets may be asked for until the next batch is asked for.

import { GristmillError } from '../base/errors.ts'
import { textEncodings, type TextEncoding } from './sniff.ts'

/** `whole`: one record a file. */
export type InputFormat = 'lines' | 'jsonl' | 'csv' | 'whole'

export interface InputOptions {
  readonly format: InputFormat
  /** csv: one ASCII character; default: what the file's metadata or its first rows say, else `,`. */
  readonly delimiter?: string
  /** csv: the first row of each file names the columns (default) and rows become objects; false: rows are arrays. */
  readonly header?: boolean
  /** Of the text; default `utf8`. A byte order mark that says otherwise is an error. */
  readonly encoding?: TextEncoding
  /** Bytes that are not UTF-8: U+FFFD and a counter (default), or EINVAL with their offset. */
  readonly invalidUtf8?: 'replace' | 'error'
  /** A record that does not parse: EINVAL with its offset (default), or a counter. */
  readonly badRecords?: 'error' | 'skip'
  /** jsonl: integers beyond 2^53 become bigints (default) or strings, or are bad records. */
  readonly largeIntegers?: 'bigint' | 'string' | 'error'
  /** whole: records are `{ path, bytes }` instead of `{ path, text }`. */
  readonly bytes?: boolean
}

/** What one task owns of one file: the records that start in [start, end). */
export interface RecordRange {
  /** For messages and for `whole`. */
  readonly path: string
  readonly start: number
  readonly end: number
  /** Both ends are record boundaries (or the ends of the file). */
  readonly aligned: boolean
  /**
   * Not all of the file: whoever cut it has looked at the file's beginning, and it is plain text of the given encoding whose records end
   * with newlines. All of a file may be compressed or written in another dialect; its reader finds out.
   */
  readonly partial?: boolean | undefined
  /** csv: what separates the fields of this file, where the options do not say; a reader of all of the file finds it otherwise. */
  readonly delimiter?: string | undefined
  /** csv with a header: the columns, required where `start` > 0; see `parseCsvHeader`. */
  readonly header?: readonly string[] | undefined
  /**
   * The file's bytes from `from` to the end of the file, in pieces of any size; a piece is valid until the next is asked for.
   * The reader ends the iteration early (`return`) as soon as it has what it owns.
   */
  open(from: number): AsyncIterable<Uint8Array>
}

export interface Batch<T = unknown> {
  readonly values: readonly T[]
  /** The file that they come from. */
  readonly path: string
  /** Byte offset in the file at which record `index` starts. Walks the bytes: for messages, not for every record. */
  offset(index: number): number
}

/** Grows while reading; the reader only adds. */
export interface ReadCounters {
  /** Bytes taken from sources, including those beyond the ends of unaligned ranges. */
  bytes: number
  records: number
  invalidUtf8Records: number
  /** Records left out under `badRecords: 'skip'`. */
  badRecords: number
}

export const newReadCounters = (): ReadCounters => ({ bytes: 0, records: 0, invalidUtf8Records: 0, badRecords: 0 })

/** What the world did wrong at one place of one file. */
export function recordError(message: string, place: { path: string; offset: number }, cause?: unknown): GristmillError {
  return new GristmillError('EINVAL', `${place.path}, byte ${place.offset}: ${message}`, { cause, details: { ...place } })
}

/**
 * May one file be read as several ranges? Lines and JSON lines always; CSV only at record boundaries, because whether a
 * newline lies inside quotes depends on all that comes before it; a whole file never.
 */
export function splittable(format: InputFormat, aligned: boolean): boolean {
  switch (format) {
    case 'lines': case 'jsonl': return true
    case 'csv': return aligned
    case 'whole': return false
  }
}

/** Throws EINVAL unless it is the name of an encoding that text is read as. */
export function textEncodingOf(value: unknown): TextEncoding {
  const found = textEncodings.find(name => name === value)
  if (found !== undefined) return found
  throw new GristmillError(
    'EINVAL',
    `text is not read as ${typeof value === 'string' ? JSON.stringify(value) : `a ${typeof value}`}; it is read as ${textEncodings.slice(0, -1).join(', ')} or ${textEncodings.at(-1)!}`,
  )
}

/** The delimiter's character code. Throws EINVAL unless it is one ASCII character that CSV can use. */
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
