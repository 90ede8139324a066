// Texts for COPY … FROM STDIN, so that the server takes each record for what it is. Servers before version 18 take a record that is `\.`
// and nothing else for the end of the data, in CSV too, and drop what follows it: such a record of CSV is sent in quotes, and no line of
// JSON begins so. INVARIANT: `records` counts what was sent, and must be the number of rows that the server has taken.

import { GristmillError } from '../../base/errors.ts'

const [quote, backslash, lf, cr, space, tab] = [0x22, 0x5c, 0x0a, 0x0d, 0x20, 0x09]
const crText = Buffer.from('\r')
const endText = Buffer.from('\\.')
const quotedEnd = Buffer.from('"\\."')

/** Offset of the first byte from `i` on that is not above `bound`; the length if there is none. A plain loop: generators run slowly. */
function firstUpTo(bound: number, bytes: Uint8Array, i: number): number {
  const { length } = bytes
  while (i < length && bytes[i]! > bound) i++
  return i
}

export class CopyText {
  records = 0

  /** Records of CSV, in which quotes are doubled; they end with a line feed, a carriage return, or both. */
  async * csv(items: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let isQuoted = false
    let isAfterCr = false
    /** Bytes of the record so far. */
    let length = 0
    /** Bytes at the beginning of the record that are those of `\.`, and are held back. */
    let held = 0
    for await (const bytes of items) {
      let from = 0
      for (let i = 0; i < bytes.length; i++) {
        // Inside of a record, only quotes and line ends count.
        if (length > 0 && held === 0 && (i = firstUpTo(quote, bytes, i)) === bytes.length) break
        const byte = bytes[i]!
        if (length === held && held < endText.length && byte === endText[held]) {
          if (held === 0) yield bytes.subarray(from, i)
          length++
          held++
          from = i + 1
          continue
        }
        const isEnd = !isQuoted && (byte === lf || byte === cr)
        if (held > 0) {
          yield held === endText.length && isEnd && length === held ? quotedEnd : endText.subarray(0, held)
          held = 0
          from = i
        }
        if (isEnd) {
          if (!(byte === lf && isAfterCr)) this.records++
          length = 0
        } else {
          if (byte === quote) isQuoted = !isQuoted
          length++
        }
        isAfterCr = isEnd && byte === cr
      }
      if (from < bytes.length) yield bytes.subarray(from)
    }
    if (held > 0) yield held === endText.length ? quotedEnd : endText.subarray(0, held)
    if (length > 0) this.records++
  }

  /** Lines of JSON without the blanks before them, so that blank lines are empty; each ends with a line feed alone. Throws EINVAL. */
  async * jsonLines(items: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array> {
    let isStart = true
    /** A carriage return is held back: one before a line feed is left out. */
    let isHeld = false
    for await (const bytes of items) {
      let from = 0
      for (let i = 0; i < bytes.length; i++) {
        // Behind the first byte of a line, only its end counts.
        if (!isStart && !isHeld && (i = firstUpTo(cr, bytes, i)) === bytes.length) break
        const byte = bytes[i]!
        if (isHeld && byte !== lf) {
          yield crText
          isStart = false
        }
        isHeld = byte === cr
        if (isHeld) {
          yield bytes.subarray(from, i)
          from = i + 1
        } else if (byte === lf) {
          this.records++
          isStart = true
        } else if (isStart && (byte === space || byte === tab)) {
          yield bytes.subarray(from, i)
          from = i + 1
        } else if (isStart && byte === backslash) {
          throw new GristmillError('EINVAL', `${name}, line ${this.records + 1}: it begins with \\, which no JSON does`)
        } else isStart = false
      }
      if (from < bytes.length) yield bytes.subarray(from)
    }
    if (!isStart) this.records++
  }

  /** Throws CORRUPT if the server has taken another number of rows. */
  check(taken: number, name: string): void {
    if (taken === this.records) return
    throw new GristmillError(
      'CORRUPT', `${name} has ${this.records} records, and PostgreSQL has taken ${taken} of them; nothing was changed: please report this`,
    )
  }
}
