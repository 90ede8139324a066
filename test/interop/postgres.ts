// A real PostgreSQL, started here from the packages of the system: tables are imported under one snapshot, and rows are exported by swap,
// append and upsert. Skipped, with a line that says so, where there is no server or no client package.

import { randomBytes } from 'node:crypto'
import { deepStrictEqual as equal, match, ok, rejects } from 'node:assert/strict'
import type { Mill } from '../../client/index.ts'
import { exportFiles } from '../../client/transfer/export.ts'
import { tableAddressOf } from '../../src/connector/postgres/names.ts'
import { PostgresRows } from '../../src/connector/postgres/sink.ts'
import type { OpenPostgres, PostgresConnection } from '../../src/ports/postgres.ts'
import { systemClock } from '../../src/world/clock.ts'
import { openPostgres } from '../../src/world/postgres.ts'
import type { Peers, Row } from './client.ts'
import { kept } from './postgreskept.ts'
import { kinds } from './postgreskinds.ts'
import { queries } from './postgressql.ts'
import { postgresBin, startPostgres, type PostgresServer } from './servers.ts'

interface Bench {
  readonly db: PostgresConnection
  readonly mill: Mill
  readonly url: (table: string) => string
  readonly server: PostgresServer
}

const rowsOf = async ({ db }: Bench, sql: string): Promise<unknown[]> =>
  (await db.query(sql)).map(row => (row.length === 1 ? row[0] : row))

async function reads(bench: Bench): Promise<void> {
  const { db, mill, url } = bench
  await db.query(`CREATE TABLE grain (id bigint PRIMARY KEY, name text, tons numeric(30,10), at timestamptz, tags text[], more jsonb, raw json,
    yes boolean, part double precision, bytes bytea)`)
  await db.query(`INSERT INTO grain SELECT i, 'name ' || i || E' "\\\\ \\n\\t', i / 7.0, '2026-11-27 10:00+02'::timestamptz + i * interval '1 second',
    ARRAY['a', NULL, 'ü'], jsonb_build_object('n', i), E'{"a":\\n 1}', i % 2 = 0, i / 3.0, '\\x00ff' FROM generate_series(1, 50000) AS i`)
  await db.query(`INSERT INTO grain (id) VALUES (9007199254740995)`)
  await db.query('DELETE FROM grain WHERE id % 10 = 3')
  let during = 0
  const onProgress = (): void => { if (during++ === 0) void db.query('DELETE FROM grain WHERE id < 1000').catch(() => {}) }
  const expected = Number((await rowsOf(bench, 'SELECT count(*) FROM grain'))[0])
  const { files } = await mill.import(url('grain'), '/pg/grain.jsonl', { onProgress })
  equal(files, 1)
  const lines = (await mill.readFile('/pg/grain.jsonl', 'utf8')).trimEnd().split('\n')
  equal(lines.length, expected)
  equal(new Set(lines.map(line => /"id":(\d+)/.exec(line)![1])).size, expected)
  equal(lines.find(line => line.startsWith('{"id":7,')), '{"id":7,"name":"name 7 \\"\\\\ \\n\\t","tons":1.0000000000,'
    + '"at":"2026-11-27T08:00:07+00:00","tags":["a",null,"ü"],"more":{"n": 7},"raw":{"a":  1},"yes":false,"part":2.3333333333333335,'
    + '"bytes":"\\\\x00ff"}')
  ok(lines.some(line => line.startsWith('{"id":9007199254740995,"name":null')))
  // A view is read by one session.
  await db.query('CREATE VIEW a_view AS SELECT id FROM grain WHERE id BETWEEN 2000 AND 2010')
  await mill.import(url('a_view'), '/pg/some.jsonl')
  equal((await mill.readFile('/pg/some.jsonl', 'utf8')).split('\n').length, 11)
  await db.query('DROP VIEW a_view; CREATE TABLE nothing (a int)')
  await mill.import(url('nothing'), '/pg/nothing.jsonl')
  await rejects(mill.import(url('nothing'), '/pg/nothing.csv'), { code: 'EINVAL', message: /a name that ends with .jsonl/ })
  await rejects(mill.import(url('a%2Fb'), '/pg/'), { code: 'EINVAL', message: /no name that a file can have/ })
  equal(await mill.readFile('/pg/nothing.jsonl', 'utf8'), '')
}

async function writes(bench: Bench): Promise<void> {
  const { db, mill, url } = bench
  await db.query(`CREATE TABLE scores (id serial, player text PRIMARY KEY, points int NOT NULL CHECK (points >= 0), at timestamptz DEFAULT now())`)
  await db.query(`CREATE INDEX ON scores (points); CREATE ROLE reader; GRANT SELECT ON scores TO reader; COMMENT ON TABLE scores IS 'kept'`)
  await mill.writeFile('/out/part-00000.csv', 'player,points\nada,3\n"o""b, x",4\n', { parents: true })
  await mill.writeFile('/out/part-00001.csv', 'points,player\n5,grete\n')
  await mill.writeFile('/out/_SUCCESS', '')
  equal(await mill.export('/out', url('scores')), { files: 2, bytes: 54, unchanged: 0 })
  equal(await rowsOf(bench, 'SELECT player, points FROM scores ORDER BY 1'), [['ada', '3'], ['grete', '5'], ['o"b, x', '4']])
  equal((await mill.export('/out', url('scores'))).unchanged, 2)
  // JSON lines in its place; the table before stays, with its rights, indexes, numbers and comment.
  await mill.writeFile('/more/a.jsonl', '{"player":"max","points":7,"at":"2026-11-27T00:00:00Z"}\n{"points":8,"player":"é\\n"}\n', { parents: true })
  await mill.export('/more', url('scores'))
  equal(await rowsOf(bench, 'SELECT player, points, id FROM scores ORDER BY 2'), [['max', '7', '4'], ['é\n', '8', '5']])
  equal(await rowsOf(bench, 'SELECT count(*) FROM scores_old'), ['3'])
  equal(await rowsOf(bench, `SELECT has_table_privilege('reader', 'scores', 'SELECT'), obj_description('scores'::regclass)`), [['t', 'kept']])
  equal(await rowsOf(bench, `SELECT count(*) FROM pg_index WHERE indrelid = 'scores'::regclass`), ['2'])
  equal((await mill.export('/out', url('scores'))).unchanged, 0)
  equal(await rowsOf(bench, 'SELECT count(*) FROM scores'), ['3'])
  await mill.writeFile('/ups.jsonl', '{"player":"ada","points":30}\n{"player":"new","points":1}\n')
  for (let i = 0; i < 2; i++) await mill.export('/ups.jsonl', url('scores'), { mode: 'upsert', key: ['player'] })
  equal(await rowsOf(bench, 'SELECT player, points FROM scores ORDER BY 1'),
    [['ada', '30'], ['grete', '5'], ['new', '1'], ['o"b, x', '4']])
  await mill.writeFile('/add.csv', 'player,points\nzoe,1\n')
  for (let i = 0; i < 2; i++) await mill.export('/add.csv', url('scores'), { mode: 'append' })
  equal(await rowsOf(bench, `SELECT count(*) FROM scores WHERE player = 'zoe'`), ['1'])
  equal(await rowsOf(bench, `SELECT relname FROM pg_class WHERE relname LIKE '\\_gristmill\\_stage%' AND relkind = 'r'`), [])
}

/** Numbers that the table gives go on, whatever the mode; a swap leaves the table to its owner. */
async function numbers({ db, mill, url }: Bench): Promise<void> {
  const bench = { db } as Bench
  await db.query(`CREATE ROLE app; CREATE TABLE "Own" ("Id" int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, nr serial, player text UNIQUE);
    GRANT CREATE ON SCHEMA public TO app; ALTER TABLE "Own" OWNER TO app; ALTER TABLE "Own" SET (fillfactor = 70);
    CREATE ROLE auditor; GRANT SELECT ("Id") ON "Own" TO auditor WITH GRANT OPTION; INSERT INTO "Own" (player) VALUES ('ada'), ('bob')`)
  const rows = (): Promise<unknown[]> => rowsOf(bench, 'SELECT "Id", nr, player FROM "Own" ORDER BY 1')
  await mill.writeFile('/own/a.jsonl', '{"player":"cleo"}\n', { parents: true })
  await mill.export('/own/a.jsonl', url('Own'), { mode: 'append' })
  equal(await rows(), [['1', '1', 'ada'], ['2', '2', 'bob'], ['3', '3', 'cleo']])
  await mill.writeFile('/own/b.csv', 'player\nbob\ndan\n')
  await mill.export('/own/b.csv', url('Own'), { mode: 'upsert', key: ['player'] })
  equal((await rows()).slice(0, 3), [['1', '1', 'ada'], ['2', '2', 'bob'], ['3', '3', 'cleo']])
  await db.query(`INSERT INTO "Own" (player) VALUES ('eve')`)
  equal((await rowsOf(bench, `SELECT count(DISTINCT "Id"), count(*), max("Id") FROM "Own"`))[0], ['5', '5', '6'])
  await mill.writeFile('/own/c.csv', 'player\nfay\ngus\n')
  await mill.export('/own/c.csv', url('Own'))
  equal(await rows(), [['7', '7', 'fay'], ['8', '8', 'gus']])
  equal(await rowsOf(bench, `SELECT reltuples, reloptions FROM pg_class WHERE relname = 'Own'`), [['2', '{fillfactor=70}']])
  equal(await rowsOf(bench, `SELECT has_column_privilege('auditor', '"Own"', 'Id', 'SELECT WITH GRANT OPTION'),
    has_column_privilege('auditor', '"Own"', 'nr', 'SELECT')`), [['t', 'f']])
  await db.query(`SET ROLE app; INSERT INTO "Own" (player) VALUES ('hal'); RESET ROLE`)
  equal((await rows()).at(-1), ['9', '9', 'hal'])
  // The table before goes on with its own numbers, and the next one behind both.
  await db.query(`INSERT INTO "Own_old" (player) VALUES ('ian')`)
  await mill.writeFile('/own/d.jsonl', '{"Id":100,"player":"joe"}\n{"Id":101,"player":"kim"}\n')
  await mill.export('/own/d.jsonl', url('Own'))
  await db.query(`INSERT INTO "Own" (player) VALUES ('lea')`)
  equal((await rows()).map(row => (row as string[])[0]), ['10', '100', '101'])
  await mill.writeFile('/own/e.csv', 'player,Id\njoe,7\n')
  await rejects(mill.export('/own/e.csv', url('Own'), { mode: 'upsert', key: ['player'] }), /"Id" can only be updated to DEFAULT/)
}

/** Each record is there, and what the table does not hold any more is loaded again. */
async function whole(bench: Bench): Promise<void> {
  const { db, mill, url } = bench
  const put = (path: string, text: string): Promise<void> => mill.writeFile(path, text)
  await db.query('CREATE TABLE one (v text)')
  await put('/one.csv', 'v\na\n\\.\n"\\."\nb')
  await mill.export('/one.csv', url('one'))
  equal(await rowsOf(bench, 'SELECT v FROM one'), ['a', '\\.', '\\.', 'b'])
  await db.query('CREATE TABLE blanks (player text, points int)')
  await put('/blanks.jsonl', '{"player":"ada","points":1}\n\n  \r\n \t{"player":"bob","points":2}\n\n')
  await mill.export('/blanks.jsonl', url('blanks'))
  equal(await rowsOf(bench, 'SELECT player, points FROM blanks ORDER BY 1'), [['ada', '1'], ['bob', '2']])
  const loaded = async (): Promise<unknown> => {
    await mill.export('/blanks.jsonl', url('blanks'))
    return (await rowsOf(bench, 'SELECT count(*) FROM blanks'))[0]
  }
  equal((await mill.export('/blanks.jsonl', url('blanks'))).unchanged, 1)
  for (const change of ['DROP TABLE blanks; CREATE TABLE blanks (player text, points int)', 'DELETE FROM blanks']) {
    await db.query(change)
    equal(await loaded(), '2', change)
  }
  await put('/other.jsonl', '{"player":"other"}\n')
  await mill.export('/other.jsonl', url('blanks'))
  await db.query('ALTER TABLE blanks RENAME TO blanks_bad; ALTER TABLE blanks_old RENAME TO blanks')
  equal((await mill.export('/other.jsonl', url('blanks'))).unchanged, 0)
  equal(await rowsOf(bench, 'SELECT player FROM blanks'), ['other'])
  // Columns with the names of those that lines of JSON are loaded through.
  await db.query('CREATE TABLE lined (n int PRIMARY KEY, line text, short varchar(3), doc json)')
  await put('/lined.jsonl', '{"n":1,"line":"a"}\n{"n":2}\n')
  await mill.export('/lined.jsonl', url('lined'))
  await put('/lined2.jsonl', '{"n":1,"line":"b"}\n{"n":3}\n')
  await mill.export('/lined2.jsonl', url('lined'), { mode: 'upsert', key: ['n'] })
  equal(await rowsOf(bench, 'SELECT n, line FROM lined ORDER BY 1'), [['1', 'b'], ['2', null], ['3', null]])
  await put('/lined3.jsonl', '{"n":1}\n{"n":4,"short":"long"}\n')
  await rejects(mill.export('/lined3.jsonl', url('lined')), /lined3\.jsonl, line 2, column "short": value too long .*: "long"$/)
  await put('/lined4.csv', 'n,doc\n1,{}\n2,{x}\n')
  await rejects(mill.export('/lined4.csv', url('lined')), /lined4\.csv, line 3, column doc: invalid input syntax for type json .*: "\{x\}"/)
  // A value that returns.
  await db.query('CREATE TABLE turns (player text PRIMARY KEY, points int)')
  for (const points of [1, 2]) await put(`/turn${points}.jsonl`, `{"player":"ada","points":${points}}\n`)
  for (const points of [1, 2, 1]) await mill.export(`/turn${points}.jsonl`, url('turns'), { mode: 'upsert', key: ['player'] })
  equal(await rowsOf(bench, 'SELECT points FROM turns'), ['1'])
  // A column whose name is that of the table in the statement.
  await db.query(`CREATE TYPE pair AS (q int, r text); CREATE TABLE named (t pair, a text); INSERT INTO named VALUES ((1, 'z'), 'x')`)
  await mill.import(url('named'), '/pg/named.jsonl')
  equal(await mill.readFile('/pg/named.jsonl', 'utf8'), '{"t":{"q":1,"r":"z"},"a":"x"}\n')
}

async function badInput(bench: Bench): Promise<void> {
  const { db, mill, url } = bench
  const before = await rowsOf(bench, 'SELECT player, points FROM scores ORDER BY 1')
  const fails = async (content: string, name: string, message: RegExp, options = {}): Promise<void> => {
    await mill.writeFile(name, content)
    await rejects(mill.export(name, url('scores'), options), (error: Error) => {
      match(error.message, message)
      ok(!error.message.includes('geheim'))
      return true
    })
    equal(await rowsOf(bench, 'SELECT player, points FROM scores ORDER BY 1'), before)
  }
  await fails('player,points\ny,1\n"x\n",many\n', '/b1.csv', /^b1\.csv, line 4, column points: invalid input syntax for type integer: "many"/)
  await fails('{"player":"x","points":1}\n\n{"player":"y","points":7.5}\n', '/b9.jsonl', /^b9\.jsonl, line 3, column "points": invalid input.*"7.5"/)
  await fails('{"player":"x","points":1}\n\\.\n{"player":"y","points":7}\n', '/b10.jsonl', /^b10\.jsonl, line 2: it begins with/)
  await fails('{"player":"x","points":1}\n[1]\n', '/b11.jsonl', /^b11\.jsonl, line 2/)
  await fails('player,points\nx,-1\n', '/b2.csv', /check constraint/)
  await fails('player,points\nx,1\nx,2\n', '/b3.csv', /^b3\.csv, line 3: duplicate key.*\(player\)=\(x\)/)
  const long = randomBytes(6000).toString('base64')
  await fails(`player,points\nx,1\n${long},2\n`, '/b12.csv', /^b12\.csv, line 3: index row size \d+ exceeds/)
  await fails('{"player":"x","points":1}\n{"player":"x","points":2}\n', '/b13.jsonl', /^b13\.jsonl, line 2: duplicate key.*"scores_pkey".*=\(x\)/)
  await fails('{"player":"x","points":1}\n{"player":"y"}\n', '/b14.jsonl', /^b14\.jsonl, line 2: null value in column "points" of relation "scores"/)
  await fails('{"player":"x","points":1}\n{"player":"y","points":-1}\n', '/b15.jsonl', /^b15\.jsonl, line 2: .*check constraint/)
  await fails('player,points\nx,1\n', '/b16.csv', /no unique index on the columns of the key \(points\)/, { mode: 'upsert', key: ['points'] })
  await fails('player,none\nx,1\n', '/b4.csv', /column "none"/)
  await fails('{"player":"x","none":1}\n', '/b5.jsonl', /no column "none"/)
  await fails('{"player":\n', '/b6.jsonl', /json/)
  await fails('{"player":"x","points":1}\n{"player":"x","points":2}\n', '/b7.jsonl', /second time/, { mode: 'upsert', key: ['player'] })
  await fails('x', '/b8.txt', /come from \.csv/)
  await rejects(mill.export('/out', url('none')), { code: 'ENOENT' })
  await rejects(mill.export('/out', url('scores'), { mode: 'upsert' }), { code: 'EINVAL' })
  await rejects(mill.import(url('none'), '/pg/none'), { code: 'ENOENT' })
  await rejects(mill.import(url('scores').replace('geheim', 'falsch'), '/pg/x'), (error: Error & { code: string }) => {
    equal(error.code, 'UNAUTHENTICATED')
    ok(!/falsch|geheim/.test(error.message))
    return true
  })
  // A lock that another session holds is not waited for without end; the table is as before.
  await mill.writeFile('/lock.csv', 'player,points\nlocked,1\n')
  await db.query('BEGIN; LOCK TABLE scores IN ACCESS SHARE MODE')
  await rejects(mill.export('/lock.csv', url('scores')), { code: 'EBUSY' })
  await db.query('COMMIT')
  equal(await rowsOf(bench, 'SELECT player, points FROM scores ORDER BY 1'), before)
  // The repeat continues it: its rows are staged already.
  await mill.export('/lock.csv', url('scores'))
  equal(await rowsOf(bench, 'SELECT player FROM scores'), ['locked'])
  await db.query('CREATE VIEW seen AS SELECT * FROM scores')
  await rejects(mill.export('/out', url('scores')), /cannot be swapped: the view seen/)
  await db.query('DROP VIEW seen')
  const holders: ReadonlyArray<readonly [make: string, drop: string, words: RegExp]> = [
    ['CREATE RULE none AS ON DELETE TO scores DO INSTEAD NOTHING', 'DROP RULE none ON scores', /the rule none/],
    ['CREATE PUBLICATION sent FOR TABLE scores', 'DROP PUBLICATION sent', /the publication sent/],
    ['CREATE TABLE child () INHERITS (scores)', 'DROP TABLE child', /the inheritance of child/],
    ['CREATE TABLE above (LIKE scores); ALTER TABLE scores INHERIT above', 'ALTER TABLE scores NO INHERIT above; DROP TABLE above',
      /its place in above/],
  ]
  for (const [make, drop, words] of holders) {
    await db.query(make)
    await rejects(mill.export('/out', url('scores')), words)
    await db.query(drop)
  }
}

/** Files of an export that is killed, without a cluster. */
const killedFiles: Readonly<Record<string, string>> = { '/k/a.csv': 'n\n1\n2\n', '/k/b.jsonl': '{"n":3}\n' }
const statusOf = (path: string) =>
  ({ path, id: path.length, type: path === '/k' ? 'directory' : 'file', length: killedFiles[path]?.length ?? 0, mtimeMs: 1 }) as never

/** Ends the session before or behind statement number `at` of the export, and every one that follows: what a killed process leaves. */
function killing(at: number, isBehind: boolean): { open: OpenPostgres; count: () => number } {
  let statements = 0
  const open: OpenPostgres = async address => {
    const real = await openPostgres(address)
    const passing = async <T>(work: () => Promise<T>): Promise<T> => {
      const number = ++statements
      if (number > at || number === at && !isBehind) await real.close()
      const result = await work()
      if (number === at) {
        await real.close()
        throw new Error('killed')
      }
      return result
    }
    return {
      query: (sql, params) => passing(() => real.query(sql, params)), copyIn: (sql, bytes) => passing(() => real.copyIn(sql, bytes)),
      copyOut: (sql, target) => real.copyOut(sql, target), close: () => real.close(),
    }
  }
  return { open, count: () => statements }
}

/** The export is killed at each of its statements and begun again: each row is there once. */
async function kills(bench: Bench): Promise<void> {
  const { db, url } = bench
  const deps = {
    cluster: 'c' as never, list: async function* () { for (const path of Object.keys(killedFiles)) yield statusOf(path) },
    files: {
      locate: async (path: string) => ({ status: statusOf(path) }) as never,
      read: (async function* ({ status }: { status: { path: string } }) { yield Buffer.from(killedFiles[status.path]!) }) as never,
    },
  }
  const run = (open: OpenPostgres, mode: 'append' | 'swap') => exportFiles(deps, {
    sink: new PostgresRows({ open, clock: systemClock }, tableAddressOf(url('killed')), { mode }), from: statusOf('/k'),
    overwrite: false, parallel: 1,
  })
  for (const mode of ['append', 'swap'] as const) {
    let killed = 0
    for (let at = 1, last = Infinity; at <= last; at++) {
      for (const isBehind of [false, true]) {
        await db.query('DROP TABLE IF EXISTS killed, killed_old, _gristmill_commits, _gristmill_parts; CREATE TABLE killed (n int)')
        const { open, count } = killing(at, isBehind)
        await run(open, mode).then(() => { last = count() }, () => { killed++ })
        const seen = await rowsOf(bench, 'SELECT n FROM killed ORDER BY 1')
        ok(seen.length === 0 || seen.length === 3, `${mode}, statement ${at}: ${seen.length} rows`)
        await run(openPostgres, mode)
        equal(await rowsOf(bench, 'SELECT n FROM killed ORDER BY 1'), ['1', '2', '3'], `${mode}, statement ${at}`)
      }
    }
    ok(killed > 20)
  }
}

export function postgresPeers({ mill }: { readonly mill: Mill }): Peers {
  const run = async (): Promise<Row> => {
    const bin = postgresBin()
    if (!bin) return { client: 'PostgreSQL', result: 'SKIPPED: no server; apt-get install postgresql' }
    const server = await startPostgres(bin)
    const url = (table: string): string => `postgres://mill:geheim!@127.0.0.1:${server.port}/postgres/${table}`
    try {
      const db = await openPostgres({ host: '127.0.0.1', port: server.port, user: 'mill', password: 'geheim!', database: 'postgres' })
      const bench = { db, mill, url, server }
      const from = performance.now()
      for (const part of [reads, kinds, writes, numbers, whole, badInput, kills]) await part(bench)
      await kept({ db, mill, url, dump: args => server.dump(args) })
      await queries({ db, mill, port: server.port })
      await db.close()
      return { client: 'PostgreSQL', result: `ok: reads, all types, swap, append, upsert, numbers, each record, bad input, kills, what loads keep, SQL (${Math.round(performance.now() - from)} ms)` }
    } catch (error) {
      console.log(error)
      return { client: 'PostgreSQL', result: `FAILED: ${(error as Error).message}`, failed: true }
    } finally {
      server.stop()
    }
  }
  return { install: async () => {}, jobs: { postgres: run } }
}
