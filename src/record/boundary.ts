// Record boundaries: finds the ends of records without parsing them, for `put`, which ends blocks at record boundaries, and for readers,
// which need the whole records of a piece. Invariant: the boundaries do not depend on how the bytes are divided into pieces.
//
// CSV: where rows end, and which quotes are stray, is defined at the head of csv.ts; scanner and parser must always agree on it. Whether
// an opening quote is stray is known only behind the next quote that is not doubled, so the scanner reports the ends of lines between the
// two only then.

import { recordEnd, type InputFormat } from '../base/formats.ts'
import { delimiterCode } from './records.ts'

const newline = 10
const carriageReturn = 13
const quote = 34
const bom = [0xef, 0xbb, 0xbf]

export interface Scanner {
  /**
   * Positions just after the first and the last record end that the last scanned bytes have made known, relative to these bytes: in
   * bytes scanned earlier if zero or negative. undefined: none.
   */
  readonly first: number | undefined
  readonly last: number | undefined
  scan(bytes: Buffer): void
}

class LineScanner implements Scanner {
  first: number | undefined
  last: number | undefined

  scan(bytes: Buffer): void {
    const first = bytes.indexOf(newline)
    this.first = first < 0 ? undefined : first + 1
    this.last = first < 0 ? undefined : bytes.lastIndexOf(newline) + 1
  }
}

/**
 * Place of the next byte. unquoted; quoted; at the byte after a quote inside of quotes, which decides whether it is doubled (`quote`);
 * after a closing quote that stands where a field may start (`closed`), or after it and carriage returns (`returned`): if no field can end
 * here, the opening quote is stray, and the closing one is an opening one.
 */
const unquoted = 0
const quoted = 1
const atQuote = 2
const closed = 3
const returned = 4

class CsvScanner implements Scanner {
  first: number | undefined
  last: number | undefined
  readonly #delimiter: number
  /** Byte that ends a row: a newline, or a carriage return in files of classic Mac OS. */
  readonly #ending: number
  #state = unquoted
  /** Number of bytes scanned before. Positions below count from the first byte ever scanned. */
  #base = 0
  /** In quotes: positions after the first and the last line end since the opening quote; -Infinity if there is none. */
  #innerFirst = -Infinity
  #innerLast = -Infinity
  /** In quotes: position after the opening quote, or after the last doubled one; a quote there belongs to the same run of quotes. */
  #runEnd = -Infinity
  /** In quotes: the last run of quotes stands at the start of a line or after a delimiter. */
  #opens = false
  /** The byte before the next one; at the start of a file: a row end. */
  #previous: number
  /** Bytes of a byte order mark matched so far; -1 once it was matched or ruled out. */
  #mark: number

  constructor({ delimiter, rowEnd }: Dialect, atFileStart: boolean) {
    this.#delimiter = delimiterCode(delimiter)
    this.#ending = rowEnd === '\r' ? carriageReturn : newline
    this.#previous = this.#ending
    this.#mark = atFileStart ? 0 : -1
  }

  scan(bytes: Buffer): void {
    const length = bytes.length
    this.first = this.last = undefined
    if (length === 0) return
    const skipped = this.#mark < 0 ? 0 : this.#skipMark(bytes)
    if (this.#state !== unquoted || bytes.includes(quote)) {
      this.#walk(bytes, skipped)
    } else {
      this.first = bytes.indexOf(this.#ending) + 1 || undefined
      this.last = this.first === undefined ? undefined : bytes.lastIndexOf(this.#ending) + 1
    }
    this.#previous = skipped === length ? this.#ending : bytes[length - 1]!
    this.#base += length
  }

  /** Scans byte by byte: quotes come in numbers, and an `indexOf` per quote costs more. */
  #walk(bytes: Buffer, from: number): void {
    const length = bytes.length
    const delimiter = this.#delimiter
    const ending = this.#ending
    const none = -Infinity
    let first = none
    let last = none
    let state = this.#state
    // Positions in these bytes, negative in earlier ones.
    let innerFirst = this.#innerFirst - this.#base
    let innerLast = this.#innerLast - this.#base
    let runEnd = this.#runEnd - this.#base
    let opens = this.#opens
    let left = from > 0 ? ending : this.#previous
    for (let i = from; i < length;) {
      // A byte that changes the state without being consumed is looked at again.
      const byte = bytes[i]!
      if (state === unquoted) {
        i++
        if (byte === ending) {
          last = i
          if (first === none) first = i
        } else if (byte === quote && (left === delimiter || left === ending)) {
          state = quoted
          innerFirst = innerLast = none
          runEnd = i
          opens = false
        }
        left = byte
      } else if (state === quoted) {
        if (byte === quote) {
          if (i !== runEnd) opens = left === delimiter || left === ending
          state = atQuote
        } else if (byte === ending) {
          innerLast = i + 1
          if (innerFirst === none) innerFirst = innerLast
        }
        left = byte
        i++
      } else if (state === atQuote) {
        if (byte === quote) {
          runEnd = ++i
          state = quoted
        } else state = opens ? closed : unquoted
      } else if (byte === carriageReturn && ending === newline) {
        i++
        left = byte
        state = returned
      } else if (byte === ending || (byte === delimiter && state === closed)) {
        state = unquoted
      } else {
        if (innerLast !== none) {
          last = innerLast
          if (first === none) first = innerFirst
        }
        // The quote that seemed to close opens the field that this byte is in.
        state = quoted
        innerFirst = innerLast = runEnd = none
        opens = false
      }
    }
    this.first = first === none ? undefined : first
    this.last = last === none ? undefined : last
    this.#state = state
    this.#innerFirst = this.#base + innerFirst
    this.#innerLast = this.#base + innerLast
    this.#runEnd = this.#base + runEnd
    this.#opens = opens
  }

  /** Number of leading bytes that belong to a byte order mark; the first field starts after it. */
  #skipMark(bytes: Buffer): number {
    let i = 0
    while (i < bytes.length && this.#mark < 3) {
      if (bytes[i] !== bom[this.#mark]) {
        if (this.#mark > i) this.#previous = 0
        this.#mark = -1
        return 0
      }
      this.#mark++
      i++
    }
    if (this.#mark === 3) this.#mark = -1
    return i
  }
}

/** Dialect of a CSV file. */
export interface Dialect {
  /** One ASCII character; default `,`. */
  readonly delimiter?: string | undefined
  /** Default: a newline, with or without a carriage return before it. */
  readonly rowEnd?: '\n' | '\r' | undefined
}

/** REQUIRES: the first scanned byte starts a record. `atFileStart`: the bytes may begin with a byte order mark. */
export function createScanner(format: InputFormat, options: Dialect & { atFileStart: boolean }): Scanner {
  return recordEnd(format) === 'row' ? new CsvScanner(options, options.atFileStart) : new LineScanner()
}

/**
 * End of the last whole record among the bytes of a new block. The caller makes one per block, pushes bytes up to the block's limit,
 * ends the block at `last`, and puts the bytes after it into the next block.
 * If `last` is 0 (a record longer than the block, or format `whole`), the block must end at its limit; then this block and the next one
 * are not aligned.
 */
export class Boundary {
  readonly #scanner: Scanner | undefined
  /** Bytes pushed. */
  bytes = 0
  /** Bytes up to the end of the last whole record; 0 if none ended yet. */
  last = 0

  constructor(format: InputFormat, options: { delimiter?: string | undefined; atFileStart: boolean }) {
    this.#scanner = recordEnd(format) === 'file' ? undefined : createScanner(format, options)
  }

  push(bytes: Uint8Array): void {
    if (this.#scanner) {
      this.#scanner.scan(asBuffer(bytes))
      if (this.#scanner.last !== undefined) this.last = this.bytes + this.#scanner.last
    }
    this.bytes += bytes.length
  }

  /** True if the bytes just before a limit determine the last record end. Then a block can be cut without reading all of it. */
  static isLocal(format: InputFormat): boolean { return recordEnd(format) === 'newline' }
}

/** The same bytes with Buffer's methods. */
export const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
