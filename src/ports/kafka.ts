// Port: a client of Apache Kafka. Errors are GristmillErrors without credentials; details: `kafka`, the broker's name of the error. Errors
// that a repeat may end are UNAVAILABLE or TIMEOUT. ESTALE of a producer: another one with its transactional id has begun, or the broker
// has aborted its transaction because it was open for too long.

export interface KafkaAddress {
  /** HOST:PORT of brokers through which the others are found. */
  readonly brokers: readonly string[]
  readonly tls?: KafkaTls | undefined
  readonly sasl?: KafkaSasl | undefined
}

export interface KafkaTls {
  /** Certificates in PEM. */
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly passphrase?: string | undefined
  /** False: the name in the broker's certificate is not compared. */
  readonly checkHost: boolean
}

export interface KafkaSasl {
  readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
  readonly username: string
  readonly password: string
}

export interface KafkaTopic {
  /** Another one after the topic was deleted and created again. */
  readonly id: string
  readonly partitions: number
}

export interface KafkaRecord {
  readonly offset: number
  readonly timestampMs: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  /** A name may occur several times. */
  readonly headers: ReadonlyArray<readonly [Uint8Array | null, Uint8Array | null]>
}

/** Records as a producer has sent them, in order of their offsets. */
export interface KafkaBatch {
  readonly lastOffset: number
  /** Of the producer; only transactional batches are asked for it. */
  readonly producerId: bigint
  readonly isTransactional: boolean
  /** Set in a batch that ends a transaction, and has no records of a user. */
  readonly marker?: 'commit' | 'abort' | 'other' | undefined
  readonly records: readonly KafkaRecord[]
}

export interface KafkaFetched {
  /** First offset that is there. */
  readonly logStart: number
  /** First offset of an open transaction, or the end: consumers that read committed data get no further. */
  readonly stableEnd: number
  /** Begins with the batch that holds the offset, which may have earlier records too. Also aborted records; none behind `stableEnd`. */
  readonly batches: readonly KafkaBatch[]
  /** Aborted transactions that have records in these batches: producer, and offset of its first record. */
  readonly aborted: ReadonlyArray<{ readonly producerId: bigint; readonly firstOffset: number }>
}

export interface KafkaMessage {
  readonly topic: string
  readonly partition: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array
}

export const kafkaCompressions = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
export type KafkaCompression = (typeof kafkaCompressions)[number]

export interface KafkaProducer {
  /** REQUIRES: no transaction is open. */
  begin(): Promise<void>
  /** Resolves when all in-sync replicas have the messages, in the order given. */
  send(messages: readonly KafkaMessage[]): Promise<void>
  /** After a failure the transaction may be committed or not: a successor finds out. */
  commit(): Promise<void>
}

/**
 * `end`: behind the last message; `stable`: the same for consumers that read committed data. A number: the first message since this time.
 */
export type KafkaPosition = 'beginning' | 'end' | 'stable' | number

export interface KafkaClient {
  /** Undefined if it does not exist. */
  topic(name: string): Promise<KafkaTopic | undefined>
  /** An offset for each partition. With a time: undefined where no message is as young. */
  offsets(topic: string, position: KafkaPosition): Promise<ReadonlyArray<number | undefined>>
  /** ESTALE: the offset is not there, or the topic is another one. */
  read(request: { topic: string; id: string; partition: number; offset: number; bytesMax: number }): Promise<KafkaFetched>
  /** Leaves a topic that exists as it is. `partitions`: default: the broker's. */
  createTopic(name: string, options: { partitions?: number | undefined; config?: Readonly<Record<string, string>> }): Promise<void>
  /** Resolves when the transaction of every earlier producer with this id has ended, by commit or abort, and none of them can write. */
  producer(transactionalId: string, options?: { compression?: KafkaCompression | undefined }): Promise<KafkaProducer>
  /** Ends what is running. Never rejects. */
  close(): Promise<void>
}

/** Connects when the first call needs it. */
export type OpenKafka = (address: KafkaAddress, signal?: AbortSignal) => Promise<KafkaClient>
