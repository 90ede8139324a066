// Calls of aggregate functions: read from DuckDB's plan, and printed as they are for tasks that have all rows of a group. The arguments
// that DuckDB takes out of a call when it binds it (a separator, fractions of quantiles) are in its bound data.

import { constantSql } from './constant.ts'
import { expressionOf, keyOf, orderSql, ordersOf, type PlanColumn, type Expression, type SqlOrder } from './expression.ts'
import { jsonText, listOf, only, textOf, type Json, type JsonObject } from './json.ts'
import { nameSql, textSql } from './quote.ts'
import { typeSql } from './types.ts'
import { unsupported } from './unsupported.ts'

export interface AggregateCall {
  readonly name: string
  readonly args: readonly Expression[]
  readonly distinct: boolean
  readonly filter?: Expression
  readonly orders: readonly SqlOrder[]
  readonly type: string
  /** The whole call. */
  readonly sql: string
  readonly columns: ReadonlySet<string>
  readonly key: string
}

/** Aggregate functions whose calls are printed. */
const known = new Set([
  'count_star',
  'count',
  'count_if',
  'countif',
  'sum',
  'sum_no_overflow',
  'avg',
  'mean',
  'min',
  'max',
  'bool_and',
  'bool_or',
  'bit_and',
  'bit_or',
  'bit_xor',
  'product',
  'fsum',
  'sumkahan',
  'kahan_sum',
  'favg',
  'var_pop',
  'var_samp',
  'variance',
  'stddev',
  'stddev_pop',
  'stddev_samp',
  'sem',
  'covar_pop',
  'covar_samp',
  'corr',
  'regr_avgx',
  'regr_avgy',
  'regr_count',
  'regr_intercept',
  'regr_r2',
  'regr_slope',
  'regr_sxx',
  'regr_sxy',
  'regr_syy',
  'skewness',
  'kurtosis',
  'kurtosis_pop',
  'entropy',
  'arg_min',
  'arg_max',
  'argmin',
  'argmax',
  'min_by',
  'max_by',
  'arg_min_null',
  'arg_max_null',
  'first',
  'last',
  'any_value',
  'arbitrary',
  'list',
  'array_agg',
  'string_agg',
  'group_concat',
  'listagg',
  'median',
  'quantile',
  'quantile_cont',
  'quantile_disc',
  'mode',
  'mad',
  'histogram',
  'approx_count_distinct',
])

/** Fields of a bound aggregate that a call needs, and the ones that tell nothing. */
const fields = [
  'expression_class',
  'type',
  'alias',
  'query_location',
  'return_type',
  'children',
  'name',
  'arguments',
  'original_arguments',
  'catalog_name',
  'schema_name',
  'has_serialize',
  'function_data',
  'aggregate_type',
  'filter',
  'order_bys',
]

export function aggregateOf(value: Json, scope: readonly PlanColumn[]): AggregateCall {
  const node = only(value, fields)
  if (node.expression_class !== 'BOUND_AGGREGATE') unsupported('an aggregation of an unknown class')
  const name = textOf(node.name)
  if (!known.has(name)) unsupported(`the aggregate function ${name}`)
  const args = listOf(node.children).map(child => expressionOf(child, scope))
  const filter = node.filter === null ? undefined : expressionOf(node.filter, scope)
  const orders = node.order_bys === null ? [] : ordersOf(only(node.order_bys, ['orders']).orders, scope)
  const distinct = { DISTINCT: true, NON_DISTINCT: false }[textOf(node.aggregate_type)] ?? unsupported('an unknown kind of aggregation')
  const texts = [...args.map(({ sql }) => sql), ...boundArguments(name, node)]
  const sql =
    name === 'count_star'
      ? 'count(*)'
      : `${nameSql(name)}(${distinct ? 'DISTINCT ' : ''}${texts.join(', ')}${orders.length > 0 ? ` ORDER BY ${orderSql(orders)}` : ''})`
  const all = [...args, ...(filter ? [filter] : []), ...orders.map(({ expression }) => expression)]
  return {
    name,
    args,
    distinct,
    orders,
    ...(filter && { filter }),
    type: typeSql(node.return_type),
    key: keyOf(node, scope),
    sql: sql + filterSql(filter),
    columns: new Set(all.flatMap(({ columns }) => [...columns])),
  }
}

/** A select list over groups; without groups and aggregates it is one row, too. */
export const groupedSql = (list: readonly string[], from: string, by: string): string => {
  const clause = by !== '' ? ` GROUP BY ${by}` : list.length > 0 ? '' : ' GROUP BY ()'
  return `SELECT ${list.length > 0 ? list.join(', ') : '0 AS c0'} FROM ${from}${clause}`
}

export const groupingSql = (names: readonly string[], indexes: readonly number[]): string =>
  `GROUPING(${indexes.map(i => names[i]).join(', ')})`

export const filterSql = (filter: Expression | undefined): string => (filter ? ` FILTER (WHERE ${filter.sql})` : '')

/** Arguments that are in the bound data. Data of other functions are unsupported: nothing says what was taken out. */
function boundArguments(name: string, node: JsonObject): string[] {
  const data = node.function_data
  if (data === undefined || data === null || jsonText(data) === '{}') return []
  switch (name) {
    case 'string_agg':
    case 'group_concat':
    case 'listagg':
      return [textSql(textOf(only(data, ['separator']).separator))]
    case 'quantile':
    case 'quantile_cont':
    case 'quantile_disc': {
      const { quantiles, desc } = only(data, ['quantiles', 'order', 'desc'])
      if (desc !== false) unsupported('a quantile in descending order')
      const list = listOf(quantiles).map(constantSql)
      const isList = (node.return_type as JsonObject).id === 'LIST' && (node.arguments as readonly JsonObject[])[0]?.id !== 'LIST'
      return [isList ? `[${list.join(', ')}]` : list.length === 1 ? list[0]! : unsupported('quantiles of lists')]
    }
    case 'median':
    case 'mad':
      return []
    default:
      return unsupported(`bound data of ${name}`)
  }
}
