// Rows as Arrow: each type of the engine, read back by the package's own reader, and the values that are refused with their column.

import { tableFromIPC, Type, util, type Table } from 'apache-arrow'
import { afterAll, expect, test } from 'vitest'
import { Local } from './kit.ts'

const on = new Local()
afterAll(() => on[Symbol.dispose]())

const read = (sql: string): Promise<Table> => tableFromIPC(on.query(sql).arrow())
const refused = (sql: string): Promise<unknown> => read(sql).then(() => 'not refused', (error: { message: string }) => error.message)

/** Values of a column, with the bytes and bits of those that the reader would round. */
function valuesOf(table: Table, name: string): unknown[] {
  return [...table.getChild(name)!].map(value => value as unknown)
}

/** Expression of a type, its type in Arrow, and the value that the reader gives; each column has a NULL behind it. */
const kinds: readonly (readonly [sql: string, type: string, value: unknown])[] = [
  ['true', 'Bool', true],
  ['(-128)::TINYINT', 'Int8', -128], ['(-32768)::SMALLINT', 'Int16', -32_768], ['(-2147483648)::INTEGER', 'Int32', -2_147_483_648],
  ['(-9223372036854775808)::BIGINT', 'Int64', -(2n ** 63n)], ['255::UTINYINT', 'Uint8', 255], ['65535::USMALLINT', 'Uint16', 65_535],
  ['4294967295::UINTEGER', 'Uint32', 4_294_967_295], ['18446744073709551615::UBIGINT', 'Uint64', 2n ** 64n - 1n],
  ["'-0.0'::FLOAT", 'Float32', -0], ["'nan'::DOUBLE", 'Float64', NaN], ["'-inf'::DOUBLE", 'Float64', -Infinity],
  ["'snow ☃'", 'Utf8', 'snow ☃'], ["'a'::ENUM ('b', 'a')", 'Utf8', 'a'], ["'{\"a\": 1}'::JSON", 'Utf8', '{"a": 1}'],
  ["'12345678-1234-1234-1234-123456789abc'::UUID", 'Utf8', '12345678-1234-1234-1234-123456789abc'], ["'0101'::BIT", 'Utf8', '0101'],
  ["'10:00:00+02'::TIMETZ", 'Utf8', '10:00:00+02'], ["union_value(n := 7)", 'Utf8', '7'],
  [String.raw`'\x00\xFFa'::BLOB`, 'Binary', Uint8Array.of(0, 255, 97)],
  ["'23:59:59.999999'::TIME", 'Time64<MICROSECOND>', 86_399_999_999n],
  ["'1969-12-31'::DATE", 'Date32<DAY>', Date.UTC(1969, 11, 31)],
  ["['x', NULL, '']", 'List<Utf8>', ['x', null, '']], ['[]::INTEGER[]', 'List<Int32>', []],
  ['[[1, 2], NULL, []]', 'List<List<Int32>>', [[1, 2], null, []]],
  ["{'a': 1, 'b': ['x']}", 'Struct<{a:Int32, b:List<Utf8>}>', { a: 1, b: ['x'] }],
  ['[1, NULL]::INTEGER[2]', 'FixedSizeList[2]<Int32>', [1, null]],
  ["MAP {'k': 1, 'l': NULL}", 'Map<{key:Utf8, value:Int32}>', { k: 1, l: null }],
]

/** Vectors, rows and maps of the reader as plain values. */
function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
  return Symbol.iterator in value && !('toJSON' in value && !('length' in value))
    ? Array.from(value as Iterable<unknown>, plain)
    : Object.fromEntries(Object.entries((value as { toJSON(): object }).toJSON()).map(([key, each]) => [key, plain(each)]))
}

test('each type has its type in Arrow, with NULL, and the same value', async () => {
  const columns = kinds.map(([sql], i) => `${sql} AS c${i}`)
  const table = await read(`SELECT * FROM (SELECT 0 AS num, ${columns.join(', ')} UNION ALL BY NAME SELECT 1 AS num) ORDER BY num`)
  const found = kinds.map((_, i) => [String(table.schema.fields[i + 1]!.type), ...valuesOf(table, `c${i}`).map(plain)])
  expect(found).toEqual(kinds.map(([, type, value]) => [type, value, null]))
})

test('decimals, huge integers, instants and intervals keep all their digits', async () => {
  const table = await read(`SELECT -12345.67::DECIMAL(9, 2) AS d, 99999999999999999999999999999999999.999::DECIMAL(38, 3) AS e,
    -99999999999999999999999999999999999999::HUGEINT AS h, 7::UHUGEINT AS u, '2024-05-01 10:00:00.123456'::TIMESTAMP AS t,
    '2024-05-01 10:00:00.123456789'::TIMESTAMP_NS AS n, '1969-12-31 23:59:59'::TIMESTAMP_S AS s,
    '2024-05-01 10:00:00.123'::TIMESTAMP_MS AS m,
    '2024-05-01 10:00:00+02'::TIMESTAMPTZ AS z, INTERVAL '14 months 3 days -1.5 seconds' AS i, 12.5::DECIMAL(4, 1) AS small`)
  const types = Object.fromEntries(table.schema.fields.map(({ name, type }) => [name, String(type)]))
  expect(types).toEqual({
    d: 'Decimal[9e+2]', e: 'Decimal[38e+3]', h: 'Decimal[38e0]', u: 'Decimal[38e0]', t: 'Timestamp<MICROSECOND>',
    n: 'Timestamp<NANOSECOND>', s: 'Timestamp<SECOND>', m: 'Timestamp<MILLISECOND>', z: 'Timestamp<MICROSECOND, UTC>',
    i: 'Interval<MONTH_DAY_NANO>', small: 'Decimal[4e+1]',
  })
  const raw = (name: string): unknown => table.getChild(name)!.data[0]!.values
  const decimal = (name: string): bigint => {
    const [low, high] = new BigInt64Array((raw(name) as Uint32Array).slice().buffer)
    return (high! << 64n) + BigInt.asUintN(64, low!)
  }
  expect(['d', 'e', 'h', 'u', 'small'].map(decimal)).toEqual([-1_234_567n, 10n ** 38n - 1n, -(10n ** 38n) + 1n, 7n, 125n])
  const at = BigInt(Date.UTC(2024, 4, 1, 10))
  expect(['t', 'n', 's', 'm', 'z'].map(name => Array.from(raw(name) as BigInt64Array))).toEqual([
    [at * 1000n + 123_456n], [at * 1_000_000n + 123_456_789n], [-1n], [at + 123n], [(at - 7_200_000n) * 1000n],
  ])
  const intervals = util.toIntervalMonthDayNanoObjects((raw('i') as Int32Array).slice(), false)
  expect(intervals).toEqual([{ months: 14, days: 3, nanoseconds: -1_500_000_000n }])
  expect(table.getChild('i')!.type.typeId).toBe(Type.Interval)
})

test('values that Arrow has no place for are refused with their column', async () => {
  for (const [sql, said] of [
    ["'infinity'::DATE", 'an infinite date'], ["'-infinity'::TIMESTAMP", 'an infinite instant'],
    ["'infinity'::TIMESTAMPTZ", 'an infinite instant'], ["'infinity'::TIMESTAMP_NS", 'an infinite instant'],
    ["'24:00:00'::TIME", 'the time 24:00:00'],
    ['100000000000000000000000000000000000000::HUGEINT', 'an integer of more than 38 digits'],
    ['-100000000000000000000000000000000000000::HUGEINT', 'an integer of more than 38 digits'],
    ["INTERVAL '3000000 hours'", 'an interval of more than 292 years'],
  ] as const) {
    expect(await refused(`SELECT 1 AS a, ${sql} AS odd`)).toMatch(`the column odd has ${said}`)
    expect(await refused(`SELECT [${sql}] AS odd`)).toMatch(`the column odd has ${said}`)
  }
})

test('many rows come in batches while they are computed, none is an empty stream with its columns, and names occur once', async () => {
  const pieces: number[] = []
  let [rows, last] = [0, '']
  const counted = async function* () {
    for await (const piece of on.query('SELECT range AS n, range % 3 = 0 AS b FROM range(100000)').arrow()) {
      pieces.push(piece.length)
      last = Buffer.from(piece).toString('hex')
      yield piece
    }
  }
  const table = await tableFromIPC(counted())
  for (const { n, b } of table as Iterable<{ n: bigint; b: boolean }>) if (b === (n % 3n === 0n) && n === BigInt(rows)) rows++
  expect(rows).toBe(100_000)
  // The mark of the end tells a whole stream from one that was cut.
  expect(last).toBe('ffffffff00000000')
  expect(pieces.length).toBeGreaterThan(20)
  expect(Math.max(...pieces)).toBeLessThan(100_000)
  const none = await read('SELECT 1 AS n, 2 AS n WHERE false')
  expect([none.numRows, none.schema.fields.map(({ name }) => name)]).toEqual([0, ['n', 'n_1']])
})

test('an error after the first rows ends the stream with its message, and an abort ends it', async () => {
  await expect(read("SELECT CASE WHEN range < 200000 THEN 1 ELSE error('late') END AS x FROM range(200001)")).rejects.toThrow(/late/)
  const control = new AbortController()
  const pieces = on.query('SELECT range FROM range(10000000)', undefined, { signal: control.signal }).arrow()
  await pieces.next()
  control.abort()
  await expect(Array.fromAsync(pieces)).rejects.toMatchObject({ name: 'AbortError' })
})
