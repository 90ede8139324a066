// Looks at a part of a CSV file before the engine reads it: at the columns of its header, which have to be those of the table, because the
// engine reads columns by their places; and at the end of its lines, which the engine takes from the first line end that it sees, also
// from one in quotes.

import { GristmillError } from '../base/errors.ts'
import { KiB, MiB } from '../base/units.ts'
import { literalOf } from '../base/sql.ts'
import { namedSeparator } from '../record/separator.ts'
import { markBytes } from '../record/utf8.ts'
import { partBytes } from './partbytes.ts'
import { compressionOf, escapedPath, type TablePart, type TableShape } from './sqltable.ts'
import type { Database } from '../ports/database.ts'
import type { Disk, DiskReader } from '../ports/disk.ts'

export interface LookParts {
  /** REQUIRES: it is not confined yet. */
  readonly db: Database
  readonly disk: Disk
  readonly shape: TableShape
  readonly pause: () => Promise<void> | undefined
}

type CsvFormat = Extract<TableShape['format'], { kind: 'csv' }>

const pieceBytes = 1 * MiB

/** Throws PROGRAM_INVALID for a file with other columns, and for lines of different ends. */
export async function lookAtCsv(
  { path, local, isFirst }: TablePart, { db, disk, shape, pause }: LookParts,
): Promise<Pick<TablePart, 'lineEnd'>> {
  const format = shape.format as CsvFormat
  const isPacked = compressionOf(path) !== undefined
  const file = await disk.openRead(local)
  try {
    if (file.bytes === 0) return {}
    const head = Buffer.alloc(isPacked ? 0 : Math.min(pieceBytes, file.bytes))
    await file.read(head, 0)
    if (isFirst && format.header && !beginsWith(head, format.headerLine)) await checkHeader(db, shape, { path, local })
    if (isFirst && !format.header) await checkSkipped(disk, shape, { path, local })
    if (isPacked || format.quote === '') return {}
    return { lineEnd: await lineEndOf(file, head, { path, format, pause }) }
  } finally {
    await file.close()
  }
}

const beginsWith = (head: Buffer, line: string | undefined): boolean =>
  line !== undefined && head.toString('latin1', 0, line.length) === line
  && /^\r?\n/.test(head.toString('latin1', line.length, line.length + 2))

async function checkHeader(db: Database, shape: TableShape, { path, local }: Pick<TablePart, 'path' | 'local'>): Promise<void> {
  const { delimiter, quote, escape, comment, skip } = shape.format as CsvFormat
  const options = [
    `delim = ${literalOf(delimiter)}`, `quote = ${literalOf(quote)}`, `escape = ${literalOf(escape)}`, `comment = ${literalOf(comment)}`,
    'header = true', `skip = ${skip}`, 'all_varchar = true', 'sample_size = 1', `compression = ${literalOf(compressionOf(path) ?? 'none')}`,
    'hive_partitioning = false',
  ]
  const columns = await db.columnsOf(`SELECT * FROM read_csv(${literalOf(escapedPath(local))}, ${options.join(', ')})`)
  const [own, those] = [columns.map(({ name }) => name), shape.columns.map(({ name }) => name)]
  if (own.join('\0') !== those.join('\0'))
    throw new GristmillError(
      'PROGRAM_INVALID', `${path} has the columns ${own.join(', ')}, and the first files of ${shape.name} have ${those.join(', ')}; `
      + 'name files that are alike',
    )
}

/** Without a header, lines before the first row are blank ones, and the line that names the delimiter. */
async function checkSkipped(
  disk: Disk, { name, format }: TableShape, { path, local }: Pick<TablePart, 'path' | 'local'>,
): Promise<void> {
  const { skip } = format as CsvFormat
  for await (const piece of partBytes(disk, { path, local })) {
    const head = piece.subarray(markBytes(piece))
    const lines = head.toString('latin1', 0, skippedBytesMax).split(/\r\n|\n|\r/).slice(0, skip)
    const isNamed = namedSeparator(head) !== undefined
    if ((!isNamed || skip > 0) && lines.every((line, i) => line === '' || (i === 0 && isNamed))) return
    throw new GristmillError(
      'PROGRAM_INVALID', `${path} has other lines before its first row than the first files of ${name}; name files that are alike`,
    )
  }
}

/** More than the lines have that are skipped. */
const skippedBytesMax = 64 * KiB

interface LineEnds { readonly path: string; readonly format: CsvFormat; readonly pause: () => Promise<void> | undefined }

/** The end of all lines, if it is another one than the first line end in the part. */
async function lineEndOf(file: DiskReader, head: Buffer, { path, format, pause }: LineEnds): Promise<TablePart['lineEnd']> {
  const first = /\r\n|\n|\r/.exec(head.toString('latin1'))?.[0]
  const before = first === undefined ? -1 : head.indexOf(first, 0, 'latin1')
  // No quote before it: it ends a line.
  if (first === undefined || !head.subarray(0, before).includes(format.quote)) return undefined
  const ends = new LineScanner(format)
  ends.add(head)
  const end = ends.first
  if (end === undefined || end === first) return undefined
  for (let at = head.length; at < file.bytes;) {
    const piece = Buffer.alloc(Math.min(pieceBytes, file.bytes - at))
    at += await file.read(piece, at)
    ends.add(piece)
    await pause()
  }
  if (ends.isMixed)
    throw new GristmillError('PROGRAM_INVALID', `${path} has lines of different ends; end all with a line feed, or all with CR LF`)
  return end === '\n' ? '\\n' : end === '\r' ? '\\r' : '\\r\\n'
}

/** Finds line ends outside of quotes. A quote counts at the beginning of a field only. */
export class LineScanner {
  first: string | undefined
  /** Bytes up to the last line feed that has ended a line. */
  lineBytes = 0
  isMixed = false
  readonly #quote: number
  readonly #escape: number
  readonly #delimiter: number
  #state: 'start' | 'field' | 'quoted' | 'escaped' | 'closed' = 'start'
  /** A carriage return was the last byte, outside of quotes. */
  #isReturned = false
  #bytes = 0

  constructor({ quote, escape, delimiter }: Pick<CsvFormat, 'quote' | 'escape' | 'delimiter'>) {
    this.#quote = quote.charCodeAt(0)
    this.#escape = escape === quote || escape === '' ? -1 : escape.charCodeAt(0)
    this.#delimiter = delimiter.charCodeAt(delimiter.length - 1)
  }

  add(bytes: Uint8Array): void {
    for (const byte of bytes) {
      this.#bytes++
      if (this.#state === 'escaped') { this.#state = 'quoted'; continue }
      if (this.#state === 'quoted') {
        if (byte === this.#quote) this.#state = 'closed'
        else if (byte === this.#escape) this.#state = 'escaped'
        continue
      }
      // A quote behind a closed one is a quote in the field.
      if (this.#state === 'closed' && byte === this.#quote) { this.#state = 'quoted'; continue }
      this.#step(byte)
    }
  }

  #step(byte: number): void {
    const wasReturned = this.#isReturned
    this.#isReturned = false
    if (byte === lineFeed) {
      this.lineBytes = this.#bytes
      return this.#ended(wasReturned ? '\r\n' : '\n')
    }
    if (wasReturned) this.#ended('\r')
    if (byte === carriageReturn) { this.#isReturned = true; return }
    if (byte === this.#delimiter) this.#state = 'start'
    else if (this.#state === 'start') this.#state = byte === this.#quote ? 'quoted' : 'field'
  }

  #ended(end: string): void {
    this.#state = 'start'
    this.first ??= end
    if (end !== this.first) this.isMixed = true
  }
}

const lineFeed = 10
const carriageReturn = 13
