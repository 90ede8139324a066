// The planner's oracle: an engine without rows that parses and binds the query. Its optimizer is set by the planner; the query, which is
// one SELECT, cannot set anything, and is not run there. It reaches no files but the beginnings of those of the query.

import type { Database } from '../../src/ports/database.ts'
import type { PlannerOptions } from '../../src/sql/fragment.ts'
import type { QueryPlan, TableScan } from '../../src/sql/query.ts'
import type { Distribute, Division, DivisionRequest } from './division.ts'

/** REQUIRES: `db` is confined, but not locked, and has no tables of the query. */
export async function plannedBy(
  db: Database, { sql, tables, columns }: DivisionRequest,
  { planner, distribute }: Pick<Division, 'planner'> & { readonly distribute: Distribute },
): Promise<QueryPlan> {
  const { planQuery } = await import('../../src/sql/plan.ts')
  // A query that is divided in any case divides small tables, too.
  const options: PlannerOptions = { ...distribute === 'always' && { smallBytes: 0 }, ...planner }
  return planQuery(sql, tables, { rows: text => rowsOf(db, text) }, { ...options, columns })
}

/** Columns and rows of its tables that the query reads; undefined: it has a part that the planner does not know. REQUIRES: as above. */
export async function scannedBy(
  db: Database, { sql, tables }: Pick<DivisionRequest, 'sql' | 'tables'>,
): Promise<ReadonlyMap<string, TableScan> | undefined> {
  const { scansOf } = await import('../../src/sql/scans.ts')
  return scansOf(sql, tables, { rows: text => rowsOf(db, text) })
}

async function rowsOf(db: Database, sql: string): Promise<Array<Array<string | null>>> {
  const found: Array<Array<string | null>> = []
  for await (const rows of (await db.query(sql)).batches())
    for (const row of rows) found.push(row.map(value => (value === null || typeof value === 'string' ? value : JSON.stringify(value))))
  return found
}
