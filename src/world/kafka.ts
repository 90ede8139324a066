// The real KafkaClient: the package @platformatic/kafka, loaded when it is first used. It is not a dependency of the package: few users
// need it. Records are fetched through the protocol call of the package and not through its consumer: that one drops aborted records only
// if their marker is in the same reply, and reads them as committed otherwise (2.12.1). src/connector/kafka/committed.ts drops them.

import { isIP } from 'node:net'
import type * as Package from '@platformatic/kafka'
import { abortError } from '../base/abort.ts'
import { GristmillError, type ErrorCode } from '../base/errors.ts'
import type {
  KafkaAddress, KafkaBatch, KafkaClient, KafkaCompression, KafkaFetched, KafkaMessage, KafkaPosition, KafkaProducer, KafkaTopic, OpenKafka,
} from '../ports/kafka.ts'
import { systemClock } from './clock.ts'
import { recordBatch, type BatchCompression } from './recordbatch.ts'
import { installing } from './installing.ts'

/** A broker that does not answer within this time is away. */
const connectMs = 10_000
/** Of a request, and of a transaction: a broker aborts one that is open for longer. */
const requestMs = 60_000
/** 20 ms: a transaction waits for the end of the one before in a few turns; 50: for a second before the caller hears of a failure. */
const repeats = { retries: 50, retryDelay: 20 }
/** A broker that waits for an elected leader or a coordinator: a failure is told after half a minute. */
const slowRepeats = { retries: 30, retryDelay: 1000 }
/** Bits of the attributes of a batch. */
const [transactional, control, appendTime] = [1 << 4, 1 << 5, 1 << 3]
/** A producer waits until all in-sync replicas have its records. */
const allReplicas = -1
/** Numbers of records are of 31 bits, and begin again at 0. */
const sequencesMax = 2 ** 31
/** Isolation level of a fetch: no records behind the last stable offset, and a list of aborted transactions. */
const readCommitted = 1

async function load(): Promise<typeof Package> {
  // A variable: the package is no part of the bundles.
  const name: string = '@platformatic/kafka'
  try {
    return await import(name) as typeof Package
  } catch (error) {
    throw new GristmillError(
      'CONFIG_INVALID', `Kafka needs the package ${name} beside gristmill; add it: ${installing(name)}`, { cause: error },
    )
  }
}

export const openKafka: OpenKafka = async (address, signal) => {
  const kafka = await load()
  if (signal?.aborted) throw abortError(signal)
  return new RealClient(kafka, address, signal)
}

class RealClient implements KafkaClient {
  readonly #kafka: typeof Package
  readonly #options: Package.BaseOptions
  readonly #admin: Package.Admin
  readonly #signal: AbortSignal | undefined
  readonly #producers: Package.Producer[] = []
  readonly #onAbort = (): void => { void this.close() }

  constructor(kafka: typeof Package, { brokers, tls, sasl }: KafkaAddress, signal: AbortSignal | undefined) {
    this.#kafka = kafka
    this.#signal = signal
    this.#options = {
      clientId: 'gristmill', bootstrapBrokers: [...brokers], connectTimeout: connectMs, requestTimeout: requestMs, timeout: requestMs,
      autocreateTopics: false, ...slowRepeats, retries: 3,
      ...tls && {
        tls: {
          ...tls.ca !== undefined && { ca: tls.ca }, ...tls.cert !== undefined && { cert: tls.cert },
          ...tls.key !== undefined && { key: tls.key }, ...tls.passphrase !== undefined && { passphrase: tls.passphrase },
          ...!tls.checkHost && { checkServerIdentity: () => undefined },
        },
        // The name of the host for brokers that share an address (SNI). It is no address.
        tlsServerName: !brokers.every(broker => isIP(broker.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')) !== 0),
      },
      ...sasl && { sasl },
    }
    this.#admin = watched(new kafka.Admin({ ...this.#options }))
    signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  topic(name: string): Promise<KafkaTopic | undefined> {
    return this.#run(async () => {
      try {
        const { topics } = await this.#admin.metadata({ topics: [name], forceUpdate: true })
        const found = topics.get(name)
        return found && { id: found.id, partitions: found.partitionsCount }
      } catch (error) {
        if (nameOf(error) === 'UNKNOWN_TOPIC_OR_PARTITION' || failuresIn(error).some(({ message }) => message?.startsWith('Unknown topic')))
          return undefined
        throw error
      }
    })
  }

  offsets(topic: string, position: KafkaPosition): Promise<Array<number | undefined>> {
    return this.#run(async () => {
      const { topics } = await this.#admin.metadata({ topics: [topic] })
      const count = topics.get(topic)!.partitionsCount
      const timestamp = typeof position === 'number' ? BigInt(position) : position === 'beginning' ? -2n : -1n
      const partitions = Array.from({ length: count }, (_, partitionIndex) => ({ partitionIndex, timestamp }))
      const [listed] = await this.#admin.listOffsets({
        topics: [{ name: topic, partitions }], isolationLevel: position === 'end' ? 0 : readCommitted,
      })
      const found: Array<number | undefined> = Array.from({ length: count })
      for (const { partitionIndex, offset } of listed!.partitions) if (offset >= 0n) found[partitionIndex] = Number(offset)
      return found
    })
  }

  read({ topic, id, partition, offset, bytesMax }: Parameters<KafkaClient['read']>[0]): Promise<KafkaFetched> {
    return this.#run(async () => {
      const { topics } = await this.#admin.metadata({ topics: [topic] })
      const found = topics.get(topic)
      if (found?.id !== id) throw new GristmillError('ESTALE', `the topic ${topic} was deleted, and created again`)
      const { leader } = found.partitions[partition]!
      const connection = (await this.#admin.connectToBrokers([leader])).get(leader)!
      const asked = {
        partition, currentLeaderEpoch: -1, fetchOffset: BigInt(offset), lastFetchedEpoch: -1, partitionMaxBytes: bytesMax,
      }
      // Version 13 is the first that asks by the id of the topic (Kafka 3.1). Session 0, epoch -1: each request stands for itself.
      const reply = await this.#kafka.fetchV13.api.async(
        connection, 500, 1, bytesMax, readCommitted, 0, -1, [{ topicId: id, partitions: [asked] }], [], '',
      ).catch((error: unknown) => {
        if (moved.has(nameOf(error) ?? '')) this.#admin.clearMetadata()
        throw error
      })
      const part = reply.responses[0]?.partitions[0]
      if (!part) throw new GristmillError('UNAVAILABLE', `Kafka has sent nothing for partition ${partition} of ${topic}`)
      return {
        logStart: Number(part.logStartOffset), stableEnd: Number(part.lastStableOffset),
        batches: (part.records ?? []).map(batchOf),
        aborted: (part.abortedTransactions ?? []).map(each => ({ producerId: each.producerId, firstOffset: Number(each.firstOffset) })),
      }
    })
  }

  createTopic(name: string, { partitions = -1, config = {} }: Parameters<KafkaClient['createTopic']>[1]): Promise<void> {
    return this.#run(async () => {
      const configs = Object.entries(config).map(([each, value]) => ({ name: each, value }))
      await this.#admin.createTopics({ topics: [name], partitions, replicas: -1, configs }).catch((error: unknown) => {
        if (nameOf(error) !== 'TOPIC_ALREADY_EXISTS') throw error
      })
    })
  }

  producer(transactionalId: string, { compression = 'none' }: Parameters<KafkaClient['producer']>[1] = {}): Promise<KafkaProducer> {
    return this.#run(async () => {
      const producer = watched(new this.#kafka.Producer({ ...this.#options, ...repeats, idempotent: true, transactionalId }))
      this.#producers.push(producer)
      // -1: the id and epoch of no producer before. Without them the package asks as producer 0, which the coordinator may refuse.
      const first = await producer.beginTransaction({ producerId: -1n, producerEpoch: -1 })
      await first.cancel()
      return new RealProducer(this.#kafka, producer, { compression: compressionOf(this.#kafka, compression), run: work => this.#run(work) })
    })
  }

  async close(): Promise<void> {
    this.#signal?.removeEventListener('abort', this.#onAbort)
    await Promise.allSettled([...this.#producers.map(each => each.close(true)), this.#admin.close()])
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#signal?.aborted) throw abortError(this.#signal)
    try {
      return await work()
    } catch (error) {
      throw this.#signal?.aborted ? abortError(this.#signal) : kafkaError(error, this.#options.tls !== undefined)
    }
  }
}

/**
 * Takes all errors of the client's connections. The package takes the first one of each: a broker that breaks off a connection whose user
 * it has refused causes a second one, which would end this process.
 */
function watched<C extends Package.Admin | Package.Producer>(client: C): C {
  for (const event of ['client:broker:connect', 'client:broker:failed'] as const) {
    client.on(event, ({ connection }: { readonly connection?: Package.Connection }) => { connection?.on('error', () => undefined) })
  }
  return client
}

/**
 * The package begins and ends transactions. Records are encoded and sent here: the package makes a buffer of each field of each record,
 * which takes more than half of the time of an export.
 * INVARIANT: one request is on its way for each partition, and is repeated with the numbers of its records: a broker keeps them once.
 */
class RealProducer implements KafkaProducer {
  readonly #kafka: typeof Package
  readonly #producer: Package.Producer
  readonly #run: <T>(work: () => Promise<T>) => Promise<T>
  readonly #compression: BatchCompression | undefined
  #open: Awaited<ReturnType<Package.Producer['beginTransaction']>> | undefined
  /** Number of the next record, by topic and partition. */
  readonly #sequences = new Map<string, number>()

  constructor(kafka: typeof Package, producer: Package.Producer, { compression, run }: ProducerOptions) {
    this.#kafka = kafka
    this.#producer = producer
    this.#compression = compression
    this.#run = run
  }

  begin(): Promise<void> {
    return this.#run(async () => { this.#open = await this.#producer.beginTransaction() })
  }

  send(messages: readonly KafkaMessage[]): Promise<void> {
    return this.#run(async () => {
      const groups = byPartition(messages)
      const topics = [...new Set(groups.map(({ topic }) => topic))]
      const added = groups.map(({ topic, partition }) => ({ topic, partition })) as Package.MessageRecord[]
      await this.#open!.addPartitions(await this.#producer.metadata({ topics }), added)
      await this.#produce(topics, groups.map(group => this.#encoded(group)))
    })
  }

  commit(): Promise<void> {
    return this.#run(async () => {
      await this.#open!.commit()
      this.#open = undefined
    })
  }

  #encoded({ topic, partition, records }: PartitionMessages): PartitionBatch {
    const { producerId, producerEpoch } = this.#producer
    const of = `${partition}:${topic}`
    const sequence = this.#sequences.get(of) ?? 0
    this.#sequences.set(of, (sequence + records.length) % sequencesMax)
    const head = { producerId: producerId!, producerEpoch: producerEpoch!, sequence, timestampMs: systemClock.now() }
    return { topic, partition, bytes: recordBatch(records, head, this.#compression) }
  }

  /** Repeats what fails and may be repeated. */
  async #produce(topics: readonly string[], batches: readonly PartitionBatch[]): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        return await this.#try(topics, batches)
      } catch (error) {
        if (tries >= repeats.retries || failuresIn(error).some(({ canRetry }) => canRetry === false)) throw error
        // Another broker may lead the partition.
        this.#producer.clearMetadata()
        await systemClock.sleep(repeats.retryDelay)
      }
    }
  }

  /** Sends the batches, each to the leader of its partition. */
  async #try(topics: readonly string[], batches: readonly PartitionBatch[]): Promise<void> {
    const metadata = await this.#producer.metadata({ topics: [...topics] })
    const byLeader = Map.groupBy(batches, ({ topic, partition }) => metadata.topics.get(topic)!.partitions[partition]!.leader)
    const connections = await this.#producer.connectToBrokers([...byLeader.keys()])
    const sent = await Promise.allSettled([...byLeader].map(([leader, own]) => this.#request(connections.get(leader)!, own)))
    for (const each of sent) if (each.status === 'rejected') throw each.reason
  }

  /** Version 9 is the first whose form later ones keep (Kafka 2.4), and adds no partition to a transaction by itself. */
  #request(connection: Package.Connection, batches: readonly PartitionBatch[]): Promise<unknown> {
    const { Writer, produceV9 } = this.#kafka
    const request = (): Package.Writer => Writer.create()
      .appendString(this.#open!.id).appendInt16(allReplicas).appendInt32(requestMs)
      .appendArray([...Map.groupBy(batches, ({ topic }) => topic)], (w, [topic, own]) => {
        w.appendString(topic).appendArray(own, (inner, { partition, bytes }) => {
          inner.appendInt32(partition).appendUnsignedVarInt(bytes.length + 1).append(bytes)
        })
      })
      .appendTaggedFields()
    return new Promise((resolve, reject) => {
      connection.send(produceV9.api.key, produceV9.api.version, request, produceV9.parseResponse, true, true, (error, response) => {
        if (error) reject(error)
        else resolve(response)
      })
    })
  }
}

interface ProducerOptions {
  readonly compression: BatchCompression | undefined
  readonly run: <T>(work: () => Promise<T>) => Promise<T>
}

function compressionOf({ compressionsAlgorithms }: typeof Package, name: KafkaCompression): BatchCompression | undefined {
  if (name === 'none') return undefined
  const { bitmask, compressSync } = compressionsAlgorithms[name]
  return { bits: bitmask, compress: bytes => compressSync(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)) }
}

interface PartitionMessages { readonly topic: string; readonly partition: number; readonly records: KafkaMessage[] }

interface PartitionBatch { readonly topic: string; readonly partition: number; readonly bytes: Buffer }

/** In the order of the first of each. */
function byPartition(messages: readonly KafkaMessage[]): PartitionMessages[] {
  const topics = new Map<string, Map<number, PartitionMessages>>()
  for (const message of messages) {
    const { topic, partition } = message
    let partitions = topics.get(topic)
    if (!partitions) topics.set(topic, partitions = new Map())
    const group = partitions.get(partition)
    if (group) group.records.push(message)
    else partitions.set(partition, { topic, partition, records: [message] })
  }
  return [...topics.values()].flatMap(partitions => [...partitions.values()])
}

function batchOf(batch: Package.RecordsBatch): KafkaBatch {
  const { firstOffset, lastOffsetDelta, attributes, producerId, firstTimestamp, maxTimestamp, records } = batch
  const isControl = (attributes & control) !== 0
  const type = isControl ? records[0]?.key?.readInt16BE(2) : undefined
  return {
    lastOffset: Number(firstOffset) + lastOffsetDelta, producerId, isTransactional: (attributes & transactional) !== 0,
    ...isControl && { marker: type === 0 ? 'abort' : type === 1 ? 'commit' : 'other' },
    records: isControl ? [] : records.map(({ offsetDelta, timestampDelta, key, value, headers }) => ({
      offset: Number(firstOffset) + offsetDelta,
      timestampMs: Number((attributes & appendTime) !== 0 ? maxTimestamp : firstTimestamp + timestampDelta), key, value, headers,
    })),
  }
}

/** Another broker leads the partition. */
const moved: ReadonlySet<string> = new Set(['NOT_LEADER_OR_FOLLOWER', 'LEADER_NOT_AVAILABLE', 'FENCED_LEADER_EPOCH'])

/** Names of errors of brokers, and our codes. Others are UNAVAILABLE if the package would repeat them. */
const codes: Readonly<Record<string, ErrorCode>> = {
  OFFSET_OUT_OF_RANGE: 'ESTALE', UNKNOWN_TOPIC_ID: 'ESTALE', INCONSISTENT_TOPIC_ID: 'ESTALE', UNKNOWN_TOPIC_OR_PARTITION: 'ENOENT',
  INVALID_PRODUCER_EPOCH: 'ESTALE', PRODUCER_FENCED: 'ESTALE', INVALID_PRODUCER_ID_MAPPING: 'ESTALE',
  TRANSACTION_COORDINATOR_FENCED: 'ESTALE',
  MESSAGE_TOO_LARGE: 'TOO_LARGE', RECORD_LIST_TOO_LARGE: 'TOO_LARGE', TOPIC_AUTHORIZATION_FAILED: 'EACCES',
  CLUSTER_AUTHORIZATION_FAILED: 'EACCES', TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 'EACCES', SASL_AUTHENTICATION_FAILED: 'UNAUTHENTICATED',
  INVALID_TXN_STATE: 'UNAVAILABLE', OUT_OF_ORDER_SEQUENCE_NUMBER: 'UNAVAILABLE', UNKNOWN_PRODUCER_ID: 'UNAVAILABLE',
  KAFKA_STORAGE_ERROR: 'UNAVAILABLE', UNSUPPORTED_SASL_MECHANISM: 'CONFIG_INVALID', ILLEGAL_SASL_STATE: 'CONFIG_INVALID',
}

interface Failure { readonly apiId?: string; readonly code?: string; readonly message?: string; readonly canRetry?: boolean }

/** The error, and those that it stands for. */
function failuresIn(error: unknown, depth = 0): Failure[] {
  if (!(error instanceof Error) || depth > 8) return []
  const { errors = [], cause } = error as Error & { errors?: readonly unknown[] }
  return [error as Failure, ...errors.flatMap(each => failuresIn(each, depth + 1)), ...failuresIn(cause, depth + 1)]
}

/** The broker's name of the error. */
const nameOf = (error: unknown): string | undefined => failuresIn(error).findLast(({ apiId }) => apiId !== undefined)?.apiId

/** What to set, by the broker's name of the error. */
const advices: Readonly<Record<string, string>> = {
  UNSUPPORTED_SASL_MECHANISM: '; set another KAFKA_SASL_MECHANISM',
  ILLEGAL_SASL_STATE: '; set KAFKA_SECURITY_PROTOCOL and KAFKA_SASL_MECHANISM as the listener of the broker has them',
}

/** Codes of certificates that Node does not trust. */
const isUntrusted = (code: string): boolean =>
  /^(?:CERT_|DEPTH_ZERO_SELF_SIGNED_CERT$|SELF_SIGNED_CERT_IN_CHAIN$|UNABLE_TO_(?:GET|VERIFY|DECODE)_|INVALID_CA$|ERR_TLS_CERT_)/.test(code)

const isHandshake = ({ code, message }: Failure): boolean =>
  code?.startsWith('ERR_SSL_') === true || message?.startsWith('TLS handshake failed') === true

/** Why a connection with or without TLS failed, where the settings may be the reason. */
function unconnected(failures: readonly Failure[], isTls: boolean, cause: unknown): GristmillError | undefined {
  const wrong = failures.find(({ code }) => code !== undefined && isUntrusted(code))
  if (wrong) {
    const advice = wrong.code === 'ERR_TLS_CERT_ALTNAME_INVALID'
      ? 'name the broker as its certificate does, or set KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM= (empty)'
      : 'set KAFKA_SSL_CA_LOCATION to a file with the certificate of its authority'
    return new GristmillError('CONFIG_INVALID', `the certificate of the broker is not trusted: ${wrong.message}; ${advice}`, { cause })
  }
  const has = (code: string): boolean => failures.some(each => each.code === code)
  const isOther = isTls ? has('EPROTO') || failures.some(isHandshake) : undefined
  const needsTls = !isTls && failures.some(({ message }) => message === 'Broker requires TLS.' || message === 'Connection closed')
  if (!isOther && !needsTls) return undefined
  return new GristmillError(
    'UNAVAILABLE', `the connection to Kafka has failed: ${failures.at(-1)!.message}; ${isTls
      ? 'if the port is one without TLS, set KAFKA_SECURITY_PROTOCOL to PLAINTEXT or SASL_PLAINTEXT; if the broker asks for a certificate, '
        + 'set KAFKA_SSL_CERTIFICATE_LOCATION and KAFKA_SSL_KEY_LOCATION'
      : 'if the port is one with TLS, set KAFKA_SECURITY_PROTOCOL to SSL or SASL_SSL; if the broker asks for a user, to SASL_PLAINTEXT'}`,
    { cause },
  )
}

function kafkaError(error: unknown, isTls: boolean): GristmillError {
  if (error instanceof GristmillError) return error
  const failures = failuresIn(error)
  const told = failures.findLast(({ apiId }) => apiId !== undefined)
  if (told) {
    const code = codes[told.apiId!] ?? (told.canRetry === false ? 'EINVAL' : 'UNAVAILABLE')
    const details = { kafka: told.apiId! }
    return new GristmillError(code, `Kafka: ${told.message} (${told.apiId})${advices[told.apiId!] ?? ''}`, { cause: error, details })
  }
  const last = failures.at(-1)
  if (failures.some(({ code }) => code === 'PLT_KFK_AUTHENTICATION'))
    return new GristmillError('UNAUTHENTICATED', 'Kafka has refused the user or the password', { cause: error })
  const settings = unconnected(failures, isTls, error)
  if (settings) return settings
  if (failures.some(({ code }) => code === 'PLT_KFK_USER') && !failures.some(({ code }) => code === 'PLT_KFK_NETWORK'))
    return new GristmillError('UNAVAILABLE', `the client of Kafka has failed: ${last?.message ?? String(error)}`, { cause: error })
  return new GristmillError('UNAVAILABLE', `the connection to Kafka has failed: ${last?.message ?? String(error)}`, { cause: error })
}
