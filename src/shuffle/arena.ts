// Emitted records, encoded one behind the other in memory, until they are sorted and written as one run.

import { KiB } from '../base/units.ts'
import { entryBytesMax, tooLarge } from './frame.ts'
import { compareKeys, encodeKey, type Key } from './key.ts'
import { recordsMax, sortRecords, type Records } from './order.ts'
import { askPartitioner, hashKey, type Partitioner } from './partition.ts'
import { Sink } from './sink.ts'
import { encodeValue } from './value.ts'
import type { SegmentWriter } from './writer.ts'

/** Beside its bytes a record takes 12 bytes of places, and 16 while it is sorted. */
const placeBytes = 28
const firstCapacity = 1024

export class Arena {
  readonly #partitionCount: number
  readonly #partitioner: Partitioner | undefined
  readonly #sink = new Sink(64 * KiB)
  #starts = new Uint32Array(firstCapacity)
  #keyEnds = new Uint32Array(firstCapacity)
  #partitions = new Uint32Array(firstCapacity)
  count = 0

  constructor(options: { partitions: number; partitioner?: Partitioner | undefined }) {
    this.#partitionCount = options.partitions
    this.#partitioner = options.partitioner
  }

  /** Memory in use. */
  get usedBytes(): number { return this.#sink.length + this.count * placeBytes }
  get isFull(): boolean { return this.count === recordsMax }

  /** Throws EINVAL for a key or value that cannot travel; the arena is then as before. */
  add(key: Key, value: unknown): void {
    const sink = this.#sink
    const start = sink.length
    try {
      encodeKey(key, sink)
      const keyEnd = sink.length
      encodeValue(value, sink)
      if (sink.length - start > entryBytesMax) throw tooLarge(sink.length - start)
      const count = this.count
      if (count === this.#starts.length) this.#grow()
      this.#starts[count] = start
      this.#keyEnds[count] = keyEnd
      this.#partitions[count] = this.#partitionOf(key, start, keyEnd)
      this.count = count + 1
    } catch (error) {
      sink.length = start
      throw error
    }
  }

  #partitionOf(key: Key, start: number, end: number): number {
    if (this.#partitioner) return askPartitioner(this.#partitioner, key, this.#partitionCount)
    return this.#partitionCount === 1 ? 0 : hashKey(this.#sink.bytes, start, end) % this.#partitionCount
  }

  /** Writes all records in order and forgets them. The memory is kept for the next ones. */
  drainTo(writer: SegmentWriter): void {
    const bytes = this.#sink.bytes
    const starts = this.#starts
    const keyEnds = this.#keyEnds
    const records: Records = { count: this.count, bytes, starts, keyEnds, partitions: this.#partitions }
    const { order, bounds } = sortRecords(records, this.#partitionCount)
    for (let p = 0; p < this.#partitionCount; p++) {
      const to = bounds[p + 1]!
      let before = -1
      for (let i = bounds[p]!; i < to; i++) {
        if (before < 0) writer.moveTo(p)
        const id = order[i]!
        const start = starts[id]!
        const keyEnd = keyEnds[id]!
        const end = id + 1 < this.count ? starts[id + 1]! : this.#sink.length
        const same = before >= 0 && keyEnd - start === keyEnds[before]! - starts[before]! && compareKeys(bytes, start, keyEnd, bytes, starts[before]!, keyEnds[before]!) === 0
        writer.add(bytes, start, keyEnd, bytes, keyEnd, end, same)
        before = id
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
    this.#starts = grown(this.#starts)
    this.#keyEnds = grown(this.#keyEnds)
    this.#partitions = grown(this.#partitions)
  }
}
