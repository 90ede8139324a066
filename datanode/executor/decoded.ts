// Values of cached Datasets that tasks of this process have decoded: a loop of a program reads the same split in each of its rounds. They
// are kept within a share of the memory of a task. A split that does not fit takes the place of those that were not read for long, and of
// no others: a loop over more splits than fit would find none of them.
// INVARIANT: a program never gets a value that is kept, only a copy: it may change what it gets. Splits with values of which a copy would
// not be what decoding gives (instances of classes, bytes) are not kept.

import type { Batch, ReadCounters } from '../../src/record/records.ts'
import type { SplitRange } from '../../src/protocol/task.ts'
import { valueOfLine } from '../../src/shuffle/lines.ts'
import { Columns } from './columns.ts'

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
/** Values in one batch, and in one piece of what is kept. */
const valuesAtOnce = 1000
/** Splits of which is known that they do not fit. */
const refusedMax = 1000

/** With more values than this a piece of columns ends where one does not fit; with fewer it goes on with values as they are. */
const columnsMin = 50

/** Memory of an empty piece, and of an empty column. */
const pieceBytes = 200
const columnBytes = 100

/** Some values, at most `valuesAtOnce`. `at` makes one that belongs to the caller. */
interface Piece { readonly length: number; at(index: number): unknown }

/** Values of a split, in the order of their lines. */
interface Kept {
  readonly pieces: readonly Piece[]
  readonly count: number
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
  /** Splits whose values were not kept, with the room that there was: Infinity if more would not help. */
  readonly #refused = new Map<string, number>()

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
      return { batches: batchesOf(known.kept, counters), decode: value => value }
    }
    const room = this.#bytesMax - this.#bytes + this.#stale().reduce((sum, [, { kept }]) => sum + kept.bytes, 0)
    if (room < this.#bytesMax * roomMin || room <= (this.#refused.get(key) ?? -1))
      return { batches: read(), decode: line => valueOfLine(line as string) }
    return this.#decoding(key, read(), counters, new Keeper(room))
  }

  #decoding(key: string, lines: AsyncIterable<Batch>, counters: ReadCounters, keeper: Keeper): DecodedSplit {
    const end = (): void => {
      const kept = keeper.end(counters)
      if (kept) this.#keep(key, kept)
      else if (keeper.refused !== undefined) this.#refuse(key, keeper.refused)
    }
    async function * batches(): AsyncGenerator<Batch> {
      for await (const batch of lines) {
        keeper.begin(batch)
        yield batch
      }
      // Here only after the last value was taken: a task that needs no more of them ends before.
      end()
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

  #refuse(key: string, room: number): void {
    this.#refused.delete(key)
    this.#refused.set(key, room)
    if (this.#refused.size > refusedMax) this.#refused.delete(this.#refused.keys().next().value!)
  }

  #stale(): [string, Entry][] {
    return [...this.#splits].filter(([, { usedAt }]) => this.#opened - usedAt > staleAfter)
  }
}

/** A file does not change: its number stands for its bytes. */
const keyOf = (ranges: readonly SplitRange[]): string =>
  ranges.map(({ inode, start, end, fileBytes }) => `${inode} ${start} ${end} ${fileBytes}`).join()

function * batchesOf({ pieces, count, chars, parts, read }: Kept, counters: ReadCounters): Generator<Batch> {
  counters.bytes += read
  /** Number of the piece that has the value `from`, and of its first value. */
  let [piece, pieceFrom] = [0, 0]
  for (const [i, { first, path, offset }] of parts.entries()) {
    const end = parts[i + 1]?.first ?? count
    for (let from = first; from < end;) {
      while (from >= pieceFrom + pieces[piece]!.length) pieceFrom += pieces[piece++]!.length
      const [of, start] = [pieces[piece]!, from - pieceFrom]
      const values = Array.from({ length: Math.min(end - from, of.length - start) }, (_, index) => of.at(start + index))
      const begin = from
      counters.records += values.length
      yield {
        values, path,
        offset: index => {
          let at = offset
          // A line feed is behind each line.
          for (let line = first; line < begin + index; line++) at += chars[line]! + 1
          return at
        },
      }
      from += values.length
    }
  }
}

/** Values as they are. */
class Plain implements Piece {
  readonly values: unknown[] = []
  get length(): number { return this.values.length }
  at(index: number): unknown { return copied(this.values[index]) }
}

/** Collects the values of a split while a task takes them. */
class Keeper {
  readonly #bytesMax: number
  #pieces: Piece[] | undefined = []
  #count = 0
  #chars: number[] = []
  #parts: Part[] = []
  #texts = new Map<string, string>()
  #names = new Set<string>()
  #bytes = 0
  /** Set if the values are not kept. */
  refused: number | undefined
  /** Offset at which the next line begins, if it follows the last one. */
  #at = 0

  constructor(bytesMax: number) { this.#bytesMax = bytesMax }

  begin(batch: Batch): void {
    if (!this.#pieces || batch.values.length === 0) return
    const offset = batch.offset(0)
    if (this.#parts.at(-1)?.path === batch.path && offset === this.#at) return
    this.#parts.push({ first: this.#count, path: batch.path, offset })
    this.#at = offset
  }

  add(value: unknown, chars: number): void {
    if (!this.#pieces) return
    if (!this.#addTo(this.#pieces, value)) return this.#giveUp(Infinity)
    if (this.#bytes > this.#bytesMax) return this.#giveUp(this.#bytesMax)
    this.#count++
    this.#chars.push(chars)
    this.#at += chars + 1
    this.#bytes += 12
  }

  /** False: the value cannot be kept. */
  #addTo(pieces: Piece[], value: unknown): boolean {
    const last = pieces.at(-1)
    const open = last && last.length < valuesAtOnce ? last : undefined
    const shaped = typeof value === 'object' && value !== null && (Array.isArray(value) || isPlainObject(value)) ? value : undefined
    if (shaped && open instanceof Columns && open.add(shaped, this.#field)) return this.#counted(open.lastBytes)
    const isNew = !open || (open instanceof Columns && open.length >= columnsMin)
    const columns = isNew && shaped ? Columns.for(shaped) : undefined
    if (columns?.add(shaped!, this.#field)) {
      pieces.push(columns)
      return this.#counted(pieceBytes + columnBytes * columns.fields + columns.lastBytes)
    }
    let plain = open instanceof Plain ? open : undefined
    if (!plain) {
      plain = new Plain()
      if (open instanceof Columns && !isNew) {
        // Values of many shapes: as columns they would take more memory.
        for (let i = 0; i < open.length; i++) plain.values.push(open.at(i))
        this.#bytes += open.length * (32 + 16 * open.fields)
        pieces.pop()
      }
      pieces.push(plain)
      this.#bytes += pieceBytes
    }
    const own = this.#own(value)
    plain.values.push(own)
    return own !== notKept
  }

  #counted(bytes: number): true {
    this.#bytes += bytes
    return true
  }

  readonly #field = (field: unknown): unknown => (typeof field === 'string' ? this.#text(field) : field)

  /** undefined: the values are not kept. */
  end({ records, bytes: read }: ReadCounters): Kept | undefined {
    if (!this.#pieces || this.#count !== records) return undefined
    const { length: count } = this.#chars
    return { pieces: this.#pieces, count, chars: Uint32Array.from(this.#chars), parts: this.#parts, read, bytes: this.#bytes }
  }

  /** `room`: with no more than that, the values would not be kept another time. */
  #giveUp(room: number): void {
    this.refused = room
    this.#pieces = undefined
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
    if (!isPlainObject(value)) return notKept
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

const isPlainObject = (value: object): boolean => Object.getPrototypeOf(value) === Object.prototype

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
