// How values are put into bytes and back: hand-packed fields for what there are millions of, MessagePack for the rest,
// and a CRC32C behind each value in the store. The CRC covers the key too, so that a value in the wrong place is seen.

import { crc32c } from '@node-rs/crc32'
import { Packr } from 'msgpackr'
import { assert } from '../../src/base/assert.ts'
import { GristmillError } from '../../src/base/errors.ts'
import type { RowCheck } from '../../src/ports/store.ts'
import type { TableName } from './keys.ts'

const sealBytes = 4
const two32 = 2 ** 32
const two48 = 2 ** 48

/** CRC32C of a byte, for each byte; and of a byte with one, two, three zero bytes behind it, so that four are done in one step. */
const table0 = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? crc >>> 1 ^ 0x82f6_3b78 : crc >>> 1
  return crc
})
const shifted = (table: Int32Array): Int32Array => table.map(crc => crc >>> 8 ^ table0[crc & 255]!)
const table1 = shifted(table0)
const table2 = shifted(table1)
const table3 = shifted(table2)
/** Up to here a loop costs less than calls out of JavaScript, of which there would be six in a create. */
const loopBytesMax = 128

/** Goes on with a CRC (all bits inverted) over some bytes. */
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

/** A value as it lies in the store. */
export function seal(key: Uint8Array, value: Uint8Array): Buffer {
  const sealed = Buffer.allocUnsafe(value.length + sealBytes)
  sealed.set(value)
  sealed.writeUInt32LE(crcOf(key, value), value.length)
  return sealed
}

/** Throws CORRUPT: a damaged value is never served. */
export function unseal(table: TableName, key: Uint8Array, sealed: Buffer): Buffer {
  const end = sealed.length - sealBytes
  const value = sealed.subarray(0, Math.max(0, end))
  if (end >= 0 && crcOf(key, value) === sealed.readUInt32LE(end)) return value
  const hex = Buffer.from(key).toString('hex')
  throw new GristmillError('CORRUPT', `the entry ${hex} of the table "${table}" in the namenode's store does not match its checksum`, {
    details: { table, key: hex },
  })
}

/** Looks at a row that was found without being asked for. Throws CORRUPT. */
export const checkRow: RowCheck = (table, bytes, keyAt, valueAt, end) => {
  const sum = end - sealBytes
  if (sum >= valueAt && crcAt(bytes, keyAt, sum) === bytes.readUInt32LE(sum)) return
  unseal(table as TableName, bytes.subarray(keyAt, valueAt), bytes.subarray(valueAt, end))
}

/** For whoever hears of damage to the store. `dir`: the namenode's directory. */
export const whatToDo = (dir?: string): string =>
  `no answer of it can be trusted, so the namenode does not run on it; \`gristmill namenode recover${dir === undefined ? '' : ` --dir ${dir}`}\` rebuilds the store from the newest backup and the journal`

const packr = new Packr({ useRecords: false, mapsAsObjects: true })

/** Any JSON-like value, for records of which there are few. */
export const encodeValue = (value: unknown): Buffer => packr.pack(value)
export const decodeValue = <T>(bytes: Uint8Array): T => packr.unpack(bytes) as T

/** Puts fields one after the other. One packer is used again and again: `done` copies what was packed. */
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

  /** Ids and instants. */
  u48(value: number): this {
    assert(value >= 0 && value < two48 && Number.isInteger(value), `${value} does not fit into 48 bits`)
    this.#room(6)
    this.#at = this.#bytes.writeUIntLE(value, this.#at, 6)
    return this
  }

  /** A number below 2^53 in as few bytes as it needs, seven bits each, the lowest first. */
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

  /** Up to 65,535 bytes of UTF-8, behind their number. */
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

/**
 * Takes fields in the order in which they were packed. Reading over the end throws a RangeError: the CRC was right, so it is our mistake.
 */
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

  /** What has not been taken. */
  rest(): Buffer { return this.#bytes.subarray(this.#at) }
}
