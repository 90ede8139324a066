// Calls of window functions: read from DuckDB's plan, and printed with their frames.

import { expressionOf, keyOf, orderSql, ordersOf, type PlanColumn, type Expression } from './expression.ts'
import { listOf, only, textOf, type Json, type JsonObject } from './json.ts'
import { nameSql } from './quote.ts'
import { typeSql } from './types.ts'
import { unsupported } from './unsupported.ts'

export interface WindowCall {
  readonly partitions: readonly Expression[]
  readonly sql: string
  readonly type: string
  readonly columns: ReadonlySet<string>
  readonly key: string
}

const functions: Readonly<Record<string, string>> = {
  WINDOW_ROW_NUMBER: 'row_number',
  WINDOW_RANK: 'rank',
  WINDOW_RANK_DENSE: 'dense_rank',
  WINDOW_NTILE: 'ntile',
  WINDOW_PERCENT_RANK: 'percent_rank',
  WINDOW_CUME_DIST: 'cume_dist',
  WINDOW_FIRST_VALUE: 'first_value',
  WINDOW_LAST_VALUE: 'last_value',
  WINDOW_NTH_VALUE: 'nth_value',
  WINDOW_LEAD: 'lead',
  WINDOW_LAG: 'lag',
}

/** Aggregate functions that keep all their arguments when DuckDB binds them. */
const aggregates = new Set([
  'count_star',
  'count',
  'count_if',
  'sum',
  'avg',
  'min',
  'max',
  'bool_and',
  'bool_or',
  'bit_and',
  'bit_or',
  'bit_xor',
  'product',
  'var_pop',
  'var_samp',
  'stddev',
  'stddev_pop',
  'stddev_samp',
  'variance',
  'arg_min',
  'arg_max',
  'first',
  'last',
  'list',
])

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
  'partitions',
  'orders',
  'filters',
  'ignore_nulls',
  'start',
  'end',
  'start_expr',
  'end_expr',
  'offset_expr',
  'default_expr',
  'exclude_clause',
  'distinct',
  'arg_orders',
]

export function windowOf(value: Json, scope: readonly PlanColumn[]): WindowCall {
  const node = only(value, fields)
  const used: Expression[] = []
  const of = (child: Json): Expression => {
    const expression = expressionOf(child, scope)
    used.push(expression)
    return expression
  }
  const args = listOf(node.children).map(child => of(child).sql)
  // The offset and the default of lead and lag.
  for (const each of [node.offset_expr, node.default_expr]) if (each !== null && each !== undefined) args.push(of(each).sql)
  const partitions = listOf(node.partitions).map(of)
  const orders = ordersOf(node.orders, scope)
  const argOrders = ordersOf(node.arg_orders, scope)
  used.push(...orders.map(({ expression }) => expression), ...argOrders.map(({ expression }) => expression))
  const filter = node.filters === null ? '' : ` FILTER (WHERE ${of(node.filters!).sql})`
  if (node.offset_expr === null && node.default_expr !== null) unsupported('a window function with a default and no offset')
  const order = argOrders.length > 0 ? ` ORDER BY ${orderSql(argOrders)}` : ''
  const inside = `${node.distinct === true ? 'DISTINCT ' : ''}${args.join(', ')}${order}`
  const nulls = node.ignore_nulls === true ? ' IGNORE NULLS' : ''
  const name = nameOf(node)
  const call = name === 'count_star' ? 'count(*)' : `${nameSql(name)}(${inside}${nulls})`
  const over = [
    ...(partitions.length > 0 ? [`PARTITION BY ${partitions.map(({ sql }) => sql).join(', ')}`] : []),
    ...(orders.length > 0 ? [`ORDER BY ${orderSql(orders)}`] : []),
    frameSql(node, child => of(child).sql),
  ]
  return {
    partitions,
    sql: `${call}${filter} OVER (${over.join(' ')})`,
    type: typeSql(node.return_type),
    key: keyOf(node, scope),
    columns: new Set(used.flatMap(({ columns }) => [...columns])),
  }
}

function nameOf(node: JsonObject): string {
  const type = textOf(node.type)
  if (type !== 'WINDOW_AGGREGATE') return functions[type] ?? unsupported(`the window function ${type}`)
  const name = textOf(node.name)
  if (node.function_data !== undefined && node.function_data !== null) unsupported(`bound data of the window function ${name}`)
  return aggregates.has(name) ? name : unsupported(`the window function ${name}`)
}

function frameSql(node: JsonObject, of: (child: Json) => string): string {
  const [start, end] = [textOf(node.start), textOf(node.end)]
  const unit = /_(ROWS|RANGE|GROUPS)$/.exec(start)?.[1] ?? /_(ROWS|RANGE|GROUPS)$/.exec(end)?.[1] ?? 'RANGE'
  const bound = (name: string, expression: Json | undefined): string => {
    switch (name.replace(/_(ROWS|RANGE|GROUPS)$/, '')) {
      case 'UNBOUNDED_PRECEDING':
        return 'UNBOUNDED PRECEDING'
      case 'UNBOUNDED_FOLLOWING':
        return 'UNBOUNDED FOLLOWING'
      case 'CURRENT_ROW':
        return 'CURRENT ROW'
      case 'EXPR_PRECEDING':
        return `${of(expression!)} PRECEDING`
      case 'EXPR_FOLLOWING':
        return `${of(expression!)} FOLLOWING`
      default:
        return unsupported(`the frame bound ${name}`)
    }
  }
  const exclude =
    {
      NO_OTHER: '',
      CURRENT_ROW: ' EXCLUDE CURRENT ROW',
      GROUP: ' EXCLUDE GROUP',
      TIES: ' EXCLUDE TIES',
    }[textOf(node.exclude_clause)] ?? unsupported('an unknown EXCLUDE of a frame')
  return `${unit} BETWEEN ${bound(start, node.start_expr)} AND ${bound(end, node.end_expr)}${exclude}`
}
