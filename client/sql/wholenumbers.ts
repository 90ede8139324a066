// Columns of CSV and JSON that the engine takes for DOUBLE although some of their values are whole numbers that a DOUBLE does not hold:
// 2^53 + 1 would become 2^53, and two keys one.

import { literalOf, quotedName } from '../../src/base/sql.ts'
import type { Database } from '../../src/ports/database.ts'

const digits = literalOf('\\s*[-+]?[0-9]+\\s*')

/** SQL: true for the text of a whole number that is not the shortest text of a DOUBLE. `sql`: a text, computed several times. */
export const isBent = (sql: string): string =>
  `(strlen(${sql}) > 15 AND regexp_full_match(${sql}, ${digits}) AND (TRY_CAST(${sql} AS HUGEINT) IS NULL`
  + ` OR TRY_CAST(CAST(TRY_CAST(${sql} AS DOUBLE) AS VARCHAR) AS HUGEINT) IS DISTINCT FROM TRY_CAST(${sql} AS HUGEINT)))`

/** SQL: true for the text of a finite number that is beyond all of DOUBLE. */
export const isBeyond = (sql: string): string => `(isinf(TRY_CAST(${sql} AS DOUBLE)) AND regexp_matches(${sql}, '[0-9]'))`

interface TypedColumn { readonly name: string; readonly type: string }

/**
 * The columns, and for each DOUBLE whose values would be bent another type that holds all of them: HUGEINT, or else VARCHAR. `from`: SQL of
 * the columns as texts, for these names.
 */
export async function unbent(
  db: Database, columns: readonly TypedColumn[], from: (names: readonly string[]) => string,
): Promise<readonly TypedColumn[]> {
  const names = columns.filter(({ type }) => type === 'DOUBLE').map(({ name }) => name)
  if (names.length === 0) return columns
  const facts = names.map(quotedName).map(sql =>
    `CASE WHEN NOT coalesce(bool_or(${isBent(sql)}), false) THEN 'DOUBLE' WHEN bool_and(regexp_full_match(${sql}, ${digits})`
    + ` AND TRY_CAST(${sql} AS HUGEINT) IS NOT NULL) THEN 'HUGEINT' ELSE 'VARCHAR' END`)
  const types = new Map<string, string>()
  for await (const [row] of (await db.query(`SELECT ${facts.join(', ')} FROM ${from(names)}`)).batches())
    names.forEach((name, i) => types.set(name, row![i] as string))
  return columns.map(({ name, type }) => ({ name, type: types.get(name) ?? type }))
}
