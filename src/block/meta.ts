// Meta file, stored beside each block file: block id, length, and the checksum of every 64 KiB chunk. docs/format/meta.md has the
// byte table. Block and meta file together detect every damage: a flipped bit in either, a truncated or extended file, two files or
// two pairs swapped. A separate header checksum lets the start-up scan read only 40 bytes per block.

import { blockName, type BlockId } from '../base/ids.ts'
import { GristmillError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { chunkCount, crcOf, crcOfChunks } from './checksum.ts'

const magic = 0x4154454d5f4d5247n // 'GRM_META' on disk
const version = 1
export const metaHeaderBytes = 40
const { chunkBytes } = limits

export interface MetaHeader {
  readonly id: BlockId
  readonly length: number
  /** CRC32C of the whole block. */
  readonly crc: number
}

export interface Meta extends MetaHeader {
  /** CRC32C of each chunk. */
  readonly crcs: Uint32Array
}

/** Size of the meta file of a block of `length` bytes. */
export const metaBytes = (length: number): number => metaHeaderBytes + chunkCount(length) * 4 + 4

export function encodeMeta({ id, length, crc, crcs }: Meta): Buffer {
  const bytes = Buffer.alloc(metaBytes(length))
  bytes.writeBigUInt64LE(magic, 0)
  bytes.writeUInt16LE(version, 8)
  bytes.writeUInt32LE(chunkBytes, 12)
  bytes.writeBigUInt64LE(BigInt(id), 16)
  bytes.writeUIntLE(length, 24, 6)
  bytes.writeUInt32LE(crc, 32)
  bytes.writeUInt32LE(crcOf(bytes.subarray(0, metaHeaderBytes - 4)), metaHeaderBytes - 4)
  for (let i = 0; i < crcs.length; i++) bytes.writeUInt32LE(crcs[i]!, metaHeaderBytes + i * 4)
  bytes.writeUInt32LE(crcOf(bytes.subarray(0, bytes.length - 4)), bytes.length - 4)
  return bytes
}

/** Throws CORRUPT unless these bytes begin a meta file of block `id`. */
export function decodeMetaHeader(bytes: Buffer, id: BlockId): MetaHeader {
  if (bytes.length < metaHeaderBytes) throw corrupt(id, `it has ${bytes.length} bytes, too few for a header`)
  if (bytes.readBigUInt64LE(0) !== magic) throw corrupt(id, 'it does not begin with GRM_META')
  if (crcOf(bytes.subarray(0, metaHeaderBytes - 4)) !== bytes.readUInt32LE(metaHeaderBytes - 4)) throw corrupt(id, 'its header is damaged')
  if (bytes.readUInt16LE(8) !== version)
    throw corrupt(id, `it has format version ${bytes.readUInt16LE(8)}, this program reads version ${version}`)
  if (bytes.readUInt32LE(12) !== chunkBytes) throw corrupt(id, `its chunks have ${bytes.readUInt32LE(12)} bytes`)
  const found = Number(bytes.readBigUInt64LE(16)) as BlockId
  if (found !== id) throw corrupt(id, `it belongs to block ${blockName(found)}`)
  return { id, length: bytes.readUIntLE(24, 6), crc: bytes.readUInt32LE(32) }
}

/** Throws CORRUPT unless this is the complete, undamaged meta file of block `id`. */
export function decodeMeta(bytes: Buffer, id: BlockId): Meta {
  const header = decodeMetaHeader(bytes, id)
  if (bytes.length !== metaBytes(header.length))
    throw corrupt(id, `it has ${bytes.length} bytes, a block of ${header.length} bytes needs ${metaBytes(header.length)}`)
  if (crcOf(bytes.subarray(0, bytes.length - 4)) !== bytes.readUInt32LE(bytes.length - 4)) throw corrupt(id, 'its table is damaged')
  const crcs = new Uint32Array(chunkCount(header.length))
  for (let i = 0; i < crcs.length; i++) crcs[i] = bytes.readUInt32LE(metaHeaderBytes + i * 4)
  if (crcOfChunks(crcs, header.length) !== header.crc) throw corrupt(id, 'its chunks do not add up to its block')
  return { ...header, crcs }
}

const corrupt = (id: BlockId, why: string): GristmillError =>
  new GristmillError('CORRUPT', `the meta file of block ${blockName(id)} is damaged: ${why}`, { details: { block: id } })
