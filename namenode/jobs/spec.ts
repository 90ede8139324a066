// Validation of a submitted job. Schemas have checked its shape; this checks its parts against each other. No other check follows.

import { unreachable } from '../../src/base/assert.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { checkPath, isWithin, systemDirectory } from '../../src/base/paths.ts'
import { checkApart, notApart } from '../../src/protocol/overlap.ts'
import { checkParams, inputsOf, sourcesOf, type JobSpec, type StageInput } from '../../src/protocol/job.ts'
import type { SplitRange } from '../../src/protocol/task.ts'
import { taskCount } from './splits/splits.ts'

/** Partitions of one shuffle; each is a task and, in the last stage, an output file. */
const partitionsMax = limits.stageTasksMax

/** `/part-00000.jsonl`, with up to ten digits. */
const partNameBytes = 32

/** Throws EINVAL or TOO_LARGE, naming the wrong part. */
export function checkSpec(spec: JobSpec): void {
  checkOutputPath(spec.output.path)
  checkApart(spec.output.path, spec.inputs ?? [])
  checkParams(spec.params)
  const namedChars = [...spec.inputs ?? [], ...spec.patterns ?? []].reduce((sum, { length }) => sum + length, 0)
  if (namedChars > limits.jobNamedCharsMax) {
    throw new GristmillError(
      'TOO_LARGE',
      `the paths and patterns that the job names as input have ${namedChars} characters and may have ${limits.jobNamedCharsMax} (limits.jobNamedCharsMax); name directories, or a pattern for many files`,
    )
  }
  if (spec.origin && JSON.stringify(spec.origin).length > limits.originCharsMax)
    throw new GristmillError('TOO_LARGE', `the job's origin has more than ${limits.originCharsMax} characters of JSON; send fewer pins`)
  const inlineBytes = spec.stages.flatMap(inputsOf).reduce(
    (sum, input) => (input.kind === 'packed' ? input.splits.reduce((all, { length }) => all + length, sum) : sum),
    0,
  )
  if (inlineBytes > limits.splitsBodyBytesMax)
    throw new GristmillError(
      'TOO_LARGE',
      `the job brings ${inlineBytes} bytes of packed splits with it, and may bring ${limits.splitsBodyBytesMax}, one page; send the others before it, with job.splits`,
    )
  checkStages(spec)
}

function checkStages({ stages, output: { path } }: JobSpec): void {
  const last = stages.length - 1
  for (const [index, stage] of stages.entries()) {
    const { output, broadcasts = [] } = stage
    if (output.kind === 'shuffle' && (output.partitions < 1 || output.partitions > partitionsMax))
      throw invalid(`stage ${index} has ${output.partitions} partitions; between 1 and ${partitionsMax} are allowed`)
    if ((output.kind === 'files') !== (index === last))
      throw invalid(`the last stage, and only that, writes files; stage ${index} writes ${output.kind}`)
    const tasks = inputsOf(stage).reduce((sum, input) => sum + taskCount(input), 0)
    if (tasks > limits.stageTasksMax) throw invalid(`stage ${index} has ${tasks} tasks, and may have ${limits.stageTasksMax}`)
    for (const input of inputsOf(stage)) checkInput(stages, index, input, path)
    for (const source of broadcasts) if (partitionsOf(stages, index, source) !== 1)
      throw invalid(`stage ${index} reads all of stage ${source}, which has more than one partition`)
  }
  const read = new Set(stages.flatMap(sourcesOf))
  for (const index of stages.keys()) if (index !== last && !read.has(index)) throw invalid(`no stage reads stage ${index}`)
}

function checkInput(stages: JobSpec['stages'], index: number, input: StageInput, output: string): void {
  switch (input.kind) {
    case 'splits':
      for (const { ranges } of input.splits) for (const range of ranges) checkRange(range, output)
      return
    // Checked as they are unpacked (splits/input.ts).
    case 'packed': case 'values': return
    case 'shuffle': case 'join':
      for (const source of input.kind === 'join' ? input.stages : [input.stage]) {
        const partitions = partitionsOf(stages, index, source)
        if (partitions !== input.partitions)
          throw invalid(`stage ${index} has ${input.partitions} tasks for the ${partitions} partitions of stage ${source}`)
      }
      return
    default: unreachable(input)
  }
}

/** Partitions of an earlier stage. */
function partitionsOf(stages: JobSpec['stages'], index: number, source: number): number {
  const output = source < index ? stages[source]?.output : undefined
  if (output?.kind !== 'shuffle') throw invalid(`stage ${index} reads stage ${source}, which is not an earlier one that shuffles`)
  return output.partitions
}

/** Throws EINVAL if a range is impossible or overlaps the output. */
export function checkRange({ path, start, end, fileBytes }: SplitRange, output: string): void {
  if (isWithin(path, output)) throw notApart(output, path)
  if (start > end || end > fileBytes) throw invalid(`a range of ${path}, ${start} to ${end}, does not lie in its ${fileBytes} bytes`)
}

/** Throws if the path cannot be a job's output. */
export function checkOutputPath(path: string): void {
  checkPath(path)
  if (path === '/' || isWithin(path, systemDirectory))
    throw invalid(`its output cannot be ${path}; give a directory that does not exist yet`)
  if (Buffer.byteLength(path) + partNameBytes > limits.pathBytesMax)
    throw new GristmillError('ENAMETOOLONG', `the output ${path.slice(0, 80)}… has too long a path: its parts could not be named`)
}

const invalid = (why: string): GristmillError => new GristmillError('EINVAL', `the job cannot be run: ${why}`)
