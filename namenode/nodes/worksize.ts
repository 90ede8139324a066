// Size of a task as an order, in bytes of JSON: an upper bound, computed without encoding it. An order larger than a
// datanode's reply limit would be requested again and again, and block all later orders.

import { assert } from '../../src/base/assert.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { MiB } from '../../src/base/units.ts'
import type { NodePlace } from '../../src/protocol/fields.ts'
import type { Split, SplitRange, TaskWork } from '../../src/protocol/task.ts'

/**
 * Job parameters as JSON, which travel with every task. Bound for jobs of earlier versions; new jobs are bound by
 * limits.jobParamsBytesMax.
 */
const paramsBytesMax = 16 * MiB
/** Ranges of a split with paths and blocks. A thousand ranges with paths of 300 bytes and two blocks each take 0.7 MB. */
const splitBytesMax = 8 * MiB
/** Blocks of a split: the maximum of a file. */
export const splitBlocksMax = limits.fileBlocksMax
/**
 * Blocks of a split whose locations and tokens travel with the task, which takes about 5 ms; the task asks for those of the others when it
 * comes to them, page by page. At 200 MB/s a task reads as many blocks of 128 MiB in the ten minutes for which a token is valid.
 */
export const locatedBlocksMax = 1000
/** Locations of its blocks, with a token per block. The farthest locations are dropped first. */
const placesBytesMax = 16 * MiB
/** Whole order. */
export const workBytesMax = 48 * MiB
/** Fixed fields, including their paths. */
const restBytes = 64 * 1024
const rangeBytes = 200
const blockBytes = 110
const placeBytes = 300
const tokenBytes = 150

assert(limits.jobParamsBytesMax < paramsBytesMax)
assert(
  paramsBytesMax + splitBytesMax + placesBytesMax + (limits.environmentBytesMax + limits.historyBytesMax) * 6 + 1024 * 1024 < workBytesMax,
)

const textBytes = (text: string): number => Buffer.byteLength(JSON.stringify(text))

const bytesOfRange = ({ path, blocks }: Pick<SplitRange, 'path' | 'blocks'>): number =>
  rangeBytes + textBytes(path) + blocks.length * blockBytes

/** Throws TOO_LARGE if the task would exceed an order's limit, EINVAL if a range names a block twice. */
export function* checkedRanges({ ranges }: Split): Iterable<SplitRange> {
  let bytes = 0
  let blocks = 0
  for (const range of ranges) {
    bytes += bytesOfRange(range)
    blocks += range.blocks.length
    if (bytes > splitBytesMax || blocks > splitBlocksMax) {
      throw new GristmillError(
        'TOO_LARGE',
        `a split with ${range.path.slice(0, 200)} has over ` +
        `${bytes > splitBytesMax ? `${splitBytesMax} bytes of paths and blocks` : `${splitBlocksMax} blocks`}, ` +
        'and travels with its task; make more and smaller splits',
      )
    }
    checkDistinct(range)
    yield range
  }
}

function checkDistinct({ path, blocks }: SplitRange): void {
  if (blocks.length < 2) return
  if (new Set(blocks.map(({ id }) => id)).size < blocks.length)
    throw new GristmillError('EINVAL', `the job cannot be run: a range of ${path.slice(0, 200)} names a block twice`)
}

/** Locations sent per block: five for a split of the largest file, all sixteen for up to three thousand blocks. */
export const placesMax = (blocks: number): number =>
  Math.max(1, Math.floor((placesBytesMax / Math.max(1, blocks) - tokenBytes) / placeBytes))

const bytesOfPlace = ({ node, address, rack, host }: NodePlace): number =>
  60 + textBytes(node) + textBytes(address) + textBytes(rack) + textBytes(host)

/**
 * Reason why a task cannot be ordered; undefined if it can. New specs are checked at submission; this is for jobs of earlier versions.
 */
export function tooLarge(work: TaskWork): GristmillError | undefined {
  const bytes = workBytes(work)
  if (bytes <= workBytesMax) return undefined
  return new GristmillError(
    'TOO_LARGE',
    `task ${work.task} of stage ${work.stage} has ${bytes} bytes with its parameters and its split, and a datanode takes ${workBytesMax}; submit the job again with smaller splits and parameters`,
  )
}

/** Upper bound of the order's bytes. All tasks of a job share one parameters object, which is encoded once. */
export function workBytes({ params, env, driver, input }: TaskWork): number {
  let bytes = restBytes + writtenBytes(params) + (driver ? writtenBytes(driver) : 0)
  for (const [name, value] of Object.entries(env ?? {})) bytes += textBytes(name) + textBytes(value)
  if (input.kind !== 'split') return bytes
  for (const range of input.split.ranges) bytes += bytesOfRange(range)
  for (const { token, nodes } of input.places) {
    bytes += 50 + token.length
    for (const place of nodes) bytes += bytesOfPlace(place)
  }
  return bytes
}

const written = new WeakMap<object, number>()

/** Bytes of an object that all tasks of a job share. */
function writtenBytes(shared: object): number {
  let bytes = written.get(shared)
  if (bytes === undefined) written.set(shared, bytes = Buffer.byteLength(JSON.stringify(shared)))
  return bytes
}
