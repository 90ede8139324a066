// Texts as vectors: words, their hashed counts, weighted by how rare a word is.

import type { Apply, Estimator, Fitted } from './fitted.ts'
import { sparseOf } from './features.ts'
import { murmur3 } from './hash.ts'
import { asRows, badValue, cellOf, checkColumn, checkNames, checkNumber, textOf, type DataRow } from './row.ts'
import { BoundedSums, summed } from './sums.ts'

export interface TfIdf extends Fitted {
  readonly kind: 'tfIdf'
  readonly column: string
  readonly into: string
  readonly size: number
  /** Weight of each place. */
  readonly weights: readonly number[]
  readonly rows: number
}

interface TfIdfOptions {
  /** Column of texts, which are divided by `words`, or of arrays of words. */
  readonly column: string
  /** Column of the vector; default: the same column. */
  readonly into?: string | undefined
  /** Places of the vector; words with the same place count as one. Default: 4096. */
  readonly size?: number | undefined
}

/** Words of at least two letters, digits or underscores, in lower case: those of scikit-learn's vectorizers. */
export const words = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}_]{2,}/gu) ?? []

/**
 * Counts of words by the hashes of the words, each weighted by log((1 + rows) / (1 + rows with it)) + 1, as a vector of length 1: what
 * `HashingVectorizer` and `TfidfTransformer` of scikit-learn make.
 */
export function tfIdf(options: TfIdfOptions): Estimator<TfIdf> {
  checkNames('tfIdf', options, ['column', 'into', 'size'])
  const column = checkColumn('column of tfIdf', options.column)
  const into = checkColumn('into of tfIdf', options.into ?? column)
  const size = checkNumber('size of tfIdf', options.size ?? 4096, { min: 1, max: 1 << 20, isWhole: true })
  return {
    kind: 'tfIdf',
    async fit(rows) {
      // One place more counts the rows. Sums of ones are exact below 2^53.
      const shape = new BoundedSums({ bounds: new Float64Array(size + 1).fill(1), count: 2 ** 40 })
      const found = await summed(asRows(rows).map(row => [...countsOf(row, column, size).keys()]), shape, (places, sums) => {
        for (const place of places) shape.add(sums, place, 1)
        shape.add(sums, size, 1)
      })
      const count = found[size]!
      if (count === 0) throw new TypeError('tfIdf was given no rows to fit')
      const weights = Array.from(found.subarray(0, size), rowsWith => Math.log((1 + count) / (1 + rowsWith)) + 1)
      return { kind: 'tfIdf', version: 1, column, into, size, weights, rows: count }
    },
  }
}

export function tfIdfApply({ column, into, size, weights }: TfIdf): Apply {
  return row => {
    const counts = countsOf(row, column, size)
    for (const [place, count] of counts) counts.set(place, count * weights[place]!)
    const vector = sparseOf(counts, size)
    const length = Math.sqrt(vector.values.reduce((sum, value) => sum + value * value, 0))
    return { ...row, [into]: length === 0 ? vector : { ...vector, values: vector.values.map(value => value / length) } }
  }
}

/** Numbers of words by their places. */
function countsOf(row: DataRow, column: string, size: number): Map<number, number> {
  const cell = cellOf(row, column)
  const all: unknown[] = Array.isArray(cell) ? cell : words(textOf(row, column))
  const counts = new Map<number, number>()
  for (const word of all) {
    if (typeof word !== 'string') throw badValue(row, column, 'has words that are no texts')
    const place = Math.abs(murmur3(word)) % size
    counts.set(place, (counts.get(place) ?? 0) + 1)
  }
  return counts
}
