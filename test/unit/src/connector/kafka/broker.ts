// A broker of Kafka in memory, behind the port: logs of partitions, transactions with markers, fencing by epochs, the last stable offset,
// and the list of aborted transactions. `Wire` loses a request or its reply at a call that a test names, once or from then on.

import { progressTopic } from '../../../../../src/connector/kafka/progress.ts'
import { GristmillError } from '../../../../../src/base/errors.ts'
import { committedIn } from '../../../../../src/connector/kafka/committed.ts'
import type { KafkaBatch, KafkaClient, KafkaMessage, KafkaRecord, OpenKafka } from '../../../../../src/ports/kafka.ts'

interface Batch extends KafkaBatch { readonly firstOffset: number }

interface Aborted { readonly producerId: bigint; readonly firstOffset: number; readonly lastOffset: number }

interface Log { start: number; end: number; readonly batches: Batch[]; readonly aborted: Aborted[] }

interface Topic { readonly id: string; readonly logs: Log[]; messageBytesMax: number }

interface Transactional { readonly producerId: bigint; epoch: number; readonly open: Map<Log, number> }

const error = (code: 'ESTALE' | 'ENOENT' | 'UNAVAILABLE' | 'TOO_LARGE', kafka: string): GristmillError =>
  new GristmillError(code, `Kafka: ${kafka}`, { details: { kafka } })

export class Broker {
  readonly topics = new Map<string, Topic>()
  /** So many replies to reads have no batches. */
  silent = 0
  /** Asked so many times, the marks of commits are not there yet. */
  late = 0
  readonly #transactional = new Map<string, Transactional>()
  /** Batches of one reply. */
  readonly #fetchMax: number
  #ids = 0

  constructor({ fetchMax = 3 }: { fetchMax?: number } = {}) { this.#fetchMax = fetchMax }

  create(name: string, partitions: number): Topic {
    const topic = {
      id: `id-${++this.#ids}`, messageBytesMax: Infinity,
      logs: Array.from({ length: partitions }, () => ({ start: 0, end: 0, batches: [], aborted: [] })),
    }
    this.topics.set(name, topic)
    return topic
  }

  topic(name: string): Topic {
    const found = this.topics.get(name)
    if (!found) throw error('ENOENT', 'UNKNOWN_TOPIC_OR_PARTITION')
    return found
  }

  /** Records outside of a transaction. */
  add(name: string, partition: number, records: ReadonlyArray<Partial<KafkaRecord> | string>): void {
    this.#append(this.topic(name).logs[partition]!, records, { producerId: -1n, isTransactional: false })
  }

  /** Aborts or commits what is open, and refuses all earlier producers of this id. */
  begin(id: string): { readonly id: string; readonly epoch: number } {
    const found = this.#transactional.get(id) ?? { producerId: BigInt(++this.#ids), epoch: -1, open: new Map<Log, number>() }
    this.#transactional.set(id, found)
    this.#end(found, false)
    return { id, epoch: ++found.epoch }
  }

  send(by: { id: string; epoch: number }, messages: readonly KafkaMessage[]): void {
    const transaction = this.#current(by)
    const groups = new Map<Log, KafkaMessage[]>()
    for (const message of messages) {
      const topic = this.topic(message.topic)
      const log = topic.logs[message.partition]!
      groups.set(log, [...groups.get(log) ?? [], message])
      const bytes = groups.get(log)!.reduce((sum, { value }) => sum + value.length, 0)
      if (bytes > topic.messageBytesMax) throw error('TOO_LARGE', 'MESSAGE_TOO_LARGE')
    }
    for (const [log, records] of groups) {
      if (!transaction.open.has(log)) transaction.open.set(log, log.end)
      this.#append(log, records, { producerId: transaction.producerId, isTransactional: true })
    }
  }

  commit(by: { id: string; epoch: number }): void { this.#end(this.#current(by), true) }

  stableEnd(log: Log): number {
    const open = [...this.#transactional.values()].flatMap(each => (each.open.has(log) ? [each.open.get(log)!] : []))
    return Math.min(log.end, ...open)
  }

  read(name: string, id: string, partition: number, offset: number): Awaited<ReturnType<KafkaClient['read']>> {
    const topic = this.topic(name)
    if (topic.id !== id) throw error('ESTALE', 'UNKNOWN_TOPIC_ID')
    const log = topic.logs[partition]!
    if (offset < log.start || offset > log.end) throw error('ESTALE', 'OFFSET_OUT_OF_RANGE')
    const stableEnd = this.stableEnd(log)
    if (this.silent > 0) return this.silent--, { logStart: log.start, stableEnd, batches: [], aborted: [] }
    const batches = log.batches.filter(each => each.lastOffset >= offset && each.lastOffset < stableEnd).slice(0, this.#fetchMax)
    const last = batches.at(-1)?.lastOffset ?? offset
    const aborted = log.aborted.filter(each => each.firstOffset <= last && each.lastOffset >= offset)
    return { logStart: log.start, stableEnd, batches, aborted }
  }

  /** What a consumer that reads committed data gets. */
  committed(name: string): Array<{ partition: number; key: string | null; value: string }> {
    return this.topic(name).logs.flatMap((log, partition) => {
      const stableEnd = this.stableEnd(log)
      const batches = log.batches.filter(each => each.lastOffset < stableEnd)
      return committedIn({ batches, aborted: log.aborted }).map(({ key, value }) =>
        ({ partition, key: key && Buffer.from(key).toString(), value: Buffer.from(value!).toString() }))
    })
  }

  #current({ id, epoch }: { id: string; epoch: number }): Transactional {
    const found = this.#transactional.get(id)
    if (found?.epoch !== epoch) throw error('ESTALE', 'INVALID_PRODUCER_EPOCH')
    return found
  }

  #end({ producerId, open }: Transactional, isCommit: boolean): void {
    for (const [log, firstOffset] of open) {
      if (!isCommit) log.aborted.push({ producerId, firstOffset, lastOffset: log.end })
      log.batches.push({
        firstOffset: log.end, lastOffset: log.end, producerId, isTransactional: true, marker: isCommit ? 'commit' : 'abort', records: [],
      })
      log.end++
    }
    open.clear()
  }

  #append(
    log: Log, records: ReadonlyArray<Partial<KafkaRecord> | string>, of: { producerId: bigint; isTransactional: boolean },
  ): void {
    const firstOffset = log.end
    const made = records.map((each, i): KafkaRecord => {
      const { key = null, value = null, headers = [], timestampMs = 0 } = typeof each === 'string' ? { value: Buffer.from(each) } : each
      return { offset: firstOffset + i, key, value, headers, timestampMs }
    })
    log.end += made.length
    log.batches.push({ firstOffset, lastOffset: log.end - 1, ...of, records: made })
  }
}

/** A fault at call number `at`: the request is lost, or its reply. `ends`: nothing works from then on, as for a process that was killed. */
export interface Fault { readonly at: number; readonly lost: 'request' | 'reply'; readonly ends: boolean }

/** Connections to the broker. */
export class Wire {
  readonly #broker: Broker
  readonly #fault: Fault | undefined
  calls = 0

  constructor(broker: Broker, fault?: Fault) {
    this.#broker = broker
    this.#fault = fault
  }

  readonly open: OpenKafka = async () => {
    const broker = this.#broker
    const step = async <T>(work: () => T): Promise<T> => this.#step(work)
    return {
      topic: name => step(() => {
        const found = broker.topics.get(name)
        return found && { id: found.id, partitions: found.logs.length }
      }),
      offsets: (name, position) => step(() => {
        const isLate = position === 'stable' && name !== progressTopic && broker.late > 0
        if (isLate) broker.late--
        return broker.topic(name).logs.map(log => {
          if (position === 'beginning') return log.start
          if (position === 'end') return log.end
          if (position === 'stable') return isLate ? log.start : broker.stableEnd(log)
          return log.batches.flatMap(each => each.records).find(each => each.timestampMs >= position)?.offset
        })
      }),
      read: ({ topic, id, partition, offset }) => step(() => broker.read(topic, id, partition, offset)),
      createTopic: (name, { partitions = 1 }) => step(() => { if (!broker.topics.has(name)) broker.create(name, partitions) }),
      producer: async id => {
        const by = await step(() => broker.begin(id))
        return {
          begin: () => step(() => {}), send: messages => step(() => broker.send(by, messages)), commit: () => step(() => broker.commit(by)),
        }
      },
      close: async () => {},
    }
  }

  #step<T>(work: () => T): T {
    const number = ++this.calls
    const { at = Infinity, lost, ends } = this.#fault ?? {}
    const away = (): GristmillError => new GristmillError(ends ? 'ABORTED' : 'UNAVAILABLE', 'the connection is gone')
    if (number > at && ends || number === at && lost === 'request') throw away()
    const result = work()
    if (number === at) throw away()
    return result
  }
}
