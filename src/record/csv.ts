// CSV parser (RFC 4180): fields are separated by delimiters; quoted fields may contain delimiters, line ends and doubled quotes.
//
// - A quote at the start of a field opens a quoted field, which the next single quote closes. A quote anywhere else is an ordinary
//   character.
// - A quote at the start of a field is *stray*, and an ordinary character too, if no single quote follows, or if the next one stands at the
//   start of a line or after a delimiter and is followed by something else than a delimiter or the end of a row: that one opens a field of
//   another row. This is how a stray quote differs from a quoted field with text behind its end (`"two<newline>lines" ,x`).
// - A row ends at the first line end outside of quoted fields. Blank lines are no rows.
// - A row is malformed if it contains a stray quote, or text between a closing quote and the end of its field.
//
// So a malformed row costs no other row, and the inside of a quoted field is never taken for rows. Each quote is looked at twice at most.
// The scanner of boundary.ts ends rows at the same places: blocks and splits end where rows do, and a reader that begins at one of these
// places finds the same rows, also malformed ones, as a reader of the whole file.

import { createScanner, type Dialect } from './boundary.ts'
import { delimiterCode } from './records.ts'

const newline = 10
const carriageReturn = 13
const quote = 34

/** `from`: start of the row in the text, which is the start of a line. */
type OnRow = (fields: string[], fault: string | undefined, from: number) => void

/**
 * Calls `onRow` for each row that is not blank, in order. `text` begins at a row's start and ends at a row's end. `isCut`: it is the
 * beginning of one row; a quoted field that is not closed in it is the row's last one.
 */
export function parseCsv(text: string, { delimiter = ',', rowEnd = '\n' }: Dialect, onRow: OnRow, isCut = false): void {
  if (text.includes('"')) parseQuoted(text, { delimiter, rowEnd, isCut }, onRow)
  else parsePlain(text, { delimiter, rowEnd }, onRow)
}

function parsePlain(text: string, { delimiter, rowEnd }: { delimiter: string; rowEnd: string }, onRow: OnRow): void {
  for (let from = 0; from < text.length;) {
    const found = text.indexOf(rowEnd, from)
    const next = found < 0 ? text.length : found + 1
    const to = found < 0 ? text.length : beforeReturns(text, from, found, rowEnd)
    if (to > from) onRow(text.slice(from, to).split(delimiter), undefined, from)
    from = next
  }
}

function parseQuoted(
  text: string, { delimiter, rowEnd, isCut }: { delimiter: string; rowEnd: string; isCut: boolean }, onRow: OnRow,
): void {
  const separator = delimiterCode(delimiter)
  const length = text.length
  let i = 0
  let row = 0
  // Positions of the next row end and delimiter at or after `i`; searched again only when passed.
  let lineEnd = -1
  let comma = -1
  let fields: string[] = []
  let fault: string | undefined
  while (i < length) {
    // At the start of a field.
    const close = text.charCodeAt(i) === quote ? closing(text, i, { separator, rowEnd }) : undefined
    if (close === 'none' && isCut) return onRow([...fields, text.slice(i + 1)], fault, row)
    if (typeof close === 'number') {
      const field = text.slice(i + 1, close)
      fields.push(field.includes('"') ? field.replaceAll('""', '"') : field)
      i = close + 1
      if (i < length && text.charCodeAt(i) === separator) {
        i++
        if (i < length) continue
        fields.push('')
        break
      }
      const end = endsAt(text, i, rowEnd)
      if (end >= 0) {
        onRow(fields, fault, row)
        fields = []
        fault = undefined
        i = row = end
        continue
      }
      fault ??= `after the closing quote of field ${fields.length} stands ${JSON.stringify(text[i])} instead of ` +
        `${JSON.stringify(delimiter)} or the end of the line`
    } else if (close !== undefined) {
      fault ??= close === 'none'
        ? `field ${fields.length + 1} begins with a quote that is never closed`
        : `field ${fields.length + 1} begins with a quote that is not closed before the next one, which opens another field`
    }
    // An unquoted field, or invalid characters after a quoted one.
    if (lineEnd < i) lineEnd = indexOrEnd(text, rowEnd, i)
    if (comma < i) comma = indexOrEnd(text, delimiter, i)
    if (comma < lineEnd) {
      fields.push(text.slice(i, comma))
      i = comma + 1
      if (i < length) continue
      fields.push('')
      break
    }
    const to = lineEnd < length ? beforeReturns(text, i, lineEnd, rowEnd) : lineEnd
    if (to > i || fields.length > 0) {
      fields.push(text.slice(i, to))
      onRow(fields, fault, row)
    }
    fields = []
    fault = undefined
    i = row = lineEnd + 1
  }
  if (fields.length > 0) onRow(fields, fault, row)
}

/** Position of the quote that closes the field whose quote is at `open`. If that one is stray: what the next single quote does. */
function closing(
  text: string, open: number, { separator, rowEnd }: { separator: number; rowEnd: string },
): number | 'none' | 'opens' {
  // `opens`: the run of quotes that is looked at, which is not that of the opening quote, stands where a field may start.
  for (let from = open + 1, opens = false; ;) {
    const found = text.indexOf('"', from)
    if (found < 0) return 'none'
    if (found > from) opens = text.charCodeAt(found - 1) === separator || text[found - 1] === rowEnd
    if (text.charCodeAt(found + 1) === quote) from = found + 2
    else return opens && text.charCodeAt(found + 1) !== separator && endsAt(text, found + 1, rowEnd) < 0 ? 'opens' : found
  }
}

/** The start of the next row if the row ends at `i`, else -1. */
function endsAt(text: string, i: number, rowEnd: string): number {
  if (i >= text.length) return i
  if (text[i] === rowEnd) return i + 1
  if (rowEnd !== '\n') return -1
  while (text.charCodeAt(i) === carriageReturn) i++
  return text.charCodeAt(i) === newline ? i + 1 : -1
}

/**
 * End of the row's text before its row end at `end`, at or after `from`: without carriage returns. There are several if text with `\r\n`
 * was converted to Windows line ends again.
 */
function beforeReturns(text: string, from: number, end: number, rowEnd: string): number {
  if (rowEnd === '\n') while (end > from && text.charCodeAt(end - 1) === carriageReturn) end--
  return end
}

function indexOrEnd(text: string, wanted: string, from: number): number {
  const found = text.indexOf(wanted, from)
  return found < 0 ? text.length : found
}

/** Position in the bytes of the line start that is at `to` in their text. A line end is one byte, and one character of the text. */
export function lineOffsets(bytes: Buffer, text: string, { rowEnd = '\n' }: Dialect): (to: number) => number {
  const ending = rowEnd.charCodeAt(0)
  let before = 0
  let at = 0
  let end = text.indexOf(rowEnd)
  return to => {
    if (to < before) {
      at = 0
      end = text.indexOf(rowEnd)
    }
    before = to
    for (; end >= 0 && end < to; end = text.indexOf(rowEnd, end + 1)) at = bytes.indexOf(ending, at) + 1
    return at
  }
}

/** Number of leading bytes that are whole rows; all of them if `isAll`: the bytes are the whole file. */
export function wholeRows(bytes: Buffer, dialect: Dialect, isAll: boolean): number {
  if (isAll) return bytes.length
  const scanner = createScanner('csv', { ...dialect, atFileStart: false })
  scanner.scan(bytes)
  return Math.max(0, scanner.last ?? 0)
}
