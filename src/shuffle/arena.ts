// In-memory buffer of emitted records: encoded one after the other as entries (segmentframe.ts), until they are sorted and written as
// one run.

import { assert } from '../base/assert.ts'
import type { Key } from '../base/pair.ts'
import { KiB } from '../base/units.ts'
import { entryBytesMax, tooLarge } from './segmentframe.ts'
import { compareKeys, encodeKey, tagString } from './key.ts'
import { fourBytes, recordsMax, sortRecords, type Records } from './order.ts'
import { askPartitioner, hashKey, type Partitioner } from './partition.ts'
import type { KeyRanges } from './ranges.ts'
import { GrowingBuffer, varintBytes } from './buffer.ts'
import { writeText } from './text.ts'
import { encodeValue, tags } from './value.ts'
import type { SegmentWriter } from './writer.ts'

/** Memory per record beside its bytes: 16 bytes of positions and prefix, and 16 while it is sorted. */
const placeBytes = 32
const firstCapacity = 1024
/**
 * Records whose bytes are loaded into the CPU's cache together before they are copied one by one. In sorted order they lie anywhere in the
 * buffer: without this the copy waits for the memory twice a record, and takes four times as long.
 */
const loadedAtOnce = 32
const cacheLineBytes = 64
/** Below 128, with a tag and the byte of the text's own length. */
const shortCharsMax = 125
/** Room for two texts of three bytes a character, their tags and lengths. */
const shortBytesMax = 2 * 3 * shortCharsMax + 5

export interface ArenaOptions {
  readonly partitions: number
  readonly partitioner?: Partitioner | undefined
  /** Partitions are ranges of keys, in order; instead of `partitioner`. */
  readonly ranges?: KeyRanges | undefined
}

export class Arena {
  #partitionCount = 1
  #partitioner: Partitioner | undefined
  #ranges: KeyRanges | undefined
  readonly #sink = new GrowingBuffer(64 * KiB)
  /** See Records. */
  #places = new Uint32Array(firstCapacity * 2)
  #partitions = new Uint32Array(firstCapacity)
  #prefixes = new Uint32Array(firstCapacity)
  /** First byte of the keys; -1: they differ in it. */
  #firstByte = 0
  /** Bytes of the last key's and the last value's length: kept free for the next ones, which are moved if they need another number. */
  #headBytes = 1
  #lengthBytes = 1
  count = 0
  /** Most memory that has been in use, which the process still has. */
  mostBytes = 0

  constructor(options: ArenaOptions) { this.begin(options) }

  /** Begins anew without records, with the same memory. */
  begin({ partitions, partitioner, ranges }: ArenaOptions): void {
    this.#partitionCount = partitions
    this.#partitioner = partitioner
    this.#ranges = ranges
    this.#clear()
  }

  #clear(): void {
    this.mostBytes = Math.max(this.mostBytes, this.usedBytes)
    this.count = 0
    this.#sink.length = 0
  }

  /** Memory in use. */
  get usedBytes(): number { return this.#sink.length + this.count * placeBytes }
  get isFull(): boolean { return this.count === recordsMax }

  /** Throws EINVAL for a key or value that cannot be serialised; the arena is then unchanged. */
  add(key: Key, value: unknown): void {
    const sink = this.#sink
    const start = sink.length
    try {
      if (typeof key !== 'string' || typeof value !== 'string' || !this.#addTexts(key, value)) this.#addAny(key, value)
    } catch (error) {
      sink.length = start
      throw error
    }
  }

  /** The entry of two texts if both are ASCII, and so short that each length takes one byte. False: not added. */
  #addTexts(key: string, value: string): boolean {
    const keyChars = key.length
    const valueChars = value.length
    if (keyChars > shortCharsMax || valueChars > shortCharsMax) return false
    const sink = this.#sink
    sink.reserve(shortBytesMax)
    const { bytes, length: start } = sink
    const keyStart = start + 1
    const keyEnd = keyStart + 1 + keyChars
    bytes[start] = keyChars + 2
    bytes[keyStart] = tagString
    if (writeText(bytes, key, keyStart + 1) !== keyChars) return false
    bytes[keyEnd] = valueChars + 2
    bytes[keyEnd + 1] = tags.text
    bytes[keyEnd + 2] = valueChars
    if (writeText(bytes, value, keyEnd + 3) !== valueChars) return false
    sink.length = keyEnd + 3 + valueChars
    this.#place(key, keyStart, keyEnd)
    return true
  }

  #addAny(key: Key, value: unknown): void {
    const sink = this.#sink
    const start = sink.length
    sink.skip(this.#headBytes)
    encodeKey(key, sink)
    const headBytes = this.#headBytes = sink.prefix(start, this.#headBytes, 1)
    const keyStart = start + headBytes
    const keyEnd = sink.length
    sink.skip(this.#lengthBytes)
    encodeValue(value, sink)
    const lengthBytes = this.#lengthBytes = sink.prefix(keyEnd, this.#lengthBytes, 0)
    const bytes = sink.length - start - headBytes - lengthBytes
    if (bytes > entryBytesMax) throw tooLarge(bytes)
    this.#place(key, keyStart, keyEnd)
  }

  /** Enters a record whose bytes are at the end of the buffer. */
  #place(key: Key, keyStart: number, keyEnd: number): void {
    const { bytes } = this.#sink
    const count = this.count
    if (count === this.#partitions.length) this.#grow()
    this.#places[count * 2] = keyStart
    this.#places[count * 2 + 1] = keyEnd
    this.#partitions[count] = this.#partitionOf(key, keyStart, keyEnd)
    this.#prefixes[count] = fourBytes(bytes, keyStart + 1, keyEnd)
    if (count === 0) this.#firstByte = bytes[keyStart]!
    else if (bytes[keyStart] !== this.#firstByte) this.#firstByte = -1
    this.count = count + 1
  }

  #partitionOf(key: Key, start: number, end: number): number {
    if (this.#partitioner) return askPartitioner(this.#partitioner, key, this.#partitionCount)
    if (this.#ranges) return this.#ranges.of(this.#sink.bytes, start, end)
    return this.#partitionCount === 1 ? 0 : hashKey(this.#sink.bytes, start, end) % this.#partitionCount
  }

  /** Writes all records in sorted order and clears the arena. Its memory is reused. */
  drainTo(writer: SegmentWriter): void {
    const records: Records = {
      count: this.count, bytes: this.#sink.bytes, places: this.#places, partitions: this.#partitions,
      ...this.#firstByte >= 0 && { prefixes: this.#prefixes },
    }
    const { order, bounds } = sortRecords(records, this.#partitionCount)
    for (let p = 0; p < this.#partitionCount; p++) {
      const to = bounds[p + 1]!
      if (bounds[p]! < to) writer.moveTo(p)
      let last = -1
      for (let from = bounds[p]!; from < to; from += loadedAtOnce) {
        const next = Math.min(to, from + loadedAtOnce)
        // Asked for something: the compiler would leave out loads whose result is not used.
        assert(this.#load(order, from, next) >= 0, 'bytes are not negative')
        for (let i = from; i < next; i++) {
          const id = order[i]!
          this.#write(writer, id, last)
          last = id
        }
      }
    }
    this.#clear()
  }

  /** Loads the records order[from, to) into the cache; the CPU waits for all of them at the same time. Returns a sum of bytes. */
  #load(order: Uint32Array, from: number, to: number): number {
    const places = this.#places
    const { bytes, length } = this.#sink
    let sum = 0
    for (let i = from; i < to; i++) {
      const at = places[order[i]! * 2]!
      sum += bytes[at]! + (at + cacheLineBytes < length ? bytes[at + cacheLineBytes]! : 0)
    }
    return sum
  }

  /** `last`: the record written before in the same partition; -1 for its first one. */
  #write(writer: SegmentWriter, id: number, last: number): void {
    const { bytes, length } = this.#sink
    const places = this.#places
    const start = places[id * 2]!
    const keyEnd = places[id * 2 + 1]!
    const end = id + 1 < this.count ? this.#entryStart(id + 1) : length
    const same = last >= 0 && compareKeys(bytes, start, keyEnd, bytes, places[last * 2]!, places[last * 2 + 1]!) === 0
    writer.addEntry(bytes, start - varintBytes(keyEnd - start + 1), keyEnd, end, same)
  }

  #entryStart(id: number): number {
    const start = this.#places[id * 2]!
    return start - varintBytes(this.#places[id * 2 + 1]! - start + 1)
  }

  #grow(): void {
    const grown = (old: Uint32Array) => {
      const larger = new Uint32Array(old.length * 2)
      larger.set(old)
      return larger
    }
    this.#places = grown(this.#places)
    this.#partitions = grown(this.#partitions)
    this.#prefixes = grown(this.#prefixes)
  }
}
