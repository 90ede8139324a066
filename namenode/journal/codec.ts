// Encoding of the store's values: hand-packed fields for the frequent rows, MessagePack for the rest, and a CRC32C after each
// value. The CRC covers the key as well, so that a value under a wrong key is detected.

import { crc32c } from '@node-rs/crc32'
import { Packr } from 'msgpackr'
import { assert } from '../../src/base/assert.ts'
import { GristmillError } from '../../src/base/errors.ts'
import type { RowCheck } from '../../src/ports/store.ts'
import type { TableName } from './keys.ts'

const sealBytes = 4
const two32 = 2 ** 32
const two48 = 2 ** 48

/** Slicing-by-4 tables for CRC32C: table0 for one byte, table1 to table3 for a byte followed by one, two, three zero bytes. */
const table0 = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? crc >>> 1 ^ 0x82f6_3b78 : crc >>> 1
  return crc
})
const shifted = (table: Int32Array): Int32Array => table.map(crc => crc >>> 8 ^ table0[crc & 255]!)
const table1 = shifted(table0)
const table2 = shifted(table1)
const table3 = shifted(table2)
/** Up to this many bytes a loop in JavaScript costs less than native calls; a create would make six of them. */
const loopBytesMax = 128

/** Continues an inverted CRC32C over bytes[from, end). */
function crcOver(crc: number, bytes: Uint8Array, from: number, end: number): number {
  let i = from
  for (const last = end - 3; i < last; i += 4) {
    crc ^= bytes[i]! | bytes[i + 1]! << 8 | bytes[i + 2]! << 16 | bytes[i + 3]! << 24
    crc = table3[crc & 255]! ^ table2[crc >>> 8 & 255]! ^ table1[crc >>> 16 & 255]! ^ table0[crc >>> 24]!
  }
  for (; i < end; i++) crc = table0[(crc ^ bytes[i]!) & 255]! ^ crc >>> 8
  return crc
}

/** CRC32C of the key, continued over the value. */
function crcOf(key: Uint8Array, value: Uint8Array): number {
  if (key.length + value.length > loopBytesMax) return crc32c(value, crc32c(key))
  return ~crcOver(crcOver(-1, key, 0, key.length), value, 0, value.length) >>> 0
}

const crcAt = (bytes: Uint8Array, from: number, end: number): number =>
  (end - from > loopBytesMax ? crc32c(bytes.subarray(from, end)) : ~crcOver(-1, bytes, from, end) >>> 0)

/** Appends the checksum to a value: the form in which the store holds it. */
export function seal(key: Uint8Array, value: Uint8Array): Buffer {
  const sealed = Buffer.allocUnsafe(value.length + sealBytes)
  sealed.set(value)
  sealed.writeUInt32LE(crcOf(key, value), value.length)
  return sealed
}

/** Checks and removes the checksum. Throws CORRUPT: a damaged value is never served. */
export function unseal(table: TableName, key: Uint8Array, sealed: Buffer): Buffer {
  const end = sealed.length - sealBytes
  const value = sealed.subarray(0, Math.max(0, end))
  if (end >= 0 && crcOf(key, value) === sealed.readUInt32LE(end)) return value
  const hex = Buffer.from(key).toString('hex')
  throw new GristmillError('CORRUPT', `the entry ${hex} of the table "${table}" in the namenode's store does not match its checksum`, {
    details: { table, key: hex },
  })
}

/** Checks one row during a scan of the whole store. Throws CORRUPT. */
export const checkRow: RowCheck = (table, bytes, keyAt, valueAt, end) => {
  const sum = end - sealBytes
  if (sum >= valueAt && crcAt(bytes, keyAt, sum) === bytes.readUInt32LE(sum)) return
  unseal(table as TableName, bytes.subarray(keyAt, valueAt), bytes.subarray(valueAt, end))
}

/** Instruction for messages about a damaged store. `dir`: the namenode's directory. */
export const whatToDo = (dir?: string): string =>
  `no answer of it can be trusted, so the namenode does not run on it; \`gristmill namenode recover${dir === undefined ? '' : ` --dir ${dir}`}\` rebuilds the store from the newest backup and the journal`

const packr = new Packr({ useRecords: false, mapsAsObjects: true })

/** Encodes a JSON-like value with MessagePack, for rare records. */
export const encodeValue = (value: unknown): Buffer => packr.pack(value)
export const decodeValue = <T>(bytes: Uint8Array): T => packr.unpack(bytes) as T

/** Packs fields in sequence. Reusable: `done` returns a copy and starts again. */
export class Packer {
  #bytes = Buffer.allocUnsafe(4096)
  #at = 0

  u8(value: number): this {
    this.#room(1)
    this.#bytes[this.#at++] = value
    return this
  }

  u16(value: number): this {
    this.#room(2)
    this.#at = this.#bytes.writeUInt16LE(value, this.#at)
    return this
  }

  u32(value: number): this {
    this.#room(4)
    this.#at = this.#bytes.writeUInt32LE(value, this.#at)
    return this
  }

  /** Encodes ids and instants. */
  u48(value: number): this {
    assert(value >= 0 && value < two48 && Number.isInteger(value), `${value} does not fit into 48 bits`)
    this.#room(6)
    this.#at = this.#bytes.writeUIntLE(value, this.#at, 6)
    return this
  }

  /** Encodes an integer below 2^53 in as few bytes as it needs: seven bits each, least significant group first. */
  varint(value: number): this {
    assert(value >= 0 && Number.isSafeInteger(value), `${value} is not a count`)
    this.#room(8)
    while (value >= 128) {
      this.#bytes[this.#at++] = value % 128 + 128
      value = Math.floor(value / 128)
    }
    this.#bytes[this.#at++] = value
    return this
  }

  /** Encodes up to 65,535 bytes of UTF-8 after their length. */
  text(value: string): this {
    const length = Buffer.byteLength(value)
    this.varint(length)
    this.#room(length)
    this.#at += this.#bytes.write(value, this.#at)
    return this
  }

  done(): Buffer {
    const packed = Buffer.allocUnsafe(this.#at)
    this.#bytes.copy(packed, 0, 0, this.#at)
    this.#at = 0
    return packed
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#at + bytes))
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#bytes = larger
  }
}

/** Reads fields in the order in which they were packed. Throws RangeError past the end, which is a bug: the CRC has matched. */
export class Unpacker {
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0

  constructor(bytes?: Buffer) { if (bytes) this.of(bytes) }

  of(bytes: Buffer): this {
    this.#bytes = bytes
    this.#at = 0
    return this
  }

  get more(): boolean { return this.#at < this.#bytes.length }

  u8(): number { return this.#bytes.readUInt8(this.#at++) }
  u16(): number { return this.#bytes.readUInt16LE((this.#at += 2) - 2) }
  u32(): number { return this.#bytes.readUInt32LE((this.#at += 4) - 4) }
  u48(): number {
    this.#at += 6
    return this.#bytes.readUInt32LE(this.#at - 6) + this.#bytes.readUInt16LE(this.#at - 2) * two32
  }

  varint(): number {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#bytes.readUInt8(this.#at++)
      if (byte < 128) return value + byte * factor
      value += (byte - 128) * factor
    }
  }

  text(): string {
    const length = this.varint()
    this.#at += length
    return this.#bytes.toString('utf8', this.#at - length, this.#at)
  }

  skip(bytes: number): void { this.#at += bytes }
  /** Skips a text, without decoding it. */
  skipText(): void {
    const length = this.varint()
    this.#at += length
  }

  /** The unread bytes. */
  rest(): Buffer { return this.#bytes.subarray(this.#at) }
}
