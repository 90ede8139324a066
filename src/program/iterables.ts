// Small functions over values, for combine and reduce. They go through the values once and keep nothing they need not.

/** Throws TypeError for what is no number: CSV fields are texts, which + would join. */
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

/** NaN of no values. Throws TypeError for what is no number. */
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
    return new TypeError(`${name} was given the text ${JSON.stringify(value.slice(0, 40))}; a field of CSV is a text: emit Number(…) of it`)
  const what =
    typeof value === 'bigint'
      ? `the bigint ${value}n`
      : value === null || value === undefined || typeof value === 'boolean'
        ? String(value)
        : 'an object'
  return new TypeError(`${name} was given ${what}, which is no number`)
}

/**
 * The largest value, or the one for which `by` is largest; the first of equals. Texts by their characters. Throws if there are no values,
 * or texts among numbers.
 */
export const max = <T>(values: Iterable<T>, by?: (value: T) => number | string | bigint): T => best(values, by, 'max', (a, b) => a > b)

/** The smallest value, or the one for which `by` is smallest; as `max` otherwise. */
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
      throw new TypeError(`${name} was given texts and others, which have no order among them`)
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
