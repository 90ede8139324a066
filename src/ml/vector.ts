// Features of a row as a vector. A feature column holds a number, a boolean (0 or 1), an array of numbers, or a sparse vector, such as
// oneHot and tfIdf make; the vector has the columns one after the other.

import { magnitudeMax } from './exact.ts'
import { badValue, cellOf, faultOf, type DataRow } from './row.ts'

/** A vector of which only some places are not 0; `indices` ascend. */
export interface SparseVector {
  readonly size: number
  readonly indices: readonly number[]
  readonly values: readonly number[]
}

/** `indices` is null where `values` has all places. */
export interface Vector {
  readonly indices: readonly number[] | null
  readonly values: readonly number[]
}

/** Columns of features, and the number of places that each has in the vector. */
export interface VectorLayout { readonly columns: readonly string[]; readonly widths: readonly number[] }

/** Places of a vector: a model of so many numbers is still a value of a program. */
const sizeMax = 1 << 20

export const sizeOf = ({ widths }: VectorLayout): number => widths.reduce((sum, width) => sum + width, 0)

/** Name of a place of the vector: its column, with the index in a column of several places. */
export function placeName({ columns, widths }: VectorLayout, place: number): string {
  let from = 0
  for (const [i, column] of columns.entries()) {
    const width = widths[i]!
    if (place < from + width) return width === 1 ? JSON.stringify(column) : `${JSON.stringify(column)}[${place - from}]`
    from += width
  }
  return String(place)
}

const isSparse = (value: unknown): value is SparseVector =>
  typeof value === 'object' && value !== null
  && Array.isArray((value as SparseVector).indices) && Array.isArray((value as SparseVector).values)

/** VectorLayout of the row itself. Throws for a vector of too many places. */
export function layoutOf(row: DataRow, columns: readonly string[]): VectorLayout {
  const widths = columns.map(column => {
    const value = cellOf(row, column)
    return Array.isArray(value) ? value.length : isSparse(value) ? value.size : 1
  })
  const layout = { columns, widths }
  if (!(sizeOf(layout) <= sizeMax)) throw badValue(row, columns[0]!, `and the other features have more than ${sizeMax} places`)
  return layout
}

/** The row's vector. Throws for a value that is missing or no number, and for a column of another width than the layout has. */
export function vectorOf(row: DataRow, { columns, widths }: VectorLayout): Vector {
  const cells = columns.map(column => cellOf(row, column))
  const isDense = !cells.some(isSparse)
  const indices: number[] = []
  const values: number[] = []
  let from = 0
  for (const [i, column] of columns.entries()) {
    const cell = cells[i]
    const width = widths[i]!
    const put = (place: number, value: unknown): void => {
      const fault = faultOf(value)
      const name = width === 1 ? column : `${column}[${place}]`
      if (fault !== '') throw badValue(row, name, fault)
      if (Math.abs(value as number) > magnitudeMax)
        throw badValue(row, name, `is ${String(value)}, and may have a magnitude of ${magnitudeMax}`)
      if (!isDense && value === 0) return
      if (!isDense) indices.push(from + place)
      values.push(value as number)
    }
    const found = Array.isArray(cell) ? cell.length : isSparse(cell) ? cell.size : 1
    if (found !== width) throw badValue(row, column, `has ${found} places, and ${width} in other rows`)
    if (Array.isArray(cell)) for (let place = 0; place < width; place++) put(place, cell[place])
    else if (isSparse(cell)) for (let n = 0; n < cell.indices.length; n++) put(checkIndex(row, column, cell, n), cell.values[n])
    else put(0, typeof cell === 'boolean' ? Number(cell) : cell)
    from += width
  }
  return { indices: isDense ? null : indices, values }
}

function checkIndex(row: DataRow, column: string, { indices, size }: SparseVector, n: number): number {
  const index = indices[n]!
  if (!Number.isInteger(index) || index < 0 || index >= size || (n > 0 && index <= indices[n - 1]!))
    throw badValue(row, column, `is no sparse vector: its indices are integers that ascend from 0 to below ${size}`)
  return index
}

/** Product of the vector and weights of all places. */
export function dot({ indices, values }: Vector, weights: ArrayLike<number>): number {
  let sum = 0
  if (indices === null) for (let i = 0; i < values.length; i++) sum += values[i]! * weights[i]!
  else for (let i = 0; i < values.length; i++) sum += values[i]! * weights[indices[i]!]!
  return sum
}

/** Calls `fn` with each place that is not left out, and its value. */
export function eachPlace({ indices, values }: Vector, fn: (place: number, value: number) => void): void {
  for (let i = 0; i < values.length; i++) fn(indices === null ? i : indices[i]!, values[i]!)
}

/** All places. */
export function denseOf({ indices, values }: Vector, size: number): Float64Array {
  const all = new Float64Array(size)
  for (let i = 0; i < values.length; i++) all[indices === null ? i : indices[i]!] = values[i]!
  return all
}
