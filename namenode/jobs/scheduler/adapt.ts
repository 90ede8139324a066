// Adaptive rules: the tasks of a stage, rewritten from the exact bytes of the partitions that it reads, before its first task starts. Pure.
// INVARIANT: a layout names partitions, and the numbers of the tasks that have written them; never attempts, nodes or positions. A task of
// a stage that is read keeps its number when it runs again, and gives the same rows: the tasks of a layout then read the same rows, each
// once.
// INVARIANT: a layout depends on the job and on its data alone, and not on nodes, slots or time: a run with faults has the same one, but
// for a stage that begins while a datanode of an earlier version is known (fit.ts), which is not rewritten.

import { limits } from '../../../src/base/limits.ts'
import { formatBytes } from '../../../src/base/units.ts'
import type { Adapt, StageLayout } from '../../../src/protocol/job.ts'
import type { TaskParts } from '../../../src/protocol/task.ts'

/** A side of the stage's input. */
export interface AdaptSide {
  /** Bytes of each partition. */
  readonly bytes: readonly number[]
  /** Map outputs. */
  readonly tasks: number
}

/** A partition is skewed if it has more bytes than so many times the median, as in Spark. */
const skew = 5

/** Segments that a task may read one by one: partitions times map outputs of both sides. Each costs some 0.1 ms. */
const segmentsMax = 5_000

type Note = StageLayout['rules'][number]

/** Undefined: no rule applies, and each partition has its task. */
export function adapted(adapt: Adapt, sides: readonly AdaptSide[]): StageLayout | undefined {
  const partitions = sides[0]!.bytes.length
  const rules: Note[] = []
  const kept = keptPartitions(adapt, sides, rules)
  const tasks = asTable(adapt, sides, kept, rules) ?? merged(adapt, sides, kept, rules)
  if (rules.length === 0 || tasks.length > limits.stageTasksMax) return undefined
  return partitions === 0 ? undefined : { tasks, rules }
}

/** Numbers of the partitions that may give something. */
function keptPartitions({ empty }: Adapt, sides: readonly AdaptSide[], rules: Note[]): number[] {
  const all = [...sides[0]!.bytes.keys()]
  if (!empty) return all
  const isEmpty = (partition: number): boolean => empty.some(list => list.every(side => sides[side]!.bytes[partition] === 0))
  const kept = all.filter(partition => !isEmpty(partition))
  if (kept.length < all.length)
    rules.push({ rule: 'drop-empty-partitions', why: `${all.length - kept.length} of ${plural(all.length, 'partition')} give nothing` })
  return kept
}

/** A small side of a join becomes a table: the other one need not be moved by key. */
function asTable({ table }: Adapt, sides: readonly AdaptSide[], kept: readonly number[], rules: Note[]): TaskParts[] | undefined {
  if (!table || kept.length < 2) return undefined
  const total = (side: number): number => kept.reduce((sum, partition) => sum + sides[side]!.bytes[partition]!, 0)
  const [small] = table.sides.filter(side => total(side) <= table.bytes && total(side) < total(1 - side))
    .sort((a, b) => total(a) - total(b))
  if (small === undefined) return undefined
  const side = 1 - small
  const { tasks: outputs } = sides[side]!
  const count = Math.max(1, Math.min(outputs, Math.ceil(total(side) / table.taskBytes)))
  if (kept.length * (Math.ceil(outputs / count) + sides[small]!.tasks) > segmentsMax) return undefined
  rules.push({
    rule: 'switch-joins',
    why: `its ${small === 0 ? 'left' : 'right'} side has ${formatBytes(total(small))}, at most ${formatBytes(table.bytes)}: `
      + `a table in ${plural(count, 'task')}`,
  })
  return slices(outputs, count).map(([from, to]) => ({ ranges: rangesOf(kept), slice: { side, from, to }, table: true }))
}

function merged({ mergeBytes, split }: Adapt, sides: readonly AdaptSide[], kept: readonly number[], rules: Note[]): TaskParts[] {
  const tasks: TaskParts[] = []
  const bytesOf = (partition: number): number => sides.reduce((sum, { bytes }) => sum + bytes[partition]!, 0)
  const medians = sides.map(({ bytes }) => median(bytes))
  let open: number[] = []
  let openBytes = 0
  let splits = 0
  let unmerged = 0
  const close = (): void => {
    if (open.length > 0) tasks.push({ ranges: rangesOf(open) })
    open = []
    openBytes = 0
  }
  for (const partition of kept) {
    const divided = split && dividedSide(split, sides, medians, partition)
    if (divided) {
      close()
      splits++
      unmerged += divided.count
      for (const [from, to] of slices(sides[divided.side]!.tasks, divided.count))
        tasks.push({ ranges: [[partition, partition + 1]], slice: { side: divided.side, from, to } })
      continue
    }
    const bytes = bytesOf(partition)
    if (mergeBytes === undefined || openBytes + bytes > mergeBytes) close()
    open.push(partition)
    openBytes += bytes
  }
  close()
  const whole = kept.length - splits
  if (tasks.length - unmerged < whole)
    rules.push({
      rule: 'merge-partitions',
      why: `${plural(whole, 'partition')} in ${plural(tasks.length - unmerged, 'task')} of at most ${formatBytes(mergeBytes!)}`,
    })
  if (splits > 0)
    rules.push({
      rule: 'split-partitions',
      why: `${plural(splits, 'partition')} of more than ${formatBytes(split!.bytes)} and ${skew} times the median in `
        + plural(unmerged, 'task'),
    })
  return tasks
}

/** The side of a skewed partition that several tasks divide among them, and their number; undefined: it is read by one. */
function dividedSide(
  { bytes: most, sides: allowed }: NonNullable<Adapt['split']>, sides: readonly AdaptSide[], medians: readonly number[], partition: number,
): { readonly side: number; readonly count: number } | undefined {
  const sizeOf = (side: number): number => sides[side]!.bytes[partition]!
  const [side] = allowed.filter(each => sizeOf(each) > most && sizeOf(each) > medians[each]! * skew).sort((a, b) => sizeOf(b) - sizeOf(a))
  if (side === undefined) return undefined
  const count = Math.min(sides[side]!.tasks, Math.ceil(sizeOf(side) / most))
  return count > 1 ? { side, count } : undefined
}

/** Ranges of so many numbers from 0, of almost one length. REQUIRES: not more ranges than numbers. */
const slices = (length: number, count: number): Array<readonly [number, number]> =>
  Array.from({ length: count }, (_, i) => [Math.floor(length * i / count), Math.floor(length * (i + 1) / count)] as const)

function rangesOf(partitions: readonly number[]): Array<[number, number]> {
  const ranges: Array<[number, number]> = []
  for (const partition of partitions) {
    const last = ranges.at(-1)
    if (last?.[1] === partition) last[1]++
    else ranges.push([partition, partition + 1])
  }
  return ranges
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

const plural = (count: number, one: string): string => `${count} ${one}${count === 1 ? '' : 's'}`
