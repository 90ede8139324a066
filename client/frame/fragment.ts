// SQL of the user inside of a DataFrame: a template whose text is SQL, and whose values are bound.

import { GristmillError } from '../../src/base/errors.ts'
import type { SqlValue } from '../../src/base/sql.ts'
import { exprOf, templateParts, type Expr } from './expr.ts'

/**
 * An expression in SQL: sql`${col('n')} % ${7}`. Values between are values, never SQL; expressions are expressions. It needs a name, by
 * `.as('name')`, where it becomes a column.
 */
export function sql<Value = SqlValue>(texts: TemplateStringsArray, ...values: readonly unknown[]): Expr<Value> {
  if (!Array.isArray(texts) || !Array.isArray(texts.raw))
    throw new GristmillError('EINVAL', 'sql is a tag: write sql`…`, so that the values between are known from its text')
  const own = texts.raw.join('')
  if (own.includes('\0')) throw new GristmillError('EINVAL', 'the text of sql`…` has a NUL')
  // The line end ends a comment.
  return exprOf(['(', ...templateParts(texts.raw, values), '\n)'], undefined, 'fragment')
}
