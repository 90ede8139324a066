// Record boundaries: finds the ends of records without parsing them, for `put`, which ends blocks at record boundaries, and for readers,
// which need the whole records of a piece. Invariant: the boundaries do not depend on how the bytes are divided into pieces.
//
// CSV: a quote opens only at the start of a field, is closed by the next single one, and is an ordinary character anywhere else. The
// parser (csv.ts) follows the same rule; both must always agree on the end of a row.

import { recordEnd, type InputFormat } from '../base/formats.ts'
import { delimiterCode } from './format.ts'

const newline = 10
const carriageReturn = 13
const quote = 34
const bom = [0xef, 0xbb, 0xbf]

export interface Scanner {
  /** Positions in the last scanned bytes just after the first and the last record end; -1 if no record ends in them. */
  readonly first: number
  readonly last: number
  scan(bytes: Buffer): void
}

class LineScanner implements Scanner {
  first = -1
  last = -1

  scan(bytes: Buffer): void {
    const first = bytes.indexOf(newline)
    this.first = first < 0 ? -1 : first + 1
    this.last = first < 0 ? -1 : bytes.lastIndexOf(newline) + 1
  }
}

class CsvScanner implements Scanner {
  first = -1
  last = -1
  readonly #delimiter: number
  /** Byte that ends a row: a newline, or a carriage return in files of classic Mac OS. */
  readonly #ending: number
  #quoted = false
  /** The previous bytes ended with a quote inside quotes: the next byte decides whether it closes the field. */
  #pending = false
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
    if (length === 0) { this.first = this.last = -1; return }
    const skipped = this.#mark < 0 ? 0 : this.#skipMark(bytes)
    if (this.#quoted || bytes.includes(quote)) {
      this.#walk(bytes, skipped)
    } else {
      this.first = bytes.indexOf(this.#ending) + 1 || -1
      this.last = this.first < 0 ? -1 : bytes.lastIndexOf(this.#ending) + 1
    }
    this.#previous = skipped === length ? this.#ending : bytes[length - 1]!
  }

  /** Scans byte by byte: quotes come in numbers, and an `indexOf` per quote costs more. */
  #walk(bytes: Buffer, from: number): void {
    const length = bytes.length
    const delimiter = this.#delimiter
    const ending = this.#ending
    let first = -1
    let last = -1
    let quoted = this.#quoted
    let pending = this.#pending
    let left = from > 0 ? ending : this.#previous
    for (let i = from; i < length;) {
      if (!quoted) {
        const byte = bytes[i++]!
        if (byte === ending) {
          last = i
          if (first < 0) first = i
        } else if (byte === quote && (left === delimiter || left === ending)) {
          quoted = true
        }
        left = byte
      } else if (pending) {
        pending = false
        if (bytes[i] === quote) { i++ } else { quoted = false }
      } else {
        while (i < length && bytes[i] !== quote) i++
        if (i < length) { pending = true; i++ }
      }
    }
    this.first = first
    this.last = last
    this.#quoted = quoted
    this.#pending = pending
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
      if (this.#scanner.last >= 0) this.last = this.bytes + this.#scanner.last
    }
    this.bytes += bytes.length
  }

  /** True if the bytes just before a limit determine the last record end. Then a block can be cut without reading all of it. */
  static isLocal(format: InputFormat): boolean { return recordEnd(format) === 'newline' }
}

/** The same bytes with Buffer's methods. */
export const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
