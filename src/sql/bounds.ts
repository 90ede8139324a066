// Conditions of a scan as bounds of single columns, by which a runtime leaves out parts of files (ScanCondition). A part of a condition
// that is not known here is left out: the stage's SQL has the whole condition.

import { constantSql } from './constant.ts'
import { listOf, textOf, type Json, type JsonObject } from './json.ts'
import type { ScanCondition } from './query.ts'
import { typeSql } from './types.ts'
import { Unsupported } from './unsupported.ts'

interface BoundColumn {
  /** In its table. */
  readonly column: string
  readonly type: string
}

const comparisons: Readonly<Record<string, '=' | '<' | '<=' | '>' | '>='>> = {
  COMPARE_EQUAL: '=',
  COMPARE_LESSTHAN: '<',
  COMPARE_LESSTHANOREQUALTO: '<=',
  COMPARE_GREATERTHAN: '>',
  COMPARE_GREATERTHANOREQUALTO: '>=',
}

/** Bounds of a filter on the column; undefined: none is known. An optional filter holds for each row of the result as others do. */
export function boundsOf(filter: Json | undefined, column: BoundColumn): ScanCondition | undefined {
  const node = filter as JsonObject
  switch (node.filter_type) {
    case 'CONSTANT_COMPARISON':
      return compared(node.comparison_type, node.constant, column)
    case 'IN_FILTER':
      return joined('or', listOf(node.values).map(value => compared('COMPARE_EQUAL', value, column)))
    case 'IS_NULL':
    case 'IS_NOT_NULL':
      return { kind: 'null', column: column.column, isNull: node.filter_type === 'IS_NULL' }
    case 'CONJUNCTION_AND':
    case 'CONJUNCTION_OR': {
      const parts = listOf(node.child_filters).map(each => boundsOf(each, column))
      return joined(node.filter_type === 'CONJUNCTION_AND' ? 'and' : 'or', parts)
    }
    case 'OPTIONAL_FILTER':
      return boundsOf(node.child_filter, column)
    case 'EXPRESSION_FILTER':
      return expressionBounds(node.expr, column)
    default:
      return undefined
  }
}

/** The same for an expression that reads this column alone. */
function expressionBounds(value: Json | undefined, column: BoundColumn): ScanCondition | undefined {
  const node = value as JsonObject
  const { expression_class, type, left, right, children } = node
  switch (expression_class) {
    case 'BOUND_COMPARISON': {
      if (!isColumn(left) || (right as JsonObject).expression_class !== 'BOUND_CONSTANT') return undefined
      return compared(type, (right as JsonObject).value, column)
    }
    case 'BOUND_CONJUNCTION': {
      const parts = listOf(children).map(each => expressionBounds(each, column))
      return joined(type === 'CONJUNCTION_AND' ? 'and' : 'or', parts)
    }
    case 'BOUND_OPERATOR':
      if ((type !== 'OPERATOR_IS_NULL' && type !== 'OPERATOR_IS_NOT_NULL') || !isColumn(listOf(children)[0])) return undefined
      return { kind: 'null', column: column.column, isNull: type === 'OPERATOR_IS_NULL' }
    default:
      return undefined
  }
}

const isColumn = (value: Json | undefined): boolean => (value as JsonObject | undefined)?.expression_class === 'BOUND_REF'

function compared(comparison: Json | undefined, constant: Json | undefined, { column, type }: BoundColumn): ScanCondition | undefined {
  const known = comparisons[textOf(comparison)]
  const { type: own, is_null } = constant as JsonObject
  if (known === undefined || is_null === true || typeSql(own) !== type) return undefined
  try {
    return { kind: 'compare', column, comparison: known, constant: constantSql(constant) }
  } catch (error) {
    if (error instanceof Unsupported) return undefined
    throw error
  }
}

function joined(kind: 'and' | 'or', parts: ReadonlyArray<ScanCondition | undefined>): ScanCondition | undefined {
  const conditions = parts.filter(each => each !== undefined)
  // A part that is not known could be true.
  if (conditions.length === 0 || (kind === 'or' && conditions.length < parts.length)) return undefined
  return conditions.length === 1 ? conditions[0] : { kind, conditions }
}
