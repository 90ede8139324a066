// Rows as COPY … TO STDOUT writes them in its text format become lines of JSON, in their bytes: no value becomes a JavaScript value. A line
// has the names of the columns, in their order, and for each the document that row_to_json makes of it. A column whose documents cannot be
// made of its text is asked for as a document (fields.ts).
// Bytes are copied in words of four, which takes a third of the time of one by one. A word is written as a whole, and what is too much of
// it is written over by the next one.
// INVARIANT: a row comes whole, which the protocol promises: a message of COPY … TO STDOUT is one row.

import { GristmillError } from '../../base/errors.ts'
import { KiB } from '../../base/units.ts'
import type { CopyTarget } from '../../ports/postgres.ts'

/**
 * Form of a field: `number` as it is, unless JSON has no such number; `boolean` of the texts t and f, `booleanText` the same in quotes;
 * `json` a document as it is, in one line; `text` in quotes; `timestamp` and `timestamptz` of the zone UTC in the form of ISO 8601; `dated`
 * in quotes, with the era behind the date.
 */
export type FieldForm = 'number' | 'boolean' | 'booleanText' | 'json' | 'text' | 'timestamp' | 'timestamptz' | 'dated'

export interface LineField { readonly name: string; readonly form: FieldForm }

const [quote, backslash, lf, tab, space] = [0x22, 0x5c, 0x0a, 0x09, 0x20]
const [letterB, letterC, letterI, letterN, letterT, letterb, letterf, lettern, letterr, lettert, letteru, letterv] =
  [0x42, 0x43, 0x49, 0x4e, 0x54, 0x62, 0x66, 0x6e, 0x72, 0x74, 0x75, 0x76]
const minus = 0x2d
const hex = Buffer.from('0123456789abcdef')
const [nullText, trueText, falseText] = ['null', 'true', 'false'].map(text => Buffer.from(text))
const [trueQuoted, falseQuoted] = ['"true"', '"false"'].map(text => Buffer.from(text))
const zoneEnd = Buffer.from(':00')

/** Bytes of a piece: a few of what a socket gives at a time. */
const pieceBytes = 256 * KiB
/** A control character becomes \u001f. */
const growthMax = 6
/** What a field has beside its name and its text: marks, quotes, the zone and the era, and the rest of a word. */
const fieldBytesMax = 32
const wordBytes = 4
/** Each byte of a word. */
const [highBits, lowBits, spaces, quotes, backslashes] = [0x80808080, 0x01010101, 0x20202020, 0x22222222, 0x5c5c5c5c]

/** Bytes before a field: its name, and what separates it from the field before. */
interface Head { readonly words: Int32Array; readonly length: number }

export class RowLines implements CopyTarget {
  readonly #heads: readonly Head[]
  readonly #forms: readonly FieldForm[]
  readonly #rowBytesMin: number
  readonly #name: string
  #out: Uint8Array = Buffer.allocUnsafe(pieceBytes)
  #outView = viewOf(this.#out)
  /** The bytes of the last row. */
  #in: Uint8Array = this.#out
  #inView = this.#outView
  #from = 0
  #at = 0
  /** Pieces that are full. */
  #full: Uint8Array[] = []

  /** `name`: of the table, for errors. */
  constructor(fields: readonly LineField[], name: string) {
    this.#heads = fields.map((field, i) => headOf(`${i === 0 ? '{' : ','}${JSON.stringify(field.name)}:`))
    this.#forms = fields.map(({ form }) => form)
    this.#rowBytesMin = this.#heads.reduce((sum, head) => sum + head.length + fieldBytesMax, fieldBytesMax)
    this.#name = name
  }

  /** Throws CORRUPT for what is no row of these columns. */
  put(bytes: Uint8Array, start: number, end: number): void {
    if (bytes[end - 1] !== lf) throw this.#strange()
    // The last word of a row may have bytes behind it.
    if (end + wordBytes > bytes.length) {
      const padded = Buffer.allocUnsafe(end - start + wordBytes)
      padded.set(bytes.subarray(start, end))
      return this.#put(padded, 0, end - start)
    }
    this.#put(bytes, start, end)
  }

  #put(bytes: Uint8Array, start: number, end: number): void {
    this.#reserve(this.#rowBytesMin + (end - start) * growthMax)
    if (bytes !== this.#in) {
      this.#in = bytes
      this.#inView = viewOf(bytes)
    }
    const out = this.#out
    const outView = this.#outView
    const inView = this.#inView
    const forms = this.#forms
    const heads = this.#heads
    let at = this.#at
    let i = start
    for (let column = 0; column < forms.length; column++) {
      if (i >= end) throw this.#strange()
      const { words, length } = heads[column]!
      for (let j = 0; j < words.length; j++) outView.setInt32(at + wordBytes * j, words[j]!, true)
      at += length
      const first = bytes[i]!
      if (first === backslash && bytes[i + 1] === letterN) {
        at = written(out, at, nullText!)
        i += 3
        continue
      }
      const form = forms[column]!
      switch (form) {
        case 'number': {
          const isNone = first === letterN || first === letterI || first === minus && bytes[i + 1] === letterI
          if (isNone) out[at++] = quote
          const length = copyField(inView, i, outView, at)
          at += length
          i += length + 1
          if (isNone) out[at++] = quote
          break
        }
        case 'timestamp':
        case 'timestamptz':
        case 'dated': {
          out[at++] = quote
          const length = copyField(inView, i, outView, at)
          at = dated(out, { start: at, end: at + length }, form)
          i += length + 1
          out[at++] = quote
          break
        }
        case 'boolean':
        case 'booleanText': {
          const isTrue = first === lettert
          at = written(out, at, form === 'boolean' ? (isTrue ? trueText! : falseText!) : isTrue ? trueQuoted! : falseQuoted!)
          i += 2
          break
        }
        case 'json':
        case 'text':
          this.#at = at
          i = form === 'text' ? this.#putText(bytes, i, end) : this.#putDocument(bytes, i, end)
          at = this.#at
      }
    }
    if (forms.length === 0) {
      out[at++] = 0x7b
      i++
    }
    if (i !== end) throw this.#strange()
    out[at++] = 0x7d
    out[at++] = lf
    this.#at = at
  }

  /** Writes the field that begins at `i`, and ends before `end`, in quotes. Returns the place of the next one. */
  #putText(bytes: Uint8Array, i: number, end: number): number {
    const out = this.#out
    const outView = this.#outView
    const inView = this.#inView
    let at = this.#at
    out[at++] = quote
    while (i < end) {
      const word = inView.getInt32(i, true)
      outView.setInt32(at, word, true)
      const quoted = word ^ quotes
      const escaped = word ^ backslashes
      const marks = (word - spaces & ~word | quoted - lowBits & ~quoted | escaped - lowBits & ~escaped) & highBits
      if (marks === 0) {
        i += wordBytes
        at += wordBytes
        continue
      }
      const plain = firstOf(marks)
      i += plain
      at += plain
      const byte = bytes[i]!
      if (byte === tab || byte === lf) break
      out[at++] = backslash
      if (byte === quote) out[at++] = quote
      else if (byte === backslash) {
        // The two have the same letters, but for the vertical tab.
        const letter = bytes[++i]!
        if (letter === letterv) at = writtenCode(out, at, 0x0b)
        else out[at++] = letter
      } else at = writtenCode(out, at, byte)
      i++
    }
    out[at++] = quote
    this.#at = at
    return i + 1
  }

  /** The same for a document, as it is. */
  #putDocument(bytes: Uint8Array, i: number, end: number): number {
    const out = this.#out
    let at = this.#at
    for (; i < end; i++) {
      let byte = bytes[i]!
      if (byte === tab || byte === lf) break
      if (byte === backslash) byte = unescaped(bytes[++i]!)
      out[at++] = byte
    }
    this.#at = at
    return i + 1
  }

  /** Lines of the rows that were put since the last call. */
  take(): Uint8Array[] {
    const pieces = this.#full
    if (this.#at > this.#from) pieces.push(this.#out.subarray(this.#from, this.#at))
    this.#from = this.#at
    this.#full = []
    return pieces
  }

  #reserve(bytes: number): void {
    if (this.#out.length - this.#at >= bytes) return
    if (this.#at > this.#from) this.#full.push(this.#out.subarray(this.#from, this.#at))
    this.#out = Buffer.allocUnsafe(Math.max(pieceBytes, bytes))
    this.#outView = viewOf(this.#out)
    this.#from = this.#at = 0
  }

  #strange(): GristmillError {
    const count = this.#forms.length
    return new GristmillError('CORRUPT', `${this.#name}: PostgreSQL has sent a row that has not the ${count} columns of the table`)
  }
}

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array): DataView => new DataView(buffer, byteOffset, byteLength)

function headOf(text: string): Head {
  const length = Buffer.byteLength(text)
  const bytes = new Uint8Array(Math.ceil(length / wordBytes) * wordBytes)
  bytes.set(Buffer.from(text))
  const view = viewOf(bytes)
  return { words: Int32Array.from({ length: bytes.length / wordBytes }, (_, i) => view.getInt32(i * wordBytes, true)), length }
}

/** Number of the first byte, in memory, whose high bit is set. REQUIRES: a word that was read as little endian, with such a byte. */
const firstOf = (marks: number): number => 31 - Math.clz32(marks & -marks) >> 3

/** Copies a field that has no escapes. Returns its length. REQUIRES: a control character behind it. */
function copyField(from: DataView, start: number, out: DataView, at: number): number {
  for (let i = 0; ; i += wordBytes) {
    const word = from.getInt32(start + i, true)
    out.setInt32(at + i, word, true)
    // In little endian, a byte borrows from those behind it only: the first mark is right.
    const marks = word - spaces & ~word & highBits
    if (marks !== 0) return i + firstOf(marks)
  }
}

function written(out: Uint8Array, at: number, text: Uint8Array): number {
  for (let i = 0; i < text.length; i++) out[at + i] = text[i]!
  return at + text.length
}

/** \u000b, behind the backslash. */
function writtenCode(out: Uint8Array, at: number, byte: number): number {
  out[at] = letteru
  out[at + 1] = out[at + 2] = hex[0]!
  out[at + 3] = hex[byte >> 4]!
  out[at + 4] = hex[byte & 15]!
  return at + 5
}

/** The byte for which an escape in a document stands; line ends become spaces. */
function unescaped(letter: number): number {
  switch (letter) {
    case lettern: case letterr: return space
    case lettert: return tab
    case letterb: return 0x08
    case letterf: return 0x0c
    case letterv: return 0x0b
    default: return letter
  }
}

interface Written { readonly start: number; readonly end: number }

/** Offset of the time behind a date of four digits for the year. */
const usualGap = 10

/** Gives a date or time in the text its form. Returns the new end. */
function dated(out: Uint8Array, { start, end }: Written, form: 'timestamp' | 'timestamptz' | 'dated'): number {
  let gap = start + usualGap
  if (gap >= end || out[gap] !== space) for (gap = start; gap < end && out[gap] !== space;) gap++
  const isBefore = end - start > 3 && out[end - 1] === letterC && out[end - 2] === letterB && out[end - 3] === space
  if (form === 'dated') {
    if (!isBefore) return end
    // 0044-03-15 12:00:00 BC becomes 0044-03-15 (BC) 12:00:00.
    const text = Buffer.from(out.subarray(start, end)).toString('latin1')
    return written(out, start, Buffer.from(`${text.slice(0, gap - start)} (BC)${text.slice(gap - start, -3)}`, 'latin1'))
  }
  // infinity has no time.
  if (gap === end) return end
  out[gap] = letterT
  if (form === 'timestamp') return end
  const zoneAt = isBefore ? end - 3 : end
  if (isBefore) out.copyWithin(zoneAt + zoneEnd.length, zoneAt, end)
  written(out, zoneAt, zoneEnd)
  return end + zoneEnd.length
}
