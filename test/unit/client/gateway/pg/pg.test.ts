// The PostgreSQL protocol with node-postgres and with raw bytes: values, parameters, cursors, errors, users, encryption, cancel, and
// clients that break the protocol or go at any time. In process, over local files, with the real engine.

import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { PgServer } from '../../../../../client/gateway/pg/server.ts'
import { until } from '../../../../kit/cluster.ts'
import { root } from '../../../../tidy/source.ts'
import { Local } from '../../sql/kit.ts'
import { first } from '../certificates.ts'
import { message, RawClient, startServer, startup } from './kit.ts'

let on: Local
let server: PgServer
let port: number
const ends: (() => unknown)[] = []
beforeAll(async () => {
  on = new Local()
  on.write('a.csv', 'n,s,day\n1,x,2024-05-01\n2,"a ""b""",2024-05-02\n3,,2024-06-01\n')
  const tables = [
    {
      name: 'flights', kind: 'table' as const, comment: 'all of them',
      columns: [{ name: 'n', type: 'DECIMAL(9,2)' }, { name: 'tags', type: 'VARCHAR[]' }],
    },
    // A view may have two columns of one name.
    { name: 'twice', kind: 'view' as const,
      columns: [{ name: 'a', type: 'INTEGER' }, { name: 'a', type: 'DATE' }, { name: 'A', type: 'DATE' }] },
    // A type is a text that its creator has chosen.
    { name: 'odd', kind: 'view' as const,
      columns: [{ name: 'x', type: `INTEGER); COPY (SELECT 1) TO '${on.dir}/made.csv'; CREATE TABLE z (y INTEGER` }] },
  ]
  const keys = { GMA: { user: 'bob', secret: 'hush' } };
  ({ server, port } = await startServer(on, { keys, tables }))
})
afterEach(async () => { for (const end of ends.splice(0)) await end() })
afterAll(async () => {
  await server.stop()
  on[Symbol.dispose]()
})

async function connect(config: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'ada', database: 'x', ...config })
  client.on('error', () => {})
  ends.push(() => client.end().catch(() => {}))
  await client.connect()
  return client
}

const values = `SELECT true AS b, 1::SMALLINT AS i2, -5 AS i4, 9007199254740993 AS i8, 0.1::FLOAT AS f4, -0.5::DOUBLE AS f8, 'ö"' AS t,
  '\\xAA'::BLOB AS y, DATE '2024-02-29' AS d, TIMESTAMP '1999-12-31 23:59:59.000001' AS ts, TIMESTAMPTZ '2024-01-01 00:00:00+02' AS tz,
  -1234567.0809::DECIMAL(20, 4) AS num, 170141183460469231731687303715884105727::HUGEINT AS huge,
    uuid '6128f424-bf0b-41f3-9d03-b55182978875' AS id,
  [1, NULL, 3] AS l, ['a,b', NULL, '"q\\'] AS tl, {'a': [1]} AS st, TIME '10:00:00.5' AS tm, NULL AS nil, 'nan'::DOUBLE AS nan,
    0::DECIMAL(5, 2) AS zero,
  0.0001::DECIMAL(5, 4) AS small, DATE '0044-03-15 (BC)' AS ides, TIMESTAMP '0044-03-15 (BC) 10:00:00' AS murder`

test('values of all common types come in text and in binary form', async () => {
  const { rows: [text], fields } = await (await connect()).query({ text: values,
    types: { getTypeParser: () => (value: string) => value } as never })
  expect(text).toEqual({
    b: 't', i2: '1', i4: '-5', i8: '9007199254740993', f4: '0.1', f8: '-0.5', t: 'ö"', y: '\\xaa', d: '2024-02-29',
      ts: '1999-12-31 23:59:59.000001',
    tz: '2023-12-31 22:00:00+00', num: '-1234567.0809', huge: '170141183460469231731687303715884105727',
      id: '6128f424-bf0b-41f3-9d03-b55182978875',
    l: '{1,NULL,3}', tl: String.raw`{"a,b",NULL,"\"q\\"}`, st: '{"a":[1]}', tm: '10:00:00.5', nil: null, nan: 'NaN', zero: '0.00',
      small: '0.0001',
    ides: '0044-03-15 BC', murder: '0044-03-15 10:00:00 BC',
  })
  const raw = new RawClient(port)
  raw.send(startup(), message('P', `\0${values}\0\0\0`), message('B', '\0\0\0\0\0\0\0\x01\0\x01'),
    message('E', Buffer.from([0, 0, 0, 0, 0])), message('S'))
  await until('the row', async () => raw.types.endsWith('12DCZ'))
  const binary = Object.fromEntries(fields.map(({ name }, i) => [name, raw.rows[0]![i]!]))
  const hex = Object.fromEntries(Object.entries(binary).map(([name, bytes]) => [name, bytes === null ? null : bytes.toString('hex')]))
  raw.socket.destroy()
  expect(hex).toMatchObject({
    b: '01', i2: '0001', i4: 'fffffffb', i8: '0020000000000001', f4: '3dcccccd', f8: 'bfe0000000000000', t: 'c3b622', y: 'aa',
      d: '00002279',
    num: '0003000140000004007b11d70329', nil: null, id: '6128f424bf0b41f39d03b55182978875',
    l: '00000001000000010000001700000003000000010000000400000001ffffffff0000000400000003', zero: '0000000000000002',
      small: '0001ffff000000040001',
  })
  // One microsecond and a second before 2000, and the days of 2,043 years before it.
  expect([binary['ts']!.readBigInt64BE(), binary['tz']!.readBigInt64BE(), binary['ides']!.readInt32BE(),
    binary['murder']!.readBigInt64BE()]).toEqual([-999_999n, 757_375_200_000_000n, -746_117, (-746_117n * 24n + 10n) * 3_600_000_000n])
  expect(fields.find(({ name }) => name === 'num')).toMatchObject({ dataTypeID: 1700, dataTypeModifier: (20 << 16 | 4) + 4 })
})

test('parameters have the types that the client gives, or those that the statement needs', async () => {
  const client = await connect()
  const query = async (text: string, given: unknown[]) => (await client.query({ text, values: given, rowMode: 'array' })).rows
  expect(await query(`SELECT s FROM './a.csv' WHERE n = $1`, ['2'])).toEqual([['a "b"']])
  expect(await query(`SELECT n FROM './a.csv' WHERE n >= $1 AND day < $2 ORDER BY n LIMIT $3`, [1, '2024-05-02', 5])).toEqual([['1']])
  expect(await query(`SELECT $1 AS a, $2::INT + 1 AS b, $3 IS NULL AS c`,
    [`'; DROP TABLE x; --`, '41', null])).toEqual([[`'; DROP TABLE x; --`, 42, true]])
  expect(await query(`SELECT $1::INT[] AS l`, [[1, 2]])).toEqual([[[1, 2]]])
  expect(await query(`SELECT n FROM './a.csv' WHERE n = ANY($1) OR s = ANY($2) ORDER BY n`, [[3], ['x', 'a "b']])).toEqual([['1'], ['3']])
  await expect(query('SELECT $1', [])).rejects.toMatchObject({ code: '08P01' })
  await expect(query('SELECT $1::INT', ['x'])).rejects.toMatchObject({ code: '22P02' })
  // A prepared statement is planned once, and described without values.
  for (const n of [1, 3]) expect((await client.query({ name: 'by-n', text: `SELECT day FROM './a.csv' WHERE n = $1`,
    values: [n] })).rows).toHaveLength(1)
})

test('rows come some at a time, and a cursor that is left holds nothing', async () => {
  const client = new RawClient(port)
  client.send(startup(), message('P', '\0SELECT i FROM range(100000) t(i)\0\0\0'), message('B', '\0\0\0\0\0\0\0\0'), message('D', 'P\0'))
  client.send(message('E', Buffer.from([0, 0, 0, 0, 3])), message('E', Buffer.from([0, 0, 0, 0, 2])), message('H'))
  await until('five rows', async () => client.types.endsWith('DDDsDDs'))
  expect(client.types).toMatch(/^R+S+KZ12TDDDsDDs$/)
  expect(server.load.queries).toBe(1)
  client.send(message('S'))
  await until('the end of the portal', async () => server.load.queries === 0 && client.types.endsWith('Z'))
  client.send(message('E', Buffer.from([0, 0, 0, 0, 0])), message('S'))
  await until('an error: there is no portal any more', async () => client.types.endsWith('EZ'))
  client.socket.destroy()
})

test('files of the machine of a gateway are not read, whatever they are called', async () => {
  const { server: own, port: at } = await startServer(on, { asGateway: true })
  ends.push(() => own.stop())
  const client = await connect({ port: at })
  for (const name of ['./a.csv', '../a.csv', '../../a.csv', `file:${on.dir}/a.csv`, `file://${on.dir}/a.csv`, '~/a.csv', '../', './*.csv'])
    await expect(client.query(`FROM '${name}'`), name).rejects.toThrow(/not read here|there is no cluster/)
  await expect(client.query(`SELECT * FROM './a.csv'`)).rejects.toMatchObject({ code: '42501' })
  await expect(client.query({ text: `COPY (FROM 'file:${on.dir}/a.csv') TO STDOUT` })).rejects.toMatchObject({ code: '42501' })
  await expect(client.query({ text: `SELECT * FROM './a.csv' WHERE n = $1`, values: [1] })).rejects.toMatchObject({ code: '42501' })
})

test('a long text of a client does not hold up the others', async () => {
  const client = await connect()
  await expect(client.query(`${'/**/'.repeat(100_000)}explain x`)).rejects.toThrow(/syntax|"x"/)
  await expect(client.query(`select 1 ${'/*'.repeat(200_000)}`)).rejects.toThrow('inside of a comment')
  await expect(client.query({ text: 'select $65535', values: [1] })).rejects.toMatchObject({ code: '08P01' })
  await expect(client.query(`select 1 ${' '.repeat(1_000_000)}`)).rejects.toThrow('characters')
  // A text of quotes in a query over the system catalogue, and semicolons in a text.
  for (const text of ["''".repeat(200_000), `${';'.repeat(400_000)}x`])
    expect((await client.query(`select count(*)::int as n from pg_catalog.pg_class where relname = '${text}'`)).rows).toEqual([{ n: 0 }])
  expect((await client.query({ text: 'select $1::INT[] AS a, 2 = any($2) AS b', values: [[1, 2], [2]] })).rows).toEqual([{ a: [1, 2], b: true }])
})

test.each([
  ['selec 1', '42601', 1], [`SELECT\n  ö, nope FROM './a.csv'`, '42703', undefined], [`SELECT n,\n  nope FROM './a.csv'`, '42703', 13],
  [`SELECT * FROM './none.csv'`, '42P01', undefined], ['SELECT * FROM nowhere', '42P01', 15], ['SELECT nofun(1)', '42883', 8],
    [`SELECT 'x'::INT`, '22P02', undefined],
  ['SELECT 1e30::BIGINT', '22003', undefined], ['DELETE FROM t', '0A000', undefined],
  ['create table zz as select 1', '0A000', undefined], ['DROP VIEW odd', '0A000', undefined],
  ['INSERT INTO odd SELECT 1', '0A000', undefined],
    [`SELECT content FROM read_text('/etc/passwd')`, '42501', undefined],
  ['COPY t FROM STDIN', '0A000', undefined], ['SET TimeZone = \'Europe/Berlin\'', '0A000', undefined],
    ['SET nope = 1', '42704', undefined], ['SHOW nope', '42704', undefined],
  ['FETCH 1 FROM c', '34000', undefined],
])('%s fails with SQLSTATE %s', async (text, code, position) => {
  const client = await connect()
  const error = await client.query(text).catch((thrown: unknown) => thrown) as { code: string; position?: string }
  expect(error.code).toBe(code)
  if (position !== undefined) expect(error.position).toBe(String(position))
  // The session goes on.
  expect((await client.query('SELECT 7 AS n')).rows).toEqual([{ n: 7 }])
})

test('several statements, transactions, settings, COPY', async () => {
  const client = await connect()
  const results = await client.query(`-- both\nSELECT 1 AS a; SELECT ';' AS b /* ; */; `) as unknown as pg.QueryResult[]
  expect(results.map(({ rows }) => rows)).toEqual([[{ a: 1 }], [{ b: ';' }]])
  expect((await client.query('')).rows).toEqual([])
  await client.query('BEGIN')
  await expect(client.query('SELECT nope')).rejects.toMatchObject({ code: '42703' })
  await expect(client.query('SELECT 1')).rejects.toMatchObject({ code: '25P02' })
  expect((await client.query('COMMIT')).command).toBe('ROLLBACK')
  await client.query(`SET application_name TO 'my tool'`)
  expect((await client.query('SHOW application_name')).rows).toEqual([{ application_name: 'my tool' }])
  expect((await client.query(`SELECT count(*)::INT AS n FROM './a.csv'`)).rows).toEqual([{ n: 3 }])
  await client.query('SET statement_timeout = 20')
  await expect(client.query('SELECT count(*) FROM range(10000000) a, range(100000) b')).rejects.toMatchObject({ code: '57014' })
  const raw = new RawClient(port)
  raw.send(startup(), message('Q', `COPY (SELECT n, s FROM './a.csv' ORDER BY n) TO STDOUT WITH (FORMAT csv, HEADER)\0`),
    message('Q', `COPY (SELECT 'a\tb\\', NULL) TO STDOUT\0`))
  await until('both copies', async () => /CZ.*CZ$/.test(raw.types))
  expect(raw.types).toMatch(/HddddcCZHdcCZ$/)
  expect(raw.received.toString()).toContain('2,"a ""b"""\n')
  expect(raw.received.toString()).toContain('a\\tb\\\\\t\\N\n')
  raw.socket.destroy()
})

test('settings go back by RESET ALL and DISCARD ALL; forms that are not read are refused; a transaction has its own', async () => {
  const client = await connect({ statement_timeout: 9000 })
  const shown = async (): Promise<unknown> => (await client.query('show statement_timeout')).rows[0]
  const run = async (...statements: string[]): Promise<unknown> => {
    for (const each of statements) await client.query(each)
    return shown()
  }
  expect(await run("set statement_timeout = '5s'")).toEqual({ statement_timeout: '5s' })
  expect(await run('DISCARD PLANS')).toEqual({ statement_timeout: '5s' })
  expect(await run('reset all')).toEqual({ statement_timeout: '9s' })
  expect(await run('set statement_timeout to 7', 'discard all')).toEqual({ statement_timeout: '9s' })
  expect(await run('begin', "set local statement_timeout = '3s'")).toEqual({ statement_timeout: '3s' })
  expect(await run('commit')).toEqual({ statement_timeout: '9s' })
  expect(await run('begin', "set statement_timeout = '7s'", 'rollback')).toEqual({ statement_timeout: '9s' })
  await client.query("begin; set statement_timeout = '6s'")
  await client.query('select nope').catch(() => {})
  expect(await run('commit')).toEqual({ statement_timeout: '9s' })
  await run("set names 'utf8'", 'reset role', 'reset time zone', 'set session characteristics as transaction read only')
  const states = {
    "set names 'latin1'": '0A000', 'set statement_timeout 5000': '42601', 'set garbage here': '42601', 'reset nope': '42704',
    'set statement_timeout from current': '42601', 'discard everything': '42601', 'show constructor': '42704', 'set __proto__ = 5': '42704',
  }
  for (const [text, code] of Object.entries(states)) await expect(client.query(text), text).rejects.toMatchObject({ code })
})

test('bytes come as a client of PostgreSQL writes them: in a statement, and as a parameter that is cast to bytea', async () => {
  const client = await connect()
  const bytes = async (expression: string, values?: unknown[]): Promise<unknown> =>
    (await client.query(`select ${expression} as y`, values)).rows[0].y
  const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
  const hex = `\\x${all.toString('hex')}`
  expect(await bytes(`'${hex}'::bytea`)).toEqual(all)
  expect(await bytes(`cast('${hex}' as bytea)`)).toEqual(all)
  expect(await bytes(`'\\x4100' :: bytea || '\\xff'::bytea`)).toEqual(Buffer.from([0x41, 0, 0xff]))
  expect(await bytes(`'\\x41'`)).toBe('\\x41')
  expect(await bytes('$1::bytea', [hex])).toEqual(all)
  expect(await bytes('$1::bytea', [all])).toEqual(all)
  expect(await bytes('cast($1 as bytea)', [Buffer.from('\\x41')])).toEqual(Buffer.from('\\x41'))
  expect(await bytes('octet_length($1::bytea)', ['\\x00ff'])).toBe('2')
  expect(await bytes('$1::bytea', ['a\\\\b\\001'])).toEqual(Buffer.from('a\\b\x01'))
  for (const wrong of ['\\x0', 'a\\b', '\\9'])
    await expect(bytes('$1::bytea', [wrong]), wrong).rejects.toMatchObject({ code: '22P02' })
  await expect(bytes('$1::text', [Buffer.from([0xff])])).rejects.toMatchObject({ code: '22021' })
})

test('tables and columns are listed as psql, drivers and BI tools ask for them', async () => {
  const client = await connect()
  const query = async (text: string, given: unknown[] = []) => (await client.query({ text, values: given, rowMode: 'array' })).rows
  expect(await query(`SELECT n.nspname as "Schema", c.relname as "Name",
    CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' END as "Type", pg_catalog.pg_get_userbyid(c.relowner) as "Owner"
    FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_catalog.pg_am am ON am.oid =
      c.relam
    WHERE c.relkind IN ('r','p','v','m','S','f','') AND n.nspname <> 'pg_catalog' AND n.nspname !~ '^pg_toast' AND n.nspname <> 'information_schema'
    AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1,2;`)).toEqual([['public', 'flights', 'table', 'ada'], ['public', 'odd', 'view', 'ada'],
      ['public', 'twice', 'view', 'ada']])
  const [[oid]] = await query(`SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname OPERATOR(pg_catalog.~) '^(flights)$' COLLATE pg_catalog.default AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 2,
      3;`) as [[string]]
  expect(await query(`SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
    (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum =
      a.attnum AND a.atthasdef),
    a.attnotnull, a.attidentity FROM pg_catalog.pg_attribute a WHERE a.attrelid =
      '${oid}' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;`))
    .toEqual([['n', 'numeric(9,2)', null, false, ''], ['tags', 'text[]', null, false, '']])
  expect(await query(`SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2 ORDER BY ordinal_position`, ['public', 'flights']))
    .toEqual([['n', 'numeric'], ['tags', 'text[]']])
  expect(await query(`select current_user, current_database(), current_schema, version() like 'PostgreSQL 15%', 'flights'::regclass::oid = ${oid}`))
    .toEqual([['ada', 'x', 'public', true, true]])
  // Columns of publications, as \d of a table asks for them.
  expect(await query(`SELECT pubname, (CASE WHEN pr.prattrs IS NOT NULL THEN (SELECT string_agg(attname, ', ')
      FROM pg_catalog.generate_series(0, pg_catalog.array_upper(pr.prattrs::pg_catalog.int2[], 1)) s, pg_catalog.pg_attribute
      WHERE attrelid = pr.prrelid AND attnum = prattrs[s]) ELSE NULL END)
    FROM pg_catalog.pg_publication p JOIN pg_catalog.pg_publication_rel pr ON p.oid = pr.prpubid WHERE pr.prrelid = '${oid}'`)).toEqual([])
  expect(await query(`SELECT obj_description('public.flights'::regclass, 'pg_class'), has_table_privilege('flights', 'select')`)).toEqual([['all of them', true]])
  expect(await query(`SELECT table_name, data_type FROM information_schema.columns WHERE column_name <> 'tags' ORDER BY 1`))
    .toEqual([['flights', 'numeric'], ['odd', 'text'], ['twice', 'integer'], ['twice', 'date'], ['twice', 'date']])
  expect(existsSync(`${on.dir}/made.csv`)).toBe(false)
  await expect(query(`SELECT content FROM read_text('/etc/passwd'), pg_catalog.pg_class`)).rejects.toMatchObject({ code: '42501' })
})

test('a key is proved by SCRAM, on this machine too; a name without one is believed only on loopback', async () => {
  const users: string[] = []
  const other = await startServer(on, { keys: { GMA: { user: 'bob', secret: 'hush' } }, onUser: user => users.push(user) })
  ends.push(() => other.server.stop())
  await connect({ port: other.port, user: 'GMA', password: 'hush' })
  await connect({ port: other.port, user: 'eve' })
  expect(users).toEqual(['bob', 'eve'])
  await expect(connect({ port: other.port, user: 'GMA', password: 'wrong' })).rejects.toMatchObject({ code: '28P01' })
  const open = await startServer(on, { keys: { GMA: { user: 'bob', secret: 'hush' } }, host: '0.0.0.0', onUser: user => users.push(user) })
  ends.push(() => open.server.stop())
  await expect(connect({ port: open.port, user: 'eve', password: 'hush' })).rejects.toMatchObject({ code: '28P01' })
  await connect({ port: open.port, user: 'GMA', password: 'hush' })
  expect(users).toEqual(['bob', 'eve', 'bob'])
})

test('sessions are encrypted with the certificate of the gateway, if the client asks for it', async () => {
  const certificate = { follow: (use: (pair: unknown) => void) => use({ cert: Buffer.from(first.cert), key: Buffer.from(first.key) }) }
  const other = await startServer(on, { keys: { GMA: { user: 'bob', secret: 'hush' } }, certificate: certificate as never,
    host: '0.0.0.0' })
  ends.push(() => other.server.stop())
  const secure = { port: other.port, user: 'GMA', password: 'hush', ssl: { ca: first.cert, servername: 'localhost' } }
  expect((await (await connect(secure)).query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }])
  expect((await (await connect({ ...secure, ssl: false })).query('SELECT 2 AS n')).rows).toEqual([{ n: 2 }])
  await expect(connect({ ssl: true })).rejects.toThrow(/does not support SSL/)
  // Bytes that came before the encryption are no part of the session.
  const early = new RawClient(other.port).send(Buffer.concat([Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]), startup()]))
  await until('the end of the connection', async () => early.isClosed)
  expect(early.received.toString('latin1')).not.toContain('R\0\0\0')
})

test('a request to cancel ends the statement, and only with the secret of its session', async () => {
  const client = await connect() as pg.Client & { processID: number; secretKey: number }
  const long = client.query('SELECT count(*) FROM range(10000000) a, range(100000) b').catch((error: unknown) => error)
  const cancel = (secret: number): RawClient => {
    const bytes = Buffer.alloc(16)
    for (const [i, value] of [16, 80_877_102, client.processID, secret].entries()) bytes.writeInt32BE(value, i * 4)
    return new RawClient(port).send(bytes)
  }
  await until('the query to run', async () => server.load.queries === 1)
  const wrong = cancel(client.secretKey ^ 1)
  await until('the answer', async () => wrong.isClosed)
  expect(server.load.queries).toBe(1)
  cancel(client.secretKey)
  expect(await long).toMatchObject({ code: '57014' })
  expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }])
  await client.query('SET statement_timeout = 50')
  await expect(client.query('SELECT count(*) FROM pg_catalog.pg_type, range(10000000), range(100000)')).rejects.toMatchObject({ code: '57014' })
  await client.query('SET statement_timeout = 0')
  expect((await client.query(`SELECT count(*)::INT AS n FROM pg_catalog.pg_namespace`)).rows).toEqual([{ n: 3 }])
})

test('a request to cancel that comes while a statement is described ends it too', async () => {
  const described = Promise.withResolvers<void>()
  let isAsked = false
  const run = async (): Promise<unknown> => {
    isAsked = true
    await described.promise
    const columns = [{ name: 'n', type: { kind: 'plain', name: 'INTEGER' } }]
    return { columns, async *batches() { yield [[1]] }, async [Symbol.asyncDispose]() {} }
  }
  const own = await startServer(on, { sql: () => ({ run }) })
  ends.push(() => own.server.stop())
  const client = await connect({ port: own.port }) as pg.Client & { processID: number; secretKey: number }
  const asked = client.query({ text: 'SELECT $1 AS n', values: [1] }).catch((error: unknown) => error)
  await until('it is described', async () => isAsked)
  const bytes = Buffer.alloc(16)
  for (const [i, value] of [16, 80_877_102, client.processID, client.secretKey].entries()) bytes.writeInt32BE(value, i * 4)
  const cancel = new RawClient(own.port).send(bytes)
  await until('the request was taken', async () => cancel.isClosed)
  described.resolve()
  expect(await asked).toMatchObject({ code: '57014' })
})

test.each(['a request to cancel', 'the time limit of the session'])('%s ends the rows of a statement that was described before', async what => {
  const awaited = Promise.withResolvers<void>()
  const run = async (signal: AbortSignal): Promise<unknown> => ({
    columns: [{ name: 'n', type: { kind: 'plain', name: 'INTEGER' } }],
    async *batches() {
      awaited.resolve()
      // No row comes before its end.
      await new Promise((_, reject) => { signal.addEventListener('abort', () => reject(signal.reason as Error)) })
      yield [[1]]
    },
    async [Symbol.asyncDispose]() {},
  })
  const own = await startServer(on, { sql: (_, signal) => ({ run: () => run(signal) }) })
  ends.push(() => own.server.stop())
  const client = await connect({ port: own.port }) as pg.Client & { processID: number; secretKey: number }
  if (what !== 'a request to cancel') await client.query('SET statement_timeout = 300')
  const asked = client.query({ text: 'SELECT $1 AS n', values: [1] }).catch((error: unknown) => error)
  await awaited.promise
  if (what === 'a request to cancel') {
    const bytes = Buffer.alloc(16)
    for (const [i, value] of [16, 80_877_102, client.processID, client.secretKey].entries()) bytes.writeInt32BE(value, i * 4)
    new RawClient(own.port).send(bytes)
  }
  expect(await asked).toMatchObject({ code: '57014' })
})

test.each([
  ['nothing', []], ['a half head', [Buffer.from([0, 0])]], ['HTTP', [Buffer.from('GET / HTTP/1.1\r\nhost: x\r\n\r\n')]],
  ['a start of a gigabyte', [Buffer.from([0x40, 0, 0, 0, 0, 3, 0, 0])]],
    ['a length below zero', [Buffer.from([0xff, 0, 0, 0, 0, 3, 0, 0])]],
  ['an old protocol', [startup('ada', 131_072)]], ['no user', [startup('')]], ['a start without its end', [startup().subarray(0, 20)]],
  ['SSL, then nothing', [Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])]], ['an unknown message', [startup(), message('?', 'x')]],
  ['a message of a gigabyte', [startup(), Buffer.from([0x51, 0x40, 0, 0, 0])]], ['a short Parse', [startup(), message('P', 'x')]],
  ['a Bind of lies', [startup(), message('P', '\0SELECT $1\0\0\0'), message('B', Buffer.from([0, 0, 0, 0, 0, 1, 0x7f, 0, 0, 0, 1]))]],
  ['a query in the middle', [startup(), message('Q', 'SELECT i FROM range(100000000) t(i)\0')]],
  ['a long query', [startup(), message('Q', 'SELECT count(*) FROM range(10000000) a, range(100000) b\0')]],
  ['a statement that waits for Sync', [startup(), message('P', '\0SELECT i FROM range(9000) t(i)\0\0\0'),
    message('B', '\0\0\0\0\0\0\0\0'), message('E', Buffer.from([0, 0, 0, 0, 1]))]],
])('a client that sends %s and goes leaves nothing', async (_, bytes) => {
  const client = new RawClient(port).send(...bytes)
  await until('the connection', async () => server.load.connections > 0 || client.isClosed)
  if (bytes.length > 1) await until('an answer', async () => client.received.length > 0 || client.isClosed)
  client.socket.destroy()
  await until('the end of its session', async () => server.load.connections === 0 && server.load.queries === 0)
})

test('a client that does not read stops the query, and gets the rest when it reads; too many sessions are refused', async () => {
  let [given, isClosed] = [0, false]
  const rows = Array.from({ length: 1000 }, (_, i) => [`row ${i} ${'x'.repeat(100)}`])
  const slow = await startServer(on, {
    sessionsMax: 1,
    sql: () => ({
      run: async () => ({
        columns: [{ name: 's', type: { kind: 'plain', name: 'VARCHAR' } }],
        async *batches() { while (given < 1000) { given++; yield rows } },
        [Symbol.asyncDispose]: async () => { isClosed = true },
      }),
    }),
  })
  ends.push(() => slow.server.stop())
  const client = new RawClient(slow.port).send(startup(), message('Q', 'SELECT 1\0'))
  await until('the first rows', async () => client.received.length > 0)
  client.socket.pause()
  let before = -1
  await until('the query to stand still', async () => {
    const isStill = given === before
    before = given
    for (let i = 0; i < 50; i++) await new Promise(setImmediate)
    return isStill
  })
  // Of 115 MB, what the buffers of two sockets hold.
  expect(given).toBeLessThan(300)
  await expect(connect({ port: slow.port })).rejects.toMatchObject({ code: '53300' })
  client.socket.resume()
  await until('more rows', async () => given > before)
  client.socket.destroy()
  await until('the end of the query', async () => isClosed && slow.server.load.connections === 0)
})

test('connections that have not said who they are take no place of a session', async () => {
  const small = await startServer(on, { sessionsMax: 1 })
  ends.push(() => small.server.stop())
  const silent = Array.from({ length: 3 }, () => new RawClient(small.port))
  ends.push(() => { for (const { socket } of silent) socket.destroy() })
  await until('the connections', async () => small.server.load.connections === 3)
  const one = await connect({ port: small.port })
  expect((await one.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }])
  await expect(connect({ port: small.port })).rejects.toMatchObject({ code: '53300' })
  await one.end()
  await until('the end of its session', async () => small.server.load.connections === 3)
  await (await connect({ port: small.port })).end()
})

test('the sample of the guide prints what it shows', async () => {
  const guide = await readFile(join(root, 'docs/guide/postgres.md'), 'utf8')
  const [, code = '', shown] = /^```ts\n([^]*?)^```\n\n```text\n([^]*?)^```$/m.exec(guide)!
  on.write('sales.csv', 'city,day,tonnes\nulm,2024-05-01,12.5\nulm,2023-01-01,5\nbern,2024-05-01,7.25\nbern,2024-06-02,9\n')
  const file = on.write('sample.mjs', code.replace("'pg'", `'${import.meta.resolve('pg')}'`).replace('5432',
    String(port)).replace("'/sales'", "'./sales.csv'")
    .replace('console.log(rows)', 'export { rows }'))
  const { rows } = await import(pathToFileURL(file).href) as { rows: unknown }
  expect(`${inspect(rows)}\n`).toBe(shown)
})
