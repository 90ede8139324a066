// Small files outside of the cluster that a task reads: some are read at the same time, ahead of the one that the task is at. One after
// the other, a task over thousands of them would spend its time waiting for their servers.
// INVARIANT: at most `filesMax` files, and about `bytesMax` bytes, are read or kept.

import { MiB } from '../../src/base/units.ts'
import { isReference } from '../../src/base/reference.ts'
import type { SplitRange } from '../../src/protocol/task.ts'

/** The bytes of a larger file take longer than the wait for the first one. */
const smallBytesMax = 1 * MiB
const filesMax = 8
const bytesMax = 4 * MiB

type ReadWhole = (range: SplitRange, signal: AbortSignal) => Promise<Buffer>

export class OutsideAhead {
  readonly #ranges: readonly SplitRange[]
  readonly #places: ReadonlyMap<SplitRange, number>
  readonly #read: ReadWhole
  readonly #reading = new Map<SplitRange, Promise<Buffer>>()
  readonly #ending = new AbortController()
  #next = 0
  #bytes = 0

  /** `ranges`: in the order in which they are read. */
  constructor(ranges: readonly SplitRange[], read: ReadWhole) {
    this.#ranges = ranges.filter(isSmall)
    this.#places = new Map(this.#ranges.map((range, i) => [range, i]))
    this.#read = read
  }

  /** The bytes of a file, which are kept until the next one is taken; undefined: it is no small file. Throws what the read has thrown. */
  take(range: SplitRange): Promise<Buffer> | undefined {
    const place = this.#places.get(range)
    if (place === undefined) return undefined
    for (const each of this.#reading.keys()) if (this.#places.get(each)! < place) this.#drop(each)
    if (!this.#reading.has(range)) this.#begin(range)
    this.#next = Math.max(this.#next, place + 1)
    while (this.#next < this.#ranges.length && this.#reading.size < filesMax && this.#bytes < bytesMax)
      this.#begin(this.#ranges[this.#next++]!)
    return this.#reading.get(range)!
  }

  /** Ends what is read. Never rejects. */
  async close(): Promise<void> {
    this.#ending.abort()
    await Promise.allSettled(this.#reading.values())
  }

  #begin(range: SplitRange): void {
    const reading = this.#read(range, this.#ending.signal)
    // Thrown when the file is taken: what comes before it may be all that the task needs.
    reading.catch(() => {})
    this.#reading.set(range, reading)
    this.#bytes += range.fileBytes
  }

  #drop(range: SplitRange): void {
    this.#reading.delete(range)
    this.#bytes -= range.fileBytes
  }
}

const isSmall = ({ path, start, end, fileBytes }: SplitRange): boolean =>
  start === 0 && end === fileBytes && fileBytes > 0 && fileBytes <= smallBytesMax && isReference(path)
