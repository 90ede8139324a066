// Secondary sort: the keys of a shuffle are arrays, [key, …order]; consecutive groups with the same first item become one group, whose
// values come in the order of the whole keys. Nothing is kept in memory. Invariant: a group is read to its end, or skipped, before the
// next one.

import { GristmillError } from '../base/errors.ts'
import type { Key } from '../base/pair.ts'
import { wrongUse } from '../base/wronguse.ts'
import { GrowingBuffer } from './buffer.ts'
import type { KeyGroup } from './groups.ts'
import { encodeKey } from './key.ts'
import { hashKey } from './partition.ts'

/** Groups of a task's partition, with the numbers of those that were read. */
interface CountedGroups extends Iterable<KeyGroup> {
  readonly groups: number
  readonly records: number
  readonly recordsTotal: number
  readonly passes: number
}

export function groupsByFirst(groups: CountedGroups): CountedGroups {
  let count = 0
  return {
    get groups() { return count },
    get records() { return groups.records },
    recordsTotal: groups.recordsTotal,
    passes: groups.passes,
    * [Symbol.iterator]() {
      const source = groups[Symbol.iterator]()
      try {
        for (let next = source.next(); !next.done;) {
          count++
          const group = new FirstGroup(next.value, () => (next = source.next()).value as KeyGroup | undefined)
          yield group
          group.skip()
        }
      } finally {
        source.return?.()
      }
    },
  }
}

class FirstGroup implements KeyGroup {
  readonly key: Key
  readonly values: Iterable<unknown>
  readonly #more: () => KeyGroup | undefined
  /** Undefined once the groups of the key are over. */
  #part: KeyGroup | undefined
  #isEnded = false

  constructor(first: KeyGroup, more: () => KeyGroup | undefined) {
    this.key = firstOf(first.key)
    this.#part = first
    this.#more = more
    let isStarted = false
    this.values = {
      [Symbol.iterator]: () => {
        if (isStarted)
          throw wrongUse(
            'the values of a key can be iterated only once; copy them with [...values] if they fit in memory',
          )
        isStarted = true
        return this.#iterate()
      },
    }
  }

  end(): void { this.#isEnded = true }

  /** Passes over what is unread. */
  skip(): void {
    this.#isEnded = true
    while (this.#part) this.#next()
  }

  #next(): void {
    this.#part!.end()
    const next = this.#more()
    this.#part = next && isSameKey(firstOf(next.key), this.key) ? next : undefined
  }

  * #iterate(): Generator<unknown, undefined> {
    for (; this.#part; this.#next()) {
      for (const value of this.#part.values) {
        yield value
        if (this.#isEnded)
          throw new GristmillError('EINVAL', 'the values of a key were read after its function had returned; read them before')
      }
    }
    return undefined
  }
}

const firstOf = (key: Key): Key => (key as readonly Key[])[0]!

/** As the order of keys has it: -0 is 0, and NaN is NaN. */
function isSameKey(a: Key, b: Key): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b || a !== a && b !== b
  return encoded(a).equals(encoded(b))
}

function encoded(key: Key): Buffer {
  const buffer = new GrowingBuffer()
  encodeKey(key, buffer)
  return buffer.bytes.subarray(0, buffer.length)
}

/** Partition of a pair by the first item of its key. */
export function partitionByFirst(key: Key, partitions: number): number {
  const bytes = encoded(firstOf(key))
  return hashKey(bytes, 0, bytes.length) % partitions
}
