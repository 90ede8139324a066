// CSV reader: rows become objects with the header's columns as fields, or arrays without a header. The header is the first row of a file;
// a reader of a later range of the file gets it from the caller (RecordRange.header).
//
// A bad record is a whole row, as csv.ts defines it: one that is malformed, or whose number of fields differs from the header's. With
// `badRecords: 'skip'` each is left out and counted once, however many lines it has, and reading resumes at the next row. Rows depend on
// nothing but the text, so that records and counts are the same for any division into blocks, ranges, chunks and pieces.

import { assert } from '../base/assert.ts'
import { GristmillError } from '../base/errors.ts'
import type { InputOptions, TextEncoding } from '../base/formats.ts'
import { asBuffer, type Dialect } from './boundary.ts'
import { lineOffsets, parseCsv, wholeRows } from './csv.ts'
import { recordError, skipping, type Batch, type ReadCounters, type RecordRange } from './records.ts'
import type { Chunk } from './range.ts'
import { namedSeparator } from './separator.ts'
import { decode, markBytes } from './utf8.ts'

/**
 * The columns named by the first row of a file. `bytes`: the beginning of the file. undefined: the row does not end within them, and
 * they are not the whole file (the caller must read more). Names are unique; an empty one becomes `column<number>`.
 */
export function parseCsvHeader(
  bytes: Uint8Array,
  { path, isAll, encoding, ...dialect }: Dialect & { path: string; isAll: boolean; encoding?: TextEncoding | undefined },
): string[] | undefined {
  const head = asBuffer(bytes).subarray(markBytes(asBuffer(bytes)))
  let header: string[] | undefined
  let atSeparatorLine = namedSeparator(head) !== undefined
  const text = head.toString(encoding === 'latin1' ? 'latin1' : 'utf8', 0, wholeRows(head, dialect, isAll))
  parseCsv(text, dialect, (fields, fault, row) => {
    if (header) return
    if (atSeparatorLine) {
      atSeparatorLine = false
      return
    }
    checkNoJson(text, row, path)
    if (fault) throw recordError(`the header row is not CSV: ${fault}`, { path, offset: 0 })
    header = checkHeader(fields, path)
  })
  return header ?? (isAll ? [] : undefined)
}

/** Throws if the header row is an object of JSON: read as CSV, JSON lines would lose the first line, and fail or have no columns. */
function checkNoJson(text: string, row: number, path: string): void {
  if (text[row] !== '{') return
  const end = text.indexOf('\n', row)
  try {
    JSON.parse(text.slice(row, end < 0 ? text.length : end))
  } catch {
    return
  }
  throw recordError(
    'the file is read as CSV, and its first line is an object of JSON; to read JSON lines, set format: "jsonl" in the input of a program ' +
    'of your own, or give a program without code --param format=jsonl', { path, offset: 0 },
  )
}

function checkHeader(fields: readonly string[], path: string): string[] {
  const names = fields.map((field, index) => (field === '' ? `column${index + 1}` : field))
  const seen = new Set<string>()
  for (const name of names) {
    if (name === '__proto__')
      throw recordError('a column cannot be named __proto__; rename it, or read with header: false in a program of your own', { path, offset: 0 })
    if (seen.has(name)) {
      throw recordError(`two columns are named ${JSON.stringify(name)}; rename one, or read with header: false in a program of your own`, {
        path, offset: 0,
      })
    }
    seen.add(name)
  }
  return names
}

/** Turns the chunks of one range, in order, into batches. */
export class RowReader {
  readonly #range: RecordRange
  readonly #options: InputOptions
  readonly #counters: ReadCounters
  readonly #dialect: Dialect & { readonly delimiter: string }
  readonly #named: boolean
  /** The next row may be a `sep=` line. */
  #atFileStart: boolean
  #header: readonly string[] | undefined

  constructor(range: RecordRange, dialect: Dialect, options: InputOptions, counters: ReadCounters) {
    this.#range = range
    this.#options = options
    this.#counters = counters
    this.#dialect = { ...dialect, delimiter: dialect.delimiter ?? ',' }
    this.#atFileStart = range.start === 0
    this.#named = options.header !== false
    this.#header = this.#named && range.start > 0 ? range.header : undefined
    if (range.start > 0) {
      assert(!this.#named || this.#header, 'a range that starts inside of a CSV file needs the file\'s header')
      if (!range.aligned)
        throw new GristmillError(
          'EINVAL',
          `${range.path} is CSV and cannot be read from byte ${range.start}: only from its start, or from where a row starts`,
        )
    }
  }

  batch(chunk: Chunk): Batch {
    const { path } = this.#range
    const text = decode(chunk, path, this.#options, this.#counters)
    const lineOf = lineOffsets(chunk.bytes, text, this.#dialect)
    const offsetOf = (row: number): number => chunk.position + lineOf(row)
    const values: unknown[] = []
    /** Starts of the values' rows in the text. */
    const rows: number[] = []
    let atSeparatorLine = this.#atFileStart && namedSeparator(chunk.bytes) !== undefined
    this.#atFileStart = false
    parseCsv(text, this.#dialect, (fields, fault, row) => {
      if (atSeparatorLine) {
        atSeparatorLine = false
        return
      }
      if (this.#named && !this.#header) {
        checkNoJson(text, row, path)
        if (fault) throw this.#fault(offsetOf(row), fault)
        this.#header = checkHeader(fields, path)
        return
      }
      const problem = fault ?? this.#misfit(fields)
      if (problem === undefined) {
        values.push(this.#header ? named(this.#header, fields) : fields)
        rows.push(row)
        return
      }
      if (this.#options.badRecords !== 'skip') throw this.#fault(offsetOf(row), problem)
      this.#counters.badRecords++
    })
    return { values, path, offset: index => offsetOf(rows[index]!) }
  }

  #misfit(fields: readonly string[]): string | undefined {
    if (!this.#header || fields.length === this.#header.length) return undefined
    return `split by ${JSON.stringify(this.#dialect.delimiter)}, the row has ${fields.length} ` +
      `${fields.length === 1 ? 'field' : 'fields'}, the header names ${this.#header.length} (if the delimiter is wrong, set it: ` +
      `delimiter in the program's input, or --delimiter of run)`
  }

  #fault(offset: number, problem: string): GristmillError {
    return recordError(`${problem}; correct the row, or ${skipping('rows')}`, { path: this.#range.path, offset })
  }
}

function named(header: readonly string[], fields: readonly string[]): Record<string, string> {
  const row: Record<string, string> = {}
  for (let i = 0; i < header.length; i++) row[header[i]!] = fields[i]!
  return row
}
