// Each way in which the SQL engine reads or writes files of the machine, loads code, changes settings or looks at the environment: refused.

import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Local } from './kit.ts'

let on: Local
let secret: string
beforeAll(() => {
  on = new Local()
  on.write('a.csv', 'n\n1\n')
  secret = on.write('secret.csv', 'word\nhush\n')
  on.write('secret.parquet', '')
  writeFileSync(`${on.dir}/secret.json`, '{"word": "hush"}')
})
afterAll(() => on[Symbol.dispose]())

const reads = [
  ...[
    'read_csv', 'read_csv_auto', 'read_text', 'read_blob', 'read_json', 'read_json_auto', 'read_json_objects', 'read_ndjson',
    'read_parquet', 'parquet_scan', 'parquet_metadata', 'parquet_schema', 'parquet_file_metadata', 'parquet_kv_metadata', 'sniff_csv',
    'glob', 'read_duckdb', 'parquet_bloom_probe', 'seq_scan',
  ].map(name => `SELECT * FROM ${name}('SECRET')`),
  `SELECT * FROM read_csv(['SECRET', './a.csv'])`, `SELECT * FROM read_csv('SECRET*')`, `SELECT * FROM read_text('file:SECRET')`,
  `SELECT * FROM read_text('/etc/passwd')`, `SELECT * FROM read_text('/proc/self/environ')`, `SELECT * FROM read_csv('/dev/stdin')`,
  `SELECT * FROM glob('/etc/*')`, `SELECT * FROM query('FROM read_text(''/etc/passwd'')')`, `SELECT * FROM query_table('SECRET')`,
  `SELECT * FROM query_table(['SECRET'])`, `SELECT * FROM read_csv('http://127.0.0.1:9/x.csv')`, `SELECT * FROM read_parquet('s3://b/k')`,
  `SELECT * FROM read_parquet('hf://datasets/x')`, `SELECT getenv('HOME')`,
  `SELECT * FROM duckdb_extensions()`, `SELECT * FROM read_csv(getvariable('x'))`, `SELECT * FROM (SELECT * FROM read_text('SECRET'))`,
  `SELECT (SELECT content FROM read_text('SECRET'))`, `SELECT * FROM './a.csv' a, LATERAL read_text('SECRET')`,
  `WITH t AS (FROM read_blob('SECRET')) FROM t`,
  `SELECT count(*) FROM './a.csv' WHERE n IN (SELECT length(content) FROM read_text('SECRET'))`,
  `DESCRIBE SELECT * FROM read_csv('SECRET')`, `SUMMARIZE SELECT * FROM read_csv('SECRET')`,
]

test.each(reads)('%s reads nothing', async text => {
  const shown = await on.rows(text.replaceAll('SECRET', secret)).then(rows => JSON.stringify(rows, (_, value: unknown) =>
    (typeof value === 'bigint' ? String(value) : value)), (error: Error) => `refused: ${error.message}`)
  expect(shown).toMatch(/^refused: /)
  expect(shown).not.toContain('hush')
})

test('read_csv reads files of this machine where FROM does, and none where no local files are read', async () => {
  expect(await on.rows(`SELECT * FROM read_csv('file:${secret}')`)).toEqual(await on.rows(`FROM 'file:${secret}'`))
  for (const name of [`file:${secret}`, `file://${secret}`, './secret.csv'])
    await expect(on.query(`SELECT * FROM read_csv('${name}')`, undefined, { localFiles: false }).collect()).rejects.toMatchObject({
      code: 'EACCES', message: expect.stringContaining('of the machine that runs the query') as string,
    })
})

const statements = [
  `COPY './a.csv' TO 'x.csv'`, 
  `CREATE MACRO m() AS 1`, `ATTACH 'x.db'`, `ATTACH ':memory:' AS m`, `DETACH m`, `USE m`, `SET threads = 4`,
  `SET enable_external_access = true`, `SET lock_configuration = false`, `RESET lock_configuration`, `PRAGMA enable_external_access`,
  `PRAGMA database_list`, `INSTALL httpfs`, `LOAD httpfs`, `LOAD 'SECRET'`, `EXPORT DATABASE 'x'`, `IMPORT DATABASE 'x'`,
  `CREATE SECRET (TYPE s3)`, `CALL duckdb_settings()`, `CHECKPOINT`, `VACUUM`, `BEGIN`, `PREPARE p AS SELECT 1`, `EXECUTE p`,
  `EXPLAIN DROP TABLE t`, `EXPLAIN ANALYZE COPY (SELECT 1) TO 'x'`, `EXPLAIN EXPLAIN SELECT 1`,
  `SET VARIABLE x = 1`, `DELETE FROM t`, `UPDATE t SET a = 1`,
  `SELECT 1; COPY (SELECT 1) TO 'x'`, `MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE`,
]

test.each(statements)('%s is refused', async text => {
  await expect(on.rows(text.replaceAll('SECRET', secret))).rejects.toMatchObject({
    code: 'EINVAL',
    message: expect.stringMatching(/is not supported here; give a query|statements; give one|the SQL cannot be read at|(Parser|Catalog|Permission) Error/),
  })
})

test.each([
  `COPY (SELECT 1) TO 'x'`, 'CREATE TABLE t AS SELECT 1', `CREATE VIEW v AS FROM read_text('x')`, 'DROP TABLE t',
  'ALTER TABLE t RENAME TO u', `COMMENT ON TABLE t IS 'x'`, 'ANALYZE t', 'SHOW TABLES', `CREATE EXTERNAL TABLE t LOCATION 'x'`,
])('%s is one of the cluster: the engine does not get it', async text => {
  await expect(on.rows(text)).rejects.toThrow('there is no cluster')
})

test('there are no secrets to see', async () => {
  expect(await on.rows('SELECT * FROM duckdb_secrets()')).toEqual([])
  expect(await on.rows(`SELECT * FROM which_secret('s3://x', 's3')`)).toEqual([])
})

test('the part of the optimizer that mixes up parts of a query is off', async () => {
  expect(await on.rows("SELECT value FROM duckdb_settings() WHERE name = 'disabled_optimizers'")).toEqual([{ value: 'common_subplan' }])
})

test('the settings that are seen tell nothing of the machine but the directory of the query', async () => {
  const rows = await on.rows(`SELECT name, value FROM duckdb_settings() WHERE contains(value::VARCHAR, '/')`)
  for (const { name, value } of rows) {
    if (String(value).includes(on.dir)) continue
    expect(['/nonexistent', 'Etc/UTC', '']).toContain(String(value).replace(/^.*extension.*$/, ''))
    expect(name).toBeTruthy()
  }
})

test('a query of another user is bounded in the reads that its table expressions come to; nesting that cannot be read is an error', async () => {
  using here = new Local()
  const levels = (count: number): string => {
    const list = Array.from({ length: count }, (_, i) => `c${i + 1} AS (FROM c${i} x, c${i} y)`)
    return `WITH c0 AS (SELECT 1 AS a), ${list.join(', ')} SELECT count(*) AS n FROM c${count}`
  }
  const asked = (text: string) => here.query(text, undefined, { localFiles: false }).collect()
  expect(await asked(levels(5))).toEqual([{ n: 1n }])
  await expect(asked(levels(24))).rejects.toMatchObject({ code: 'EINVAL', message: expect.stringMatching(/reads tables 16777216 times/) })
  // Below a subquery, an alias of a table expression of the same name, and a recursive one.
  await expect(asked(`SELECT * FROM (${levels(24)})`)).rejects.toMatchObject({ code: 'EINVAL' })
  const counted = 'WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 50), s AS (FROM r x JOIN r y USING (n))'
  expect(await asked(`${counted} SELECT count(*) AS n FROM s`)).toEqual([{ n: 50n }])
  const nested = `SELECT NULL::${'STRUCT(a '.repeat(3000)}INT${')'.repeat(3000)}`
  await expect(asked(nested)).rejects.toMatchObject({ code: 'EINVAL' })
})
