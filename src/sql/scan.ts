// Scans of tables out of DuckDB's plan, with the conditions that its optimizer has pushed into them.

import { boundsOf } from './bounds.ts'
import { expressionOf, type PlanColumn, type Expression } from './expression.ts'
import { expectFields, jsonText, listOf, only, textOf, type Json, type JsonObject } from './json.ts'
import type { ScanCondition } from './query.ts'
import type { PlanReading } from './reading.ts'
import type { Relation } from './relation.ts'
import { typeSql } from './types.ts'
import { unsupported } from './unsupported.ts'

const fields = [
  'type',
  'children',
  'table_index',
  'returned_types',
  'names',
  'projection_ids',
  'table_filters',
  'name',
  'arguments',
  'original_arguments',
  'catalog_name',
  'schema_name',
  'has_serialize',
  'function_data',
  'projected_input',
  'column_indexes',
  'extra_info',
  'ordinality_idx',
  'row_group_order_options',
]

export function readScan(value: JsonObject, reading: PlanReading): Relation {
  const node = only(value, fields)
  if (node.name !== 'seq_scan') return unsupported(`the table function ${textOf(node.name)}`)
  const data = only(node.function_data, ['catalog', 'schema', 'table', 'is_index_scan', 'is_create_index', 'result_ids'])
  expectFields(data, { is_index_scan: false, is_create_index: false }, 'a scan')
  expectFields(
    only(node.extra_info, ['file_filters', 'total_files', 'filtered_files', 'sample_options']),
    { file_filters: '', sample_options: null },
    'a scan',
  )
  expectFields(node, { row_group_order_options: null, arguments: [], projected_input: [] }, 'a scan')
  const names = listOf(node.names).map(textOf)
  const types = listOf(node.returned_types).map(typeSql)
  const sources = new Map<string, string>()
  const byIndex = new Map<number, PlanColumn>()
  const columns = listOf(node.column_indexes).map(each => {
    const { index, child_indexes, index_type } = only(each, ['index', 'child_indexes', 'index_type', 'type', 'field', 'has_index'])
    // A row number, or no column at all, which is read for the rows alone.
    if (typeof index !== 'number') return { ...reading.column('BIGINT'), hidden: true } as const
    if (jsonText(child_indexes!) !== '[]' && index_type !== 'FULL_READ' && index_type !== 'PUSHDOWN_EXTRACT')
      unsupported('a part of a column')
    if (index_type === 'PUSHDOWN_EXTRACT') unsupported('a field that is read alone')
    const column = reading.column(types[index] ?? unsupported('a column that is not in its table'))
    sources.set(column.name, names[index]!)
    byIndex.set(index, column)
    return column
  })
  const chosen = listOf(node.projection_ids)
  const bounds: ScanCondition[] = []
  const conditions = listOf(only(node.table_filters, ['filters']).filters).flatMap(each => {
    const { key, value: filter } = only(each, ['key', 'value'])
    const column = byIndex.get(Number(key)) ?? unsupported('a condition on a column that is not read')
    const bound = boundsOf(filter, { column: names[Number(key)]!, type: column.type })
    if (bound) bounds.push(bound)
    return conditionsOf(filter!, column, listOf(node.returned_types)[Number(key)]!)
  })
  const kept = chosen.length === 0 ? columns : chosen.map(index => columns[Number(index)]!)
  return { kind: 'scan', table: textOf(data.table), columns: kept, sources, conditions, bounds, read: columns }
}

/** Conditions as bound expressions, so that they are printed and confirmed as all others are. */
function conditionsOf(value: Json, column: PlanColumn, type: Json): Expression[] {
  const node = only(value, ['filter_type', 'comparison_type', 'constant', 'expr', 'child_filters', 'child_filter', 'values'])
  if (node.filter_type === 'OPTIONAL_FILTER') return []
  return [expressionOf(node.filter_type === 'EXPRESSION_FILTER' ? node.expr : boundOf(node, type), [column])]
}

function boundOf(node: JsonObject, type: Json): JsonObject {
  const column = { expression_class: 'BOUND_REF', type: 'BOUND_REF', return_type: type, index: 0 }
  const constant = (value: Json): JsonObject => ({ expression_class: 'BOUND_CONSTANT', type: 'VALUE_CONSTANT', value })
  const boolean = { id: 'BOOLEAN', type_info: null }
  const operator = (name: string, children: readonly Json[]): JsonObject => ({
    expression_class: 'BOUND_OPERATOR',
    type: name,
    return_type: boolean,
    children,
  })
  switch (node.filter_type) {
    case 'CONSTANT_COMPARISON':
      return { expression_class: 'BOUND_COMPARISON', type: node.comparison_type!, left: column, right: constant(node.constant!) }
    case 'IS_NULL':
    case 'IS_NOT_NULL':
      return operator(`OPERATOR_${node.filter_type}`, [column])
    case 'IN_FILTER':
      return operator('COMPARE_IN', [column, ...listOf(node.values).map(constant)])
    case 'CONJUNCTION_AND':
    case 'CONJUNCTION_OR': {
      const children = listOf(node.child_filters).map(each => boundOf(only(each, Object.keys(each as JsonObject)), type))
      return children.length === 1 ? children[0]! : { expression_class: 'BOUND_CONJUNCTION', type: node.filter_type, children }
    }
    case 'EXPRESSION_FILTER':
      return node.expr as JsonObject
    default:
      return unsupported(`the filter ${textOf(node.filter_type)}`)
  }
}
