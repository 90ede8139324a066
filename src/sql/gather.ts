// The plan that is always right: one task reads all rows of all tables and runs the query as it was written. Pure.

import type { QueryColumn, QueryPlan, TableInfo } from './query.ts'

export function gatherPlan(sql: string, tables: readonly TableInfo[], columns: readonly QueryColumn[], reason: string): QueryPlan {
  const inputs = tables.map(
    ({ name, columns }) =>
      ({ view: name, from: { kind: 'table', table: name, columns: columns.map(column => column.name) }, how: 'all' }) as const,
  )
  const stage = { name: 'gather', inputs, sql, columns, tasks: 'one', output: { kind: 'result', ordered: true } } as const
  return { stages: [stage], columns, gathered: [{ stage: 0, reason }] }
}
