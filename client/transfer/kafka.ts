// Topics of Kafka for import and export: opens the source or the sink of an address, with what the environment says about access.

import { GristmillError } from '../../src/base/errors.ts'
import type { ClusterId } from '../../src/base/ids.ts'
import { findKafkaAccess } from '../../src/connector/kafka/access.ts'
import { readingOf, topicAddressOf, withTopicOptions, writingOf } from '../../src/connector/kafka/address.ts'
import { SchemaRegistry } from '../../src/connector/kafka/avro.ts'
import { KafkaTopicSink } from '../../src/connector/kafka/sink.ts'
import { KafkaMessages } from '../../src/connector/kafka/source.ts'
import type { AskDeps } from '../../src/connector/ask.ts'
import type { LoadAvro } from '../../src/ports/avro.ts'
import type { OpenKafka } from '../../src/ports/kafka.ts'

interface KafkaDeps {
  readonly asking: AskDeps
  readonly openKafka: OpenKafka
  readonly loadAvro: LoadAvro
  readonly env: Readonly<Record<string, string | undefined>>
  readonly readText: (path: string) => Promise<string | undefined>
}

/** Options of a read; in an address they are written `?from=…&value=…`. */
export interface TopicReadOptions {
  /** `beginning`, an offset, offsets of partitions (`0:17,1:4`), or a time in ISO 8601; default: beginning. */
  readonly from?: string | undefined
  /** The same, without the message itself, or `end`; default: the end of what is committed now. */
  readonly to?: string | undefined
  /** Format of the values: json (default), text, bytes or avro. */
  readonly value?: string | undefined
  /** Format of the keys; default: text. */
  readonly key?: string | undefined
  /** A message that does not fit: fail (default), or keep its bytes in the column `bad`. */
  readonly bad?: string | undefined
  /** Address of the schema registry. */
  readonly registry?: string | undefined
}

export interface TopicWriteOptions {
  /** Format of the values: json (default) or avro. */
  readonly value?: string | undefined
  readonly registry?: string | undefined
  /** Rows a second at most. */
  readonly rate?: number | undefined
  /** Creates the topic with so many partitions if it does not exist. */
  readonly create?: number | undefined
  /** Of the messages of a batch: none (default), gzip, snappy, lz4 or zstd. */
  readonly compression?: string | undefined
}

export const withReadOptions = (url: string, { from, to, value, key, bad, registry }: TopicReadOptions): string =>
  withTopicOptions(url, { from, to, value, key, bad, registry })

export const withWriteOptions = (url: string, { value, registry, rate, create, compression }: TopicWriteOptions): string =>
  withTopicOptions(url, { value, registry, rate, create, compression })

/** Throws EINVAL, also for a password in it. */
export function checkTopicAddress(url: string): void { topicAddressOf(url) }

/** Throws EINVAL. */
export function checkTopicReading(url: string): void { readingOf(topicAddressOf(url)) }

/** Throws EINVAL. */
export function checkTopicWriting(url: string): void { writingOf(topicAddressOf(url)) }

export async function topicSource(deps: KafkaDeps, url: string, signal: AbortSignal | undefined): Promise<KafkaMessages> {
  const address = topicAddressOf(url)
  const reading = readingOf(address)
  const access = await findKafkaAccess(deps)
  const isAvro = [reading.value, reading.key].includes('avro')
  const registry = isAvro ? registryOf(deps, reading.registry ?? access.registry, access.registryUser, signal) : undefined
  return new KafkaMessages({ open: deps.openKafka, avro: registry?.decode }, address, { access: accessTo(access), reading })
}

interface SinkOf {
  readonly cluster: ClusterId
  readonly key?: readonly string[] | undefined
  readonly signal?: AbortSignal | undefined
}

export async function topicSink(
  deps: KafkaDeps, url: string, { cluster, key, signal }: SinkOf,
): Promise<{ readonly log: KafkaTopicSink; readonly identity: string }> {
  const address = topicAddressOf(url)
  const writing = writingOf(address)
  const access = await findKafkaAccess(deps)
  const registry = writing.value === 'avro' ? registryOf(deps, writing.registry ?? access.registry, access.registryUser, signal) : undefined
  const { clock, random } = deps.asking
  const log = new KafkaTopicSink(
    { open: deps.openKafka, clock, random, avro: registry && (subject => registry.latest(subject)) }, address,
    { access: accessTo(access), writing, cluster, key },
  )
  // Without the brokers: a cluster of Kafka has several addresses, and keeps the progress itself.
  return { log, identity: JSON.stringify(['kafka', address.topic, key ?? null, writing.value]) }
}

const accessTo = ({ tls, sasl }: Awaited<ReturnType<typeof findKafkaAccess>>) => ({ tls, sasl })

function registryOf(
  { asking, loadAvro }: KafkaDeps, url: string | undefined, user: string | undefined, signal: AbortSignal | undefined,
): SchemaRegistry {
  if (url === undefined)
    throw new GristmillError('EINVAL', 'Avro needs a schema registry: give registry=http://HOST:PORT, or set KAFKA_SCHEMA_REGISTRY_URL')
  return new SchemaRegistry({ ...asking, loadAvro }, { url: url.replace(/\/$/, ''), user, signal })
}
