// The map side: what a map attempt emits, kept in memory up to a budget, sorted, and left as one data file with its index.
// `emit` never waits: when memory is full the run so far is sorted and appended to one spill file, on the spot.
// The result depends on what was emitted and on the budget alone, byte for byte.

import { assert } from '../base/assert.ts'
import type { Disk, DiskWriter } from '../ports/disk.ts'
import { Arena } from './arena.ts'
import { Combiner, fold, type Combine } from './combiner.ts'
import { decodeKey, type Key } from './key.ts'
import { Merge } from './merge.ts'
import { narrow, type SortedRun } from './passes.ts'
import type { Partitioner } from './partition.ts'
import { encodeIndex, segmentInFile, type Extent } from './segment.ts'
import { GrowingBuffer } from './buffer.ts'
import { decodeValue, encodeValue } from './value.ts'
import { SegmentWriter } from './writer.ts'

export interface MapOutputOptions {
  readonly partitions: number
  readonly partitioner?: Partitioner | undefined
  readonly combine?: Combine | undefined
  readonly disk: Disk
  /** Exists. The files are `<name>.data`, `<name>.index` and, until `finish`, `<name>.spill` and `<name>.merge<n>`. */
  readonly directory: string
  readonly name: string
  /** Memory for records, about. */
  readonly memoryBytes: number
  /** zstd, if a trial shows that it pays. */
  readonly compress?: boolean | undefined
  readonly fanIn?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface MapOutputCounters {
  /** What emit was called with. */
  readonly emittedRecords: number
  /** Values that went into combine. */
  readonly combinedRecords: number
  /** Runs written before the end because memory was full. */
  readonly spills: number
  readonly spilledRecords: number
  /** In the data file. */
  readonly outputRecords: number
  /** Of entries, before compression. */
  readonly rawBytes: number
}

export interface MapOutputResult {
  readonly file: string
  readonly indexFile: string
  /** Of the data file. */
  readonly bytes: number
  /** By partition. */
  readonly partitions: readonly Extent[]
  readonly counters: MapOutputCounters
}

/** Values of one key decoded at a time when runs are combined. */
const foldMax = 256

export class MapOutput {
  readonly #options: MapOutputOptions
  readonly #arena: Arena
  readonly #combiner: Combiner | undefined
  readonly #budget: number
  readonly #spillFile: DiskWriter
  readonly #runs: Extent[][] = []
  #emitted = 0
  #spilledRecords = 0
  #folded = 0
  #over = false

  private constructor(options: MapOutputOptions, spillFile: DiskWriter) {
    this.#options = options
    this.#spillFile = spillFile
    this.#arena = new Arena(options)
    this.#combiner = options.combine && new Combiner(options.combine)
    // When aggregates are written out they lie in memory twice for a moment, encoded in about half the room.
    this.#budget = this.#combiner ? options.memoryBytes * 0.65 : options.memoryBytes
  }

  static async open(options: MapOutputOptions): Promise<MapOutput> {
    assert(options.partitions >= 1 && options.partitions <= 0xffff, 'a shuffle has 1 to 65535 partitions')
    return new MapOutput(options, await options.disk.create(path(options, 'spill'), { exclusive: false }))
  }

  /** Throws EINVAL for what cannot travel; else what the user's combine or partition function throws, or the disk. */
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

  /** Leaves the data file and its index. Nothing may be emitted afterwards; on failure `discard` cleans up. */
  async finish(): Promise<MapOutputResult> {
    assert(!this.#over, 'a map output is finished once')
    const { disk, signal } = this.#options
    signal?.throwIfAborted()
    const spills = this.#runs.length
    if (spills > 0 && (this.#arena.count > 0 || (this.#combiner?.size ?? 0) > 0)) this.#spill()
    this.#over = true
    await this.#spillFile.close()
    const file = path(this.#options, 'data')
    const data = await disk.create(file, { exclusive: false })
    let rawBytes: number
    try {
      rawBytes = spills === 0 ? this.#writeRun(data, true) : await this.#mergeRuns(data)
    } finally {
      await data.close()
    }
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

  /** One value a key. A key with one value is copied without decoding it. */
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
    if (!this.#over) {
      this.#over = true
      await this.#spillFile.close()
    }
    for (const kind of ['spill', 'data', 'index'] as const) await this.#options.disk.remove(path(this.#options, kind))
  }
}

function path({ directory, name }: MapOutputOptions, kind: 'spill' | 'data' | 'index'): string {
  return `${directory}/${name}.${kind}`
}
