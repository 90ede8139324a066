// Relational operators out of DuckDB's optimised plan, in which each expression names the columns of its input by position. Operators and
// fields are matched positively; what is not known is unsupported.
//
// A join that DuckDB could not free of its correlation (DELIM_JOIN) reads its left side twice: as it is, and as the distinct values that
// the right side depends on. The left side is then shared.

import { aggregateOf } from './aggregate.ts'
import { expressionOf, ordersOf, type Expression } from './expression.ts'
import { expectFields, listOf, numberOf, only, textOf, type Json, type JsonObject } from './json.ts'
import { readJoin } from './joins.ts'
import { picked, type PlanReading } from './reading.ts'
import type { Item, Relation, Share } from './relation.ts'
import { readScan } from './scan.ts'
import { typeSql } from './types.ts'
import { unsupported } from './unsupported.ts'
import { windowOf } from './windowcall.ts'

export function readPlan(plan: Json): Relation {
  let columns = 0
  let shares = 0
  const reading: PlanReading = {
    column: type => ({ name: `c${++columns}`, type }),
    share: relation => ({ name: `shared ${++shares}`, relation }),
    read: node => readOperator(node as JsonObject, reading),
    ctes: new Map(),
    delims: [],
  }
  return reading.read(plan)
}

/** Fields of each operator beside `type` and `children`. */
const fields: Readonly<Record<string, readonly string[]>> = {
  LOGICAL_PROJECTION: ['table_index', 'expressions'],
  LOGICAL_FILTER: ['expressions', 'projection_map'],
  LOGICAL_AGGREGATE_AND_GROUP_BY: [
    'expressions',
    'group_index',
    'aggregate_index',
    'groupings_index',
    'groups',
    'grouping_sets',
    'grouping_functions',
    'distinct_validity',
  ],
  LOGICAL_WINDOW: ['window_index', 'expressions'],
  LOGICAL_UNNEST: ['unnest_index', 'expressions'],
  LOGICAL_ORDER_BY: ['orders', 'projections'],
  LOGICAL_LIMIT: ['limit_val', 'offset_val'],
  LOGICAL_DISTINCT: ['distinct_type', 'distinct_targets', 'order_by'],
  LOGICAL_UNION: ['table_index', 'column_count', 'setop_all', 'allow_out_of_order'],
  LOGICAL_EXCEPT: ['table_index', 'column_count', 'setop_all', 'allow_out_of_order'],
  LOGICAL_INTERSECT: ['table_index', 'column_count', 'setop_all', 'allow_out_of_order'],
  LOGICAL_MATERIALIZED_CTE: ['table_index', 'column_count', 'ctename', 'materialize'],
  LOGICAL_CTE_REF: ['table_index', 'cte_index', 'chunk_types', 'bound_columns', 'is_recurring'],
  LOGICAL_DELIM_GET: ['table_index', 'chunk_types'],
  LOGICAL_DUMMY_SCAN: ['table_index'],
  LOGICAL_EMPTY_RESULT: ['return_types', 'bindings'],
  LOGICAL_EXPRESSION_GET: ['table_index', 'expr_types', 'expressions'],
}

function readOperator(node: JsonObject, reading: PlanReading): Relation {
  const type = textOf(node.type)
  if (type === 'LOGICAL_GET') return readScan(node, reading)
  if (/^LOGICAL_(COMPARISON_JOIN|DELIM_JOIN|ANY_JOIN|CROSS_PRODUCT)$/.test(type)) return readJoin(node, reading)
  const known = only(node, ['type', 'children', ...(fields[type] ?? unsupported(`the operator ${type}`))])
  const children = listOf(known.children)
  switch (type) {
    case 'LOGICAL_UNION':
    case 'LOGICAL_EXCEPT':
    case 'LOGICAL_INTERSECT':
      return readSet(type, known, children.map(reading.read))
    case 'LOGICAL_MATERIALIZED_CTE': {
      reading.ctes.set(numberOf(known.table_index), reading.share(reading.read(children[0]!)))
      return reading.read(children[1]!)
    }
    case 'LOGICAL_CTE_REF': {
      const share = reading.ctes.get(numberOf(known.cte_index))
      if (!share || known.is_recurring !== false) return unsupported('a reference to a recursive query')
      return readShare(share, listOf(known.chunk_types), reading)
    }
    case 'LOGICAL_DELIM_GET': {
      const share = reading.delims.at(-1) ?? unsupported('correlated values outside of their join')
      return readShare(share, listOf(known.chunk_types), reading)
    }
    case 'LOGICAL_DUMMY_SCAN':
      return { kind: 'rows', columns: [{ ...reading.column('INTEGER'), hidden: true }], rows: [[]] }
    case 'LOGICAL_EMPTY_RESULT':
      return { kind: 'rows', columns: listOf(known.return_types).map(each => reading.column(typeSql(each))), rows: [] }
    case 'LOGICAL_EXPRESSION_GET': {
      const columns = listOf(known.expr_types).map(each => reading.column(typeSql(each)))
      return { kind: 'rows', columns, rows: listOf(known.expressions).map(row => listOf(row).map(each => expressionOf(each, []))) }
    }
    default:
      return readUnary(type, known, reading.read(children[0]!), reading)
  }
}

function readShare(share: Share, types: readonly Json[], reading: PlanReading): Relation {
  const columns = types.map(type => reading.column(typeSql(type)))
  const own = share.relation.columns
  if (own.length !== columns.length || own.some(({ type }, i) => type !== columns[i]!.type)) unsupported('a shared part with other columns')
  return { kind: 'shared', share, columns }
}

function readSet(type: string, node: JsonObject, inputs: readonly Relation[]): Relation {
  if (numberOf(node.column_count) !== inputs[0]!.columns.length) unsupported('a set operation with other columns')
  if (inputs.some(({ columns }) => columns.some((column, i) => column.type !== inputs[0]!.columns[i]!.type)))
    unsupported('a set operation over columns of different types')
  const name = type.slice('LOGICAL_'.length) as 'UNION' | 'EXCEPT' | 'INTERSECT'
  if (name !== 'UNION' && inputs.length !== 2) unsupported('a set operation over several inputs')
  return { kind: 'set', type: name, all: node.setop_all === true, inputs, columns: inputs[0]!.columns }
}

function readUnary(type: string, node: JsonObject, input: Relation, reading: PlanReading): Relation {
  const { columns } = input
  const of = (each: Json): Expression => expressionOf(each, columns)
  const item = (expression: Expression): Item => ({ expression, column: reading.column(expression.type) })
  switch (type) {
    case 'LOGICAL_PROJECTION': {
      const items = listOf(node.expressions).map(each => item(of(each)))
      return { kind: 'project', input, items, columns: items.map(({ column }) => column) }
    }
    case 'LOGICAL_FILTER':
      return { kind: 'filter', input, conditions: listOf(node.expressions).map(of), columns: picked(columns, node.projection_map) }
    case 'LOGICAL_WINDOW': {
      const calls = listOf(node.expressions)
        .map(each => windowOf(each, columns))
        .map(call => ({ call, column: reading.column(call.type) }))
      return { kind: 'window', input, calls, columns: [...columns, ...calls.map(({ column }) => column)] }
    }
    case 'LOGICAL_UNNEST': {
      const items = listOf(node.expressions).map(each => {
        const unnest = only(each, ['expression_class', 'type', 'alias', 'query_location', 'return_type', 'child'])
        if (unnest.expression_class !== 'BOUND_UNNEST') unsupported('an unnesting of an unknown class')
        return { expression: of(unnest.child!), column: reading.column(typeSql(unnest.return_type)) }
      })
      return { kind: 'unnest', input, items, columns: [...columns, ...items.map(({ column }) => column)] }
    }
    case 'LOGICAL_ORDER_BY': {
      const orders = ordersOf(node.orders, columns)
      return { kind: 'order', input, orders, columns: picked(columns, node.projections) }
    }
    case 'LOGICAL_LIMIT': {
      const limit = boundOf(node.limit_val)
      return { kind: 'limit', input, columns, ...(limit !== undefined && { limit }), offset: boundOf(node.offset_val) ?? 0 }
    }
    case 'LOGICAL_DISTINCT':
      return readDistinct(node, input)
    default:
      return readAggregate(node, input, reading)
  }
}

function boundOf(value: Json | undefined): number | undefined {
  const bound = only(value, ['type', 'constant_integer', 'constant_percentage', 'expression'])
  if (bound.type === 'UNSET') return undefined
  return bound.type === 'CONSTANT_VALUE' ? numberOf(bound.constant_integer) : unsupported('a LIMIT that is no number of rows')
}

function readDistinct(node: JsonObject, input: Relation): Relation {
  const { columns } = input
  const targets = listOf(node.distinct_targets).map(each => expressionOf(each, columns))
  const orders = node.order_by === null || node.order_by === undefined ? [] : ordersOf(only(node.order_by, ['orders']).orders, columns)
  if (node.distinct_type === 'DISTINCT_ON') return { kind: 'distinct', input, columns, on: targets, orders }
  const all = targets.length === columns.length && targets.every(({ sql }, i) => sql === columns[i]!.name)
  if (node.distinct_type !== 'DISTINCT' || !all || orders.length > 0) unsupported('a DISTINCT of an unknown kind')
  return { kind: 'distinct', input, columns, orders }
}

function readAggregate(node: JsonObject, input: Relation, reading: PlanReading): Relation {
  expectFields(node, { distinct_validity: 'CAN_HAVE_NULL_VALUES' }, 'an aggregation')
  const groups = listOf(node.groups)
    .map(each => expressionOf(each, input.columns))
    .map(expression => ({ expression, column: reading.column(expression.type) }))
  const calls = listOf(node.expressions)
    .map(each => aggregateOf(each, input.columns))
    .map(call => ({ call, column: reading.column(call.type) }))
  const indexes = (list: Json): number[] => listOf(list).map(index => numberOf(index))
  const given = listOf(node.grouping_sets).map(indexes)
  const sets = given.length === 0 ? [groups.map((_, i) => i)] : given
  const groupings = listOf(node.grouping_functions).map(list => ({ groups: indexes(list), column: reading.column('BIGINT') }))
  return {
    kind: 'aggregate',
    input,
    groups,
    sets,
    groupings,
    calls,
    columns: [...groups, ...calls, ...groupings].map(({ column }) => column),
  }
}
