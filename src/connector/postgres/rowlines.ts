// Rows as COPY … TO STDOUT writes them in its text format become lines of JSON, byte by byte: no value becomes a JavaScript value. A line
// has the names of the columns, in their order, and for each the document that row_to_json makes of it. A column whose documents cannot be
// made of its text is asked for as a document (fields.ts).
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
/** What a field has beside its name and its text: marks, quotes, the zone and the era. */
const fieldBytesMax = 32

export class RowLines implements CopyTarget {
  /** Bytes before each field: its name, and what separates it from the field before. */
  readonly #heads: readonly Uint8Array[]
  readonly #forms: readonly FieldForm[]
  readonly #rowBytesMin: number
  readonly #name: string
  #out: Uint8Array = Buffer.allocUnsafe(pieceBytes)
  #from = 0
  #at = 0
  /** Pieces that are full. */
  #full: Uint8Array[] = []

  /** `name`: of the table, for errors. */
  constructor(fields: readonly LineField[], name: string) {
    this.#heads = fields.map((field, i) => Buffer.from(`${i === 0 ? '{' : ','}${JSON.stringify(field.name)}:`))
    this.#forms = fields.map(({ form }) => form)
    this.#rowBytesMin = this.#heads.reduce((sum, head) => sum + head.length + fieldBytesMax, fieldBytesMax)
    this.#name = name
  }

  /** Throws CORRUPT for what is no row of these columns. */
  put(bytes: Uint8Array, start: number, end: number): void {
    this.#reserve(this.#rowBytesMin + (end - start) * growthMax)
    const out = this.#out
    const forms = this.#forms
    let at = this.#at
    let i = start
    if (bytes[end - 1] !== lf) throw this.#strange()
    for (let column = 0; column < forms.length; column++) {
      if (i >= end) throw this.#strange()
      const head = this.#heads[column]!
      for (let j = 0; j < head.length; j++) out[at++] = head[j]!
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
          for (; i < end; i++) {
            const byte = bytes[i]!
            if (byte <= lf) break
            out[at++] = byte
          }
          if (isNone) out[at++] = quote
          i++
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
          for (; i < end; i++) {
            let byte = bytes[i]!
            if (byte === tab || byte === lf) break
            if (byte === backslash) byte = unescaped(bytes[++i]!)
            out[at++] = byte
          }
          i++
          break
        default:
          this.#at = at
          i = this.#putText(bytes, i, end, form)
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
  #putText(bytes: Uint8Array, i: number, end: number, form: 'text' | 'timestamp' | 'timestamptz' | 'dated'): number {
    const out = this.#out
    let at = this.#at
    out[at++] = quote
    const textAt = at
    for (; i < end; i++) {
      const byte = bytes[i]!
      if (byte >= space && byte !== quote && byte !== backslash) {
        out[at++] = byte
        continue
      }
      if (byte === tab || byte === lf) break
      out[at++] = backslash
      if (byte === quote) out[at++] = quote
      else if (byte === backslash) {
        // The two have the same letters, but for the vertical tab.
        const letter = bytes[++i]!
        if (letter === letterv) at = writtenCode(out, at, 0x0b)
        else out[at++] = letter
      } else at = writtenCode(out, at, byte)
    }
    if (form !== 'text') at = dated(out, { start: textAt, end: at }, form)
    out[at++] = quote
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
    this.#from = this.#at = 0
  }

  #strange(): GristmillError {
    const count = this.#forms.length
    return new GristmillError('CORRUPT', `${this.#name}: PostgreSQL has sent a row that has not the ${count} columns of the table`)
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

/** Gives a date or time in the text its form. Returns the new end. */
function dated(out: Uint8Array, { start, end }: Written, form: 'timestamp' | 'timestamptz' | 'dated'): number {
  let gap = start
  while (gap < end && out[gap] !== space) gap++
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
  out.copyWithin(zoneAt + zoneEnd.length, zoneAt, end)
  written(out, zoneAt, zoneEnd)
  return end + zoneEnd.length
}
