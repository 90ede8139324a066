// Confirmation of a finished plan: each stage's SQL is bound by DuckDB over its inputs' declared columns, and has to give the columns
// that the stage declares. A mistake of the planner in a column or a type then shows before any task runs.

import type { QueryColumn, QueryPlan, SqlOracle, TableInfo } from './query.ts'
import { nameSql } from './quote.ts'
import { unsupported } from './unsupported.ts'

export async function checkTypes(plan: QueryPlan, tables: readonly TableInfo[], oracle: SqlOracle): Promise<void> {
  for (const stage of plan.stages) {
    const made: string[] = []
    try {
      for (const { view, from } of stage.inputs) {
        const columns = from.kind === 'stage' ? plan.stages[from.stage]!.columns : tableColumns(tables, from.table, from.columns)
        await oracle.rows(
          `CREATE OR REPLACE TEMP TABLE ${nameSql(view)} (${columns.map(each => `${nameSql(each.name)} ${each.type}`).join(', ')})`,
        )
        made.push(view)
      }
      const found = await oracle
        .rows(`DESCRIBE ${stage.sql}`)
        .catch((error: unknown) => unsupported(`a stage that DuckDB refuses: ${String(error)}`))
      const hash = stage.output.kind === 'exchange' && stage.output.hash !== undefined ? [{ name: stage.output.hash, type: 'UBIGINT' }] : []
      const expected = [...stage.columns, ...hash]
      const isSame =
        found.length === expected.length &&
        expected.every(({ name, type }, i) => found[i]![0] === name && bare(found[i]![1]!) === bare(type))
      const columns = found.map(([name, type]) => ({ name: name!, type: type! }))
      if (!isSame) unsupported(`a stage (${stage.name}) with the columns ${shown(columns)} instead of ${shown(expected)}`)
    } finally {
      for (const view of made) await oracle.rows(`DROP TABLE ${nameSql(view)}`)
    }
  }
}

/** DuckDB quotes the names of a struct's fields where it has to. */
const bare = (type: string): string => type.replaceAll('"', '')

const shown = (columns: readonly QueryColumn[]): string => columns.map(({ name, type }) => `${name} ${type}`).join(', ')

const tableColumns = (tables: readonly TableInfo[], name: string, columns: readonly string[]): QueryColumn[] => {
  const table = tables.find(each => each.name === name)!
  return columns.map(column => table.columns.find(each => each.name === column)!)
}
