// CASE as a chain: when(condition, value).when(condition, value).otherwise(value). A text is a value; a column is col('name').

import { exprOf, operandOf, type AnyExpr, type Expr, type Operand, type Scalar, type Widened } from './expr.ts'

/** Type of the values of a branch. */
type Branch<V> = V extends Expr<infer Value, string, string> ? Value : Widened<V>
type Names<V> = V extends Expr<unknown, infer Needs, string> ? Needs : never
type Given = Scalar | null | AnyExpr

class Cases<Value, Needs extends string> {
  readonly #branches: readonly (string | AnyExpr)[]

  constructor(branches: readonly (string | AnyExpr)[]) { this.#branches = branches }

  when<N extends string, const V extends Given>(condition: Operand<N>, value: V): Cases<Value | Branch<V>, Needs | N | Names<V>> {
    return new Cases([...this.#branches, ' WHEN ', operandOf(condition), ' THEN ', operandOf(value)])
  }

  /** The value of all other rows. */
  otherwise<const V extends Given>(value: V): Expr<Value | Branch<V>, Needs | Names<V>, 'case'> {
    return exprOf(['CASE', ...this.#branches, ' ELSE ', operandOf(value), ' END'], 'case')
  }
}

/** The first branch whose condition is true gives the value. */
export const when = <N extends string, const V extends Given>(condition: Operand<N>, value: V): Cases<Branch<V>, N | Names<V>> =>
  new Cases<never, never>([]).when(condition, value)
