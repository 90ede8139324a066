// Aggregates of a DataFrame: one value of many rows, in `agg`, or of the rows around each row with `.over()`. Their columns are named after
// the function and the column: mean('delay') is mean_delay.

import { GristmillError } from '../../src/base/errors.ts'
import { shown } from '../call/arguments.ts'
import {
  exprOf, inputOf, operandOf, orderOf, orderParts, type AnyExpr, type Expr, type ColumnInput, type ListOf, type NameOf, type NeedsOf,
    type SortInput, type Total,
  type ValueOf,
} from './expr.ts'

type Aggregated<Value, I, Prefix extends string> = Expr<Value, NeedsOf<I>, `${Prefix}_${NameOf<I>}`>

function call<V, N extends string, As extends string>(
  name: string, inputs: readonly AnyExpr[], { prefix, before = '', orderBy = [] }: {
    readonly prefix: string; readonly before?: string; readonly orderBy?: readonly SortInput[] | undefined
  },
): Expr<V, N, As> {
  const [first] = inputs
  const list = inputs.flatMap((input, i) => (i === 0 ? [input] : [', ', input]))
  const order = orderBy.length > 0 ? [' ORDER BY ', ...orderParts(orderBy.map(orderOf))] : []
  const own = first!.shape.name
  return exprOf([`${name}(${before}`, ...list, ...order, ')'], own === undefined ? undefined : `${prefix}_${own}`, 'aggregate')
}

const simple = <V, I extends ColumnInput, Prefix extends string>(name: string, input: I, prefix: Prefix): Aggregated<V, I, Prefix> =>
  call(name, [inputOf(input)], { prefix })

/** The number of rows, or of those in which the column is not NULL. */
export function count(): Expr<bigint, never, 'count'>
export function count<const I extends ColumnInput>(input: I): Aggregated<bigint, I, 'count'>
export function count(input?: ColumnInput): AnyExpr {
  return input === undefined ? exprOf(['count(*)'], 'count', 'aggregate') : simple('count', input, 'count')
}

/** The number of different values that are not NULL. */
export const countDistinct = <const I extends ColumnInput>(input: I): Aggregated<bigint, I, 'count_distinct'> =>
  call('count', [inputOf(input)], { prefix: 'count_distinct', before: 'DISTINCT ' })
export const sum = <const I extends ColumnInput>(input: I): Aggregated<Total<ValueOf<I>>, I, 'sum'> => simple('sum', input, 'sum')
export const mean = <const I extends ColumnInput>(input: I): Aggregated<number, I, 'mean'> => simple('avg', input, 'mean')
export const min = <const I extends ColumnInput>(input: I): Aggregated<ValueOf<I>, I, 'min'> => simple('min', input, 'min')
export const max = <const I extends ColumnInput>(input: I): Aggregated<ValueOf<I>, I, 'max'> => simple('max', input, 'max')
export const median = <const I extends ColumnInput>(input: I): Aggregated<number, I, 'median'> => simple('median', input, 'median')
/** Most frequent value. */
export const mode = <const I extends ColumnInput>(input: I): Aggregated<ValueOf<I>, I, 'mode'> => simple('mode', input, 'mode')
/** Standard deviation of a sample (with n - 1). */
export const stddev = <const I extends ColumnInput>(input: I): Aggregated<number, I, 'stddev'> => simple('stddev_samp', input, 'stddev')
export const variance = <const I extends ColumnInput>(input: I): Aggregated<number, I, 'variance'> => simple('var_samp', input, 'variance')
export const anyTrue = <const I extends ColumnInput>(input: I): Aggregated<boolean, I, 'any'> => simple('bool_or', input, 'any')
export const allTrue = <const I extends ColumnInput>(input: I): Aggregated<boolean, I, 'all'> => simple('bool_and', input, 'all')

/** The value below which this part of the values lies, interpolated: 0.5 is the median. */
export function quantile<const I extends ColumnInput>(input: I, part: number): Aggregated<number, I, 'quantile'> {
  if (!(part >= 0 && part <= 1)) throw new GristmillError('EINVAL', `a quantile is between 0 and 1, and not ${shown(part)}`)
  return call('quantile_cont', [inputOf(input), operandOf(part)], { prefix: 'quantile' })
}

/** The value in the row with the least (`argMin`) or the greatest (`argMax`) value of the other column. */
export const argMin = <const I extends ColumnInput, const B extends ColumnInput>(
  input: I, by: B,
): Expr<ValueOf<I>, NeedsOf<I> | NeedsOf<B>, `arg_min_${NameOf<I>}`> =>
  call('arg_min', [inputOf(input), inputOf(by)], { prefix: 'arg_min' })
export const argMax = <const I extends ColumnInput, const B extends ColumnInput>(
  input: I, by: B,
): Expr<ValueOf<I>, NeedsOf<I> | NeedsOf<B>, `arg_max_${NameOf<I>}`> =>
  call('arg_max', [inputOf(input), inputOf(by)], { prefix: 'arg_max' })

interface Ordered<Needs extends string> { readonly orderBy?: readonly SortInput<Needs>[] | undefined }

/** The first value in an order; without one, the value of any row. */
export const first = <const I extends ColumnInput, const N extends string = never>(
  input: I, { orderBy }: Ordered<N> = {},
): Expr<ValueOf<I>, NeedsOf<I> | N, `first_${NameOf<I>}`> => call('first', [inputOf(input)], { prefix: 'first', orderBy })
export const last = <const I extends ColumnInput, const N extends string = never>(
  input: I, { orderBy }: Ordered<N> = {},
): Expr<ValueOf<I>, NeedsOf<I> | N, `last_${NameOf<I>}`> => call('last', [inputOf(input)], { prefix: 'last', orderBy })

/** All values as a LIST, in an order; without one, in any. */
export const collectList = <const I extends ColumnInput, const N extends string = never>(
  input: I, { orderBy, distinct = false }: Ordered<N> & { readonly distinct?: boolean | undefined } = {},
): Expr<ListOf<ValueOf<I>>, NeedsOf<I> | N, `list_${NameOf<I>}`> =>
  call('list', [inputOf(input)], { prefix: 'list', orderBy, before: distinct ? 'DISTINCT ' : '' })

/** All texts, joined. */
export const joinText = <const I extends ColumnInput, const N extends string = never>(
  input: I, separator = ', ', { orderBy }: Ordered<N> = {},
): Expr<string, NeedsOf<I> | N, `text_${NameOf<I>}`> => call('string_agg', [inputOf(input), operandOf(separator)],
  { prefix: 'text', orderBy })
