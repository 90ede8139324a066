// CSV as RFC 4180 has it: fields between delimiters, quoted ones may hold delimiters, newlines and doubled quotes.
// A quote inside an unquoted field is an ordinary character. Blank lines are no rows. Rows end exactly where the scanner
// of boundary.ts says, bad ones too, so that one bad row never eats its neighbours.

import { createScanner, asBuffer } from './boundary.ts'
import { delimiterCode } from './format.ts'

export interface CsvRow {
  readonly fields: string[]
  /** Why this row is not CSV. */
  readonly fault: string | undefined
}

const newline = 10
const carriageReturn = 13
const quote = 34

/** Calls `onRow` for each row that is not blank, in order. `text` begins at a row's start and ends at a row's end. */
export function parseCsv(text: string, delimiter: string, onRow: (fields: string[], fault: string | undefined) => void): void {
  if (text.includes('"')) parseQuoted(text, delimiter, onRow)
  else parsePlain(text, delimiter, onRow)
}

function parsePlain(text: string, delimiter: string, onRow: (fields: string[], fault: string | undefined) => void): void {
  for (let from = 0; from < text.length;) {
    const found = text.indexOf('\n', from)
    const next = found < 0 ? text.length : found + 1
    let to = found < 0 ? text.length : found
    if (found >= 0 && to > from && text.charCodeAt(to - 1) === carriageReturn) to--
    if (to > from) onRow(text.slice(from, to).split(delimiter), undefined)
    from = next
  }
}

function parseQuoted(text: string, delimiter: string, onRow: (fields: string[], fault: string | undefined) => void): void {
  const separator = delimiterCode(delimiter)
  const length = text.length
  let i = 0
  // The next newline and delimiter at or after `i`, searched again only once passed.
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
        onRow(fields, 'a quoted field is never closed')
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
      const end = endsAt(text, i)
      if (end >= 0) {
        onRow(fields, fault)
        fields = []
        fault = undefined
        i = end
        continue
      }
      fault ??= `after the closing quote of field ${fields.length} stands ${JSON.stringify(text[i])} instead of ${JSON.stringify(delimiter)} or the end of the line`
    }
    // An unquoted field, or what wrongly follows a quoted one.
    if (lineEnd < i) lineEnd = indexOrEnd(text, '\n', i)
    if (comma < i) comma = indexOrEnd(text, delimiter, i)
    if (comma < lineEnd) {
      fields.push(text.slice(i, comma))
      i = comma + 1
      if (i < length) continue
      fields.push('')
      break
    }
    const to = lineEnd < length && lineEnd > i && text.charCodeAt(lineEnd - 1) === carriageReturn ? lineEnd - 1 : lineEnd
    if (to > i || fields.length > 0) {
      fields.push(text.slice(i, to))
      onRow(fields, fault)
    }
    fields = []
    fault = undefined
    i = lineEnd + 1
  }
  if (fields.length > 0) onRow(fields, fault)
}

/** The start of the next row if the row ends at `i`, else -1. */
function endsAt(text: string, i: number): number {
  if (i >= text.length) return i
  const code = text.charCodeAt(i)
  if (code === newline) return i + 1
  return code === carriageReturn && text.charCodeAt(i + 1) === newline ? i + 2 : -1
}

function indexOrEnd(text: string, wanted: string, from: number): number {
  const found = text.indexOf(wanted, from)
  return found < 0 ? text.length : found
}

/** Where row `ordinal` (blank lines not counted) starts among the bytes. Slow: for messages. */
export function csvRowOffset(bytes: Buffer, delimiter: string, ordinal: number): number {
  let from = 0
  for (let seen = 0; from < bytes.length;) {
    const scanner = createScanner('csv', { delimiter, atFileStart: false })
    const rest = bytes.subarray(from)
    scanner.scan(rest)
    const to = scanner.first < 0 ? bytes.length : from + scanner.first
    const blank = bytes[from] === newline || (bytes[from] === carriageReturn && bytes[from + 1] === newline)
    if (!blank && seen++ === ordinal) return from
    from = to
  }
  return from
}

/**
 * The first row as fields, if it is whole within `bytes` (the beginning of a file, a byte order mark allowed) or `isAll` of
 * the file is there; else undefined. An empty file has no fields.
 */
export function firstCsvRow(bytes: Uint8Array, delimiter: string, isAll: boolean): CsvRow | undefined {
  let buffer = asBuffer(bytes)
  if (buffer[0] === 0xef && buffer[1] === 0xbb && buffer[2] === 0xbf) buffer = buffer.subarray(3)
  for (let from = 0; from < buffer.length;) {
    const rest = buffer.subarray(from)
    const scanner = createScanner('csv', { delimiter, atFileStart: false })
    scanner.scan(rest)
    if (scanner.first < 0 && !isAll) return undefined
    const to = scanner.first < 0 ? rest.length : scanner.first
    let row: CsvRow | undefined
    parseCsv(rest.toString('utf8', 0, to), delimiter, (fields, fault) => { row = { fields, fault } })
    if (row) return row
    from += to
  }
  return isAll ? { fields: [], fault: undefined } : undefined
}
