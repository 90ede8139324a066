// Merge passes: reduces the number of sorted runs to the fan-in of one merge, by merging some to disk first. Only adjacent runs are merged,
// because the order of runs decides the order of values; the adjacent runs with the fewest bytes are chosen.

import { assert } from '../base/assert.ts'
import type { Disk, DiskReader } from '../ports/disk.ts'
import { Merge } from './merge.ts'
import { segmentInFile, type Extent, type Segment } from './segment.ts'
import { SegmentWriter } from './writer.ts'

/** A sorted run: one segment per partition. */
export type SortedRun = readonly Segment[]

/** Each open run takes one or two frames of memory: 64 runs take about 16 MiB. */
const fanInMax = 64

export interface PassOptions {
  readonly disk: Disk
  /** Directory for temporary files; their names begin with `name`. */
  readonly directory: string
  readonly name: string
  readonly fanIn?: number | undefined
  readonly signal?: AbortSignal | undefined
}

interface Narrowed {
  readonly runs: readonly SortedRun[]
  /** Number of merges to disk. */
  readonly passes: number
  /** Closes and removes the temporary files. */
  close(): Promise<void>
}

export async function narrow(runs: readonly SortedRun[], options: PassOptions): Promise<Narrowed> {
  const { disk, fanIn = fanInMax } = options
  assert(fanIn >= 2, 'a merge has at least two inputs')
  const left = [...runs]
  const files: Array<{ path: string; reader: DiskReader | undefined }> = []
  const close = async () => {
    for (const { path, reader } of files.splice(0)) {
      await reader?.close()
      await disk.remove(path)
    }
  }
  try {
    while (left.length > fanIn) {
      options.signal?.throwIfAborted()
      const count = Math.min(fanIn, left.length - fanIn + 1)
      const first = cheapest(left, count)
      const file = { path: `${options.directory}/${options.name}.merge${files.length}`, reader: undefined as DiskReader | undefined }
      files.push(file)
      const extents = await mergeRuns(left.slice(first, first + count), file.path, options)
      const reader = await disk.openRead(file.path)
      file.reader = reader
      left.splice(first, count, extents.map(extent => segmentInFile(file.path, reader, extent)))
    }
  } catch (error) {
    await close()
    throw error
  }
  return { runs: left, passes: files.length, close }
}

/** Index of the first of the `count` adjacent runs with the fewest bytes. */
function cheapest(runs: readonly SortedRun[], count: number): number {
  const bytes = runs.map(run => run.reduce((sum, segment) => sum + segment.bytes, 0))
  let window = bytes.slice(0, count).reduce((sum, n) => sum + n, 0)
  let best = window
  let first = 0
  for (let i = count; i < bytes.length; i++) {
    window += bytes[i]! - bytes[i - count]!
    if (window < best) { best = window; first = i - count + 1 }
  }
  return first
}

async function mergeRuns(runs: readonly SortedRun[], path: string, { disk, signal }: PassOptions): Promise<readonly Extent[]> {
  const partitions = runs[0]!.length
  const file = await disk.create(path, { exclusive: false })
  try {
    const writer = new SegmentWriter(file, { partitions, compress: false, mark: false })
    for (let p = 0; p < partitions; p++) {
      signal?.throwIfAborted()
      writer.moveTo(p)
      new Merge(runs.map(run => run[p]!)).copyTo(writer)
    }
    return writer.finish()
  } finally {
    await file.close()
  }
}
