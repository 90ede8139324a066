// Tables of all types of a real PostgreSQL, with generated values: each line of an import is the document that the server makes of the row,
// and each text of a query's copy the one of its cast.

import { deepStrictEqual as equal, ok } from 'node:assert/strict'
import { PostgresTable } from '../../src/connector/postgres/source.ts'
import { tableAddressOf } from '../../src/connector/postgres/names.ts'
import type { PostgresConnection } from '../../src/ports/postgres.ts'
import { openPostgres } from '../../src/world/postgres.ts'

interface Bench { readonly db: PostgresConnection; readonly url: (table: string) => string }

const oddTexts = String.raw`(ARRAY['', ' ', 'a', 'NULL', '\N', E'\\', E'\\N', E'\\.', 'a"b', E'\t', E'\n', E'\r\n', E'\x01\x02\x1f\x7f', 'ü€😀',
  E'\u2028',   E'\b\f\v', '{"a":1}', '  x  ', repeat('long "text" ', 900)])[1 + floor(random() * 19)::int]`

/** Expressions that give values of each type. */
const types: Readonly<Record<string, string>> = {
  smallint: '(random() * 65535 - 32768)::int2', int: '(random() * 4e9 - 2e9)::int4', bigint: '(random() * 1.8e19 - 9e18)::int8',
  real: `(ARRAY[random()::real, 'NaN', 'Infinity', '-Infinity', '-0', 1e-40, 3.4e38])[1 + floor(random() * 7)::int]`,
  'double precision': `(ARRAY[random(), 'NaN', 'Infinity', '-Infinity', '-0', 5e-324, 1e15, 1e16])[1 + floor(random() * 8)::int]`,
  numeric: `(ARRAY[random()::numeric, 'NaN', 'Infinity', 1e-30, 12345678901234567890.5])[1 + floor(random() * 5)::int]`,
  'numeric(20,4)': '(random() * 1e12)::numeric(20,4)', boolean: 'random() < 0.5', text: oddTexts, 'varchar(20)': `left(${oddTexts}, 20)`,
  'char(12)': `left(${oddTexts}, 12)`, '"char"': `chr(33 + floor(random() * 90)::int)::"char"`, name: `left('n' || random(), 20)::name`,
  bytea: `decode(md5(random()::text), 'hex')`,
  date: `(ARRAY['infinity', '-infinity', '0044-03-15 BC', '12026-01-01', '1999-12-31'])[1 + floor(random() * 5)::int]::date`,
  timestamp: `(ARRAY['infinity', '-infinity', '0044-03-15 12:00:00.5 BC', '12026-01-01',
    '1999-12-31 23:59:59.999999'])[1 + floor(random() * 5)::int]::timestamp`,
  timestamptz: `(ARRAY['infinity', '-infinity', '0044-03-15 12:00:00.5+05 BC', '12026-01-01',
    '1999-12-31 23:59:59.999999-03:30'])[1 + floor(random() * 5)::int]::timestamptz`,
  time: `('00:00'::time + random() * interval '1 day')`, timetz: `('00:00:00+02'::timetz + random() * interval '1 day')`,
  interval: `random() * interval '400 days 3 hours'`, uuid: 'gen_random_uuid()',
  json: String.raw`(E'{"a":\n\t [1, "\\n\\u0001"],\r "b": null}')::json`,
  jsonb: `to_jsonb(${oddTexts})`, inet: `(ARRAY['10.0.0.1', '10.0.0.1/8', '::1/64'])[1 + floor(random() * 3)::int]::inet`,
  cidr: `'10.0.0.0/8'::cidr`,
  macaddr: `'08:00:2b:01:02:03'::macaddr`, money: '(random() * 1000)::numeric::money', regclass: `'pg_class'::regclass`,
  'bit(5)': `B'10110'`,
  varbit: `B'101'`, oid: '(random() * 1e6)::int::oid',
  xml: `'<a>"x"</a>'::xml`, point: 'point(random(), 1)', tsvector: `to_tsvector('simple', 'a b')`, int4range: 'int4range(1, 5)',
  'int[]': 'ARRAY[1, NULL, 3]', 'text[]': `ARRAY[${oddTexts}, NULL]`, 'timestamptz[]': `ARRAY[now()]`,
  mood: `(ARRAY['sad', E'o"dd'])[1 + floor(random() * 2)::int]::mood`,
  two: `ROW(1, ${oddTexts})::two`, small: `(random() * 100)::int::small`, '"odd"."int4"': `ROW(${oddTexts}, NULL)::"odd"."int4"`,
}

const settings = `SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'iso_8601'; SET extra_float_digits = 1;
  SET bytea_output = 'hex'; SET quote_all_identifiers = off`
/** Settings of the database that give values other forms. */
const others = [
  `TimeZone = 'Asia/Kolkata'`, `DateStyle = 'SQL, DMY'`, `IntervalStyle = 'sql_standard'`, 'extra_float_digits = -10',
  `bytea_output = 'escape'`, 'quote_all_identifiers = on',
]
const rowCount = 3000

async function linesOf(bench: Bench, isText: boolean): Promise<string[]> {
  const source = new PostgresTable({ open: openPostgres }, tableAddressOf(bench.url('all_kinds')), { isText })
  try {
    const [pin] = await Array.fromAsync(source.pin())
    const splits = source.split(pin!, 256 * 1024)
    ok(splits.length > 1)
    const lines: string[] = []
    for (const split of splits) {
      const text = Buffer.concat(await Array.fromAsync(source.read(split, 0))).toString()
      lines.push(...text.split('\n').slice(0, -1))
    }
    return lines
  } finally {
    await source.close()
  }
}

export async function kinds(bench: Bench): Promise<void> {
  const { db } = bench
  await db.query(`CREATE TYPE mood AS ENUM ('sad', E'o"dd'); CREATE TYPE two AS (a int, b text); CREATE DOMAIN small AS int;
    CREATE SCHEMA odd; CREATE TYPE odd.int4 AS (a text, b int)`)
  const names = Object.keys(types).map((type, i) => `"${i} ${type.replaceAll('"', '')} ""\\ü"`)
  await db.query(`CREATE TABLE all_kinds (${Object.keys(types).map((type, i) => `${names[i]} ${type}`).join(', ')})`)
  // A value in nine of ten is there.
  const values = Object.values(types).map(value => `CASE WHEN random() < 0.9 AND i > 0 THEN ${value} END`)
  await db.query(`INSERT INTO all_kinds SELECT ${values.join(', ')} FROM generate_series(1, ${rowCount}) AS i`)
  const [[database] = []] = await db.query('SELECT quote_ident(current_database())')
  for (const other of others) await db.query(`ALTER DATABASE ${database} SET ${other}`)
  const set = await openPostgres({ ...tableAddressOf(bench.url('all_kinds')).server })
  try {
    await set.query(settings)
    const documents = await set.query(String.raw`SELECT translate(row_to_json(t.*)::text, E'\n\r', '  ') FROM all_kinds AS t ORDER BY ctid`)
    equal(await linesOf(bench, false), documents.map(([text]) => text))
    const dated = (name: string): string => String.raw`regexp_replace(${name}::text, '^([^ ]+)(.*) BC$', E'\\1 (BC)\\2')`
    const isDated = (type: string): boolean => ['date', 'timestamp', 'timestamptz'].includes(type)
    const texts = Object.keys(types).map((type, i) => `${isDated(type) ? dated(names[i]!) : `${names[i]}::text`} AS ${names[i]}`)
    const casts = await set.query(`SELECT row_to_json(r.*)::text FROM (SELECT ${texts.join(', ')} FROM all_kinds ORDER BY ctid) AS r`)
    equal(await linesOf(bench, true), casts.map(([text]) => text))
  } finally {
    await set.close()
    await db.query(`ALTER DATABASE ${database} RESET ALL`)
  }
  await db.query('CREATE TABLE no_columns (); INSERT INTO no_columns DEFAULT VALUES')
  const none = new PostgresTable({ open: openPostgres }, tableAddressOf(bench.url('no_columns')))
  const [pin] = await Array.fromAsync(none.pin())
  equal(Buffer.concat(await Array.fromAsync(none.read(none.split(pin!, 1e9)[0]!, 0))).toString(), '{}\n')
  await none.close()
}
