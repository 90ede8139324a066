// Checksums that S3 clients send and ask for: CRC32, CRC32C, CRC64NVME, SHA1 and SHA256, in base64. Those of a multipart object are either
// of its bytes, combined from the parts' (CRCs), or of the parts' checksums (`COMPOSITE`).

import { crc32, crc32c } from '@node-rs/crc32'
import { createHash } from 'node:crypto'
import { S3Error } from './errors.ts'

export const checksumKinds = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const
export type ChecksumKind = (typeof checksumKinds)[number]
export type ChecksumType = 'FULL_OBJECT' | 'COMPOSITE'

export const checksumHeader = (kind: ChecksumKind): string => `x-amz-checksum-${kind.toLowerCase()}`

/** Kind that a header, an algorithm or an element names; undefined if there is none of this name. */
export const kindOf = (name: string): ChecksumKind | undefined => checksumKinds.find(each => each === name.toUpperCase())

export interface RunningChecksum {
  update(bytes: Uint8Array): void
  /** In base64. */
  digest(): string
}

const bytesOf: Readonly<Record<ChecksumKind, number>> = { CRC32: 4, CRC32C: 4, CRC64NVME: 8, SHA1: 20, SHA256: 32 }

/** Throws InvalidRequest unless the text is the base64 of a checksum of this kind. */
export function checkForm(kind: ChecksumKind, text: string): string {
  if (!isChecksum(kind, text)) throw new S3Error('InvalidRequest', `Value for ${checksumHeader(kind)} header is invalid.`)
  return text
}

/** True for the base64 of a checksum of this kind. */
export function isChecksum(kind: ChecksumKind, text: string): boolean {
  const bytes = Buffer.from(text, 'base64')
  return bytes.length === bytesOf[kind] && bytes.toString('base64') === text
}

export function newChecksum(kind: ChecksumKind): RunningChecksum {
  switch (kind) {
    case 'CRC32': return new Crc(crc32)
    case 'CRC32C': return new Crc(crc32c)
    case 'CRC64NVME': return new Crc64()
    case 'SHA1': case 'SHA256': {
      const hash = createHash(kind.toLowerCase())
      return { update: bytes => { hash.update(bytes) }, digest: () => hash.digest('base64') }
    }
  }
}

class Crc implements RunningChecksum {
  readonly #crc: (bytes: Uint8Array, before: number) => number
  #value = 0
  constructor(crc: (bytes: Uint8Array, before: number) => number) { this.#crc = crc }
  update(bytes: Uint8Array): void { this.#value = this.#crc(bytes, this.#value) }
  digest(): string {
    const bytes = Buffer.allocUnsafe(4)
    bytes.writeUInt32BE(this.#value >>> 0)
    return bytes.toString('base64')
  }
}

/** Polynomial of CRC-64/NVME with its bits reflected, in two halves. */
const [polyHigh, polyLow] = [0x9a6c9329, 0xac4bc9b5]

/** Table k: effect of a byte that k more bytes follow (slicing by eight), in halves. */
const tables = ((): { readonly high: readonly Uint32Array[]; readonly low: readonly Uint32Array[] } => {
  const high = Array.from({ length: 8 }, () => new Uint32Array(256))
  const low = Array.from({ length: 8 }, () => new Uint32Array(256))
  for (let byte = 0; byte < 256; byte++) {
    let [h, l] = [0, byte]
    for (let bit = 0; bit < 8; bit++) {
      const odd = l & 1
      l = (l >>> 1) | ((h & 1) << 31)
      h >>>= 1
      if (odd) { h ^= polyHigh; l ^= polyLow }
    }
    high[0]![byte] = h
    low[0]![byte] = l
  }
  for (let k = 1; k < 8; k++) {
    for (let byte = 0; byte < 256; byte++) {
      const [h, l] = [high[k - 1]![byte]!, low[k - 1]![byte]!]
      high[k]![byte] = (h >>> 8) ^ high[0]![l & 255]!
      low[k]![byte] = ((l >>> 8) | ((h & 255) << 24)) ^ low[0]![l & 255]!
    }
  }
  return { high, low }
})()

class Crc64 implements RunningChecksum {
  #high = 0xffffffff
  #low = 0xffffffff

  update(bytes: Uint8Array): void {
    const [h0, h1, h2, h3, h4, h5, h6, h7] = tables.high as readonly [
      Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array,
    ]
    const [l0, l1, l2, l3, l4, l5, l6, l7] = tables.low as typeof tables.high as readonly [
      Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array,
    ]
    let [high, low] = [this.#high, this.#low]
    let at = 0
    for (const end = bytes.length - 7; at < end; at += 8) {
      const a = low ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24))
      const b = high ^ (bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 24))
      const [a0, a1, a2, a3] = [a & 255, (a >>> 8) & 255, (a >>> 16) & 255, a >>> 24]
      const [b0, b1, b2, b3] = [b & 255, (b >>> 8) & 255, (b >>> 16) & 255, b >>> 24]
      high = h7[a0]! ^ h6[a1]! ^ h5[a2]! ^ h4[a3]! ^ h3[b0]! ^ h2[b1]! ^ h1[b2]! ^ h0[b3]!
      low = l7[a0]! ^ l6[a1]! ^ l5[a2]! ^ l4[a3]! ^ l3[b0]! ^ l2[b1]! ^ l1[b2]! ^ l0[b3]!
    }
    for (; at < bytes.length; at++) {
      const index = (low ^ bytes[at]!) & 255
      low = ((low >>> 8) | ((high & 255) << 24)) ^ l0[index]!
      high = (high >>> 8) ^ h0[index]!
    }
    this.#high = high
    this.#low = low
  }

  digest(): string {
    const bytes = Buffer.allocUnsafe(8)
    bytes.writeUInt32BE(~this.#high >>> 0)
    bytes.writeUInt32BE(~this.#low >>> 0, 4)
    return bytes.toString('base64')
  }
}

/** Reflected polynomials and widths of the CRCs that can be combined. */
const polynomials: Partial<Readonly<Record<ChecksumKind, readonly [polynomial: bigint, bits: number]>>> = {
  CRC32: [0xedb88320n, 32], CRC32C: [0x82f63b78n, 32], CRC64NVME: [0x9a6c9329ac4bc9b5n, 64],
}

export const canCombine = (kind: ChecksumKind): boolean => polynomials[kind] !== undefined

/** Checksum of parts that follow each other, from those of the parts and their lengths. REQUIRES: `canCombine(kind)`. */
export function combined(kind: ChecksumKind, parts: ReadonlyArray<{ readonly checksum: string; readonly bytes: number }>): string {
  const [polynomial, bits] = polynomials[kind]!
  const one = 1n << BigInt(bits - 1)
  const multiply = (a: bigint, b: bigint): bigint => {
    let product = 0n
    for (let bit = one; a !== 0n; bit >>= 1n) {
      if (a & bit) { product ^= b; a ^= bit }
      b = b & 1n ? (b >> 1n) ^ polynomial : b >> 1n
    }
    return product
  }
  // x^(2^k), and x^(8·bytes) for lengths that come again: parts mostly have one.
  const squares = [one >> 1n]
  const shifts = new Map<number, bigint>()
  const shiftOf = (bytes: number): bigint => {
    let power = shifts.get(bytes)
    if (power !== undefined) return power
    power = one
    for (let rest = bytes, k = 3; rest > 0; rest = Math.floor(rest / 2), k++) {
      while (squares.length <= k) squares.push(multiply(squares.at(-1)!, squares.at(-1)!))
      if (rest % 2 === 1) power = multiply(squares[k]!, power)
    }
    shifts.set(bytes, power)
    return power
  }
  let value = 0n
  for (const { checksum, bytes } of parts) value = multiply(value,
    shiftOf(bytes)) ^ BigInt(`0x${Buffer.from(checksum, 'base64').toString('hex')}`)
  return Buffer.from(value.toString(16).padStart(bits / 4, '0'), 'hex').toString('base64')
}

/** Checksum of the parts' checksums, with their number. */
export function composite(kind: ChecksumKind, checksums: readonly string[]): string {
  const sum = newChecksum(kind)
  for (const each of checksums) sum.update(Buffer.from(each, 'base64'))
  return `${sum.digest()}-${checksums.length}`
}
