// Segments and the index of a map output (docs/format/segment.md). A map output is a data file with one partition after the other, and an
// index with the position of each. A segment is one partition of one map output: sorted, and verified frame by frame against a digest
// from the index.

import { crc32c } from '@node-rs/crc32'
import type { DiskReader } from '../ports/disk.ts'
import { corrupt } from './segmentframe.ts'

export const dataMagic = 'GRSTSEG1'
const indexMagic = 'GRSTIDX1'
const indexHeaderBytes = 16
const indexEntryBytes = 28

/** Position of one partition in a data file, with its expected records and digest. */
export interface Extent {
  readonly offset: number
  readonly bytes: number
  readonly records: number
  /** Digest over every byte (see addToDigest); 0 for an empty partition. */
  readonly crc: number
}

/** Bytes that can be read at any position without waiting: a local file, or memory. */
export interface SegmentSource {
  /** Fills `target` from `position`, up to the end of the source; returns the bytes read. */
  readSync(target: Uint8Array, position: number): number
}

export interface Segment extends Extent {
  /** Name of the map output, for messages and `details.segment`. */
  readonly name: string
  readonly source: SegmentSource
}

/** A segment in a file of this machine. The caller closes the reader. */
export const segmentInFile = (name: string, file: DiskReader, extent: Extent): Segment => ({ ...extent, name, source: file })

/** A segment in memory. REQUIRES: `bytes` are exactly the extent's bytes. */
export function segmentInMemory(name: string, bytes: Uint8Array, extent: Extent): Segment {
  const source: SegmentSource = {
    readSync(target, position) {
      const part = bytes.subarray(position, position + target.length)
      target.set(part)
      return part.length
    },
  }
  return { ...extent, offset: 0, name, source }
}

/**
 * 16 bytes: magic, partitions u32, CRC32C u32 of the 12 bytes before and the entries; then 28 bytes per partition: offset u64, bytes u64,
 * records u64, crc u32.
 */
export function encodeIndex(extents: readonly Extent[]): Buffer {
  const bytes = Buffer.alloc(indexHeaderBytes + extents.length * indexEntryBytes)
  bytes.write(indexMagic, 0, 'latin1')
  bytes.writeUInt32LE(extents.length, 8)
  extents.forEach((extent, index) => {
    const at = indexHeaderBytes + index * indexEntryBytes
    bytes.writeBigUInt64LE(BigInt(extent.offset), at)
    bytes.writeBigUInt64LE(BigInt(extent.bytes), at + 8)
    bytes.writeBigUInt64LE(BigInt(extent.records), at + 16)
    bytes.writeUInt32LE(extent.crc, at + 24)
  })
  bytes.writeUInt32LE(crc32c(bytes.subarray(indexHeaderBytes), crc32c(bytes.subarray(0, 12))), 12)
  return bytes
}

/** Throws CORRUPT unless the bytes are exactly one valid index. */
export function decodeIndex(bytes: Buffer, what: string): Extent[] {
  const count = bytes.length < indexHeaderBytes ? -1 : bytes.readUInt32LE(8)
  if (bytes.toString('latin1', 0, 8) !== indexMagic || bytes.length !== indexHeaderBytes + count * indexEntryBytes)
    throw corrupt(what, 'no valid index')
  if (bytes.readUInt32LE(12) !== crc32c(bytes.subarray(indexHeaderBytes), crc32c(bytes.subarray(0, 12))))
    throw corrupt(what, 'an index that does not match its checksum')
  return Array.from({ length: count }, (_, index) => {
    const at = indexHeaderBytes + index * indexEntryBytes
    return {
      offset: Number(bytes.readBigUInt64LE(at)),
      bytes: Number(bytes.readBigUInt64LE(at + 8)),
      records: Number(bytes.readBigUInt64LE(at + 16)),
      crc: bytes.readUInt32LE(at + 24),
    }
  })
}

/** Digest of a whole map output, for comparing two attempts of one task. */
export function digestOf(extents: readonly Extent[]): string {
  const bytes = Buffer.alloc(extents.length * 12)
  extents.forEach((extent, index) => {
    bytes.writeUInt32LE(extent.crc, index * 12)
    bytes.writeBigUInt64LE(BigInt(extent.records), index * 12 + 4)
  })
  return crc32c(bytes).toString(16).padStart(8, '0')
}
