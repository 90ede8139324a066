// Columns of CSV and JSON that the engine takes for numbers although some of their values would become other ones: 2^53 + 1 as a DOUBLE is
// 2^53, so that two keys are one, 0.12345678901234567891 loses its last digits, and -007 as an integer is -7.

import { literalOf, quotedName } from '../../src/base/sql.ts'
import type { Database } from '../../src/ports/database.ts'
import { decimalOf } from './decimals.ts'
import { exactValue, isOrdered, otherOrder, zoned, type DateForms } from './exacttexts.ts'

export const integers = /^U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)$/

const digits = literalOf('\\s*[-+]?[0-9]+\\s*')

/** SQL: true for a text of at most 15 digits without an exponent, which every DOUBLE holds. */
export const isShort = (sql: string): string => `(strlen(${sql}) <= 15 AND NOT contains(${sql}, 'e') AND NOT contains(${sql}, 'E'))`

const number = literalOf('\\s*[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?\\s*')

/** SQL: the digits of the text of a number, from the first one that is not 0. */
const digitsOf = (sql: string): string => `regexp_replace(${sql}, ${literalOf('^\\s*[-+]?[0.]*|[.]|[eE].*$|\\s+$')}, '', 'g')`

/**
 * SQL: true for the text of a number that a DOUBLE does not hold: it is not the shortest text of one, and a fraction also not the text that
 * a DOUBLE has with as many digits, as programs write it that print 17 or more. `sql`: a text, computed several times.
 */
export function isBent(sql: string): string {
  const [value, own] = [`TRY_CAST(${sql} AS DOUBLE)`, digitsOf(sql)]
  const isSame = (text: string): string => `rtrim(${own}, '0') = rtrim(${digitsOf(text)}, '0')`
  // No DOUBLE has more digits.
  const printed = `format('{:.{}e}', ${value}, CAST(least(greatest(strlen(${own}), 1), 800) - 1 AS INTEGER))`
  return `(NOT ${isShort(sql)} AND regexp_full_match(${sql}, ${number}) AND NOT (${isSame(`CAST(${value} AS VARCHAR)`)}`
    + ` OR (NOT regexp_full_match(${sql}, ${digits}) AND ${isSame(printed)})))`
}

/** SQL: true for the text of an integer that is the text of its number, but for blanks around it and the sign of 0. */
export const isWhole = (sql: string): string => `regexp_full_match(${sql}, ${literalOf('\\s*-?(0|[1-9][0-9]*)\\s*')})`

/** SQL: true for the text of a number with a zero or a plus before it, which the engine's look at a file takes for a text: 007, +5. */
export const isPadded = (sql: string): string =>
  // Most numbers begin with another digit.
  `(${sql} < '1' AND regexp_matches(${sql}, ${literalOf('^\\s*([+]|0[0-9])')}))`

const isTime = /^(?:DATE|TIME|TIMESTAMP(?: WITH TIME ZONE)?)$/

interface TypedColumn { readonly name: string; readonly type: string }

/** `forms`: of dates or timestamps, of which the values do not tell which one is meant. */
interface FoundColumn extends TypedColumn { readonly forms?: readonly [string, string] }

const unclear = ' in one of two forms'

/**
 * The columns, and for each one whose values would be bent another type that holds all of them: for a DOUBLE a HUGEINT or a DECIMAL of as
 * many digits as they have, or else VARCHAR. `from`: SQL of the columns as texts, for these names. `csv`: forms of dates in
 * columns of CSV, all of which are looked at; of JSON, numbers, dates and times.
 */
export async function unbent(
  db: Database, columns: readonly TypedColumn[], from: (names: readonly string[]) => string, csv?: DateForms,
): Promise<readonly FoundColumn[]> {
  const forms = csv ?? { isUtc: true }
  const looked = columns.filter(({ type }) => type === 'DOUBLE' || (csv ? type !== 'VARCHAR' : isTime.test(type)))
  if (looked.length === 0) return columns
  const names = looked.map(({ name }) => name)
  const facts = looked.map(({ name, type }) => factOf(type, csv ? textIn(name) : quotedName(name), forms))
  const types = new Map<string, string>()
  for await (const [row] of (await db.query(`SELECT ${facts.join(', ')} FROM ${from(names)}`)).batches())
    names.forEach((name, i) => types.set(name, row![i] as string))
  return columns.map(({ name, type }) => {
    const found = types.get(name) ?? type
    if (!found.endsWith(unclear)) return { name, type: found }
    const own = found.slice(0, -unclear.length)
    const form = (own === 'DATE' ? forms.dateFormat : forms.timestampFormat)!
    return { name, type: own, forms: [form, otherOrder(form)!] }
  })
}

/** SQL: the text of a field that is no text: an empty one is NULL, in quotes or not. */
export const textIn = (column: string): string => `nullif(${quotedName(column)}, '')`

/** SQL: the type of a column that has the values `sql`. */
function factOf(type: string, sql: string, forms: DateForms): string {
  const isEach = (condition: string): string => `coalesce(bool_and(${condition}), true)`
  if (type === 'DOUBLE')
    return `CASE WHEN NOT ${isEach(`${sql} IS NULL OR TRY_CAST(${sql} AS DOUBLE) IS NOT NULL`)} THEN 'VARCHAR'`
      + ` WHEN NOT coalesce(bool_or(${isBent(sql)}), false) THEN 'DOUBLE'`
      + ` WHEN ${isEach(`${sql} IS NULL OR (regexp_full_match(${sql}, ${digits}) AND TRY_CAST(${sql} AS HUGEINT) IS NOT NULL)`)}`
      + ` THEN 'HUGEINT' ${decimalOf(sql)} ELSE 'VARCHAR' END`
  if (integers.test(type)) return `CASE WHEN ${isEach(isWhole(sql))} THEN ${literalOf(type)} ELSE 'VARCHAR' END`
  const fits = (as: string): string => {
    const value = exactValue(as, sql, forms)
    if (value === undefined) return ''
    const all = (found: string): string => `count(${sql}) = count(${found})`
    const form = as === 'DATE' ? forms.dateFormat : as === 'TIME' ? undefined : forms.timestampFormat
    if (form === undefined || isOrdered(form) || forms.told?.includes(form)) return `WHEN ${all(value)} THEN ${literalOf(as)}`
    const other = otherOrder(form)
    if (other === undefined) return ''
    const others = exactValue(as, sql, { dateFormat: other, timestampFormat: other })!
    return `WHEN ${all(value)} THEN ${literalOf(as)} || CASE WHEN ${all(others)} THEN ${literalOf(unclear)} ELSE '' END`
  }
  const own = fits(type)
  // The engine takes a timestamp beside infinity for one with a time zone, and of JSON one with an offset for one without.
  const [first, last] = [type === zoned ? fits('TIMESTAMP') : '', forms.isUtc && type === 'TIMESTAMP' ? fits(zoned) : '']
  return exactValue(type, sql, forms) === undefined ? literalOf(type) : `CASE ${first} ${own} ${last} WHEN true THEN 'VARCHAR' END`
}
