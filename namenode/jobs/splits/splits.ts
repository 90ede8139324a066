// Reads the splits of a stage from a job spec: packed, or as objects in specs of earlier versions. Splits stay packed in memory while the
// job runs; one is unpacked when its task starts.

import type { SplitsId } from '../../../src/base/ids.ts'
import type { JobSpec, StageSpec } from '../../../src/protocol/job.ts'
import { unpackSplit } from '../../../src/protocol/packed.ts'
import type { Split } from '../../../src/protocol/task.ts'
import { staleSplits } from './pages.ts'

type StageInput = StageSpec['input']

/** Number of tasks; undefined for a stage that reads a shuffle. */
export function splitCount(input: StageInput): number | undefined {
  switch (input.kind) {
    case 'splits': return input.splits.length
    case 'packed': return (input.sent?.tasks ?? 0) + input.splits.length
    case 'shuffle': return undefined
  }
}

/** REQUIRES: the spec includes all uploaded splits. */
export function splitAt(input: Exclude<StageInput, { kind: 'shuffle' }>, task: number): Split {
  return input.kind === 'splits' ? input.splits[task]! : unpackSplit(input.splits[task]!)
}

/** Size of a task's split in characters of its packed form, estimated for splits as objects; grows with its files and blocks. */
export function splitSize(input: StageInput, task: number): number {
  switch (input.kind) {
    case 'splits': return input.splits[task]!.ranges.reduce((sum, { blocks }) => sum + 20 * (1 + blocks.length), 0)
    case 'packed': return input.splits[task]!.length
    case 'shuffle': return 0
  }
}

/** Returns the spec with the uploaded splits inserted. Throws ESTALE if they are missing. */
export async function wholeSpec(
  spec: JobSpec,
  { page, pause }: { page(id: SplitsId, page: number): readonly string[] | undefined; pause(): Promise<void> },
): Promise<JobSpec> {
  const stages: StageSpec[] = []
  for (const stage of spec.stages) {
    const { input } = stage
    if (input.kind !== 'packed' || !input.sent) {
      stages.push(stage)
      continue
    }
    const { id, pages } = input.sent
    const splits: string[] = []
    for (let number = 0; number < pages; number++) {
      const found = page(id, number)
      if (!found) throw staleSplits(id)
      for (const split of found) splits.push(split)
      await pause()
    }
    for (const split of input.splits) splits.push(split)
    const { sent: _, ...rest } = input
    stages.push({ ...stage, input: { ...rest, splits } })
  }
  return { ...spec, stages }
}

/** Part of a spec that the scheduler keeps in memory: without parameters and input names, which are in the store. */
export const heldSpec = ({ inputs: _, patterns: __, ...spec }: JobSpec): JobSpec => ({ ...spec, params: {} })

const chars = new WeakMap<JobSpec, number>()

/** Characters of all splits in the spec, a measure of their memory. Computed once per spec. */
export function splitChars(spec: JobSpec): number {
  let known = chars.get(spec)
  if (known === undefined) chars.set(spec, known = spec.stages.reduce((sum, { input }) => sum + inputChars(input), 0))
  return known
}

function inputChars(input: StageInput): number {
  switch (input.kind) {
    case 'splits': return input.splits.reduce((sum, split) => sum + objectChars(split), 0)
    case 'packed': return input.splits.reduce((sum, { length }) => sum + length, 0)
    case 'shuffle': return 0
  }
}

/** Approximate size of a split as JSON. */
const objectChars = ({ ranges }: Split): number =>
  ranges.reduce((sum, { path, blocks }) => sum + 100 + path.length + blocks.length * 60, 30)
