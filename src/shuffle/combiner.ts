// Hash table that combines emitted values in memory before they are sorted. It has one entry per key, which holds at most three values;
// with the fourth, the user's combine function reduces them to one. Few values per entry keep the table small: cache misses dominate
// the cost of aggregation.
// Invariant: the program has no reference to an object in the table. Emitted values, results of combine and the keys passed to combine
// are copies, so a program that reuses an object cannot change a value that it has emitted. A text in it keeps no longer one in memory that
// it was cut from, except for texts of more than a thousand characters that combine returns: its memory is that which is counted.

import { assertKept } from '../base/assert.ts'
import { ownText, ownTexts } from '../base/owntext.ts'
import type { Key } from '../base/pair.ts'
import { showValue } from '../base/show.ts'
import { wrongUse } from '../base/wronguse.ts'
import type { Arena } from './arena.ts'
import { encodeKey } from './key.ts'
import { GrowingBuffer } from './buffer.ts'
import { copyValue, undefinedValue } from './value.ts'

/**
 * User function that merges several values of one key. Must be associative and commutative, because it is called on its own results, in
 * any grouping. `values` is valid only during the call.
 */
export type Combine = (key: never, values: never) => unknown

/** Entry of one key. `a`: the oldest value, or the combined older ones. */
class Entry {
  key: Key
  a: unknown
  b: unknown = undefined
  c: unknown = undefined
  count = 1

  constructor(key: Key, value: unknown) {
    this.key = key
    this.a = value
  }
}

/** Measured on 64-bit V8: the entry, its place in the table, the key's own header. */
const entryBytes = 150

export class Combiner {
  readonly #combine: Combine
  readonly #entries = new Map<Key, Entry>()
  /** Entries of array keys, by the encoding of the key. */
  readonly #composites = new Map<string, Entry>()
  readonly #scratch = new GrowingBuffer(256)
  readonly #four: unknown[] = [undefined, undefined, undefined, undefined]
  #bytes = 0
  combinedRecords = 0

  constructor(combine: Combine) { this.#combine = combine }

  get usedBytes(): number { return this.#bytes }
  get size(): number { return this.#entries.size + this.#composites.size }

  /** Throws EINVAL for a key or value that cannot be serialised; the table is then unchanged. */
  add(key: Key, given: unknown): void {
    if (given === undefined) throw undefinedValue()
    const value = typeof given === 'number' || typeof given === 'string' ? ownTexts(given) : ownTexts(copyValue(given, 'emit was given'))
    const entry = typeof key === 'object' && key !== null ? this.#composite(key) : this.#entries.get(key)
    if (entry === undefined) return this.#insert(key, value)
    if (entry.count === 1) {
      entry.b = value
      entry.count = 2
      this.#bytes += bytesOf(value)
    } else if (entry.count === 2) {
      entry.c = value
      entry.count = 3
      this.#bytes += bytesOf(value)
    } else {
      const four = this.#four
      four[0] = entry.a
      four[1] = entry.b
      four[2] = entry.c
      four[3] = value
      this.#fold(entry, four)
    }
  }

  #composite(key: readonly Key[]): Entry | undefined {
    return this.#composites.get(this.#nameOf(key))
  }

  #nameOf(key: readonly Key[]): string {
    this.#scratch.length = 0
    encodeKey(key, this.#scratch)
    return this.#scratch.bytes.toString('latin1', 0, this.#scratch.length)
  }

  #insert(key: Key, value: unknown): void {
    // Encoded once now, so that an invalid key is refused with the caller of emit on the stack.
    const scratch = this.#scratch
    scratch.length = 0
    encodeKey(key, scratch)
    if (typeof key === 'object' && key !== null) {
      const name = scratch.bytes.toString('latin1', 0, scratch.length)
      this.#bytes += entryBytes + nameBytes(name)
      this.#composites.set(name, new Entry(ownTexts(copyKey(key)) as Key, value))
    } else {
      const own = typeof key === 'string' ? ownText(key) : key
      this.#bytes += entryBytes + scratch.length
      this.#entries.set(own, new Entry(own, value))
    }
    this.#bytes += bytesOf(value)
  }

  /** Combines the values of the entry, and a further one if there is one behind them. */
  #fold(entry: Entry, values: unknown[]): void {
    // Computed before the call: the function may change its arguments.
    let bytes = 0
    for (let i = 0; i < entry.count; i++) bytes += bytesOf(values[i])
    const result = fold(this.#combine, entry.key, values)
    this.#bytes += bytesOf(result) - bytes
    this.combinedRecords += values.length
    entry.a = result
    entry.b = undefined
    entry.c = undefined
    entry.count = 1
  }

  /** Adds every key with its combined value to the arena, in the order of first emission, and clears the table. */
  drainTo(arena: Arena): void {
    const drain = (entry: Entry) => {
      if (entry.count > 1) this.#fold(entry, entry.count === 2 ? [entry.a, entry.b] : [entry.a, entry.b, entry.c])
      arena.add(entry.key, entry.a)
    }
    for (const entry of this.#entries.values()) drain(entry)
    for (const entry of this.#composites.values()) drain(entry)
    this.#entries.clear()
    this.#composites.clear()
    this.#bytes = 0
  }

  /** Throws AssertionFailed if the bytes differ from a recount of the table. For tests. */
  checkState(): void {
    let bytes = 0
    const count = ({ a, b, c, count: held }: Entry, keyBytes: number): void => {
      bytes += entryBytes + keyBytes
      for (const value of [a, b, c].slice(0, held)) bytes += bytesOf(value)
    }
    for (const [key, entry] of this.#entries) {
      this.#scratch.length = 0
      encodeKey(key, this.#scratch)
      count(entry, this.#scratch.length)
    }
    for (const [name, entry] of this.#composites) count(entry, nameBytes(name))
    assertKept('bytes of the combiner', this.#bytes, bytes)
  }
}

/** The name of a composite key, and the key itself. */
const nameBytes = (name: string): number => name.length * 3

/** Bytes that a value adds to its entry, which has room for numbers. */
const bytesOf = (value: unknown): number => (typeof value === 'number' ? 0 : sizeOf(value))

/** Longer texts that combine returns are not copied: one that grows with each call would be copied as often. */
const copiedTextMax = 1000

/** Calls the user's function, validates its result, and copies it: the function may keep the object and change it later. */
export function fold(combine: Combine, key: Key, values: unknown[]): unknown {
  const result = combine(copyKey(key) as never, values as never)
  if (typeof result === 'number') return result
  if (typeof result === 'string') return result.length > copiedTextMax || values.includes(result) ? result : ownText(result)
  const wrong = noValue(result)
  if (wrong !== undefined)
    throw wrongUse(`combine returned ${wrong} for the key ${showValue(key)}; it must return one value, at once`)
  return ownTexts(copyValue(result, 'combine returned'))
}

function noValue(result: unknown): string | undefined {
  if (result === undefined) return 'undefined'
  if (typeof result !== 'object' || result === null) return undefined
  if (typeof (result as { then?: unknown }).then === 'function') return 'a promise'
  return typeof (result as { next?: unknown }).next === 'function' ? 'a generator' : undefined
}

function copyKey(key: Key): Key { return typeof key === 'object' && key !== null ? key.map(copyKey) : key }

/** Approximate size of a value in memory, an integer. Long arrays are extrapolated from their first 16 items. */
function sizeOf(value: unknown, depth = 0): number {
  if (typeof value === 'string') return 24 + value.length
  if (typeof value !== 'object' || value === null) return 8
  if (value instanceof Uint8Array) return 96 + value.length
  if (depth > 4) return 64
  const items: unknown[] = Array.isArray(value)
    ? value
    : value instanceof Map
      ? [...value].slice(0, 8).flatMap(pair => pair)
      : value instanceof Set
        ? [...value].slice(0, 16)
        : Object.values(value)
  const count = value instanceof Map || value instanceof Set ? value.size * 3 : items.length
  const judged = Math.min(items.length, 16)
  let bytes = 0
  for (let i = 0; i < judged; i++) bytes += sizeOf(items[i], depth + 1)
  return 48 + (judged === 0 ? 0 : Math.ceil((bytes / judged) * count)) + count * 8
}
