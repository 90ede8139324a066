// Frame of a wire in memory: header, checksum table and payload are contiguous, so that a pipeline member forwards exactly the
// bytes that it received. docs/format/frame.md has the byte table.
// Invariants: the payload of a FrameBuffer always starts at the same place, whatever the table's size; a DATA payload starts at a
// multiple of 64 KiB of its block, and only the last one of a stream may have another length than a multiple of 64 KiB. Therefore
// the checksums of frames are the checksums of the block's chunks, and one pass over the data serves wire and disk.

import { assert } from '../base/assert.ts'
import { GristmillError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { MiB } from '../base/units.ts'
import { chunkCount, crcOf, type ChunkTable } from './checksum.ts'

const { chunkBytes, framePayloadBytesMax } = limits

export const frameHeaderBytes = 32
const magic = 0x31465247 // 'GRF1' on the wire
const offsetMax = 2 ** 48

/** Frame types. The three JSON types carry one JSON text each. */
export const frameTypes = Object.freeze({ request: 1, reply: 2, data: 3, end: 4 })
export type FrameType = 1 | 2 | 3 | 4

/** JSON frames hold lists of attempts at most, never data. */
export const jsonBytesMax = 4 * MiB

const tableBytesMax = chunkCount(framePayloadBytesMax) * 4
/** Space in front of the payload; a round number keeps payloads aligned in memory. */
const headBytes = 512
assert(frameHeaderBytes + tableBytesMax <= headBytes)

interface FrameHeader {
  readonly type: FrameType
  readonly tableBytes: number
  readonly payloadBytes: number
  readonly offset: number
  readonly crc: number
}

const corrupt = (why: string): GristmillError =>
  new GristmillError('CORRUPT', `received data is not a frame: ${why}; the connection was dropped`)

function writeHeader(target: Buffer, at: number, { type, tableBytes, payloadBytes, offset }: Omit<FrameHeader, 'crc'>): void {
  target.writeUInt32LE(magic, at)
  target.writeUInt8(type, at + 4)
  target.writeUInt8(0, at + 5)
  target.writeUInt16LE(tableBytes, at + 6)
  target.writeUInt32LE(payloadBytes, at + 8)
  target.writeUInt32LE(0, at + 12)
  target.writeUIntLE(offset, at + 16, 6)
  target.writeUInt16LE(0, at + 22)
  target.writeUInt32LE(0, at + 24)
  const head = crcOf(target.subarray(at, at + frameHeaderBytes - 4))
  const whole = tableBytes === 0 ? head : crcOf(target.subarray(at + frameHeaderBytes, at + frameHeaderBytes + tableBytes), head)
  target.writeUInt32LE(whole, at + frameHeaderBytes - 4)
}

/** Throws CORRUPT unless these 32 bytes can be a header. Its checksum also covers the table; `checkTable` verifies it. */
export function readHeader(bytes: Buffer): FrameHeader {
  if (bytes.readUInt32LE(0) !== magic) throw corrupt('it does not begin with GRF1')
  const type = bytes.readUInt8(4)
  const tableBytes = bytes.readUInt16LE(6)
  const payloadBytes = bytes.readUInt32LE(8)
  if (type < 1 || type > 4) throw corrupt(`it has the type ${type}`)
  if (payloadBytes > (type === frameTypes.data ? framePayloadBytesMax : jsonBytesMax))
    throw corrupt(`it claims ${payloadBytes} bytes of payload`)
  if (tableBytes !== chunkCount(payloadBytes) * 4) throw corrupt('its table does not fit its payload')
  return { type: type as FrameType, tableBytes, payloadBytes, offset: bytes.readUIntLE(16, 6), crc: bytes.readUInt32LE(28) }
}

/** Throws CORRUPT unless header and table match the header's checksum. */
export function checkTable(header: Buffer, table: Buffer): void {
  const head = crcOf(header.subarray(0, frameHeaderBytes - 4))
  if ((table.length === 0 ? head : crcOf(table, head)) !== header.readUInt32LE(28))
    throw corrupt('its header or its table was damaged in transit')
}

/** A frame with a JSON payload: header, table and text in a buffer of its own. Such frames are few. */
export function encodeJson(type: FrameType, value: unknown): Buffer {
  const text = Buffer.from(JSON.stringify(value))
  if (text.length > jsonBytesMax)
    throw new GristmillError(
      'TOO_LARGE',
      `a message of ${text.length} bytes does not fit into one frame (${jsonBytesMax} at most); ask in parts`,
    )
  const tableBytes = chunkCount(text.length) * 4
  const frame = Buffer.allocUnsafe(frameHeaderBytes + tableBytes + text.length)
  for (let i = 0, at = 0; at < text.length; i++, at += chunkBytes)
    frame.writeUInt32LE(crcOf(text.subarray(at, at + chunkBytes)), frameHeaderBytes + i * 4)
  text.copy(frame, frameHeaderBytes + tableBytes)
  writeHeader(frame, 0, { type, tableBytes, payloadBytes: text.length, offset: 0 })
  return frame
}

/**
 * Bound of brackets in a message on a wire, which holds lists of ids at most: they determine the cost of parsing. Brackets in
 * strings count too.
 */
const bracketsMax = 20_000
const harmlessBytes = 64 * 1024

function bracketsIn(text: Buffer): number {
  let count = 0
  for (const byte of text) if (byte === 0x5b || byte === 0x7b) count++
  return count
}

/** Parses a JSON payload. Throws CORRUPT if the text does not match its table, has too many brackets, or is no JSON. */
export function decodeJson(table: Buffer, text: Buffer): unknown {
  for (let i = 0, at = 0; at < text.length; i++, at += chunkBytes) {
    if (crcOf(text.subarray(at, at + chunkBytes)) !== table.readUInt32LE(i * 4)) throw corrupt('its text was damaged in transit')
  }
  if (text.length > harmlessBytes && bracketsIn(text) > bracketsMax) throw corrupt(`its text has over ${bracketsMax} objects and lists`)
  try {
    return JSON.parse(text.toString()) as unknown
  } catch (error) {
    throw new GristmillError('CORRUPT', 'received data should be JSON and is not', { cause: error })
  }
}

/** Reusable memory for one DATA frame. */
export class FrameBuffer {
  readonly bytes: Buffer
  /** Space for a payload: fill it from the start, then call `seal`. */
  readonly room: Buffer
  /** Offset of the payload in its block. */
  offset = 0
  payloadBytes = 0
  #chunks: Buffer[] | undefined

  constructor(payloadBytesMax: number = framePayloadBytesMax) {
    assert(payloadBytesMax <= framePayloadBytesMax, 'a frame holds no more')
    this.bytes = Buffer.allocUnsafeSlow(headBytes + payloadBytesMax)
    this.room = this.bytes.subarray(headBytes)
  }

  get chunks(): number { return chunkCount(this.payloadBytes) }
  get payload(): Buffer { return this.payloadBytes === this.room.length ? this.room : this.room.subarray(0, this.payloadBytes) }
  /** Header, table and payload, in wire format. */
  get frame(): Buffer { return this.bytes.subarray(this.#tableAt - frameHeaderBytes, headBytes + this.payloadBytes) }
  get #tableAt(): number { return headBytes - this.chunks * 4 }

  /** Chunk `i` of the payload. */
  chunk(i: number): Buffer {
    const end = (i + 1) * chunkBytes
    if (end > this.payloadBytes) return this.room.subarray(i * chunkBytes, this.payloadBytes)
    // Computed once: a frame has 4 chunks, and a block passes thousands of frames.
    this.#chunks ??= Array.from({ length: Math.floor(this.room.length / chunkBytes) }, (_, k) =>
      this.room.subarray(k * chunkBytes, (k + 1) * chunkBytes),
    )
    return this.#chunks[i]!
  }

  /** Checksum of chunk `i` according to the table. */
  crc(i: number): number { return this.bytes.readUInt32LE(this.#tableAt + i * 4) }
  chunkLength(i: number): number { return Math.min(chunkBytes, this.payloadBytes - i * chunkBytes) }

  /**
   * Builds the frame for the first `payloadBytes` bytes of `room`. The checksums of its chunks are computed, or taken from `crcs`.
   */
  seal(offset: number, payloadBytes: number, crcs?: Uint32Array): void {
    assert(offset % chunkBytes === 0 && offset < offsetMax, 'a frame starts at a chunk of its block')
    assert(payloadBytes > 0 && payloadBytes <= this.room.length, 'a frame holds something, and no more than fits')
    this.offset = offset
    this.payloadBytes = payloadBytes
    const tableAt = this.#tableAt
    const chunks = this.chunks
    assert(!crcs || crcs.length === chunks, 'one checksum per chunk')
    for (let i = 0; i < chunks; i++) this.bytes.writeUInt32LE(crcs ? crcs[i]! : crcOf(this.chunk(i)), tableAt + i * 4)
    writeHeader(this.bytes, tableAt - frameHeaderBytes, { type: frameTypes.data, tableBytes: chunks * 4, payloadBytes, offset })
  }

  /** Index of the first chunk that does not match the table, or -1. */
  damagedChunk(): number {
    for (let i = 0; i < this.chunks; i++) if (crcOf(this.chunk(i)) !== this.crc(i)) return i
    return -1
  }

  /** Adds the frame's chunks to a block's table. */
  addTo(table: ChunkTable): void {
    for (let i = 0; i < this.chunks; i++) table.add(this.crc(i), this.chunkLength(i))
  }

  /** Takes a received header, and returns the buffer to read its table and payload into. */
  expect(header: Buffer, { offset, payloadBytes, tableBytes }: FrameHeader): Buffer {
    if (payloadBytes > this.room.length)
      throw corrupt(`a frame of ${payloadBytes} bytes came where at most ${this.room.length} were agreed`)
    if (payloadBytes === 0 || offset % chunkBytes !== 0) throw corrupt('it holds nothing, or does not start at a chunk')
    this.offset = offset
    this.payloadBytes = payloadBytes
    const tableAt = headBytes - tableBytes
    header.copy(this.bytes, tableAt - frameHeaderBytes)
    return this.bytes.subarray(tableAt, headBytes + payloadBytes)
  }

  /** Throws CORRUPT unless header and table match the header's checksum. `damagedChunk` verifies the payload. */
  checkTable(): void {
    const tableAt = this.#tableAt
    checkTable(this.bytes.subarray(tableAt - frameHeaderBytes, tableAt), this.bytes.subarray(tableAt, headBytes))
  }
}
