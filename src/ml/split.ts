// Rows for training and for testing, divided by a hash of a key: rows with equal keys come to the same side, in each run, whatever files
// and tasks they lie in, and also when more rows are added.

import type { Key } from '../base/pair.ts'
import type { Dataset } from '../program/dataset.ts'
import { uniform } from './hash.ts'
import { checkNames, checkNumber } from './row.ts'

export interface SplitOptions {
  /** Part of the keys that are for testing; default: 0.2. */
  readonly test?: number | undefined
  /** Another number divides the keys in another way; default: 0. */
  readonly seed?: number | undefined
}

/** Two Datasets: `const [train, test] = splitByKey(visits, visit => visit.user)`. */
export function splitByKey<T>(rows: Dataset<T>, key: (row: T) => Key, options: SplitOptions = {}): [train: Dataset<T>, test: Dataset<T>] {
  if (typeof key !== 'function') throw new TypeError('splitByKey takes a function that returns the key of a row: splitByKey(rows, row => row.user)')
  checkNames('splitByKey', options, ['test', 'seed'])
  const test = checkNumber('test of splitByKey', options.test ?? 0.2, { min: 0, max: 1 })
  const seed = checkNumber('seed of splitByKey', options.seed ?? 0, { min: 0, max: 2 ** 31, isWhole: true })
  const isTest = (row: T): boolean => uniform(keyText(key(row)), seed) < test
  return [rows.filter(row => !isTest(row)), rows.filter(isTest)]
}

/** A text for each key: different keys have different texts. */
function keyText(key: Key): string {
  if (key === undefined) throw new TypeError('the key of a row is undefined; a key is a text, a number, a boolean, null, or an array of these')
  if (typeof key === 'number') return Object.is(key, -0) ? '0' : String(key)
  return JSON.stringify(key, (_, each: unknown) => (typeof each === 'bigint' ? { bigint: String(each) } : each))
}
