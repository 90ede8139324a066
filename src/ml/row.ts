// Rows of machine learning: objects with named columns, and the values that are read from them. Part of every bundle that imports
// 'gristmill/ml': the files of this folder import only each other, src/base/exactsum.ts, src/program/wrongvalue.ts and types.
// INVARIANT: a value that cannot be used throws an error that shows the row, and names the column.

import type { Dataset } from '../program/dataset.ts'
import { wrongValue } from '../program/wrongvalue.ts'

export type DataRow = Readonly<Record<string, unknown>>

/** Class of a classifier: the value of a label. */
export type ClassLabel = string | number | boolean

const shownMax = 200

export function badValue(row: unknown, column: string, what: string): TypeError {
  return wrongValue(`column ${JSON.stringify(column)} ${what}, in the row ${shown(row)}`)
}

export function shown(value: unknown): string {
  const text = textFor(value)
  return text.length > shownMax ? `${text.slice(0, shownMax)}…` : text
}

/** JSON of a value, with texts in place of big integers and of numbers that JSON does not have. */
export function textFor(value: unknown): string {
  try {
    return JSON.stringify(value, (_, each: unknown) =>
      (typeof each === 'bigint' ? `${each}n` : typeof each === 'number' && !Number.isFinite(each) ? String(each) : each)) ?? String(value)
  } catch {
    return String(value)
  }
}

/** The reason why a value is no finite number; '' for a number. */
export function faultOf(value: unknown): string {
  if (typeof value === 'number') return Number.isFinite(value) ? '' : `is ${value}`
  if (value === undefined) return 'is missing'
  if (value === null) return 'is null'
  if (typeof value === 'string')
    return value.trim() === '' ? 'is an empty text' : `is the text ${JSON.stringify(value.slice(0, 40))}, and a number is wanted: convert it with Number()`
  return `is ${typeof value === 'object' ? 'an object' : `a ${typeof value}`}, and a number is wanted`
}

export function numberOf(row: DataRow, column: string): number {
  const value = cellOf(row, column)
  const fault = faultOf(value)
  if (fault !== '') throw badValue(row, column, fault)
  return value as number
}

export function textOf(row: DataRow, column: string): string {
  const value = cellOf(row, column)
  if (typeof value === 'string') return value
  const isNone = value === undefined || value === null
  throw badValue(row, column, isNone ? faultOf(value) : `is a ${typeof value}, and a text is wanted`)
}

/** The columns of features, and that of the label, which is none of them. */
export function checkLearning(
  name: string, { features, label }: { readonly features: unknown; readonly label: unknown },
): { readonly features: readonly string[]; readonly label: string } {
  const columns = checkColumns(`features of ${name}`, features)
  const column = checkColumn(`label of ${name}`, label)
  if (columns.includes(column)) throw new TypeError(`${name} has ${JSON.stringify(column)} as its label and among its features; a model cannot learn from what it is to tell`)
  return { features: columns, label: column }
}

/** A label or a category: a text, a finite number or a boolean. */
export function labelOf(row: DataRow, column: string): ClassLabel {
  const value = cellOf(row, column)
  if (typeof value === 'string' || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))) return value
  throw badValue(row, column, `${faultOf(value).replace(/, and.*/, '')}; it holds texts, numbers or booleans`)
}

/** Value of a column; undefined if the row has none. */
export function cellOf(row: DataRow, column: string): unknown {
  if (typeof row !== 'object' || row === null || Array.isArray(row))
    throw wrongValue(`a row is ${shown(row)}; rows are objects with named columns, such as { distance: 120, late: true }`)
  return Object.hasOwn(row, column) ? row[column] : undefined
}

/** The order of labels: numbers, then texts by code units; false before true. */
export function compareLabels(a: ClassLabel, b: ClassLabel): number {
  if (typeof a !== typeof b) return typeof a < typeof b ? -1 : 1
  return a < b ? -1 : a > b ? 1 : 0
}

export function checkColumns(name: string, columns: unknown): readonly string[] {
  if (!Array.isArray(columns) || columns.length === 0 || columns.some(column => typeof column !== 'string' || column === ''))
    throw new TypeError(`${name} takes names of columns, such as ['distance', 'hour']`)
  const twice = columns.find((column, i) => columns.indexOf(column) !== i) as string | undefined
  if (twice !== undefined) throw new TypeError(`${name} has the column ${JSON.stringify(twice)} twice`)
  return [...columns as string[]]
}

export function checkColumn(name: string, column: unknown): string {
  if (typeof column !== 'string' || column === '') throw new TypeError(`${name} is the name of a column, and not ${shown(column)}`)
  return column
}

/** Throws TypeError for a name that the options do not have. */
export function checkNames(name: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) throw new TypeError(`${name} takes an object with ${known.join(', ')}`)
  const unknown = Object.keys(options).find(each => !known.includes(each))
  if (unknown !== undefined) throw new TypeError(`${name} does not know ${JSON.stringify(unknown)}; it knows ${known.join(', ')}`)
}

/** `isWhole`: an integer. Throws TypeError for a number outside of min and max. */
export function checkNumber(
  name: string, value: unknown, { min, max, isWhole = false }: { readonly min: number; readonly max: number; readonly isWhole?: boolean },
): number {
  if (typeof value !== 'number' || !(value >= min && value <= max) || (isWhole && !Number.isInteger(value)))
    throw new TypeError(`${name} is ${shown(value)}; it is ${isWhole ? 'an integer' : 'a number'} from ${min} to ${max}`)
  return value
}

/** The same Dataset, with rows that are read by names. */
export const asRows = (rows: Dataset<any>): Dataset<DataRow> => rows as Dataset<DataRow>
