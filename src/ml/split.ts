// Rows for training and for testing, divided by a hash of a key: rows with equal keys come to the same side, in each run, whatever files
// and tasks they lie in, and also when more rows are added.

import type { Key } from '../base/pair.ts'
import type { Dataset } from '../program/dataset.ts'
import { uniform } from './hash.ts'
import { checkNames, checkNumber } from './row.ts'

export interface SplitOptions {
  /** Part of the keys that are for testing; default: 0.2. */
  readonly test?: number | undefined
  /** Part of the keys that are for choosing among models; default: none. */
  readonly validation?: number | undefined
  /** Another number divides the keys in another way; default: 0. */
  readonly seed?: number | undefined
}

/** Seed by which each side was divided: by the same one it would come to one side whole. */
const dividedBy = new WeakMap<Dataset<any>, number>()

/**
 * `const [train, test] = splitByKey(visits, visit => visit.user)`, and with `validation` three Datasets: `[train, test, validation]`.
 * Throws TypeError for a side of a split that is divided again by the same seed.
 */
export function splitByKey<T>(
  rows: Dataset<T>, key: (row: T) => Key, options: SplitOptions & { readonly validation: number },
): [train: Dataset<T>, test: Dataset<T>, validation: Dataset<T>]
export function splitByKey<T>(rows: Dataset<T>, key: (row: T) => Key, options?: SplitOptions): [train: Dataset<T>, test: Dataset<T>]
export function splitByKey<T>(rows: Dataset<T>, key: (row: T) => Key, options: SplitOptions = {}): Array<Dataset<T>> {
  if (typeof key !== 'function') throw new TypeError('splitByKey takes a function that returns the key of a row: splitByKey(rows, row => row.user)')
  checkNames('splitByKey', options, ['test', 'validation', 'seed'])
  const test = checkNumber('test of splitByKey', options.test ?? 0.2, { min: 0, max: 1 })
  const validation = checkNumber('validation of splitByKey', options.validation ?? 0, { min: 0, max: 1 })
  if (test + validation > 1) throw new TypeError(`test and validation of splitByKey are ${test} and ${validation}: together more than all keys`)
  const seed = checkNumber('seed of splitByKey', options.seed ?? 0, { min: 0, max: 2 ** 31, isWhole: true })
  if (dividedBy.get(rows) === seed)
    throw new TypeError(`these rows are one side of a split with the seed ${seed}, by which they would not be divided; ask the first split for validation, or set another seed`)
  const place = (row: T): number => uniform(keyText(key(row)), seed)
  const sides = [
    rows.filter(row => place(row) >= test + validation), rows.filter(row => place(row) < test),
    ...options.validation === undefined ? [] : [rows.filter(row => { const at = place(row); return at >= test && at < test + validation })],
  ]
  for (const side of sides) dividedBy.set(side, seed)
  return sides
}

/** A text for each key: different keys have different texts. */
function keyText(key: Key): string {
  if (key === undefined) throw new TypeError('the key of a row is undefined; a key is a text, a number, a boolean, null, or an array of these')
  if (typeof key === 'number') return Object.is(key, -0) ? '0' : String(key)
  return JSON.stringify(key, (_, each: unknown) => (typeof each === 'bigint' ? { bigint: String(each) } : each))
}
