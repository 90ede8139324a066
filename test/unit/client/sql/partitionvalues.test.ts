// Constants of INSERT OVERWRITE … PARTITION with a type or a cast, over native DuckDB in process: the rows that are replaced are those that
// plain DuckDB finds for the constant, and a constant that the type of its column does not hold is refused.

import { beforeAll, expect, test } from 'vitest'
import { readCommand } from '../../../../client/sql/command.ts'
import { runCommand } from '../../../../client/sql/commands.ts'
import * as versions from '../../../../src/protocol/version.ts'
import { openDuckDB, read } from '../../../sql/duckdb.ts'

const columns = [
  { name: 'day', type: 'DATE' }, { name: 'moment', type: 'TIMESTAMP' }, { name: 'n', type: 'INTEGER' }, { name: 'd', type: 'DECIMAL(4,1)' },
  { name: 'flag', type: 'BOOLEAN' }, { name: 'txt', type: 'VARCHAR' }, { name: 'f', type: 'FLOAT' }, { name: 'v', type: 'VARCHAR' },
]
const table = { name: 'T', kind: 'table', managed: true, path: '/tables/t', owner: 'ada', createdMs: 1, changedMs: 1, columns }
let connection: Awaited<ReturnType<typeof openDuckDB>>

beforeAll(async () => {
  connection = await openDuckDB()
  await connection.run(`CREATE TABLE "T@1" (${columns.map(({ name, type }) => `${name} ${type}`).join(', ')})`)
  await connection.run(`INSERT INTO "T@1" VALUES
    ('2026-01-01', '2026-01-01 10:00:00', -7, 1.5, true, '2026-01-01', 0.1, 'old'),
    ('2026-01-02', '2026-01-01 00:00:00', 7, 2, false, '1.50', 1.5, 'other'), (NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'none')`)
})

/** Values of `v` after the statement has replaced the rows of a constant by one. */
async function overwrite(column: string, constant: string): Promise<string> {
  let saved = ''
  const row = async (sql: string): Promise<readonly unknown[]> => {
    const { rows: [found] } = await read(connection, sql)
    return found!
  }
  const tools = {
    cluster: {
      ask: async (message: unknown) =>
        (message === versions.list ? { path: '/tables/t', versions: [{ number: 1, head: true }] } : { tables: [table] }),
    },
    save: async (sql: string) => { saved = sql }, row,
    shape: async () => ({ shape: { format: { kind: 'parquet' }, columns, partitions: [] } }), columns: async () => columns,
  } as unknown as Parameters<typeof runCommand>[1]
  const others = columns.map(({ name }) => name).filter(name => name !== column)
  await runCommand(readCommand(
    `INSERT OVERWRITE t PARTITION (${column} = ${constant}) SELECT ${others.map(name => (name === 'v' ? `'new'` : 'NULL')).join(', ')}`,
  )!, tools)
  return (await read(connection, `SELECT v FROM (${saved}) ORDER BY v`)).rows.map(([v]) => v).join()
}

test.each([
  ['day', `DATE '2026-01-01'`, 'old'], ['day', `TIMESTAMP '2026-01-01 00:00:00'`, 'old'], ['day', `'2026-01-02'::DATE`, 'other'],
  ['day', `CAST('2026-01-01' AS DATE)`, 'old'], ['day', `VARCHAR '2026-1-1'`, 'old'], ['day', 'NULL::DATE', 'none'],
  ['day', 'null', 'none'],
  ['moment', `TIMESTAMP '2026-01-01 10:00:00'`, 'old'], ['moment', `DATE '2026-01-01'`, 'other'],
  ['moment', `TIMESTAMP_S '2026-01-01 10:00:00'`, 'old'],
  ['n', '-7', 'old'], ['n', '-7::BIGINT', 'old'], ['n', `CAST(-7.0 AS DOUBLE)`, 'old'], ['n', `'7'::VARCHAR`, 'other'],
  ['n', '+7', 'other'],
  ['n', '70e-1', 'other'], ['d', '1.5::FLOAT', 'old'], ['d', `DECIMAL(6, 3) '1.500'`, 'old'], ['d', '2::TINYINT', 'other'],
  ['flag', 'true', 'old'], ['flag', '0', 'other'], ['flag', `BOOLEAN 'f'`, 'other'], ['txt', `DATE '2026-01-01'`, 'old'],
  ['txt', '1.50::DECIMAL(4, 2)', 'other'], ['f', '0.1', 'old'], ['f', '0.1::DOUBLE', 'old'],
])('PARTITION (%s = %s) replaces the row "%s"', async (column, constant, replaced) => {
  expect(await overwrite(column, constant)).toBe(['new', 'none', 'old', 'other'].filter(each => each !== replaced).join())
})

test.each([
  ['day', `TIMESTAMP '2026-01-01 10:00:00'`, 'the column day (DATE); the nearest one is 2026-01-01'],
  ['day', `'2026-01-01 10:00:00'::VARCHAR`, 'nearest one is 2026-01-01'],
  ['moment', `TIMESTAMP_NS '2026-01-01 10:00:00.000000001'`, 'the column moment (TIMESTAMP); the nearest one is 2026-01-01 10:00:00'],
  ['moment', `'2026-01-01 10:00:00.000000001'`, 'nearest one is 2026-01-01 10:00:00'],
  ['n', '-7.4::DOUBLE', 'the nearest one is -7'], ['n', `VARCHAR '7.4'`, 'the nearest one is 7'], ['n', '74e-1', 'the nearest one is 7'],
  ['d', '1.46::DECIMAL(5, 2)', 'the nearest one is 1.5'], ['flag', '2', 'the nearest one is true'],
  ['day', `DATE '2026-13-01'`, 'date field value out of range'], ['n', `DATE '2026-01-01'`, 'Unimplemented type for cast'],
  ['n', `NOTYPE '1'`, 'NOTYPE'], ['n', `CAST('x' AS INTEGER)`, 'Could not convert'],
])('PARTITION (%s = %s) is refused: %s', async (column, constant, said) => {
  await expect(overwrite(column, constant)).rejects.toThrow(said)
})
