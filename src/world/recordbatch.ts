// Encoder of record batches of Kafka (magic 2), in the form in which a producer sends them: no headers, one timestamp for all records; the
// records of a batch may be compressed together. The format: https://kafka.apache.org/documentation/#recordbatch. Pure.

import { crc32c } from '@node-rs/crc32'

interface RecordContent { readonly key: Uint8Array | null; readonly value: Uint8Array }

interface BatchHead {
  readonly producerId: bigint
  readonly producerEpoch: number
  /** Number of the first record among those that this producer sends to the partition. */
  readonly sequence: number
  readonly timestampMs: number
}

/** `bits`: in the attributes of a batch. */
export interface BatchCompression { readonly bits: number; readonly compress: (bytes: Uint8Array) => Uint8Array }

const headBytes = 61
/** The checksum covers what follows it. */
const [lengthAt, magicAt, crcAt, checkedAt] = [8, 16, 17, 21]
/** Bytes of the longest varint of 32 bits. */
const varintBytesMax = 5
/** Of a record without its key and value: four varints, attributes, time, number of headers. */
const recordBytesMax = 4 * varintBytesMax + 3
const magic = 2
const transactional = 1 << 4

/** A batch of a transaction. REQUIRES: at least one record. */
export function recordBatch(records: readonly RecordContent[], head: BatchHead, compression?: BatchCompression): Buffer {
  const { producerId, producerEpoch, sequence, timestampMs } = head
  let bytesMax = headBytes
  for (const { key, value } of records) bytesMax += recordBytesMax + value.length + (key?.length ?? 0)
  const plain = Buffer.allocUnsafe(bytesMax)
  const plainEnd = writeRecords(plain, records)
  const out = compression ? withHead(compression.compress(plain.subarray(headBytes, plainEnd))) : plain
  const end = compression ? out.length : plainEnd
  out.writeBigInt64BE(0n, 0)
  out.writeInt32BE(end - lengthAt - 4, lengthAt)
  out.writeInt32BE(0, lengthAt + 4)
  out.writeInt8(magic, magicAt)
  out.writeInt16BE(transactional | (compression?.bits ?? 0), checkedAt)
  out.writeInt32BE(records.length - 1, checkedAt + 2)
  out.writeBigInt64BE(BigInt(timestampMs), checkedAt + 6)
  out.writeBigInt64BE(BigInt(timestampMs), checkedAt + 14)
  out.writeBigInt64BE(producerId, checkedAt + 22)
  out.writeInt16BE(producerEpoch, checkedAt + 30)
  out.writeInt32BE(sequence, checkedAt + 32)
  out.writeInt32BE(records.length, checkedAt + 36)
  out.writeUInt32BE(crc32c(out.subarray(checkedAt, end)), crcAt)
  return out.subarray(0, end)
}

/** The bytes behind room for the head. */
const withHead = (bytes: Uint8Array): Buffer => Buffer.concat([Buffer.allocUnsafe(headBytes), bytes])

/** Returns the end of the last one. */
function writeRecords(out: Uint8Array, records: readonly RecordContent[]): number {
  let at = headBytes
  for (let i = 0; i < records.length; i++) {
    const { key, value } = records[i]!
    const keyBytes = key === null ? 1 : varintBytes(key.length) + key.length
    at = writeVarint(out, at, 3 + varintBytes(i) + keyBytes + varintBytes(value.length) + value.length)
    // Attributes, and the time behind that of the batch.
    out[at++] = 0
    out[at++] = 0
    at = writeVarint(out, at, i)
    if (key === null) out[at++] = 1
    else at = writeBytes(out, at, key)
    at = writeBytes(out, at, value)
    // Number of headers.
    out[at++] = 0
  }
  return at
}

function writeBytes(out: Uint8Array, at: number, bytes: Uint8Array): number {
  const from = writeVarint(out, at, bytes.length)
  out.set(bytes, from)
  return from + bytes.length
}

/** Zigzag, of a number that is not negative. */
function writeVarint(out: Uint8Array, at: number, value: number): number {
  let left = value * 2
  while (left > 0x7f) {
    out[at++] = left & 0x7f | 0x80
    left >>>= 7
  }
  out[at++] = left
  return at
}

function varintBytes(value: number): number {
  let bytes = 1
  for (let left = value * 2; left > 0x7f; left >>>= 7) bytes++
  return bytes
}
