// Fixes how the CSV files of a table are read, by the samples of its files: they have to agree in their layout and in the names of their
// columns. A column has the widest of its types in the samples that have values of it.

import { GristmillError } from '../../src/base/errors.ts'
import { literalOf, type SqlColumn } from '../../src/base/sql.ts'
import { escapedPath, tableSelect, type TableShape } from '../../src/operator/sqltable.ts'
import type { Database } from '../../src/ports/database.ts'
import { textIn, unbent } from './wholenumbers.ts'

/** The beginning of a file of a table, as a local file. */
export interface FileSample {
  readonly path: string
  readonly local: string
  readonly isWhole: boolean
  /** First line of a text, if it is the header and has no quotes. */
  readonly firstLine?: string
  /** First bytes of a CSV file, as Latin-1. */
  readonly head?: string
  /** Bytes of the file that the sample stands for, compressed if the file is, and lines in them. */
  readonly bytes: number
  readonly lines: number
  /** Of an Arrow file, whose schema has been read. */
  readonly columns?: TableShape['columns'] | undefined
}

type CsvFormat = Extract<TableShape['format'], { kind: 'csv' }>

interface Sniffed {
  readonly sample: FileSample
  /** Marks that the sample does not have are missing. */
  readonly format: Omit<CsvFormat, 'quote' | 'escape' | 'kind'> & { readonly quote?: string; readonly escape?: string }
  /** A column without values has no type. */
  readonly columns: ReadonlyArray<{ readonly name: string; readonly type: string | undefined }>
}

/** Throws EINVAL for files that have no common layout. */
export async function csvShape(
  db: Database, samples: readonly FileSample[],
): Promise<{ readonly format: CsvFormat; readonly columns: SqlColumn[] }> {
  const found: Sniffed[] = []
  for (const sample of samples) found.push(await sniffed(db, sample))
  // A file without values says little about the layout of others.
  const first = found.find(({ columns }) => columns.some(({ type }) => type !== undefined)) ?? found[0]!
  for (const other of found) checkAlike(first, other)
  const given = <K extends keyof Sniffed['format']>(key: K): Sniffed['format'][K] | undefined =>
    found.map(({ format }) => format[key]).find(value => value !== undefined)
  const quote = given('quote') ?? '"'
  const [dateFormat, timestampFormat] = [given('dateFormat'), given('timestampFormat')]
  const { delimiter, comment, header, skip } = first.format
  const { firstLine } = first.sample
  return {
    format: {
      // Without quotes in the samples: as RFC 4180 has them.
      kind: 'csv', delimiter, quote, escape: given('escape') ?? quote, comment, header, skip,
      ...dateFormat !== undefined && { dateFormat }, ...timestampFormat !== undefined && { timestampFormat },
      ...header && skip === 0 && comment === '' && firstLine !== undefined && { headerLine: firstLine },
    },
    columns: first.columns.map(({ name }, i) => {
      const types = found.flatMap(({ columns }) => columns[i]!.type ?? [])
      return { name, type: { kind: 'plain', name: types.length === 0 ? 'VARCHAR' : types.reduce(widest) } }
    }),
  }
}

function checkAlike(first: Sniffed, other: Sniffed): void {
  const [path, before] = [other.sample.path, first.sample.path]
  const names = ({ columns }: Sniffed): string[] => columns.map(each => each.name)
  const differ = (what: string): GristmillError => new GristmillError('EINVAL', `${what}; name files that are alike`, { details: { path } })
  const [own, those] = [names(other), names(first)]
  if (own.join('\0') !== those.join('\0'))
    throw differ(`${path} has the columns ${own.join(', ')}, and ${before} has ${those.join(', ')}`)
  for (const [key, word] of layout) {
    const [a, b] = [first.format[key], other.format[key]]
    if (a !== undefined && b !== undefined && a !== b)
      throw differ(`${path} and ${before} are CSV of different layouts (${word}: ${JSON.stringify(b)} and ${JSON.stringify(a)})`)
  }
}

const layout: ReadonlyArray<readonly [keyof Sniffed['format'], string]> = [
  ['delimiter', 'delimiter'], ['quote', 'quote'], ['escape', 'escape'], ['comment', 'mark of comments'], ['header', 'has a header'],
  ['skip', 'lines before the header'], ['dateFormat', 'form of dates'], ['timestampFormat', 'form of timestamps'],
]

/** A type that holds the values of both. */
function widest(a: string, b: string): string {
  if (a === b) return a
  const both = [a, b].sort().join(' ')
  if (both === 'BIGINT DOUBLE') return 'DOUBLE'
  if (both === 'BIGINT HUGEINT') return 'HUGEINT'
  return both === 'DATE TIMESTAMP' ? 'TIMESTAMP' : 'VARCHAR'
}

/** The first line by which Excel names the delimiter. */
const separator = /^(?:\u00ef\u00bb\u00bf)?"?sep=([^"\r\n])"?(?:\r?\n|\r|$)/i

/** What the engine finds in a file. */
interface Found {
  readonly Delimiter: string
  readonly Quote: string
  readonly Escape: string
  readonly Comment: string
  readonly SkipRows: number
  readonly HasHeader: boolean
  readonly Columns: ReadonlyArray<{ readonly name: string; readonly type: string }>
  readonly DateFormat: string | null
  readonly TimestampFormat: string | null
}

async function lookedAt(db: Database, { local }: FileSample, told: string): Promise<Found> {
  const text = await oneValue(db, `SELECT to_json(s) FROM sniff_csv(${literalOf(escapedPath(local))}, sample_size = -1, ${told}) s`)
  return JSON.parse(text as string) as Found
}

/**
 * The file with the delimiter that its name says, if the engine has found another one only in lines behind the first ones: these may be a
 * title, or the header and rows of one column whose other values have such a mark in them. Undefined: they are a title.
 */
async function otherwise(db: Database, sample: FileSample, { Delimiter, SkipRows, HasHeader, Columns }: Found): Promise<Found | undefined> {
  const delimiter = /\.tsv(?:\.\w+)?$/i.test(sample.path) ? '\t' : ','
  const skip = Number(SkipRows)
  if (skip === 0 || Delimiter === delimiter) return undefined
  // Without an answer the engine's first one is checked as any other.
  const plain = await lookedAt(db, sample, `comment = '', delim = ${literalOf(delimiter)}`).catch(() => undefined)
  if (!plain || Number(plain.SkipRows) > 0) return undefined
  const last = (sample.head ?? '').split(/\r\n|\n|\r/).slice(0, skip)
  // Names above values of another type, or a line that no table has.
  const isNoRow = last.at(-1)?.trim() === '' || last.every(line => line.startsWith('#'))
  const isTitled = HasHeader && (isNoRow || Columns.some(({ type }) => type !== 'VARCHAR'))
  return isTitled && plain.Columns.length === 1 ? undefined : plain
}

async function sniffed(db: Database, sample: FileSample): Promise<Sniffed> {
  const named = separator.exec(sample.head ?? '')?.[1]
  // A line that begins with # may be a row: the engine would leave out all of them.
  const told = `comment = ''${named === undefined ? '' : `, delim = ${literalOf(named)}, skip = 1`}`
  const found = await lookedAt(db, sample, told)
  const row = (named === undefined ? await otherwise(db, sample, found) : undefined) ?? found
  const given = (mark: string): string => (mark === '(empty)' || mark === '\0' ? '' : mark)
  const [quote, escape] = [given(row.Quote), given(row.Escape)]
  const format = {
    delimiter: row.Delimiter, ...quote !== '' && { quote, escape: escape || quote }, comment: given(row.Comment),
    header: row.HasHeader, skip: Math.max(named === undefined ? 0 : 1, Number(row.SkipRows)),
    ...row.DateFormat !== null && { dateFormat: row.DateFormat },
    ...row.TimestampFormat !== null && { timestampFormat: row.TimestampFormat },
  }
  checkSkipped(sample, format, named === undefined ? 0 : 1)
  const counts = row.Columns.some(({ type }) => type === 'VARCHAR') ? await valuesIn(db, sample, format, row.Columns) : []
  const types = await unbent(db, row.Columns, () => textsOf(sample, format, row.Columns), format)
  return { sample, format, columns: types.map(({ name, type }, i) => ({ name, type: counts[i] === 0 ? undefined : type })) }
}

/**
 * The engine takes all lines before the longest run of alike ones for none of the table: a title, but also the header and a thousand rows
 * before one that has a field too many.
 */
function checkSkipped({ path, head = '' }: FileSample, { skip, delimiter, header }: Sniffed['format'], known: number): void {
  const lines = head.split(/\r\n|\n|\r/).slice(known, skip)
  const isRow = lines.some(line => line.includes(delimiter)) || skip > lines.length + known
  if (!isRow && (header || lines.every(line => line.trim() === ''))) return
  throw new GristmillError(
    'EINVAL', `${path} has rows of different numbers of fields: line ${skip + 1} begins others than the lines before it (delimiter `
    + `${JSON.stringify(delimiter)}); mend the line, or read the file by a job, which counts such records as bad ones`,
    { details: { path } },
  )
}

/** The number of values of each column. Empty texts are none: files with quotes around every field have them for NULL. */
async function valuesIn(
  db: Database, sample: FileSample, format: Sniffed['format'], columns: readonly SqlColumnName[],
): Promise<number[]> {
  const list = columns.map(({ name }) => `count(${textIn(name)})`).join(', ')
  const values = await oneValue(db, `SELECT [${list}] FROM ${textsOf(sample, format, columns)}`)
  return (values as readonly bigint[]).map(Number)
}

/** All rows of the sample, as texts. */
function textsOf(
  { local }: FileSample, { quote = '"', escape = quote, ...format }: Sniffed['format'], columns: readonly SqlColumnName[],
): string {
  const shape: TableShape = {
    name: '', format: { kind: 'csv', quote, escape, ...format }, partitions: [],
    columns: columns.map(({ name }) => ({ name, type: 'VARCHAR' })),
  }
  return `(${tableSelect(shape, [{ path: '', local, isFirst: true }])})`
}

interface SqlColumnName { readonly name: string }

/** The first value of the first row. */
export async function oneValue(db: Database, sql: string): Promise<unknown> {
  for await (const [row] of (await db.query(sql)).batches()) return row![0]
  return undefined
}
