// Rows to a topic of Kafka against a broker in memory: the export is ended, or a connection lost, at every call that it makes, with the
// request or with its reply, and is begun again: a reader of committed data finds each row once, and rows of one key in their order.
// The real broker: test/interop/kafka.ts.

import { expect, test } from 'vitest'
import { GristmillError } from '../../../../../src/base/errors.ts'
import type { FilePart } from '../../../../../src/connector/connector.ts'
import { topicAddressOf, writingOf } from '../../../../../src/connector/kafka/address.ts'
import { murmur2, partitionOf } from '../../../../../src/connector/kafka/murmur2.ts'
import { progressTopic } from '../../../../../src/connector/kafka/progress.ts'
import { KafkaTopicSink } from '../../../../../src/connector/kafka/sink.ts'
import { Broker, Wire, type Fault } from './broker.ts'

const files: Readonly<Record<string, string>> = {
  'a.jsonl': Array.from({ length: 7 }, (_, i) => `{"k":"k${i % 3}","n":${i}}\n`).join('') + '\n',
  'b.csv': 'k,n\nk0,7\n"k1",8\nk2,9\n',
}
const parts = Object.entries(files).map(([name, text]) => ({ name, bytes: text.length }))
const clock = () => {
  let now = 0
  return { mono: () => now, sleep: async (ms: number) => { now += ms } }
}

interface Given {
  fault?: Fault
  query?: string
  content?: Readonly<Record<string, string>>
  key?: readonly string[] | undefined
  time?: ReturnType<typeof clock>
  bounds?: object
}

function exporter(broker: Broker, { fault, query = '', content = files, key = ['k'], time = clock(), bounds = {} }: Given = {}) {
  const wire = new Wire(broker, fault)
  const address = topicAddressOf(`kafka://h/t${query}`)
  const sink = new KafkaTopicSink(
    { open: wire.open, clock: time, random: { float: () => 0.5 } }, address,
    { access: {}, writing: writingOf(address), cluster: 'c', key, bounds: { rows: 3, batchRows: 2, ...bounds } },
  )
  const of: readonly FilePart[] = Object.entries(content).map(([name, text]) => ({ name, bytes: text.length }))
  const write = (token = 'token', from = of) => sink.write(token, from, async function* ({ name }) { yield Buffer.from(content[name]!) })
  return { wire, write }
}

const numbersOf = (broker: Broker): unknown[] => broker.committed('t').map(({ value }) => Number((JSON.parse(value) as { n: unknown }).n))
const sorted = (numbers: readonly unknown[]): unknown[] => [...numbers].sort((a, b) => Number(a) - Number(b))
const all = Array.from({ length: 10 }, (_, i) => i)

function newBroker(): Broker {
  const broker = new Broker()
  broker.create('t', 2)
  return broker
}

/** Each row once; those of one key in one partition, in order. */
function check(broker: Broker, what: string): void {
  const found = broker.committed('t')
  expect(sorted(numbersOf(broker)), what).toEqual(all)
  for (const key of ['k0', 'k1', 'k2']) {
    const own = found.filter(each => each.key === key)
    const numbers = own.map(({ value }) => Number((JSON.parse(value) as { n: unknown }).n))
    expect(numbers, what).toEqual(sorted(numbers))
    expect(new Set(own.map(({ partition }) => partition)), what).toEqual(new Set([partitionOf(Buffer.from(key), 2)]))
  }
}

test('an export that is killed at any call, with its request or its reply, and begun again, writes each row once', async () => {
  const whole = exporter(newBroker())
  expect(await whole.write()).toEqual({ rows: 10, unchanged: false })
  let killed = 0
  for (let at = 1; at <= whole.wire.calls; at++) {
    for (const lost of ['request', 'reply'] as const) {
      const broker = newBroker()
      await exporter(broker, { fault: { at, lost, ends: true } }).write().then(() => {}, () => { killed++ })
      const seen = numbersOf(broker)
      expect(new Set(seen).size, `${lost} ${at}`).toBe(seen.length)
      await exporter(broker).write()
      check(broker, `${lost} of call ${at}`)
      expect(await exporter(broker).write()).toEqual({ rows: 0, unchanged: true })
    }
  }
  // The last two ask what readers see: all rows are there already.
  expect(killed).toBe(2 * (whole.wire.calls - 2))
})

test('an export ends when readers of committed data see its rows, or others hold them back', async () => {
  for (const late of [3, 1000]) {
    const broker = newBroker()
    broker.late = late
    expect(await exporter(broker).write()).toEqual({ rows: 10, unchanged: false })
    expect(broker.late).toBe(Math.max(0, late - 100))
  }
})

test('two kills of one export, at any two calls, leave each row once', async () => {
  const { wire, write } = exporter(newBroker())
  await write()
  for (let first = 1; first <= wire.calls; first++) {
    for (let second = 1; second <= wire.calls; second++) {
      const broker = newBroker()
      const lost = (first + second) % 2 === 0 ? 'reply' : 'request'
      for (const at of [first, second]) await exporter(broker, { fault: { at, lost, ends: true } }).write().catch(() => {})
      await exporter(broker).write()
      check(broker, `calls ${first} and ${second}`)
    }
  }
})

test('a connection that breaks at any call is opened again by the export itself', async () => {
  const { wire, write } = exporter(newBroker())
  await write()
  for (let at = 1; at <= wire.calls; at++) {
    for (const lost of ['request', 'reply'] as const) {
      const broker = newBroker()
      await exporter(broker, { fault: { at, lost, ends: false } }).write()
      check(broker, `${lost} of call ${at}`)
    }
  }
})

test('an export that goes on while another has begun is ended, and leaves nothing', async () => {
  const broker = newBroker()
  let other: Promise<unknown> | undefined
  const content = async function* ({ name }: { name: string }) {
    if (name === 'b.csv') await (other ??= exporter(broker).write())
    yield Buffer.from(files[name]!)
  }
  const wire = new Wire(broker)
  const address = topicAddressOf('kafka://h/t')
  const sink = new KafkaTopicSink({ open: wire.open, clock: clock(), random: { float: () => 0.5 } }, address, {
    access: {}, writing: writingOf(address), cluster: 'c', key: ['k'], bounds: { rows: 3, batchRows: 2 },
  })
  const refused = { code: 'ESTALE', message: expect.stringContaining('another export') as string }
  await expect(sink.write('token', parts, content)).rejects.toMatchObject(refused)
  check(broker, 'fenced')
})

test('the progress is read behind the open transaction of another destination, and content that was exported once stays so', async () => {
  const broker = newBroker()
  broker.create(progressTopic, 1)
  const other = broker.begin('other')
  // Committed rows lie behind the other one's record, where readers of committed data do not see them yet.
  broker.send(other, [{ topic: progressTopic, partition: 0, key: Buffer.from('x'), value: Buffer.from('{}') }])
  let ended = false
  const waiting = clock()
  const time = { mono: waiting.mono, sleep: async (ms: number) => {
    await waiting.sleep(ms)
    if (!ended) broker.commit(other)
    ended = true
  } }
  await exporter(broker, { time }).write()
  expect(ended).toBe(true)
  check(broker, 'first')
  const next = broker.begin('other')
  broker.send(next, [{ topic: progressTopic, partition: 0, key: Buffer.from('x'), value: Buffer.from('{}') }])
  ended = false
  const again = { mono: waiting.mono, sleep: async () => { broker.commit(next) } }
  await exporter(broker, { time: again, content: { 'c.jsonl': '{"k":"k0","n":10}\n' } }).write('second')
  expect(await exporter(broker).write()).toEqual({ rows: 0, unchanged: true })
  expect(sorted(numbersOf(broker))).toEqual([...all, 10])
  // A topic that was deleted and created again gets the rows again.
  broker.create('t', 2)
  await exporter(broker).write()
  check(broker, 'created again')
})

test('a reply without batches is not taken for the end of the progress', async () => {
  const broker = newBroker()
  await exporter(broker).write()
  broker.silent = 2
  expect(await exporter(broker).write()).toEqual({ rows: 0, unchanged: true })
  check(broker, 'again')
})

test('a row that is too large is named; a topic that takes small batches gets them', async () => {
  const broker = newBroker()
  broker.topic('t').messageBytesMax = 20
  await exporter(broker, { bounds: { rows: 100, batchRows: 100 } }).write()
  check(broker, 'small batches')
  const large = { 'x.jsonl': `{"k":"a","n":1}\n{"k":"b","n":"${'x'.repeat(20)}"}\n` }
  await expect(exporter(broker, { content: large }).write('large')).rejects.toMatchObject({
    code: 'TOO_LARGE', message: expect.stringMatching(/^x\.jsonl, row 2: its message of \d+ bytes/) as string,
  })
})

test('what does not fit is refused by file and row', async () => {
  const fails = async (content: Record<string, string>, message: RegExp, key: readonly string[] | undefined = undefined, query = '') =>
    expect(exporter(newBroker(), { content, key, query }).write()).rejects.toThrow(message)
  await fails({ 'x.txt': 'x' }, /^x\.txt: messages come from \.jsonl files/)
  const unnamed = { name: 'x.csv', bytes: 1, header: false }
  await expect(exporter(newBroker()).write('token', [unnamed])).rejects.toThrow('x.csv: its writer has said')
  await fails({ 'x.jsonl': '{"k":1}\n\n[1]\n' }, /^x\.jsonl, row 2: it is \[1\]/)
  await fails({ 'x.jsonl': '{"k":1}\n{"k":\n' }, /^x\.jsonl, row 2: it is not JSON/)
  await fails({ 'x.csv': 'k,n\n1,2\n3\n' }, /^x\.csv, row 2: it has 1 fields, and the header 2/)
  await fails({ 'x.csv': 'k,n\n1,2\n"3"x,4\n' }, /^x\.csv, row 2: after the closing quote/)
  await fails({ 'x.csv': 'k,k\n1,2\n' }, /two columns of its header/)
  await fails({ 'x.jsonl': '{"n":1}\n' }, /^x\.jsonl, row 1: it has no column "k"/, ['k'])
  await fails({ 'x.jsonl': '{"k":"a"}\n{"k":"\\ud800"}\n' }, /^x\.jsonl, row 2: the key "\\ud800" has half of a surrogate pair/, ['k'])
  const absent = exporter(new Broker(), { content: { 'x.jsonl': '{}\n' }, key: undefined })
  await expect(absent.write()).rejects.toMatchObject({ code: 'ENOENT', message: expect.stringContaining('create=PARTITIONS') as string })
  const made = new Broker()
  await exporter(made, { query: '?create=3' }).write()
  expect(made.topic('t').logs.length).toBe(3)
})

test('keys are texts as they are, numbers with all digits, lists for several columns, and none for null', async () => {
  const broker = newBroker()
  const content = { 'x.jsonl': '{"k":9007199254740993,"s":"a"}\n{"k":null,"s":"b"}\n{"k":"é","s":"c"}\n{"k":{"a":[1]},"s":"d"}\n' }
  await exporter(broker, { content }).write('one')
  await exporter(broker, { content, key: ['s', 'k'] }).write('two')
  expect(broker.committed('t').map(({ key }) => key).sort()).toEqual([
    '9007199254740993', '["a",9007199254740993]', '["b",null]', '["c","é"]', '["d",{"a":[1]}]', 'é', '{"a":[1]}', null,
  ].sort())
})

test('a rate is kept by short batches, between which no transaction stays open for long', async () => {
  const time = clock()
  const broker = newBroker()
  await exporter(broker, { query: '?rate=2', time, bounds: { rows: 100, ms: 1000 } }).write()
  check(broker, 'rate')
  // The last row is sent when those before it are paid for.
  expect(time.mono()).toBeGreaterThanOrEqual(9 / 2 * 1000)
})

test('the partition of a key is the one of the producers of Kafka', () => {
  // From the tests of org.apache.kafka.common.utils.Utils.
  const known: Record<string, number> = {
    '21': -973932308, 'foobar': -790332482, 'a-little-bit-long-string': -985981536, 'a-little-bit-longer-string': -1486304829,
    'lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8': -58897971, 'abc': 479470107,
  }
  for (const [text, hash] of Object.entries(known)) expect(murmur2(Buffer.from(text)), text).toBe(hash)
})

test('the order of an abort and its error is kept: an aborted export throws, and the next one goes on', async () => {
  const broker = newBroker()
  const ending = new AbortController()
  const address = topicAddressOf('kafka://h/t')
  const sink = new KafkaTopicSink({ open: new Wire(broker).open, clock: clock(), random: { float: () => 0.5 } }, address, {
    access: {}, writing: writingOf(address), cluster: 'c', key: ['k'], bounds: { rows: 3, batchRows: 2 },
  })
  await expect(sink.write('token', parts, async function* ({ name }) {
    if (name === 'b.csv') ending.abort(new GristmillError('ABORTED', 'stopped'))
    yield Buffer.from(files[name]!)
  }, ending.signal)).rejects.toMatchObject({ code: 'ABORTED' })
  await exporter(broker).write()
  check(broker, 'aborted')
})
