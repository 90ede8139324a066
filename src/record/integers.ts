// Lossless parsing of JSON numbers. JSON.parse rounds an integer beyond 2^53 to the nearest double, so that two ids become one, and reads
// 1e999 as Infinity. Here such an integer becomes a bigint (or a string, or an error), and a number larger than any double is an error.
// The value decides, not its notation: 9007199254740993e0 and 12345678901234567890.0 are integers too.
//
// Numbers with a point or an exponent that a double can hold become numbers, of any size: 1e20, 6.02214076e23. A double holds a text if
// it has the same digits when formatted with as many of them. Other fractions are rounded, as in every JSON reader.

import { GristmillError } from '../base/errors.ts'
import { withoutEnd } from '../base/withoutend.ts'

type LargeIntegers = 'bigint' | 'string' | 'error'

const integer = /^-?[0-9]+$/
/** A number larger than any double has 16 digits in a row or an exponent of three digits. */
const longExponent = /[eE]\+?[0-9]{3}/
/** Integers up to 2^53 - 1 have at most 16 digits. */
const digitsMin = 16
const largestSafe = String(Number.MAX_SAFE_INTEGER)

const isDigit = (code: number): boolean => code >= 48 && code <= 57
const point = 46
const isPart = (code: number): boolean => isDigit(code) || code === point

/**
 * True if JSON.parse may lose digits of a number in this text; false is certain, true only costs a slower parser. A run of 16 digits covers
 * one of every 16 positions, so only those are checked: 8 % of the time of JSON.parse, where a regular expression took 60 %.
 */
export function mayLose(text: string): boolean {
  for (let i = digitsMin - 1; i < text.length; i += digitsMin) {
    if (!isPart(text.charCodeAt(i))) continue
    let start = i
    while (start > 0 && isPart(text.charCodeAt(start - 1))) start--
    let end = i + 1
    while (end < text.length && isPart(text.charCodeAt(end))) end++
    // With an exponent all digits may belong to an integer. Without one, those after the point are a fraction, of up to 17 digits in the
    // usual notation of a double.
    const exponent = (text.charCodeAt(end) | 32) === 101
    if (end - start >= digitsMin) {
      let dot = start
      while (dot < end && text.charCodeAt(dot) !== point) dot++
      const digits = exponent ? end - start - (dot < end ? 1 : 0) : dot - start
      if (digits > digitsMin || (digits === digitsMin && (exponent || text.slice(start, dot) > largestSafe))) return true
    }
    i = end
  }
  return longExponent.test(text)
}

/** JSON.parse without loss. Throws SyntaxError for text that is not JSON, EINVAL for a number that cannot be represented. */
export function parseExact(text: string, large: LargeIntegers = 'bigint'): unknown {
  return JSON.parse(text, ((_key: string, value: unknown, context: { source?: string }): unknown => {
    if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
    const source = context.source!
    if (!Number.isFinite(value))
      throw new GristmillError('EINVAL', `the number ${shortened(source)} is larger than a double can hold; write it as a string`)
    const text = integer.test(source) ? source : isKept(source, value) ? undefined : integerOf(source)
    if (text === undefined) return value
    if (large === 'string') return text
    if (large === 'bigint') return BigInt(text)
    throw new GristmillError(
      'EINVAL',
      `the integer ${shortened(source)} is beyond 2^53 and would be rounded; read it with largeIntegers: "bigint" or "string"`,
    )
  }) as (key: string, value: unknown) => unknown)
}

interface Decimal {
  readonly negative: boolean
  readonly digits: string
  /** Exponent of the last digit: the value is digits × 10^exponent. */ readonly exponent: number
}

/** Decimal value of a JSON number, without leading and trailing zeros. */
function decimalOf(text: string): Decimal {
  const [, sign, whole = '', fraction = '', power = '0'] = /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/.exec(text)!
  const all = (whole + fraction).replace(/^0+/, '')
  const digits = withoutEnd(all, '0')
  return { negative: sign === '-', digits, exponent: digits === '' ? 0 : Number(power) - fraction.length + all.length - digits.length }
}

/** True if the double, formatted with as many digits as the text, has the same digits: no reader then sees a difference. */
export function isKept(source: string, value: number): boolean {
  if (!Number.isFinite(value)) return false
  const written = decimalOf(source)
  if (written.digits === '') return value === 0
  // 100: the maximum of toPrecision.
  if (value === 0 || written.digits.length > 100) return false
  const kept = decimalOf(value.toPrecision(written.digits.length))
  return kept.digits === written.digits && kept.exponent === written.exponent && kept.negative === written.negative
}

/** The digits of an integer that is written with a point or an exponent; undefined if the value is not an integer. */
function integerOf(source: string): string | undefined {
  const { negative, digits, exponent } = decimalOf(source)
  return exponent < 0 ? undefined : `${negative ? '-' : ''}${digits}${'0'.repeat(exponent)}`
}

const shortened = (text: string): string => (text.length > 60 ? `${text.slice(0, 40)}… (${text.length} characters)` : text)
