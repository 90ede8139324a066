// Arrow files as tables: files and streams of Arrow IPC give the values that they hold, of the types that the engine has for them; what is
// no such file, or has no place in SQL, is refused. In this process, with the real engine and the package apache-arrow.

import * as arrow from 'apache-arrow'
import { zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Local } from './kit.ts'

let on: Local
beforeAll(() => { on = new Local() })
afterAll(() => on[Symbol.dispose]())

const values = `SELECT i, true AS b, (i - 100)::TINYINT AS i1, -30000::SMALLINT AS i2, i::UINTEGER AS u4, 9007199254740993 AS i8,
  18446744073709551615::UBIGINT AS u8, 0.1::FLOAT AS f4,
  CASE i WHEN 0 THEN 'nan'::DOUBLE WHEN 1 THEN '-inf'::DOUBLE WHEN 2 THEN -0.0::DOUBLE ELSE 1e300 END AS f8,
  CASE WHEN i <> 1 THEN 'ö"\\' || chr(10) || i END AS t, '\\xAA\\x00'::BLOB AS y, DATE '2024-02-29' + i::INT * 400 AS d,
  DATE '0044-03-15 (BC)' AS bc, DATE '9999-12-31' AS late, TIMESTAMP '1969-12-31 23:59:59.000001' AS ts,
  TIMESTAMP_NS '1999-12-31 23:59:59.123456789' AS tn, TIMESTAMP_S '0001-01-01 00:00:00' AS tsec, TIMESTAMP_MS '2000-02-29 00:00:00.5' AS tms,
  TIMESTAMPTZ '2024-01-01 00:00:00+02' AS tz, -1234567.0809::DECIMAL(20, 4) AS num, 0.01::DECIMAL(38, 2) AS small, -5::DECIMAL(9, 0) AS whole,
  [1, NULL, i] AS l, ['a,b', NULL, '"q'] AS tl, []::INTEGER[] AS none, [[DATE '2020-01-01'], NULL] AS ll,
  {'a': [1], 'b "c"': {'d': DATE '2020-01-01', 'e': '\\x01'::BLOB, 'f': NULL::DOUBLE}} AS st, [{'x': '\\x01'::BLOB, 'y': INTERVAL 1 MONTH}] AS ls,
  CASE WHEN i > 2 THEN {'z': i} END AS sn, TIME '10:00:00.5' AS tm, INTERVAL '1 month -2 days 3 hours' AS iv,
  MAP {'k': 1, 'l': NULL} AS m, MAP {5: ['x']} AS m2, [1, 2, 3]::INTEGER[3] AS arr FROM range(5) t(i)`

test('each value of a stream is that of the query which has written it, and of its type', async () => {
  on.write('x.arrow', Buffer.concat(await Array.fromAsync(on.query(values).arrow())))
  expect(await on.rows(`FROM './x.arrow'`)).toEqual(await on.rows(values))
  expect(await on.rows(`DESCRIBE FROM './x.arrow'`)).toEqual(await on.rows(`DESCRIBE ${values}`))
})

const words = arrow.vectorFromArray(['a', 'b', 'a'])
const tableOf = (from: number, word = words): arrow.Table => new arrow.Table({
  n: arrow.vectorFromArray([from, null, from + 2], new arrow.Int32()),
  word,
  since: arrow.vectorFromArray([0, null, -1], new arrow.TimestampMillisecond()),
})

test('files, streams and compressed ones, with dictionaries and several batches, also in directories of partitions', async () => {
  arrow.compressionRegistry.set(arrow.CompressionType.ZSTD, { encode: bytes => zstdCompressSync(bytes) })
  const both = tableOf(1).concat(tableOf(10))
  on.write('of/k=1/file.arrow', arrow.tableToIPC(both, 'file'))
  // The second batch has a dictionary of its own, which takes the place of the first.
  on.write('of/k=2/stream.arrows', arrow.tableToIPC(tableOf(1).concat(tableOf(10, arrow.vectorFromArray(['b', 'a', 'b']))), 'stream'))
  on.write('of/k=3/packed.feather', arrow.tableToIPC(both, 'file', arrow.CompressionType.ZSTD))
  on.write('of/k=4/empty.arrow', '')
  expect(await on.rows(`SELECT k, count(*) AS c, sum(n) AS s, count(DISTINCT word) AS w, min(since) AS since FROM './of' GROUP BY k ORDER BY k`))
    .toEqual([1n, 2n, 3n].map(k => ({ k, c: 6n, s: 26n, w: 2n, since: '1969-12-31 23:59:59.999' })))
  expect(await on.rows(`SELECT n, word, since FROM './of/k=1/*.arrow' WHERE n < 9 OR n IS NULL LIMIT 3`)).toEqual([
    { n: 1, word: 'a', since: '1970-01-01 00:00:00' }, { n: null, word: 'b', since: null },
    { n: 3, word: 'a', since: '1969-12-31 23:59:59.999' },
  ])
})

/** One column n of 32 bits with 1, 2 and NULL, as pyarrow writes it with LZ4. */
const lz4 = '/////3gAAAAQAAAAAAAKAAwABgAFAAgACgAAAAABBAAMAAAACAAIAAAABAAIAAAABAAAAAEAAAAUAAAAEAAUAAgABgAHAAwAAAAQABAAAAAAAAECEAAAABwAAAAEAAAA'
  + 'AAAAAAEAAABuAAAACAAMAAgABwAIAAAAAAAAASAAAAD/////mAAAABQAAAAAAAAADAAYAAYABQAIAAwADAAAAAADBAAcAAAAQAAAAAAAAAAAAAAADAAcABAABAAIAAwADAAAAEgAA'
  + 'AAcAAAAFAAAAAMAAAAAAAAAAAAAAAQABAAEAAAAgAAAAAAAAAAAAAAAGAAAAAAAAAAYAAAAAAAAACMAAAAAAAAAAAAAAAEAAAADAAAAAAAAAAEAAAAAAAAAAQAAAAAAAAAEIk'
  + '0YYECCAQAAgAMAAAAADAAAAAAAAAAEIk0YYECCDAAAgAEAAAACAAAAAAAAAAAAAAAAAAAAAP////8AAAAA'

test('what is no Arrow file, is damaged, or has no place in SQL is refused by its name', async () => {
  const file = arrow.tableToIPC(tableOf(1), 'file')
  const stream = arrow.tableToIPC(tableOf(1), 'stream')
  const union = new arrow.DenseUnion([0], [new arrow.Field('u', new arrow.Int32())])
  const schema = new arrow.Schema([new arrow.Field('u', union)])
  const twice = new arrow.Table({ a: arrow.vectorFromArray([1]), A: arrow.vectorFromArray([2]) })
  const files: readonly (readonly [name: string, bytes: Uint8Array | string, message: string])[] = [
    ['text.arrow', 'this is a text of some length, and nothing else at all', 'text.arrow is no file or stream of Arrow IPC'],
    ['cut.arrow', file.subarray(0, file.length - 20), 'does not end as one'],
    ['cut.arrows', stream.subarray(0, stream.length - 100), 'is damaged'],
    ['packed.arrows', Buffer.from(lz4, 'base64'), 'compressed with LZ4'],
    ['twice.arrow', arrow.tableToIPC(twice), 'two columns of the name A'],
    ['union.arrow', arrow.tableToIPC(new arrow.Table(schema)), 'has the type'],
    ['none.arrow', '', 'only empty files'],
  ]
  for (const [name, bytes, message] of files) {
    on.write(`bad/${name}`, bytes)
    await expect(on.rows(`FROM './bad/${name}'`), name).rejects.toThrow(message)
  }
  on.write('unlike/a.arrow', file)
  on.write('unlike/b.arrow', arrow.tableToIPC(new arrow.Table({ n: arrow.vectorFromArray([1.5]) })))
  await expect(on.rows(`FROM './unlike'`)).rejects
    .toMatchObject({ code: 'EINVAL', message: expect.stringMatching(/b.arrow has a column n of the type DOUBLE/) })
  on.write('mixed/a.arrow', file)
  on.write('mixed/b.csv', 'n\n1\n')
  await expect(on.rows(`FROM './mixed'`)).rejects.toThrow('several kinds')
  await expect(on.rows(`FROM './of/x.arrow.gz'`)).rejects.toMatchObject({ code: 'ENOENT' })
})

test('a value that SQL has no place for is refused with its column', async () => {
  const one = (column: arrow.Vector): Uint8Array => arrow.tableToIPC(new arrow.Table({ c: column }))
  const nanos = (zone: string | null): arrow.Vector => {
    const type = new arrow.Timestamp(arrow.TimeUnit.NANOSECOND, zone)
    return new arrow.Vector([arrow.makeData({ type, length: 1, nullCount: 0, data: new BigInt64Array([1n]) })])
  }
  on.write('nanos.arrow', one(nanos(null)))
  expect(await on.rows(`SELECT c::VARCHAR AS c FROM './nanos.arrow'`)).toEqual([{ c: '1970-01-01 00:00:00.000000001' }])
  on.write('zoned.arrow', one(nanos('UTC')))
  await expect(on.rows(`FROM './zoned.arrow'`)).rejects.toThrow('the column c of')
  const dates = arrow.makeData({ type: new arrow.DateMillisecond(), length: 1, nullCount: 0, data: new BigInt64Array([1n]) } as never)
  on.write('dates.arrow', one(new arrow.Vector([dates])))
  await expect(on.rows(`FROM './dates.arrow'`)).rejects.toThrow('a date with a time of day')
})
