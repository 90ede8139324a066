// Columns and formats of the built-in programs: which fields of a record a parameter names, and what they are as a key.
import type { Key, Output } from 'gristmill'
import { sameNumber } from './numbers.ts'

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

/** Columns of an output. Throws TypeError for a name that the parameter `columns` has twice: one value would replace the other. */
export function distinctNames(names: readonly string[]): readonly string[] {
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new TypeError(`the parameter "columns" names ${JSON.stringify(twice)} twice; name it once`)
  return names
}

/** Names of columns with `count` behind them. Throws TypeError if one of them is called so. */
export function withCount(names: readonly string[]): readonly string[] {
  if (!names.includes('count')) return [...names, 'count']
  throw new TypeError(
    'the output has a column "count" for the number of rows, and "columns" names a column "count", too: rename that in the input',
  )
}

/** Throws for a record that is not an object. */
export function rowOf(record: unknown): Row {
  if (typeof record === 'object' && record !== null && !Array.isArray(record)) return record as Row
  throw new TypeError(`the record ${shortOf(record)} is no object with columns`)
}

/** The value of a column. A field that a JSON object lacks is null; a column that a CSV file lacks is a mistake. */
export function fieldOf(row: Row, column: string, format: Format): unknown {
  // Every object inherits a `constructor` and a `toString`, which are no columns.
  const value = Object.hasOwn(row, column) ? row[column] : undefined
  if (value !== undefined) return value
  if (format === 'jsonl') return null
  throw noColumn(column, Object.keys(row), 'the file has')
}

/** The value of a column as a key. Throws for an object, which is no key: its text would be equal to a text of the same letters. */
export function keyOf(row: Row, column: string, format: Format): Key {
  const value = fieldOf(row, column, format)
  if (isKey(value)) return sameNumber(value)
  throw new TypeError(
    `the column ${JSON.stringify(column)} has the object ${shortOf(value)}: keys are texts, numbers, true, false, null, and lists of these`,
  )
}

const isKey = (value: unknown): value is Key => (Array.isArray(value) ? value.every(isKey) : typeof value !== 'object' || value === null)

/** The beginning of a value, for messages. Integers beyond 2^53 are bigints. */
const shortOf = (value: unknown): string | undefined =>
  JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? String(item) : item))?.slice(0, 60)

/** `seen`: names to suggest, and to list behind `has`. */
export function noColumn(column: string, seen: readonly string[], has = 'the rows have'): Error {
  const near = nearestTo(column, seen)
  const meant = near === undefined ? '' : ` (did you mean ${near}?)`
  return new Error(`there is no column ${JSON.stringify(column)}${meant}; ${has} ${seen.join(', ')}`)
}

/** The nearest name, at most two letters or a third of them away. */
function nearestTo(word: string, names: readonly string[]): string | undefined {
  const close = names.map(name => ({ name, distance: distanceOf(word.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0]
  if (!close || close.distance > Math.max(2, word.length / 3) || close.distance >= Math.max(word.length, close.name.length)) return undefined
  return close.name
}

/** Letters to insert, delete or change: written here, because a copied program has only these files. */
function distanceOf(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    row = next
  }
  return row[b.length]!
}

/** What a task found of the columns that the parameters name; pairs of the shuffle carry it to the task that knows all. */
export type ColumnMark = readonly [found: readonly string[], seen: readonly string[]]

/** JSON objects may have any number of names: so many are remembered, for the message. */
const seenMax = 30
const sampledMax = 1000

/**
 * Looks for columns in the rows of a task, and in the marks of other tasks. A JSON object may lack any field, and a row of a join has only
 * the columns of its side: that a name is misspelt is known when no row has it.
 */
export class ColumnSearch {
  readonly #asked: readonly string[]
  readonly #missing: Set<string>
  readonly #seen = new Set<string>()
  #rows = 0

  constructor(asked: readonly string[]) {
    this.#asked = asked
    this.#missing = new Set(asked)
  }

  look(row: Row): void {
    this.#rows++
    if (this.#missing.size === 0) return
    for (const name of this.#missing) if (Object.hasOwn(row, name)) this.#missing.delete(name)
    if (this.#rows > sampledMax) return
    for (const name of Object.keys(row)) if (this.#seen.size < seenMax) this.#seen.add(name)
  }

  /** undefined: no rows, which say nothing. */
  mark(): ColumnMark | undefined {
    return this.#rows === 0 ? undefined : [this.#asked.filter(name => !this.#missing.has(name)), [...this.#seen]]
  }

  take([found, seen]: ColumnMark): void {
    this.#rows++
    for (const name of found) this.#missing.delete(name)
    for (const name of seen) if (this.#seen.size < seenMax) this.#seen.add(name)
  }

  get hasRows(): boolean { return this.#rows > 0 }

  get missing(): ReadonlySet<string> { return this.#missing }

  get seen(): readonly string[] { return [...this.#seen] }

  /** Throws for a column that no row has, if there were rows. */
  check(): void {
    if (this.hasRows) for (const name of this.#missing) throw noColumn(name, this.seen)
  }
}

/** JSON lines that are no objects are refused: a list is a mark. */
export const isMark = (value: Row | ColumnMark): value is ColumnMark => Array.isArray(value)

/** One mark for those of several tasks. */
export function markOf(marks: Iterable<ColumnMark>, asked: readonly string[]): ColumnMark {
  const search = new ColumnSearch(asked)
  for (const mark of marks) search.take(mark)
  return search.mark()!
}

/** Throws for a column that no row has. */
export function checkMarks(marks: Iterable<ColumnMark>, asked: readonly string[]): void {
  const search = new ColumnSearch(asked)
  for (const mark of marks) search.take(mark)
  search.check()
}
