// The plan that is always right: one task reads all rows of all tables and runs the query as it was written. Pure.

import type { QueryColumn, QueryInput, QueryPlan, TableInfo, TableScan } from './query.ts'

/** `scans`: what the query reads of its tables, by their names; default: all columns of all rows. */
export function gatherPlan(
  sql: string,
  tables: readonly TableInfo[],
  columns: readonly QueryColumn[],
  reason: string,
  scans: ReadonlyMap<string, TableScan> = new Map(),
): QueryPlan {
  const inputs = tables.map(({ name, columns: all }): QueryInput => {
    const { columns: read, conditions } = scans.get(name) ?? { columns: all.map(column => column.name) }
    return { view: name, from: { kind: 'table', table: name, columns: read, ...(conditions && { conditions }) }, how: 'all' }
  })
  const stage = { name: 'gather', inputs, sql, columns, tasks: 'one', output: { kind: 'result', ordered: true } } as const
  return { stages: [stage], columns, gathered: [{ stage: 0, reason }] }
}
