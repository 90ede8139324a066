// Byte format of the journal's files (docs/format/journal.md). A segment is a header followed by frames; a frame is one group
// of operations that became durable together. INVARIANT: the first operation of a frame has the number after the last
// operation of the frame before it.

import { crc32c } from '@node-rs/crc32'
import { assert } from '../../src/base/assert.ts'
import { MiB } from '../../src/base/units.ts'

const segmentMagic = 'GRISTLOG'
const version = 1
export const headerBytes = 32
const frameHeadBytes = 36
/** Upper bound of a frame. Groups are cut into much smaller frames; one operation may be a job of limits.jobBodyBytesMax. */
const frameBytesMax = 256 * MiB

export interface Frame {
  /** Number of the frame's first operation. */
  readonly seq: number
  readonly epoch: number
  /** Time at which the group was made, on the journal's clock. */
  readonly timeMs: number
  /** One `[kind, operation]` per operation. */
  readonly operations: ReadonlyArray<readonly [string, object]>
}

export function encodeHeader(firstSeq: number): Buffer {
  const header = Buffer.alloc(headerBytes)
  header.write(segmentMagic, 0, 'latin1')
  header.writeUInt32LE(version, 8)
  header.writeBigUInt64LE(BigInt(firstSeq), 16)
  header.writeUInt32LE(crc32c(header.subarray(0, 28)), 28)
  return header
}

/** Returns the number of the segment's first operation; undefined if the bytes are no valid header. */
export function decodeHeader(bytes: Buffer): number | undefined {
  if (bytes.length < headerBytes || bytes.toString('latin1', 0, 8) !== segmentMagic) return undefined
  if (crc32c(bytes.subarray(0, 28)) !== bytes.readUInt32LE(28) || bytes.readUInt32LE(8) !== version) return undefined
  return Number(bytes.readBigUInt64LE(16))
}

/** `operations`: the JSON of each `[kind, operation]`. */
export function encodeFrame({
  seq, epoch, timeMs, operations,
}: {
  seq: number
  epoch: number
  timeMs: number
  operations: readonly string[]
}): Buffer {
  const json = `[${operations.join(',')}]`
  const length = Buffer.byteLength(json)
  assert(length <= frameBytesMax, `a group of ${length} bytes does not fit into a frame`)
  const frame = Buffer.allocUnsafe(frameHeadBytes + length)
  frame.writeUInt32LE(length, 0)
  frame.writeBigUInt64LE(BigInt(seq), 8)
  frame.writeBigUInt64LE(BigInt(epoch), 16)
  frame.writeBigUInt64LE(BigInt(timeMs), 24)
  frame.writeUInt32LE(operations.length, 32)
  frame.write(json, frameHeadBytes)
  frame.writeUInt32LE(crc32c(frame.subarray(8), crc32c(frame.subarray(0, 4))), 4)
  return frame
}

type FrameRead =
  | { readonly kind: 'frame'; readonly seq: number; readonly epoch: number; readonly count: number; readonly bytes: number; parse(): Frame }
  /** End of the bytes. */
  | { readonly kind: 'end' }
  /** The bytes at this position are not a complete frame with a valid checksum. */
  | { readonly kind: 'broken'; readonly why: string }

/** Reads the frame that starts at `at`. */
export function frameAt(bytes: Buffer, at: number): FrameRead {
  if (at === bytes.length) return { kind: 'end' }
  if (at + frameHeadBytes > bytes.length) return { kind: 'broken', why: `only ${bytes.length - at} bytes of a frame's head` }
  const length = bytes.readUInt32LE(at)
  const end = at + frameHeadBytes + length
  if (length > frameBytesMax || end > bytes.length)
    return { kind: 'broken', why: `${bytes.length - at} bytes where a frame of ${length + frameHeadBytes} begins` }
  if (crc32c(bytes.subarray(at + 8, end), crc32c(bytes.subarray(at, at + 4))) !== bytes.readUInt32LE(at + 4))
    return { kind: 'broken', why: 'a checksum that does not match' }
  const seq = Number(bytes.readBigUInt64LE(at + 8))
  const count = bytes.readUInt32LE(at + 32)
  return {
    kind: 'frame', seq, epoch: Number(bytes.readBigUInt64LE(at + 16)), count, bytes: end - at,
    parse() {
      const operations = JSON.parse(bytes.toString('utf8', at + frameHeadBytes, end)) as Frame['operations']
      assert(operations.length === count, 'a frame holds as many operations as it says')
      return { seq, epoch: Number(bytes.readBigUInt64LE(at + 16)), timeMs: Number(bytes.readBigUInt64LE(at + 24)), operations }
    },
  }
}

/**
 * Offset of the next valid frame after `at` with a number of at least `seq`. If there is one, the bytes at `at` are damage and not a
 * torn end.
 */
export function frameBehind(bytes: Buffer, at: number, seq: number): number | undefined {
  for (let next = at + 1; next + frameHeadBytes <= bytes.length; next++) {
    // The upper bytes of seq and of epoch are zero in valid frames: this skips nearly all offsets without computing a checksum.
    if (bytes[next + 15] !== 0 || bytes[next + 23] !== 0 || bytes[next + 14] !== 0) continue
    const length = bytes.readUInt32LE(next)
    if (length < 2 || next + frameHeadBytes + length > bytes.length) continue
    if (Number(bytes.readBigUInt64LE(next + 8)) < seq) continue
    if (frameAt(bytes, next).kind === 'frame') return next
  }
  return undefined
}
