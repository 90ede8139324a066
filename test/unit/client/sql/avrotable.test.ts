// Avro files as tables: each value is the one that another implementation has written (fastavro 1.13.1, in test/unit/client/sql/avro), of
// the type that the engine has for it; what is no such file, or has no place in SQL, is refused by its file and its field.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { magic, numberBytes } from '../../../../src/record/avrofile.ts'
import { avroWriter } from '../../../../src/record/avrowriter.ts'
import { loadAvro } from '../../../../src/world/avro.ts'
import { Local } from './kit.ts'

let on: Local
beforeAll(() => { on = new Local() })
afterAll(() => on[Symbol.dispose]())

const golden = (name: string): Buffer => readFileSync(join(import.meta.dirname, 'avro', name))

const fields = (...all: Array<[name: string, type: unknown]>) =>
  ({ type: 'record', name: 'Row', fields: all.map(([name, type]) => ({ name, type })) })

async function written(values: readonly unknown[], schema: object): Promise<Buffer> {
  const writer = await avroWriter({ schema, codec: 'deflate' }, loadAvro)
  for (const value of values) writer.write(null, value)
  return Buffer.from(writer.take())
}

/** A file without records. */
function headed(schema: object): Buffer {
  const texts = ['avro.schema', JSON.stringify(schema)].flatMap(text => [numberBytes(Buffer.byteLength(text)), Buffer.from(text)])
  return Buffer.concat([magic, numberBytes(1), ...texts, numberBytes(0), Buffer.alloc(16)])
}

/** Row of the golden files by its number. */
function load(i: number): object {
  const place = { city: 'Ulm "x"\\ö', days: ['2024-02-29', '0001-01-01'], hash: Uint8Array.of(0, 255, 127) }
  const isOdd = i % 2 === 1
  return {
    id: isOdd ? -(2n ** 63n) + BigInt(i) : 2n ** 63n - 1n - BigInt(i),
    note: i % 3 === 0 ? null : [...'né\0"\n😀'].slice(0, i % 7 + 1).join(''),
    small: -(2 ** 31) + i, ok: !isOdd, f4: [Math.fround(0.1), NaN, -0][i % 3], f8: [null, 1e300, -Infinity, 5e-324][i % 4],
    raw: Uint8Array.of(0, 255, i),
    price: isOdd ? '-123456789012345678901234567890123456.78' : '0.01', fee: i % 4 === 1 ? null : '-99999.999',
    key: `12345678-9abc-def0-1234-56789abcde0${i.toString(16)}`, day: isOdd ? '9999-12-31' : '1969-12-31', clock: '23:59:59.999',
    fine: '01:02:03.000004', seen: '1969-12-31 23:59:59.999+00', at: i % 3 === 2 ? null : '9999-12-31 23:59:59.999999+00',
    here: isOdd ? '0001-01-01 00:00:00.000001' : '2026-01-02 03:04:05.000006', kind: isOdd ? 'B' : 'A', other: isOdd ? null : 'B',
    hash: Uint8Array.of(i, 0, 255), tags: [null, 'x', 'é'].slice(0, i % 4),
    counts: new Map([['a', BigInt(i)], ['b"', 9_007_199_254_740_993n]]),
    place: i % 3 === 1 ? null : place, back: isOdd ? place : null, nothing: null, odd: 'soon',
  }
}

test.each(['snappy', 'zstandard'])('a file with the codec %s is a table', async codec => {
  on.write(`packed/${codec}.avro`, readFileSync(join(import.meta.dirname, `../../src/record/avro/flat.${codec}.avro`)))
  expect(await on.rows(`SELECT count(*) AS n, sum(id) AS ids, max(note) AS note FROM './packed/${codec}.avro'`))
    .toEqual([{ n: 500n, ids: 124_750n, note: 'note 99' }])
})

test.each(['null', 'deflate'])('a file of another implementation has all its values, with the codec %s', async codec => {
  on.write(`${codec}/loads.avro`, golden(`loads.${codec}.avro`))
  expect(await on.rows(`FROM './${codec}' ORDER BY small`)).toEqual(Array.from({ length: 12 }, (_, i) => load(i)))
})

test('types of Avro are types of SQL, logical ones too', async () => {
  on.write('loads.avro', golden('loads.null.avro'))
  const types = (await on.rows(`DESCRIBE FROM './loads.avro'`)).map(row => [row['column_name'], row['column_type']])
  expect(Object.fromEntries(types)).toEqual({
    id: 'BIGINT', note: 'VARCHAR', small: 'INTEGER', ok: 'BOOLEAN', f4: 'FLOAT', f8: 'DOUBLE', raw: 'BLOB', price: 'DECIMAL(38,2)',
    fee: 'DECIMAL(9,3)', key: 'UUID', day: 'DATE', clock: 'TIME', fine: 'TIME', seen: 'TIMESTAMP WITH TIME ZONE',
    at: 'TIMESTAMP WITH TIME ZONE', here: 'TIMESTAMP', kind: 'VARCHAR', other: 'VARCHAR', hash: 'BLOB', tags: 'VARCHAR[]',
    counts: 'MAP(VARCHAR, BIGINT)', place: 'STRUCT(city VARCHAR, "days" DATE[], hash BLOB)',
    back: 'STRUCT(city VARCHAR, "days" DATE[], hash BLOB)', nothing: 'VARCHAR', odd: 'VARCHAR',
  })
  expect(await on.rows(`SELECT max(id) AS high, sum(small) AS s, max(price) AS p, max(place.days[1]) AS d, sum(counts['b"'])::VARCHAR AS c
    FROM './loads.avro' WHERE "at" IS NOT NULL`)).toEqual([
    { high: 2n ** 63n - 1n, s: BigInt(8 * -(2 ** 31) + 40), p: '0.01', d: '2024-02-29', c: '72057594037927944' },
  ])
})

test('instants, durations and UUIDs of bytes; what a logical type needs and is not there makes it none', async () => {
  const fixed = (name: string, size: number, logicalType: string) => ({ type: 'fixed', name, size, logicalType })
  const long = (logicalType: string) => ({ type: 'long', logicalType })
  const schema = fields(
    ['u', fixed('U', 16, 'uuid')], ['no', fixed('N', 3, 'uuid')], ['ms', long('local-timestamp-millis')],
    ['ns', long('local-timestamp-nanos')],
    ['z', long('timestamp-nanos')], ['x', { type: 'bytes', logicalType: 'decimal' }], ['d', { type: 'int', logicalType: 'date' }],
    ['iv', { type: 'fixed', name: 'I', size: 12, logicalType: 'duration' }],
  )
  const row = {
    u: '12345678-9abc-def0-1234-56789abcdeff', no: Buffer.from([1, 2, 3]), ms: '1969-12-31T23:59:59.999',
    ns: '1999-12-31T23:59:59.123456789',
    z: '2024-01-01T00:00:00.000001000Z', x: Buffer.from([1]), d: '-000043-03-15', iv: Buffer.from('010000000200000003000000', 'hex'),
  }
  on.write('logical.avro', await written([row], schema))
  expect(await on.rows(`SELECT u, no, ms::VARCHAR AS ms, ns::VARCHAR AS ns, z, x, d, iv::VARCHAR AS iv FROM './logical.avro'`)).toEqual([{
    u: row.u, no: Uint8Array.of(1, 2, 3), ms: '1969-12-31 23:59:59.999', ns: '1999-12-31 23:59:59.123456789',
    z: '2024-01-01 00:00:00.000001+00',
    x: Uint8Array.of(1), d: '0044-03-15 (BC)', iv: '1 month 2 days 00:00:00.003',
  }])
  on.write('nanos.avro', await written([{ ...row, z: '2024-01-01T00:00:00.000000001Z' }], schema))
  await expect(on.rows(`FROM './nanos.avro'`)).rejects.toThrow(/the field z of .*nanos\.avro has an instant in nanoseconds/)
})

test('values in records, lists and maps are what they are outside of them', async () => {
  const all: Array<[string, unknown]> = [
    ['u', { type: 'string', logicalType: 'uuid' }], ['d', { type: 'bytes', logicalType: 'decimal', precision: 38, scale: 3 }],
    ['f', 'double'], ['g', 'float'], ['ts', { type: 'long', logicalType: 'timestamp-micros' }], ['b', 'boolean'], ['l', 'long'],
    ['t', 'string'], ['y', 'bytes'],
    ['n', { type: 'long', logicalType: 'local-timestamp-nanos' }], ['c', { type: 'long', logicalType: 'time-micros' }],
  ]
  const given = {
    u: '12345678-9abc-def0-1234-56789abcdeff', d: '-12345678901234567890123456789012345.678', f: NaN, g: -Infinity,
    ts: '0001-01-01T00:00:00.000001Z', b: false, l: -(2n ** 63n), t: 'x\0"y', y: Buffer.from([0, 255, 92]),
    n: '1999-12-31T23:59:59.123456789', c: '23:59:59.999999',
  }
  const read = { ...given, ts: '0001-01-01 00:00:00.000001+00', y: Uint8Array.of(0, 255, 92), n: '1999-12-31 23:59:59.123456789' }
  const schema = fields(
    ['s', { ...fields(...all), name: 'Inner' }], ['a', { type: 'array', items: ['null', 'Inner'] }],
    ['m', { type: 'map', values: 'Inner' }],
    ['ll', { type: 'array', items: { type: 'array', items: 'bytes' } }], ['none', { type: 'map', values: 'long' }],
  )
  const row = { s: given, a: [given, null], m: { 'k"\\': given }, ll: [[Buffer.from([1])], []], none: {} }
  on.write('nested.avro', await written([row], schema))
  expect(await on.rows(`FROM './nested.avro'`))
    .toEqual([{ s: read, a: [read, null], m: new Map([['k"\\', read]]), ll: [[Uint8Array.of(1)], []], none: new Map() }])
})

test('a union of numbers is the type that holds each of them, if there is one', async () => {
  const schema = fields(
    ['whole', ['null', 'int', { type: 'long' }]], ['real', ['float', 'null', 'double']], ['mixed', ['int', 'double']],
    ['list', { type: 'array', items: ['double', 'int', 'null'] }],
  )
  const rows = [
    { whole: 5, real: { float: 0.1 }, mixed: { int: -(2 ** 31) }, list: [{ int: 7 }, null, { double: 0.5 }] },
    { whole: 2n ** 62n, real: { double: 1e300 }, mixed: { double: NaN }, list: [] },
    { whole: null, real: null, mixed: { double: -0 }, list: [] },
  ]
  on.write('numbers.avro', await written(rows, schema))
  const types = (await on.rows(`DESCRIBE FROM './numbers.avro'`)).map(row => row['column_type'])
  expect(types).toEqual(['BIGINT', 'DOUBLE', 'DOUBLE', 'DOUBLE[]'])
  expect(await on.rows(`FROM './numbers.avro'`)).toEqual([
    { whole: 5n, real: Math.fround(0.1), mixed: -(2 ** 31), list: [7, null, 0.5] }, { whole: 2n ** 62n, real: 1e300, mixed: NaN, list: [] },
    { whole: null, real: null, mixed: -0, list: [] },
  ])
  for (const lossy of [['long', 'double'], ['int', { type: 'int', logicalType: 'date' }]]) {
    on.write('lossy.avro', headed(fields(['u', lossy])))
    await expect(on.rows(`FROM './lossy.avro'`)).rejects.toThrow(/the field u of .*lossy\.avro has a union of several types/)
  }
})

test('a directory of files with partitions; files with other fields, and of other kinds, are refused', async () => {
  const one = await written([{ a: 1n, b: 'x' }, { a: null, b: 'y' }], fields(['a', ['null', 'long']], ['b', 'string']))
  const turned = await written([{ b: 'z', c: true, a: 2n ** 60n }], fields(['b', 'string'], ['c', 'boolean'], ['a', 'long']))
  on.write('of/k=1/a.avro', one)
  on.write('of/k=2/b.avro', turned)
  on.write('of/k=3/empty.avro', '')
  on.write('of/k=4/none.avro', headed(fields(['a', 'long'], ['b', 'string'])))
  expect(await on.rows(`FROM './of' ORDER BY b`))
    .toEqual([{ a: 1n, b: 'x', k: 1n }, { a: null, b: 'y', k: 1n }, { a: 2n ** 60n, b: 'z', k: 2n }])
  on.write('unlike/a.avro', one)
  on.write('unlike/b.avro', await written([{ a: 1, b: 'x' }], fields(['a', 'int'], ['b', 'string'])))
  await expect(on.rows(`FROM './unlike'`)).rejects.toMatchObject({
    code: 'EINVAL', message: expect.stringMatching(/b\.avro has a column a of the type INTEGER/),
  })
  on.write('mixed/a.avro', one)
  on.write('mixed/b.csv', 'a,b\n1,x\n')
  await expect(on.rows(`FROM './mixed'`)).rejects.toThrow('several kinds')
})

test('what is no Avro file, is damaged, or has no place in SQL is refused by its file and its field', async () => {
  const good = await written([{ a: 1 }], fields(['a', 'int']))
  const inner = (...all: Array<[string, unknown]>): object => ({ ...fields(...all), name: 'Inner' })
  const cases: ReadonlyArray<readonly [name: string, bytes: Uint8Array | string, message: RegExp]> = [
    ['text', 'this is a text of some length', /bad\/text\.avro.*is no Avro container file/], ['none', '', /only empty files/],
    ['cut', good.subarray(0, good.length - 3), /bad\/cut\.avro.*the file ends/],
    ['union', headed(fields(['s', inner(['u', ['null', 'int', 'string']])])), /the field s\.u of .*union\.avro has a union of several types \(int, string\)/],
    ['wide', headed(fields(['d', { type: 'bytes', logicalType: 'decimal', precision: 39, scale: 1 }])), /the field d of .*decimals of 39 digits/],
    ['twice', headed(fields(['a', 'int'], ['A', 'int'])), /twice\.avro has two fields of the name A/],
    ['bare', headed(fields(['e', { type: 'record', name: 'E', fields: [] }])), /the field e of .*bare\.avro is a record without fields/],
    ['itself', headed(fields(['r', inner(['next', ['null', 'Inner']])])), /the field r\.next of .*itself\.avro has a record that holds itself/],
    ['orders', readFileSync(join(import.meta.dirname, '../../src/record/avro/orders.null.avro')), /the field next of .* has a record that holds itself/],
  ]
  for (const [name, bytes, message] of cases) {
    on.write(`bad/${name}.avro`, bytes)
    await expect(on.rows(`FROM './bad/${name}.avro'`), name).rejects.toThrow(message)
  }
  const plain = await avroWriter({ schema: fields(['t', 'string']), codec: 'null' }, loadAvro)
  plain.write(null, { t: 'abc' })
  const half = Buffer.from(plain.take())
  half[half.indexOf('abc')] = 0xff
  on.write('bad/half.avro', half)
  await expect(on.rows(`FROM './bad/half.avro'`)).rejects.toThrow(/the field t of .*half\.avro has a text that is no UTF-8/)
  const keyed = await avroWriter({ schema: fields(['m', { type: 'map', values: 'int' }]), codec: 'null' }, loadAvro)
  keyed.write(null, { m: { kkk: 1 } })
  const broken = Buffer.from(keyed.take())
  broken[broken.indexOf('kkk')] = 0xff
  on.write('bad/key.avro', broken)
  await expect(on.rows(`FROM './bad/key.avro'`)).rejects.toThrow(/bad\/key\.avro.*a key of a map in record 1 of the block is not UTF-8/)
  on.write('bad/x.avro.gz', good)
  await expect(on.rows(`FROM './bad/x.avro.gz'`)).rejects.toThrow('is no table that SQL reads')
})
