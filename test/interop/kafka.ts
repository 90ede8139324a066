// A real broker of Kafka, started here from jars of Maven: exporters that are killed at random moments and begun again leave each row once
// for readers of committed data, in the order of its key; messages are read back between pinned offsets, also by SQL. Skipped, with a line
// that says so, where there is no Java, no jars or no client package.

import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { deepStrictEqual as equal, match, ok, rejects } from 'node:assert/strict'
import type { Mill } from '../../client/index.ts'
import { topicAddressOf, writingOf } from '../../src/connector/kafka/address.ts'
import { partitionOf } from '../../src/connector/kafka/murmur2.ts'
import { KafkaTopicSink } from '../../src/connector/kafka/sink.ts'
import type { KafkaClient } from '../../src/ports/kafka.ts'
import { systemClock } from '../../src/world/clock.ts'
import { openKafka } from '../../src/world/kafka.ts'
import { until } from '../kit/cluster.ts'
import type { Peers, Row } from './client.ts'
import { Broker, brokerMissing, freePort, installBroker } from './servers.ts'

interface Bench {
  readonly kafka: KafkaClient
  readonly mill: Mill
  readonly broker: Broker
  readonly url: (topic: string) => string
}

interface Message {
  readonly partition: number
  readonly offset: number
  readonly key: string | null
  readonly value: Record<string, unknown>
}

async function messagesOf({ mill, url }: Bench, topic: string, options = {}): Promise<Message[]> {
  await mill.import(url(topic), `/kafka/${topic}.jsonl`, { overwrite: true, ...options })
  const text = await mill.readFile(`/kafka/${topic}.jsonl`, 'utf8')
  return text === '' ? [] : text.trimEnd().split('\n').map(line => JSON.parse(line) as Message)
}

/** Each row once; rows of a key in one partition, in their order. */
function checkRows(messages: readonly Message[], rows: number, partitions: number): void {
  equal(messages.map(({ value }) => Number(value['n'])).sort((a, b) => a - b), Array.from({ length: rows }, (_, i) => i))
  const last = new Map<string, number>()
  for (const { partition, key, value } of messages) {
    equal(partition, partitionOf(Buffer.from(key!), partitions))
    ok((last.get(key!) ?? -1) < Number(value['n']), `key ${key}`)
    last.set(key!, Number(value['n']))
  }
}

async function moves(bench: Bench): Promise<void> {
  const { kafka, mill, url } = bench
  await kafka.createTopic('plain', { partitions: 3 })
  const lines = Array.from({ length: 4000 }, (_, n) => `{"k":"k${n % 17}","n":${n}}\n`).join('')
  await mill.writeFile('/messages/part-0.jsonl', lines, { parents: true })
  const more = Array.from({ length: 1000 }, (_, i) => `k${(4000 + i) % 17},${4000 + i}\n`).join('')
  await mill.writeFile('/messages/part-1.csv', `k,n\n${more}`)
  await mill.writeFile('/messages/_SUCCESS', '')
  equal((await mill.export('/messages', url('plain'), { key: ['k'] })).unchanged, 0)
  equal((await mill.export('/messages', url('plain'), { key: ['k'] })).unchanged, 2)
  const messages = await messagesOf(bench, 'plain')
  checkRows(messages, 5000, 3)
  for (const compression of ['gzip', 'snappy', 'lz4', 'zstd']) {
    await mill.export('/messages', url(compression), { key: ['k'], create: 3, compression })
    checkRows(await messagesOf(bench, compression), 5000, 3)
  }
  // Between offsets, in SQL, and to a topic again.
  const some = await messagesOf(bench, 'plain', { from: '10', to: '0:13,1:10,2:12' })
  equal(some.map(({ partition, offset }) => `${partition}:${offset}`), ['0:10', '0:11', '0:12', '2:10', '2:11'])
  const sql = async (text: string): Promise<unknown[]> => Array.fromAsync(mill.sql(text))
  const counts = 'count(*)::int AS c, count(DISTINCT key)::int AS k, max(value.n::int) AS m'
  equal(await sql(`SELECT ${counts} FROM kafka('${url('plain')}', from => 'beginning')`), [{ c: 5000, k: 17, m: 4999 }])
  equal(await sql(`SELECT count(*)::int AS c FROM kafka('${url('plain')}', from => '2099-01-01T00:00:00Z', value => 'text')`), [{ c: 0 }])
  const big = `SELECT 'k' || (i % 3) AS k, i AS n, 12345678901234567890 AS big, NULL AS none, [1, 2] AS list, 'a"é' AS t FROM range(3) r(i)`
  await sql(`COPY (${big}) TO kafka('${url('made')}', create => 2) (KEY (k))`)
  await mill.import(url('made'), '/kafka/made.jsonl')
  const made = await mill.readFile('/kafka/made.jsonl', 'utf8')
  match(made, /"key":"k1","value":\{"k":"k1","n":1,"big":12345678901234567890,"none":null,"list":\[1,2\],"t":"a\\"é"\}/)
}

async function badInput({ mill, url, kafka }: Bench): Promise<void> {
  await mill.writeFile('/one.jsonl', '{"k":"a","n":1}\n')
  await rejects(mill.export('/one.jsonl', url('absent')), { code: 'ENOENT' })
  await rejects(mill.import(url('absent'), '/kafka/x'), { code: 'ENOENT' })
  await kafka.createTopic('small', { partitions: 1, config: { 'max.message.bytes': '2000' } })
  await mill.writeFile('/small.jsonl', Array.from({ length: 300 }, (_, n) => `{"n":${n},"x":"${'x'.repeat(300)}"}\n`).join(''))
  await mill.export('/small.jsonl', url('small'))
  equal((await kafka.offsets('small', 'end'))[0]! > 300, true)
  await mill.writeFile('/large.jsonl', `{"n":1}\n{"n":"${'x'.repeat(5000)}"}\n`)
  await rejects(mill.export('/large.jsonl', url('small')), (error: Error & { code: string }) => {
    equal(error.code, 'TOO_LARGE')
    match(error.message, /^large\.jsonl, row 2: its message of/)
    return true
  })
  await mill.export('/one.jsonl', url('poison'), { create: 1 })
  const by = await kafka.producer('poison')
  await by.begin()
  await by.send([{ topic: 'poison', partition: 0, key: null, value: Buffer.from([0xff]) }])
  await by.commit()
  await rejects(mill.import(url('poison'), '/kafka/poison.jsonl'), /partition 0, offset 2: the value does not fit/)
  await mill.import(url('poison'), '/kafka/poison.jsonl', { bad: 'keep' })
  match(await mill.readFile('/kafka/poison.jsonl', 'utf8'), /"bad":\{"reason":"the value: .*","key":null,"value":"\/w=="\}/)
}

const avroSchema = JSON.stringify({ type: 'record', name: 'R', fields: [{ name: 'k', type: 'string' }, { name: 'n', type: 'long' }] })

const host = '127.0.0.1'

async function avro({ mill, url }: Bench): Promise<void> {
  const server = createHttpServer((request, response) => {
    const isKnown = /^\/(?:schemas\/ids\/1|subjects\/avro-value\/versions\/latest)$/.test(request.url!)
    response.writeHead(isKnown ? 200 : 404).end(JSON.stringify({ id: 1, schema: avroSchema }))
  })
  await new Promise<void>(resolve => { server.listen(0, host, resolve) })
  const { port } = server.address() as { port: number }
  const registry = `http://${host}:${port}`
  try {
    await mill.export('/one.jsonl', url('avro'), { value: 'avro', registry, create: 1 })
    const table = `kafka('${url('avro')}', value => 'avro', registry => '${registry}')`
    const [row] = await Array.fromAsync(mill.sql(`SELECT value.k AS k, value.n::int AS n FROM ${table}`))
    equal(row, { k: 'a', n: 1 })
  } finally {
    server.close()
  }
}

const killedRows = 30_000

/** Run as a process of its own, which is killed: exports rows with short transactions. */
export async function exportKilled(brokers: string, topic: string): Promise<void> {
  const address = topicAddressOf(`kafka://${brokers}/${topic}`)
  const sink = new KafkaTopicSink({ open: openKafka, clock: systemClock, random: { float: Math.random } }, address, {
    access: {}, writing: writingOf(address), cluster: 'killed', key: ['k'], bounds: { rows: 1500, batchRows: 200 },
  })
  const parts = ['a.jsonl', 'b.jsonl'].map(name => ({ name, bytes: 0 }))
  await sink.write('token', parts, async function* ({ name }) {
    const from = name === 'a.jsonl' ? 0 : killedRows / 2
    for (let at = 0; at < killedRows / 2; at += 1000)
      yield Buffer.from(Array.from({ length: 1000 }, (_, i) => `{"k":"k${(from + at + i) % 7}","n":${from + at + i}}\n`).join(''))
  })
}

/** Exporters are killed at random moments, the broker once too; the next one goes on. */
async function kills(bench: Bench): Promise<number> {
  const { kafka, broker } = bench
  await kafka.createTopic('killed', { partitions: 4 })
  const code = `import(${JSON.stringify(import.meta.url)}).then(each => each.exportKilled('${broker.address}', 'killed'))`
  let killed = 0
  for (let round = 0; ; round++) {
    const child = spawn(process.execPath, ['--max-old-space-size=512', '--input-type=module', '-e', code], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const ended = new Promise<number | null>(resolve => { child.once('exit', resolve) })
    // Killed when it has written a drawn number of messages more: always in its work, on a slow machine too.
    const countOf = async (): Promise<number> => (await kafka.offsets('killed', 'end')).reduce<number>((sum, each) => sum + (each ?? 0), 0)
    const wanted = await countOf() + Math.floor(Math.random() * 5000)
    if (round < 8) {
      await until('messages are there', async () => child.exitCode !== null || await countOf() >= wanted)
      if (child.exitCode === null && child.kill('SIGKILL')) killed++
    } else if (round === 8) {
      await until('messages are there', async () => child.exitCode !== null || await countOf() >= wanted)
      await broker.end('SIGKILL')
      await broker.start()
    }
    if (await ended === 0) break
    ok(round < 40, 'the export ends')
  }
  checkRows(await messagesOf(bench, 'killed'), killedRows, 4)
  return killed
}

export function kafkaPeers({ mill }: { readonly mill: Mill }): Peers {
  const run = async (): Promise<Row> => {
    const client = 'Kafka'
    const missing = brokerMissing()
    if (missing !== undefined) return { client, result: `SKIPPED: ${missing}` }
    const broker = new Broker(await freePort(), await freePort())
    try {
      await broker.start()
      const kafka = await openKafka({ brokers: [broker.address] })
      const bench = { kafka, mill, broker, url: (topic: string) => `kafka://${broker.address}/${topic}` }
      const from = performance.now()
      for (const part of [moves, badInput, avro]) await part(bench)
      const killed = await kills(bench)
      await kafka.close()
      return { client, result: `ok: moves, SQL, bad input, Avro, ${killed} kills (${Math.round(performance.now() - from)} ms)` }
    } catch (error) {
      console.log(error)
      return { client, result: `FAILED: ${(error as Error).message}`, failed: true }
    } finally {
      await broker.end('SIGKILL')
      rmSync(broker.dir, { recursive: true, force: true })
    }
  }
  return { install: async () => installBroker(), jobs: { kafka: run } }
}
