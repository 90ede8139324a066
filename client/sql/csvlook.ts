// Decides how one sample of CSV is read: the engine looks at it, told what the parser of jobs finds, and its answer counts only if it makes
// a row of every line that is not evidently none.

import { GristmillError } from '../../src/base/errors.ts'
import { literalOf } from '../../src/base/sql.ts'
import { escapedPath, type TableShape } from '../../src/operator/sqltable.ts'
import type { Database } from '../../src/ports/database.ts'
import { isTitle, layoutOf, type CsvLayout, type CsvSample } from './csvlayout.ts'

type CsvFormat = Extract<TableShape['format'], { kind: 'csv' }>

/** Marks that the sample does not have are missing. */
export type FoundFormat = Omit<CsvFormat, 'quote' | 'escape' | 'kind'> & { readonly quote?: string; readonly escape?: string }

interface CsvLook {
  readonly format: FoundFormat
  readonly columns: ReadonlyArray<{ readonly name: string; readonly type: string }>
}

/** `local`: path of the sample. Throws EINVAL for one whose layout is not clear, or whose rows are ragged. */
export async function lookAtSample(db: Database, csv: CsvSample, local: string): Promise<CsvLook> {
  const layout = layoutOf(csv)
  const { only } = layout
  if (only !== undefined) {
    // A title and a table, or one column whose values have marks of other delimiters.
    const table = await lookOf(db, local, { csv, layout: { ...layout, delimiter: undefined } }).catch(() => undefined)
    if (table && table.columns.length > 1 && table.format.skip > layout.skip && !faultOf(csv, layout, table)) return table
  }
  const own = only === undefined ? layout : { ...layout, delimiter: only, first: [only], isEven: true, fault: undefined }
  const look = await lookOf(db, local, { csv, layout: own })
  const fault = faultOf(csv, own, look)
  if (fault) throw fault
  return look
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
  db: Database, local: string, { csv, layout }: { readonly csv: CsvSample; readonly layout: CsvLayout },
): Promise<CsvLook> {
  const told = [
    // A line that begins with # may be a row: the engine would leave out all of them.
    `comment = ''`,
    ...layout.delimiter === undefined ? [] : [`delim = ${literalOf(layout.delimiter)}`],
    ...layout.isEven || layout.isNamed ? [`skip = ${layout.skip}`] : [],
    // As jobs read it, and write it: an apostrophe is a character, and so is a backslash.
    ...csv.delimiter !== undefined || layout.isEven ? [`quote = '"'`, `escape = '"'`] : [],
  ]
  const sql = `SELECT to_json(s) FROM sniff_csv(${literalOf(escapedPath(local))}, sample_size = -1, ${told.join(', ')}) s`
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
      ...row.DateFormat !== null && { dateFormat: row.DateFormat },
      ...row.TimestampFormat !== null && { timestampFormat: row.TimestampFormat },
    },
    columns: row.Columns,
  }
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

const unlike = (path: string): GristmillError => new GristmillError(
  'EINVAL', `${path} has no clear layout: its rows are not those that its delimiter gives; name the delimiter in its first line (sep=;), or `
  + 'by --delimiter of put', { details: { path } },
)
