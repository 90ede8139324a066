// Aggregate functions over values, for combine and reduce. Each iterates once, in constant memory except for `take`.

import { wrongValue } from './wrongvalue.ts'

/** Throws TypeError for a value that is not a number: CSV fields are strings, which + would concatenate. */
export function sum(values: Iterable<number>): number {
  let total = 0
  for (const value of values) {
    if (typeof value !== 'number') throw noNumber('sum', value)
    total += value
  }
  return total
}

export function count(values: Iterable<unknown>): number {
  let total = 0
  for (const _ of values) total++
  return total
}

/** NaN if there are no values. Throws TypeError for a value that is not a number. */
export function average(values: Iterable<number>): number {
  let total = 0
  let seen = 0
  for (const value of values) {
    if (typeof value !== 'number') throw noNumber('average', value)
    total += value
    seen++
  }
  return total / seen
}

function noNumber(name: string, value: unknown): TypeError {
  if (typeof value === 'string')
    return wrongValue(`${name} was given the text ${JSON.stringify(value.slice(0, 40))}; a field of CSV is a text: emit Number(…) of it`)
  const what =
    typeof value === 'bigint'
      ? `the bigint ${value}n`
      : value === null || value === undefined || typeof value === 'boolean'
        ? String(value)
        : 'an object'
  return wrongValue(`${name} was given ${what}, which is no number`)
}

/**
 * The largest value, or the one for which `by` is largest; the first of equal ones. Strings are compared by UTF-16 code units. Throws if
 * there are no values, or strings among numbers.
 */
export const max = <T>(values: Iterable<T>, by?: (value: T) => number | string | bigint): T => best(values, by, 'max', (a, b) => a > b)

/** The smallest value, or the one for which `by` is smallest; otherwise like `max`. */
export const min = <T>(values: Iterable<T>, by?: (value: T) => number | string | bigint): T => best(values, by, 'min', (a, b) => a < b)

function best<T>(
  values: Iterable<T>,
  by: ((value: T) => number | string | bigint) | undefined,
  name: string, better: (a: any, b: any) => boolean,
): T {
  let found = false
  let winner: T | undefined
  let score: unknown
  for (const value of values) {
    const its = by ? by(value) : value
    if (found && (typeof its === 'string') !== (typeof score === 'string'))
      throw wrongValue(`${name} was given texts and others, which have no order among them`)
    if (found && !better(its, score)) continue
    found = true
    winner = value
    score = its
  }
  if (!found) throw new RangeError(`${name} of no values`)
  return winner as T
}

/** Throws if there are no values. */
export function first<T>(values: Iterable<T>): T {
  for (const value of values) return value
  throw new RangeError('first of no values')
}

/** At most `limit` values, as an array. */
export function take<T>(values: Iterable<T>, limit: number): T[] {
  const taken: T[] = []
  if (limit <= 0) return taken
  for (const value of values) {
    taken.push(value)
    if (taken.length >= limit) break
  }
  return taken
}
