// Evidence about the layout of a sample of CSV, by the parser that jobs read it with: the delimiter, and whether all rows have one number
// of fields. The engine's look at a file leaves out lines that spoil a table, and takes rows for one column that it cannot split; a layout
// that this evidence contradicts is refused.

import { GristmillError } from '../../src/base/errors.ts'
import { withoutEnd } from '../../src/base/withoutend.ts'
import { parseCsv, wholeRows } from '../../src/record/csv.ts'
import { examine } from '../../src/record/dialect.ts'
import { namedSeparator } from '../../src/record/separator.ts'
import { headBytes } from '../../src/record/sniff.ts'
import { markBytes } from '../../src/record/utf8.ts'

/** The beginning of a file of CSV. `delimiter`, `header`: what the metadata of the file say. */
export interface CsvSample {
  readonly path: string
  readonly bytes: Buffer
  readonly isWhole: boolean
  readonly delimiter?: string | undefined
  readonly header?: boolean | undefined
}

export interface CsvLayout {
  /** undefined: it is not clear. */
  readonly delimiter?: string | undefined
  /** The first line names the delimiter. */
  readonly isNamed: boolean
  /** Lines that are no rows although no title is before the header: the line that names the delimiter, and blank ones. */
  readonly skip: number
  /** Fields of the first row; none: they are not known. */
  readonly first: readonly string[]
  /** All rows are rows of CSV with one number of fields. */
  readonly isEven: boolean
  /** A delimiter that no line has, and which the name of the file says: it has one column, if no other one is clear. */
  readonly only?: string
  /** EINVAL for a sample that is not even, or has no clear delimiter. */
  readonly fault?: GristmillError | undefined
}

/** Layout of the sample behind its first `from` lines. Throws EINVAL for a file that contradicts its metadata. */
export function layoutOf({ path, bytes: all, isWhole, delimiter: claimed }: CsvSample, from = 0): CsvLayout {
  const marked = all.subarray(markBytes(all))
  const start = startOf(marked, from)
  const bytes = marked.subarray(start)
  const isNamed = start === 0 && namedSeparator(bytes) !== undefined
  const skip = blankLines(bytes, isNamed ? 1 : 0)
  const head = bytes.subarray(0, headBytes)
  const found = examine({ path, bytes: head, isAll: isWhole && head.length === bytes.length }, { claimed })
  const sample = { bytes, isWhole, isNamed }
  const rows = 'ambiguity' in found ? undefined : rowsOf(sample, found)
  const own = { isNamed, skip, first: rows?.first ?? [] }
  if (rows && rows.first.length > 0 && rows.problem === undefined) return { ...own, delimiter: rows.delimiter, isEven: true }
  const refused = (problem: string): GristmillError => new GristmillError('EINVAL', `${path}${problem}`, { details: { path } })
  const fault = 'ambiguity' in found
    ? refused(` ${found.ambiguity}; for SQL, a first line such as sep=; sets it as well, and lines that begin with # are no header`)
    : rows?.problem && refused(problemOf(rows, from + bytes.toString('latin1', 0, rows.problem.at).split(lineEnds).length))
  const only = claimed === undefined && !isNamed && !(rows && rows.alike * 2 >= rows.count) ? onlyColumn(path, sample) : undefined
  return { ...own, delimiter: rows?.delimiter, isEven: false, fault, ...only !== undefined && { only } }
}

interface Rows {
  readonly delimiter: string
  /** Fields of the first row, as Latin-1. */
  readonly first: readonly string[]
  /** Rows behind the first one, and those of them that have as many fields. */
  readonly count: number
  readonly alike: number
  /** The first row that is none, or has another number of fields. */
  readonly problem?: { readonly at: number; readonly fields: number; readonly fault: string | undefined } | undefined
}

function rowsOf(
  { bytes, isWhole, isNamed }: { readonly bytes: Buffer; readonly isWhole: boolean; readonly isNamed: boolean },
  dialect: { readonly delimiter: string; readonly rowEnd?: '\n' | '\r' | undefined },
): Rows {
  let [count, alike, atName] = [0, 0, isNamed]
  let first: readonly string[] = []
  let problem: Rows['problem']
  parseCsv(bytes.toString('latin1', 0, wholeRows(bytes, dialect, isWhole)), dialect, (fields, fault, at) => {
    if (atName) {
      atName = false
      return
    }
    if (first.length === 0) first = fields
    else {
      count++
      if (fields.length === first.length) alike++
    }
    if (fault !== undefined || fields.length !== first.length) problem ??= { at, fields: fields.length, fault }
  })
  return { delimiter: dialect.delimiter, first, count, alike, problem }
}

function problemOf({ delimiter, first: { length: width }, problem }: Rows, line: number): string {
  const advice = 'or read the file by a job, which counts such records as bad ones'
  if (problem?.fault !== undefined) return `, line ${line}, is no CSV: ${problem.fault}; mend the line, ${advice}`
  return ` has rows of different numbers of fields: line ${line} has ${problem?.fields}, and the rows before it have ${width} `
    + `(delimiter ${JSON.stringify(delimiter)}); mend the line, ${width === 1 ? 'begin each line of a title with #, ' : ''}${advice}`
}

/** The delimiter that the name of the file says, if no line has it. */
function onlyColumn(path: string, sample: Parameters<typeof rowsOf>[0]): string | undefined {
  const delimiter = /\.tsv(?:\.\w+)?$/i.test(path) ? '\t' : ','
  const { first, problem } = rowsOf(sample, { delimiter, rowEnd: sample.bytes.includes('\n') ? '\n' : '\r' })
  return first.length === 1 && problem === undefined ? delimiter : undefined
}

/**
 * True if the lines are evidently none of the table, and no rows or another header: they are blank, or begin with #, or are a title: a line
 * before a blank one, or two lines, or some before a blank one, if `isTyped`: the header is known by values behind it that are no texts.
 */
export function isTitle({ bytes }: CsvSample, { from, end, delimiter, isTyped }: {
  readonly from: number; readonly end: number; readonly delimiter: string; readonly isTyped: boolean
}): boolean {
  const lines = bytes.toString('latin1', 0, startOf(bytes, end)).split(lineEnds).slice(from, end)
  // Spreadsheets write empty fields behind a title.
  const bare = lines.map(line => withoutEnd(line.trimEnd(), delimiter).trim())
  const plain = bare.filter(line => line !== '' && !line.startsWith('#'))
  const isBlankBehind = bare.at(-1) === ''
  // The engine counts a value of several lines as one line that it skips.
  if (lines.some(line => line.split('"').length % 2 === 0)) return false
  return bare.every(line => !line.includes(delimiter))
    && (plain.length === 0 || (isBlankBehind && plain.length === 1) || (isTyped && plain.length <= (isBlankBehind ? 8 : 2)))
}

/** True for a row of a title as spreadsheets write it: one value, or none, and two or more empty fields behind it. */
export const isPadded = (fields: readonly string[]): boolean => fields.length >= 3 && fields.slice(1).every(field => field === '')

/** Lines that a title before a table may have. */
export const titleLinesMax = 10

/** Fields of each line by which a table shows. Two by a tab or a bar are also values with one mark, as names of paths and places have. */
const hiddenFields: ReadonlyArray<readonly [delimiter: string, fieldsMin: number]> = [[';', 2], ['\t', 3], ['|', 3]]

/**
 * EINVAL for a sample that seems to have one column, if all lines behind its first ones have the same number of fields by a delimiter, and
 * are half of it or more: a title and a table, or one column whose values have marks. `from`: lines before the sample's first row.
 */
export function hiddenTable(csv: CsvSample, from: number): GristmillError | undefined {
  const { path, bytes } = csv
  for (const [delimiter, fieldsMin] of hiddenFields) {
    if (!bytes.includes(delimiter)) continue
    for (let title = 1; title <= titleLinesMax; title++) {
      const rest = layoutOf({ ...csv, delimiter }, from + title)
      if (!rest.isEven || rest.first.length < fieldsMin) continue
      const lines = bytes.toString('latin1', startOf(bytes, from + title)).split(lineEnds).filter(line => line !== '').length
      if (lines < Math.max(2, title)) break
      const named = delimiter === '\t' ? ' and a tab' : delimiter
      return new GristmillError(
        'EINVAL', `${path} has no clear delimiter: all lines behind its first ${title === 1 ? 'one' : title} have ${rest.first.length} `
        + `fields by ${JSON.stringify(delimiter)}, and may be a table below a title, or values of one column; for a table, begin each `
        + `line of a title with #, or write a first line sep=${named} before it; for one column, a first line sep=,`,
        { details: { path } },
      )
    }
  }
  return undefined
}

const lineEnds = /\r\n|\n|\r/

/** Start of the line `number`, from 0. */
function startOf(bytes: Buffer, number: number): number {
  let at = 0
  for (let line = 0; line < number && at < bytes.length; line++) at = nextLine(bytes, at)
  return at
}

function nextLine(bytes: Buffer, at: number): number {
  while (at < bytes.length && bytes[at] !== 10 && bytes[at] !== 13) at++
  return Math.min(bytes.length, at + (bytes[at] === 13 && bytes[at + 1] === 10 ? 2 : 1))
}

/** The first line that is not blank, from `from` on. */
function blankLines(bytes: Buffer, from: number): number {
  let line = from
  for (let at = startOf(bytes, from); bytes[at] === 10 || bytes[at] === 13; at = nextLine(bytes, at)) line++
  return line
}
