// Which columns of its tables a query reads, and which conditions the rows meet that it needs, as DuckDB's optimizer says. By that a
// runtime decides whether tasks divide the query, and which parts of files one task reads that runs it as it was written. Pure but for the
// oracle.

import { GristmillError } from '../base/errors.ts'
import { readPlan } from './operators.ts'
import { disabledExcept, planOptimizers } from './optimizers.ts'
import { optimised, withTables } from './plan.ts'
import type { ScanCondition, SqlOracle, TableInfo, TableScan } from './query.ts'
import type { Relation, ScanRelation, Share } from './relation.ts'
import { Unsupported } from './unsupported.ts'

/** By the names of tables, as they are given; undefined: the plan has an operator that is not known. */
export async function scansOf(
  sql: string, tables: readonly TableInfo[], oracle: SqlOracle,
): Promise<ReadonlyMap<string, TableScan> | undefined> {
  try {
    return await withTables(tables, oracle, async () => {
      await disabledExcept(planOptimizers, oracle)
      const found: ScanRelation[] = []
      collect(readPlan(await optimised(sql, oracle)), found, new Set())
      return new Map(tables.map(table => [table.name, together(table, found)]))
    })
  } catch (error) {
    if (error instanceof Unsupported || error instanceof GristmillError) return undefined
    throw error
  }
}

function together({ name, columns: all }: TableInfo, found: readonly ScanRelation[]): TableScan {
  const own = found.filter(({ table }) => table.toLowerCase() === name.toLowerCase())
  const read = new Set(own.flatMap(({ sources }) => [...sources.values()]))
  // Rows without columns are counted by one of them.
  const columns = read.size > 0 ? [...read] : [all[0]!.name]
  if (own.length === 0 || own.some(({ bounds }) => bounds.length === 0)) return { columns }
  const each = own.map(({ bounds }): ScanCondition => ({ kind: 'and', conditions: bounds }))
  return { columns, conditions: each.length === 1 ? own[0]!.bounds : [{ kind: 'or', conditions: each }] }
}

function collect(relation: Relation, into: ScanRelation[], seen: Set<Share>): void {
  switch (relation.kind) {
    case 'scan':
      into.push(relation)
      return
    case 'rows':
      return
    case 'join':
      collect(relation.left, into, seen)
      return collect(relation.right, into, seen)
    case 'set':
      return relation.inputs.forEach(input => collect(input, into, seen))
    case 'shared':
      if (seen.has(relation.share)) return
      seen.add(relation.share)
      return collect(relation.share.relation, into, seen)
    default:
      return collect(relation.input, into, seen)
  }
}
