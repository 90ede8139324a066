// Aggregation of Hadoop's aggregate package, in place of a reducer command: a key names its function, `LongValueSum:word`, and the result
// of its values is written as `word TAB result`.

import { GristmillError } from '../base/errors.ts'
import { showText } from '../base/quote.ts'

type Aggregation = (values: Iterable<string>) => string

const functions: Readonly<Record<string, Aggregation>> = {
  LongValueSum: values => String(fold(values, long, (a, b) => a + b)),
  LongValueMax: values => String(fold(values, long, (a, b) => (b > a ? b : a))),
  LongValueMin: values => String(fold(values, long, (a, b) => (b < a ? b : a))),
  DoubleValueSum: values => String(fold(values, double, (a, b) => a + b)),
  StringValueMax: values => fold(values, text, (a, b) => (b > a ? b : a)),
  StringValueMin: values => fold(values, text, (a, b) => (b < a ? b : a)),
  // Its values are in memory at once, as they are in Hadoop.
  UniqValueCount: values => String(new Set(values).size),
}

/** The line for a key and its values, without its newline. Throws EINVAL for a key without a function, and a value that is no number. */
export function aggregate(key: string, values: Iterable<string | null>): string {
  const at = key.indexOf(':')
  const name = at < 0 ? key : key.slice(0, at)
  const aggregation = at < 0 || !Object.hasOwn(functions, name) ? undefined : functions[name]
  if (!aggregation)
    throw new GristmillError(
      'EINVAL',
      `the mapper wrote the key ${showText(key.slice(0, 100))}, and aggregate takes FUNCTION:KEY with one of ${Object.keys(functions).join(', ')}`,
    )
  return `${key.slice(at + 1)}\t${aggregation(present(values))}`
}

/** A line without a separator has an empty value. */
function* present(values: Iterable<string | null>): Generator<string> {
  for (const value of values) yield value ?? ''
}

function fold<T>(values: Iterable<string>, parse: (value: string) => T, merge: (a: T, b: T) => T): T {
  let result: T | undefined
  for (const value of values) {
    const one = parse(value)
    result = result === undefined ? one : merge(result, one)
  }
  return result as T
}

const text = (value: string): string => value

function long(value: string): bigint {
  if (/^\s*[+-]?\d{1,30}\s*$/.test(value)) return BigInt(value.trim().replace(/^\+/, ''))
  throw notNumber(value, 'a whole number')
}

function double(value: string): number {
  const number = value.trim() === '' ? NaN : Number(value)
  if (!Number.isNaN(number)) return number
  throw notNumber(value, 'a number')
}

const notNumber = (value: string, what: string): GristmillError =>
  new GristmillError('EINVAL', `aggregate was given the value ${showText(value.slice(0, 100))}, which is not ${what}; correct the mapper`)
