// Messages of a topic as JSON lines, from a broker in memory: pinned offsets, transactions, offsets by time, reads that break off, messages
// that do not fit, and Avro with a schema registry. The real broker: test/interop/kafka.ts.

import { expect, test } from 'vitest'
import { GristmillError } from '../../../../../src/base/errors.ts'
import { readingOf, topicAddressOf } from '../../../../../src/connector/kafka/address.ts'
import { SchemaRegistry } from '../../../../../src/connector/kafka/avro.ts'
import { KafkaMessages } from '../../../../../src/connector/kafka/source.ts'
import type { FilePin } from '../../../../../src/connector/connector.ts'
import { pull } from '../../../../../src/connector/pull.ts'
import { loadAvro } from '../../../../../src/world/avro.ts'
import { depsOf, reply } from '../outside.ts'
import { Broker, Wire, type Fault } from './broker.ts'

const quiet = depsOf(() => Promise.reject(new Error('asked')))

function sourceOf(broker: Broker, query = '', fault?: Fault, registry?: SchemaRegistry) {
  const address = topicAddressOf(`kafka://h:1/t${query}`)
  const deps = { open: new Wire(broker, fault).open, avro: registry?.decode }
  return new KafkaMessages(deps, address, { access: {}, reading: readingOf(address) })
}

async function pinOf(source: KafkaMessages): Promise<FilePin> {
  for await (const pin of source.pin()) return pin
  throw new Error('no pin')
}

async function linesOf(source: KafkaMessages, pin?: FilePin, parallel = 1): Promise<Array<Record<string, unknown>>> {
  const bytes = await Array.fromAsync(pull(quiet, source, pin ?? await pinOf(source), { rangeBytes: 100, parallel }))
  const text = Buffer.concat(bytes).toString()
  return text === '' ? [] : text.trimEnd().split('\n').map(line => JSON.parse(line) as Record<string, unknown>)
}

const offsetsOf = (lines: ReadonlyArray<Record<string, unknown>>): string[] => lines.map(each => `${each['partition']}:${each['offset']}`)

/** Two partitions: 0 with 10 plain messages, 1 with committed (0, 1), aborted (3), committed (5, 6) and open (8) ones of one producer. */
function newBroker(options = {}): Broker {
  const broker = new Broker(options)
  broker.create('t', 2)
  for (let i = 0; i < 10; i++) broker.add('t', 0, [{ value: Buffer.from(`{"n":${i}}`), timestampMs: i * 1000 }])
  const message = (n: number) => ({ topic: 't', partition: 1, key: null, value: Buffer.from(`{"n":${n}}`) })
  let by = broker.begin('tx')
  broker.send(by, [message(0), message(1)])
  broker.commit(by)
  broker.send(by, [message(3)])
  by = broker.begin('tx')
  broker.send(by, [message(5)])
  broker.send(by, [message(6)])
  broker.commit(by)
  broker.send(by, [message(8)])
  return broker
}

test('committed messages are read, whichever batches one reply has; what is written later is not', async () => {
  for (const fetchMax of [1, 2, 3, 100]) {
    const broker = newBroker({ fetchMax })
    const source = sourceOf(broker)
    const pin = await pinOf(source)
    broker.add('t', 0, ['{"late":1}'])
    for (let i = 0; i < 2; i++) {
      const lines = await linesOf(source, pin, 3)
      expect(offsetsOf(lines), `${fetchMax}`).toEqual([...Array.from({ length: 10 }, (_, n) => `0:${n}`), '1:0', '1:1', '1:5', '1:6'])
      expect(lines.every(({ value, offset }) => (value as { n: number }).n === offset)).toBe(true)
    }
    expect((await pinOf(sourceOf(broker))).etag).not.toBe(pin.etag)
  }
})

test('a reply without batches is asked for again, and never taken for the end', async () => {
  const broker = newBroker()
  const source = sourceOf(broker)
  const pin = await pinOf(source)
  broker.silent = 3
  expect(await linesOf(source, pin)).toHaveLength(14)
  broker.silent = Infinity
  await expect(linesOf(source, pin)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
})

test('a range begins and ends at offsets and times', async () => {
  const of = async (query: string) => offsetsOf(await linesOf(sourceOf(newBroker(), query)))
  expect(await of('?from=8')).toEqual(['0:8', '0:9'])
  expect(await of('?to=1')).toEqual(['0:0', '1:0'])
  expect(await of('?from=0:9,1:6&to=1:7')).toEqual(['0:9', '1:6'])
  expect(await of('?from=1970-01-01T00:00:07Z')).toEqual(['0:7', '0:8', '0:9'])
  expect(await of('?from=1970-01-01T00:00:02.001Z&to=1970-01-01T01:00:04%2b01:00')).toEqual(['0:3'])
  expect(await of('?from=end')).toEqual([])
  await expect(of('?from=2:1')).rejects.toMatchObject({
    code: 'EINVAL', message: expect.stringContaining('none with the number 2') as string,
  })
  const short = newBroker()
  short.topic('t').logs[0]!.start = 4
  expect(offsetsOf(await linesOf(sourceOf(short, '?to=5')))).toEqual(['0:4', '1:0', '1:1'])
  await expect(linesOf(sourceOf(short, '?from=0:3'))).rejects.toMatchObject({ code: 'ESTALE' })
})

test('an offset beyond the end is refused, as one of a topic that was made anew; the end itself is none', async () => {
  const of = async (query: string) => offsetsOf(await linesOf(sourceOf(newBroker(), query)))
  expect(await of('?from=0:10,1:6&to=1:7')).toEqual(['1:6'])
  expect(await of('?from=10')).toEqual([])
  for (const query of ['?from=0:11', '?from=11'])
    await expect(of(query)).rejects.toMatchObject({
      code: 'ESTALE', message: expect.stringContaining('partition 0: the offset 11 is beyond the end, 10') as string,
    })
})

test('a read that breaks off at any call goes on; one whose messages were removed is refused', async () => {
  const whole = await linesOf(sourceOf(newBroker({ fetchMax: 1 })))
  for (let at = 4; at <= 12; at++) {
    for (const lost of ['request', 'reply'] as const) {
      const source = sourceOf(newBroker({ fetchMax: 1 }), '', { at, lost, ends: false })
      expect(await linesOf(source, await pinOf(source)), `${lost} ${at}`).toEqual(whole)
    }
  }
  const gone = newBroker()
  const source = sourceOf(gone)
  const pin = await pinOf(source)
  gone.topic('t').logs[0]!.start = 5
  await expect(linesOf(source, pin)).rejects.toMatchObject({
    code: 'ESTALE', message: expect.stringContaining('partition 0: the messages from offset 0') as string,
  })
  gone.create('t', 2)
  await expect(linesOf(source, pin)).rejects.toMatchObject({ code: 'ESTALE' })
  gone.topics.delete('t')
  await expect(linesOf(source, pin)).rejects.toMatchObject({ code: 'ESTALE' })
  await expect(linesOf(sourceOf(gone))).rejects.toMatchObject({ code: 'ENOENT' })
})

test('a split that is read again from the middle by another process gives the same bytes', async () => {
  const broker = newBroker({ fetchMax: 2 })
  const pin = JSON.parse(JSON.stringify(await pinOf(sourceOf(broker)))) as FilePin
  const read = async (from: number) => {
    const other = sourceOf(broker)
    return Buffer.concat(await Array.fromAsync(other.read(other.split(pin, 100)[0]!, from))).toString()
  }
  const whole = await read(0)
  for (const from of [1, 100, whole.length]) expect(await read(from)).toBe(whole.slice(from))
})

const binary = Buffer.from([0xff, 0xfe])

test('keys, values and headers are what the options say; others are named by partition and offset, or put aside', async () => {
  const broker = new Broker()
  broker.create('t', 1)
  broker.add('t', 0, [
    { key: Buffer.from('k"1'), value: Buffer.from('{"id":12345678901234567890,\n"x":"a\\n"}'), timestampMs: 5 },
    { value: null, timestampMs: -1, headers: [[Buffer.from('a'), Buffer.from('1')], [Buffer.from('a'), binary], [Buffer.from('b'), null]] },
    { key: binary, value: Buffer.from('no json') }, { value: Buffer.concat([Buffer.from([0, 0, 0, 0, 7]), Buffer.from('[1]')]) },
  ])
  const text = async (query: string) => {
    const source = sourceOf(broker, query)
    return Buffer.concat(await Array.fromAsync(pull(quiet, source, await pinOf(source)))).toString().trimEnd().split('\n')
  }
  await expect(text('')).rejects.toMatchObject({
    code: 'EINVAL', message: expect.stringMatching(/^kafka:\/\/h:1\/t, partition 0, offset 2: the key does not fit: it is not a text in UTF-8/) as string,
  })
  await expect(text('?key=bytes')).rejects.toThrow('offset 2: the value does not fit: it is not JSON')
  const kept = await text('?bad=keep')
  expect(kept[0]).toBe('{"partition":0,"offset":0,"timestamp":"1970-01-01T00:00:00.005Z","key":"k\\"1",'
    + '"value":{"id":12345678901234567890, "x":"a\\n"},"headers":[],"bad":null}')
  expect(JSON.parse(kept[1]!)).toEqual({
    partition: 0, offset: 1, timestamp: null, key: null, value: null, bad: null,
    headers: [{ key: 'a', value: '1' }, { key: 'a', value: null, bytes: '//4=' }, { key: 'b', value: null }],
  })
  expect(JSON.parse(kept[2]!)).toMatchObject({
    key: null, value: null,
    bad: { reason: 'the key: it is not a text in UTF-8; the value: it is not JSON', key: '//4=', value: 'bm8ganNvbg==' },
  })
  expect(JSON.parse(kept[3]!)).toMatchObject({ value: [1] })
  expect((await text('?key=bytes&value=text&to=3')).map(line => (JSON.parse(line) as { value: unknown }).value).at(-1)).toBe('no json')
})

const schema = { type: 'record', name: 'Click', fields: [
  { name: 'id', type: { type: 'long' } }, { name: 'price', type: { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 } },
  { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } }, { name: 'page', type: ['null', 'string'] },
] }

function registryOf(answers: Readonly<Record<string, unknown>>) {
  const asked: string[] = []
  const deps = depsOf(async ({ url, headers }) => {
    asked.push(`${url} ${headers?.['authorization']}`)
    const found = answers[url.slice('http://r'.length)]
    return found === undefined ? reply(404) : found === 401 ? reply(401) : reply(200, {}, JSON.stringify(found))
  })
  return { asked, registry: new SchemaRegistry({ ...deps, loadAvro }, { url: 'http://r', user: 'ada:pw' }) }
}

test('Avro is read in the schema that each message names; a wrong frame, schema or value is named by its message', async () => {
  const value = { id: 9007199254740993n, price: '-12.30', at: '2026-11-27T10:00:00.123Z', page: 'x' }
  const { asked, registry } = registryOf({
    '/schemas/ids/1': { schema: JSON.stringify(schema) }, '/subjects/t-value/versions/latest': { id: 1, schema: JSON.stringify(schema) },
    '/schemas/ids/3': { schema: 'message X {}', schemaType: 'PROTOBUF' }, '/schemas/ids/4': { schema: '{"type":"recor"}' },
    '/schemas/ids/5': 401,
    '/schemas/ids/6': { schema: '"Other"', references: [{ name: 'Other', subject: 'other', version: 3 }] },
    // A schema that refers to two others, one of which refers to the second, too.
    '/schemas/ids/7': {
      schema: JSON.stringify({
        type: 'record', name: 'Visit', fields: [{ name: 'at', type: 'geo.Place' }, { name: 'from', type: 'geo.Point' }],
      }),
      references: [{ name: 'geo.Place', subject: 'a/place', version: 2 }, { name: 'geo.Point', subject: 'point', version: 1 }],
    },
    '/subjects/a%2Fplace/versions/2': {
      schema: JSON.stringify({
        type: 'record', name: 'Place', namespace: 'geo', fields: [{ name: 'name', type: 'string' }, { name: 'point', type: 'Point' }],
      }),
      references: [{ name: 'geo.Point', subject: 'point', version: 1 }],
    },
    '/subjects/point/versions/1': {
      schema: JSON.stringify({ type: 'record', name: 'geo.Point', fields: [{ name: 'x', type: 'long' }] }),
    },
    '/schemas/ids/8': { schema: '"Sent"', references: [{ name: 'Sent', subject: 'sent', version: 1 }] },
    '/subjects/sent/versions/1': { schema: 'message X {}', schemaType: 'PROTOBUF' },
  })
  const { id, encode } = await registry.latest('t-value')
  const framed = (schemaId: number, bytes: Uint8Array) => {
    const head = Buffer.alloc(5)
    head.writeUInt32BE(schemaId, 1)
    return Buffer.concat([head, bytes])
  }
  const of = async (...messages: Uint8Array[]) => {
    const broker = new Broker()
    broker.create('t', 1)
    broker.add('t', 0, messages.map(each => ({ value: each })))
    const source = sourceOf(broker, '?value=avro', undefined, registry)
    return Buffer.concat(await Array.fromAsync(pull(quiet, source, await pinOf(source)))).toString()
  }
  const good = framed(id, encode(value))
  expect(await of(good, good)).toContain(
    '"value":{"id":9007199254740993,"price":"-12.30","at":"2026-11-27T10:00:00.123Z","page":"x"},"headers":[]}\n',
  )
  expect(asked.filter(each => each === 'http://r/schemas/ids/1 Basic YWRhOnB3')).toHaveLength(1)
  const message = (words: string) => {
    const form = new RegExp(`partition 0, offset 1: the value does not fit: .*${words}`)
    return { code: 'EINVAL', message: expect.stringMatching(form) as string }
  }
  await expect(of(good, Buffer.from('{}'))).rejects.toMatchObject(message('does not begin with the byte 0'))
  await expect(of(good, framed(2, Buffer.from('x')))).rejects.toMatchObject(message('schema 2, which the schema registry does not have'))
  await expect(of(good, framed(1, Buffer.from([1])))).rejects.toMatchObject(message('not of schema 1'))
  await expect(of(good, Buffer.concat([good, binary]))).rejects.toMatchObject(message('not of schema 1'))
  await expect(of(good, framed(3, Buffer.from('x')))).rejects.toMatchObject(message('PROTOBUF'))
  await expect(of(good, framed(4, Buffer.from('x')))).rejects.toMatchObject(message('cannot be read'))
  await expect(of(good, framed(6, Buffer.from('x')))).rejects.toMatchObject(message('refers to version 3 of other, which the .* not have'))
  await expect(of(good, framed(8, Buffer.from('x')))).rejects.toMatchObject(message('PROTOBUF'))
  expect(await of(framed(7, Buffer.from('0455 6c02 04'.replaceAll(' ', ''), 'hex'))))
    .toContain('"value":{"at":{"name":"Ul","point":{"x":1}},"from":{"x":2}}')
  expect(asked.filter(each => each.startsWith('http://r/subjects/point/'))).toHaveLength(1)
  // A text that is not UTF-8.
  const latin = Buffer.from(encode(value))
  latin[latin.lastIndexOf('x')] = 0xff
  await expect(of(good, framed(1, latin))).rejects.toMatchObject(message('schema 1: a text or a key of a map is not UTF-8'))
  await expect(of(good, framed(5, Buffer.from('x')))).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
  expect(() => encode({ ...value, id: 'x' })).toThrow('id is "x", and not')
  // No field is left out; a text is UTF-8.
  expect(() => encode({ ...value, more: 1 })).toThrow(/has the field "more", which .* latest of t-value, 1: register/)
  expect(() => encode({ ...value, page: '\ud800' })).toThrow(/page is "\\ud800", which has half of a surrogate pair/)
  await expect(registry.latest('none')).rejects.toMatchObject({ code: 'ENOENT' })
})

test('a source whose client could not be opened is opened again by the next call', async () => {
  const address = topicAddressOf('kafka://h:1/t')
  const wire = new Wire(newBroker())
  let fails = true
  const open: Wire['open'] = async (...given) => {
    if (fails) throw new GristmillError('UNAVAILABLE', 'the broker starts')
    return wire.open(...given)
  }
  const source = new KafkaMessages({ open }, address, { access: {}, reading: readingOf(address) })
  await expect(pinOf(source)).rejects.toThrow('the broker starts')
  fails = false
  expect(offsetsOf(await linesOf(source))).toHaveLength(14)
  await source.close()
})
