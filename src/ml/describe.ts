// Statistics of columns: count, mean, standard deviation, least and largest value, quantiles. They are exact, and the same however the rows
// lie in files and tasks.

import type { Dataset } from '../program/dataset.ts'
import { Moments, magnitudeMax, type MomentParts } from './exact.ts'
import { asRows, badValue, cellOf, checkColumns, checkNames, faultOf, type DataRow } from './row.ts'

export interface DescribeOptions {
  /** Default: all columns that hold numbers. */
  readonly columns?: readonly string[] | undefined
  /** From 0 to 1; default: 0.25, 0.5 and 0.75. With none the rows are not sorted, and one job is enough. */
  readonly quantiles?: readonly number[] | undefined
}

export interface ColumnSummary {
  /** Rows with a number. */
  readonly count: number
  /** Rows without: null, NaN, or no such column. */
  readonly missing: number
  readonly mean: number
  /** Of a sample, as pandas and Spark have it; null for one row. */
  readonly stddev: number | null
  readonly min: number
  readonly max: number
  /** By their fractions, such as '0.5'; between two values in proportion. */
  readonly quantiles: Readonly<Record<string, number>>
}

interface Found { readonly rows: number; readonly columns: ReadonlyArray<readonly [string, MomentParts]> }

const columnsMax = 1000

/** Statistics by column. Throws for a value of a named column that is no number, an infinite number, and a column without any number. */
export async function describe(rows: Dataset<any>, options: DescribeOptions = {}): Promise<Record<string, ColumnSummary>> {
  checkNames('describe', options, ['columns', 'quantiles'])
  const columns = options.columns && checkColumns('columns of describe', options.columns)
  const quantiles = options.quantiles ?? [0.25, 0.5, 0.75]
  const wrong = quantiles.find(each => !(each >= 0 && each <= 1))
  if (wrong !== undefined) throw new TypeError(`a quantile of describe is ${String(wrong)}; it is a number from 0 to 1`)
  const found = await asRows(rows)
    .mapPartitions(async function * (part): AsyncGenerator<Found> { yield await look(part, columns) })
    .collect()
  const moments = new Map<string, Moments>(columns?.map(column => [column, new Moments()]))
  for (const [column, parts] of found.flatMap(each => each.columns)) {
    const its = moments.get(column) ?? new Moments()
    its.addParts(parts)
    moments.set(column, its)
  }
  const count = found.reduce((sum, each) => sum + each.rows, 0)
  const names = [...moments.keys()].sort()
  if (names.length > columnsMax) throw new TypeError(`describe has found more than ${columnsMax} columns of numbers; name those that are meant`)
  const empty = names.find(name => moments.get(name)!.count === 0)
  if (empty !== undefined) throw new TypeError(`column ${JSON.stringify(empty)} has no number in the ${count} rows of describe`)
  const counts = new Map(names.map(name => [name, moments.get(name)!.count]))
  const ranked = quantiles.length === 0 ? new Map<string, number[]>() : await quantilesOf(rows, counts, quantiles)
  return Object.fromEntries(names.map(name => [name, summaryOf(moments.get(name)!, count, quantiles, ranked.get(name) ?? [])]))
}

function summaryOf(moments: Moments, rows: number, fractions: readonly number[], quantiles: readonly number[]): ColumnSummary {
  const { count, min, max } = moments
  return {
    count, missing: rows - count, mean: moments.mean(), stddev: count > 1 ? Math.sqrt(moments.deviation() / (count - 1)) : null, min, max,
    quantiles: Object.fromEntries(fractions.map((fraction, i) => [String(fraction), quantiles[i]!])),
  }
}

async function look(rows: AsyncIterable<DataRow>, columns: readonly string[] | undefined): Promise<Found> {
  const all = new Map<string, Moments>()
  let count = 0
  for await (const row of rows) {
    count++
    for (const column of columns ?? Object.keys(row)) {
      const value = numberIn(row, column, columns !== undefined)
      if (value === undefined) continue
      let moments = all.get(column)
      if (!moments) all.set(column, moments = new Moments())
      moments.add(value)
    }
  }
  return { rows: count, columns: [...all].map(([column, { parts }]) => [column, parts]) }
}

/** undefined: the row has no number in this column. */
function numberIn(row: DataRow, column: string, isNamed: boolean): number | undefined {
  const value = cellOf(row, column)
  if (value === undefined || value === null || Number.isNaN(value) || (!isNamed && typeof value !== 'number')) return undefined
  const fault = faultOf(value)
  if (fault !== '') throw badValue(row, column, fault)
  if (Math.abs(value as number) > magnitudeMax)
    throw badValue(row, column, `is ${String(value)}, and may have a magnitude of ${magnitudeMax}`)
  return value as number
}

/** Quantiles of the named columns, whose numbers are sorted by the shuffle. `counts`: how many there are. */
export async function quantilesOf(
  rows: Dataset<any>, counts: ReadonlyMap<string, number>, fractions: readonly number[],
): Promise<Map<string, number[]>> {
  const columns = [...counts.keys()]
  const found = await asRows(rows)
    .flatMap(row => columns.flatMap((column): Array<[number, number]> => {
      const value = numberIn(row, column, false)
      return value === undefined ? [] : [[columns.indexOf(column), value]]
    }))
    .groupBy(([column]) => column)
    .sortBy(([, value]) => value)
    .map((column, values): [number, number[]] => [column, pick(values, counts.get(columns[column]!)!, fractions)])
    .collect()
  return new Map(found.map(([column, values]) => [columns[column]!, values]))
}

/** Values at fractions of the way through ordered values; between two of them in proportion, as numpy does by default. */
function pick(values: Iterable<readonly [number, number]>, count: number, fractions: readonly number[]): number[] {
  const places = fractions.map(fraction => fraction * (count - 1))
  const wanted = new Map<number, number>()
  for (const place of places) for (const rank of [Math.floor(place), Math.ceil(place)]) wanted.set(rank, NaN)
  let rank = 0
  for (const [, value] of values) {
    if (wanted.has(rank)) wanted.set(rank, value)
    rank++
  }
  return places.map(place => {
    const [low, high] = [wanted.get(Math.floor(place))!, wanted.get(Math.ceil(place))!]
    const part = place - Math.floor(place)
    return part >= 0.5 ? high - (high - low) * (1 - part) : low + (high - low) * part
  })
}
