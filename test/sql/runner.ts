// Runs a QueryPlan in one process: tables are cut into splits at random rows, empty ones among them, each task runs its stage's SQL over
// views, and exchanges are tables of their own. It does what `src/sql/query.ts` asks of a runtime, and nothing more.

import type { DuckDBConnection } from '@duckdb/node-api'
import { partitionOf } from '../../src/sql/partition.ts'
import type { QueryInput, QueryPlan, QueryStage, ScanCondition } from '../../src/sql/query.ts'
import { nameSql } from '../../src/sql/quote.ts'
import { read, type Answer } from './duckdb.ts'

export interface RunOptions {
  readonly splits: number
  readonly partitions: number
  /** From 0 to 1, as Math.random. */
  readonly random: () => number
}

/** Rows of a query. Tables of the query are in the schema `main` of the connection's first database. */
export async function runPlan(connection: DuckDBConnection, plan: QueryPlan, options: RunOptions): Promise<Answer> {
  const cuts = new Map<string, number[]>()
  /** Names of tables with the output of each stage, by partition; a single or a result has one. */
  const outputs: string[][] = []
  try {
    for (const [index, stage] of plan.stages.entries()) {
      const split = stage.inputs.find(({ how }) => how === 'split')
      if (split) await cut(connection, tableOf(split), cuts, options)
      const tasks = stage.tasks === 'split' ? cuts.get(tableOf(split!))!.length - 1 : stage.tasks === 'partition' ? options.partitions : 1
      const parts: string[] = []
      for (let task = 0; task < tasks; task++) {
        for (const input of stage.inputs) await makeView(connection, input, task, plan, outputs, cuts)
        const part = `out_${index}_${task}`
        await connection.run(`CREATE TEMP TABLE ${part} AS ${stage.sql}`)
        parts.push(part)
        for (const { view } of stage.inputs) await connection.run(`DROP VIEW temp.${nameSql(view)}`)
      }
      outputs.push(await gathered(connection, stage, index, parts, options.partitions))
    }
    const answer = await read(connection, `SELECT * FROM temp.${outputs.at(-1)![0]!}`)
    return { ...answer, names: plan.columns.map(({ name }) => name) }
  } finally {
    const left = await read(connection, "SELECT table_name FROM duckdb_tables() WHERE temporary AND table_name LIKE 'out_%'")
    for (const [name] of left.rows) await connection.run(`DROP TABLE temp.${nameSql(String(name))}`)
    const views = await read(connection, 'SELECT view_name FROM duckdb_views() WHERE temporary AND NOT internal')
    for (const [name] of views.rows) await connection.run(`DROP VIEW temp.${nameSql(String(name))}`)
  }
}

const tableOf = ({ from }: QueryInput): string => (from.kind === 'table' ? from.table : '')

/** First rows of splits, and the number of rows at the end. Some queries see a table without any split. */
async function cut(
  connection: DuckDBConnection,
  table: string,
  cuts: Map<string, number[]>,
  { splits, random }: RunOptions,
): Promise<void> {
  if (cuts.has(table)) return
  const count = Number((await read(connection, `SELECT count(*) FROM memory.main.${nameSql(table)}`)).rows[0]![0])
  if (count === 0 && random() < 0.5) return void cuts.set(table, [0])
  const inner = Array.from({ length: splits - 1 }, () => Math.floor(random() * (count + 1))).sort((a, b) => a - b)
  cuts.set(table, [0, ...inner, count])
}

async function makeView(
  connection: DuckDBConnection,
  { view, from, how }: QueryInput,
  task: number,
  plan: QueryPlan,
  outputs: readonly string[][],
  cuts: ReadonlyMap<string, number[]>,
): Promise<void> {
  const source = (): string => {
    if (from.kind === 'table') {
      const columns = from.columns.map(nameSql).join(', ')
      const [start, end] = how === 'split' ? [cuts.get(from.table)![task]!, cuts.get(from.table)![task + 1]!] : [0, Infinity]
      // Rows that do not meet the conditions of the input are not needed.
      const conditions = from.conditions?.map(conditionSql) ?? []
      const range = how === 'split' ? [`rowid >= ${start} AND rowid < ${end}`] : []
      const where = [...range, ...conditions].length === 0 ? '' : ` WHERE ${[...range, ...conditions].join(' AND ')}`
      return `SELECT ${columns} FROM memory.main.${nameSql(from.table)}${where}`
    }
    const { output, columns } = plan.stages[from.stage]!
    if (output.kind === (how === 'all' ? 'exchange' : 'single')) throw new Error(`${how} of the output ${output.kind}`)
    return `SELECT ${columns.map(({ name }) => nameSql(name)).join(', ')} FROM temp.${outputs[from.stage]![how === 'all' ? 0 : task]!}`
  }
  await connection.run(`CREATE OR REPLACE TEMP VIEW ${nameSql(view)} AS ${source()}`)
}

function conditionSql(condition: ScanCondition): string {
  switch (condition.kind) {
    case 'compare':
      return `${nameSql(condition.column)} ${condition.comparison} ${condition.constant}`
    case 'null':
      return `${nameSql(condition.column)} IS ${condition.isNull ? '' : 'NOT '}NULL`
    default:
      return `(${condition.conditions.map(conditionSql).join(condition.kind === 'and' ? ' AND ' : ' OR ')})`
  }
}

/** The output of all tasks, in partitions. */
async function gathered(
  connection: DuckDBConnection,
  { output, columns }: QueryStage,
  index: number,
  parts: readonly string[],
  partitions: number,
): Promise<string[]> {
  const names = columns.map(({ name }) => nameSql(name)).join(', ')
  const count = output.kind === 'exchange' ? partitions : 1
  const made: string[] = []
  for (let p = 0; p < count; p++) {
    const where =
      output.kind !== 'exchange' ? '' : output.hash === undefined ? undefined : ` WHERE ${partitionOf(output.hash, partitions)} = ${p}`
    // Rows without a hash may go anywhere: each task has a partition of its own.
    const chosen = where === undefined ? parts.filter((_, task) => task % partitions === p) : parts
    const empty = `SELECT ${columns.map(({ name, type }) => `CAST(NULL AS ${type}) AS ${nameSql(name)}`).join(', ')} WHERE false`
    const sql = [empty, ...chosen.map(part => `SELECT ${names} FROM temp.${part}${where ?? ''}`)].join(' UNION ALL ')
    const name = `out_${index}_all_${p}`
    await connection.run(`CREATE TEMP TABLE ${name} AS ${sql}`)
    made.push(name)
  }
  for (const part of parts) await connection.run(`DROP TABLE temp.${part}`)
  return made
}
