// Checksum of a file as HDFS makes it, MD5-of-MD5-of-CRC32C: MD5 over the MD5s of the CRCs of each block, one CRC32C for each 512 bytes.
// It is computed by reading the file, with blocks of the file's block size: files with equal bytes and block size have equal checksums,
// here and in HDFS, wherever the cluster has cut the file.

import { createHash, type Hash } from 'node:crypto'
import { crcOf } from '../../../src/block/checksum.ts'

const bytesPerCrc = 512
/** A checksum is sent in this many bytes, of which 28 are used. */
const sentBytes = 32
const usedBytes = 28

export interface HadoopChecksum { readonly algorithm: string; readonly bytes: string; readonly length: number }

export class ChecksumOfBlocks {
  readonly #blockBytes: number
  readonly #blocks: Buffer[] = []
  #block: Hash = createHash('md5')
  #blockFilled = 0
  #crc = 0
  #crcFilled = 0

  constructor(blockBytes: number) { this.#blockBytes = blockBytes }

  /** Adds the next bytes of the file. */
  add(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const count = Math.min(bytesPerCrc - this.#crcFilled, this.#blockBytes - this.#blockFilled, bytes.length - at)
      this.#crc = crcOf(bytes.subarray(at, at + count), this.#crc)
      at += count
      this.#crcFilled += count
      this.#blockFilled += count
      if (this.#crcFilled === bytesPerCrc) this.#endCrc()
      if (this.#blockFilled === this.#blockBytes) this.#endBlock()
    }
  }

  /** The result for all bytes so far. */
  end(): HadoopChecksum {
    if (this.#blockFilled > 0) this.#endBlock()
    const count = this.#blocks.length
    if (count === 0) return described({ bytesPerCrc: 0, crcPerBlock: 0, type: 'CRC32', md5: md5Of([]) })
    const crcPerBlock = count > 1 ? Math.ceil(this.#blockBytes / bytesPerCrc) : 0
    return described({ bytesPerCrc, crcPerBlock, type: 'CRC32C', md5: md5Of(this.#blocks) })
  }

  #endCrc(): void {
    const crc = Buffer.alloc(4)
    crc.writeUInt32BE(this.#crc)
    this.#block.update(crc)
    this.#crc = 0
    this.#crcFilled = 0
  }

  #endBlock(): void {
    if (this.#crcFilled > 0) this.#endCrc()
    this.#blocks.push(this.#block.digest())
    this.#block = createHash('md5')
    this.#blockFilled = 0
  }
}

/** HDFS hashes its whole buffer, not what it has written to it: 32 bytes, doubled as often as needed, zero at the end. */
function md5Of(blocks: readonly Buffer[]): Buffer {
  let size = 32
  while (size < blocks.length * 16) size *= 2
  const whole = Buffer.alloc(size)
  blocks.forEach((block, index) => block.copy(whole, index * 16))
  return createHash('md5').update(whole).digest()
}

function described({ bytesPerCrc: perCrc, crcPerBlock, type, md5 }: {
  bytesPerCrc: number; crcPerBlock: number; type: string; md5: Buffer
}): HadoopChecksum {
  const bytes = Buffer.alloc(sentBytes)
  bytes.writeUInt32BE(perCrc, 0)
  bytes.writeBigUInt64BE(BigInt(crcPerBlock), 4)
  md5.copy(bytes, 12)
  return { algorithm: `MD5-of-${crcPerBlock}MD5-of-${perCrc}${type}`, bytes: bytes.toString('hex'), length: usedBytes }
}
