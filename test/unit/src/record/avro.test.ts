// Container files of Avro: files of another implementation (fastavro 1.13.1, in test/unit/src/record/avro), files that are cut anywhere,
// what is broken, and what is written. fastavro itself reads and writes where python3 has it.

import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateRawSync, gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import type { OutputOptions } from '../../../../src/base/formats.ts'
import { magic, numberBytes, numberIn } from '../../../../src/record/avrofile.ts'
import { avroWriter } from '../../../../src/record/avrowriter.ts'
import { ByteFeed } from '../../../../src/record/bytefeed.ts'
import { readRecords } from '../../../../src/record/reader.ts'
import { newReadCounters } from '../../../../src/record/records.ts'
import { loadAvro } from '../../../../src/world/avro.ts'
import { dice, type Dice } from '../../../kit/dice.ts'
import { rangeOf, readAll } from './ranges.ts'

/** The one block of a file without compression, packed with deflate. */
async function repacked(plain: Buffer, schema: object): Promise<Buffer> {
  const marker = plain.subarray(-16)
  const begin = plain.indexOf(marker) + 16
  const feed = new ByteFeed((async function* () { yield plain.subarray(begin) })(), 0)
  const [count, size] = [await numberIn(feed), await numberIn(feed)]
  const stored = deflateRawSync((await feed.take(size!))!)
  const header = ['avro.codec', 'deflate', 'avro.schema', JSON.stringify(schema)]
    .flatMap(text => [numberBytes(Buffer.byteLength(text)), Buffer.from(text)])
  return Buffer.concat([
    magic, numberBytes(2), ...header, numberBytes(0), marker, numberBytes(count!), numberBytes(stored.length), stored, marker,
  ])
}

const fields = (...all: Array<[name: string, type: unknown]>) =>
  ({ type: 'record', name: 'Row', fields: all.map(([name, type]) => ({ name, type })) })

async function written(values: readonly unknown[], schema: object, codec: OutputOptions['codec'] = 'deflate'): Promise<Buffer> {
  const writer = await avroWriter({ schema, codec }, loadAvro)
  for (const value of values) writer.write(null, value)
  return Buffer.from(writer.take())
}

const valuesOf = async (bytes: Buffer): Promise<unknown[]> =>
  (await readAll([rangeOf(bytes, {}, dice(1))], { format: 'avro' })).map(({ value }) => value)

const idOf = ({ value }: { readonly value: unknown }): unknown => (value as { readonly id: unknown }).id

const randomText = (random: Dice, max: number): string =>
  Array.from({ length: random.below(max) }, () => String.fromCharCode(97 + random.below(26))).join('')

const order = (i: number) => ({
  id: 9_223_372_036_854_775_807n - BigInt(i), note: i % 2 === 1 ? null : 'né', price: '-12345678901234567.89', fee: '0.125',
  day: '1969-12-31', at: '9999-12-31T23:59:59.999999Z', seen: '2026-01-02T03:04:05.006Z', clock: '01:02:03.000004',
  key: `12345678-9abc-def0-1234-56789abcdef${i}`, raw: Buffer.from([0, 255, i]), tags: ['x', 'y'],
  counts: { a: i, b: 9_007_199_254_740_993n }, kind: 'B', next: null,
})

const codecsRead = ['null', 'deflate', 'snappy', 'zstandard']

test.each(codecsRead)('a file of another implementation has all its digits, with the codec %s', async codec => {
  const bytes = await readFile(join(import.meta.dirname, `avro/orders.${codec}.avro`))
  const orders = await valuesOf(bytes)
  expect(orders).toEqual([order(0), { ...order(1), next: order(2) }])
  // Not instances of classes: those are refused between tasks and by CSV.
  expect(Object.getPrototypeOf(orders[0])).toBe(Object.prototype)
})

test.each(['null', 'deflate'] as const)('a file that is cut anywhere gives each record once, with the codec %s', async codec => {
  const random = dice(codec.length)
  const values = Array.from({ length: 700 }, (_, id) => ({ id, text: randomText(random, 900), bytes: Buffer.alloc(random.below(9), id) }))
  const bytes = await written(values, fields(['id', 'long'], ['text', 'string'], ['bytes', 'bytes']), codec)
  const counters = newReadCounters()
  const whole = await readAll([rangeOf(bytes, {}, random, 5000)], { format: 'avro' }, counters)
  expect(whole.map(({ value }) => value)).toEqual(values)
  expect(counters).toMatchObject({ bytes: bytes.length, records: values.length })
  if (codec === 'null') {
    expect(new Set(whole.map(({ offset }) => offset)).size).toBe(values.length)
    expect(bytes.subarray(whole[1]!.offset, whole[1]!.offset + 1)).toEqual(Buffer.from([2]))
  }
  for (let round = 0; round < 15; round++) {
    const cuts = Array.from({ length: 1 + random.below(12) }, () => random.below(bytes.length)).sort((a, b) => a - b)
    const ends = [...cuts, bytes.length]
    const ranges = ends.map((end, i) =>
      rangeOf(bytes, { start: i === 0 ? 0 : ends[i - 1]!, end, aligned: false, partial: true }, random, 5000))
    expect((await readAll(ranges, { format: 'avro' })).map(idOf)).toEqual(values.map(({ id }) => id))
    expect(ranges.every(range => range.closed())).toBe(true)
  }
  // Each cut around a marker, and within the header.
  const marker = bytes.subarray(-16)
  const header = bytes.indexOf(marker)
  const places = [header, bytes.indexOf(marker, header + 1)]
  expect(places[1]).toBeLessThan(bytes.length - 16)
  const around = [3, 40, ...places.flatMap(at => [0, 1, 8, 15, 16, 17, 18].map(more => at + more))]
  for (const cut of around) {
    const parts = [{ start: 0, end: cut }, { start: cut, end: bytes.length }]
    const ranges = parts.map(part => rangeOf(bytes, { ...part, aligned: false, partial: true }, random, 5000))
    const found = await readAll(ranges, { format: 'avro' })
    expect(found.map(idOf)).toEqual(values.map(({ id }) => id))
  }
})

test('what is no Avro, and what is broken, is named with its place', async () => {
  const bytes = await written([{ id: 1 }, { id: 2 }], fields(['id', 'long']), 'null')
  const failure = (given: Buffer) => valuesOf(given).then(() => 'none', (error: Error) => error.message)
  const patched = (at: number, value: number) => Buffer.concat([bytes.subarray(0, at), Buffer.from([value]), bytes.subarray(at + 1)])
  expect(await failure(Buffer.from('id\n1\n'))).toContain('/file, byte 0: the file is no Avro container file')
  expect(await failure(gzipSync(bytes))).toContain('packed with gzip: unpack it')
  expect(await failure(Buffer.from(bytes.toString('latin1').replace('\u0008null', '\u0004xz'), 'latin1')))
    .toContain('packed with xz, which is not supported; write it with deflate or zstandard')
  expect(await failure(bytes.subarray(0, 30))).toContain('the file ends in its header')
  expect(await failure(bytes.subarray(0, -1))).toContain('the file ends, in the block that begins here')
  expect(await failure(patched(bytes.length - 1, bytes.at(-1)! ^ 1))).toContain('the marker that ends each block is not there')
  expect(await failure(patched(bytes.length - 20, 6))).toContain('record 3 of 3 is not of its schema')
  expect(await failure(patched(bytes.length - 20, 2))).toContain('record 2 of 1 would be behind the last one, where 1 bytes are left')
  const skipped = newReadCounters()
  const kept = await readAll([rangeOf(patched(bytes.length - 20, 6), {}, dice(1))], { format: 'avro', badRecords: 'skip' }, skipped)
  expect([kept.map(({ value }) => value), skipped.badRecords]).toEqual([[{ id: 1 }, { id: 2 }], 1])
  const short = { ...rangeOf(bytes, {}, dice(1)), end: bytes.length + 9 }
  await expect(readAll([short], { format: 'avro' })).rejects.toMatchObject({ code: 'CORRUPT' })
})

test('a default that does not fit its type is no reason to refuse a file', async () => {
  const good = await written([{ note: 'x' }], fields(['note', ['string', 'null']]), 'null')
  const text = good.toString('latin1')
  const schema = JSON.stringify(fields(['note', ['string', 'null']]))
  const odd = schema.replace('"name":"note",', '"name":"note","default":null,')
  const varint = (length: number) => String.fromCharCode(((length * 2) & 0x7f) | 0x80, length * 2 >> 7)
  const patched = text.replace(varint(schema.length) + schema, varint(odd.length) + odd)
  expect(await valuesOf(Buffer.from(patched, 'latin1'))).toEqual([{ note: 'x' }])
})

test('a record that does not fit is refused with the field, and nothing is rounded or left out', async () => {
  const decimal = { type: 'bytes', logicalType: 'decimal', precision: 4, scale: 2 }
  const small = { type: 'fixed', name: 'Small', size: 1, logicalType: 'decimal', precision: 3, scale: 0 }
  const stamp = (logicalType: string) => ({ type: 'long', logicalType })
  const uuid = '12345678-9abc-def0-1234-56789abcdef0'
  const cases: Array<[type: unknown, refused: unknown[], kept: Array<[given: unknown, read: unknown]>]> = [
    ['long', [1.5, 2 ** 60, 2n ** 63n, '1', undefined], [[-(2n ** 63n), -(2n ** 63n)], [5n, 5]]],
    ['int', [2 ** 31, 2n ** 40n, 2n ** 64n], [[-(2 ** 31), -(2 ** 31)], [5n, 5]]],
    [['null', 'double'], [2n ** 64n + 1n, 10n ** 400n], [[5n, 5], [null, null], [2n ** 64n, 2 ** 64]]],
    ['double', [2n ** 60n + 1n], [[2n ** 60n, 2 ** 60], [Number.NaN, Number.NaN]]],
    ['float', [1e300, 2n ** 1000n], [[-(2n ** 60n), -(2 ** 60)], [Infinity, Infinity]]],
    // A bigint is never a text.
    [['double', 'string'], [2n ** 64n + 1n], [['1', '1'], [5n, 5]]],
    [['null', 'long', 'double'], ['5', 2n ** 64n + 1n], [
      [2n ** 60n + 1n, 2n ** 60n + 1n], [0.5, 0.5], [5, 5], [5n, 5], [-(2 ** 53) + 1, -(2 ** 53) + 1], [2 ** 60, 2 ** 60], [-0, -0],
      [2n ** 64n, 2 ** 64], [Number.NaN, Number.NaN], [null, null],
    ]],
    [['int', 'long'], [0.5], [[5, 5], [2 ** 40, 2 ** 40]]], [{ type: 'map', values: ['float', 'long'] }, [], [[{ a: 7 }, { a: 7 }]]],
    [['null', 'long'], [], [[-0, 0]]],
    [{ type: 'long', logicalType: 'unknown' }, [2n ** 63n], [[2n ** 60n, 2n ** 60n]]],
    [{ type: 'enum', name: 'Kind', symbols: ['A'] }, [['A'], 'toString', 'B'], [['A', 'A']]],
    [decimal, ['1.234', '123.45', 'x', 1e21, [1], true], [['1.20', '1.20'], [-99.99, '-99.99'], [7n, '7.00'], ['1.500', '1.50']]],
    [small, ['128', '1.5'], [['-128', '-128'], [5, '5'], ['5.0', '5']]],
    [stamp('timestamp-millis'), ['2026-01-01T00:00:00.0001Z', '2026-02-30T00:00:00Z', 'now', 5], [
      ['2026-01-01T02:00:00.1+02:00', '2026-01-01T00:00:00.100Z'], [new Date(-1), '1969-12-31T23:59:59.999Z'],
      ['2026-01-01', '2026-01-01T00:00:00.000Z'],
    ]],
    [stamp('timestamp-micros'), ['2026-01-01T00:00:00.0000001Z'], [['1960-01-01 00:00:00.000001', '1960-01-01T00:00:00.000001Z']]],
    [stamp('local-timestamp-micros'), ['2026-01-01T00:00:00Z'], [['2026-01-01T00:00:00.5', '2026-01-01T00:00:00.500000']]],
    [{ type: 'int', logicalType: 'date' }, ['2026-13-01', '1'], [['2026-03-01', '2026-03-01'], [new Date(0), '1970-01-01']]],
    [{ type: 'int', logicalType: 'time-millis' }, ['24:00:00', '01:00:00Z'], [['23:59:59.999', '23:59:59.999']]],
    [{ type: 'string', logicalType: 'uuid' }, ['x'], [[uuid, uuid]]],
    [{ type: 'fixed', name: 'Id', size: 16, logicalType: 'uuid' }, [Buffer.alloc(16)], [[uuid, uuid]]],
    // A logical type over a type that it does not stand over does not count.
    [{ type: 'string', logicalType: 'date' }, [5], [['soon', 'soon']]],
    [['null', 'bytes', { type: 'map', values: 'long' }], ['x'], [
      [new Uint8Array([1, 2]), Buffer.from([1, 2])], [{ a: 2n ** 60n }, { a: 2n ** 60n }],
    ]],
    [['null', 'int', 'double'], [5], [[{ double: 5 }, { double: 5 }], [null, null]]],
  ]
  for (const [type, refused, kept] of cases) {
    const schema = fields(['v', type])
    for (const value of refused)
      await expect(written([{ v: value }], schema), JSON.stringify(type)).rejects.toThrow('fit the schema of the Avro output: v is ')
    expect(await valuesOf(await written(kept.map(([given]) => ({ v: given })), schema))).toEqual(kept.map(([, read]) => ({ v: read })))
  }
  const text = ['string', { type: 'int', logicalType: 'date' }]
  await expect(written([{ v: '2026-01-01' }], fields(['v', text]))).rejects.toThrow('{"v":"2026-01-01"} does not fit one branch of its')
  await expect(written([{ v: 1, w: 2 }], fields(['v', 'long']))).rejects.toThrow('has the field "w", which the schema does not have')
  await expect(written([], { type: 'recrod' })).rejects.toThrow('the schema of the Avro output cannot be read')
})

test('a map keeps each key, may be a Map, and no other object is taken for a map, a list or a record', async () => {
  const map = (values: unknown) => fields(['v', { type: 'map', values }])
  const point = { type: 'record', name: 'Point', fields: [{ name: 'x', type: 'int', default: 0 }] }
  const odd = JSON.parse('{"__proto__":5,"a":1,"":2}') as object
  for (const value of [odd, new Map(Object.entries(odd))]) {
    const [read] = await valuesOf(await written([{ v: value }], map('int'))) as Array<{ v: object }>
    expect(Object.entries(read!.v)).toEqual(Object.entries(odd))
  }
  const deep = JSON.parse('{"__proto__":{"x":3},"a":{"x":4}}') as object
  const [read] = await valuesOf(await written([{ v: new Map(Object.entries(deep)) }], map(point))) as Array<{ v: object }>
  expect(Object.entries(read!.v)).toEqual(Object.entries(deep))
  // With bytes, and in a union.
  const union = fields(['v', ['null', map('bytes').fields[0]!.type]])
  const raw = await written([{ v: new Map([['b', new Uint8Array([1])]]) }, { v: new Map() }], union)
  expect(await valuesOf(raw)).toEqual([{ v: { b: Buffer.from([1]) } }, { v: {} }])
  class Own { readonly x = 1 }
  const refused: Array<[schema: object, value: unknown, words: RegExp]> = [
    [map('int'), new Map([[1, 1]]), /v has the key 1, and keys of a map are texts/], [map('int'), new Set([1]), /v is a Set, and not/],
    [map('int'), new Own(), /v is a Own, and not/], [map('int'), new Date(0), /v is "1970/], [map('int'), Buffer.from([1]), /v is /],
    [map('int'), { a: 1, [Symbol('s')]: 2 }, /v has the field Symbol\(s\), and names of fields are texts/],
    [map('int'), new Map([['a', 'x']]), /v\.a is "x", and not/],
    [fields(['v', point]), new Map([['x', 1]]), /v is a Map, and not/], [fields(['v', point]), new Own(), /v is a Own/],
    [fields(['v', ['null', point]]), new Set([1]), /v is a Set/],
    [fields(['v', { type: 'array', items: 'int' }]), new Set([1]), /v is a Set/],
  ]
  for (const [schema, value, words] of refused) await expect(written([{ v: value }], schema)).rejects.toThrow(words)
  // The bytes end within a map: a count that is not true is no reason to go on.
  const type = (await loadAvro()).typeOf({ type: 'map', values: 'null' })
  expect(() => type.fromBuffer(Buffer.from('feffffffffffff0f', 'hex'))).toThrow(/the bytes end within a map/)
})

test('an integer is written as the long of a union with other numbers, and other numbers are not', async () => {
  const type = (await loadAvro()).typeOf(['null', 'double', 'long'], 'write')
  const branches = [5, 5n, 0, -(2 ** 53) + 1, 2 ** 63, 0.5, -0, Infinity].map(value => type.encode(value)[0]! / 2)
  expect(branches).toEqual([2, 2, 2, 2, 1, 1, 1, 1])
})

test('texts and keys of maps that are no UTF-8 are counted with their records, or refused', async () => {
  const schema = fields(['t', ['null', 'string']], ['m', { type: 'map', values: 'int' }], ['u', { type: 'string', logicalType: 'uuid' }])
  const id = '12345678-9abc-def0-1234-56789abcdef0'
  const rows = [
    { t: '\ufffd', m: {}, u: id }, { t: 'qqq', m: {}, u: id }, { t: null, m: { kkk: 1, a: 2 }, u: id },
    { t: 'fine', m: {}, u: `f${id.slice(1)}` },
  ]
  for (const codec of ['null', 'deflate'] as const) {
    const plain = await written(rows, schema, 'null')
    for (const found of ['qqq', 'kkk', 'f2345']) plain[plain.indexOf(found)] = 0xff
    const bytes = codec === 'null' ? plain : await repacked(plain, schema)
    const counters = newReadCounters()
    const read = await readAll([rangeOf(bytes, {}, dice(1))], { format: 'avro' }, counters)
    expect(read.map(({ value }) => value)).toEqual([
      rows[0], { ...rows[1], t: '\ufffdqq' }, { ...rows[2], m: { '\ufffdkk': 1, a: 2 } }, { ...rows[3], u: `\ufffd${id.slice(1)}` },
    ])
    expect([counters.records, counters.invalidUtf8Records]).toEqual([4, 3])
    for (const badRecords of ['error', 'skip'] as const) {
      const refused = readAll([rangeOf(bytes, {}, dice(1))], { format: 'avro', invalidUtf8: 'error', badRecords })
      const place = codec === 'null' ? `byte ${read[1]!.offset}: ` : ''
      await expect(refused).rejects.toThrow(`${place}a text or a key of a map in record 2 of the block is not UTF-8; write the file again`)
    }
  }
  const avro = await loadAvro()
  for (const [type, bytes] of [['string', '02ff'], [{ type: 'map', values: 'null' }, '0202ff00']] as const)
    expect(() => avro.typeOf(type).fromBuffer(Buffer.from(bytes, 'hex'))).toThrow(/is not UTF-8/)
})

test('memory of what is read does not follow a number of items that is not true', async () => {
  const avro = await loadAvro()
  const none = { type: 'record', name: 'None', fields: [] }
  const much = Buffer.concat([Buffer.from('feffffffffffff0f', 'hex'), Buffer.alloc(8)])
  for (const items of ['null', none, { type: 'fixed', name: 'F', size: 0 }]) {
    for (const use of ['message', 'read'] as const) {
      const type = avro.typeOf({ type: 'array', items }, use)
      expect(() => type.read(much, 0)).toThrow(/more than 1048576 items without bytes/)
      expect(() => type.fromBuffer(much)).toThrow(/more than 1048576 items without bytes/)
    }
  }
  for (const items of ['int', 'string', { type: 'array', items: 'null' }, { type: 'map', values: 'long' }])
    expect(() => avro.typeOf({ type: 'array', items }).fromBuffer(much)).toThrow(/the bytes end within a list/)
  // Several lists of one value count together.
  const half = [...numberBytes(2 ** 19 + 1), 0]
  const lists = Buffer.from([4, ...half, ...half, 0])
  expect(() => avro.typeOf({ type: 'array', items: { type: 'array', items: 'null' } }).fromBuffer(lists)).toThrow(/items without bytes/)
  const held = fields(['l', { type: 'array', items: 'null' }])
  const rows = Array.from({ length: 5 }, () => ({ l: Array.from({ length: 400_000 }, () => null) }))
  const sizes: number[] = []
  const bytes = await written(rows, held)
  const options = { input: { format: 'avro' }, counters: newReadCounters(), loadAvro } as const
  for await (const { values } of readRecords([rangeOf(bytes, {}, dice(1))], options)) sizes.push(values.length)
  expect(sizes).toEqual([3, 2])
  // A block of records without bytes.
  const empty = await written([{}], none, 'null')
  const end = empty.subarray(-16)
  const claimed = Buffer.concat([empty.subarray(0, -18), numberBytes(2 ** 40), numberBytes(0), end])
  await expect(valuesOf(claimed)).rejects.toThrow(/more than 1048576 records without bytes/)
  expect(await valuesOf(empty)).toEqual([{}])
})

test('a block that cannot be unpacked is an error with its place', async () => {
  const whole = await readFile(join(import.meta.dirname, 'avro/orders.snappy.avro'))
  const end = whole.length - 16
  const failure = (at: number, value: number): Promise<unknown> => {
    const bytes = Buffer.from(whole)
    bytes[at] = bytes[at]! ^ value
    return valuesOf(bytes).then(() => undefined, (error: Error) => error.message)
  }
  expect(await failure(end - 1, 1)).toMatch(/its bytes cannot be unpacked \(their checksum is another one\), in the block that begins here/)
  expect(await failure(end - 6, 1)).toMatch(/its bytes cannot be unpacked \(the/)
  const zstd = await readFile(join(import.meta.dirname, 'avro/orders.zstandard.avro'))
  zstd[zstd.length - 40] = zstd[zstd.length - 40]! ^ 1
  await expect(valuesOf(zstd)).rejects.toThrow(/its bytes cannot be unpacked|is not of its schema|would be behind/)
})

test('half of a surrogate pair is refused with its place in texts, keys of maps and names', async () => {
  const half = /half of a surrogate pair.*toWellFormed/
  for (const text of ['\ud800', `${'x'.repeat(99)}\udc00`]) {
    await expect(written([{ v: text }], fields(['v', 'string']))).rejects.toThrow(half)
    await expect(written([{ v: [text] }], fields(['v', { type: 'array', items: ['null', 'string'] }]))).rejects.toThrow(/: v\.0 is .*half/)
    for (const map of [{ [text]: 1 }, new Map([[text, 1]])])
      await expect(written([{ v: map }], fields(['v', { type: 'map', values: 'int' }]))).rejects.toThrow(/: v has the key .*half/)
  }
  const type = (await loadAvro()).typeOf('string')
  expect(() => type.encode('\ud800')).toThrow(half)
  expect(await valuesOf(await written([{ v: '😀' }], fields(['v', 'string'])))).toEqual([{ v: '😀' }])
})

test('the same records are the same bytes, and keep the layout of the specification', async () => {
  const bytes = await written([{ id: 1 }, { id: -2 }], fields(['id', 'long']), 'null')
  const schema = '{"type":"record","name":"Row","fields":[{"name":"id","type":"long"}]}'
  const marker = bytes.subarray(-16).toString('latin1')
  expect(bytes.toString('latin1')).toBe(
    `Obj\x01\x04\x14avro.codec\x08null\x16avro.schema\x8a\x01${schema}\x00${marker}\x04\x04\x02\x03${marker}`,
  )
  expect(await written([{ id: 1 }, { id: -2 }], fields(['id', 'long']), 'null')).toEqual(bytes)
  const keyed = await avroWriter({ schema: fields(['key', 'string'], ['value', 'long']) }, loadAvro)
  expect(keyed.pendingBytes).toBe(0)
  keyed.write('a', 1)
  expect(await valuesOf(Buffer.from(keyed.take()))).toEqual([{ key: 'a', value: 1 }])
})

const hasFastavro = spawnSync('python3', ['-c', 'import fastavro']).status === 0
if (!hasFastavro) process.stderr.write('fastavro is not installed: Avro files are not compared with it (pip install fastavro)\n')

test.skipIf(!hasFastavro)('fastavro reads what is written, and what it writes is read', async () => {
  // because not every machine has the package
  const dir = await mkdtemp(join(tmpdir(), 'gristmill-avro-'))
  try {
    const random = dice(7)
    const schema = fields(
      ['id', 'long'], ['x', 'double'], ['note', ['null', 'string']],
      ['price', { type: 'bytes', logicalType: 'decimal', precision: 12, scale: 3 }],
      ['at', { type: 'long', logicalType: 'timestamp-micros' }], ['day', { type: 'int', logicalType: 'date' }], ['raw', 'bytes'],
      ['list', { type: 'array', items: ['null', 'long'] }],
    )
    const text = (digits: number) => Array.from({ length: digits }, () => random.below(10)).join('')
    const rows = Array.from({ length: 1000 }, (_, i) => ({
      id: BigInt.asIntN(64, BigInt(`1${text(19)}`)), x: random.below(1e9) / 7, note: random.pick([null, 'é', text(5)]),
      price: `${random.pick(['', '-'])}${1 + random.below(99_999)}.${text(3)}`,
      at: `20${10 + random.below(80)}-0${1 + random.below(9)}-11T0${i % 10}:00:00.${text(6)}Z`,
      day: `19${10 + random.below(80)}-1${random.below(3)}-0${1 + random.below(9)}`, raw: Buffer.from(text(4)),
      list: [random.pick([null, i])],
    })).map(row => ({ ...row, id: Number.isSafeInteger(Number(row.id)) ? Number(row.id) : row.id }))
    for (const codec of ['null', 'deflate'] as const) {
      await writeFile(join(dir, 'ours.avro'), await written(rows, schema, codec))
      const script = `
import fastavro, sys
with open('ours.avro', 'rb') as f:
    reader = fastavro.reader(f)
    rows = list(reader)
    schema = reader.writer_schema
for r in rows[:3]: print(r['id'], r['price'], r['at'].isoformat(), r['day'].isoformat())
with open('theirs.avro', 'wb') as f: fastavro.writer(f, schema, rows, codec='${codec}', sync_interval=2000)
`
      const told = execFileSync('python3', ['-c', script], { cwd: dir }).toString().trim().split('\n')
      expect(told).toEqual(rows.slice(0, 3).map(({ id, price, at, day }) =>
        `${id} ${price} ${at.replace('.000000Z', 'Z').replace('Z', '+00:00')} ${day}`))
      const theirs = await readFile(join(dir, 'theirs.avro'))
      const cuts = [0, 5000, 5016, 40_000, theirs.length]
      const ranges = cuts.slice(1).map((end, i) => rangeOf(theirs, { start: cuts[i]!, end, aligned: false, partial: true }, random, 4000))
      expect((await readAll(ranges, { format: 'avro' })).map(({ value }) => value)).toEqual(rows)
    }
  } finally {
    await rm(dir, { recursive: true })
  }
})
