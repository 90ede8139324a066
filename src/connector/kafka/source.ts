// Source: the messages of a topic as JSON lines, a line for each (line.ts), partition after partition, in the order of their offsets. What
// is read is fixed at the beginning: for each partition an offset to begin at, and one to end before, at most the last stable offset of
// that moment: no message of an open transaction lies before it. Aborted messages are left out.
// A topic that was deleted and created again, or whose messages were removed before they were read, is ESTALE. A compacted topic may lose
// messages that others have replaced: each read has those that are there when it comes to them.

import { createHash } from 'node:crypto'
import { GristmillError } from '../../base/errors.ts'
import type { KafkaAddress, KafkaClient, KafkaTopic, OpenKafka } from '../../ports/kafka.ts'
import { behind } from '../skip.ts'
import type { FilePin, FileSplit, OutsideFiles } from '../connector.ts'
import type { Bound, TopicAddress, TopicReading } from './address.ts'
import { committedIn } from './committed.ts'
import { decoderOf, type DecodeAvro } from './decode.ts'
import { lineOf } from './line.ts'

interface SourceDeps {
  readonly open: OpenKafka
  /** REQUIRES: given for a format `avro`. */
  readonly avro?: DecodeAvro | undefined
}

interface SourceOptions { readonly access: Omit<KafkaAddress, 'brokers'>; readonly reading: TopicReading }

/** Offsets of a partition, without the last one. */
interface Range { readonly partition: number; readonly from: number; readonly to: number }

/** `topic`: its id. */
interface TopicPin extends FilePin { readonly topic: string; readonly offsets: readonly Range[] }

/** Bytes of one fetch. Brokers send 1 MiB of a partition by default; a larger message comes alone. */
const fetchBytes = 1024 * 1024
/** Bytes of a message for the size of a split: a fetch of 1 MiB has 4,000 of them. */
const usualBytes = 256

export class KafkaMessages implements OutsideFiles {
  readonly shown: string
  readonly #deps: SourceDeps
  readonly #address: TopicAddress
  readonly #options: SourceOptions
  /** Ends of lines that were given: a read that breaks off goes on behind its last message, without the messages before. */
  readonly #reached = new Map<string, { readonly bytes: number; readonly offset: number }>()
  #client: Promise<KafkaClient> | undefined

  constructor(deps: SourceDeps, address: TopicAddress, options: SourceOptions) {
    this.#deps = deps
    this.#address = address
    this.#options = options
    this.shown = address.shown
  }

  async * pin(signal?: AbortSignal): AsyncGenerator<TopicPin> {
    const client = await this.#opened(signal)
    const { topic } = this.#address
    const found = await this.#topic(client)
    const ranges = await this.#ranges(client, found)
    const version = createHash('sha256').update(JSON.stringify([found.id, ranges, this.#address.options])).digest('hex')
    const known = { etag: version, isExact: true, ranges: true, sums: [] }
    yield { name: `${topic}.jsonl`, url: this.shown, ...known, topic: found.id, offsets: ranges }
  }

  /** Ranges of offsets, whose bounds are numbers within the list of all of them. */
  split(pin: FilePin, sizeMax: number): readonly FileSplit[] {
    return rangesOf(pin as TopicPin, sizeMax).map((_, i) => ({ pin, start: i, end: i + 1, sizeMax }))
  }

  resumes(): boolean { return true }

  async * read(split: FileSplit, position: number, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const { pin, start, sizeMax } = split as FileSplit & { readonly sizeMax: number }
    const range = rangesOf(pin as TopicPin, sizeMax)[start]!
    const name = `${range.partition}:${range.from}`
    const reached = this.#reached.get(name)
    if (position > 0 && reached?.bytes === position)
      return yield* this.#lines(pin as TopicPin, { ...range, from: reached.offset + 1 }, { name, bytes: position }, signal)
    yield* behind(this.#lines(pin as TopicPin, range, { name, bytes: 0 }, signal), position)
  }

  async close(): Promise<void> { await (await this.#client?.catch(() => undefined))?.close() }

  async * #lines(
    pin: TopicPin, { partition, from, to }: Range, at: { readonly name: string; readonly bytes: number }, signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array> {
    const client = await this.#opened(signal)
    const { value, key, bad } = this.#options.reading
    const options = { shown: this.shown, key: decoderOf(key, this.#deps.avro), value: decoderOf(value, this.#deps.avro), bad }
    let { bytes } = at
    for (let offset = from; offset < to;) {
      signal?.throwIfAborted()
      const fetched = await client.read({ topic: this.#address.topic, id: pin.topic, partition, offset, bytesMax: fetchBytes })
        .catch((error: unknown) => { throw this.#stale(error, partition, offset) })
      if (fetched.logStart > offset) throw this.#removed(partition, offset)
      const { stableEnd } = fetched
      if (stableEnd < to)
        throw new GristmillError('UNAVAILABLE', `${this.shown}, partition ${partition}: no messages are there from ${stableEnd} on`)
      const last = fetched.batches.at(-1)
      // The broker keeps the last batch of a log, even if nothing of it is left: there is one before the end, or behind it.
      if (!last)
        throw new GristmillError('UNAVAILABLE', `${this.shown}, partition ${partition}: the broker has sent nothing from offset ${offset} on`)
      const lines: string[] = []
      let end = offset - 1
      for (const record of committedIn(fetched)) {
        if (record.offset < offset || record.offset >= to) continue
        lines.push(await lineOf(partition, record, options))
        end = record.offset
      }
      offset = last.lastOffset + 1
      if (lines.length === 0) continue
      const piece = Buffer.from(lines.join(''))
      bytes += piece.length
      this.#reached.set(at.name, { bytes, offset: end })
      yield piece
    }
  }

  #opened(signal: AbortSignal | undefined): Promise<KafkaClient> {
    if (this.#client) return this.#client
    const opening = this.#client = this.#deps.open({ brokers: this.#address.brokers, ...this.#options.access }, signal)
    // The next call connects again.
    opening.catch(() => { if (this.#client === opening) this.#client = undefined })
    return opening
  }

  async #topic(client: KafkaClient): Promise<KafkaTopic> {
    const found = await client.topic(this.#address.topic)
    if (!found) throw new GristmillError('ENOENT', `${this.shown} does not exist`)
    return found
  }

  async #ranges(client: KafkaClient, { partitions }: KafkaTopic): Promise<Range[]> {
    const { topic } = this.#address
    const [beginnings, ends] = [await client.offsets(topic, 'beginning'), await client.offsets(topic, 'stable')]
    const { from, to } = this.#options.reading
    for (const bound of [from, to]) {
      const strange = bound?.kind === 'offsets' ? [...bound.offsets.keys()].find(each => each >= partitions) : undefined
      if (strange !== undefined)
        throw new GristmillError('EINVAL', `${this.shown} has ${partitions} partitions, and none with the number ${strange}`)
    }
    const [starts, stops] = [await this.#bounds(client, from, ends), await this.#bounds(client, to, ends)]
    const ranges: Range[] = []
    for (let partition = 0; partition < partitions; partition++) {
      const [beginning, end] = [beginnings[partition] ?? 0, ends[partition] ?? 0]
      const start = starts[partition] ?? beginning
      // A time is no promise that its messages are there still; an offset is.
      if (start < beginning && from?.kind !== 'time') throw this.#removed(partition, start)
      // A topic that was made anew counts from 0: to read nothing from there on would look like having read all. One offset for all
      // partitions may be beyond the end of some.
      if (start > end && (from?.kind !== 'offset' || ends.every(each => start > (each ?? 0)))) throw this.#beyond(partition, { start, end })
      ranges.push({ partition, from: Math.max(start, beginning), to: Math.min(stops[partition] ?? end, end) })
    }
    return ranges.filter(range => range.from < range.to)
  }

  /** Offsets of a bound; undefined where it says nothing about the partition. */
  async #bounds(
    client: KafkaClient, bound: Bound | undefined, ends: ReadonlyArray<number | undefined>,
  ): Promise<ReadonlyArray<number | undefined>> {
    switch (bound?.kind) {
      case undefined: return []
      case 'end': return ends
      case 'offset': return ends.map(() => bound.offset)
      case 'offsets': return ends.map((_, i) => bound.offsets.get(i))
      // No message as young: all are before it.
      case 'time': return (await client.offsets(this.#address.topic, bound.ms)).map((offset, i) => offset ?? ends[i])
    }
  }

  #stale(error: unknown, partition: number, offset: number): unknown {
    if (!(error instanceof GristmillError)) return error
    if (error.code === 'ENOENT') return new GristmillError('ESTALE', `${this.shown} was deleted since the read began`, { cause: error })
    if (error.details['kafka'] === 'OFFSET_OUT_OF_RANGE') return this.#removed(partition, offset, error)
    return error
  }

  #beyond(partition: number, { start, end }: { readonly start: number; readonly end: number }): GristmillError {
    return new GristmillError(
      'ESTALE', `${this.shown}, partition ${partition}: the offset ${start} is beyond the end, ${end}: the topic is another one than the offset `
      + 'was read from, or was made anew; begin again, at the beginning of what is there (from=beginning)',
    )
  }

  #removed(partition: number, offset: number, cause?: unknown): GristmillError {
    return new GristmillError(
      'ESTALE', `${this.shown}, partition ${partition}: the messages from offset ${offset} on are not there any more; `
      + 'begin again, at the beginning of what is there (from=beginning)', { cause },
    )
  }
}

/** Ranges of a pin, divided. Pure: it gives the same list for the same size. */
function rangesOf({ offsets }: TopicPin, sizeMax: number): readonly Range[] {
  const count = Math.max(1000, Math.floor(sizeMax / usualBytes))
  return offsets.flatMap(({ partition, from, to }) => {
    const parts: Range[] = []
    for (let at = from; at < to; at += count) parts.push({ partition, from: at, to: Math.min(to, at + count) })
    return parts
  })
}
