// Exporters under faults against models of the outside: a broker of Kafka, and a service of S3. Whatever was killed, lost, late or done at
// the same time, in the end each row is in the topic once for readers of committed data, rows of one key in their order, and all objects
// are there whenever the record of the commit is.

import { deepStrictEqual as equal, ok } from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { exportFiles } from '../../client/transfer/export.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { topicAddressOf, writingOf } from '../../src/connector/kafka/address.ts'
import { progressTopic } from '../../src/connector/kafka/progress.ts'
import { KafkaTopicSink } from '../../src/connector/kafka/sink.ts'
import { S3Client } from '../../src/connector/s3/client.ts'
import { S3Files } from '../../src/connector/s3/sink.ts'
import type { KafkaClient, OpenKafka } from '../../src/ports/kafka.ts'
import { seeded } from '../../src/world/random.ts'
import { Broker } from '../unit/src/connector/kafka/broker.ts'
import { Service } from '../unit/src/connector/outside.ts'
import { Exporter, noFaults, OutsideNetwork } from './outside.ts'

/** A change of the exporter that must be found. `apart`: progress outside of the transaction; `unfenced`: an id for each attempt. */
type SinkBug = 'apart' | 'unfenced' | 'early record'

/** Some hundred are enough, whatever fails. */
const stepsMax = 5_000
const fates = { lostRequest: 0.03, lostReply: 0.03, late: 0.03, killed: 0.02 }
const partitions = 2
const keyOf = (n: number): string => `k${n % 3}`

/** What one exporter did, and whether all that it was to move is there. */
interface Began { readonly by: Exporter; state: 'runs' | 'failed' | 'done' }

/** Runs exporters, a few at a time, until one of each has ended; the last ones without faults. Returns how many were killed. */
async function campaign(
  seed: string, kinds: number, begin: (by: Exporter, kind: number, network: OutsideNetwork) => Promise<unknown>,
): Promise<number> {
  const random = seeded(seed)
  const network = new OutsideNetwork(random, fates)
  const failures: unknown[] = []
  const start = (kind: number): Began => {
    const began: Began = { by: new Exporter(), state: 'runs' }
    begin(began.by, kind, network).then(() => { began.state = 'done' }, (error: unknown) => {
      began.state = 'failed'
      // A failure says that it may be repeated, or that another exporter was there.
      if (!(error instanceof GristmillError) || !['UNAVAILABLE', 'ESTALE', 'TIMEOUT', 'ENOENT'].includes(error.code)) failures.push(error)
    })
    return began
  }
  /** Goes on until all have ended or were killed, and nothing is on its way. */
  const settle = async (until: () => boolean): Promise<void> => {
    for (let steps = 0; !until(); steps++) {
      ok(steps < stepsMax, 'it comes to an end')
      await turn()
      if (!network.step() && until()) return
    }
  }
  for (let round = 0; round < 4; round++) {
    const began = [start(random.below(kinds))]
    // Another one begins while the first is slow.
    const later = random.below(40)
    let steps = 0
    await settle(() => {
      if (++steps === later && random.float() < 0.5) began.push(start(random.below(kinds)))
      return began.every(({ by, state }) => by.isKilled || state !== 'runs')
    })
  }
  network.fates = noFaults
  for (let kind = 0; kind < kinds; kind++) {
    // What is late may end it; then it is repeated.
    for (let tries = 0; ; tries++) {
      ok(tries < 20, 'an export without faults ends')
      const last = start(kind)
      await settle(() => last.state !== 'runs')
      if (last.state === 'done') break
    }
  }
  while (network.step()) await turn()
  equal(failures, [])
  return network.kills
}

export async function simulateTopic(seed: string, bug?: SinkBug): Promise<number> {
  const broker = new Broker()
  broker.create('t', partitions)
  const rows = 12
  const files = ['a.jsonl', 'b.jsonl']
  const contentOf = (kind: number, name: string): string => {
    const from = kind * 100 + (name === 'a.jsonl' ? 0 : rows / 2)
    return Array.from({ length: rows / 2 }, (_, i) => `{"k":"${keyOf(from + i)}","n":${from + i}}\n`).join('')
  }
  let attempts = 0
  const begin = (by: Exporter, kind: number, network: OutsideNetwork): Promise<unknown> => {
    const open: OpenKafka = async () => clientOver({ network, by, broker, attempt: ++attempts, bug })
    const address = topicAddressOf('kafka://h/t')
    const sink = new KafkaTopicSink({ open, clock: network.clockOf(by), random: { float: () => 0.5 } }, address, {
      access: {}, writing: writingOf(address), cluster: 'c', key: ['k'], bounds: { rows: 3, batchRows: 2 },
    })
    const parts = files.map(name => ({ name, bytes: 1 }))
    return sink.write(`token-${kind}`, parts, async function* ({ name }) { yield Buffer.from(contentOf(kind, name)) })
  }
  const kills = await campaign(seed, 2, begin)
  const found = broker.committed('t').map(({ key, value }) => ({ key, n: Number((JSON.parse(value) as { n: number }).n) }))
  for (const kind of [0, 1]) {
    const own = found.filter(({ n }) => Math.floor(n / 100) === kind)
    const expected = Array.from({ length: rows }, (_, i) => kind * 100 + i)
    equal(own.map(({ n }) => n).sort((a, b) => a - b), expected, `each row of export ${kind} is there once`)
    for (const each of new Set(own.map(({ key }) => key)))
      equal(own.filter(({ key }) => key === each).map(({ n }) => n), expected.filter(n => keyOf(n) === each), `the order of ${each}`)
  }
  return kills
}

interface Over {
  readonly network: OutsideNetwork
  readonly by: Exporter
  readonly broker: Broker
  readonly attempt: number
  readonly bug: SinkBug | undefined
}

function clientOver({ network, by, broker, attempt, bug }: Over): KafkaClient {
  return {
    topic: name => network.call(by, () => {
      const found = broker.topics.get(name)
      return found && { id: found.id, partitions: found.logs.length }
    }),
    offsets: (name, position) => network.call(by, () => broker.topic(name).logs.map(log =>
      (position === 'beginning' ? log.start : position === 'end' ? log.end : broker.stableEnd(log)))),
    read: ({ topic, id, partition, offset }) => network.call(by, () => broker.read(topic, id, partition, offset)),
    createTopic: (name, { partitions: count = 1 }) => network.call(by, () => { if (!broker.topics.has(name)) broker.create(name, count) }),
    producer: async id => {
      const own = await network.call(by, () => broker.begin(bug === 'unfenced' ? `${id}-${attempt}` : id))
      return {
        begin: () => network.call(by, () => {}),
        send: messages => network.call(by, () => {
          if (bug === 'apart' && messages[0]?.topic === progressTopic)
            broker.add(progressTopic, 0, messages.map(({ key, value }) => ({ key, value })))
          else broker.send(own, messages)
        }),
        commit: () => network.call(by, () => broker.commit(own)),
      }
    },
    close: async () => {},
  }
}

const contents: Readonly<Record<string, string>> = { '/k/a.csv': 'n\n1\n2\n', '/k/b.csv': 'n\n3\n', '/k/c.csv': 'n\n4\n5\n' }
const statusOf = (path: string) =>
  ({ path, id: path.length, type: path === '/k' ? 'directory' : 'file', length: contents[path]?.length ?? 0, mtimeMs: 1 }) as never

export async function simulateObjects(seed: string, bug?: SinkBug): Promise<number> {
  const service = new Service()
  const record = 'out/_gristmill_commit.json'
  /** Readers take the objects when the record is there. */
  const check = (): void => {
    if (!service.objects.has(record)) return
    for (const [path, text] of Object.entries(contents)) {
      const found = service.objects.get(`out/${path.slice(3)}`)
      equal(found?.bytes.toString(), text, `${path} is there as the record of the commit says`)
    }
  }
  let broken: unknown
  const begin = (by: Exporter, _kind: number, network: OutsideNetwork): Promise<unknown> => {
    const deps = {
      clock: network.clockOf(by), random: { float: () => 0.5 },
      fetch: async (request: Parameters<Service['fetch']>[0]) => {
        return network.call(by, () => {
          if (bug === 'early record' && request.method === 'POST' && request.url.includes('uploadId'))
            service.objects.set(record, { bytes: Buffer.from('{}'), etag: '"r"', meta: {} })
          const answer = service.fetch(request)
          try {
            check()
          } catch (error) {
            broken ??= error
          }
          return answer
        })
      },
    }
    const access = { region: 'r', accessKeyId: 'a', secretAccessKey: 's', endpoint: 'http://h' }
    return exportFiles({
      cluster: 'c' as never, list: async function* () { for (const path of Object.keys(contents)) yield statusOf(path) },
      files: {
        locate: async (path: string) => ({ status: statusOf(path) }) as never,
        read: (async function* ({ status }: { status: { path: string } }) { yield Buffer.from(contents[status.path]!) }) as never,
      },
    }, { sink: new S3Files(new S3Client(deps, access, 'grain'), 'out/'), from: statusOf('/k'), overwrite: false, parallel: 2 })
  }
  const kills = await campaign(seed, 1, begin)
  if (broken !== undefined) throw broken as Error
  check()
  ok(service.objects.has(record), 'the export is committed')
  return kills
}
