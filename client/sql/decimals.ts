// Columns of CSV and JSON with numbers of more digits than a DOUBLE holds: they are a DECIMAL, if there is one that holds all their values.

import { literalOf } from '../../src/base/sql.ts'

/** Most digits of a DECIMAL. */
const digitsMax = 38

/** Texts of numbers without an exponent, a plus, or a zero before other digits. `fraction`: a pattern of the digits behind the point. */
const form = (fraction: string): string => literalOf(`\\s*-?(0|[1-9][0-9]*)?([.]${fraction})?\\s*`)

/**
 * SQL: a case for values all of which a DECIMAL holds: the type with as many digits before and behind the point as they have. `sql`: texts
 * of numbers.
 */
export function decimalOf(sql: string): string {
  const longest = (digits: string): string => `coalesce(max(strlen(regexp_extract(${sql}, ${literalOf(digits)}, 1))), 0)`
  const [whole, scale] = [longest('^\\s*-?0?([0-9]*)'), longest('[.]([0-9]*)')]
  return `WHEN bool_and(regexp_full_match(${sql}, ${form('[0-9]*')})) AND ${whole} + ${scale} <= ${digitsMax}`
    + ` THEN 'DECIMAL(' || (${whole} + ${scale}) || ',' || ${scale} || ')'`
}

/** Digits before and behind the point that a DECIMAL has; undefined: another type. */
function placesOf(type: string): { readonly whole: number; readonly scale: number } | undefined {
  const [, width, scale] = /^DECIMAL\((\d+),\s*(\d+)\)$/.exec(type) ?? []
  return width === undefined ? undefined : { whole: Number(width) - Number(scale), scale: Number(scale) }
}

/** Most digits of integers that BIGINT holds. */
const bigintDigits = 19

/** A DECIMAL that holds the values of both types; undefined: there is none, or one of them is neither a DECIMAL nor an integer. */
export function widerDecimal(a: string, b: string): string | undefined {
  const places = (type: string) => (type === 'BIGINT' ? { whole: bigintDigits, scale: 0 } : placesOf(type))
  const [one, other] = [places(a), places(b)]
  if (!one || !other) return undefined
  const [whole, scale] = [Math.max(one.whole, other.whole), Math.max(one.scale, other.scale)]
  return whole + scale <= digitsMax ? `DECIMAL(${whole + scale},${scale})` : undefined
}

/** The type; of a DECIMAL, with all the digits before the point that there may be, for later values. */
export function roomyType(type: string): string {
  const places = placesOf(type)
  return places ? `DECIMAL(${digitsMax},${places.scale})` : type
}

/** SQL: the value of a text, NULL for one that the DECIMAL does not hold exactly. undefined: another type. */
export function decimalValue(type: string, text: string): string | undefined {
  const places = placesOf(type)
  if (!places) return undefined
  return `CASE WHEN regexp_full_match(${text}, ${form(`[0-9]{0,${places.scale}}0*`)}) THEN TRY_CAST(${text} AS ${type}) END`
}
