// The planner: a SELECT becomes stages. DuckDB parses, binds and optimises it over empty tables; the planner reads its plan, confirms
// that each expression means the same when it is printed, and distributes the operators. What it does not know is gathered: the query
// then runs as it was written, in one task over all rows. So is a query for which the planner itself fails. Pure but for the oracle.

import { GristmillError } from '../base/errors.ts'
import { withoutEnd } from '../base/withoutend.ts'
import { gatherPlan } from './gather.ts'
import { isLocal, Stages, type PlannerOptions } from './fragment.ts'
import { listOf, readJson, textOf, type Json, type JsonObject } from './json.ts'
import { lowering } from './lower.ts'
import { readPlan } from './operators.ts'
import { disabledExcept, enableAll, planOptimizers } from './optimizers.ts'
import type { QueryColumn, QueryPlan, SqlOracle, TableInfo } from './query.ts'
import { nameSql, textSql } from './quote.ts'
import type { Relation } from './relation.ts'
import { checkTypes } from './stagetypes.ts'
import { Unsupported, unsupported } from './unsupported.ts'
import { verify } from './verify.ts'

/**
 * Throws the oracle's error for a query that DuckDB refuses, if its columns are not given. Every other failure makes a plan that gathers
 * the query, which says why.
 */
export async function planQuery(
  sql: string,
  tables: readonly TableInfo[],
  oracle: SqlOracle,
  { columns: known, ...options }: PlannerOptions & { readonly columns?: readonly QueryColumn[] } = {},
): Promise<QueryPlan> {
  let columns = known
  try {
    return await withTables(tables, oracle, async () => {
      columns ??= await columnsOf(sql, oracle)
      return planned(sql, columns, tables, oracle, options)
    })
  } catch (error) {
    if (columns === undefined || (error instanceof GristmillError && error.code === 'EINVAL' && isPivot(error.message))) throw error
    return gatherPlan(sql, tables, columns, `the planner failed: ${error instanceof Error ? error.message : String(error)}`.slice(0, 500))
  }
}

/** Does the work while the tables are there, empty, and then with no optimizer switched off. */
export async function withTables<T>(tables: readonly TableInfo[], oracle: SqlOracle, work: () => Promise<T>): Promise<T> {
  const made: string[] = []
  try {
    for (const { name, columns } of tables) {
      await oracle.rows(`CREATE TABLE ${nameSql(name)} (${columns.map(each => `${nameSql(each.name)} ${each.type}`).join(', ')})`)
      made.push(name)
    }
    return await work()
  } finally {
    await enableAll(oracle)
    for (const name of made) await oracle.rows(`DROP TABLE ${nameSql(name)}`)
  }
}

async function planned(
  sql: string,
  columns: readonly QueryColumn[],
  tables: readonly TableInfo[],
  oracle: SqlOracle,
  options: PlannerOptions,
): Promise<QueryPlan> {
  let reason = ''
  for (const left of ['', 'unused_columns', 'cte_inlining']) {
    try {
      await disabledExcept(
        planOptimizers.filter(name => name !== left),
        oracle,
      )
      const relation = readPlan(await optimised(sql, oracle))
      await verify(relation, oracle)
      const plan = staged(relation, columns, tables, options)
      await checkTypes(plan, tables, oracle)
      return plan
    } catch (error) {
      if (!(error instanceof Unsupported)) throw error
      reason ||= error.message
    }
  }
  return gatherPlan(sql, tables, columns, reason)
}

const pivotFault = 'PIVOT without the values of its columns is not supported, because its columns would depend on the rows'
const isPivot = (message: string): boolean => message.startsWith(pivotFault)

/**
 * DuckDB's plan. It fails to write some plans that it has taken unused columns out of, or has put a CTE into; the caller tries again
 * without.
 * The planner leaves unused columns out itself.
 */
export async function optimised(sql: string, oracle: SqlOracle): Promise<Json> {
  const [[json]] = (await oracle.rows(`SELECT json_serialize_plan(${textSql(sql)}, optimize := true)`)) as [[string]]
  const answer = readJson(json) as JsonObject
  if (textOf(answer.error_message ?? '').includes('statement of type MULTI')) {
    throw new GristmillError('EINVAL', `${pivotFault}: write PIVOT … ON column IN (value, …)`)
  }
  if (answer.error !== false) unsupported(textOf(answer.error_message))
  const plans = listOf(answer.plans)
  return plans.length === 1 ? plans[0]! : unsupported('several statements')
}

/**
 * Names and types of the result. The text is a subquery, so that a second statement behind it is an error. DuckDB describes no statement
 * that is a description itself (DESCRIBE, SUMMARIZE, SHOW) but in a subquery, where it would rename columns of one name, of which those
 * have none.
 */
async function columnsOf(sql: string, oracle: SqlOracle): Promise<QueryColumn[]> {
  const text = bare(sql)
  const inner = await oracle.rows(`DESCRIBE SELECT * FROM (${text}\n)`)
  const own = await oracle.rows(`DESCRIBE ${text}`).catch(() => inner)
  return own.map(([name, type]) => ({ name: name!, type: type! }))
}

/** The text of a statement without blanks at both ends, and semicolons at its end. */
function bare(sql: string): string {
  let text = sql.trim()
  while (text.endsWith(';')) text = withoutEnd(text, ';').trimEnd()
  return text
}

function staged(relation: Relation, columns: readonly QueryColumn[], tables: readonly TableInfo[], options: PlannerOptions): QueryPlan {
  const stages = new Stages(tables, options)
  const own = relation.columns
  if (own.length !== columns.length || own.some(({ hidden }) => hidden)) unsupported("a result with other columns than DuckDB's")
  const made = lowering(stages)(relation, new Set(own.map(({ name }) => name)))
  const rows = made.branches.length === 1 ? made : stages.single(made, 'union')
  const [branch] = rows.branches
  const result: QueryColumn[] = columns.map(({ type }, i) => ({ name: `r${i}`, type }))
  const list = own.map(({ name }, i) => `${name} AS r${i}`).join(', ')
  stages.stages.push({
    name: 'result',
    inputs: branch!.inputs,
    sql: `SELECT ${list} FROM (${branch!.sql}) AS t`,
    columns: result,
    tasks: branch!.tasks,
    output: { kind: 'result', ordered: isLocal(rows) },
  })
  return { stages: stages.stages, columns, gathered: stages.gathered }
}
