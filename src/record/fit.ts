// Fit of a delimiter to the first rows of a CSV file. Pure: the same bytes give the same fit in every process.
//
// Evidence, strongest first (`Fit.grade`):
//   3  every row has as many fields as the first one, at least two
//   2  most rows have (`shareMin`): a file with some bad rows
//   1  the first row has at least two fields, and too few others have as many
//   0  the first row is one field
// The first row has so much weight because it is usually the header. Fields are counted by the parser: a delimiter in quotes does not
// count.

import type { TextEncoding } from '../base/formats.ts'
import type { Dialect } from './boundary.ts'
import { parseCsv, wholeRows } from './csv.ts'
import { namedSeparator } from './separator.ts'

/** Smallest share of rows that must agree in a file with some bad rows. */
const shareMin = 0.75

export interface Sample {
  /** The beginning of the file, without a byte order mark. */
  readonly bytes: Buffer
  readonly isAll: boolean
  readonly encoding?: TextEncoding | undefined
}

export interface Fit {
  readonly dialect: Dialect & { readonly delimiter: string }
  readonly grade: 0 | 1 | 2 | 3
  readonly rows: number
  /** Fields of the first row. */
  readonly width: number
  /** Rows that parse and have as many fields as the first one, which is one of them. */
  readonly alike: number
  /** The most frequent number of fields (two or more) of the rows after the first, and the number of rows that have it. */
  readonly later: { readonly width: number; readonly rows: number }
  /** Number of rows with at least two fields. */
  readonly cuts: number
  /** True if no field of the first row is empty or begins like a number: it may be a header. */
  readonly named: boolean
}

const numeric = /^\s*[-+.]?\d/

export function fitOf(sample: Sample, dialect: Dialect & { delimiter: string }): Fit {
  const text = textOf(sample, dialect)
  let begun = false
  let width = 0
  let rows = 0
  let alike = 0
  let cuts = 0
  let named = false
  const hasSeparatorLine = namedSeparator(sample.bytes) !== undefined
  const later = new Map<number, number>()
  parseCsv(text.rows, dialect, (fields, fault) => {
    const first = !begun
    begun = true
    if (first && hasSeparatorLine) return
    const count = fields.length
    rows++
    if (rows === 1) {
      width = count
      named = fields.every(field => field !== '' && !numeric.test(field))
    } else if (count > 1) later.set(count, (later.get(count) ?? 0) + 1)
    if (count === width && fault === undefined && text.whole) alike++
    if (count > 1) cuts++
  }, !text.whole)
  const [most = 0, times = 0] = [...later].reduce<[number, number] | []>((best, entry) => (entry[1] > (best[1] ?? 0) ? entry : best), [])
  const grade = width < 2 ? 0 : alike === rows ? 3 : alike >= rows * shareMin ? 2 : 1
  return { dialect, grade, rows, width, alike, later: { width: most, rows: times }, cuts, named }
}

/** More than half of the rows have two fields or more. */
export const cutsMost = ({ cuts, rows }: Fit): boolean => cuts * 2 > rows

/** True if the rows after the first one look like a table with this delimiter. */
export const fitsLater = ({ later, rows }: Fit): boolean => rows > 1 && later.rows >= (rows - 1) * shareMin

/**
 * Counts characters outside of quoted fields that RFC 4180 allows only inside: quotes, and line ends that do not end rows. With the right
 * dialect a valid file has none. `inFirstRow`: line ends in the first row.
 */
export function straysOf(sample: Sample, dialect: Dialect & { delimiter: string }): { quotes: number; ends: number; inFirstRow: number } {
  const { delimiter, rowEnd = '\n' } = dialect
  const text = textOf(sample, dialect).rows
  const otherEnd = rowEnd === '\n' ? '\r' : '\n'
  const strays = { quotes: 0, ends: 0, inFirstRow: 0 }
  let row = 0
  let fieldStarts = true
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!
    if (fieldStarts && character === '"') {
      // To its closing quote.
      for (i++; i < text.length && (text[i] !== '"' || text[i + 1] === '"'); i++) if (text[i] === '"') i++
      fieldStarts = false
      continue
    }
    fieldStarts = character === delimiter || character === rowEnd
    if (character === rowEnd) row++
    else if (character === '"') strays.quotes++
    else if (character === otherEnd && !(rowEnd === '\n' && endsLine(text, i))) {
      strays.ends++
      if (row === 0) strays.inFirstRow++
    }
  }
  return strays
}

/** True if only carriage returns are between this one and a newline or the end of the sample. */
function endsLine(text: string, at: number): boolean {
  while (text[at] === '\r') at++
  return at >= text.length || text[at] === '\n'
}

/** The rows that end within the sample; if none does, the available part of the first one. */
function textOf({ bytes, isAll, encoding }: Sample, dialect: Dialect): { rows: string; whole: boolean } {
  const ended = isAll ? bytes.length : wholeRows(bytes, dialect, false)
  return { rows: bytes.toString(encoding === 'latin1' ? 'latin1' : 'utf8', 0, ended || bytes.length), whole: ended > 0 || isAll }
}
