// Address of a topic of Kafka, `kafka://HOST:PORT[,HOST:PORT]/TOPIC?OPTION=VALUE&…`. Options of a read or a write are part of the address,
// so that they go the same way through SQL, programs, the library and the command line. Credentials are no part of it (access.ts). Pure.

import { cutAt } from '../../base/cut.ts'
import { GristmillError } from '../../base/errors.ts'
import { kafkaCompressions, type KafkaCompression } from '../../ports/kafka.ts'

export interface TopicAddress {
  readonly brokers: readonly string[]
  readonly topic: string
  /** Without options. */
  readonly shown: string
  readonly options: Readonly<Record<string, string>>
}

export const isKafka = (text: string): boolean => /^kafka:\/\//i.test(text)

const brokerForm = /^(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/

/** Throws EINVAL. */
export function topicAddressOf(text: string): TopicAddress {
  const [, authority = '', topic = '', query] = /^kafka:\/\/([^/?#]*)\/([^/?#]*)(?:\?([^#]*))?$/i.exec(text) ?? []
  if (text.replace(/^kafka:\/\//i, '').split('/')[0]!.includes('@'))
    throw new GristmillError('EINVAL', 'an address of Kafka has no user and password in it; set KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD')
  const brokers = authority.split(',').filter(each => each !== '')
  if (brokers.length === 0 || !brokers.every(each => brokerForm.test(each)) || !/^[A-Za-z0-9._-]{1,249}$/.test(topic))
    throw new GristmillError('EINVAL', 'a topic of Kafka is written kafka://HOST:PORT/TOPIC, or kafka://HOST:PORT,HOST:PORT/TOPIC')
  const options: Record<string, string> = {}
  for (const [name, value] of new URLSearchParams(query)) {
    if (Object.hasOwn(options, name)) throw new GristmillError('EINVAL', `kafka://${authority}/${topic} has the option ${name} twice`)
    options[name] = value
  }
  return {
    brokers: brokers.map(each => (/:\d+$/.test(each) ? each : `${each}:9092`)), topic, shown: `kafka://${authority}/${topic}`, options,
  }
}

/** The address with these options in place of its own of the same name. Those that are undefined are left out. */
export function withTopicOptions(text: string, given: Readonly<Record<string, string | number | undefined>>): string {
  const [bare, query = ''] = cutAt(text, '?')
  const all = new URLSearchParams(query)
  for (const [name, value] of Object.entries(given)) if (value !== undefined) all.set(name, String(value))
  const parts = [...all].map(([name, value]) => `${name}=${encoded(value)}`)
  return parts.length === 0 ? bare : `${bare}?${parts.join('&')}`
}

/** As short as it can be: the address takes the place of the options in the text of a query. */
const encoded = (value: string): string =>
  value.replaceAll(/[%&#+'\s\u0080-\uffff]+/g, part => Buffer.from(part).toString('hex').replaceAll(/../g, '%$&'))

const formats = ['json', 'text', 'bytes', 'avro'] as const
export type MessageFormat = (typeof formats)[number]

export interface TopicReading {
  readonly from?: Bound | undefined
  readonly to?: Bound | undefined
  readonly value: MessageFormat
  readonly key: MessageFormat
  /** What becomes of a message that does not fit its format: the read fails, or its line has the bytes and the reason. */
  readonly bad: 'fail' | 'keep'
  readonly registry?: string | undefined
}

/** Missing partition of `offsets`: from its beginning, or to its end. */
export type Bound =
  | { readonly kind: 'end' }
  | { readonly kind: 'offset'; readonly offset: number }
  | { readonly kind: 'offsets'; readonly offsets: ReadonlyMap<number, number> }
  | { readonly kind: 'time'; readonly ms: number }

/** Throws EINVAL. */
export function readingOf({ shown, options }: TopicAddress): TopicReading {
  checkNames(shown, options, ['from', 'to', 'value', 'key', 'bad', 'registry'])
  const { from, to, value, key, bad, registry } = options
  return {
    from: boundOf('from', from), to: boundOf('to', to), value: choice('value', value, formats, 'json'),
    key: choice('key', key, formats, 'text'), bad: choice('bad', bad, ['fail', 'keep'], 'fail'), registry: registryOf(registry),
  }
}

export interface TopicWriting {
  readonly value: 'json' | 'avro'
  readonly registry?: string | undefined
  /** Rows a second; default: no bound. */
  readonly rate?: number | undefined
  /** Partitions of the topic, which is created if it does not exist. */
  readonly create?: number | undefined
  /** Of the messages of a batch. */
  readonly compression: KafkaCompression
}

/** Throws EINVAL. */
export function writingOf({ shown, options }: TopicAddress): TopicWriting {
  checkNames(shown, options, ['value', 'registry', 'rate', 'create', 'compression'])
  const { value, registry, rate, create, compression } = options
  return {
    value: choice('value', value, ['json', 'avro'], 'json'), registry: registryOf(registry),
    rate: whole('rate', rate, 10_000_000), create: whole('create', create, 10_000),
    compression: choice('compression', compression, kafkaCompressions, 'none'),
  }
}

function checkNames(shown: string, options: TopicAddress['options'], known: readonly string[]): void {
  const strange = Object.keys(options).find(name => !known.includes(name))
  if (strange !== undefined)
    throw new GristmillError('EINVAL', `${shown} has the option ${JSON.stringify(strange)}; there are ${known.join(', ')}`)
}

function choice<const T extends string>(name: string, given: string | undefined, all: readonly T[], usual: T): T {
  if (given === undefined) return usual
  const found = all.find(each => each === given)
  if (found === undefined)
    throw new GristmillError('EINVAL', `the option ${name} of a topic is one of ${all.join(', ')}, and not ${JSON.stringify(given)}`)
  return found
}

function whole(name: string, given: string | undefined, max: number): number | undefined {
  if (given === undefined) return undefined
  if (/^\d{1,15}$/.test(given) && Number(given) >= 1 && Number(given) <= max) return Number(given)
  throw new GristmillError('EINVAL', `the option ${name} of a topic is a whole number from 1 to ${max}, and not ${JSON.stringify(given)}`)
}

function registryOf(given: string | undefined): string | undefined {
  if (given === undefined) return undefined
  const url = /^https?:\/\//i.test(given) && URL.canParse(given) ? new URL(given) : undefined
  if (!url || url.search !== '' || url.hash !== '')
    throw new GristmillError('EINVAL', 'the option registry of a topic is the address of a schema registry: http://HOST:PORT')
  if (url.username + url.password !== '')
    throw new GristmillError('EINVAL', 'the address of a schema registry has no password in it; set KAFKA_BASIC_AUTH_USER_INFO=USER:PASSWORD')
  return url.href.replace(/\/$/, '')
}

/** `beginning`, `end`, an offset, offsets of partitions as 0:17,1:4, or a time in ISO 8601. */
function boundOf(name: string, given: string | undefined): Bound | undefined {
  if (given === undefined || given === 'beginning' && name === 'from' || given === 'end' && name === 'to') return undefined
  if (given === 'end') return { kind: 'end' }
  if (/^\d{1,15}$/.test(given)) return { kind: 'offset', offset: Number(given) }
  if (/^\d{1,9}:\d{1,15}(?:,\d{1,9}:\d{1,15})*$/.test(given)) {
    const pairs = given.split(',').map(pair => pair.split(':').map(Number) as [number, number])
    const offsets = new Map(pairs)
    if (offsets.size === pairs.length) return { kind: 'offsets', offsets }
  }
  const form = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:?\d\d)?)?$/
  if (form.test(given)) {
    const iso = given.replace(' ', 'T')
    const ms = Date.parse(/T/.test(iso) && !/(?:Z|[+-]\d\d:?\d\d)$/.test(iso) ? `${iso}Z` : iso)
    if (Number.isFinite(ms)) return { kind: 'time', ms }
  }
  throw new GristmillError(
    'EINVAL', `the option ${name} of a topic is ${name === 'from' ? 'beginning' : 'end'}, an offset, offsets of partitions such as 0:17,1:4, `
    + `or a time such as 2026-11-27T10:00:00Z, and not ${JSON.stringify(given)}`,
  )
}
