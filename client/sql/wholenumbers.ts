// Columns of CSV and JSON that the engine takes for numbers although some of their values would become other texts: 2^53 + 1 as a DOUBLE is
// 2^53, so that two keys are one, and -007 as an integer is -7.

import { literalOf, quotedName } from '../../src/base/sql.ts'
import type { Database } from '../../src/ports/database.ts'
import { exactValue, zoned, type DateForms } from './exacttexts.ts'

export const integers = /^U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)$/

const digits = literalOf('\\s*[-+]?[0-9]+\\s*')

/** SQL: true for the text of a whole number that is not the shortest text of a DOUBLE. `sql`: a text, computed several times. */
export const isBent = (sql: string): string =>
  `(strlen(${sql}) > 15 AND regexp_full_match(${sql}, ${digits}) AND (TRY_CAST(${sql} AS HUGEINT) IS NULL`
  + ` OR TRY_CAST(CAST(TRY_CAST(${sql} AS DOUBLE) AS VARCHAR) AS HUGEINT) IS DISTINCT FROM TRY_CAST(${sql} AS HUGEINT)))`

/** SQL: true for the text of a finite number that is beyond all of DOUBLE. */
export const isBeyond = (sql: string): string => `(isinf(TRY_CAST(${sql} AS DOUBLE)) AND regexp_matches(${sql}, '[0-9]'))`

/** SQL: true for the text of an integer that is the text of its number, but for blanks around it and the sign of 0. */
export const isWhole = (sql: string): string => `regexp_full_match(${sql}, ${literalOf('\\s*-?(0|[1-9][0-9]*)\\s*')})`

/** SQL: true for the text of a number with a zero or a plus before it, which the engine's look at a file takes for a text: 007, +5. */
export const isPadded = (sql: string): string =>
  // Most numbers begin with another digit.
  `(${sql} < '1' AND regexp_matches(${sql}, ${literalOf('^\\s*([+]|0[0-9])')}))`

const isTime = /^(?:DATE|TIME|TIMESTAMP(?: WITH TIME ZONE)?)$/

interface TypedColumn { readonly name: string; readonly type: string }

/**
 * The columns, and for each one whose values would be bent another type that holds all of them: HUGEINT for a DOUBLE, or else VARCHAR.
 * `from`: SQL of the columns as texts, for these names. `csv`: forms of dates in
 * columns of CSV, all of which are looked at; of JSON, numbers, dates and times.
 */
export async function unbent(
  db: Database, columns: readonly TypedColumn[], from: (names: readonly string[]) => string, csv?: DateForms,
): Promise<readonly TypedColumn[]> {
  const forms = csv ?? { isUtc: true }
  const looked = columns.filter(({ type }) => type === 'DOUBLE' || (csv ? type !== 'VARCHAR' : isTime.test(type)))
  if (looked.length === 0) return columns
  const names = looked.map(({ name }) => name)
  const facts = looked.map(({ name, type }) => factOf(type, csv ? textIn(name) : quotedName(name), forms))
  const types = new Map<string, string>()
  for await (const [row] of (await db.query(`SELECT ${facts.join(', ')} FROM ${from(names)}`)).batches())
    names.forEach((name, i) => types.set(name, row![i] as string))
  return columns.map(({ name, type }) => ({ name, type: types.get(name) ?? type }))
}

/** SQL: the text of a field that is no text: an empty one is NULL, in quotes or not. */
export const textIn = (column: string): string => `nullif(${quotedName(column)}, '')`

/** SQL: the type of a column that has the values `sql`. */
function factOf(type: string, sql: string, forms: DateForms): string {
  const isEach = (condition: string): string => `coalesce(bool_and(${condition}), true)`
  if (type === 'DOUBLE')
    return `CASE WHEN NOT coalesce(bool_or(${isBent(sql)}), false) THEN 'DOUBLE' WHEN bool_and(regexp_full_match(${sql}, ${digits})`
      + ` AND TRY_CAST(${sql} AS HUGEINT) IS NOT NULL) THEN 'HUGEINT' ELSE 'VARCHAR' END`
  if (integers.test(type)) return `CASE WHEN ${isEach(isWhole(sql))} THEN ${literalOf(type)} ELSE 'VARCHAR' END`
  const fits = (as: string): string => {
    const value = exactValue(as, sql, forms)
    return value === undefined ? '' : `WHEN count(${sql}) = count(${value}) THEN ${literalOf(as)}`
  }
  const own = fits(type)
  // The engine takes a timestamp beside infinity for one with a time zone, and of JSON one with an offset for one without.
  const [first, last] = [type === zoned ? fits('TIMESTAMP') : '', forms.isUtc && type === 'TIMESTAMP' ? fits(zoned) : '']
  return own === '' ? literalOf(type) : `CASE ${first} ${own} ${last} ELSE 'VARCHAR' END`
}
