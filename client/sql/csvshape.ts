// Fixes how the CSV files of a table are read, by the samples of its files: they have to agree in their layout and in the names of their
// columns. A column has the widest of its types in the samples that have values of it. Every line of a sample is a row, or evidently none.

import { GristmillError } from '../../src/base/errors.ts'
import type { SqlColumn } from '../../src/base/sql.ts'
import { tableSelect, type TableShape } from '../../src/operator/sqltable.ts'
import type { LocatedBlock } from '../../src/protocol/namespace.ts'
import type { Database } from '../../src/ports/database.ts'
import { lookAtSample, type FoundFormat } from './csvlook.ts'
import { roomyType, widerDecimal } from './decimals.ts'
import { declaredTypes, notDeclared } from './declared.ts'
import type { CsvReading } from './readcalls.ts'
import { textIn, unbent } from './wholenumbers.ts'

/** The beginning of a file of a table, as a local file. */
export interface FileSample {
  readonly path: string
  readonly local: string
  readonly isWhole: boolean
  /** First line of a text, if it is the header and has no quotes. */
  readonly firstLine?: string
  /** Bytes of the sample of a CSV file, and what its metadata say. */
  readonly head?: Buffer
  readonly delimiter?: string | undefined
  readonly header?: boolean | undefined
  /** Bytes of the file that the sample stands for, compressed if the file is, and lines in them. */
  readonly bytes: number
  readonly lines: number
  /** Of an Arrow file, whose schema has been read. */
  readonly columns?: TableShape['columns'] | undefined
  /** All blocks of the file, if they are known. */
  readonly blocks?: readonly LocatedBlock[] | undefined
}

type CsvFormat = Extract<TableShape['format'], { kind: 'csv' }>

interface Sniffed {
  readonly sample: FileSample
  readonly format: FoundFormat
  readonly columns: readonly SniffedColumn[]
}

/**
 * A column without values has no type. `forms`: two orders of day and month, in both of which its values are dates or timestamps: it is a
 * VARCHAR, unless another sample tells which one is meant.
 */
interface SniffedColumn { readonly name: string; readonly type: string | undefined; readonly forms?: readonly string[] }

/** Throws EINVAL for files that have no common layout, or not the one that the query says. */
export async function csvShape(
  db: Database, samples: readonly FileSample[], told: CsvReading = {},
): Promise<{ readonly format: CsvFormat; readonly columns: SqlColumn[] }> {
  const found: Sniffed[] = []
  for (const sample of samples) found.push(await sniffed(db, sample, told))
  // A file without values says little about the layout of others.
  const first = found.find(({ columns }) => columns.some(({ type }) => type !== undefined)) ?? found[0]!
  for (const other of found) checkAlike(first, other)
  const given = <K extends keyof Sniffed['format']>(key: K): Sniffed['format'][K] | undefined =>
    found.map(({ format }) => format[key]).find(value => value !== undefined)
  const quote = given('quote') ?? '"'
  const [dateFormat, timestampFormat] = [given('dateFormat'), given('timestampFormat')]
  const { delimiter, comment, header, skip, nulls } = first.format
  const { firstLine } = first.sample
  const columns = first.columns.map(({ name }, i): SqlColumn => {
    const own = found.map(({ columns: those }) => those[i]!)
    const isMeant = ({ type, forms }: SniffedColumn): boolean => forms === undefined
      || (own.some(each => each.type === type && !each.forms) && forms.includes((type === 'DATE' ? dateFormat : timestampFormat) ?? ''))
    const types = own.flatMap(column => (isMeant(column) ? column.type ?? [] : 'VARCHAR'))
    return { name, type: { kind: 'plain', name: types.length === 0 || told.allVarchar ? 'VARCHAR' : roomyType(types.reduce(widest)) } }
  })
  return {
    format: {
      // Without quotes in the samples: as RFC 4180 has them.
      kind: 'csv', delimiter, quote, escape: given('escape') ?? quote, comment, header, skip,
      ...dateFormat !== undefined && { dateFormat }, ...timestampFormat !== undefined && { timestampFormat },
      ...nulls !== undefined && { nulls },
      ...header && skip === 0 && comment === '' && firstLine !== undefined && { headerLine: firstLine },
    },
    columns: told.columns ? await declared(db, columns, { given: told.columns, header, path: first.sample.path }) : columns,
  }
}

/** Columns with the types that the query gives: to those of these names below a header, else to all, and with their names. */
async function declared(
  db: Database, columns: readonly SqlColumn[],
  { given, header, path }: { readonly given: NonNullable<CsvReading['columns']>; readonly header: boolean; readonly path: string },
): Promise<SqlColumn[]> {
  const refused = (problem: string): GristmillError => new GristmillError('EINVAL', problem, { details: { path } })
  const isSame = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()
  const other = given.find(({ type }) => !declaredTypes.test(type))
  if (other) throw refused(notDeclared(other))
  const twice = given.find(({ name }, i) => given.some((each, j) => j < i && isSame(each.name, name)))
  if (twice) throw refused(`the column ${twice.name} is declared twice`)
  const types = await db.columnsOf(`SELECT ${given.map(({ type }, i) => `CAST(NULL AS ${type}) AS c${i}`).join(', ')}`)
  if (!header) {
    if (given.length === columns.length) return given.map(({ name }, i) => ({ name, type: types[i]!.type }))
    throw refused(`the first row of ${path} is no header with the names of the option columns, which has to name all ${columns.length}`)
  }
  const unknown = given.find(({ name }) => !columns.some(column => isSame(column.name, name)))
  if (unknown) throw refused(`${path} has no column ${unknown.name}; its header has ${columns.map(({ name }) => name).join(', ')}`)
  return columns.map(column => {
    const at = given.findIndex(({ name }) => isSame(name, column.name))
    return at < 0 ? column : { ...column, type: types[at]!.type }
  })
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
  return both === 'DATE TIMESTAMP' ? 'TIMESTAMP' : widerDecimal(a, b) ?? 'VARCHAR'
}

async function sniffed(db: Database, sample: FileSample, told: CsvReading): Promise<Sniffed> {
  const found = await lookedAt(db, sample, told)
  const isUsed = (kind: RegExp): boolean => found.columns.some(({ type, forms }) => !forms && kind.test(type ?? ''))
  const { dateFormat, timestampFormat, ...format } = found.format
  const isDated = told.dateFormat !== undefined || isUsed(/^DATE$/)
  const isStamped = told.timestampFormat !== undefined || isUsed(/^TIMESTAMP/)
  const own: Sniffed = {
    ...found,
    format: {
      ...format, ...dateFormat !== undefined && isDated && { dateFormat },
      ...timestampFormat !== undefined && isStamped && { timestampFormat },
    },
  }
  if (dateFormat === undefined || own.format.dateFormat !== undefined || !isUsed(/^TIMESTAMP/)) return own
  // The engine takes dates of ISO 8601 beside those of another form for timestamps.
  const { columns } = await lookedAt(db, sample, { ...told, header: format.header, dateFormat: '%Y-%m-%d' })
  return { ...own, columns: own.columns.map((column, i) => (column.forms ? column : columns[i]!)) }
}

/** The sample as the engine finds it, with types that hold all values. */
async function lookedAt(db: Database, sample: FileSample, told: CsvReading): Promise<Sniffed> {
  const { path, local, isWhole, delimiter, header } = sample
  const csv = { path, bytes: sample.head ?? Buffer.alloc(0), isWhole, delimiter, header }
  const { format, columns } = await lookAtSample(db, csv, local, told)
  const counts = columns.some(({ type }) => type === 'VARCHAR') ? await valuesIn(db, sample, format, columns) : []
  const forms = { ...format, told: [told.dateFormat, told.timestampFormat] }
  const types = await unbent(db, columns, () => textsOf(sample, format, columns), forms)
  return { sample, format, columns: types.map((column, i) => (counts[i] === 0 ? { name: column.name, type: undefined } : column)) }
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
