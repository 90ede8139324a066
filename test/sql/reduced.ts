// A query over tables that have only what it is said to read (src/sql/scans.ts): other columns are null, and rows that do not meet the
// conditions are missing. Its answer has to be that over the whole tables.

import type { DuckDBConnection } from '@duckdb/node-api'
import type { ScanCondition, TableInfo, TableScan } from '../../src/sql/query.ts'
import { nameSql } from '../../src/sql/quote.ts'
import { read, type Answer } from './duckdb.ts'

export async function reducedAnswer(
  connection: DuckDBConnection,
  sql: string,
  tables: readonly TableInfo[],
  scans: ReadonlyMap<string, TableScan>,
): Promise<Answer> {
  await connection.run('CREATE SCHEMA reduced')
  try {
    for (const { name, columns } of tables) {
      const { columns: kept, conditions = [] } = scans.get(name)!
      const list = columns.map(({ name: column, type }) => (kept.includes(column) ? '' : `CAST(NULL AS ${type}) AS `) + nameSql(column))
      const where = conditions.length === 0 ? '' : ` WHERE ${conditions.map(conditionSql).join(' AND ')}`
      await connection.run(`CREATE TABLE reduced.${nameSql(name)} AS SELECT ${list.join(', ')} FROM main.${nameSql(name)}${where}`)
    }
    await connection.run("SET search_path = 'reduced'")
    return await read(connection, sql)
  } finally {
    await connection.run('RESET search_path')
    await connection.run('DROP SCHEMA reduced CASCADE')
  }
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
