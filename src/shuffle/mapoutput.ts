// Map side of the shuffle: collects the records that a map attempt emits, in memory up to a budget, sorts them, and writes one data file
// with an index. `emit` never waits: when the budget is used up, it sorts the records and appends them to the spill file synchronously.
// Invariant: the bytes of the result depend only on the emitted records and the budget.

import { assert, assertKept } from '../base/assert.ts'
import type { Key } from '../base/pair.ts'
import type { Disk, DiskWriter } from '../ports/disk.ts'
import type { Arena, ArenaOptions } from './arena.ts'
import { Combiner, fold, type Combine } from './combiner.ts'
import { decodeKey } from './key.ts'
import { Merge } from './merge.ts'
import { narrow, type SortedRun } from './passes.ts'
import { encodeIndex, segmentInFile, type Extent } from './segment.ts'
import { GrowingBuffer } from './buffer.ts'
import { decodeValue } from './decode.ts'
import { SpareArena } from './spare.ts'
import { encodeValue } from './value.ts'
import { SegmentWriter } from './writer.ts'

export interface MapOutputOptions extends ArenaOptions {
  /** Memory that the process keeps. Default: the output has its own. */
  readonly spare?: SpareArena | undefined
  readonly combine?: Combine | undefined
  readonly disk: Disk
  /** REQUIRES: it exists. Files: `<name>.data`, `<name>.index` and, until `finish`, `<name>.spill` and `<name>.merge<n>`. */
  readonly directory: string
  readonly name: string
  /** Approximate memory budget for records. */
  readonly memoryBytes: number
  /** Use zstd if a trial shows that it saves enough. */
  readonly compress?: boolean | undefined
  readonly fanIn?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface MapOutputCounters {
  /** Number of calls of emit. */
  readonly emittedRecords: number
  /** Number of values passed to combine. */
  readonly combinedRecords: number
  /** Runs written before the end because memory was full. */
  readonly spills: number
  readonly spilledRecords: number
  /** Records in the data file. */
  readonly outputRecords: number
  /** Bytes of entries, before compression. */
  readonly rawBytes: number
}

export interface MapOutputResult {
  readonly file: string
  readonly indexFile: string
  /** Size of the data file. */
  readonly bytes: number
  /** By partition. */
  readonly partitions: readonly Extent[]
  readonly counters: MapOutputCounters
}

/** Values of one key decoded at a time when runs are combined. */
const foldMax = 256

export class MapOutput {
  readonly #options: MapOutputOptions
  readonly #spare: SpareArena
  readonly #arena: Arena
  readonly #combiner: Combiner | undefined
  readonly #budget: number
  readonly #spillFile: DiskWriter
  readonly #runs: Extent[][] = []
  #emitted = 0
  #spilledRecords = 0
  #folded = 0
  #finished = false

  private constructor(options: MapOutputOptions, spillFile: DiskWriter) {
    this.#options = options
    this.#spillFile = spillFile
    this.#spare = options.spare ?? new SpareArena()
    this.#arena = this.#spare.take(options, options.memoryBytes)
    this.#combiner = options.combine && new Combiner(options.combine)
    // While the table is drained, its aggregates are in memory twice; encoded they take about half the space.
    this.#budget = this.#combiner ? options.memoryBytes * 0.65 : options.memoryBytes
  }

  static async open(options: MapOutputOptions): Promise<MapOutput> {
    assert(options.partitions >= 1 && options.partitions <= 0xffff, 'a shuffle has 1 to 65535 partitions')
    return new MapOutput(options, await options.disk.create(path(options, 'spill'), { exclusive: false }))
  }

  /** Throws EINVAL for a key or value that cannot be serialised, the error of the user's combine or partition function, or the disk's. */
  emit(key: Key, value: unknown): void {
    this.#emitted++
    const combiner = this.#combiner
    if (combiner) {
      combiner.add(key, value)
      if (combiner.usedBytes > this.#budget) this.#spill()
    } else {
      const arena = this.#arena
      arena.add(key, value)
      if (arena.usedBytes > this.#budget || arena.isFull) this.#spill()
    }
  }

  /** Bytes of records in memory now. */
  get usedBytes(): number { return this.#combiner?.usedBytes ?? this.#arena.usedBytes }

  /** Throws AssertionFailed if the bytes in memory or the spilled records differ from a recount. For tests. REQUIRES: not finished. */
  checkState(): void {
    this.#combiner?.checkState()
    assertKept('spilled records', this.#spilledRecords, this.#runs.flat().reduce((sum, { records }) => sum + records, 0))
  }

  #spill(): void {
    const before = this.#runs.length
    this.#writeRun(this.#spillFile, false)
    for (const extent of this.#runs[before]!) this.#spilledRecords += extent.records
  }

  #writeRun(file: DiskWriter, final: boolean): number {
    this.#combiner?.drainTo(this.#arena)
    const writer = new SegmentWriter(file, {
      partitions: this.#options.partitions,
      compress: final && this.#options.compress === true,
      mark: final,
    })
    this.#arena.drainTo(writer)
    this.#runs.push(writer.finish())
    return writer.rawBytes
  }

  /** Writes the data file and its index. REQUIRES: no `emit` afterwards; after a failure the caller must call `discard`. */
  async finish(): Promise<MapOutputResult> {
    assert(!this.#finished, 'a map output is finished once')
    const { disk, signal } = this.#options
    signal?.throwIfAborted()
    const spills = this.#runs.length
    if (spills > 0 && (this.#arena.count > 0 || (this.#combiner?.size ?? 0) > 0)) this.#spill()
    this.#finished = true
    await this.#spillFile.close()
    const file = path(this.#options, 'data')
    const data = await disk.create(file, { exclusive: false })
    let rawBytes: number
    try {
      rawBytes = spills === 0 ? this.#writeRun(data, true) : await this.#mergeRuns(data)
    } finally {
      await data.close()
    }
    this.#spare.give(this.#arena)
    await disk.remove(path(this.#options, 'spill'))
    const partitions = this.#runs.at(-1)!
    const indexFile = path(this.#options, 'index')
    const index = await disk.create(indexFile, { exclusive: false })
    try {
      index.writeSync(encodeIndex(partitions))
    } finally {
      await index.close()
    }
    const outputRecords = partitions.reduce((sum, extent) => sum + extent.records, 0)
    return {
      file, indexFile, bytes: data.bytes, partitions,
      counters: {
        emittedRecords: this.#emitted, combinedRecords: this.#folded + (this.#combiner?.combinedRecords ?? 0),
        spills, spilledRecords: this.#spilledRecords, outputRecords, rawBytes,
      },
    }
  }

  async #mergeRuns(data: DiskWriter): Promise<number> {
    const { disk, partitions, signal } = this.#options
    const spillPath = path(this.#options, 'spill')
    const spilled = await disk.openRead(spillPath)
    try {
      const runs: SortedRun[] = this.#runs.map(extents => extents.map(extent => segmentInFile(spillPath, spilled, extent)))
      const narrowed = await narrow(runs, this.#options)
      try {
        const writer = new SegmentWriter(data, { partitions, compress: this.#options.compress === true, mark: true })
        for (let p = 0; p < partitions; p++) {
          signal?.throwIfAborted()
          writer.moveTo(p)
          const merge = new Merge(narrowed.runs.map(run => run[p]!))
          if (this.#options.combine) this.#combineTo(writer, merge, this.#options.combine)
          else merge.copyTo(writer)
        }
        this.#runs.push(writer.finish())
        return writer.rawBytes
      } finally {
        await narrowed.close()
      }
    } finally {
      await spilled.close()
    }
  }

  /** Writes one combined value per key. The value of a key with only one is copied without decoding. */
  #combineTo(writer: SegmentWriter, merge: Merge, combine: Combine): void {
    const sink = new GrowingBuffer()
    const values: unknown[] = []
    while (merge.nextGroup()) {
      const first = merge.entry!
      sink.length = 0
      sink.copy(first.bytes, first.valueStart, first.valueEnd)
      merge.step()
      if (merge.inGroup) {
        const key = decodeKey(merge.key, 0, merge.keyEnd)
        values.length = 0
        values.push(decodeValue(sink.bytes, 0, sink.length))
        while (merge.inGroup) {
          const { bytes, valueStart, valueEnd } = merge.entry!
          values.push(decodeValue(bytes, valueStart, valueEnd))
          merge.step()
          if (values.length < foldMax && merge.inGroup) continue
          const result = fold(combine, key, values)
          this.#folded += values.length
          values.length = 0
          values.push(result)
        }
        sink.length = 0
        encodeValue(values[0], sink)
      }
      writer.add(merge.key, 0, merge.keyEnd, sink.bytes, 0, sink.length, false)
    }
  }

  /** Removes every file of this output, finished or not. */
  async discard(): Promise<void> {
    if (!this.#finished) {
      this.#finished = true
      await this.#spillFile.close()
    }
    for (const kind of ['spill', 'data', 'index'] as const) await this.#options.disk.remove(path(this.#options, kind))
  }
}

function path({ directory, name }: MapOutputOptions, kind: 'spill' | 'data' | 'index'): string {
  return `${directory}/${name}.${kind}`
}
