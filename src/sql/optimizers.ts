// Parts of DuckDB's optimizer that the planner's plans have passed. Those that look at statistics are off: the oracle's tables are empty,
// and a conclusion from that would be wrong. Those that only shape the execution in one process are off as well.

import type { SqlOracle } from './query.ts'
import { textSql } from './quote.ts'

/**
 * Pushes conditions down, frees subqueries of correlation, drops columns, folds constants, and writes CTEs with one reader in its place.
 */
export const planOptimizers = [
  'expression_rewriter',
  'filter_pullup',
  'filter_pushdown',
  'deliminator',
  'unnest_rewriter',
  'unused_columns',
  'cte_inlining',
]

export async function disabledExcept(kept: readonly string[], oracle: SqlOracle): Promise<void> {
  const all = (await oracle.rows('SELECT name FROM duckdb_optimizers()')).map(([name]) => name!)
  await oracle.rows(`SET disabled_optimizers = ${textSql(all.filter(name => !kept.includes(name)).join(','))}`)
}

export const enableAll = async (oracle: SqlOracle): Promise<unknown> => oracle.rows('RESET disabled_optimizers')

/**
 * What each DuckDB that runs a stage sets first. `common_subplan` of DuckDB 1.5.5 takes parts of a query for equal that are not (a CTE that
 * is read twice with different columns), and the answer is wrong. The engine of the product sets it itself (src/world/duckdb.ts).
 */
export const taskSettings: readonly string[] = ["SET disabled_optimizers = 'common_subplan'"]
