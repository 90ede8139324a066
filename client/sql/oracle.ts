// The planner's oracle: an engine of its own, without rows and without files, that parses and binds the query. Its optimizer is set by the
// planner; the query, which is one SELECT, cannot set anything, and is not run there.

import { MiB } from '../../src/base/units.ts'
import type { Database, OpenDatabase } from '../../src/ports/database.ts'
import type { PlannerOptions } from '../../src/sql/fragment.ts'
import type { QueryPlan } from '../../src/sql/query.ts'
import type { Distribute, Division, DivisionRequest } from './division.ts'
import type { Workspace } from './workspace.ts'

const oracleBytes = 256 * MiB

export async function plannedBy(
  space: Workspace, openDatabase: OpenDatabase, { sql, tables, columns }: DivisionRequest,
  { planner, distribute }: Pick<Division, 'planner'> & { readonly distribute: Distribute },
): Promise<QueryPlan> {
  const { planQuery } = await import('../../src/sql/plan.ts')
  const db = await space.open(openDatabase, oracleBytes, 1)
  try {
    await db.confine([], { isLocked: false })
    // A query that is divided in any case divides small tables, too.
    const options: PlannerOptions = { ...distribute === 'always' && { smallBytes: 0 }, ...planner }
    return await planQuery(sql, tables, { rows: text => rowsOf(db, text) }, { ...options, columns })
  } finally {
    db.close()
  }
}

async function rowsOf(db: Database, sql: string): Promise<Array<Array<string | null>>> {
  const found: Array<Array<string | null>> = []
  for await (const rows of (await db.query(sql)).batches())
    for (const row of rows) found.push(row.map(value => (value === null || typeof value === 'string' ? value : JSON.stringify(value))))
  return found
}
