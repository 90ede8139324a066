// Completes the stages of a job that is submitted: cuts the input of each into splits, and sets the number of partitions of each shuffle
// for which neither the program nor the run sets one: one for each 64 MiB of input.

import type { InputOptions } from '../../src/base/formats.ts'
import { partitionsAuto } from '../../src/plan/stage.ts'
import type { StageInput, StageSpec } from '../../src/protocol/job.ts'
import type { Split } from '../../src/protocol/task.ts'
import { partitionBytesDefault, type PlannedInput, type PlannedStage } from './layout.ts'
import { pagesOf } from './send.ts'

/** A stage whose splits are packed into pages. */
export type CutStage = Omit<StageSpec, 'input' | 'more'> & { readonly inputs: readonly CutInput[] }

type CutInput =
  | { readonly kind: 'pages'; readonly pages: readonly (readonly string[])[]; readonly options: InputOptions }
  | Exclude<StageInput, { kind: 'splits' | 'packed' }>

type FilesInput = Extract<PlannedInput, { kind: 'files' }>

const partitionsMax = 1000

/** True for stages of which some first tasks can be run alone: each task reads a split, and its values are those of the job. */
export const isDivisible = (stages: ReadonlyArray<Pick<PlannedStage, 'inputs'>>): boolean =>
  stages.length === 1 && stages[0]!.inputs.length === 1 && stages[0]!.inputs[0]!.kind === 'files'

interface CutOptions {
  /** Tasks of a job whose stages are divisible; default: all. */
  readonly tasks?: number | undefined
  /** Size of a partition where their number is open; default: `partitionBytesDefault`. */
  readonly partitionBytes?: number | undefined
}

/** `isPart`: there are more tasks than were asked for. */
export async function cutStages(
  stages: readonly PlannedStage[], splitsOf: (input: FilesInput) => Promise<Split[]>,
  { tasks = Infinity, partitionBytes = partitionBytesDefault }: CutOptions = {},
): Promise<{ readonly cut: CutStage[]; readonly isPart: boolean }> {
  let isPart = false
  const cut: CutStage[] = []
  let bytes = 0
  // An input that several stages read is listed and counted once.
  const known = new Map<string, Split[]>()
  const sampling = new Set<number>()
  for (const [index, { inputs, broadcasts, isSampling, ...stage }] of stages.entries()) {
    if (isSampling) sampling.add(index)
    const own: CutInput[] = []
    for (const input of inputs) {
      if (input.kind !== 'files') {
        own.push(input.kind === 'join' ? { ...input, stages: [...input.stages] } : input)
        continue
      }
      const name = JSON.stringify([input.paths, input.options])
      const splits = known.get(name) ?? await splitsOf(input)
      if (!known.has(name)) bytes += splits.reduce((sum, split) => sum + split.bytes, 0)
      known.set(name, splits)
      isPart ||= splits.length > tasks
      own.push({ kind: 'pages', pages: pagesOf(splits.slice(0, tasks)), options: input.options })
    }
    cut.push({ ...stage, inputs: own, ...broadcasts.length > 0 && { broadcasts: [...broadcasts] } })
  }
  return { cut: withPartitions(cut, sampling, Math.max(1, Math.min(partitionsMax, Math.ceil(bytes / partitionBytes)))), isPart }
}

/** Sets the number of partitions where it is open. A sort into one partition needs no samples: the tasks that take them are dropped. */
function withPartitions(stages: readonly CutStage[], sampling: ReadonlySet<number>, auto: number): CutStage[] {
  const chosen = stages.map(({ output }) => (output.kind === 'shuffle' && output.partitions === partitionsAuto ? auto : undefined))
  const isSampled = (stage: number): boolean =>
    stages.some(({ output, broadcasts }, reader) =>
      broadcasts?.includes(stage) && output.kind === 'shuffle' && (chosen[reader] ?? output.partitions) > 1)
  return stages.map((stage, index) => {
    const { output, adapt, ...more } = stage
    const isDropped = sampling.has(index) && !isSampled(index)
    const inputs = isDropped
      ? [{ kind: 'values', parts: 0 } as const]
      : stage.inputs.map(input => ((input.kind === 'shuffle' || input.kind === 'join') && input.partitions === partitionsAuto
          ? { ...input, partitions: auto }
          : input))
    return {
      ...more, inputs, ...adapt && !isDropped && { adapt },
      output: chosen[index] === undefined ? output : { ...output, partitions: auto } as typeof output,
    }
  })
}
