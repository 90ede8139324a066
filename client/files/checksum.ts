// Checksum of a whole file, combined from the block checksums at the namenode, without reading data. It is the CRC32C of the file's
// bytes, so equal files have equal checksums however they are split into blocks.

import { combine } from '../../src/block/checksum.ts'
import type { LocatedBlock } from '../../src/protocol/namespace.ts'

export interface Checksum {
  /** CRC32C (Castagnoli), as an unsigned number. */
  readonly crc: number
  /** File length in bytes. */
  readonly length: number
}

export async function checksumOf(blocks: AsyncIterable<LocatedBlock>): Promise<Checksum> {
  let crc = 0
  let length = 0
  for await (const block of blocks) {
    crc = combine(crc, block.crc, block.length)
    length += block.length
  }
  return { crc, length }
}
