// Rows of files as documents, for messages: lines of .jsonl files, and rows of .csv files with a header, whose values are texts. A CSV file
// with the one column `documentColumn` has a document in each row: that is how a query hands its rows over.

import { GristmillError } from '../../base/errors.ts'
import { parseCsv, wholeRows } from '../../record/csv.ts'
import { mayLose, parseExact } from '../../record/integers.ts'

/** Name of the only column of files that queries write for messages. */
export const documentColumn = '_gristmill_document'

export interface MessageRow {
  /** JSON of an object, in one line. */
  readonly text: string
  /** The same in UTF-8, if the file has it so; they stay as they are. */
  readonly bytes?: Uint8Array | undefined
  /** Number of the row in its file, from 1. Blank lines are no rows. */
  readonly number: number
}

const lineFeed = 10

/** Bytes of a line or a row: brokers take messages of 1 MB by default. */
const rowBytesMax = 64 * 1024 * 1024

const isCsv = (name: string): boolean => /\.csv$/i.test(name)

/** Some rows at a time: a promise for each costs more than the row. REQUIRES: `checkRows` of the name. */
export const rowsOf = (name: string, items: AsyncIterable<Uint8Array>): AsyncGenerator<readonly MessageRow[]> =>
  (isCsv(name) ? csvRows(name, items) : jsonRows(name, items))

/** Throws EINVAL for a file of another kind. */
export function checkRows(name: string): void {
  if (!isCsv(name) && !/\.(?:jsonl|ndjson)$/i.test(name))
    throw new GristmillError('EINVAL', `${name}: messages come from .jsonl files, and from .csv files with a header`)
}

/** Integers of more than 53 bits are bigints. */
export function parsedRow(name: string, { text, number }: MessageRow): Record<string, unknown> {
  let value: unknown
  try {
    value = mayLose(text) ? parseExact(text) : JSON.parse(text)
  } catch (error) {
    throw new GristmillError('EINVAL', `${name}, row ${number}: it is not JSON: ${(error as Error).message}`, { cause: error })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new GristmillError('EINVAL', `${name}, row ${number}: it is ${text.slice(0, 40)}, and not an object of JSON`)
}

async function* jsonRows(name: string, items: AsyncIterable<Uint8Array>): AsyncGenerator<readonly MessageRow[]> {
  let number = 0
  for await (const piece of inWholeLines(name, items)) {
    const bytes = number === 0 && isMarked(piece) ? piece.subarray(mark.length) : piece
    const rows: MessageRow[] = []
    let from = 0
    for (const line of utf8Of(name, bytes).split('\n')) {
      const lineFeedAt = bytes.indexOf(lineFeed, from)
      const end = lineFeedAt < 0 ? bytes.length : lineFeedAt
      const text = line.trim()
      if (text !== '') rows.push({ text, number: ++number, bytes: text === line ? bytes.subarray(from, end) : undefined })
      from = end + 1
    }
    if (rows.length > 0) yield rows
  }
}

async function* csvRows(name: string, items: AsyncIterable<Uint8Array>): AsyncGenerator<readonly MessageRow[]> {
  let columns: readonly string[] | undefined
  let number = 0
  for await (const bytes of inWholeRows(name, items)) {
    const rows: string[][] = []
    const text = utf8Of(name, !columns && isMarked(bytes) ? bytes.subarray(mark.length) : bytes)
    parseCsv(text, {}, (fields, fault) => {
      if (fault !== undefined) throw new GristmillError('EINVAL', `${name}, row ${number + rows.length + (columns ? 1 : 0)}: ${fault}`)
      rows.push(fields)
    })
    const found: MessageRow[] = []
    for (const fields of rows) {
      if (!columns) {
        columns = fields
        if (new Set(columns).size < columns.length) throw new GristmillError('EINVAL', `${name}: two columns of its header have one name`)
        continue
      }
      number++
      if (fields.length !== columns.length)
        throw new GristmillError('EINVAL', `${name}, row ${number}: it has ${fields.length} fields, and the header ${columns.length}`)
      const isDocument = columns.length === 1 && columns[0] === documentColumn
      const names = columns
      found.push({ text: isDocument ? fields[0]! : JSON.stringify(Object.fromEntries(names.map((each, i) => [each, fields[i]]))), number })
    }
    if (found.length > 0) yield found
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A byte order mark. */
const mark = Buffer.from('\ufeff')
const isMarked = (bytes: Uint8Array): boolean => mark.equals(bytes.subarray(0, mark.length))

function utf8Of(name: string, bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch (error) {
    throw new GristmillError('EINVAL', `${name} is not UTF-8`, { cause: error })
  }
}

const inWholeLines = (name: string, items: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> =>
  inWhole(name, items, bytes => bytes.lastIndexOf(0x0a) + 1)

const inWholeRows = (name: string, items: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> =>
  inWhole(name, items, bytes => wholeRows(bytes, {}, false))

/** Pieces that end where rows do. `wholeOf`: leading bytes that are whole rows. */
async function* inWhole(
  name: string, items: AsyncIterable<Uint8Array>, wholeOf: (bytes: Buffer) => number,
): AsyncGenerator<Buffer> {
  let rest: Uint8Array = new Uint8Array()
  for await (const item of items) {
    // A row that is longer than a piece is looked through again with each piece: pieces are 1 MiB, rows mostly far shorter.
    const bytes = rest.length === 0 ? Buffer.from(item) : Buffer.concat([rest, item])
    const whole = wholeOf(bytes)
    if (whole > 0) yield bytes.subarray(0, whole)
    rest = bytes.subarray(whole)
    if (rest.length > rowBytesMax) throw new GristmillError('TOO_LARGE', `${name} has a row of more than ${rowBytesMax} bytes`)
  }
  if (rest.length > 0) yield Buffer.from(rest)
}
