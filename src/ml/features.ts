// Transformers of numbers and categories: standard scaler, imputer, bucketizer, one-hot and feature hashing.

import { describe, quantilesOf } from './describe.ts'
import type { Apply, Estimator, Fitted } from './fitted.ts'
import { murmur3 } from './hash.ts'
import {
  asRows, badValue, cellOf, checkColumn, checkColumns, checkNames, checkNumber, compareLabels, labelOf, numberOf, type ClassLabel
} from './row.ts'
import type { SparseVector } from './vector.ts'

export interface StandardScaler extends Fitted {
  readonly kind: 'standardScaler'
  readonly columns: readonly string[]
  readonly means: readonly number[]
  /** Standard deviations; 1 for a column that is constant. */
  readonly scales: readonly number[]
}

/** Replaces each number by (number - mean) / standard deviation of its column, as `StandardScaler` of scikit-learn. */
export function standardScaler(options: { readonly columns: readonly string[] }): Estimator<StandardScaler> {
  checkNames('standardScaler', options, ['columns'])
  const columns = checkColumns('columns of standardScaler', options.columns)
  return {
    kind: 'standardScaler',
    async fit(rows) {
      const found = await describe(rows, { columns, quantiles: [] })
      const all = columns.map(column => found[column]!)
      const scales = all.map(({ count, stddev }) => (stddev === null || stddev === 0 ? 1 : stddev * Math.sqrt((count - 1) / count)))
      return { kind: 'standardScaler', version: 1, columns, means: all.map(({ mean }) => mean), scales }
    },
  }
}

export function scalerApply({ columns, means, scales }: StandardScaler): Apply {
  return row => ({ ...row, ...Object.fromEntries(columns.map((column, i) => [column, (numberOf(row, column) - means[i]!) / scales[i]!])) })
}

export interface Imputer extends Fitted {
  readonly kind: 'imputer'
  readonly columns: readonly string[]
  readonly values: readonly number[]
}

/** Puts the mean, the median, or a number in place of null, NaN, and values that are missing. */
export function imputer(
  options: { readonly columns: readonly string[]; readonly value?: 'mean' | 'median' | number | undefined },
): Estimator<Imputer> {
  checkNames('imputer', options, ['columns', 'value'])
  const columns = checkColumns('columns of imputer', options.columns)
  const { value = 'mean' } = options
  if (value !== 'mean' && value !== 'median') checkNumber('value of imputer', value, { min: -1e150, max: 1e150 })
  return {
    kind: 'imputer',
    async fit(rows) {
      const valueOf = async (): Promise<number[]> => {
        if (typeof value === 'number') return columns.map(() => value)
        const found = await describe(rows, { columns, quantiles: value === 'median' ? [0.5] : [] })
        return columns.map(column => (value === 'median' ? found[column]!.quantiles['0.5']! : found[column]!.mean))
      }
      return { kind: 'imputer', version: 1, columns, values: await valueOf() }
    },
  }
}

export function imputerApply({ columns, values }: Imputer): Apply {
  return row => ({
    ...row, ...Object.fromEntries(columns.map((column, i) => {
      const value = cellOf(row, column)
      return [column, value === undefined || value === null || Number.isNaN(value) ? values[i]! : numberOf(row, column)]
    })),
  })
}

export interface Bucketizer extends Fitted {
  readonly kind: 'bucketizer'
  readonly column: string
  readonly into: string
  /** Ascending bounds between buckets. */
  readonly splits: readonly number[]
}

interface BucketizerOptions {
  readonly column: string
  /** Column of the bucket's number; default: the same column. */
  readonly into?: string | undefined
  /** Bounds between buckets: [0, 60] are three buckets. A bound belongs to the bucket above it. */
  readonly splits?: readonly number[] | undefined
  /** In place of `splits`: so many buckets of equally many rows, fewer where values are equal. */
  readonly buckets?: number | undefined
}

/** The number of the bucket, from 0 on, that a number lies in. */
export function bucketizer(options: BucketizerOptions): Estimator<Bucketizer> {
  checkNames('bucketizer', options, ['column', 'into', 'splits', 'buckets'])
  const column = checkColumn('column of bucketizer', options.column)
  const into = checkColumn('into of bucketizer', options.into ?? column)
  const { splits, buckets } = options
  if ((splits === undefined) === (buckets === undefined)) throw new TypeError('bucketizer takes either splits, such as [0, 60], or a number of buckets')
  if (splits && !(Array.isArray(splits) && splits.every((split, i) => Number.isFinite(split) && (i === 0 || split > splits[i - 1]!))))
    throw new TypeError('splits of bucketizer are numbers that ascend, such as [0, 60]')
  if (buckets !== undefined) checkNumber('buckets of bucketizer', buckets, { min: 2, max: 10_000, isWhole: true })
  return {
    kind: 'bucketizer',
    async fit(rows) {
      const fitted = (found: readonly number[]): Bucketizer => ({ kind: 'bucketizer', version: 1, column, into, splits: found })
      if (splits) return fitted([...splits])
      const { [column]: summary } = await describe(rows, { columns: [column], quantiles: [] })
      const fractions = Array.from({ length: buckets! - 1 }, (_, i) => (i + 1) / buckets!)
      const found = (await quantilesOf(rows, new Map([[column, summary!.count]]), fractions)).get(column)!
      return fitted([...new Set(found)].filter(split => split > summary!.min))
    },
  }
}

export function bucketizerApply({ column, into, splits }: Bucketizer): Apply {
  return row => ({ ...row, [into]: bucketOf(splits, numberOf(row, column)) })
}

/** Number of splits that are at most the value. */
function bucketOf(splits: ArrayLike<number>, value: number): number {
  let low = 0
  let high = splits.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (splits[middle]! <= value) low = middle + 1
    else high = middle
  }
  return low
}

export interface OneHot extends Fitted {
  readonly kind: 'oneHot'
  readonly column: string
  readonly into: string
  /** In order; with `dropFirst` the first one has no place. */
  readonly categories: readonly ClassLabel[]
  readonly dropFirst: boolean
  readonly unknown: 'error' | 'ignore'
}

interface OneHotOptions {
  /** Column of texts, numbers or booleans. */
  readonly column: string
  /** Column of the vector; default: the same column. */
  readonly into?: string | undefined
  /** Leaves out the place of the first category, which the others imply: linear regression needs it. Default: false. */
  readonly dropFirst?: boolean | undefined
  /** A category that the fitted rows did not have: an error (default), or no place at all. */
  readonly unknown?: 'error' | 'ignore' | undefined
}

/** More categories are better hashed. */
const categoriesMax = 100_000

/** A vector with a place for each category, of which the row's own is 1. */
export function oneHot(options: OneHotOptions): Estimator<OneHot> {
  checkNames('oneHot', options, ['column', 'into', 'dropFirst', 'unknown'])
  const column = checkColumn('column of oneHot', options.column)
  const into = checkColumn('into of oneHot', options.into ?? column)
  const { dropFirst = false, unknown = 'error' } = options
  if (unknown !== 'error' && unknown !== 'ignore') throw new TypeError("unknown of oneHot is 'error' or 'ignore'")
  return {
    kind: 'oneHot',
    async fit(rows) {
      const found = await asRows(rows).map(row => labelOf(row, column)).distinct().take(categoriesMax + 1)
      if (found.length === 0) throw new TypeError('oneHot was given no rows to fit')
      if (found.length > categoriesMax)
        throw new TypeError(`column ${JSON.stringify(column)} has more than ${categoriesMax} categories, the most that oneHot takes; use featureHasher`)
      return { kind: 'oneHot', version: 1, column, into, categories: found.toSorted(compareLabels), dropFirst, unknown }
    },
  }
}

export function oneHotApply({ column, into, categories, dropFirst, unknown }: OneHot): Apply {
  const first = dropFirst ? 1 : 0
  const places = new Map(categories.map((category, i) => [category, i - first]))
  return row => {
    const category = labelOf(row, column)
    const place = places.get(category)
    if (place === undefined && unknown === 'error')
      throw badValue(row, column, `is ${JSON.stringify(category)}, which no row had that oneHot was fitted to; unknown: 'ignore' allows it`)
    const isHot = place !== undefined && place >= 0
    const vector: SparseVector = { size: categories.length - first, indices: isHot ? [place] : [], values: isHot ? [1] : [] }
    return { ...row, [into]: vector }
  }
}

export interface FeatureHasher extends Fitted {
  readonly kind: 'featureHasher'
  readonly columns: readonly string[]
  readonly into: string
  readonly size: number
}

interface FeatureHasherOptions {
  /** Columns of texts, numbers and booleans. */
  readonly columns: readonly string[]
  readonly into: string
  /** Places of the vector; default: 1024. */
  readonly size?: number | undefined
}

/**
 * A vector of a fixed size: a text has the place that the hash of its column and itself gives, a number the place of its column. The sign
 * depends on the hash as well, as in `FeatureHasher` of scikit-learn, whose places these are. Needs no rows to be fitted.
 */
export function featureHasher(options: FeatureHasherOptions): Estimator<FeatureHasher> {
  checkNames('featureHasher', options, ['columns', 'into', 'size'])
  const columns = checkColumns('columns of featureHasher', options.columns)
  const into = checkColumn('into of featureHasher', options.into)
  const size = checkNumber('size of featureHasher', options.size ?? 1024, { min: 1, max: 1 << 20, isWhole: true })
  return { kind: 'featureHasher', fit: () => Promise.resolve({ kind: 'featureHasher', version: 1, columns, into, size }) }
}

export function hasherApply({ columns, into, size }: FeatureHasher): Apply {
  return row => {
    const places = new Map<number, number>()
    for (const column of columns) {
      const value = labelOf(row, column)
      const hash = murmur3(typeof value === 'string' ? `${column}=${value}` : column)
      const place = Math.abs(hash) % size
      places.set(place, (places.get(place) ?? 0) + (hash >= 0 ? 1 : -1) * (typeof value === 'string' ? 1 : Number(value)))
    }
    return { ...row, [into]: sparseOf(places, size) }
  }
}

/** Places that are not 0, in order. */
export function sparseOf(places: ReadonlyMap<number, number>, size: number): SparseVector {
  const all = [...places].filter(([, value]) => value !== 0).sort(([a], [b]) => a - b)
  return { size, indices: all.map(([place]) => place), values: all.map(([, value]) => value) }
}
