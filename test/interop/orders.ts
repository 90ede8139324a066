// The example docs/examples/orders.ts between a real PostgreSQL and a real broker of Kafka: the messages are the sums of the table, and
// those that are there once stay the only ones, however often it runs, and wherever it was ended.

import { deepStrictEqual as equal, rejects } from 'node:assert/strict'
import { rmSync } from 'node:fs'
import type { Mill } from '../../client/index.ts'
import { openKafka } from '../../src/world/kafka.ts'
import { openPostgres } from '../../src/world/postgres.ts'
import { until } from '../kit/cluster.ts'
import type { Peers, Row } from './client.ts'
import { Broker, brokerMissing, freePort, installBroker, postgresBin, startPostgres } from './servers.ts'

const day = '2026-11-28'

type SumDay = (mill: Mill, given: { orders: string; topic: string; day: string }) => Promise<number>

interface Message { readonly key: string; readonly value: Record<string, unknown> }

async function messagesIn(mill: Mill, topic: string): Promise<Message[]> {
  await mill.import(topic, '/orders-sent.jsonl', { overwrite: true })
  const text = await mill.readFile('/orders-sent.jsonl', 'utf8')
  return text.split('\n').filter(line => line !== '').map(line => JSON.parse(line) as Message)
}

async function example(mill: Mill, port: number, broker: Broker): Promise<void> {
  const name = 'orders'
  const { sumDay } = await import(`../../docs/examples/${name}.ts`) as { sumDay: SumDay }
  const db = await openPostgres({ host: '127.0.0.1', port, user: 'mill', password: 'geheim!', database: 'postgres' })
  try {
    await db.query(`CREATE TABLE orders (id bigint PRIMARY KEY, day date, player text, price numeric(9,2))`)
    await db.query(`INSERT INTO orders SELECT i, DATE '${day}' - i % 3, 'player ' || i % 50, i * 0.25 FROM generate_series(1, 20000) AS i`)
    const expected = (await db.query(`SELECT player, count(*), sum(price) FROM orders WHERE day = '${day}' GROUP BY 1 ORDER BY 1`))
      .map(([player, count, sum]) => [player, Number(count), Number(sum)])
    const given = { orders: `postgres://mill@127.0.0.1:${port}/postgres/orders`, topic: `kafka://${broker.address}/sums`, day }
    const check = async (): Promise<void> => {
      // A broker shows committed messages a moment after it has said so.
      let messages: Message[] = []
      await until('the messages are there', async () => (messages = await messagesIn(mill, given.topic)).length >= expected.length)
      const found = messages
        .map(({ key, value }) => [key, value['orders'], Number(value['price'])]).sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1))
      equal(found, expected)
    }
    // It ends before its last step, where the topic is not there yet; then it goes on.
    await rejects(sumDay(mill, given), { code: 'ENOENT' })
    const kafka = await openKafka({ brokers: [broker.address] })
    await kafka.createTopic('sums', { partitions: 2 })
    await kafka.close()
    await sumDay(mill, given)
    await check()
    // The day is over: what is done stays so.
    await db.query(`INSERT INTO orders VALUES (0, '${day}', 'late', 1)`)
    await sumDay(mill, given)
    await check()
    const other = mill.sql(`SELECT 1 AS player`).export(given.topic, { via: `/sums/${day}` })
    await rejects(other, { code: 'EEXIST', message: /name another path/ })
    await check()
  } finally {
    await db.close()
  }
}

export function ordersPeers({ mill }: { readonly mill: Mill }): Peers {
  const run = async (): Promise<Row> => {
    const client = 'PostgreSQL to Kafka'
    const bin = postgresBin()
    const missing = bin ? brokerMissing() : 'no server; apt-get install postgresql'
    if (!bin || missing !== undefined) return { client, result: `SKIPPED: ${missing}` }
    const server = await startPostgres(bin)
    const broker = new Broker(await freePort(), await freePort())
    process.env['PGPASSWORD'] = 'geheim!'
    try {
      await broker.start()
      await example(mill, server.port, broker)
      return { client, result: 'ok: docs/examples/orders.ts, ended and run again' }
    } catch (error) {
      console.log(error)
      return { client, result: `FAILED: ${(error as Error).message}`, failed: true }
    } finally {
      delete process.env['PGPASSWORD']
      server.stop()
      await broker.end('SIGKILL')
      rmSync(broker.dir, { recursive: true, force: true })
    }
  }
  return { install: async () => installBroker(), jobs: { orders: run } }
}
