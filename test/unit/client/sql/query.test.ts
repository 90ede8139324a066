// Queries over local files in this process: tables, statements, parameters, values, errors, and what is left of them.

import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { localDisk } from '../../../../src/world/disk.ts'
import { openDuckDB } from '../../../../src/world/duckdb.ts'
import type { SqlRow } from '../../../../client/sql/query.ts'
import { Workspace } from '../../../../client/sql/workspace.ts'
import type { Disk } from '../../../../src/ports/disk.ts'
import { Local } from './kit.ts'

let on: Local
beforeAll(() => {
  on = new Local()
  on.write('a.csv', 'n,x,s\n1,2.5,"a, ""b"""\n9007199254740993,-0.0,\n3,1e300,ö\n')
  on.write('t/year=2023/a.jsonl', '{"level": "error", "code": 9007199254740993}\n')
  on.write('t/year=2024/b.jsonl', '{"level": "info", "tags": ["new"]}\n')
  on.write('t/_SUCCESS', '')
})
afterAll(() => on[Symbol.dispose]())

test('sums of whole numbers are decimals of 38 digits in Parquet, exact or an error', async () => {
  const saved = async (sql: string): Promise<string> => {
    await using running = await on.query(sql).run()
    return on.write('saved.parquet', Buffer.concat(await Array.fromAsync(running.parquet())))
  }
  await saved(`SELECT sum(n) AS total, [sum(n)] AS l FROM (SELECT 9223372036854775807 AS n UNION ALL SELECT n FROM './a.csv')`)
  const query = on.query(`SELECT * FROM './saved.parquet'`)
  expect((await query.columns()).map(({ name, type }) => [name, type])).toEqual([
    ['total', { kind: 'plain', name: 'DECIMAL(38,0)' }], ['l', { kind: 'list', item: { kind: 'plain', name: 'DECIMAL(38,0)' } }],
  ])
  expect(await query.collect()).toEqual([{ total: '9232379236109516804', l: ['9232379236109516804'] }])
  await expect(saved(`SELECT 123456789012345678901234567890123456789::HUGEINT AS h`)).rejects.toMatchObject({ code: 'EINVAL' })
})

test('a table is a file, a directory with its partitions, or a pattern; names with characters of patterns are names', async () => {
  expect(await on.rows(`SELECT n, x, s FROM './a.csv'`)).toEqual([
    { n: 1n, x: 2.5, s: 'a, "b"' }, { n: 9007199254740993n, x: -0, s: null }, { n: 3n, x: 1e300, s: 'ö' },
  ])
  expect(await on.rows(`SELECT year, code, tags FROM './t' ORDER BY year`)).toEqual([
    { year: 2023n, code: 9007199254740993n, tags: null }, { year: 2024n, code: null, tags: ['new'] },
  ])
  on.write('p/1.csv', 'a\n1\n')
  on.write('p/2.csv', 'a\n2\n')
  on.write('p/[1].csv', 'a\n3\n')
  on.write('p/z.csv.gz', gzipSync('a\n4\n'))
  expect(await on.rows(`SELECT sum(a) AS a FROM './p/?.csv'`)).toEqual([{ a: 3n }])
  expect(await on.rows(`FROM './p/[1].csv'`)).toEqual([{ a: 3n }])
  expect(await on.rows(`SELECT sum(a) AS a FROM '~/p/'`)).toEqual([{ a: 10n }])
  expect(await on.rows(`SELECT count(*) AS n FROM 'file:${on.dir}/p/1.csv' JOIN 'file:p/2.csv' ON true`)).toEqual([{ n: 1n }])
})

test('tables are found wherever a statement names them, and names of table expressions are no tables', async () => {
  on.write('k.csv', 'n,y\n1,10\n3,30\n')
  expect(await on.rows(`SELECT n, y FROM './a.csv' JOIN './k.csv' USING (n) ORDER BY n`)).toEqual([{ n: 1n, y: 10n }, { n: 3n, y: 30n }])
  expect(await on.rows(`SELECT COLUMNS(lambda c: c = 'y') FROM './k.csv' ORDER BY y`)).toEqual([{ y: 10n }, { y: 30n }])
  expect(await on.rows(`SELECT n FROM './k.csv' NATURAL JOIN (FROM './a.csv') ORDER BY n`)).toEqual([{ n: 1n }, { n: 3n }])
  expect(await on.rows(`WITH "./k.csv" AS (FROM './k.csv' WHERE n > $least) SELECT n FROM './k.csv' JOIN './a.csv' USING (n)`, { least: 1 }))
    .toEqual([{ n: 3n }])
  expect(await on.rows(`WITH RECURSIVE "./r.csv" AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM './r.csv' WHERE i < 3) SELECT sum(i)::INT AS s FROM './r.csv'`))
    .toEqual([{ s: 6 }])
  expect(await on.rows(`SELECT count(*)::INT AS c FROM './a.csv' WHERE (n, n) IN (SELECT n, n FROM './k.csv')`)).toEqual([{ c: 2 }])
  expect(await on.rows(`SELECT (SELECT max(y) FROM './k.csv')::INT AS m, EXISTS (FROM './a.csv' JOIN './k.csv' USING (n)) AS e`)).toEqual([{ m: 30, e: true }])
})

test('directories above those that a statement names hold no values of columns', async () => {
  const file = on.write('x=1/y=2/z=3/a.csv', 'n\n1\n')
  const from = (name: string, cwd: string) => on.query(`FROM '${name}'`, undefined, {}, `${on.dir}/${cwd}`).collect()
  expect(await from('./a.csv', 'x=1/y=2/z=3')).toEqual([{ n: 1n }])
  expect(await from('./z=3', 'x=1/y=2')).toEqual([{ n: 1n, z: 3n }])
  expect(await from('./*/*.csv', 'x=1/y=2')).toEqual([{ n: 1n, z: 3n }])
  expect(await from(`file:${file}`, '.')).toEqual([{ n: 1n, x: 1n, y: 2n, z: 3n }])
})

test('values come without loss, columns of one name with numbers', async () => {
  const [row] = await on.rows(`SELECT 170141183460469231731687303715884105727::HUGEINT h,
    12345678901234567.890::DECIMAL(38, 3) d, -0.0::DOUBLE z, 'nan'::DOUBLE nan, TIMESTAMPTZ '2024-01-01 00:00:00.123456+02' t, TIMESTAMP_NS '2024-01-01 00:00:00.123456789' ns, '\\xAA'::BLOB b,
    {'a': [1, NULL], 'm': MAP {'k': 1::BIGINT}} s, INTERVAL 1 MONTH i, true y, NULL u, 1 a, 2 a, 3 a_1, DATE '2024-02-29' AS day,
    'infinity'::DATE AS ever, '-infinity'::DATE AS before,
    union_value(k := 5::BIGINT) un, '0101'::BIT bits, TIMETZ '10:00:00+01' tz, 0.1::FLOAT f,
    uuid '6128f424-bf0b-41f3-9d03-b55182978875' id`)
  expect(row).toEqual({
    h: 170141183460469231731687303715884105727n, d: '12345678901234567.890', z: -0, nan: NaN, t: '2023-12-31 22:00:00.123456+00',
    ns: '2024-01-01 00:00:00.123456789', b: Uint8Array.of(0xaa), s: { a: [1, null], m: new Map([['k', 1n]]) }, i: '1 month', y: true,
    u: null, a: 1, a_2: 2, a_1: 3, day: '2024-02-29', ever: 'infinity', before: '-infinity', un: 5n, bits: '0101',
    tz: '10:00:00+01', f: Math.fround(0.1),
    id: '6128f424-bf0b-41f3-9d03-b55182978875',
  })
})

test('parameters are values, never SQL; each needs a value, and each value a parameter', async () => {
  const given = [1, 2n ** 70n, `'; DROP TABLE x`, null, true, -0, NaN, new Date(0), Uint8Array.of(1, 39), [1, 2], { a: 'ö' }]
  const [row] = await on.rows(`SELECT ${given.map((_, i) => `? AS p${i}`).join(', ')}, 9007199254740993 AS k`, given)
  expect(row).toEqual({
    p0: 1, p1: 2n ** 70n, p2: `'; DROP TABLE x`, p3: null, p4: true, p5: -0, p6: NaN, p7: '1970-01-01 00:00:00+00',
    p8: Uint8Array.of(1, 39), p9: [1, 2], p10: { a: 'ö' }, k: 9007199254740993n,
  })
  expect(await on.rows(`SELECT n FROM './a.csv' WHERE n = $n AND $n > 0`, { n: 3 })).toEqual([{ n: 3n }])
  await expect(on.rows('SELECT $a', { b: 1 })).rejects.toMatchObject({ code: 'EINVAL', message: expect.stringContaining('$a') })
  await expect(on.rows('SELECT 1', [1])).rejects.toMatchObject({ code: 'EINVAL', message: expect.stringContaining('no parameter $1') })
  await expect(on.rows('SELECT $a', { a: () => 1 })).rejects.toMatchObject({ code: 'EINVAL', message: expect.stringContaining('$a') })
})

test.each([
  ['selec 1', /syntax error at or near "selec"[^]*LINE 1/], ['', /no statement/], ['-- nothing', /no statement/],
  ['SELECT 1; SELECT 2', /2 statements/], [`PIVOT './a.csv' ON n USING sum(x)`, /IN \(value/],
  ['SELECT * FROM nowhere', /there is no table nowhere; name files in quotes/],
  ['FROM a.csv', /^a path is written in single quotes: 'a.csv'$/], ['FROM ./a.csv', /^a path is .* '\.\/a\.csv'\n[^]*LINE 1/],
  [`SELECT zz FROM './a.csv'`, /"zz" not found[^]*LINE 1/], [`FROM './none.csv'`, /\.\/none\.csv: there is no such file/],
  [`FROM './none*.csv'`, /there is no such file/], [`FROM 'gs://b/x.csv'`, /gs: is not supported/],
  [`SELECT row(1, 2)`, /whose fields have no names/], [`FROM './bin.exe'`, /no such file/], [`FROM './scratchless.txt'`, /no such file/],
])('a query that cannot be run says why: %s', async (text, message) => {
  await expect(on.rows(text)).rejects.toMatchObject({ message: expect.stringMatching(message) })
})

test('a value that cannot be read is named with its file, line and column, as the user knows the file', async () => {
  on.write('bad.csv', `n,x\n${'1.5,2\n'.repeat(200_000)}zz,3\n`)
  await expect(on.rows(`SELECT sum(n) FROM './bad.csv'`)).rejects.toMatchObject({
    code: 'EINVAL', message: expect.stringMatching(/"zz" of the column "n" to DOUBLE.*\(in .*bad\.csv, line 200002\);/),
  })
  // The value is also the name of its column, and a value of another one.
  const values = `s;n;t\r\n${'n;7;"two\r\nlines; ""x"""\r\n'.repeat(100_000)}\r\nn;n;x\r\n`
  on.write('title.csv', `My report\r\n${values}`)
  on.write('packed.csv.gz', gzipSync(`s;n\n${'n;7\n'.repeat(300_000)}n;n`))
  for (const [name, line] of [['title.csv', 200_004], ['packed.csv.gz', 300_002]] as const) {
    const message = new RegExp(`"n" of the column "n" to BIGINT.*${name}, line ${line}\\)`)
    await expect(on.rows(`SELECT sum(n) FROM './${name}'`)).rejects.toThrow(message)
  }
  on.write('own.csv', `filename,n\n${'x,1\n'.repeat(300_000)}y,007\n`)
  await expect(on.rows(`SELECT sum(n) FROM './own.csv'`)).rejects.toThrow(/"007" of the column "n" to BIGINT.*own\.csv, line 300002\)/)
  on.write('mixed/a.csv', 'n\n1\n')
  on.write('mixed/b.parquet', '')
  await expect(on.rows(`FROM './mixed'`)).rejects.toMatchObject({ message: expect.stringContaining('several kinds') })
})

test('a value of JSON that does not fit is named with the line in which its object begins', async () => {
  const rows = '{"n":1,"t":"zwei","s":{"d":"2024-01-01","zwei":"x"},"l":[1]}\n'.repeat(100_000)
  const last = (fields: object): string => JSON.stringify({ n: 1, t: 'x', s: { d: '2024-01-01', zwei: 'x' }, l: [1], ...fields })
  for (const [name, end, message] of [
    ['text.jsonl', last({ n: 'zwei' }), '"zwei"" of the column "n" to BIGINT'],
    ['float.jsonl', last({ n: 1.5 }), '"1.5" of the column "n" to BIGINT'],
    ['item.jsonl', last({ l: [1, 'x'] }), '""x"" of the column "l" to BIGINT'],
    ['field.jsonl', last({ s: { d: 'zwei', zwei: 'x' } }), '"zwei" of the column "s" to DATE'],
  ] as const) {
    on.write(name, `${rows}\n${end}\n${last({})}\n`)
    on.write(`${name}.gz`, gzipSync(`\ufeff${rows}${end}\n`))
    for (const [file, line] of [[name, 100_002], [`${name}.gz`, 100_001]] as const) {
      const form = new RegExp(`${message.replaceAll('.', '[.]')}[^]*${file}, line ${line}\\)`)
      await expect(on.rows(`SELECT count(n), count(s), count(l) FROM './${file}'`), file).rejects
        .toMatchObject({ code: 'EINVAL', message: expect.stringMatching(form) })
    }
  }
})

test('EXPLAIN shows the engine\'s plan of a query in this process, ANALYZE with its rows; errors keep their place', async () => {
  using on = new Local()
  on.write('a.csv', 'n\n1\n2\n3\n')
  const lines = async (text: string): Promise<string> => (await on.rows(text)).map(row => String(row['plan'])).join('\n')
  expect(await lines(`explain SELECT sum(n) FROM './a.csv' WHERE n > $1`.replace('$1', '1'))).toMatch(/^in this process: [^]*READ_CSV/)
  expect(await lines(`-- why\n/* so */ EXPLAIN ANALYZE FROM './a.csv'`)).toMatch(/in this process[^]*Total Time[^]*3 rows/)
  expect(await on.query(`EXPLAIN SELECT $least AS n`, { least: 7 }).explain()).toMatchObject({
    place: 'process', stages: [], text: expect.stringContaining('it reads no table'),
  })
  await expect(on.rows('EXPLAIN SELECT\n  nope')).rejects.toThrow(/LINE 2/)
  await expect(on.rows('explained')).rejects.toThrow(/not supported here|syntax error/)
  await expect(on.query('EXPLAIN SELECT 1').save('/out')).rejects.toThrow(/EXPLAIN has no rows/)
})

test('a query ends with its loop or its signal, and leaves nothing on the disk', async () => {
  const aborting = new AbortController()
  const long = on.query('SELECT count(*) FROM range(10000000) a, range(100000) b', undefined, { signal: aborting.signal })
  const counted = long.collect()
  aborting.abort(new Error('enough'))
  await expect(counted).rejects.toMatchObject({ code: 'ABORTED' })
  // Also one that comes between the columns and the rows.
  const between = new AbortController()
  {
    await using running = await on.query('SELECT count(*) FROM range(10000000) a, range(100000) b', undefined, { signal: between.signal }).run()
    const first = running.batches().next()
    between.abort()
    await expect(first).rejects.toMatchObject({ code: 'ABORTED' })
  }
  let seen = 0
  for await (const { i } of on.query('SELECT i FROM range(1000000000) t(i)')) if (++seen && i === 5000n) break
  expect(seen).toBe(5001)
  // More than its memory: it spills.
  const [{ n } = {}] = await on.query(
    'SELECT count(*) AS n FROM (SELECT i, hash(i) AS h FROM range(3000000) t(i) ORDER BY h LIMIT 2999999)', undefined,
    { memoryBytes: 24 << 20 },
  ).collect()
  expect(n).toBe(2999999n)
  expect((await on.query('SELECT 1').explain()).text).toContain('in this process')
  await expect(on.query('SELECT nope').explain()).rejects.toMatchObject({ code: 'EINVAL' })
  expect(existsSync(on.scratchDir) ? readdirSync(on.scratchDir) : []).toEqual([])
  await expect(on.query('SELECT list(i) AS l FROM range(100000000) t(i)', undefined, { memoryBytes: 32 << 20 }).collect())
    .rejects.toMatchObject({ code: 'TOO_LARGE', message: expect.stringContaining('--memory') })
})

test('a late value that does not fit the type of its column is an error, and not another number', async () => {
  using on = new Local()
  on.write('late.csv', `n,s\n${'1,a\n'.repeat(300_000)}1.5,b\n`)
  on.write('late.jsonl', `${'{"n": 1, "s": "a"}\n'.repeat(60_000)}{"n": 1.5}\n`)
  for (const name of ['late.csv', 'late.jsonl'])
    await expect(on.rows(`SELECT max(n) FROM './${name}'`)).rejects.toMatchObject({
      code: 'EINVAL',
      message: expect.stringMatching(`"1\\.5"[^]*"n" to BIGINT[^]*${name === 'late.csv' ? 'late\\.csv, line 300002\\)' : 'late\\.'}`),
    })
  on.write('more/1.csv', 'n\n1\n')
  on.write('more/2.csv', 'n\n1.5\n')
  expect(await on.rows(`SELECT max(n) AS n FROM './more'`)).toEqual([{ n: 1.5 }])
  // Lists and objects over several lines are looked at as a whole.
  const [open, close] = ['[', ']']
  on.write('list.json', `${open}${'{"n": 1},\n'.repeat(120_000)}{"n": 1.5}${close}`)
  on.write('line.json', `${open}${'{"n": 1},'.repeat(120_000)}{"n": 1.5}${close}`)
  on.write('long.json', `${'{\n"n": 1}\n'.repeat(120_000)}{"n": 1.5}`)
  for (const name of ['list.json', 'line.json', 'long.json'])
    expect(await on.rows(`SELECT count(*)::INT AS c, max(n) AS n FROM './${name}'`)).toEqual([{ c: 120_001, n: 1.5 }])
  on.write('keys.jsonl', '{"a": 1}\n{"a": 2, "a_1": null}\n')
  expect(await on.rows(`FROM './keys.jsonl'`)).toEqual([{ a: 1n, a_1: null }, { a: 2n, a_1: null }])
})

test('Parquet files of one table: types that hold the values of others are cast, others are an error, also a missing column', async () => {
  using on = new Local()
  const db = await openDuckDB({ memoryBytes: 64 << 20 })
  const from = async (...files: string[]): Promise<unknown> => {
    for (const [i, select] of files.entries()) {
      on.write(`p/${i}.parquet`, '')
      await db.run(`COPY (SELECT ${select}) TO '${on.dir}/p/${i}.parquet' (FORMAT parquet)`)
    }
    return on.rows(`FROM './p'`).finally(() => rmSync(`${on.dir}/p`, { recursive: true }))
  }
  try {
    expect(await from('1::BIGINT AS a, 1.5::DOUBLE AS b', '2 AS "A", 2.5::FLOAT AS b, 1 AS other', '3::BIGINT AS a, 0.1::DOUBLE AS b'))
      .toEqual([{ a: 1n, b: 1.5 }, { a: 2n, b: 2.5 }, { a: 3n, b: 0.1 }])
    await expect(from('1::BIGINT AS a', '1.5::DOUBLE AS a')).rejects.toMatchObject({
      code: 'EINVAL', message: expect.stringMatching(/column a of p\/1\.parquet is DOUBLE, and the first file of \.\/p has BIGINT/),
    })
    await expect(from(`DATE '2024-01-01' AS a`, `TIMESTAMP '2024-01-01 10:00:00' AS a`)).rejects.toThrow(/is TIMESTAMP/)
    await expect(from('1 AS a, 2 AS b', '1 AS a')).rejects.toThrow('p/1.parquet has no column b')
  } finally {
    db.close()
  }
})

test('Parquet: values of directories have the types that they have in tasks, which read them by the shape of the table', async () => {
  using on = new Local()
  const db = await openDuckDB({ memoryBytes: 64 << 20 })
  const keys = ['n', 'day', 'ts', 'short', 'padded', 'blank']
  const table = async (name: string, ...directories: string[]): Promise<SqlRow[]> => {
    for (const directory of directories) {
      on.write(`${name}/${directory}/a.parquet`, '')
      await db.run(`COPY (SELECT 1 AS x) TO '${on.dir}/${name}/${directory}/a.parquet' (FORMAT parquet)`)
    }
    return on.rows(`FROM './${name}' ORDER BY n`)
  }
  try {
    const of = (n: number): string => `n=${n}/day=2024-01-31/ts=2024-01-01 10:00:00/short=2024-1-31/padded=07/blank= 5`
    const values = { x: 1, day: '2024-01-31', ts: '2024-01-01 10:00:00', short: '2024-1-31', padded: '07', blank: ' 5' }
    expect(await table('parts', of(7), of(8))).toEqual([{ ...values, n: 7n }, { ...values, n: 8n }])
    const types = `SELECT DISTINCT ${keys.map(key => `typeof(${key}) AS ${key}`).join(', ')} FROM './parts'`
    const texts = { ts: 'VARCHAR', short: 'VARCHAR', padded: 'VARCHAR', blank: 'VARCHAR' }
    expect(await on.rows(types)).toEqual([{ n: 'BIGINT', day: 'DATE', ...texts }])
    // Keys that only some of the files have are no columns.
    expect(await table('some', 'n=1/k=2', 'n=2')).toEqual([{ x: 1, n: 1n }, { x: 1, n: 2n }])
  } finally {
    db.close()
  }
})

test('directories of processes that were killed are removed, those of others stay', async () => {
  using on = new Local()
  on.write('scratch/sql-left/files/0/data.csv', 'n\n1\n')
  on.write('scratch/sql-held/spill/x', '')
  const lock = await localDisk.lock(join(on.scratchDir, 'sql-held'))
  expect(await on.rows('SELECT 1 AS n')).toEqual([{ n: 1 }])
  expect(readdirSync(on.scratchDir)).toEqual(['sql-held'])
  await lock!.release()
})

test('the files of a name with several kinds are named as the statement does', async () => {
  on.write('kinds/a.csv', 'n\n1\n')
  on.write('kinds/b.jsonl', '{}\n')
  await expect(on.rows(`FROM './kinds/'`)).rejects.toThrow(`'./kinds/**/*.csv'`)
})

test('without a cluster information_schema lists no tables, and it is asked by itself', async () => {
  expect(await on.rows('SELECT count(*) AS n FROM information_schema.tables')).toEqual([{ n: 0n }])
  await expect(on.rows(`SELECT * FROM Information_Schema.columns JOIN './a.csv' ON true`)).rejects.toThrow('a query of its own')
})

test('another process that looks at the directory of a query while it is removed does not make the query fail', async () => {
  using own = new Local()
  const spaceOf = (disk: Disk, id: string): Workspace => new Workspace(disk, own.scratchDir, id)
  // Locks the directory at the worst moment: its lock file is gone, the directory is not.
  const disk = {
    ...localDisk,
    removeTree: async (directory: string) => {
      const files = readdirSync(directory, { recursive: true }) as string[]
      for (const file of files) rmSync(join(directory, file), { recursive: true, force: true })
      const lock = await localDisk.lock(join(own.scratchDir, 'sql-a')).catch(() => undefined)
      try {
        rmdirSync(directory)
      } finally {
        await lock?.release()
      }
    },
  } as Disk
  await using space = spaceOf(disk, 'a')
  await space.samples()
  await space.close()
  expect(readdirSync(own.scratchDir)).toEqual([])

  // A disk that refuses leaves the directory to the next process, and the statement its rows.
  const failing = spaceOf({ ...localDisk, removeTree: () => Promise.reject(new Error('EIO')) } as Disk, 'b')
  await failing.samples()
  await failing.close()
  expect(readdirSync(own.scratchDir)).toEqual(['gone-sql-b'])
  const next = spaceOf({ ...localDisk } as Disk, 'c')
  await next.samples()
  await next.close()
  expect(readdirSync(own.scratchDir)).toEqual([])
})

test('an error behind the first rows, or an abort, is an error, and not the end of the rows', async () => {
  const late = 'SELECT CASE WHEN i = 200000 THEN CAST(concat($1, i) AS INT) ELSE i END AS i FROM range(300000) t(i)'
  await expect(on.query(late, ['x']).collect()).rejects.toMatchObject({ code: 'EINVAL', message: expect.stringContaining('x200000') })
  on.write('late.csv', `n\n${'1\n'.repeat(900_000)}zz\n`)
  await expect(on.rows(`FROM './late.csv'`)).rejects.toThrow(/zz[^]*late\.csv/)
  const aborting = new AbortController()
  let rows = 0
  const read = async (): Promise<void> => {
    const query = on.query('SELECT a.range FROM range(1000000) a, range(1000000) b', undefined, { signal: aborting.signal })
    for await (const _ of query) if (++rows === 5000) aborting.abort()
  }
  await expect(read()).rejects.toMatchObject({ code: 'ABORTED' })
})

test('JSON lines that begin with a byte order mark are read as others', async () => {
  on.write('bom.jsonl', '\ufeff{"a":1}\n{"a":2}\n')
  on.write('bom.json', '\ufeff[{"a":1},{"a":2}]')
  on.write('bom.jsonl.gz', gzipSync('\ufeff{"a":1}\n{"a":2}\n'))
  on.write('bom.json.zst', zstdCompressSync('\ufeff[{"a":1},{"a":2}]'))
  for (const name of ['bom.jsonl', 'bom.json', 'bom.jsonl.gz', 'bom.json.zst'])
    expect(await on.rows(`SELECT sum(a) AS s FROM './${name}'`)).toEqual([{ s: 3n }])
  on.write('bom/bad.jsonl', '\ufeff{"a":1}\n{"a":\n')
  await expect(on.rows(`FROM './bom/bad.jsonl'`)).rejects.toThrow('bom/bad.jsonl')
})

test('numbers beyond DOUBLE are infinite, also beside parameters; texts with a NUL, and integers of 128 bits, are parameters as they are', async () => {
  expect(await on.rows('SELECT 1e400 AS a, -1e400 AS b')).toEqual([{ a: Infinity, b: -Infinity }])
  expect(await on.rows(`SELECT 1e400 AS a, -1e400 AS b, '"Infinity"\\u0000Infinity' AS t, $1 AS p`, ['"\\u0000Infinity"']))
    .toEqual([{ a: Infinity, b: -Infinity, t: '"Infinity"\\u0000Infinity', p: '"\\u0000Infinity"' }])
  const texts = ['\0', 'a\0b', '\0\0ö\'\0', '']
  for (const text of texts) expect(await on.rows('SELECT $1 AS t, len($1) AS n', [text])).toEqual([{ t: text, n: BigInt(text.length) }])
  expect(await on.rows('SELECT $l AS l', { l: texts })).toEqual([{ l: texts }])
  for (const n of [2n ** 127n - 1n, -(2n ** 127n), 2n ** 128n - 1n, 10n ** 37n, -(10n ** 37n), 10n ** 37n - 1n, 2n ** 63n])
    expect(await on.rows('SELECT $1 AS n', [n])).toEqual([{ n }])
  for (const n of [2n ** 128n, -(2n ** 127n) - 1n, 10n ** 44n])
    await expect(on.rows('SELECT $1 AS n', [n])).rejects.toThrow('an integer of more than 128 bits')
  await expect(on.rows('SELECT $1 AS t', ['\ud800'])).rejects.toThrow('half of a surrogate pair')
})
