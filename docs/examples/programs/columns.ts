// Columns and formats of the built-in programs: which fields of a record a parameter names, and what they are as a key.
import type { Key, Output } from 'gristmill'

export type Row = Readonly<Record<string, unknown>>

/** Formats that the programs read. CSV has a header. */
const formats = ['lines', 'csv', 'jsonl'] as const
export type Format = (typeof formats)[number]

/** Names of columns: `town`, `town,day`, or for names with commas a list in JSON. */
export function columnsOf(given: unknown): readonly string[] {
  if (typeof given !== 'string') return Array.isArray(given) ? given.map(String) : given === undefined ? [] : [String(given)]
  if (!given.startsWith('[')) return given.split(',').map(name => name.trim()).filter(name => name !== '')
  const list = JSON.parse(given) as unknown
  if (!Array.isArray(list)) throw new TypeError(`${given} is no list of columns; write town,day or ["town","day"]`)
  return list.map(String)
}

/** Throws TypeError for a format that there is not, and for columns of lines. */
export function formatOf(given: unknown, hasColumns: boolean): Format {
  const format = formats.find(name => name === (given === undefined || given === '' ? (hasColumns ? 'csv' : 'lines') : given))
  if (format === undefined) throw new TypeError(`there is no format ${JSON.stringify(given)}; there are ${formats.join(', ')}`)
  if (hasColumns && format === 'lines')
    throw new TypeError('lines have no columns: leave "format" out for CSV, or give --param format=jsonl')
  if (!hasColumns && format !== 'lines') throw new TypeError(`name the columns of ${format} to use: --param columns=NAME,NAME`)
  return format
}

/** Options of the input for `mapReduce`, with one type for all formats. */
export const inputOf = (format: Format) => ({ format }) as { readonly format: 'jsonl' }

/** Options of an output with these columns; default: those of its first record. */
export const outputOf = (format: Format, columns?: readonly string[]): Output =>
  format === 'lines' ? {} : format === 'jsonl' ? { format } : { format, ...columns && { columns } }

/** Throws for a record that is not an object. */
export function rowOf(record: unknown): Row {
  if (typeof record === 'object' && record !== null && !Array.isArray(record)) return record as Row
  throw new TypeError(`the record ${JSON.stringify(record)?.slice(0, 60)} is no object with columns`)
}

/** The value of a column as a key. A field that a JSON object lacks is null; a column that a CSV file lacks is a mistake. */
export function keyOf(row: Row, column: string, format: Format): Key {
  const value = row[column]
  if (value === undefined) {
    if (format === 'jsonl') return null
    throw new Error(`there is no column ${JSON.stringify(column)}; the file has ${Object.keys(row).join(', ')}`)
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return JSON.stringify(value)
  return value as Key
}
