// Ranges of keys: cuts the order of keys into partitions of about equal numbers of records, by a sample of the keys. Every task of a sort
// computes the same bounds from the same sample. Sampling: an Algorithm R reservoir (Vitter 1985) for each task, whose keys count in
// proportion to the task's records.

import { GristmillError } from '../base/errors.ts'
import type { Key } from '../base/pair.ts'
import { GrowingBuffer } from './buffer.ts'
import { compareKeys, encodeKey } from './key.ts'

/** Keys that one task samples. Bounds from 100 keys of each of 10 tasks are about 10 % off for 10 partitions. */
const sampledMax = 100
/** Longer keys are cut: the first bytes decide the order well enough, and the sample of 10,000 tasks is read by every task. */
const keyBytesMax = 256

/** Sample of the keys of one task. Encoded as a value of the shuffle. */
interface KeySample {
  readonly records: number
  readonly keys: readonly Uint8Array[]
}

export class KeySampler {
  readonly #keys: Buffer[] = []
  readonly #random: () => number
  readonly #scratch = new GrowingBuffer(256)
  #records = 0

  /** `random`: uniform in [0, 1). */
  constructor(random: () => number) { this.#random = random }

  /** Throws EINVAL for a value that cannot be a key. */
  add(key: Key): void {
    const scratch = this.#scratch
    scratch.length = 0
    // Encoded in any case: an invalid key fails here as it would in the sort.
    encodeKey(key, scratch)
    const index = this.#records < sampledMax ? this.#records : Math.floor(this.#random() * (this.#records + 1))
    this.#records++
    if (index < sampledMax) this.#keys[index] = Buffer.from(scratch.bytes.subarray(0, Math.min(scratch.length, keyBytesMax)))
  }

  get sample(): KeySample { return { records: this.#records, keys: this.#keys } }
}

/** Partitions of keys by ranges. */
export class KeyRanges {
  /** Ascending: a key belongs to the partition whose number is that of the bounds that are not above it. */
  readonly #bounds: readonly Uint8Array[]

  private constructor(bounds: readonly Uint8Array[]) { this.#bounds = bounds }

  /** Throws CORRUPT if these are not samples. */
  static of(samples: readonly unknown[], partitions: number): KeyRanges {
    const weighted: Array<{ readonly key: Uint8Array; readonly weight: number }> = []
    for (const sample of samples) {
      if (!isSample(sample)) throw new GristmillError('CORRUPT', 'a sample of keys has another form than a sort writes; run the job again')
      for (const key of sample.keys) weighted.push({ key, weight: sample.records / sample.keys.length })
    }
    weighted.sort((a, b) => compareKeys(a.key, 0, a.key.length, b.key, 0, b.key.length))
    const step = weighted.reduce((sum, { weight }) => sum + weight, 0) / partitions
    const bounds: Uint8Array[] = []
    let passed = 0
    for (const { key, weight } of weighted) {
      // Before its weight is added: a key that fills several partitions begins one, and the rest stay empty.
      if (bounds.length < partitions - 1 && passed >= step * (bounds.length + 1)) {
        const last = bounds.at(-1)
        if (!last || compareKeys(last, 0, last.length, key, 0, key.length) < 0) bounds.push(key)
      }
      passed += weight
    }
    return new KeyRanges(bounds)
  }

  /** Partition of the key whose encoding is bytes[start, end). */
  of(bytes: Uint8Array, start: number, end: number): number {
    const bounds = this.#bounds
    let low = 0
    let high = bounds.length
    while (low < high) {
      const middle = (low + high) >> 1
      const bound = bounds[middle]!
      if (compareKeys(bytes, start, end, bound, 0, bound.length) < 0) high = middle
      else low = middle + 1
    }
    return low
  }
}

function isSample(value: unknown): value is KeySample {
  const { records, keys } = (typeof value === 'object' && value !== null ? value : {}) as Partial<KeySample>
  return typeof records === 'number' && Array.isArray(keys) && keys.every(key => key instanceof Uint8Array)
}
