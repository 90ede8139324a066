// Values of CSV and JSON that do not fit the type of their column: the texts of their error, and the line in which such a value, or its
// object of JSON, begins. The query that fails does not know the line, because it reads the columns as texts: the file is looked through
// once more.

import { literalOf, quotedName } from '../base/sql.ts'
import type { Disk } from '../ports/disk.ts'
import { JsonValueFinder } from './jsonvalue.ts'
import { partBytes } from './partbytes.ts'
import type { TablePart, TableShape } from './sqltable.ts'

/** SQL that throws the error of a value. `text`: the value, as SQL; `file`: its file; `isAll`: the column itself has this type. */
export function misfitSql(
  column: string, { text, type, file, isAll }: {
    readonly text: string; readonly type: string; readonly file: string | undefined; readonly isAll: boolean
  },
): string {
  const name = quotedName(column)
  const advice = `; to read the column as text, declare it: CREATE EXTERNAL TABLE name (${name} VARCHAR) LOCATION '…'`
  return `error(${literalOf(before)} || ${text} || ${literalOf(`${between}${name} to ${type}${behind}`)}`
    + `${file === undefined ? '' : ` || ' (in ' || ${file} || ')'`}${isAll ? ` || ${literalOf(advice)}` : ''})`
}

const before = 'Could not convert string "'
const between = '" of the column '
const behind = ', the type that the column has in the first files'
const form = new RegExp(`${before}([^]*?)${between}("(?:[^"]|"")*") to ([^"]*?)${behind}`)

/** A part of a file, and how the engine reads it. */
export interface ReadPart { readonly shape: TableShape; readonly part: Pick<TablePart, 'path' | 'local' | 'isFirst'> }

/**
 * The message of an error; if it is that of a value of CSV or JSON, with the line of the value. Of a part behind the beginning of its file,
 * the line counts from the beginning of the part.
 * Never throws: the error of the query counts.
 */
export async function withLine(
  message: string, parts: Iterable<ReadPart>, { disk, pause }: { readonly disk: Disk; readonly pause: () => Promise<void> | undefined },
): Promise<string> {
  const [found, value = '', name = '', valueType = ''] = form.exec(message) ?? []
  if (found === undefined) return message
  const own = [...parts].filter(({ shape: { format: { kind } } }) => kind === 'csv' || kind === 'json')
  const placeIn = ({ local }: ReadPart['part']): string => ` (in ${local})`
  const named = own.filter(({ part }) => message.includes(placeIn(part)))
  try {
    for (const { shape, part } of named.length > 0 ? named : own) {
      const column = shape.columns.findIndex(each => quotedName(each.name) === name)
      const line = column < 0 ? undefined : await lineOf(part, { shape, column, value, valueType, disk, pause })
      if (line === undefined) continue
      const place = ` (in ${part.local}, line ${line}${part.isFirst ? '' : ' from there'})`
      return named.length > 0 ? message.replace(placeIn(part), () => place) : message.replace(found, () => found + place)
    }
  } catch {
    // Without its line.
  }
  return message
}

interface Wanted {
  readonly shape: TableShape
  readonly column: number
  readonly value: string
  readonly valueType: string
  readonly disk: Disk
  readonly pause: () => Promise<void> | undefined
}

async function lineOf(
  { path, local, isFirst }: ReadPart['part'], { shape: { format, columns }, column, value, valueType, disk, pause }: Wanted,
): Promise<number | undefined> {
  const { name, type } = columns[column]!
  const finder = format.kind === 'csv' ? new ValueFinder(format, { column, value: Buffer.from(value), isFirst })
    : new JsonValueFinder({ column: name, type, value, valueType })
  for await (const piece of partBytes(disk, { path, local })) {
    finder.add(piece)
    if (finder.line !== undefined) return finder.line
    await pause()
  }
  if (finder instanceof ValueFinder) finder.end()
  return finder.line
}

type CsvFormat = Extract<TableShape['format'], { kind: 'csv' }>

const lineFeed = 10
const carriageReturn = 13

/** Finds the first record behind the header that has the value in the column. A quote counts at the beginning of a field only. */
class ValueFinder {
  /** Line in which the record begins, from 1. */
  line: number | undefined
  readonly #wanted: { readonly column: number; readonly value: Buffer }
  readonly #marks: { readonly quote: number; readonly escape: number; readonly delimiter: number }
  readonly #skip: number
  #isHeader: boolean
  #state: 'start' | 'field' | 'quoted' | 'escaped' | 'closed' = 'start'
  #at = 1
  #recordAt = 1
  #field = 0
  #bytes: number[] = []
  #isFound = false
  #isReturned = false

  constructor(
    { quote, escape, delimiter, header, skip }: CsvFormat,
    { column, value, isFirst }: { readonly column: number; readonly value: Buffer; readonly isFirst: boolean },
  ) {
    this.#wanted = { column, value }
    const code = (mark: string): number => (mark === '' ? -1 : mark.charCodeAt(0))
    this.#marks = { quote: code(quote), escape: escape === quote ? -1 : code(escape), delimiter: code(delimiter) }
    this.#skip = isFirst ? skip : 0
    this.#isHeader = isFirst && header
  }

  add(bytes: Uint8Array): void {
    for (const byte of bytes) {
      this.#step(byte)
      if (this.line !== undefined) return
    }
  }

  /** The last record may have no line end. */
  end(): void { if (this.line === undefined) this.#endRecord() }

  #step(byte: number): void {
    const { quote, escape, delimiter } = this.#marks
    if (this.#state === 'escaped') {
      this.#state = 'quoted'
      this.#keep(byte)
    } else if (this.#state === 'quoted') {
      if (byte === quote) this.#state = 'closed'
      else if (byte === escape) this.#state = 'escaped'
      else this.#keep(byte)
    } else if (this.#state === 'closed' && byte === quote) {
      this.#state = 'quoted'
      this.#keep(byte)
    } else if (byte === lineFeed || byte === carriageReturn) {
      // The line feed behind a carriage return ends no second line.
      if (byte === lineFeed && this.#isReturned) this.#isReturned = false
      else this.#endLine(byte)
      return
    } else if (byte === delimiter) {
      this.#endField()
      this.#field++
    } else if (this.#state === 'start' && byte === quote) this.#state = 'quoted'
    else {
      this.#state = 'field'
      this.#keep(byte)
    }
    if (byte === lineFeed) this.#at++
    this.#isReturned = false
  }

  #endLine(byte: number): void {
    this.#endRecord()
    this.#isReturned = byte === carriageReturn
    this.#at++
    this.#recordAt = this.#at
  }

  #keep(byte: number): void { if (this.#field === this.#wanted.column) this.#bytes.push(byte) }

  #endField(): void {
    if (this.#field === this.#wanted.column) {
      this.#isFound = this.#wanted.value.equals(Buffer.from(this.#bytes))
      this.#bytes = []
    }
    this.#state = 'start'
  }

  #endRecord(): void {
    const isBlank = this.#field === 0 && this.#state === 'start'
    this.#endField()
    const isTitle = this.#recordAt <= this.#skip
    if (this.#isFound && !isTitle && !this.#isHeader) this.line = this.#recordAt
    if (!isTitle && !isBlank) this.#isHeader = false
    this.#isFound = false
    this.#field = 0
  }
}
