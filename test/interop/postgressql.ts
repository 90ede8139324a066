// Queries over a real PostgreSQL: its tables are read as tables of SQL and of DataFrames, with their types, in this process and by tasks,
// and rows of queries go back by swap, append and upsert.

import { deepStrictEqual as equal, match, ok, rejects } from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Mill } from '../../client/index.ts'
import type { PostgresConnection } from '../../src/ports/postgres.ts'

interface Bench { readonly db: PostgresConnection; readonly mill: Mill; readonly port: number }

const rowsOf = async ({ db }: Bench, sql: string): Promise<unknown[]> =>
  (await db.query(sql)).map(row => (row.length === 1 ? row[0] : row))

/** Addresses without the password, which the environment has. */
const placeIn = ({ port }: Bench) => (table: string): string => `postgres://mill@127.0.0.1:${port}/postgres/${table}`

const stages = `SELECT relname FROM pg_class WHERE relname LIKE '\\_gristmill\\_stage%' AND relkind = 'r'`

/** What is left of copies and staged rows: nothing, also after a failure. */
const left = async (bench: Bench): Promise<unknown[]> => [
  ...await Array.fromAsync(bench.mill.list('/.outside'), ({ path }) => path), ...await rowsOf(bench, stages),
]

export async function queries(bench: Bench): Promise<void> {
  process.env['PGPASSWORD'] = 'geheim!'
  // Exports that were killed before have left theirs.
  for (const stage of await rowsOf(bench, stages)) await bench.db.query(`DROP TABLE "${String(stage)}"`)
  try {
    await types(bench)
    await large(bench)
    await writes(bench)
    await programs(bench)
    await refusals(bench)
  } finally {
    delete process.env['PGPASSWORD']
  }
}

async function types(bench: Bench): Promise<void> {
  const { db, mill } = bench
  const place = placeIn(bench)
  await db.query(`CREATE TABLE kinds (i2 int2, i8 bigint, dec numeric(38,10), free numeric, f4 real, f8 double precision, yes boolean, day date,
    at timestamptz, plain timestamp, hour time, id uuid, text text, "Odd ""name" text, bytes bytea, list int[], doc jsonb, gone int)`)
  await db.query('ALTER TABLE kinds DROP COLUMN gone')
  await db.query(`INSERT INTO kinds VALUES (-7, 9007199254740995, 1234567890123456789012345678.0123456789, 0.12345678901234567890123, 0.1, 'NaN', false,
    '2026-11-27', '2026-11-27 10:00:00.000001+02', '1999-01-01 00:00:00', '23:59:59.5', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
    E'2024-01-01 "\\\\ \\n\\t', '', '\\x00ff', '{1,NULL}', '{"a": 1}'), (${'NULL, '.repeat(16)}NULL)`)
  const rows = await mill.sql(`FROM postgres('${place('kinds')}') ORDER BY i2 NULLS LAST`).collect()
  equal(rows[0], {
    i2: -7, i8: 9007199254740995n, dec: '1234567890123456789012345678.0123456789', free: '0.12345678901234567890123',
    f4: Math.fround(0.1), f8: NaN, yes: false,
    day: '2026-11-27', at: '2026-11-27 08:00:00.000001+00', plain: '1999-01-01 00:00:00', hour: '23:59:59.5',
    id: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', text: '2024-01-01 "\\ \n\t', 'Odd "name': '',
    bytes: '\\x00ff', list: '{1,NULL}', doc: '{"a": 1}',
  })
  ok(Object.values(rows[1]!).every(value => value === null))
  equal(rows.length, 2)
  await db.query(`CREATE TABLE eras AS SELECT v::date AS d, v::timestamp AS t, v::timestamptz AS z
    FROM (VALUES ('0044-03-15 00:00:00.5 BC'), ('0044-03-15'), ('infinity'), (NULL)) AS texts (v)`)
  const eras = await mill.sql(`SELECT d::VARCHAR AS d, year(d) AS y, t::VARCHAR AS t, epoch(z) AS z FROM '${place('eras')}' ORDER BY t`).collect()
  equal(eras, [
    { d: '0044-03-15 (BC)', y: -43n, t: '0044-03-15 (BC) 00:00:00.5', z: -63517823999.5 },
    { d: '0044-03-15', y: 44n, t: '0044-03-15 00:00:00', z: -60772291200 },
    { d: 'infinity', y: null, t: 'infinity', z: null }, { d: null, y: null, t: null, z: null },
  ])
  // A table without rows has columns of the same types; a join with a table of the cluster.
  await db.query('CREATE TABLE none (n bigint, word text)')
  equal(await mill.sql(`SELECT count(*) AS c, sum(n) AS s FROM '${place('none')}'`).collect(), [{ c: 0n, s: null }])
  await mill.writeFile('/sql/names.csv', 'i2,name\n-7,seven\n', { parents: true })
  const joined = await mill.table(place('kinds')).join(mill.table('/sql/names.csv'), 'i2').select('name', 'i8').collect()
  equal(joined, [{ name: 'seven', i8: 9007199254740995n }])
  equal(await left(bench), [])
}

async function large(bench: Bench): Promise<void> {
  const { db, mill } = bench
  const place = placeIn(bench)
  await db.query(`CREATE TABLE many AS SELECT i AS id, i % 7 AS k, (i / 8.0)::numeric(12,3) AS d FROM generate_series(1, 60000) AS i`)
  const sql = `SELECT k, count(*) AS n, sum(d) AS d FROM '${place('many')}' GROUP BY k ORDER BY k`
  const here = await mill.sql(sql, undefined, { localBytes: 1e9 }).collect()
  equal(here.map(({ k, n, d }) => [String(k), String(n), d]), await rowsOf(bench, 'SELECT k, count(*), sum(d) FROM many GROUP BY k ORDER BY k'))
  equal(await mill.sql(sql, undefined, { distribute: 'always' }).collect(), here)
  // A table of the cluster of it: the run resolves when its job, which reads the copy, has ended.
  const run = await mill.sql(`FROM '${place('many')}'`).save('/sql/many')
  equal((await run.status()).state, 'succeeded')
  equal(await mill.sql(`SELECT count(*) AS n, max(d) AS d FROM '/sql/many'`).collect(), [{ n: 60000n, d: '7500.000' }])
  equal(await left(bench), [])
  // TRUNCATE, which older snapshots see, waits for a reader.
  let refused: unknown
  await mill.import(place('many'), '/sql/many.jsonl', {
    onProgress: () => { refused ??= db.query(`BEGIN; SET LOCAL lock_timeout = 1; TRUNCATE many; COMMIT`).then(() => 'truncated', () => 'refused') },
  })
  equal(await refused, 'refused')
  await db.query('ROLLBACK')
}

async function writes(bench: Bench): Promise<void> {
  const { db, mill } = bench
  const place = placeIn(bench)
  await db.query('CREATE TABLE totals (k int PRIMARY KEY, word text, bytes bytea, doc jsonb, at timestamptz)')
  const copy = (select: string, more = ''): Promise<unknown> =>
    mill.sql(`COPY (${select}) TO postgres('${place('totals')}')${more}`).collect()
  const words = `SELECT 1 AS k, '' AS word, 'a\\xFFb'::BLOB AS bytes, to_json([1, NULL]) AS doc, TIMESTAMPTZ '2026-11-27 10:00:00.5+02' AS at
    UNION ALL SELECT 2, NULL, NULL, to_json({'a': 'x"'}), NULL`
  equal(await copy(words), [{ result: `wrote postgres://127.0.0.1:${bench.port}/postgres/totals` }])
  const all = `SELECT k, word, bytes, doc, at AT TIME ZONE 'UTC' FROM totals ORDER BY k`
  equal(await rowsOf(bench, all), [
    ['1', '', '\\x61ff62', '[1, null]', '2026-11-27 08:00:00.5'], ['2', null, null, '{"a": "x\\""}', null],
  ])
  await copy(`SELECT 2 AS k, 'two' AS word UNION ALL SELECT 3, 'three'`, ' (MODE upsert, KEY (k))')
  await mill.sql(`SELECT 4 AS k, [1] AS doc`).export(place('totals'), { mode: 'append' })
  equal(await rowsOf(bench, 'SELECT k, word, doc FROM totals ORDER BY k'), [
    ['1', '', '[1, null]'], ['2', 'two', '{"a": "x\\""}'], ['3', 'three', null], ['4', null, '[1]'],
  ])
  // A table that is read and replaced by one statement; one without rows.
  await copy(`SELECT k + 10 AS k, word FROM postgres('${place('totals')}')`)
  equal(await rowsOf(bench, 'SELECT k FROM totals ORDER BY k'), ['11', '12', '13', '14'])
  await mill.table('/sql/names.csv').select('i2').rename({ i2: 'k' }).export(place('totals'), { mode: 'append' })
  equal(await rowsOf(bench, 'SELECT k FROM totals ORDER BY k'), ['-7', '11', '12', '13', '14'])
  await copy(`SELECT 1 AS k WHERE false`)
  equal(await rowsOf(bench, 'SELECT k FROM totals'), [])
  equal(await left(bench), [])
}

/** A program over Datasets reads a table and saves to others. */
async function programs(bench: Bench): Promise<void> {
  const { db, mill } = bench
  const place = placeIn(bench)
  const dir = await mkdtemp(join(tmpdir(), 'gristmill-program-'))
  try {
    const file = join(dir, 'scores.ts')
    await writeFile(file, `
      import { program } from 'gristmill'
      export default program(async (mill, { input, output, mode }: { input: string, output: string, mode: 'swap' | 'append' | 'upsert' }) => {
        const rows = mill.jsonl(input).map(row => row as { k: number, d: number })
        const sums = rows.groupBy(({ k }) => k).map((k, values) => ({ k, sum: [...values].reduce((sum, { d }) => sum + d, 0), bad: null as null | string }))
        await sums.map(row => mode === 'append' ? { ...row, sum: 'many' } : row).save(output, { mode, ...mode === 'upsert' && { key: ['k'] } })
      }, { params: { mode: 'swap' } })
    `)
    await db.query(`CREATE TABLE sums (k int PRIMARY KEY, sum double precision, bad text)`)
    const run = async (mode: string): Promise<void> => {
      await (await mill.run(file, { input: place('many'), output: place('sums'), params: { mode } })).wait()
    }
    for (const mode of ['swap', 'upsert']) {
      await run(mode)
      equal(await rowsOf(bench, 'SELECT k, sum FROM sums ORDER BY k'), await rowsOf(bench, 'SELECT k, sum(d)::float8 FROM many GROUP BY k ORDER BY k'))
    }
    await rejects(run('append'), /line 1, column "sum": invalid input syntax for type double precision: "many"/)
    equal(await rowsOf(bench, 'SELECT count(*) FROM sums'), ['7'])
    equal(await left(bench), [])
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

async function refusals(bench: Bench): Promise<void> {
  const { mill, port } = bench
  const place = placeIn(bench)
  const refused = async (sql: string, code: string, message: RegExp): Promise<void> => {
    await rejects(mill.sql(sql).collect(), (error: Error & { code: string }) => {
      match(error.message, message)
      equal(error.code, code)
      ok(!/geheim|falsch/.test(error.message))
      return true
    })
  }
  await refused(`FROM 'postgres://mill:geheim!@127.0.0.1:${port}/postgres/kinds'`, 'EINVAL', /is given with a password.*PGPASSWORD/)
  await refused(`FROM '${place('absent')}'`, 'ENOENT', /does not exist/)
  await refused(`COPY (SELECT 'many' AS k) TO '${place('totals')}'`, 'EINVAL', /line 2, column k: invalid input syntax for type integer: "many"/)
  await refused(`COPY (SELECT 1 AS k, 'x' AS word FROM range(2)) TO '${place('totals')}' (MODE append)`, 'EINVAL', /duplicate key/)
  await refused(`COPY (SELECT 1 AS k) TO '${place('totals')}' (MODE upsert)`, 'EINVAL', /an upsert needs the columns/)
  await refused(`CREATE VIEW v AS FROM '${place('kinds')}'`, 'EINVAL', /a view cannot read/)
  process.env['PGPASSWORD'] = 'falsch'
  await refused(`FROM '${place('kinds')}'`, 'UNAUTHENTICATED', /postgres|PostgreSQL/i)
  process.env['PGPASSWORD'] = 'geheim!'
  await rejects(mill.sql(`FROM '${place('kinds')}'`, undefined, { localFiles: false }).collect(), { code: 'EACCES' })
  equal(await left(bench), [])
}
