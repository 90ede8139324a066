// CSV parser (RFC 4180): fields are separated by delimiters; quoted fields may contain delimiters, newlines and doubled quotes.
// A quote inside an unquoted field is an ordinary character. Blank lines are no rows. Rows, also invalid ones, end exactly where the
// scanner of boundary.ts ends them, so that every reader of a file finds the same rows.

import { createScanner, type Dialect } from './boundary.ts'
import { delimiterCode } from './format.ts'

const newline = 10
const carriageReturn = 13
const quote = 34

/** `from`, `to`: the row's text with its end. */
type OnRow = (fields: string[], fault: string | undefined, from: number, to: number) => void

/** Calls `onRow` for each row that is not blank, in order. `text` begins at a row's start and ends at a row's end. */
export function parseCsv(text: string, { delimiter = ',', rowEnd = '\n' }: Dialect, onRow: OnRow): void {
  if (text.includes('"')) parseQuoted(text, { delimiter, rowEnd }, onRow)
  else parsePlain(text, { delimiter, rowEnd }, onRow)
}

function parsePlain(text: string, { delimiter, rowEnd }: { delimiter: string; rowEnd: string }, onRow: OnRow): void {
  for (let from = 0; from < text.length;) {
    const found = text.indexOf(rowEnd, from)
    const next = found < 0 ? text.length : found + 1
    const to = found < 0 ? text.length : beforeReturns(text, from, found, rowEnd)
    if (to > from) onRow(text.slice(from, to).split(delimiter), undefined, from, next)
    from = next
  }
}

function parseQuoted(text: string, { delimiter, rowEnd }: { delimiter: string; rowEnd: string }, onRow: OnRow): void {
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
    if (text.charCodeAt(i) === quote) {
      let from = i + 1
      let close: number
      let doubled = false
      for (;;) {
        close = text.indexOf('"', from)
        if (close < 0 || text.charCodeAt(close + 1) !== quote) break
        doubled = true
        from = close + 2
      }
      if (close < 0) {
        onRow(fields, 'a quoted field is never closed', row, length)
        return
      }
      const field = text.slice(i + 1, close)
      fields.push(doubled ? field.replaceAll('""', '"') : field)
      i = close + 1
      if (i < length && text.charCodeAt(i) === separator) {
        i++
        if (i < length) continue
        fields.push('')
        break
      }
      const end = endsAt(text, i, rowEnd)
      if (end >= 0) {
        onRow(fields, fault, row, end)
        fields = []
        fault = undefined
        i = row = end
        continue
      }
      fault ??= `after the closing quote of field ${fields.length} stands ${JSON.stringify(text[i])} instead of ` +
        `${JSON.stringify(delimiter)} or the end of the line`
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
      onRow(fields, fault, row, Math.min(length, lineEnd + 1))
    }
    fields = []
    fault = undefined
    i = row = lineEnd + 1
  }
  if (fields.length > 0) onRow(fields, fault, row, length)
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

/** The start of the row's second line, if `from` to `to` is a row of several lines; else undefined. */
export function secondLine(text: string, { rowEnd = '\n' }: Dialect, from: number, to: number): number | undefined {
  const end = text.indexOf(rowEnd, from) + 1
  return end > 0 && end < to ? end : undefined
}

/** Number of lines of the row from `from` to `to`. */
export function linesIn(text: string, dialect: Dialect, from: number, to: number): number {
  let lines = 1
  for (let next = secondLine(text, dialect, from, to); next !== undefined; next = secondLine(text, dialect, next, to)) lines++
  return lines
}

/** Start of row `ordinal` (blank lines not counted) in the bytes, which begin with a row. For messages. */
function csvRowOffset(bytes: Buffer, dialect: Dialect, ordinal: number): number {
  const rowEnd = dialect.rowEnd === '\r' ? carriageReturn : newline
  const scanner = createScanner('csv', { ...dialect, atFileStart: false })
  let row = 0
  // Line by line: each row ends at a line end, and the scanner finds which ones are row ends.
  for (let seen = 0, at = 0; at < bytes.length;) {
    const next = bytes.indexOf(rowEnd, at) + 1 || bytes.length
    scanner.scan(bytes.subarray(at, next))
    at = next
    if (scanner.last < 0 && at < bytes.length) continue
    let text = row
    if (rowEnd === newline) while (bytes[text] === carriageReturn) text++
    if (bytes[text] !== rowEnd && seen++ === ordinal) return row
    row = at
  }
  return row
}

/** Number of leading bytes that are whole rows; all of them if `isAll`: the bytes are the whole file. */
export function wholeRows(bytes: Buffer, dialect: Dialect, isAll: boolean): number {
  if (isAll) return bytes.length
  const scanner = createScanner('csv', { ...dialect, atFileStart: false })
  scanner.scan(bytes)
  return Math.max(0, scanner.last)
}

/** Start of the row with this address: an ordinal in the bytes, then ordinals within what follows the first line of the row before. */
export function csvRowOffsetIn(bytes: Buffer, dialect: Dialect, address: readonly number[]): number {
  const rowEnd = dialect.rowEnd === '\r' ? carriageReturn : newline
  let at = 0
  address.forEach((ordinal, depth) => {
    if (depth > 0) at = bytes.indexOf(rowEnd, at) + 1
    at += csvRowOffset(bytes.subarray(at), dialect, ordinal)
  })
  return at
}
