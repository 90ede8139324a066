// Codecs of the blocks of Avro container files (specification 1.12, "Required Codecs" and "Optional Codecs"). A block of Snappy has the
// CRC32 of its unpacked bytes behind it, big-endian. bzip2 and xz are not read.

import { crc32, inflateRawSync, zstdDecompressSync } from 'node:zlib'
import { unpackSnappy } from './snappy.ts'

type Unpack = (stored: Buffer, bytesMax: number) => Buffer

const checksumBytes = 4

const unpackers = {
  null: stored => stored,
  deflate: (stored, bytesMax) => inflateRawSync(stored, { maxOutputLength: bytesMax }),
  zstandard: (stored, bytesMax) => zstdDecompressSync(stored, { maxOutputLength: bytesMax }),
  snappy(stored, bytesMax) {
    const end = stored.length - checksumBytes
    if (end < 0) throw new Error('they have no checksum')
    const bytes = unpackSnappy(stored.subarray(0, end), bytesMax)
    if (crc32(bytes) !== stored.readUInt32BE(end)) throw new Error('their checksum is another one')
    return bytes
  },
} satisfies Readonly<Record<string, Unpack>>

export type AvroCodec = keyof typeof unpackers

export const isAvroCodec = (name: string): name is AvroCodec => Object.hasOwn(unpackers, name)

/** Throws Error for bytes that cannot be unpacked; its code is ERR_BUFFER_TOO_LARGE if they have more than `bytesMax` unpacked. */
export const unpackAvro = (stored: Buffer, codec: AvroCodec, bytesMax: number): Buffer => unpackers[codec](stored, bytesMax)
