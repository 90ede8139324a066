// Values of cached Datasets that tasks of this process have decoded: a loop of a program reads the same split in each of its rounds. They
// are kept within a share of the memory of a task. A split that does not fit takes the place of those that were not read for long, and of
// no others: a loop over more splits than fit would find none of them.
// INVARIANT: a program never gets a value that is kept, only a copy: it may change what it gets. Splits with values of which a copy would
// not be what decoding gives (instances of classes, bytes) are not kept.

import type { Batch, ReadCounters } from '../../src/record/records.ts'
import type { SplitRange } from '../../src/protocol/task.ts'
import { valueOfLine } from '../../src/shuffle/lines.ts'

/** Share of a task's memory. */
const decodedShare = 0.15
/** A split that was not read while so many others were may be forgotten. */
const staleAfter = 100
/** With less room than this share, values are not collected. */
const roomMin = 0.05
/** Texts of a split of which equal ones are kept once, and the longest of them. */
const textsMax = 100_000
const textCharsMax = 64
/** Names of fields of a split of which equal ones are counted once. */
const namesMax = 10_000
/** Values in one batch. */
const valuesAtOnce = 1000

/** Values of a split, in the order of their lines. */
interface Kept {
  readonly values: readonly unknown[]
  /** Characters of each line, which is ASCII. */
  readonly chars: Uint32Array
  readonly parts: readonly Part[]
  /** Bytes that were read for the split. */
  readonly read: number
  /** An estimate of the memory that it takes. */
  readonly bytes: number
}

interface Entry { readonly kept: Kept; usedAt: number }

/** Values from `first` on come from a file, where the first of them begins at `offset`. */
interface Part { readonly first: number; readonly path: string; readonly offset: number }

/** The way of a task to the values of a split: `decode` is called with each of the `batches`' values. */
interface DecodedSplit {
  readonly batches: AsyncIterable<Batch> | Iterable<Batch>
  readonly decode: (value: unknown) => unknown
}

export class DecodedValues {
  readonly #bytesMax: number
  readonly #splits = new Map<string, Entry>()
  #bytes = 0
  /** Splits that were opened. */
  #opened = 0

  /** `memoryBytes`: memory of a task. */
  constructor(memoryBytes: number) { this.#bytesMax = memoryBytes * decodedShare }

  /** True if the values of the split are kept. */
  has(ranges: readonly SplitRange[]): boolean { return this.#splits.has(keyOf(ranges)) }

  /** The values of a split: those that are kept, or the lines that `read` gives. */
  open(ranges: readonly SplitRange[], read: () => AsyncIterable<Batch>, counters: ReadCounters): DecodedSplit {
    const key = keyOf(ranges)
    const known = this.#splits.get(key)
    this.#opened++
    if (known) {
      known.usedAt = this.#opened
      return { batches: batchesOf(known.kept, counters), decode: copied }
    }
    const room = this.#bytesMax - this.#bytes + this.#stale().reduce((sum, [, { kept }]) => sum + kept.bytes, 0)
    if (room < this.#bytesMax * roomMin) return { batches: read(), decode: line => valueOfLine(line as string) }
    return this.#decoding(key, read(), counters, new Keeper(room))
  }

  #decoding(key: string, lines: AsyncIterable<Batch>, counters: ReadCounters, keeper: Keeper): DecodedSplit {
    const keep = (kept: Kept): void => this.#keep(key, kept)
    async function * batches(): AsyncGenerator<Batch> {
      for await (const batch of lines) {
        keeper.begin(batch)
        yield batch
      }
      // Here only after the last value was taken: a task that needs no more of them ends before.
      const kept = keeper.end(counters)
      if (kept) keep(kept)
    }
    return {
      batches: batches(),
      decode: line => {
        const value = valueOfLine(line as string)
        keeper.add(value, (line as string).length)
        return value
      },
    }
  }

  #keep(key: string, kept: Kept): void {
    if (this.#splits.has(key)) return
    for (const [other, { kept: { bytes } }] of this.#stale()) {
      if (this.#bytes + kept.bytes <= this.#bytesMax) break
      this.#splits.delete(other)
      this.#bytes -= bytes
    }
    if (this.#bytes + kept.bytes > this.#bytesMax) return
    this.#splits.set(key, { kept, usedAt: this.#opened })
    this.#bytes += kept.bytes
  }

  #stale(): [string, Entry][] {
    return [...this.#splits].filter(([, { usedAt }]) => this.#opened - usedAt > staleAfter)
  }
}

/** A file does not change: its number stands for its bytes. */
const keyOf = (ranges: readonly SplitRange[]): string =>
  ranges.map(({ inode, start, end, fileBytes }) => `${inode} ${start} ${end} ${fileBytes}`).join()

function * batchesOf({ values, chars, parts, read }: Kept, counters: ReadCounters): Generator<Batch> {
  counters.bytes += read
  for (const [i, { first, path, offset }] of parts.entries()) {
    const end = parts[i + 1]?.first ?? values.length
    for (let from = first; from < end; from += valuesAtOnce) {
      const some = values.slice(from, Math.min(end, from + valuesAtOnce))
      counters.records += some.length
      yield {
        values: some, path,
        offset: index => {
          let at = offset
          // A line feed is behind each line.
          for (let line = first; line < from + index; line++) at += chars[line]! + 1
          return at
        },
      }
    }
  }
}

/** Collects the values of a split while a task takes them. */
class Keeper {
  readonly #bytesMax: number
  #values: unknown[] | undefined = []
  #chars: number[] = []
  #parts: Part[] = []
  #texts = new Map<string, string>()
  #names = new Set<string>()
  #bytes = 0
  /** Offset at which the next line begins, if it follows the last one. */
  #at = 0

  constructor(bytesMax: number) { this.#bytesMax = bytesMax }

  begin(batch: Batch): void {
    if (!this.#values || batch.values.length === 0) return
    const offset = batch.offset(0)
    if (this.#parts.at(-1)?.path === batch.path && offset === this.#at) return
    this.#parts.push({ first: this.#values.length, path: batch.path, offset })
    this.#at = offset
  }

  add(value: unknown, chars: number): void {
    if (!this.#values) return
    const kept = this.#own(value)
    if (kept === notKept || this.#bytes > this.#bytesMax) return this.#giveUp()
    this.#values.push(kept)
    this.#chars.push(chars)
    this.#at += chars + 1
    this.#bytes += 12
  }

  /** undefined: the values are not kept. */
  end({ records, bytes: read }: ReadCounters): Kept | undefined {
    if (this.#values?.length !== records) return undefined
    return { values: this.#values, chars: Uint32Array.from(this.#chars), parts: this.#parts, read, bytes: this.#bytes }
  }

  #giveUp(): void {
    this.#values = undefined
    this.#chars = []
    this.#parts = []
    this.#texts.clear()
    this.#names.clear()
  }

  /** A copy of a decoded value, whose texts are shared. */
  #own(value: unknown): unknown {
    if (typeof value === 'string') return this.#text(value)
    // Digits of no bound.
    if (typeof value === 'bigint' && BigInt.asIntN(64, value) !== value) return notKept
    if (typeof value !== 'object' || value === null) {
      this.#bytes += 16
      return value
    }
    if (Array.isArray(value)) {
      this.#bytes += 32 + 8 * value.length
      const items: unknown[] = []
      for (const item of value as unknown[]) {
        const own = this.#own(item)
        if (own === notKept) return notKept
        items.push(own)
      }
      return items
    }
    if (Object.getPrototypeOf(value) !== Object.prototype) return notKept
    const copy = { ...value } as Record<string, unknown>
    this.#bytes += 32
    for (const name of Object.keys(copy)) {
      this.#bytes += 16
      this.#name(name)
      const own = this.#own(copy[name])
      if (own === notKept) return notKept
      copy[name] = own
    }
    return copy
  }

  /** Objects of the same names share them; an object with names of its own is a table of them. */
  #name(name: string): void {
    if (this.#names.has(name)) return
    this.#bytes += 64 + 2 * name.length
    if (this.#names.size < namesMax) this.#names.add(name)
  }

  #text(text: string): string {
    const known = this.#texts.get(text)
    if (known !== undefined) return known
    // With its place among the known ones, while the split is read.
    this.#bytes += 64 + 2 * text.length
    if (text.length <= textCharsMax && this.#texts.size < textsMax) this.#texts.set(text, text)
    return text
  }
}

const notKept = Symbol('not kept')

/** A copy of a value that is kept: plain objects and arrays of what cannot be changed. */
function copied(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    const items = value.slice() as unknown[]
    for (let i = 0; i < items.length; i++) if (typeof items[i] === 'object') items[i] = copied(items[i])
    return items
  }
  const copy = { ...value } as Record<string, unknown>
  for (const name in copy) if (typeof copy[name] === 'object' && Object.hasOwn(copy, name)) copy[name] = copied(copy[name])
  return copy
}
