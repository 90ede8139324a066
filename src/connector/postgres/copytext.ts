// Texts for COPY … FROM STDIN, so that the server takes each record for what it is. Servers before version 18 take a record that is `\.`
// and nothing else for the end of the data, in CSV too, and drop what follows it: such a record of CSV is sent in quotes, and no line of
// JSON begins so. INVARIANT: `records` counts what was sent, and must be the number of rows that the server has taken.

import { GristmillError } from '../../base/errors.ts'

const [quote, backslash, lf, cr, space, tab] = [0x22, 0x5c, 0x0a, 0x0d, 0x20, 0x09]
const crText = Buffer.from('\r')
const endText = Buffer.from('\\.')
const quotedEnd = Buffer.from('"\\."')

const wordBytes = 4
/** Each byte of a word. */
const [highBits, lowBits, sevenBits, feeds] = [0x80808080, 0x01010101, 0x7f7f7f7f, 0x0a0a0a0a]

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array): DataView => new DataView(buffer, byteOffset, byteLength)

/** Offset of the first byte from `i` on that is not above `bound`; the length if there is none. In words: generators run slowly. */
function firstUpTo(bound: number, view: DataView, i: number): number {
  const { byteLength } = view
  const above = (bound + 1) * lowBits
  for (; i + wordBytes <= byteLength; i += wordBytes) {
    const word = view.getInt32(i, true)
    // In little endian, a byte borrows from those behind it only: the first mark is right.
    const marks = word - above & ~word & highBits
    if (marks !== 0) return i + (31 - Math.clz32(marks & -marks) >> 3)
  }
  while (i < byteLength && view.getUint8(i) > bound) i++
  return i
}

/** Number of line feeds. */
function feedsIn(view: DataView): number {
  const { byteLength } = view
  let count = 0
  let i = 0
  while (i + wordBytes <= byteLength) {
    // A sum for each of the four bytes, until it is full.
    const until = Math.min(byteLength - wordBytes, i + 254 * wordBytes)
    let sums = 0
    for (; i <= until; i += wordBytes) {
      const word = view.getInt32(i, true) ^ feeds
      sums += ~((word & sevenBits) + sevenBits | word | sevenBits) >>> 7
    }
    count += (sums & 0xff) + (sums >>> 8 & 0xff) + (sums >>> 16 & 0xff) + (sums >>> 24)
  }
  for (; i < byteLength; i++) if (view.getUint8(i) === lf) count++
  return count
}

/** Each line of the bytes is a record, and none is `\.`. */
const isPlain = (bytes: Uint8Array): boolean => !bytes.includes(quote) && !bytes.includes(backslash) && !bytes.includes(cr)

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
      const view = viewOf(bytes)
      if (!isQuoted && !isAfterCr && held === 0 && bytes.length > 0 && isPlain(bytes)) {
        this.records += feedsIn(view)
        length = bytes.at(-1) === lf ? 0 : 1
        yield bytes
        continue
      }
      let from = 0
      for (let i = 0; i < bytes.length; i++) {
        // Inside of a record, only quotes and line ends count.
        if (length > 0 && held === 0 && (i = firstUpTo(quote, view, i)) === bytes.length) break
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
      const view = viewOf(bytes)
      let from = 0
      for (let i = 0; i < bytes.length; i++) {
        // Behind the first byte of a line, only its end counts.
        if (!isStart && !isHeld && (i = firstUpTo(cr, view, i)) === bytes.length) break
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
