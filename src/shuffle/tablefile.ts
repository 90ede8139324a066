// Reads groups of a table from its file, block by block. Blocks that were read last are kept, up to a number of bytes; a block that is one
// large group is read piece by piece.

import { KiB, MiB } from '../base/units.ts'
import type { DiskReader } from '../ports/disk.ts'
import { compareKeys, decodeKey } from './key.ts'
import { endMark, groupsIn, lengthBytes, type PlacedGroup } from './tablelayout.ts'
import { decodeValue } from './decode.ts'

/** First key and offset of a block. */
export interface TableBlock { readonly key: Buffer; readonly offset: number }

/** A block of several groups is shorter. */
const wholeBytesMax = 160 * KiB
const windowBytes = 1 * MiB

export class TableFile {
  readonly #reader: DiskReader
  readonly #path: string
  readonly #keptMax: number
  readonly #kept = new Map<number, Buffer>()

  /** `memoryBytes`: for blocks that are kept. The caller closes the reader. */
  constructor(reader: DiskReader, { path, memoryBytes }: { readonly path: string; readonly memoryBytes: number }) {
    this.#reader = reader
    this.#path = path
    this.#keptMax = Math.max(1, Math.floor(memoryBytes / wholeBytesMax))
  }

  /** The group of the key in this block of `length` bytes. */
  find({ key: first, offset }: TableBlock, length: number, key: Buffer, keyEnd: number): PlacedGroup | undefined {
    if (length > wholeBytesMax)
      return compareKeys(first, 0, first.length, key, 0, keyEnd) === 0 ? this.#large({ key: first, offset }) : undefined
    const bytes = this.#block(offset, length)
    for (const group of groupsIn(bytes, length, offset)) {
      const order = compareKeys(bytes, group.keyStart, group.keyEnd, key, 0, keyEnd)
      if (order === 0) return group
      if (order > 0) return undefined
    }
    return undefined
  }

  /** All groups; `end`: of the file. */
  * groups(blocks: readonly TableBlock[], end: number): Generator<PlacedGroup> {
    for (const [i, block] of blocks.entries()) {
      const length = (blocks[i + 1]?.offset ?? end) - block.offset
      if (length > wholeBytesMax) yield this.#large(block)
      else yield * groupsIn(this.#read(block.offset, length), length, block.offset)
    }
  }

  #large({ key, offset }: TableBlock): PlacedGroup {
    const values = { [Symbol.iterator]: () => this.#values(offset + lengthBytes + key.length) }
    return { at: offset, key: decodeKey(key, 0, key.length), values }
  }

  * #values(start: number): Generator<unknown> {
    let position = start
    let window = this.#window(position, windowBytes)
    for (;;) {
      let at = 0
      while (at + lengthBytes <= window.length) {
        const length = window.readUInt32LE(at)
        if (length === endMark) return
        if (at + lengthBytes + length > window.length) break
        at += lengthBytes + length
        yield decodeValue(window, at - length, at)
      }
      position += at
      const needed = window.length - at >= lengthBytes ? lengthBytes + window.readUInt32LE(at) : lengthBytes
      window = this.#window(position, Math.max(windowBytes, needed))
    }
  }

  #block(offset: number, length: number): Buffer {
    let bytes = this.#kept.get(offset)
    if (bytes) this.#kept.delete(offset)
    else bytes = this.#read(offset, length)
    // The last one of the map is the one that was used last.
    this.#kept.set(offset, bytes)
    if (this.#kept.size > this.#keptMax) this.#kept.delete(this.#kept.keys().next().value!)
    return bytes
  }

  #read(position: number, length: number): Buffer {
    const bytes = this.#window(position, length)
    if (bytes.length < length) throw new Error(`${this.#path} is shorter than the bytes that were written to it`)
    return bytes
  }

  /** Up to `length` bytes: fewer at the end of the file. */
  #window(position: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafeSlow(length)
    let filled = 0
    while (filled < length) {
      const count = this.#reader.readSync(bytes.subarray(filled), position + filled)
      if (count === 0) break
      filled += count
    }
    if (filled === 0) throw new Error(`${this.#path} is shorter than the bytes that were written to it`)
    return bytes.subarray(0, filled)
  }
}
