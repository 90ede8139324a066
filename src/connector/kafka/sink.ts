// Sink: rows of files as messages of a topic, each exactly once for consumers that read committed data, under the second half of the
// contract (OutsideLog in connector.ts). The rows go in the order of the files and of their rows, in transactions of bounded size; each has
// a record of the progress in it (progress.ts). The transactional id is that of the destination and of the exporting cluster: an export
// that begins aborts the open transaction of the one before, and none of its messages appears later. It then reads how far that one has
// come, and goes on behind it.
// Rows with one key go to one partition, that of Kafka's own producers, in their order; rows without a key are spread.
// INVARIANT: one batch is on its way at a time, and one more is being made: at most two batches are in memory.

import { createHash } from 'node:crypto'
import { backoffMs } from '../../base/backoff.ts'
import { GristmillError, hasCode, isTransient } from '../../base/errors.ts'
import { exactJson } from '../../base/exactjson.ts'
import type { Clock } from '../../ports/clock.ts'
import type { KafkaAddress, KafkaClient, KafkaMessage, KafkaTopic, OpenKafka } from '../../ports/kafka.ts'
import type { Random } from '../../ports/random.ts'
import { checkHeader, type FilePart, type LogWritten, type OutsideLog } from '../connector.ts'
import type { TopicAddress, TopicWriting } from './address.ts'
import { partitionOf } from './murmur2.ts'
import { prepareProgress, progressMessage, progressTopic, readProgress, type ExportProgress } from './progress.ts'
import { checkRows, parsedRow, rowsOf, type MessageRow } from './rows.ts'
import { ahead, Transactions, type ExportPosition, type MessageBatch, type TransactionBounds } from './transactions.ts'

interface SinkDeps {
  readonly open: OpenKafka
  readonly clock: Pick<Clock, 'mono' | 'sleep'>
  readonly random: Pick<Random, 'float'>
  /** Writes values of Avro in the latest schema of the subject. REQUIRES: given for the format `avro`. */
  readonly avro?: ((subject: string) => Promise<{ readonly id: number; readonly encode: (value: unknown) => Uint8Array }>) | undefined
}

interface SinkOptions {
  readonly access: Omit<KafkaAddress, 'brokers'>
  readonly writing: TopicWriting
  /** The exporting cluster. */
  readonly cluster: string
  /** Columns of the key; default: messages have none. */
  readonly key?: readonly string[] | undefined
  /** Bounds of a transaction and of a batch; for tests. */
  readonly bounds?: Partial<TransactionBounds> | undefined
}

/**
 * A transaction: 5 s are far below the minute after which a broker aborts it, and readers see rows that soon; 100,000 rows and 64 MiB are
 * what a broker takes in a few seconds; each transaction ends with three requests more. A batch: half of the largest that brokers take by
 * default, with its frames. The package has one request on its way for each broker: large ones leave it waiting less.
 */
const defaults: TransactionBounds = { rows: 100_000, bytes: 64 * 1024 * 1024, ms: 5_000, batchBytes: 512 * 1024, batchRows: 5_000 }
/**
 * Failures in a row, without a transaction between them, before the export gives up: a broker that restarts within a minute is waited for.
 */
const triesMax = 10
const pauses = { firstMs: 200, maxMs: 15_000 }
/** Two seconds: marks are mostly there within some milliseconds. */
const seen = { triesMax: 100, pauseMs: 20 }
/** Rows without a key that go to one partition before the next: a batch has few partitions. */
const spread = 500
/** Time after which a transaction that the broker has ended was too slow, and not fenced by another export. */
const slowMs = 45_000

export class KafkaTopicSink implements OutsideLog<FilePart, Uint8Array> {
  readonly shown: string
  readonly #deps: SinkDeps
  readonly #address: TopicAddress
  readonly #options: SinkOptions
  readonly #bounds: TransactionBounds
  /** Halved when a broker takes only smaller batches. */
  #batchBytes: number
  #encode: ((value: Record<string, unknown>, row: MessageRow) => Uint8Array) | undefined

  constructor(deps: SinkDeps, address: TopicAddress, options: SinkOptions) {
    this.#deps = deps
    this.#address = address
    this.#options = options
    const { rate } = options.writing
    const bounds = { ...defaults, ...options.bounds }
    // Four batches a second, if the rate is a low one.
    this.#bounds = { ...bounds, batchRows: Math.max(1, Math.min(bounds.batchRows, Math.ceil((rate ?? Infinity) / 4))) }
    this.#batchBytes = bounds.batchBytes
    this.shown = address.shown
  }

  async write(
    token: string, parts: readonly FilePart[], content: (part: FilePart) => AsyncIterable<Uint8Array>, signal?: AbortSignal,
  ): Promise<LogWritten> {
    const { clock, random } = this.#deps
    for (const part of parts) {
      checkRows(part.name)
      checkHeader(part)
    }
    let rows = 0
    for (let failed = 0; ;) {
      const before = rows
      try {
        const isNew = await this.#attempt({ token, parts, content, signal, onCommit: count => { rows += count } })
        return { rows, unchanged: !isNew }
      } catch (error) {
        if (error instanceof SmallerBatches) continue
        if (signal?.aborted || !isTransient(error) || (failed = rows > before ? 1 : failed + 1) >= triesMax) throw error
        await clock.sleep(backoffMs(failed, pauses, random), signal)
      }
    }
  }

  /** False: all rows were there. Throws UNAVAILABLE, TIMEOUT if another attempt may go on. */
  async #attempt(run: Run): Promise<boolean> {
    const { brokers, topic } = this.#address
    const { token, parts, signal } = run
    const client = await this.#deps.open({ brokers, ...this.#options.access }, signal)
    try {
      // None of them needs another, and a broker that is asked for the first time takes long for each.
      const [{ id, partitions }, , producer] = await settledAll([
        this.#prepared(client), prepareProgress(client),
        client.producer(this.#transactionalId, { compression: this.#options.writing.compression })
          .catch((error: unknown) => { throw this.#told(error) }),
      ])
      const of = { topic, id, token, signal }
      const progress = await readProgress({ client, clock: this.#deps.clock }, of)
      if (progress?.done) return false
      const from = progress ? { part: positionOf(parts, progress, this.shown), rows: progress.rows } : { part: 0, rows: 0 }
      const writer = new Transactions(producer, {
        bounds: this.#bounds, rate: this.#options.writing.rate, clock: this.#deps.clock, signal, onCommit: run.onCommit,
        progress: (position, done) => progressMessage(of, {
          token, part: parts[position.part]?.name ?? '', rows: position.rows, done,
        }),
        failed: (error, batch, openMs) => this.#failed(error, batch, openMs),
      })
      for await (const batch of ahead(this.#batches(run, from, partitions))) await writer.send(batch)
      await writer.finish({ part: parts.length, rows: 0 })
      await this.#seen(client, signal).catch(() => {})
      return true
    } catch (error) {
      throw error instanceof GristmillError && error.details['kafka'] !== undefined ? this.#told(error) : error
    } finally {
      await client.close()
    }
  }

  /**
   * A broker answers a commit before its mark is in each partition: a reader of committed data that begins now would not see the last rows.
   * Others' open transactions may hold readers back, too: they are not waited for.
   */
  async #seen(client: KafkaClient, signal: AbortSignal | undefined): Promise<void> {
    const { topic } = this.#address
    const ends = await client.offsets(topic, 'end')
    for (let tries = 0; tries < seen.triesMax; tries++) {
      const stable = await client.offsets(topic, 'stable')
      if (ends.every((end = 0, i) => (stable[i] ?? 0) >= end)) return
      await this.#deps.clock.sleep(seen.pauseMs, signal)
    }
  }

  /** The same for all exports of a cluster to a topic. */
  get #transactionalId(): string {
    const { cluster } = this.#options
    return `gristmill-${createHash('sha256').update(JSON.stringify([cluster, this.#address.topic])).digest('hex').slice(0, 32)}`
  }

  async #prepared(client: KafkaClient): Promise<KafkaTopic> {
    const { topic } = this.#address
    const { writing: { create, value }, key } = this.#options
    let found = await client.topic(topic)
    if (!found && create !== undefined) {
      await client.createTopic(topic, { partitions: create })
      found = await client.topic(topic)
      if (!found) throw new GristmillError('UNAVAILABLE', `${this.shown} was created, and is not there yet`)
    }
    if (!found)
      throw new GristmillError('ENOENT', `${this.shown} does not exist; create it, or let create=PARTITIONS create it`)
    if (value === 'avro' && !this.#encode) {
      const { id, encode } = await this.#deps.avro!(`${topic}-value`)
      const head = Buffer.alloc(5)
      head.writeUInt32BE(id, 1)
      this.#encode = row => Buffer.concat([head, encode(row)])
    }
    if (value === 'json') this.#encode = (_, { text, bytes }) => bytes ?? Buffer.from(text)
    if (key?.length === 0) throw new GristmillError('EINVAL', 'a key has at least one column')
    return found
  }

  async * #batches({ parts, content }: Run, from: ExportPosition, partitions: number): AsyncGenerator<MessageBatch> {
    let batch: MessageBatch | undefined
    for (let part = from.part; part < parts.length; part++) {
      const { name } = parts[part]!
      const done = part === from.part ? from.rows : 0
      for await (const rows of rowsOf(name, content(parts[part]!))) {
        for (const row of rows) {
          if (row.number <= done) continue
          const message = this.#message(name, row, partitions)
          const bytes = message.value.length + (message.key?.length ?? 0)
          if (batch && (batch.bytes + bytes > this.#batchBytes || batch.messages.length >= this.#bounds.batchRows)) {
            yield batch
            batch = undefined
          }
          batch ??= { messages: [], bytes: 0, end: { part, rows: 0 }, first: { name, number: row.number } }
          batch.messages.push(message)
          batch.bytes += bytes
          batch.end = { part, rows: row.number }
        }
      }
    }
    if (batch) yield batch
  }

  #message(name: string, row: MessageRow, partitions: number): KafkaMessage {
    const value = parsedRow(name, row)
    const key = this.#options.key && keyOf(name, row, value, this.#options.key)
    try {
      return {
        topic: this.#address.topic, key: key ?? null, value: this.#encode!(value, row),
        partition: key ? partitionOf(key, partitions) : Math.floor((row.number - 1) / spread) % partitions,
      }
    } catch (error) {
      throw hasCode(error, 'EINVAL')
        ? new GristmillError('EINVAL', `${name}, row ${row.number}: ${error.message}`, { cause: error })
        : error
    }
  }

  /** The error of a batch in words, with the row where it can be told. */
  #failed(error: unknown, batch: MessageBatch | undefined, openMs: number): unknown {
    if (hasCode(error, 'TOO_LARGE') && batch) {
      if (batch.messages.length > 1) {
        // A topic that takes only smaller batches: the next attempt sends them.
        this.#batchBytes = Math.max(1, Math.floor(Math.min(batch.bytes, this.#batchBytes) / 4))
        return new SmallerBatches()
      }
      const { name, number } = batch.first
      return new GristmillError(
        'TOO_LARGE', `${name}, row ${number}: its message of ${batch.bytes} bytes is larger than ${this.shown} takes (max.message.bytes of the topic)`,
        { cause: error },
      )
    }
    if (hasCode(error, 'ESTALE') && openMs > slowMs)
      return new GristmillError('UNAVAILABLE', `${this.shown}: a transaction was open for too long`, { cause: error })
    return error
  }

  #told(error: unknown): unknown {
    if (hasCode(error, 'ESTALE')) {
      return new GristmillError(
        'ESTALE', `${this.shown}: another export to this topic has begun, and has ended this one; only one writes at a time`, { cause: error },
      )
    }
    if (!hasCode(error, 'EACCES')) return error
    return new GristmillError(
      'EACCES', `${this.shown}: ${error.message}; the user needs the rights to write to the topic and to ${progressTopic}, to read the latter, `
      + 'and to use transactional ids that begin with gristmill-', { cause: error },
    )
  }
}

/** All results; throws the first failure once all have settled. */
async function settledAll<T extends readonly Promise<unknown>[]>(work: readonly [...T]): Promise<{ [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(work)
  return Promise.all(work)
}

/** The next attempt sends them; it goes on behind the last transaction. */
class SmallerBatches extends Error {}

interface Run {
  readonly token: string
  readonly parts: readonly FilePart[]
  readonly content: (part: FilePart) => AsyncIterable<Uint8Array>
  readonly signal: AbortSignal | undefined
  readonly onCommit: (rows: number) => void
}

function positionOf(parts: readonly FilePart[], { part }: ExportProgress, shown: string): number {
  const found = parts.findIndex(({ name }) => name === part)
  if (found >= 0) return found
  throw new GristmillError('CORRUPT', `${shown}: the record of the progress names ${part}, which is no file of this export`)
}

/** Text of one column; a list of JSON for several. Null in one column: no key. */
function keyOf(name: string, { number }: MessageRow, value: Record<string, unknown>, columns: readonly string[]): Buffer | undefined {
  const missing = columns.find(column => !Object.hasOwn(value, column))
  if (missing !== undefined)
    throw new GristmillError('EINVAL', `${name}, row ${number}: it has no column ${JSON.stringify(missing)}, which is part of the key`)
  const values = columns.map(column => value[column])
  if (values.length > 1) return Buffer.from(exactJson(values))
  const [only] = values
  if (only === null) return undefined
  if (typeof only === 'string' && !only.isWellFormed()) {
    throw new GristmillError(
      'EINVAL', `${name}, row ${number}: the key ${JSON.stringify(only)} has half of a surrogate pair, and UTF-8 has no such text; cut texts `
      + 'between characters',
    )
  }
  return Buffer.from(typeof only === 'string' ? only : exactJson(only))
}
