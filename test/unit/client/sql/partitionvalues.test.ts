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
  { name: 'tm', type: 'TIME' }, { name: 'tz', type: 'TIMESTAMP WITH TIME ZONE' }, { name: 'dbl', type: 'DOUBLE' },
]
const table = { name: 'T', kind: 'table', managed: true, path: '/tables/t', owner: 'ada', createdMs: 1, changedMs: 1, columns }
let connection: Awaited<ReturnType<typeof openDuckDB>>

beforeAll(async () => {
  connection = await openDuckDB()
  await connection.run(`CREATE TABLE "T@1" (${columns.map(({ name, type }) => `${name} ${type}`).join(', ')})`)
  await connection.run(`INSERT INTO "T@1" VALUES
    ('2026-01-01', '2026-01-01 10:00:00', -7, 1.5, true, '2026-01-01', 0.1, 'old', '10:00:00', '2026-01-01 10:00:00+00', 1e300),
    ('2026-01-02', '2026-01-01 00:00:00', 7, 2, false, '1.50', 1.5, 'other', '10:00:00.5', '2026-01-01 10:00:00.5+00', 0),
    (NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'none', NULL, NULL, NULL)`)
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
  ['d', `'.15e1'`, 'old'], ['d', `DECIMAL(6, 3) '1.500e0'`, 'old'], ['n', `'70e-1'`, 'other'], ['n', `'-0_7.0'`, 'old'],
  ['tm', `TIME '10:00:00.0000000'`, 'old'], ['tm', `'10:00:00.5'`, 'other'], ['tz', `TIMESTAMPTZ '2026-01-01 12:00:00.5+02'`, 'other'],
  ['tz', `'2026-01-01 12:00:00.000000000+02'`, 'old'], ['dbl', '1e300', 'old'], ['dbl', `'0.0'`, 'other'],
  ['dbl', `DECIMAL(4, 1) '0.0'`, 'other'], ['dbl', '0', 'other'], ['dbl', 'NULL', 'none'], ['moment', `'2026-01-01T10:00:00Z'`, 'old'],
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
  ['d', `'1.55e0'`, 'the nearest one is 1.6'], ['d', `'155e-2'`, 'the nearest one is'],
  ['d', `DECIMAL(4, 1) '1.55'`, 'no value of DECIMAL(4, 1)'],
  ['d', `'1.5${'0'.repeat(40)}1'`, 'the nearest one is 1.5'], ['n', `'74e-1'`, 'the nearest one is 7'],
  ['tm', `TIME '10:00:00.0000001'`, 'no value of TIME; the nearest one is 10:00:00'], ['tm', `'10:00:00.0000001'`, 'is 10:00:00'],
  ['tm', `'2026-01-01 10:00:00'`, 'is 10:00:00'], ['tm', `'10:00:00+02'`, 'is 10:00:00'],
  ['tz', `'2026-01-01 10:00:00.0000001+00'`, 'the nearest one is'], ['tz', `CAST('2026-01-01 10:00:00.0000001+00' AS TIMESTAMPTZ)`, 'no value of'],
  ['moment', `'2026-01-01 10:00:00+02'`, 'the nearest one is 2026-01-01 10:00:00'], ['moment', `TIMESTAMP '2026-01-01 10:00:00+02'`, 'no value of'],
  ['dbl', '1e400', 'the nearest one is inf'], ['dbl', '1e-400', 'the nearest one is 0'], ['dbl', '9007199254740993', 'is 9007199254740992'],
  ['dbl', `'9007199254740993'`, 'is 9007199254740992'], ['f', '16777217', 'the nearest one is 16777216'],
  ['n', `CAST('x' AS INTEGER)`, 'Could not convert'],
])('PARTITION (%s = %s) is refused: %s', async (column, constant, said) => {
  await expect(overwrite(column, constant)).rejects.toThrow(said)
})
