// Bytes of inlined files: table "contents", file → CRC32C and bytes. A small file has no blocks; its bytes are in the store. They
// belong to the inode: renames, snapshots and versions do not touch them, and they are removed with the inode.
// INVARIANT: a file of `length` > 0 without blocks has a row with so many bytes; no other file has one.

import { GristmillError } from '../../src/base/errors.ts'
import type { InodeId } from '../../src/base/ids.ts'
import { crcOf } from '../../src/block/checksum.ts'
import { limits } from '../../src/base/limits.ts'
import type { FileContent } from '../../src/protocol/fields.ts'
import type { Draft } from '../journal/draft.ts'
import { idKey } from '../journal/keys.ts'
import type { View } from '../journal/view.ts'

const version = 1
const headBytes = 5

interface Content {
  /** CRC32C that the writer has given. */
  readonly crc: number
  readonly bytes: Buffer
}

/** undefined: the file has blocks, or is empty, or does not exist. REQUIRES: the caller does not change the bytes. */
export function contentOf(view: View, inode: InodeId): Content | undefined {
  if (view.counters.contents === 0) return undefined
  const row = view.get('contents', idKey(inode))
  return row && decodeContent(row)
}

export function decodeContent(row: Buffer): Content {
  if (row.length <= headBytes || row[0] !== version)
    throw new GristmillError(
      'CORRUPT', `a row of "contents" has version ${row[0]} and ${row.length} bytes; this version of gristmill reads version ${version}`,
    )
  return { crc: row.readUInt32LE(1), bytes: row.subarray(headBytes) }
}

/** True if the bytes are those that the writer has sent. */
export const isIntact = ({ crc, bytes }: Content): boolean => crcOf(bytes) === crc

/** The bytes as messages have them. The reader compares them with the checksum. */
export const sentContent = ({ crc, bytes }: Content): FileContent => ({ crc, data: bytes.toString('base64') })

/**
 * Checks bytes that a writer has sent, before they are journalled; returns their number. Throws EINVAL for text that is not base64, and
 * CORRUPT if they do not match their checksum.
 */
export function checkContent({ data, crc }: FileContent, path: string): number {
  const bytes = Buffer.from(data, 'base64')
  // Node skips what is not base64.
  if (bytes.toString('base64') !== data)
    throw new GristmillError('EINVAL', `the bytes of ${path} are not in base64`, { details: { path } })
  if (crcOf(bytes) !== crc)
    throw new GristmillError(
      'CORRUPT',
      `the ${bytes.length} bytes sent for ${path} do not match their checksum; they were damaged on their way, nothing was stored`,
      { details: { path } },
    )
  if (bytes.length > limits.inlineBytesMax)
    throw new GristmillError(
      'TOO_LARGE', `${path} has ${bytes.length} bytes; at most ${limits.inlineBytesMax} are stored without a block`, { details: { path } },
    )
  return bytes.length
}

/** Stores the bytes of a new file. An empty file has no row. Returns their number. */
export function putContent(draft: Draft, inode: InodeId, { data, crc }: FileContent): number {
  const bytes = Buffer.from(data, 'base64')
  if (bytes.length === 0) return 0
  const row = Buffer.allocUnsafe(headBytes + bytes.length)
  row[0] = version
  row.writeUInt32LE(crc, 1)
  row.set(bytes, headBytes)
  draft.put('contents', idKey(inode), row)
  draft.count('contents', 1)
  draft.count('contentBytes', bytes.length)
  return bytes.length
}

/** The inode is removed. Without inlined files the cost is one counter read. */
export function dropContent(draft: Draft, inode: InodeId): void {
  if (draft.counters.contents === 0) return
  const row = draft.get('contents', idKey(inode))
  if (!row) return
  draft.remove('contents', idKey(inode))
  draft.count('contents', -1)
  draft.count('contentBytes', headBytes - row.length)
}
