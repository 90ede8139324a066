// What a query reads of its tables: own queries, and random ones over tables that are reduced to it. Native DuckDB, in process.

import { expect, test } from 'vitest'
import { scansOf } from '../../../../src/sql/scans.ts'
import type { TableInfo } from '../../../../src/sql/query.ts'
import { difference } from '../../../sql/compare.ts'
import { openDuckDB, oracleOf, read } from '../../../sql/duckdb.ts'
import { randomOf } from '../../../sql/draw.ts'
import { randomQuery } from '../../../sql/generator.ts'
import { reducedAnswer } from '../../../sql/reduced.ts'
import { makeTables, randomTables } from '../../../sql/tables.ts'

const columns = (text: string): TableInfo['columns'] =>
  text.split(', ').map(each => ({ name: each.split(' ')[0]!, type: each.split(' ')[1]! }))
const tables: TableInfo[] = [
  { name: 't', columns: columns('a INTEGER, b BIGINT, c VARCHAR') },
  { name: '/u/*.parquet', columns: columns('x INTEGER, y VARCHAR') },
]

test('the scans of a query name its columns, and conditions that hold for all reads of a table', async () => {
  const oracle = oracleOf(await openDuckDB())
  const of = async (sql: string) => Object.fromEntries(await scansOf(sql, tables, oracle) ?? [])
  const a = (comparison: string, constant: string) => ({ kind: 'compare', column: 'a', comparison, constant })
  expect(await of('SELECT b FROM t WHERE a = 7')).toEqual({
    t: { columns: ['a', 'b'], conditions: [a('=', "CAST('7' AS INTEGER)")] },
    '/u/*.parquet': { columns: ['x'] },
  })
  // One read without conditions needs all rows.
  expect((await of('SELECT b FROM t WHERE a = 7 UNION ALL SELECT a FROM t'))['t']).toEqual({ columns: ['a', 'b'] })
  const or = (await of('SELECT b FROM t WHERE a < 7 UNION ALL SELECT a FROM t WHERE a > 10'))['t']!
  const and = expect.objectContaining({ kind: 'and' }) as unknown
  expect(or.conditions).toEqual([{ kind: 'or', conditions: [and, and] }])
  // Rows without columns are counted by the first one.
  expect((await of('SELECT count(*) FROM t'))['t']).toEqual({ columns: ['a'] })
  expect((await of(`SELECT max(y) FROM T JOIN '/u/*.parquet' ON a = x`))['/u/*.parquet']!.columns.toSorted()).toEqual(['x', 'y'])
  expect(await scansOf('SELECT a FROM t USING SAMPLE 3', tables, oracle)).toBeUndefined()
  expect(await scansOf('SELECT nonsense FROM t', tables, oracle)).toBeUndefined()
  // Nothing is left of it.
  expect(await oracle.rows('SELECT table_name FROM duckdb_tables()')).toEqual([])
})

test('200 random queries have the same answer over tables of what they read alone', async () => {
  const oracle = oracleOf(await openDuckDB())
  const [faults, reduced]: [unknown[], string[]] = [[], []]
  for (let era = 900; era < 908; era++) {
    const connection = await openDuckDB()
    const own = randomTables(randomOf(era))
    await makeTables(connection, own, randomOf(era * 31 + 7))
    for (let seed = era * 25; seed < era * 25 + 25; seed++) {
      const { sql, isOrdered } = randomQuery(randomOf(seed), own)
      const scans = await scansOf(sql, own, oracle)
      const expected = scans && await read(connection, sql).catch(() => undefined)
      if (!scans || !expected) continue
      reduced.push(...[...scans.values()].flatMap(({ conditions }) => (conditions ? [sql] : [])))
      const fault = difference(await reducedAnswer(connection, sql, own, scans), expected, isOrdered)
      if (fault !== undefined) faults.push({ seed, sql, fault, scans: [...scans] })
    }
    connection.closeSync()
  }
  expect(faults).toEqual([])
  expect(reduced.length).toBeGreaterThan(10)
})
