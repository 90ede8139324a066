// Values of one side of a join by key, for lookups: in memory up to a budget, and in a local file beyond it. Each lookup decodes the values
// again, so that a program that changes one changes nothing for the next.
//
// Groups lie one after the other in the order of keys: length of the key (u32), key, each value with its length (u32), and an end mark.
// A sparse index has the first key of each block of about 64 KiB; a larger group is a block of its own. While everything is in memory a map
// has the place of each key.

import type { Key } from '../base/pair.ts'
import { KiB } from '../base/units.ts'
import type { Disk, DiskReader, DiskWriter } from '../ports/disk.ts'
import { GrowingBuffer } from './buffer.ts'
import { compareKeys, decodeKey, encodeKey } from './key.ts'
import { Merge } from './merge.ts'
import { narrow, type PassOptions } from './passes.ts'
import type { Segment } from './segment.ts'
import { TableFile, type TableBlock } from './tablefile.ts'
import { appendLength, endMark, groupsIn, lengthBytes, valuesIn } from './tablelayout.ts'

interface TableOptions extends PassOptions {
  readonly segments: readonly Segment[]
  readonly memoryBytes: number
  /** Only whether a key is there will be asked: values are left out. */
  readonly keysOnly?: boolean | undefined
  /** Called now and then; returns a promise when the event loop should be yielded to. */
  readonly pause?: (() => Promise<void> | undefined) | undefined
}

/** Values of one key. `at`: place of the group, the same in each lookup. */
interface TableGroup { readonly at: number; readonly values: Iterable<unknown> }

interface Places { readonly plain: Map<unknown, number>; readonly arrays: Map<string, number> }

const blockBytes = 64 * KiB
/** Bytes that the map needs for a key: an entry of a Map, and a short text. */
const mapEntryBytes = 100
const pauseEvery = 1024

export class JoinTable {
  readonly #buffer = new GrowingBuffer()
  readonly #blocks: TableBlock[] = []
  /** Offset of each group by its key, while all of them are in memory. Keys that are arrays: by their encodings. */
  #places: Places | undefined = { plain: new Map(), arrays: new Map() }
  #mapBytes = 0
  readonly #scratch = new GrowingBuffer(256)
  readonly #path: string
  readonly #disk: Disk
  #writer: DiskWriter | undefined
  #reader: DiskReader | undefined
  #file: TableFile | undefined
  #written = 0
  #records = 0

  /** Reads all segments. REQUIRES: the caller closes the table. Throws CORRUPT, and errors of the disk. */
  static async open(options: TableOptions): Promise<JoinTable> {
    const table = new JoinTable(options)
    try {
      const narrowed = await narrow(options.segments.filter(({ bytes }) => bytes > 0).map(segment => [segment]), options)
      try {
        await table.#fill(new Merge(narrowed.runs.map(run => run[0]!)), options)
      } finally {
        await narrowed.close()
      }
      return table
    } catch (error) {
      await table.close()
      throw error
    }
  }

  private constructor({ disk, directory, name }: TableOptions) {
    this.#disk = disk
    this.#path = `${directory}/${name}.table`
  }

  /** Number of values that were read. */
  get records(): number { return this.#records }

  get isSpilled(): boolean { return this.#places === undefined }

  async #fill(merge: Merge, { memoryBytes, keysOnly = false, pause = () => undefined }: TableOptions): Promise<void> {
    const buffer = this.#buffer
    /** Offset of the present block; -1: the next group begins one. */
    let block = -1
    while (merge.nextGroup()) {
      const start = this.#written + buffer.length
      if (block < 0 || start - block >= blockBytes) {
        this.#blocks.push({ key: Buffer.from(merge.key.subarray(0, merge.keyEnd)), offset: start })
        block = start
      }
      if (this.#places) this.#place(merge, start)
      appendLength(buffer, merge.keyEnd)
      buffer.copy(merge.key, 0, merge.keyEnd)
      while (merge.inGroup) {
        if (!keysOnly) {
          const { bytes, valueStart, valueEnd } = merge.entry!
          appendLength(buffer, valueEnd - valueStart)
          buffer.copy(bytes, valueStart, valueEnd)
        }
        merge.step()
        if (++this.#records % pauseEvery === 0) await pause()
        if (buffer.length + this.#mapBytes > memoryBytes) await this.#spill()
      }
      appendLength(buffer, endMark)
      if (this.#written + buffer.length - start > blockBytes) {
        if (block !== start) this.#blocks.push({ key: Buffer.from(merge.key.subarray(0, merge.keyEnd)), offset: start })
        block = -1
      }
    }
    if (this.#writer) await this.#endFile(memoryBytes)
  }

  #place(merge: Merge, start: number): void {
    const key = decodeKey(merge.key, 0, merge.keyEnd)
    if (isArray(key)) this.#places!.arrays.set(merge.key.toString('latin1', 0, merge.keyEnd), start)
    else this.#places!.plain.set(key, start)
    this.#mapBytes += mapEntryBytes + merge.keyEnd
  }

  async #spill(): Promise<void> {
    this.#writer ??= await this.#disk.create(this.#path, { exclusive: false, mode: 0o600 })
    this.#places = undefined
    this.#mapBytes = 0
    const { bytes, length } = this.#buffer
    this.#writer.writeSync(bytes.subarray(0, length))
    this.#written += length
    this.#buffer.length = 0
  }

  async #endFile(memoryBytes: number): Promise<void> {
    await this.#spill()
    this.#reader = await this.#disk.openRead(this.#path)
    this.#file = new TableFile(this.#reader, { path: this.#path, memoryBytes })
  }

  /** Undefined if no value has this key. Throws EINVAL for a value that cannot be a key. */
  find(key: Key): TableGroup | undefined {
    if (this.#places && !isArray(key)) {
      const at = this.#places.plain.get(key)
      if (at !== undefined) return this.#inMemory(at)
    }
    // Also where a plain key was not found: it may be no key at all.
    const scratch = this.#scratch
    scratch.length = 0
    encodeKey(key, scratch)
    if (!this.#places) return this.#inFile(scratch.bytes, scratch.length)
    const at = isArray(key) ? this.#places.arrays.get(scratch.bytes.toString('latin1', 0, scratch.length)) : undefined
    return at === undefined ? undefined : this.#inMemory(at)
  }

  #inMemory(at: number): TableGroup {
    const { bytes } = this.#buffer
    return { at, values: valuesIn(bytes, at + lengthBytes + bytes.readUInt32LE(at)) }
  }

  #inFile(key: Buffer, keyEnd: number): TableGroup | undefined {
    const blocks = this.#blocks
    let [low, high] = [0, blocks.length]
    while (low < high) {
      const middle = (low + high) >> 1
      const first = blocks[middle]!.key
      if (compareKeys(first, 0, first.length, key, 0, keyEnd) <= 0) low = middle + 1
      else high = middle
    }
    const block = blocks[low - 1]
    return block && this.#file!.find(block, (blocks[low]?.offset ?? this.#written) - block.offset, key, keyEnd)
  }

  /** Key and values of each group whose place is not among these, in the order of keys. */
  * others(places: ReadonlySet<number>): Generator<readonly [Key, Iterable<unknown>]> {
    const { bytes, length } = this.#buffer
    const groups = this.#file ? this.#file.groups(this.#blocks, this.#written) : groupsIn(bytes, length)
    for (const { at, key, values } of groups) if (!places.has(at)) yield [key, values]
  }

  /** Removes the file. */
  async close(): Promise<void> {
    await this.#reader?.close()
    if (!this.#writer) return
    await this.#writer.close()
    await this.#disk.remove(this.#path)
  }
}

const isArray = (key: Key): boolean => typeof key === 'object' && key !== null
