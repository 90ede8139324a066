// Frame of a map output: the unit of writing, reading, checksums and compression. Byte tables: docs/format/segment.md.
//
//   header (20 bytes): stored u32 · raw u32 · records u32 · codec u32 · CRC32C u32 of the 16 bytes before and the payload
//   payload (stored bytes): entries, compressed or not
//   entry: head varint · key (head - 1 bytes) · length varint · value (length bytes); head 0: the key of the entry before
//
// A frame can be read on its own: its first entry always has its key. All integers are little-endian.

import { zstdCompressSync, zstdDecompressSync, constants } from 'node:zlib'
import { crc32c } from '@node-rs/crc32'
import { GristmillError } from '../base/errors.ts'
import { KiB, MiB } from '../base/units.ts'

export const frameHeaderBytes = 20
/** Small enough that 64 of them are merged within the CPU cache, large enough that a frame's fixed cost is negligible. */
export const frameTargetBytes = 128 * KiB
/** Largest entry, key and value together; it may exceed the target size of a frame. */
export const entryBytesMax = 96 * MiB
const frameBytesMax = entryBytesMax + 2 * frameTargetBytes
/** Compression must save at least this much to be worth the reader's time. */
const ratioMin = 1.3

type FrameCodec = 'none' | 'zstd'
const codecs: readonly FrameCodec[] = ['none', 'zstd']

interface SegmentFrameHeader {
  readonly stored: number
  readonly raw: number
  readonly records: number
  readonly codec: FrameCodec
  readonly crc: number
}

/** Compresses with level 1: the fastest one that still halves text. */
export function compress(payload: Uint8Array): Buffer {
  return zstdCompressSync(payload, { params: { [constants.ZSTD_c_compressionLevel]: 1 } })
}

export const paysOff = (raw: number, stored: number): boolean => raw >= stored * ratioMin

/** Fills the 20 bytes before the payload, which must follow them in `frame`; returns the checksum. */
export function sealFrame(frame: Buffer, { raw, records, codec }: { raw: number; records: number; codec: FrameCodec }): number {
  frame.writeUInt32LE(frame.length - frameHeaderBytes, 0)
  frame.writeUInt32LE(raw, 4)
  frame.writeUInt32LE(records, 8)
  frame.writeUInt32LE(codecs.indexOf(codec), 12)
  const crc = crc32c(frame.subarray(frameHeaderBytes), crc32c(frame.subarray(0, 16)))
  frame.writeUInt32LE(crc, 16)
  return crc
}

/** Reads a header whose frame must fit in `left` bytes, header included. Its checksum is verified by `openFrame` only. */
export function readFrameHeader(bytes: Buffer, left: number, what: string): SegmentFrameHeader {
  const stored = bytes.readUInt32LE(0)
  const raw = bytes.readUInt32LE(4)
  const codec = codecs[bytes.readUInt32LE(12)]
  if (stored > left - frameHeaderBytes || raw > frameBytesMax || codec === undefined || (codec === 'none' && raw !== stored)) {
    throw corrupt(what, 'a frame header that makes no sense')
  }
  return { stored, raw, records: bytes.readUInt32LE(8), codec, crc: bytes.readUInt32LE(16) }
}

/** Verifies the frame and returns its entries' bytes. `header`: the 20 bytes from which `facts` was read. */
export function openFrame(header: Buffer, payload: Buffer, facts: SegmentFrameHeader, what: string): Buffer {
  const found = crc32c(payload, crc32c(header.subarray(0, 16)))
  if (found !== facts.crc) throw corrupt(what, 'a frame whose bytes do not match their checksum')
  if (facts.codec === 'none') return payload
  try {
    const raw = zstdDecompressSync(payload, { maxOutputLength: facts.raw })
    if (raw.length === facts.raw) return raw
  } catch (error) {
    throw corrupt(what, 'a frame that does not decompress', error)
  }
  throw corrupt(what, 'a frame that decompresses to another length')
}

export function tooLarge(bytes: number): GristmillError {
  return new GristmillError(
    'TOO_LARGE',
    `a record of ${bytes} bytes was emitted; with its key it may have ${entryBytesMax}. Emit it in parts, or write it to a file and emit the path`,
  )
}

/** `details.segment`: name of the map output that must be fetched or computed again. */
export function corrupt(what: string, problem: string, cause?: unknown): GristmillError {
  return new GristmillError('CORRUPT', `${what} has ${problem}; it must be fetched or computed again`, {
    cause, details: { segment: what },
  })
}

/** The digest of a partition covers its frames' checksums, and so every byte. */
export function addToDigest(digest: number, crc: number): number {
  digestInput.writeUInt32LE(crc)
  return crc32c(digestInput, digest)
}
const digestInput = Buffer.alloc(4)
