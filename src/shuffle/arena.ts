// In-memory buffer of emitted records: encoded one after the other, until they are sorted and written as one run.

import type { Key } from '../base/pair.ts'
import { KiB } from '../base/units.ts'
import { entryBytesMax, tooLarge } from './segmentframe.ts'
import { compareKeys, encodeKey } from './key.ts'
import { recordsMax, sortRecords, type Records } from './order.ts'
import { askPartitioner, hashKey, type Partitioner } from './partition.ts'
import type { KeyRanges } from './ranges.ts'
import { GrowingBuffer } from './buffer.ts'
import { encodeValue } from './value.ts'
import type { SegmentWriter } from './writer.ts'

/** Memory per record beside its bytes: 12 bytes of positions, and 16 while it is sorted. */
const placeBytes = 28
const firstCapacity = 1024

export class Arena {
  readonly #partitionCount: number
  readonly #partitioner: Partitioner | undefined
  readonly #ranges: KeyRanges | undefined
  readonly #sink = new GrowingBuffer(64 * KiB)
  /** See Records. */
  #places = new Uint32Array(firstCapacity * 2)
  #partitions = new Uint32Array(firstCapacity)
  count = 0

  constructor(options: { partitions: number; partitioner?: Partitioner | undefined; ranges?: KeyRanges | undefined }) {
    this.#partitionCount = options.partitions
    this.#partitioner = options.partitioner
    this.#ranges = options.ranges
  }

  /** Memory in use. */
  get usedBytes(): number { return this.#sink.length + this.count * placeBytes }
  get isFull(): boolean { return this.count === recordsMax }

  /** Throws EINVAL for a key or value that cannot be serialised; the arena is then unchanged. */
  add(key: Key, value: unknown): void {
    const sink = this.#sink
    const start = sink.length
    try {
      encodeKey(key, sink)
      const keyEnd = sink.length
      encodeValue(value, sink)
      if (sink.length - start > entryBytesMax) throw tooLarge(sink.length - start)
      const count = this.count
      if (count === this.#partitions.length) this.#grow()
      this.#places[count * 2] = start
      this.#places[count * 2 + 1] = keyEnd
      this.#partitions[count] = this.#partitionOf(key, start, keyEnd)
      this.count = count + 1
    } catch (error) {
      sink.length = start
      throw error
    }
  }

  #partitionOf(key: Key, start: number, end: number): number {
    if (this.#partitioner) return askPartitioner(this.#partitioner, key, this.#partitionCount)
    if (this.#ranges) return this.#ranges.of(this.#sink.bytes, start, end)
    return this.#partitionCount === 1 ? 0 : hashKey(this.#sink.bytes, start, end) % this.#partitionCount
  }

  /** Writes all records in sorted order and clears the arena. Its memory is reused. */
  drainTo(writer: SegmentWriter): void {
    const bytes = this.#sink.bytes
    const places = this.#places
    const records: Records = { count: this.count, bytes, places, partitions: this.#partitions }
    const { order, bounds } = sortRecords(records, this.#partitionCount)
    for (let p = 0; p < this.#partitionCount; p++) {
      const to = bounds[p + 1]!
      let before = false
      let lastStart = 0
      let lastEnd = 0
      for (let i = bounds[p]!; i < to; i++) {
        if (!before) writer.moveTo(p)
        const id = order[i]!
        const start = places[id * 2]!
        const keyEnd = places[id * 2 + 1]!
        const end = id + 1 < this.count ? places[id * 2 + 2]! : this.#sink.length
        const same = before && keyEnd - start === lastEnd - lastStart && compareKeys(bytes, start, keyEnd, bytes, lastStart, lastEnd) === 0
        writer.add(bytes, start, keyEnd, bytes, keyEnd, end, same)
        before = true
        lastStart = start
        lastEnd = keyEnd
      }
    }
    this.count = 0
    this.#sink.length = 0
  }

  #grow(): void {
    const grown = (old: Uint32Array) => {
      const larger = new Uint32Array(old.length * 2)
      larger.set(old)
      return larger
    }
    this.#places = grown(this.#places)
    this.#partitions = grown(this.#partitions)
  }
}
