// Cursors of the PostgreSQL protocol, settings that statements read and change, and lists without a type, as clients send them: over a
// socket, with node-postgres and raw bytes, in process, over local files, with the real engine.

import pg from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { ListedTable } from '../../../../../client/gateway/pg/catalogue.ts'
import type { PgServer } from '../../../../../client/gateway/pg/server.ts'
import { until } from '../../../../kit/cluster.ts'
import type { SqlParams } from '../../../../../client/sql/statement.ts'
import { Local } from '../../sql/kit.ts'
import { message, RawClient, startServer, startup } from './kit.ts'

let on: Local
let server: PgServer
let port: number
const tables: ListedTable[] = [{ name: 'flights', kind: 'table', columns: [{ name: 'n', type: 'INTEGER' }] }]
const ends: (() => unknown)[] = []
beforeAll(async () => {
  on = new Local()
  on.write('a.csv', 'n,s,day,who\n1,x,2024-05-01,ada\n2,"a ""b""",2024-05-02,bob\n3,1,2024-06-01,ada\n')
  // Names of tables are those of a cluster, which is not here.
  const sql = (text: string, signal: AbortSignal, params: SqlParams): unknown =>
    on.query(text.replaceAll(/\bflights\b/g, `'./a.csv'`), params, { signal });
  ({ server, port } = await startServer(on, { tables, sql }))
})
afterEach(async () => { for (const end of ends.splice(0)) await end() })
afterAll(async () => {
  await server.stop()
  on[Symbol.dispose]()
})

async function connect(): Promise<(text: string, values?: unknown[]) => Promise<unknown[][]>> {
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'ada', database: 'x' })
  client.on('error', () => {})
  ends.push(() => client.end().catch(() => {}))
  await client.connect()
  return async (text, values) => (await client.query({ text, ...values && { values }, rowMode: 'array' })).rows as unknown[][]
}

const numbers = (from: number, to: number): number[][] => Array.from({ length: to - from }, (_, i) => [from + i])
const declare = 'DECLARE c CURSOR FOR SELECT i::INT AS i FROM range(1000) t(i)'

test('a cursor gives its rows some at a time, in a transaction, and holds nothing once it is closed', async () => {
  const query = await connect()
  await query('BEGIN')
  await query(`declare "My ""C""" no scroll cursor without hold for select i::int as i from range(1000) t(i)`)
  expect(server.load.queries).toBe(1)
  expect(await query(`FETCH FORWARD 3 FROM "My ""C"""`)).toEqual(numbers(0, 3))
  expect(await query(`fetch "My ""C"""`)).toEqual(numbers(3, 4))
  expect(await query(`FETCH NEXT IN "My ""C"""`)).toEqual(numbers(4, 5))
  await query(`MOVE 5 FROM "My ""C"""`)
  expect(await query(`FETCH RELATIVE 2 FROM "My ""C"""`)).toEqual([[11]])
  expect(await query(`FETCH ABSOLUTE 21 FROM "My ""C"""`)).toEqual([[20]])
  await query(`MOVE ABSOLUTE 998 "My ""C"""`)
  expect(await query(`SELECT name, is_holdable FROM pg_cursors`)).toEqual([['My "C"', false]])
  expect(await query(`FETCH ALL FROM "My ""C"""`)).toEqual(numbers(998, 1000))
  expect(await query(`FETCH 10 FROM "My ""C"""`)).toEqual([])
  expect(server.load.queries).toBe(0)
  await query(`CLOSE "My ""C"""`)
  await query(declare)
  await query('COMMIT')
  expect(server.load.queries).toBe(0)
  await expect(query('FETCH 1 FROM c')).rejects.toMatchObject({ code: '34000' })
})

test('a cursor has the values of its statement, and the columns that the client asks for', async () => {
  const query = await connect()
  await query('BEGIN')
  await query(`DECLARE c CURSOR FOR SELECT n, s FROM './a.csv' WHERE n >= $1 ORDER BY n`, [2])
  // The extended protocol describes the statement before it is executed.
  expect(await query('FETCH 1 FROM c', [])).toEqual([['2', 'a "b"']])
  expect(await query('FETCH ALL FROM C', [])).toEqual([['3', '1']])
  await query('CLOSE ALL')
  await expect(query('CLOSE c')).rejects.toMatchObject({ code: '34000' })
  await query('ROLLBACK')
  const raw = new RawClient(port)
  // A portal of DECLARE is described by its name, and a FETCH is executed some rows at a time.
  raw.send(startup(), message('Q', `BEGIN; ${declare}\0`), message('D', 'Pc\0'), message('S'))
  raw.send(message('P', '\0FETCH 5 FROM c\0\0\0'), message('B', '\0\0\0\0\0\0\0\x01\0\x01'), message('E', Buffer.from([0, 0, 0, 0, 3])),
    message('E', Buffer.from([0, 0, 0, 0, 3])), message('S'))
  await until('the rows', async () => raw.types.endsWith('Z') && raw.types.split('Z').length === 5)
  expect(raw.types).toMatch(/CCZTZ12DDDsDDCZ$/)
  expect(raw.rows.map(([bytes]) => bytes!.readInt32BE())).toEqual([0, 1, 2, 3, 4])
  raw.socket.destroy()
  await until('the end of the query', async () => server.load.queries === 0)
})

test('a cursor WITH HOLD outlives its transaction, unless that is rolled back; another one needs a transaction', async () => {
  const query = await connect()
  await expect(query(declare)).rejects.toMatchObject({ code: '25P01' })
  await query(declare.replace('FOR', 'WITH HOLD FOR'))
  await expect(query(declare.replace('FOR', 'WITH HOLD FOR'))).rejects.toMatchObject({ code: '42P03' })
  expect(await query('FETCH 2 FROM c')).toEqual(numbers(0, 2))
  await query('BEGIN')
  await query(declare.replace('c CURSOR FOR', 'd CURSOR WITH HOLD FOR'))
  await query('ROLLBACK')
  expect(await query('FETCH 2 FROM c', [])).toEqual(numbers(2, 4))
  await expect(query('FETCH 2 FROM d')).rejects.toMatchObject({ code: '34000' })
  await expect(query(`${declare.replace('c CURSOR FOR', 'e CURSOR WITH HOLD FOR')}; SELECT nope`)).rejects.toMatchObject({ code: '42703' })
  await expect(query('FETCH e')).rejects.toMatchObject({ code: '34000' })
  await query('DISCARD ALL')
  expect(server.load.queries).toBe(0)
  // Several statements in one text are a transaction.
  await query(`${declare}; FETCH 1 FROM c; CLOSE c`)
  expect(server.load.queries).toBe(0)
})

test('a cursor goes forward only, and one whose query has failed gives no rows any more', async () => {
  const query = await connect()
  const states: Readonly<Record<string, string>> = {
    'FETCH PRIOR FROM c': '55000', 'FETCH BACKWARD 2 FROM c': '55000', 'FETCH -1 FROM c': '55000', 'FETCH LAST FROM c': '55000',
    'FETCH ABSOLUTE 1 FROM c': '55000', 'FETCH RELATIVE 0 FROM c': '55000', 'FETCH 0 FROM c': '55000', 'MOVE FIRST IN c': '55000',
    'FETCH some FROM c': '42601', 'DECLARE d SCROLL CURSOR FOR SELECT 1': '0A000', 'DECLARE d CURSOR SELECT 1': '42601',
    'DECLARE d CURSOR FOR SELECT nope': '42703', 'DECLARE d CURSOR FOR DROP TABLE flights': '0A000', 'CLOSE': '42601',
  }
  for (const [text, code] of Object.entries(states)) {
    await query('BEGIN')
    await query(declare)
    await query('FETCH 2 FROM c')
    await expect(query(text), text).rejects.toMatchObject({ code })
    await query('ROLLBACK')
  }
  await query(`DECLARE e CURSOR WITH HOLD FOR SELECT CASE WHEN i < 5000 THEN i ELSE error('late') END FROM range(10000) t(i)`)
  await expect(query('FETCH ALL FROM e')).rejects.toThrow('late')
  await expect(query('FETCH ALL FROM e')).rejects.toMatchObject({ code: '34000' })
  expect(server.load.queries).toBe(0)
})

test('current_setting and set_config read and change the settings of the session, as SET does', async () => {
  const query = await connect()
  const shown = async (name: string): Promise<unknown> => (await query(`SHOW ${name}`))[0]![0]
  expect(await query(`SELECT set_config('statement_timeout', '5000', false)`)).toEqual([['5s']])
  expect(await query(`SELECT current_setting('statement_timeout'), current_setting($1)`, ['Application_Name'])).toEqual([['5s', '']])
  expect(await shown('statement_timeout')).toBe('5s')
  expect(await query(`select pg_catalog.set_config($1, $2 || 'b', false), set_config('search_path', '', false)`, ['app.tenant', 'a']))
    .toEqual([['ab', '']])
  expect([await shown('app.tenant'), await shown('search_path')]).toEqual(['ab', ''])
  await query('BEGIN')
  await query(`SELECT set_config('app.tenant', 'other', true), set_config('app.both', '1', false)`)
  expect(await query(`SELECT current_setting('app.tenant')`)).toEqual([['other']])
  await query('COMMIT')
  expect(await query(`SELECT current_setting('app.tenant'), current_setting('app.both')`)).toEqual([['ab', '1']])
  // Without a transaction, the value of a transaction ends with the statement.
  expect(await query(`SELECT set_config('app.tenant', 'brief', true)`)).toEqual([['brief']])
  expect(await query(`SELECT current_setting('app.tenant')`)).toEqual([['ab']])
  await query(`SELECT set_config('bytea_output', 'hex', false) FROM pg_show_all_settings() WHERE name = 'bytea_output'`)
  expect(await query(`SELECT set_config('app.tenant', 'not', false) FROM pg_settings WHERE name = 'nope'`)).toEqual([])
  expect(await shown('app.tenant')).toBe('ab')
  expect(await query(`SELECT setting FROM pg_settings WHERE name = 'app.tenant'`)).toEqual([['ab']])
  expect(await query(`SELECT current_setting('nope', true), current_setting('a.b', true)`)).toEqual([[null, null]])
  const states: Readonly<Record<string, string>> = {
    [`SELECT current_setting('nope')`]: '42704', [`SELECT set_config('nope', '1', false)`]: '42704',
    [`SELECT set_config('TimeZone', 'Europe/Rome', false)`]: '0A000',
    [`SELECT set_config('statement_timeout', 'soon', false)`]: '22023', [`SELECT set_config('app.x', '1')`]: '42883',
  }
  for (const [text, code] of Object.entries(states)) await expect(query(text), text).rejects.toMatchObject({ code })
  await query('RESET app.tenant')
  await expect(shown('app.tenant')).rejects.toMatchObject({ code: '42704' })
})

test('a query over data may ask for its user and its settings, and is not taken for one over the catalogue', async () => {
  const query = await connect()
  await query(`SET app.who = 'bob'`)
  expect(await query(`SELECT n FROM flights WHERE who = current_user ORDER BY n`)).toEqual([['1'], ['3']])
  expect(await query(`SELECT n FROM flights WHERE who = pg_catalog.current_setting('app.who')`)).toEqual([['2']])
  expect(await query(`SELECT n FROM './a.csv' WHERE who = session_user AND current_setting('a.b', true) IS NULL ORDER BY n`))
    .toEqual([['1'], ['3']])
  await expect(query(`SELECT set_config('app.who', who, false) FROM flights`)).rejects.toMatchObject({ code: '0A000' })
  await expect(query(`SELECT * FROM flights, pg_class`)).rejects.toMatchObject({ code: '0A000' })
})

test('the elements of a list without a type have the type of what they are compared with', async () => {
  const query = await connect()
  const found = async (condition: string, ...values: unknown[]): Promise<unknown> =>
    (await query(`SELECT n FROM './a.csv' WHERE ${condition} ORDER BY n`, values)).flat().join()
  expect(await found('n = any($1)', [1, 2])).toBe('1,2')
  // A column of texts, and elements that look like numbers.
  expect(await found('s = ANY($1)', ['1', '7'])).toBe('3')
  expect(await found('s = ANY($1) OR n = SOME ($2)', ['x', null], [2, null])).toBe('1,2')
  expect(await found('day = any($1)', ['2024-05-01', '2024-06-01'])).toBe('1,3')
  expect(await found('n <> ALL($1) AND s != all($2)', [1], ['1'])).toBe('2')
  expect(await found('NOT n + 1 = any($1) AND who = $2', ['2'], 'ada')).toBe('3')
  expect(await found('n = any($1)', [])).toBe('')
  expect(await found(`s = any($1)`, [`it's`, 'a "b"', 'x'])).toBe('1,2')
  expect(await found('n < any($1)', [1, 3])).toBe('1,2')
  // As many as applications ask for at once.
  expect(await found('n = any($1)', Array.from({ length: 50_000 }, (_, i) => 100_000 + i).concat(3))).toBe('3')
  const listed = `SELECT table_name FROM information_schema.tables WHERE table_name = any($1)`
  expect(await query(listed, [['flights', 'other']])).toEqual([['flights']])
  await expect(found('n = any($1)', ['y'])).rejects.toMatchObject({ code: '22P02' })
})

test('columns and tables are those that the catalogue has when they are asked for', async () => {
  const query = await connect()
  const columns = (): Promise<unknown[][]> =>
    query(`SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'v' ORDER BY ordinal_position`)
  expect(await columns()).toEqual([])
  tables.push({ name: 'v', kind: 'view', columns: [{ name: 'a', type: 'INTEGER' }] })
  expect(await columns()).toEqual([['a', 'integer']])
  tables.splice(1, 1, { name: 'v', kind: 'view', columns: [{ name: 'a', type: 'DATE' }, { name: 'b', type: 'VARCHAR' }] })
  expect(await columns()).toEqual([['a', 'date'], ['b', 'text']])
  tables.splice(1, 1)
  expect(await columns()).toEqual([])
})
