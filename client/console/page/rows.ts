// PreviewRows of the first bytes of a file: CSV by the parser of the product, JSON lines by their fields, and other text as it is. Pure.

import { parseCsv } from '../../../src/record/csv.ts'
import { formatCount } from './format.ts'
import { jsonFields } from './jsonfields.ts'

export interface PreviewRows {
  readonly kind: 'rows'
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
  /** Lines that are no rows of the format. */
  readonly bad: number
  /** There are more rows in these bytes. */
  readonly cut: boolean
  /** Columns that the rows have, and that are not among these. */
  readonly left: number
}

type Preview = PreviewRows | { readonly kind: 'text'; readonly text: string } | { readonly kind: 'binary'; readonly why: string }

const rowsMax = 1_000
/** More columns are for a file, or a query that names those that are wanted. */
export const columnsMax = 200

const known: readonly (readonly [ending: RegExp, what: string])[] = [
  [/\.gz$/i, 'It is compressed with gzip.'], [/\.zst$/i, 'It is compressed with zstd.'],
]

interface FileFacts {
  readonly path: string
  readonly delimiter?: string | undefined
  readonly header?: boolean | undefined
  readonly whole: boolean
}

/** `whole`: these are all bytes of the file. */
export function rowsOf(bytes: Uint8Array, { path, delimiter, header, whole }: FileFacts): Preview {
  const why = known.find(([ending]) => ending.test(path))?.[1]
  if (why !== undefined || bytes.subarray(0, 8192).includes(0)) return { kind: 'binary', why: why ?? 'It has bytes that no text has.' }
  // The last line of a part may be cut.
  const end = whole ? bytes.length : bytes.lastIndexOf(10) + 1 || bytes.length
  const text = new TextDecoder().decode(bytes.subarray(0, end))
  if (/\.(csv|tsv)$/i.test(path)) return csvRows(text, delimiter ?? (/\.tsv$/i.test(path) ? '\t' : ','), header)
  if (/\.(jsonl|ndjson)$/i.test(path)) return jsonRows(text)
  return { kind: 'text', text }
}

function csvRows(text: string, delimiter: string, isNamed = true): Preview {
  const rows: string[][] = []
  let bad = 0
  let cut = false
  parseCsv(text, { delimiter }, (fields, fault) => {
    // One more for the header.
    cut = rows.length > rowsMax
    if (cut) return
    if (fault !== undefined) bad++
    rows.push(fields)
  })
  const [header, ...rest] = isNamed ? rows : [[], ...rows]
  if (!header || rows.length === 0) return { kind: 'text', text }
  const wide = rest.reduce((most, row) => Math.max(most, row.length), header.length)
  const width = Math.min(columnsMax, wide)
  const columns = unique(Array.from({ length: width }, (_, i) => header[i] || `column ${i + 1}`))
  return { kind: 'rows', columns, rows: rest, bad, cut, left: wide - width }
}

function jsonRows(text: string): Preview {
  const values: (ReadonlyMap<string, string> | string)[] = []
  let bad = 0
  const lines = text.split('\n').filter(line => line.trim() !== '')
  for (const line of lines.slice(0, rowsMax)) {
    try {
      values.push(jsonFields(line))
    } catch {
      bad++
      values.push(line)
    }
  }
  if (values.length === 0 || bad > values.length / 2) return { kind: 'text', text }
  const all = [...new Set(values.flatMap(value => (typeof value === 'string' ? [] : [...value.keys()])))]
  const names = all.slice(0, columnsMax)
  const others = values.some(value => typeof value === 'string')
  return {
    kind: 'rows', bad, cut: lines.length > rowsMax, left: all.length - names.length,
    columns: unique([...names, ...others ? ['value'] : []]),
    rows: values.map(value => (typeof value === 'string' ? [...names.map(() => ''), value] : names.map(name => value.get(name) ?? ''))),
  }
}

/** Says, behind the number of rows, that columns are left out; empty if there are none. */
export const columnsText = (shown: number, left: number): string =>
  (left > 0 ? `, the first ${formatCount(shown)} of ${formatCount(shown + left)} columns` : '')

/** Columns of one name get numbers. */
function unique(names: readonly string[]): string[] {
  const seen = new Map<string, number>()
  return names.map(name => {
    const times = (seen.get(name) ?? 0) + 1
    seen.set(name, times)
    return times === 1 ? name : `${name} (${times})`
  })
}
