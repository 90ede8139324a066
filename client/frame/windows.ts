// Window functions of a DataFrame. Each needs `.over({ orderBy })`.

import { GristmillError } from '../../src/base/errors.ts'
import { shown } from '../call/arguments.ts'
import { exprOf, inputOf, operandOf, type Expr, type ColumnInput, type NameOf, type NeedsOf, type Scalar, type ValueOf } from './expr.ts'

const ranking = <Value, Name extends string>(call: string, name: Name): Expr<Value, never, Name> => exprOf([call], name)

/** 1, 2, 3 … in the order of the window. */
export const rowNumber = (): Expr<bigint, never, 'row_number'> => ranking('row_number()', 'row_number')
/** Equal rows have one rank, and those after them a rank that counts them all. */
export const rank = (): Expr<bigint, never, 'rank'> => ranking('rank()', 'rank')
/** The same without gaps. */
export const denseRank = (): Expr<bigint, never, 'dense_rank'> => ranking('dense_rank()', 'dense_rank')
export const percentRank = (): Expr<number, never, 'percent_rank'> => ranking('percent_rank()', 'percent_rank')
export const cumeDist = (): Expr<number, never, 'cume_dist'> => ranking('cume_dist()', 'cume_dist')
/** Number of the part of the rows, of `parts` parts of equal size. */
export const ntile = (parts: number): Expr<bigint, never, 'ntile'> => ranking(`ntile(${whole(parts, 'number of parts')})`, 'ntile')

function shifted<I extends ColumnInput>(
  name: string, input: I, { by, otherwise }: { readonly by: number; readonly otherwise: Scalar | undefined },
): Expr<ValueOf<I> | null, NeedsOf<I>, NameOf<I>> {
  const own = inputOf(input)
  const last = otherwise === undefined ? [] : [', ', operandOf(otherwise)]
  return exprOf([`${name}(`, own, `, ${whole(by, 'number of rows')}`, ...last, ')'], own.shape.name)
}

/** The value some rows before; NULL, or `otherwise`, where there is no such row. */
export const lag = <const I extends ColumnInput>(input: I, by = 1, otherwise?: Scalar): Expr<ValueOf<I> | null, NeedsOf<I>, NameOf<I>> =>
  shifted('lag', input, { by, otherwise })
/** The value some rows behind. */
export const lead = <const I extends ColumnInput>(input: I, by = 1, otherwise?: Scalar): Expr<ValueOf<I> | null, NeedsOf<I>, NameOf<I>> =>
  shifted('lead', input, { by, otherwise })

const edge = <I extends ColumnInput>(name: string, input: I): Expr<ValueOf<I>, NeedsOf<I>, NameOf<I>> =>
  exprOf([`${name}(`, inputOf(input), ')'], inputOf(input).shape.name)

export const firstValue = <const I extends ColumnInput>(input: I): Expr<ValueOf<I>, NeedsOf<I>, NameOf<I>> => edge('first_value', input)
export const lastValue = <const I extends ColumnInput>(input: I): Expr<ValueOf<I>, NeedsOf<I>, NameOf<I>> => edge('last_value', input)

function whole(value: number, what: string): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new GristmillError('EINVAL',
    `the ${what} is ${shown(value)}; it must be a whole number`)
  return value
}
