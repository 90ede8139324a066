// Sort of encoded records by (partition, key bytes, order of emission); computes an order and does not move the records.
//
// Radix sort, most significant bytes first: a run of records that agree in `depth` bytes is sorted by the next three to six bytes after
// their common prefix. Those bytes and the record's position in the run are packed into one double, so that the engine's sort of numbers
// can be used and equal bytes keep their order; only runs that still agree are sorted further.

import { compareKeys } from './key.ts'

export interface Records {
  readonly count: number
  readonly bytes: Uint8Array
  /** Two positions per record, adjacent in memory for the cache: the start of the record (and of its key), and the end of its key. */
  readonly places: Uint32Array
  readonly partitions: Uint32Array
}

interface SortOrder {
  /** Record numbers in order. */
  readonly order: Uint32Array
  /** Partition p is order[bounds[p], bounds[p + 1]). */
  readonly bounds: Uint32Array
}

/** Up to this length an insertion sort is faster. */
const insertionMax = 12
/** Doubles hold 53 bits exactly: 29 of a record's bytes must remain. */
export const recordsMax = 2 ** 24

export function sortRecords(records: Records, partitionCount: number): SortOrder {
  const { count, partitions } = records
  const bounds = new Uint32Array(partitionCount + 1)
  for (let i = 0; i < count; i++) bounds[partitions[i]! + 1]!++
  for (let p = 0; p < partitionCount; p++) bounds[p + 1]! += bounds[p]!
  const order = new Uint32Array(count)
  const next = bounds.slice()
  for (let i = 0; i < count; i++) order[next[partitions[i]!]!++] = i
  let largest = 0
  for (let p = 0; p < partitionCount; p++) largest = Math.max(largest, bounds[p + 1]! - bounds[p]!)
  const sorter = new Sorter(records, order, largest)
  for (let p = 0; p < partitionCount; p++) sorter.sort(bounds[p]!, bounds[p + 1]!, 0)
  return { order, bounds }
}

class Sorter {
  readonly #bytes: Uint8Array
  readonly #places: Uint32Array
  readonly #order: Uint32Array
  readonly #numbers: Float64Array
  readonly #ids: Uint32Array

  constructor(records: Records, order: Uint32Array, largest: number) {
    this.#bytes = records.bytes
    this.#places = records.places
    this.#order = order
    this.#numbers = new Float64Array(largest)
    this.#ids = new Uint32Array(largest)
  }

  /** Sorts order[low, high), whose keys all have at least `depth` bytes and agree in them. */
  sort(low: number, high: number, depth: number): void {
    const count = high - low
    if (count < 2) return
    if (count <= insertionMax) return this.#insert(low, high)
    const common = this.#common(low, high, depth)
    if (common < 0) return
    const indexBits = 32 - Math.clz32(count - 1)
    const scale = 2 ** indexBits
    const take = Math.min(6, (53 - indexBits) >> 3)
    this.#number(low, count, common, take, scale)
    const numbers = this.#numbers.subarray(0, count).sort()
    const order = this.#order
    const ids = this.#ids
    const runs: number[] = []
    let runStart = 0
    let runPrefix = -1
    for (let i = 0; i < count; i++) {
      const number = numbers[i]!
      const prefix = Math.floor(number / scale)
      order[low + i] = ids[number - prefix * scale]!
      if (prefix !== runPrefix) {
        if (i - runStart > 1) runs.push(runStart, i)
        runStart = i
        runPrefix = prefix
      }
    }
    if (count - runStart > 1) runs.push(runStart, count)
    // The scratch arrays are free from here on: the recursive calls use them again.
    for (let r = 0; r < runs.length; r += 2) this.#settle(low + runs[r]!, low + runs[r + 1]!, common + take)
  }

  /** Length of the common prefix of all keys, at least `depth`; -1 if all keys are equal. */
  #common(low: number, high: number, depth: number): number {
    const bytes = this.#bytes
    const first = this.#order[low]!
    const places = this.#places
    const base = places[first * 2]!
    let common = places[first * 2 + 1]! - base
    let longest = common
    for (let i = low + 1; i < high; i++) {
      const id = this.#order[i]!
      const start = places[id * 2]!
      const length = places[id * 2 + 1]! - start
      if (length > longest) longest = length
      if (length < common) common = length
      let k = depth
      while (k < common && bytes[base + k] === bytes[start + k]) k++
      common = k
      if (common === depth && longest > depth) return depth
    }
    return common === longest ? -1 : common
  }

  #number(low: number, count: number, from: number, take: number, scale: number): void {
    const bytes = this.#bytes
    for (let i = 0; i < count; i++) {
      const id = this.#order[low + i]!
      this.#ids[i] = id
      const start = this.#places[id * 2]! + from
      const end = this.#places[id * 2 + 1]!
      let prefix = 0
      if (end - start >= take) for (let k = 0; k < take; k++) prefix = prefix * 256 + bytes[start + k]!
      else for (let k = 0; k < take; k++) prefix = prefix * 256 + (start + k < end ? bytes[start + k]! : 0)
      this.#numbers[i] = prefix * scale + i
    }
  }

  /**
   * Sorts a run whose keys agree in `depth` bytes when padded with zeros. Keys shorter than `depth` differ only in their number of
   * trailing zeros: they are ordered by length and come first. The others are sorted further.
   */
  #settle(low: number, high: number, depth: number): void {
    if (high - low <= insertionMax) return this.#insert(low, high)
    let shorter = 0
    let shortest = depth
    for (let i = low; i < high; i++) {
      const length = this.#length(this.#order[i]!)
      if (length < depth) shorter++
      if (length < shortest) shortest = length
    }
    if (shorter === 0) return this.sort(low, high, depth)
    const ids = this.#ids
    ids.set(this.#order.subarray(low, high))
    let at = low
    for (let length = shortest; length < depth; length++) {
      for (let i = 0; i < high - low; i++) {
        const id = ids[i]!
        if (this.#length(id) === length) this.#order[at++] = id
      }
    }
    for (let i = 0; i < high - low; i++) {
      const id = ids[i]!
      if (this.#length(id) >= depth) this.#order[at++] = id
    }
    this.sort(low + shorter, high, depth)
  }

  #length(id: number): number {
    return this.#places[id * 2 + 1]! - this.#places[id * 2]!
  }

  #insert(low: number, high: number): void {
    const order = this.#order
    for (let i = low + 1; i < high; i++) {
      const id = order[i]!
      let place = i
      while (place > low && this.#compare(order[place - 1]!, id) > 0) {
        order[place] = order[place - 1]!
        place--
      }
      order[place] = id
    }
  }

  #compare(a: number, b: number): number {
    const places = this.#places
    return compareKeys(this.#bytes, places[a * 2]!, places[a * 2 + 1]!, this.#bytes, places[b * 2]!, places[b * 2 + 1]!)
  }
}
