// Reads the splits of a stage from a job spec: packed, or as objects in specs of earlier versions. Splits stay packed in memory while the
// job runs; one is unpacked when its task starts.

import { AssertionFailed, unreachable } from '../../../src/base/assert.ts'
import type { SplitsId } from '../../../src/base/ids.ts'
import { inputsOf, type JobSpec, type StageInput, type StageSpec } from '../../../src/protocol/job.ts'
import { unpackSplit } from '../../../src/protocol/packed.ts'
import type { Split } from '../../../src/protocol/task.ts'
import { staleSplits } from './pages.ts'

type SplitInput = Extract<StageInput, { kind: 'splits' | 'packed' }>

export const hasSplits = (input: StageInput): input is SplitInput => input.kind === 'splits' || input.kind === 'packed'

/** Number of tasks. */
export function taskCount(input: StageInput): number {
  switch (input.kind) {
    case 'splits': return input.splits.length
    case 'packed': return (input.sent?.tasks ?? 0) + input.splits.length
    case 'shuffle': case 'join': return input.partitions
    case 'values': return input.parts
    case 'output': return 1
    default: return unreachable(input)
  }
}

/** Branch of a task of a stage, and the number of the task in its branch. */
export function branchOf(stage: Pick<StageSpec, 'input' | 'more'>, task: number): { input: StageInput; branch: number; index: number } {
  let index = task
  for (const [branch, input] of inputsOf(stage).entries()) {
    const count = taskCount(input)
    if (index < count) return { input, branch, index }
    index -= count
  }
  throw new AssertionFailed(`the stage has a task ${task}`)
}

/** REQUIRES: the spec includes all uploaded splits. */
export function splitAt(input: SplitInput, task: number): Split {
  return input.kind === 'splits' ? input.splits[task]! : unpackSplit(input.splits[task]!)
}

/** Size of a task's split in characters of its packed form, estimated for splits as objects; grows with its files and blocks. */
export function splitSize(stage: Pick<StageSpec, 'input' | 'more'>, task: number): number {
  const { input, index } = branchOf(stage, task)
  switch (input.kind) {
    case 'splits': return input.splits[index]!.ranges.reduce((sum, { blocks }) => sum + 20 * (1 + blocks.length), 0)
    case 'packed': return input.splits[index]!.length
    case 'shuffle': case 'join': case 'values': case 'output': return 0
    default: return unreachable(input)
  }
}

/** Returns the spec with the uploaded splits inserted. Throws ESTALE if they are missing. */
export async function wholeSpec(
  spec: JobSpec,
  { page, pause }: { page(id: SplitsId, page: number): readonly string[] | undefined; pause(): Promise<void> },
): Promise<JobSpec> {
  const stages: JobSpec['stages'] = []
  for (const stage of spec.stages) {
    const inputs: StageInput[] = []
    for (const each of inputsOf(stage)) inputs.push(await whole(each))
    const [input, ...more] = inputs
    stages.push({ ...stage, input: input!, ...stage.more && { more } })
  }
  return { ...spec, stages }

  async function whole(input: StageInput): Promise<StageInput> {
    if (input.kind !== 'packed' || !input.sent) return input
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
    return { ...rest, splits }
  }
}

/** Part of a spec that the scheduler keeps in memory: without parameters and input names, which are in the store. */
export const heldSpec = ({ inputs: _, patterns: __, ...spec }: JobSpec): JobSpec => ({ ...spec, params: {} })

const chars = new WeakMap<JobSpec, number>()

/** Characters of all splits in the spec, a measure of their memory. Computed once per spec. */
export function splitChars(spec: JobSpec): number {
  let known = chars.get(spec)
  if (known === undefined) chars.set(spec, known = spec.stages.flatMap(inputsOf).reduce((sum, input) => sum + inputChars(input), 0))
  return known
}

function inputChars(input: StageInput): number {
  switch (input.kind) {
    case 'splits': return input.splits.reduce((sum, split) => sum + objectChars(split), 0)
    case 'packed': return input.splits.reduce((sum, { length }) => sum + length, 0)
    case 'shuffle': case 'join': case 'values': case 'output': return 0
    default: return unreachable(input)
  }
}

/** Approximate size of a split as JSON. */
const objectChars = ({ ranges }: Split): number =>
  ranges.reduce((sum, { path, blocks }) => sum + 100 + path.length + blocks.length * 60, 30)
