// Decides how one sample of CSV is read: the engine looks at it, told what the parser of jobs finds, and its answer counts only if it makes
// a row of every line that is not evidently none.

import { GristmillError } from '../../src/base/errors.ts'
import { literalOf, literalsOf } from '../../src/base/sql.ts'
import { escapedPath, type TableShape } from '../../src/operator/sqltable.ts'
import type { Database } from '../../src/ports/database.ts'
import { hiddenTable, isPadded, isTitle, layoutOf, titleLinesMax, type CsvLayout, type CsvSample } from './csvlayout.ts'
import type { CsvReading } from './readcalls.ts'

type CsvFormat = Extract<TableShape['format'], { kind: 'csv' }>

/** Marks that the sample does not have are missing. */
export type FoundFormat = Omit<CsvFormat, 'quote' | 'escape' | 'kind'> & { readonly quote?: string; readonly escape?: string }

interface CsvLook {
  readonly format: FoundFormat
  readonly columns: ReadonlyArray<{ readonly name: string; readonly type: string }>
}

/**
 * `local`: path of the sample; `told`: what the query says of it. Throws EINVAL for one whose layout is not clear, or whose rows are
 * ragged.
 */
export async function lookAtSample(db: Database, csv: CsvSample, local: string, told: CsvReading = {}): Promise<CsvLook> {
  const order = csv.bytes.length < 2 ? 0 : csv.bytes.readUInt16BE(0)
  if (order === 0xfeff || order === 0xfffe) {
    throw new GristmillError(
      'EINVAL', `${csv.path} is UTF-16; convert the file: iconv -f utf-16 -t utf-8 old.csv > new.csv`,
      { details: { path: csv.path } },
    )
  }
  const found = layoutOf(csv)
  if (told.quote !== undefined && told.quote !== '"') {
    // The parser of jobs knows no such quotes: the engine counts the fields of all rows.
    const layout: CsvLayout = { isNamed: found.isNamed, skip: found.skip, first: found.first, delimiter: csv.delimiter, isEven: false }
    const look = await lookOf(db, local, { csv, layout, told })
    if (look.format.skip > layout.skip) throw unlike(csv.path)
    return { ...look, format: { ...look.format, quote: told.quote, escape: told.quote } }
  }
  if (found.isNamed && !found.isEven) {
    const table = await behindTitle(db, csv, { local, layout: found, told })
    if (table) return table
  }
  const isHeaderTold = told.header ?? csv.header
  if (found.isEven && isPadded(found.first) && isHeaderTold === undefined && !told.columns) {
    // Titles are looked for by lines, and this value has several.
    if (/[\r\n]/.test(found.first[0]!)) throw padded(csv.path)
    const table = await behindTitle(db, csv, { local, layout: found, told })
    if (table) return table
  }
  const { only } = found
  if (only !== undefined) {
    // A title and a table, or one column whose values have marks of other delimiters.
    const table = await lookOf(db, local, { csv, layout: { ...found, delimiter: undefined }, told }).catch(() => undefined)
    if (table && table.columns.length > 1 && table.format.skip > found.skip && !faultOf(csv, found, table)) return table
  }
  const isColumn = only !== undefined || (found.isEven && found.first.length === 1)
  const hidden = isColumn && csv.delimiter === undefined && !found.isNamed ? hiddenTable(csv, found.skip) : undefined
  if (hidden) throw hidden
  const own = only === undefined ? found : { ...found, delimiter: only, first: [only], isEven: true, fault: undefined }
  const look = await lookOf(db, local, { csv, layout: own, told })
  const fault = faultOf(csv, own, look)
  if (fault) throw fault
  return look
}

/**
 * The table behind a title that follows the line which names the delimiter, or whose lines have the delimiters of rows: the engine takes
 * neither for a title. Throws EINVAL where names may stand in the title's line, or below it.
 */
async function behindTitle(
  db: Database, csv: CsvSample,
  { local, layout, told }: { readonly local: string; readonly layout: CsvLayout; readonly told: CsvReading },
): Promise<CsvLook | undefined> {
  for (let end = layout.skip + 1; layout.delimiter !== undefined && end <= layout.skip + titleLinesMax; end++) {
    const rest = layoutOf({ ...csv, delimiter: layout.delimiter }, end)
    if (!rest.isEven || rest.first.length < 2 || isPadded(rest.first)) continue
    const skip = end + rest.skip
    const look = await lookOf(db, local, { csv, layout: { ...rest, isNamed: true, skip }, told })
    const isTyped = look.format.header && look.columns.some(({ type }) => type !== 'VARCHAR')
    const isTable = look.format.header && look.format.skip === skip && isSame(rest, { header: true, columns: look.columns })
    const isAbove = isTitle(csv, { from: layout.isNamed ? 1 : layout.skip, end: skip, delimiter: layout.delimiter, isTyped })
    if (isTable && isAbove) return look
    // Where the line below has values, and no names, the first one is the header of columns without names.
    if (isTable && !layout.isNamed) throw padded(csv.path)
    return undefined
  }
  return undefined
}

interface Row {
  readonly Delimiter: string
  readonly Quote: string
  readonly Escape: string
  readonly Comment: string
  readonly SkipRows: number
  readonly HasHeader: boolean
  readonly Columns: CsvLook['columns']
  readonly DateFormat: string | null
  readonly TimestampFormat: string | null
}

/** The engine's look at the sample, which is told what is known of its layout. */
async function lookOf(
  db: Database, local: string,
  { csv, layout, told }: { readonly csv: CsvSample; readonly layout: CsvLayout; readonly told: CsvReading },
): Promise<CsvLook> {
  const header = told.header ?? csv.header ?? headerOf(csv, layout, told)
  const options = [
    // A line that begins with # may be a row: the engine would leave out all of them.
    `comment = ''`,
    ...layout.delimiter === undefined ? [] : [`delim = ${literalOf(layout.delimiter)}`],
    ...layout.isEven || layout.isNamed ? [`skip = ${layout.skip}`] : [],
    // As jobs read it, and write it: an apostrophe is a character, and so is a backslash.
    ...told.quote !== undefined ? [`quote = ${literalOf(told.quote)}`, `escape = ${literalOf(told.quote)}`]
      : csv.delimiter !== undefined || layout.isEven ? [`quote = '"'`, `escape = '"'`] : [],
    ...header === undefined ? [] : [`header = ${header}`],
    ...told.nulls === undefined ? [] : [`nullstr = ${literalsOf(told.nulls)}`],
    ...told.dateFormat === undefined ? [] : [`dateformat = ${literalOf(told.dateFormat)}`],
    ...told.timestampFormat === undefined ? [] : [`timestampformat = ${literalOf(told.timestampFormat)}`],
  ]
  const sql = `SELECT to_json(s) FROM sniff_csv(${literalOf(escapedPath(local))}, sample_size = -1, ${options.join(', ')}) s`
  const row = await db.query(sql).then(async result => {
    for await (const [values] of result.batches()) return JSON.parse(values![0] as string) as Row
    throw unlike(csv.path)
  }).catch((error: unknown) => { throw layout.fault ?? error })
  const given = (mark: string): string => (mark === '(empty)' || mark === '\0' ? '' : mark)
  const [quote, escape] = [given(row.Quote), given(row.Escape)]
  return {
    format: {
      delimiter: row.Delimiter, ...quote !== '' && { quote, escape: escape || quote }, comment: given(row.Comment),
      header: row.HasHeader, skip: Math.max(layout.skip, Number(row.SkipRows)),
      ...formsOf(row, told),
      ...told.nulls !== undefined && { nulls: told.nulls },
    },
    columns: row.Columns,
  }
}

/** Forms of dates and timestamps. */
function formsOf(
  { DateFormat: date, TimestampFormat: timestamp }: Row, told: CsvReading,
): Pick<FoundFormat, 'dateFormat' | 'timestampFormat'> {
  const [dateFormat, timestampFormat] = [told.dateFormat ?? date, told.timestampFormat ?? timestamp]
  return { ...dateFormat !== null && { dateFormat }, ...timestampFormat !== null && { timestampFormat } }
}

/** The first row is the header if it has the names that the query gives to the columns. undefined: it gives none. */
function headerOf(csv: CsvSample, { first, only, skip }: CsvLayout, { columns, quote = '"' }: CsvReading): boolean | undefined {
  if (!columns) return undefined
  const row = only === undefined ? first : csv.bytes.toString('latin1').split(/\r\n|\n|\r/).slice(skip, skip + 1)
  const bare = (text: string): string => (quote !== '' && text.startsWith(quote) && text.endsWith(quote) ? text.slice(1, -1) : text)
  const names = new Set(row.map(name => bare(Buffer.from(name, 'latin1').toString().replace(/^\ufeff/, '')).toLowerCase()))
  return columns.every(({ name }) => names.has(name.toLowerCase()))
}

/** EINVAL for a look by which lines would be left out that are not evidently none of the table, or fields joined. */
function faultOf(csv: CsvSample, layout: CsvLayout, { format, columns }: CsvLook): GristmillError | undefined {
  // Other quotes than those of RFC 4180 are known to the engine alone, which counts the fields of all rows that it reads.
  const isKnown = (format.quote ?? '"') === '"' && (format.escape ?? '"') === '"'
  const { delimiter, skip, header } = format
  if (layout.isEven && isSame(layout, { header, columns })) return undefined
  const isTyped = header && columns.some(({ type }) => type !== 'VARCHAR')
  const isLeftOut = skip > layout.skip
  if (isLeftOut ? !header || !isTitle(csv, { from: layout.isNamed ? 1 : 0, end: skip, delimiter, isTyped }) : isKnown)
    return layout.fault ?? unlike(csv.path)
  if (!isKnown) return undefined
  const rest = layoutOf({ ...csv, delimiter: layout.isNamed ? delimiter : csv.delimiter }, skip)
  return rest.isEven && rest.delimiter === delimiter && isSame(rest, { header, columns }) ? undefined : rest.fault ?? unlike(csv.path)
}

/** The engine may take a blank line for the header, and name the columns itself. */
function isSame({ first }: CsvLayout, { header, columns }: Pick<CsvLook, 'columns'> & { readonly header: boolean }): boolean {
  if (first.length !== columns.length) return false
  return !header || columns[0]!.name !== 'column0' || first[0] === '' || first[0] === 'column0'
}

const padded = (path: string): GristmillError => new GristmillError(
  'EINVAL', `${path} begins with a row of one value and empty fields, which may be a title, or the names of the columns; begin each line of `
  + 'a title with #, or say by read_csv or --header of put whether the first row has names', { details: { path } },
)

const unlike = (path: string): GristmillError => new GristmillError(
  'EINVAL', `${path} has no clear layout: its rows are not those that its delimiter gives; name the delimiter in its first line (sep=;), `
  + 'or by --delimiter of put', { details: { path } },
)
