// Connectors beside the clients of their servers, in the same run: reading and writing a table of PostgreSQL beside `psql \copy` with as
// many sessions, writing a topic of Kafka beside the client alone, and the memory of a process whose destination is slow. Prints a line
// for each with its ratio and goal. A server that is not here is said, and its part left out: PostgreSQL comes from the system's packages,
// Kafka from `npm run test:interop -- --install --only kafka`.
//   npm run bench -- connectors [--quick]

import { execFileSync, fork, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type * as Kafka from '@platformatic/kafka'
import { connect, type Mill } from '../../client/index.ts'
import { tableAddressOf } from '../../src/connector/postgres/names.ts'
import { PostgresTable } from '../../src/connector/postgres/source.ts'
import { pull } from '../../src/connector/pull.ts'
import { systemClock } from '../../src/world/clock.ts'
import { openKafka } from '../../src/world/kafka.ts'
import { openPostgres } from '../../src/world/postgres.ts'
import { systemRandom } from '../../src/world/random.ts'
import { Broker, brokerMissing, freePort, postgresBin, startPostgres, type PostgresServer } from '../interop/servers.ts'
import { startCluster, type TestCluster } from '../kit/cluster.ts'
import { cpuSecondsOf, load } from './processes.ts'

const quick = process.argv.includes('--quick')
const rows = quick ? 100_000 : 1_000_000
const messages = quick ? 50_000 : 500_000
const sessions = 4
const memoryMiBMax = 200

/** Seconds of one run, and processor seconds of all processes on both sides. */
interface Cost { readonly seconds: number; readonly cpu: number }

/** The least of three: other programs of the machine only add. `server`: pid of the server. */
async function least(server: number, work: () => Promise<unknown>, before: () => Promise<unknown> = async () => {}): Promise<Cost> {
  const all: Cost[] = []
  const cpu = (): number => cpuSecondsOf([process.pid, server])
  for (let i = 0; i < (quick ? 1 : 3); i++) {
    await before()
    const [from, fromCpu] = [performance.now(), cpu()]
    await work()
    all.push({ seconds: (performance.now() - from) / 1000, cpu: cpu() - fromCpu })
  }
  return { seconds: Math.min(...all.map(each => each.seconds)), cpu: Math.min(...all.map(each => each.cpu)) }
}

const shown = ({ seconds, cpu }: Cost): string => `${seconds.toFixed(2)} s, ${cpu.toFixed(2)} s CPU`

const line = (what: string, own: Cost, bare: Cost, goal: string): void => console.log(
  `${what}: ${shown(own)}; the client alone ${shown(bare)}: ${(bare.seconds / own.seconds).toFixed(2)} of its speed${goal}, `
  + `${(own.cpu / bare.cpu).toFixed(1)} times its processor time; ${load()}`)

const dir = mkdtempSync(join(tmpdir(), 'gristmill-bench-'))

/** As many sessions of psql as there are commands. */
async function psql({ port }: PostgresServer, commands: readonly string[]): Promise<void> {
  await Promise.all(commands.map(command => new Promise<void>((resolve, reject) => {
    const args = ['-h', '127.0.0.1', '-p', String(port), '-U', 'mill', '-d', 'postgres', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-c', command]
    const child = spawn('psql', args, { stdio: 'inherit', env: { ...process.env, PGPASSWORD: 'geheim!' } })
    child.once('exit', code => { if (code === 0) resolve(); else reject(new Error(`psql has ended with ${code}`)) })
  })))
}

async function drained(pieces: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of pieces);
}

async function postgres(mill: Mill, server: PostgresServer): Promise<void> {
  const url = (table: string): string => `postgres://mill:geheim!@127.0.0.1:${server.port}/postgres/${table}`
  await psql(server, [`CREATE TABLE many (id bigint PRIMARY KEY, name text, points int, at timestamptz, share double precision)`])
  await psql(server, [`INSERT INTO many SELECT i, 'player ' || i, i % 1000, '2026-11-27'::timestamptz + i * interval '1 second', i / 7.0
    FROM generate_series(1, ${rows}) AS i`])
  await psql(server, [`VACUUM ANALYZE many`, `CREATE TABLE target (LIKE many INCLUDING ALL)`])
  const pages = Number(execFileSync('psql', ['-h', '127.0.0.1', '-p', String(server.port), '-U', 'mill', '-d', 'postgres', '-Atc',
    `SELECT pg_relation_size('many') / 8192`], { encoding: 'utf8', env: { ...process.env, PGPASSWORD: 'geheim!' } }))
  const at = (i: number): number => Math.floor(pages * i / sessions)
  const parts = Array.from({ length: sessions }, (_, i) => join(dir, `part-${i}.csv`))
  const out = parts.map((part, i) => {
    const end = i < sessions - 1 ? ` AND ctid < '(${at(i + 1)},0)'::tid` : ''
    return `\\copy (SELECT * FROM many WHERE ctid >= '(${at(i)},0)'::tid${end}) TO '${part}' (FORMAT csv, HEADER)`
  })
  const bareRead = await least(server.pid, () => psql(server, out))
  const bytes = parts.reduce((sum, part) => sum + statSync(part).size, 0)
  console.log(`${rows} rows, ${(bytes / 1e6).toFixed(0)} MB of CSV, ${sessions} sessions`)
  const deps = { clock: systemClock, random: systemRandom(), fetch: () => Promise.reject(new Error('no web')) }
  const ownRead = await least(server.pid, async () => {
    const source = new PostgresTable({ open: openPostgres }, tableAddressOf(url('many')))
    try {
      for await (const pin of source.pin()) await drained(pull(deps, source, pin, { parallel: sessions }))
    } finally {
      await source.close()
    }
  })
  line('PostgreSQL, the connector reads', ownRead, bareRead, ' (goal 0.8)')
  const imported = await least(server.pid, () => mill.import(url('many'), '/many.jsonl', { overwrite: true, parallel: sessions }))
  line('PostgreSQL, import into the cluster', imported, bareRead, '')
  const truncated = (): Promise<void> => psql(server, ['TRUNCATE target'])
  const copies = parts.map(part => `\\copy target FROM '${part}' (FORMAT csv, HEADER)`)
  const bareWrite = await least(server.pid, () => psql(server, copies), truncated)
  await mill.mkdir('/csv')
  for (const part of parts) await mill.put(part, join('/csv', basename(part)))
  await truncated()
  let n = 0
  // Other content each time: the same would be there already.
  const again = (): Promise<unknown> => mill.writeFile('/csv/part-9.csv', `id,name,points,at,share\n${-++n},x,1,2026-11-27,0\n`)
  const exported = await least(server.pid, () => mill.export('/csv', url('target'), { parallel: sessions }), again)
  line('PostgreSQL, export by swap', exported, bareWrite, ' (goal 0.8)')
}

async function kafka(mill: Mill, broker: Broker): Promise<void> {
  const admin = await openKafka({ brokers: [broker.address] })
  for (const topic of ['bare', 'own']) await admin.createTopic(topic, { partitions: 3 })
  await admin.close()
  const text = 'x'.repeat(60)
  const lines = Array.from({ length: messages }, (_, n) => JSON.stringify({ player: `player ${n % 5000}`, points: n, text }))
  const name: string = '@platformatic/kafka'
  const { Producer, ProduceAcks } = await import(name) as typeof Kafka
  const producer = new Producer<Buffer, Buffer>({ clientId: 'bench', bootstrapBrokers: [broker.address], acks: ProduceAcks.ALL } as never)
  const bare = await least(broker.pid, async () => {
    for (let at = 0; at < lines.length; at += 2000) {
      const batch = lines.slice(at, at + 2000).map((value, i) =>
        ({ topic: 'bare', partition: i % 3, key: Buffer.from(`player ${(at + i) % 5000}`), value: Buffer.from(value) }))
      await producer.send({ messages: batch as never })
    }
  })
  await producer.close()
  let n = 0
  const send = () => mill.export(`/messages-${n}.jsonl`, `kafka://${broker.address}/own`, { key: ['player'] })
  // The first export creates the topic of the progress, and the broker its own for transactions.
  await mill.writeFile(`/messages-${n}.jsonl`, `${lines[0]}\n`)
  const first = performance.now()
  await send()
  console.log(`Kafka, the first export of a cluster, of one message: ${((performance.now() - first) / 1000).toFixed(2)} s; ${load()}`)
  const own = await least(broker.pid, send, () => mill.writeFile(`/messages-${++n}.jsonl`, `${lines.join('\n')}\n`))
  console.log(`${messages} messages of ${lines[0]!.length} bytes`)
  line('Kafka, export in transactions', own, bare, ' (goal 0.7)')
}

/** Resident memory of a process that exports to a destination which takes some rows a second. */
async function memory(cluster: TestCluster, mill: Mill, broker: Broker): Promise<void> {
  const row = `{"player":"ada","text":"${'x'.repeat(900)}"}\n`
  await mill.writeFile('/long.jsonl', row.repeat(quick ? 50_000 : 300_000))
  const words = ['--slow', cluster.namenode.address, cluster.secretFile, `kafka://${broker.address}/own`]
  const child = fork(fileURLToPath(import.meta.url), words)
  const peak = await new Promise<number>((resolve, reject) => {
    child.once('message', found => resolve(Number(found)))
    child.once('exit', code => reject(new Error(`the process has ended with ${code}`)))
  })
  console.log(`memory of a process whose destination is slow: ${peak.toFixed(0)} MiB resident (goal ${memoryMiBMax}); ${load()}`)
}

/** The process of `memory`. */
async function slow([address, secretFile, url]: readonly string[]): Promise<void> {
  await using mill = await connect({ address: `gristmill://${address}`, secretFile: secretFile! })
  let peak = 0
  const ending = new AbortController()
  const sample = setInterval(() => { peak = Math.max(peak, process.memoryUsage().rss / 2 ** 20) }, 50)
  setTimeout(() => ending.abort(), quick ? 5_000 : 20_000)
  await mill.export('/long.jsonl', url!, { rate: 1000, signal: ending.signal }).catch(() => {})
  clearInterval(sample)
  process.send!(peak)
}

async function run(): Promise<void> {
  const cluster = await startCluster({ datanodes: 1 })
  const mill = await connect({ address: `gristmill://${cluster.namenode.address}`, secretFile: cluster.secretFile })
  try {
    const bin = postgresBin()
    if (!bin) console.log('PostgreSQL is not measured: there is no server; apt-get install postgresql')
    else {
      const server = await startPostgres(bin)
      try {
        await postgres(mill, server)
      } finally {
        server.stop()
      }
    }
    const missing = brokerMissing()
    if (missing !== undefined) return console.log(`Kafka is not measured: ${missing}`)
    const broker = new Broker(await freePort(), await freePort())
    try {
      await broker.start()
      await kafka(mill, broker)
      await memory(cluster, mill, broker)
    } finally {
      await broker.end('SIGKILL')
      rmSync(broker.dir, { recursive: true, force: true })
    }
  } finally {
    await mill.close()
    await cluster.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

const slowAt = process.argv.indexOf('--slow')
await (slowAt < 0 ? run() : slow(process.argv.slice(slowAt + 1)))
