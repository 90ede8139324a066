// Layout of object container files of Avro (specification 1.12, "Object Container Files"): the bytes `Obj` and 1; a map with the schema,
// and the codec of the blocks; a marker of 16 bytes. Then blocks: the number of records, the number of bytes, the bytes, and the marker
// again. Numbers are integers of variable length in zigzag order.

import { GristmillError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { ByteFeed } from './bytefeed.ts'
import { isAvroCodec, type AvroCodec } from './avrocodec.ts'
import { recordError } from './records.ts'
import { sniff } from './sniff.ts'

export const magic = Buffer.from('Obj\x01', 'latin1')
export const markerBytes = 16
/** Ten bytes have 70 bits. */
const numberBytesMax = 10

export interface AvroHeader {
  readonly schema: unknown
  readonly codec: AvroCodec
  readonly marker: Buffer
  /** Position of the first block. */
  readonly end: number
}

/** Throws EINVAL for a file that is no container file of Avro, or has another codec. REQUIRES: the feed begins with the file. */
export async function readHeader(feed: ByteFeed, path: string): Promise<AvroHeader> {
  const fault = (text: string, advice = ''): GristmillError => recordError(`${text}${advice}`, { path, offset: feed.position })
  const begin = await feed.look(magic.length)
  if (!begin.subarray(0, magic.length).equals(magic)) {
    // Says what it is, if that can be seen.
    const packed = sniff(begin, { path, encoding: 'latin1' })
    throw fault(
      'the file is no Avro container file, which begins with "Obj" and the byte 1',
      packed ? `; it is packed with ${packed}: unpack it before it is put` : '; read it in its own format',
    )
  }
  feed.skip(magic.length)
  const entries = await metadataOf(feed, fault)
  const codec = entries.get('avro.codec')?.toString() ?? 'null'
  if (!isAvroCodec(codec))
    throw fault(`its blocks are packed with ${codec.slice(0, 40)}, which is not supported`, '; write it with deflate or zstandard')
  const text = entries.get('avro.schema')?.toString()
  let schema: unknown
  try {
    schema = JSON.parse(text ?? '')
  } catch {
    throw fault(text === undefined ? 'its header has no schema' : 'the schema in its header is no JSON')
  }
  const marker = await feed.take(markerBytes)
  if (!marker) throw fault('the file ends in its header')
  return { schema, codec, marker, end: feed.position }
}

async function metadataOf(feed: ByteFeed, fault: (text: string) => GristmillError): Promise<Map<string, Buffer>> {
  const entries = new Map<string, Buffer>()
  const ended = (): GristmillError => fault('the file ends in its header')
  const bytes = async (): Promise<Buffer> => {
    const length = await numberIn(feed)
    if (length === undefined) throw ended()
    if (length < 0 || feed.position + length > limits.recordBytesMax) throw fault('its header has lengths that no header has')
    const found = await feed.take(length)
    if (!found) throw ended()
    return found
  }
  for (;;) {
    const count = await numberIn(feed)
    if (count === undefined) throw ended()
    if (count === 0) return entries
    // A negative number of entries has their size behind it.
    if (count < 0 && await numberIn(feed) === undefined) throw ended()
    for (let left = Math.abs(count); left > 0; left--) entries.set((await bytes()).toString(), await bytes())
  }
}

/** Undefined: the file ends before. NaN: it is none that counts anything. */
export async function numberIn(feed: ByteFeed): Promise<number | undefined> {
  const bytes = await feed.look(numberBytesMax)
  let value = 0n
  for (let at = 0; at < numberBytesMax; at++) {
    const byte = bytes[at]
    if (byte === undefined) return undefined
    value |= BigInt(byte & 0x7f) << BigInt(7 * at)
    if (byte >= 0x80) continue
    feed.skip(at + 1)
    const number = Number((value >> 1n) ^ -(value & 1n))
    return Number.isSafeInteger(number) ? number : Number.NaN
  }
  return Number.NaN
}

/** REQUIRES: at least 0. */
export function numberBytes(value: number): Buffer {
  const bytes: number[] = []
  let rest = BigInt(value) << 1n
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
  bytes.push(Number(rest))
  return Buffer.from(bytes)
}
