// Reader of container files of Avro. A file is read in parts: a block belongs to the range in which it begins, which is behind the marker
// that ends the header or the block before. A reader of a range inside of the file reads the header first, and looks for the first marker.
// INVARIANT: adjacent ranges give each record exactly once, whatever their ends are, unless a value holds the marker of its own file.

import { GristmillError } from '../base/errors.ts'
import { MiB } from '../base/units.ts'
import type { Avro, AvroType, LoadAvro } from '../ports/avro.ts'
import { asWrongUse } from '../base/wronguse.ts'
import { unpackAvro, type AvroCodec } from './avrocodec.ts'
import { markerBytes, numberIn, readHeader, type AvroHeader } from './avrofile.ts'
import { ByteFeed } from './bytefeed.ts'
import { recordError, type Batch, type ReadCounters, type RecordRange } from './records.ts'
import type { InputOptions } from '../base/formats.ts'

interface AvroReadOptions {
  readonly input: Pick<InputOptions, 'badRecords' | 'invalidUtf8'>
  readonly counters: ReadCounters
  readonly signal?: AbortSignal | undefined
  readonly loadAvro?: LoadAvro | undefined
  /** Type by which records are read, whose encoding has to be that of the schema in the header. Default: of that schema. */
  readonly typeIn?: ((avro: Avro) => AvroType) | undefined
}

/** A block is in memory as a whole, as it is stored and unpacked. Writers make them of 16 KiB to some MiB. */
const blockBytesMax = 256 * MiB
const recordsAtOnce = 1000
/** Items without bytes in the records of one batch, and records without bytes in a block. */
const emptyMax = 2 ** 20

/**
 * Throws EINVAL with path and offset for what is no Avro, CORRUPT if the source ends early. With `badRecords: 'skip'`, the records of a
 * block from the first one on that cannot be read are left out and counted. Texts that are not UTF-8 have U+FFFD in them and are counted,
 * or refused.
 */
export async function* avroBatches(range: RecordRange, options: AvroReadOptions): AsyncGenerator<Batch> {
  const { path, start, end } = range
  if (end <= start) return
  const { counters, signal } = options
  let feed = new ByteFeed(range.open(0), 0)
  const close = async (): Promise<void> => {
    counters.bytes += feed.read
    await feed.close()
  }
  try {
    const header = await readHeader(feed, path)
    const type = await typeOf(header, path, options)
    if (start > 0) {
      await close()
      feed = new ByteFeed(range.open(Math.max(0, start - markerBytes)), Math.max(0, start - markerBytes))
      if (!await findBlock(feed, header, end)) return
    }
    while (feed.position < end && (await feed.look(1)).length > 0) {
      signal?.throwIfAborted()
      yield* blockAt(feed, { path, header, type, options })
    }
    if (feed.position < end && end !== Infinity) throw endedEarly(path, feed.position, end)
  } finally {
    await close()
  }
}

async function typeOf({ schema }: AvroHeader, path: string, { loadAvro, typeIn }: AvroReadOptions): Promise<AvroType> {
  if (!loadAvro) throw new GristmillError('CONFIG_INVALID', 'this process reads no Avro')
  const avro = await loadAvro()
  try {
    return typeIn ? typeIn(avro) : avro.typeOf(schema, 'read')
  } catch (error) {
    throw recordError(`the schema in the header cannot be read: ${(error as Error).message}`, { path, offset: 0 }, error)
  }
}

/** Skips to the first block; false: none begins before `end`. */
async function findBlock(feed: ByteFeed, { marker }: AvroHeader, end: number): Promise<boolean> {
  while (feed.position + markerBytes < end) {
    const bytes = await feed.look(markerBytes)
    const found = bytes.indexOf(marker)
    if (found >= 0) {
      feed.skip(found + markerBytes)
      return feed.position < end
    }
    if (bytes.length < markerBytes) return false
    // The marker may have begun.
    feed.skip(bytes.length - markerBytes + 1)
  }
  return false
}

interface BlockOptions {
  readonly path: string
  readonly header: AvroHeader
  readonly type: AvroType
  readonly options: AvroReadOptions
}

async function* blockAt(feed: ByteFeed, { path, header, type, options }: BlockOptions): AsyncGenerator<Batch> {
  const offset = feed.position
  const broken = (text: string): GristmillError => recordError(`${text}, in the block that begins here`, { path, offset })
  const count = await numberIn(feed)
  const size = count === undefined ? undefined : await numberIn(feed)
  if (count === undefined || size === undefined) throw broken('the file ends')
  if (!(count >= 0 && size >= 0)) throw broken('there is no number of records and bytes')
  if (size > blockBytesMax) {
    throw asWrongUse(new GristmillError(
      'TOO_LARGE', `${path}, byte ${offset}: the block has ${size} bytes, and may have ${blockBytesMax}; write it in smaller blocks`,
      { details: { path, offset } },
    ))
  }
  const at = feed.position
  const stored = await feed.take(size)
  const marker = stored && await feed.take(markerBytes)
  if (!stored || !marker) throw broken('the file ends')
  if (!marker.equals(header.marker)) throw broken('the marker that ends each block is not there')
  // Records that are compressed have no place of their own.
  const isPlain = header.codec === 'null'
  let done = 0
  const offsetOf = (start: number): number => (isPlain ? at + start : offset)
  let refused: GristmillError | undefined
  try {
    for (const { values, starts, invalid } of batchesIn(unpacked(stored, header.codec, broken), count, type)) {
      const [first] = invalid
      if (first !== undefined && options.input.invalidUtf8 === 'error') {
        refused = recordError(
          `a text or a key of a map in record ${done + first + 1} of the block is not UTF-8; write the file again, or read it by a program `
          + 'with invalidUtf8: "replace"', { path, offset: offsetOf(starts[first]!) },
        )
        break
      }
      options.counters.records += values.length
      options.counters.invalidUtf8Records += invalid.length
      done += values.length
      yield { values, path, offset: index => offsetOf(starts[index]!) }
    }
  } catch (error) {
    if (!(error instanceof Broken) && !(error instanceof GristmillError)) throw error
    if (options.input.badRecords === 'skip') options.counters.badRecords += count - done
    else throw error instanceof Broken ? broken(`record ${done + 1} of ${count} ${error.message}`) : error
  }
  if (refused) throw refused
}

class Broken extends Error {}

interface Decoded {
  readonly values: unknown[]
  readonly starts: number[]
  /** Records with texts that are not UTF-8, by their places. */
  readonly invalid: number[]
}

function * batchesIn(bytes: Buffer, count: number, type: AvroType): Generator<Decoded> {
  let position = 0
  let emptyRecords = 0
  for (let left = count; left > 0;) {
    const decoded: Decoded = { values: [], starts: [], invalid: [] }
    const { values, starts, invalid } = decoded
    let broken: Broken | undefined
    let emptyItems = 0
    for (; left > 0 && values.length < recordsAtOnce && emptyItems < emptyMax && !broken; left--) {
      try {
        const { value, end, isUtf8, emptyItems: own } = type.read(bytes, position)
        if (end === position && ++emptyRecords > emptyMax) throw new Error(`the block has more than ${emptyMax} records without bytes`)
        if (!isUtf8) invalid.push(values.length)
        starts.push(position)
        values.push(value)
        emptyItems += own
        position = end
      } catch (error) {
        broken = new Broken(`is not of its schema: ${(error as Error).message}`)
      }
    }
    if (values.length > 0) yield decoded
    if (broken) throw broken
  }
  if (position !== bytes.length) throw new Broken(`would be behind the last one, where ${bytes.length - position} bytes are left`)
}

function unpacked(stored: Buffer, codec: AvroCodec, broken: (text: string) => GristmillError): Buffer {
  try {
    return unpackAvro(stored, codec, blockBytesMax)
  } catch (error) {
    const isLarge = (error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE'
    throw broken(
      isLarge ? `it is packed, and has more than ${blockBytesMax} bytes` : `its bytes cannot be unpacked (${(error as Error).message})`,
    )
  }
}

const endedEarly = (path: string, offset: number, end: number): GristmillError => new GristmillError(
  'CORRUPT', `${path} ended at byte ${offset}, before the end ${end} of the range to be read`, { details: { path, offset } },
)
