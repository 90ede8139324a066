// Reader of a key-value table (src/program/keyvalue.ts writes it). The index is in memory; a lookup reads one block from the page cache and
// compares its checksum. Lookups are synchronous: a table can be replaced and closed between two requests, and no request sees both.

import { crc32 } from 'node:zlib'
import { GristmillError } from '../../src/base/errors.ts'
import type { DiskReader } from '../../src/ports/disk.ts'
import { footerBytes, tableMagic, tableVersion, valueKinds } from '../../src/program/keyvalue.ts'

export interface StoredValue {
  readonly isJson: boolean
  readonly bytes: Buffer
}

export class KeyValueTable {
  readonly name: string
  readonly records: number
  readonly #reader: DiskReader
  /** First key of each block, one behind the other; `#starts` has one number more. */
  readonly #keys: Buffer
  readonly #starts: Uint32Array
  /** Offset of each block in the file, and of their end. */
  readonly #offsets: Float64Array
  readonly #crcs: Uint32Array

  private constructor(name: string, reader: DiskReader, { records, index, blocks, offset }: Footer) {
    this.name = name
    this.records = records
    this.#reader = reader
    const keys: Buffer[] = []
    this.#starts = new Uint32Array(blocks + 1)
    this.#offsets = new Float64Array(blocks + 1)
    this.#crcs = new Uint32Array(blocks)
    const cursor = new Cursor(index, name)
    let counted = 0
    for (let block = 0; block < blocks; block++) {
      const key = cursor.bytes(cursor.varint())
      keys.push(key)
      this.#starts[block + 1] = this.#starts[block]! + key.length
      this.#offsets[block + 1] = this.#offsets[block]! + cursor.varint()
      counted += cursor.varint()
      this.#crcs[block] = cursor.bytes(4).readUInt32LE()
    }
    if (!cursor.isAtEnd || counted !== records || this.#offsets[blocks] !== offset) throw damaged(name, 'its index does not fit')
    this.#keys = Buffer.concat(keys)
  }

  /** Takes over the reader. Throws CORRUPT, and EINVAL for a file that is no table. */
  static async open(name: string, reader: DiskReader): Promise<KeyValueTable> {
    try {
      return new KeyValueTable(name, reader, footerOf(name, reader))
    } catch (error) {
      await reader.close()
      throw error
    }
  }

  get firstKey(): Buffer { return this.#keyOf(0) }

  /** Throws CORRUPT. */
  get(key: Uint8Array): StoredValue | undefined {
    let low = 0
    let high = this.#crcs.length - 1
    // The last block whose first key is not behind the key.
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (Buffer.compare(this.#keyOf(middle), key) <= 0) low = middle
      else high = middle - 1
    }
    const cursor = new Cursor(this.#block(low), this.name)
    while (!cursor.isAtEnd) {
      const order = cursor.compare(key, cursor.varint())
      if (order > 0) return undefined
      const kind = cursor.byte()
      const length = cursor.varint()
      if (order === 0) return { isJson: kind === valueKinds.json, bytes: cursor.bytes(length) }
      cursor.skip(length)
    }
    return undefined
  }

  /** Reads all blocks. Throws CORRUPT. `pause`: called after each thousand of them. */
  async verify(pause: () => Promise<void>): Promise<void> {
    for (let block = 0; block < this.#crcs.length; block++) {
      this.#block(block)
      if (block % 1000 === 999) await pause()
    }
  }

  close(): Promise<void> { return this.#reader.close() }

  #block(number: number): Buffer {
    const start = this.#offsets[number]!
    const block = Buffer.allocUnsafe(this.#offsets[number + 1]! - start)
    if (this.#reader.readSync(block, start) === block.length && crc32(block) === this.#crcs[number]) return block
    throw damaged(this.name, `the block at byte ${start} does not fit its checksum`)
  }

  #keyOf(block: number): Buffer { return this.#keys.subarray(this.#starts[block], this.#starts[block + 1]) }
}

interface Footer {
  readonly records: number
  readonly index: Buffer
  readonly blocks: number
  /** End of the blocks. */
  readonly offset: number
}

function footerOf(name: string, reader: DiskReader): Footer {
  const footer = Buffer.alloc(footerBytes)
  const isTable = reader.bytes >= footerBytes && reader.readSync(footer, reader.bytes - footerBytes) === footerBytes
    && footer.toString('latin1', 0, tableMagic.length) === tableMagic
  if (!isTable) throw new GristmillError('EINVAL', `${name} is not part of a key-value store; saveKeyValue of a program makes one`)
  if (crc32(footer.subarray(0, 44)) !== footer.readUInt32LE(44)) throw damaged(name, 'its footer does not fit its checksum')
  const version = footer.readUInt32LE(12)
  if (version !== tableVersion)
    throw new GristmillError('EINVAL', `${name} is a table of version ${version}; this gristmill reads version ${tableVersion}: upgrade it`)
  const [records, offset] = [Number(footer.readBigUInt64LE(16)), Number(footer.readBigUInt64LE(24))]
  const index = Buffer.alloc(footer.readUInt32LE(32))
  if (offset + index.length + footerBytes !== reader.bytes) throw damaged(name, 'its length does not fit')
  if (reader.readSync(index, offset) !== index.length || crc32(index) !== footer.readUInt32LE(36))
    throw damaged(name, 'its index does not fit its checksum')
  return { records, offset, index, blocks: footer.readUInt32LE(40) }
}

const damaged = (name: string, why: string): GristmillError =>
  new GristmillError('CORRUPT', `${name}, a file of a key-value store, is damaged: ${why}`)

/** Reads a buffer from its beginning. */
class Cursor {
  readonly #buffer: Buffer
  readonly #name: string
  #at = 0

  constructor(buffer: Buffer, name: string) {
    this.#buffer = buffer
    this.#name = name
  }

  get isAtEnd(): boolean { return this.#at === this.#buffer.length }

  byte(): number {
    const byte = this.#buffer[this.#at++]
    if (byte === undefined) throw damaged(this.#name, 'an entry is cut off')
    return byte
  }

  varint(): number {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = this.byte()
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }

  skip(length: number): void {
    if (this.#at + length > this.#buffer.length) throw damaged(this.#name, 'an entry is cut off')
    this.#at += length
  }

  bytes(length: number): Buffer {
    this.skip(length)
    return this.#buffer.subarray(this.#at - length, this.#at)
  }

  /** Passes this many bytes: 0 if they are `key`, negative if they sort before it. A loop costs less than a call for so few bytes. */
  compare(key: Uint8Array, length: number): number {
    const start = this.#at
    this.skip(length)
    const common = Math.min(length, key.length)
    for (let i = 0; i < common; i++) {
      const difference = this.#buffer[start + i]! - key[i]!
      if (difference !== 0) return difference
    }
    return length - key.length
  }
}
