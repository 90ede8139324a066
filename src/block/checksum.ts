// CRC32C of chunks, and combination of checksums: the checksum of a block (or of a whole file) is computed from those of its chunks
// without a second pass over the data.
//
// Combining A and B: crc(AB) = crc(A)·x^(8|B|) xor crc(B), over GF(2) modulo the Castagnoli polynomial, bits reflected. Nearly
// every B is one full chunk, so the product with that power is kept in four tables of 256 entries.

import { crc32c } from '@node-rs/crc32'
import { assert } from '../base/assert.ts'
import { limits } from '../base/limits.ts'

const { chunkBytes } = limits

const polynomial = 0x82f63b78
/** x^0, in reflected bit order. */
const one = 0x80000000

/** CRC32C of `bytes`, continuing from `before`. */
export const crcOf = (bytes: Uint8Array, before = 0): number => crc32c(bytes, before)

/** The product of two polynomials modulo the Castagnoli polynomial. */
function multiply(a: number, b: number): number {
  let product = 0
  for (let bit = one; bit !== 0; bit >>>= 1) {
    if ((a & bit) !== 0) product ^= b
    b = (b & 1) !== 0 ? (b >>> 1) ^ polynomial : b >>> 1
  }
  return product >>> 0
}

/** x^(2^k) for k = 0…; lengths are below 2^53 bytes, so 56 bits. */
const squares = new Uint32Array(57)
squares[0] = one >>> 1
for (let k = 1; k < squares.length; k++) squares[k] = multiply(squares[k - 1]!, squares[k - 1]!)

/** x^(8·bytes). */
function shiftOf(bytes: number): number {
  let power = one
  // Division instead of a shift: lengths may exceed 32 bits.
  for (let rest = bytes, k = 3; rest > 0; rest = Math.floor(rest / 2), k++) {
    if (rest % 2 === 1) power = multiply(squares[k]!, power)
  }
  return power >>> 0
}

const chunkShift = shiftOf(chunkBytes)
const table = new Uint32Array(4 * 256)
for (let part = 0; part < 4; part++) {
  for (let byte = 0; byte < 256; byte++) table[part * 256 + byte] = multiply(chunkShift, (byte << (8 * part)) >>> 0)
}

/** CRC32C of A followed by B, from the checksums of both and the length of B. */
export function combine(a: number, b: number, bBytes: number): number {
  if (bBytes === chunkBytes) {
    return (table[a & 0xff]! ^ table[256 + ((a >>> 8) & 0xff)]! ^ table[512 + ((a >>> 16) & 0xff)]! ^ table[768 + (a >>> 24)]! ^ b) >>> 0
  }
  return (multiply(shiftOf(bBytes), a) ^ b) >>> 0
}

/** Number of chunks in `bytes` bytes. */
export const chunkCount = (bytes: number): number => Math.ceil(bytes / chunkBytes)

/** Checksums of a block's chunks, added in order; together they give the block's own. Only the last chunk may be short. */
export class ChunkTable {
  #crcs: Uint32Array
  #count = 0
  #crc = 0
  /** Number of bytes that the checksums cover. */
  bytes = 0

  constructor(bytesExpected = 0) { this.#crcs = new Uint32Array(Math.max(16, chunkCount(bytesExpected))) }

  get count(): number { return this.#count }
  /** CRC32C of all bytes added. */
  get crc(): number { return this.#crc }
  /** One checksum per chunk. Not a copy. */
  get crcs(): Uint32Array { return this.#crcs.subarray(0, this.#count) }

  add(crc: number, bytes: number): void {
    assert(this.bytes % chunkBytes === 0, 'only the last chunk of a block is short')
    assert(bytes > 0 && bytes <= chunkBytes, 'a chunk has 1 byte to 64 KiB')
    if (this.#count === this.#crcs.length) {
      const larger = new Uint32Array(this.#crcs.length * 2)
      larger.set(this.#crcs)
      this.#crcs = larger
    }
    this.#crcs[this.#count++] = crc
    this.#crc = combine(this.#crc, crc, bytes)
    this.bytes += bytes
  }
}

/** Checksum of `bytes` bytes, from the checksums of their chunks. */
export function crcOfChunks(crcs: Uint32Array, bytes: number): number {
  assert(crcs.length === chunkCount(bytes), 'one checksum per chunk')
  let crc = 0
  for (let i = 0; i < crcs.length; i++) crc = combine(crc, crcs[i]!, Math.min(chunkBytes, bytes - i * chunkBytes))
  return crc
}
