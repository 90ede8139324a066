// Sort of encoded records by (partition, key bytes, order of emission); computes an order and does not move the records.
//
// Radix sort, most significant bytes first: a run of records that agree in `depth` bytes is sorted by the next four to six bytes after
// their common prefix, and only runs that still agree are sorted further. Equal bytes keep their order. A long run is sorted by counting
// its records by 11 bits of those bytes, the lowest bits first; in a shorter one the bytes and the record's position in the run are packed
// into one double for the engine's sort of numbers, which takes four times as long for 300,000 records.

import { compareKeys } from './key.ts'

export interface Records {
  readonly count: number
  readonly bytes: Uint8Array
  /** Two positions per record, adjacent in memory for the cache: the start of the record (and of its key), and the end of its key. */
  readonly places: Uint32Array
  readonly partitions: Uint32Array
  /** Bytes 1 to 4 of each key, padded with zeros, if the first byte of all keys is the same. */
  readonly prefixes?: Uint32Array | undefined
}

interface SortOrder {
  /** Record numbers in order. */
  readonly order: Uint32Array
  /** Partition p is order[bounds[p], bounds[p + 1]). */
  readonly bounds: Uint32Array
}

/** Up to this length an insertion sort is faster. */
const insertionMax = 12
/** From this length on records are counted. Shorter runs are packed into doubles: of their 53 bits the position takes 10 at most. */
const countedMin = 1024
/** Bits of a digit: its counters fit in the CPU's nearest cache. Three digits hold four bytes. */
const digitBits = 11
const digits = 2 ** digitBits
/** Bytes of the keys that one step sorts by. */
const countedBytes = 4
const packedBytes = 5
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

/** Four bytes of a key from `at` on, padded with zeros, as a number. */
export function fourBytes(bytes: Uint8Array, at: number, end: number): number {
  if (end - at >= 4) return (bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!) >>> 0
  let number = 0
  for (let k = 0; k < 4; k++) number = number * 256 + (at + k < end ? bytes[at + k]! : 0)
  return number
}

class Sorter {
  readonly #bytes: Uint8Array
  readonly #places: Uint32Array
  readonly #prefixes: Uint32Array | undefined
  readonly #order: Uint32Array
  readonly #numbers = new Float64Array(countedMin)
  readonly #ids: Uint32Array
  /** The next four bytes of the keys of a run, before and after a pass. */
  #keys: Uint32Array
  #movedKeys: Uint32Array
  readonly #counters = new Uint32Array(3 * digits)

  constructor(records: Records, order: Uint32Array, largest: number) {
    this.#bytes = records.bytes
    this.#places = records.places
    this.#prefixes = records.prefixes
    this.#order = order
    this.#ids = new Uint32Array(largest)
    this.#keys = new Uint32Array(largest)
    this.#movedKeys = new Uint32Array(largest)
  }

  /** Sorts order[low, high), whose keys all have at least `depth` bytes and agree in them. */
  sort(low: number, high: number, depth: number): void {
    const count = high - low
    if (count < 2) return
    if (count <= insertionMax) return this.#insert(low, high)
    if (depth === 0 && this.#prefixes && count >= countedMin) {
      this.#settleAll(this.#countingSort(low, count, 1, this.#prefixes), low, 1 + countedBytes)
      return
    }
    const common = this.#common(low, high, depth)
    if (common < 0) return
    // The scratch arrays are free after each of them: the recursive calls use them again.
    if (count >= countedMin) this.#settleAll(this.#countingSort(low, count, common), low, common + countedBytes)
    else this.#settleAll(this.#numberSort(low, count, common), low, common + packedBytes)
  }

  #settleAll(runs: readonly number[], low: number, depth: number): void {
    for (let r = 0; r < runs.length; r += 2) this.#settle(low + runs[r]!, low + runs[r + 1]!, depth)
  }

  /** Sorts a run by `packedBytes` bytes from `from` on. Result: start and end of each part of it that agrees in them, from `low`. */
  #numberSort(low: number, count: number, from: number): number[] {
    const scale = 2 ** (32 - Math.clz32(count - 1))
    this.#number(low, count, from, packedBytes, scale)
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
    return runs
  }

  /** The same by `countedBytes` bytes. `known`: those bytes of each record. */
  #countingSort(low: number, count: number, from: number, known?: Uint32Array): number[] {
    const counters = this.#counters.fill(0)
    const keys = this.#keys
    const order = this.#order
    for (let i = 0; i < count; i++) {
      const key = keys[i] = known ? known[order[low + i]!]! : this.#bytesAt(order[low + i]!, from)
      counters[key & (digits - 1)]!++
      counters[digits + (key >>> digitBits & (digits - 1))]!++
      counters[2 * digits + (key >>> 2 * digitBits)]!++
    }
    let ids = this.#order.subarray(low, low + count)
    let movedIds = this.#ids.subarray(0, count)
    for (let digit = 0; digit < 3; digit++) {
      if (!this.#pass(digit, count, ids, movedIds)) continue
      ;[ids, movedIds] = [movedIds, ids]
    }
    if (ids.buffer !== this.#order.buffer) movedIds.set(ids)
    return this.#runsOf(count)
  }

  /** Moves a run's ids and keys into the order of a digit. False: all have the same digit, and nothing was moved. */
  #pass(digit: number, count: number, ids: Uint32Array, movedIds: Uint32Array): boolean {
    const next = this.#counters.subarray(digit * digits, (digit + 1) * digits)
    const shift = digit * digitBits
    const keys = this.#keys
    const moved = this.#movedKeys
    if (next[keys[0]! >>> shift & (digits - 1)] === count) return false
    for (let value = 0, sum = 0; value < digits; value++) {
      const own = next[value]!
      next[value] = sum
      sum += own
    }
    for (let i = 0; i < count; i++) {
      const key = keys[i]!
      const to = next[key >>> shift & (digits - 1)]!++
      moved[to] = key
      movedIds[to] = ids[i]!
    }
    this.#keys = moved
    this.#movedKeys = keys
    return true
  }

  #runsOf(count: number): number[] {
    const keys = this.#keys
    const runs: number[] = []
    for (let i = 1, start = 0; i <= count; i++) {
      if (i < count && keys[i] === keys[start]) continue
      if (i - start > 1) runs.push(start, i)
      start = i
    }
    return runs
  }

  /** `countedBytes` bytes of a record's key from `from` on. */
  #bytesAt(id: number, from: number): number {
    return fourBytes(this.#bytes, this.#places[id * 2]! + from, this.#places[id * 2 + 1]!)
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
