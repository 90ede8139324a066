// Joins out of DuckDB's plan.

import { comparisons, expressionOf, type PlanColumn } from './expression.ts'
import { expectFields, listOf, only, textOf, type Json, type JsonObject } from './json.ts'
import { picked, type PlanReading } from './reading.ts'
import type { JoinRelation, JoinCondition, JoinType, Relation } from './relation.ts'
import { unsupported } from './unsupported.ts'

const fields = [
  'type',
  'children',
  'join_type',
  'mark_index',
  'left_projection_map',
  'right_projection_map',
  'conditions',
  'condition',
  'mark_types',
  'duplicate_eliminated_columns',
  'delim_flipped',
  'predicate',
]

const types: readonly string[] = ['INNER', 'LEFT', 'RIGHT', 'FULL', 'SEMI', 'ANTI', 'MARK'] satisfies JoinType[]

export function readJoin(value: JsonObject, reading: PlanReading): Relation {
  const node = only(value, fields)
  const [first, second] = listOf(node.children)
  if (node.type === 'LOGICAL_CROSS_PRODUCT') return joinOf(node, 'INNER', reading.read(first!), reading.read(second!), reading)
  const type = textOf(node.join_type)
  if (!types.includes(type)) unsupported(`a join of the type ${type}`)
  if (node.type !== 'LOGICAL_DELIM_JOIN') {
    expectFields(node, { duplicate_eliminated_columns: [], delim_flipped: false }, 'a join')
    return joinOf(node, type as JoinType, reading.read(first!), reading.read(second!), reading)
  }
  expectFields(node, { delim_flipped: false }, 'a join')
  const share = reading.share(reading.read(first!))
  const copy = (): Relation => ({
    kind: 'shared',
    share,
    columns: share.relation.columns.map(({ type: each, hidden }) => ({ ...reading.column(each), ...(hidden && { hidden }) })),
  })
  const left = copy()
  const outer = copy()
  const items = listOf(node.duplicate_eliminated_columns)
    .map(each => expressionOf(each, outer.columns))
    .map(expression => ({ expression, column: reading.column(expression.type) }))
  const columns = items.map(({ column }) => column)
  const values: Relation = { kind: 'project', input: outer, items, columns }
  reading.delims.push(reading.share({ kind: 'distinct', input: values, columns, orders: [] }))
  const right = reading.read(second!)
  reading.delims.pop()
  return joinOf(node, type as JoinType, left, right, reading)
}

function joinOf(node: JsonObject, type: JoinType, left: Relation, right: Relation, reading: PlanReading): JoinRelation {
  const conditions: JoinCondition[] = []
  const both = [...left.columns, ...right.columns]
  const rest = [
    ...(node.condition === undefined ? [] : [node.condition]),
    ...(node.predicate === null || node.predicate === undefined ? [] : [node.predicate]),
  ].map(each => expressionOf(each, both))
  for (const each of node.conditions === undefined ? [] : listOf(node.conditions)) {
    const condition = only(each, ['left', 'right', 'comparison'])
    conditions.push({
      left: expressionOf(condition.left, left.columns),
      right: expressionOf(condition.right, right.columns),
      comparison: comparisons[textOf(condition.comparison)] ?? unsupported('a join by an unknown comparison'),
    })
  }
  const all = (map: Json | undefined): Json => map ?? []
  const kept: readonly PlanColumn[] = picked(left.columns, all(node.left_projection_map))
  if (type === 'MARK') {
    const mark = reading.column('BOOLEAN')
    return { kind: 'join', type, left, right, conditions, rest, columns: [...kept, mark], mark }
  }
  const others = type === 'SEMI' || type === 'ANTI' ? [] : picked(right.columns, all(node.right_projection_map))
  return { kind: 'join', type, left, right, conditions, rest, columns: [...kept, ...others] }
}
