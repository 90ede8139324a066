// Validation of a submitted job. Schemas have checked its shape; this checks its parts against each other. No other check follows.

import { unreachable } from '../../src/base/assert.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { checkPath, isWithin, systemDirectory } from '../../src/base/paths.ts'
import { checkApart, notApart } from '../../src/protocol/overlap.ts'
import { checkParams, inputsOf, outputStage, resultsDirectory, sourcesOf, type JobSpec, type StageInput } from '../../src/protocol/job.ts'
import { isDrive, type SplitRange } from '../../src/protocol/task.ts'
import { taskCount } from './splits/splits.ts'

/** Partitions of one shuffle; each is a task and, in the last stage, an output file. */
const partitionsMax = limits.stageTasksMax

/** `/part-00000.jsonl`, with up to ten digits. */
const partNameBytes = 32

/** Throws EINVAL or TOO_LARGE, naming the wrong part. */
export function checkSpec(spec: JobSpec): void {
  if (spec.output.result) checkResult(spec)
  else {
    checkOutputPath(spec.output.path)
    checkApart(spec.output.path, spec.inputs ?? [])
  }
  checkHistory(spec)
  checkDrive(spec)
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

/** True for the path of a step's result. */
export const isResult = (path: string): boolean => path.startsWith(`${resultsDirectory}/`)

/** The result of a step has no path of the user's; its name below the system's directory is never made. */
function checkResult({ driver, output: { path, overwrite } }: JobSpec): void {
  if (!driver) throw invalid('its output is the result of a step, and it belongs to no program with steps')
  if (!isResult(path) || overwrite) throw invalid(`the result of a step has a path below ${resultsDirectory}, and replaces nothing; it has ${path}`)
}

/** The job that drives a program has one task, which reads nothing, takes no slot, and returns nothing. */
function checkDrive({ driver, output: { result }, stages: [stage, ...others] }: JobSpec): void {
  const isOwn = driver !== undefined && isDrive({ driver })
  if (isOwn !== (driver?.step === 0)) throw invalid('the job that drives a program, and only that, is its step 0')
  if (!isOwn) return
  const isOne = others.length === 0 && stage!.input.kind === 'values' && stage!.input.parts === 1 && !stage!.more
  if (!isOne || !result) throw invalid('a job that drives a program has one task, and publishes nothing')
}

function checkHistory({ driver }: JobSpec): void {
  const chars = driver?.history.reduce((sum, { length }) => sum + length, 0) ?? 0
  if (chars > limits.historyBytesMax)
    throw new GristmillError(
      'TOO_LARGE',
      `the results of the earlier steps of the program have ${chars} characters, and may have ${limits.historyBytesMax} (limits.historyBytesMax)`,
    )
}

function checkStages({ stages, output: { path, result } }: JobSpec): void {
  const last = stages.length - 1
  const writes = outputStage(stages)
  if (writes < last && result) throw invalid('the result of a step is not published, and has no check')
  for (const [index, stage] of stages.entries()) {
    const { output, broadcasts = [] } = stage
    if (output.kind === 'shuffle' && (output.partitions < 1 || output.partitions > partitionsMax))
      throw invalid(`stage ${index} has ${output.partitions} partitions; between 1 and ${partitionsMax} are allowed`)
    if ((output.kind === 'files') !== (index === writes))
      throw invalid(`the last stage, and only that, writes files; stage ${index} writes ${output.kind}`)
    const isCheck = inputsOf(stage).some(({ kind }) => kind === 'output')
    if (isCheck !== (output.kind === 'check') || (isCheck && (index === writes || stage.more)))
      throw invalid(`the last stage, and only that, checks the output, and reads nothing else; stage ${index} does not fit`)
    const tasks = inputsOf(stage).reduce((sum, input) => sum + taskCount(input), 0)
    if (tasks > limits.stageTasksMax) throw invalid(`stage ${index} has ${tasks} tasks, and may have ${limits.stageTasksMax}`)
    for (const input of inputsOf(stage)) checkInput(stages, index, input, path)
    checkAdapt(stage, index)
    for (const source of broadcasts) if (partitionsOf(stages, index, source) !== 1)
      throw invalid(`stage ${index} reads all of stage ${source}, which has more than one partition`)
  }
  const read = new Set(stages.flatMap(sourcesOf))
  for (const index of stages.keys()) if (index !== last && !read.has(index)) throw invalid(`no stage reads stage ${index}`)
}

/** A stage may be rewritten if all that it reads are the sides of one shuffle or join. */
function checkAdapt({ input, more, adapt, broadcasts = [] }: JobSpec['stages'][number], index: number): void {
  if (!adapt) return
  const sides = input.kind === 'shuffle' ? [input.stage] : input.kind === 'join' ? input.stages : []
  if (sides.length === 0 || more || sides.some(side => broadcasts.includes(side)) || new Set(sides).size < sides.length)
    throw invalid(`stage ${index} reads no single shuffle or join, whose partitions alone are merged and divided`)
  const named = [...adapt.empty ?? [], adapt.split?.sides ?? [], adapt.table?.sides ?? []].flat()
  if (named.some(side => side >= sides.length))
    throw invalid(`stage ${index} reads ${sides.length === 1 ? 'one side' : `${sides.length} sides`}, and its adaptive rules name others`)
}

function checkInput(stages: JobSpec['stages'], index: number, input: StageInput, output: string): void {
  switch (input.kind) {
    case 'splits':
      for (const { ranges } of input.splits) for (const range of ranges) checkRange(range, output)
      return
    // Checked as they are unpacked (splits/input.ts).
    case 'packed': case 'values': return
    case 'output':
      if (input.stage !== outputStage(stages)) throw invalid(`stage ${index} checks stage ${input.stage}, which does not write the output`)
      return
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
    throw new GristmillError('EINVAL', `the output of a job cannot be ${path}; give a directory that does not exist yet`)
  if (Buffer.byteLength(path) + partNameBytes > limits.pathBytesMax)
    throw new GristmillError('ENAMETOOLONG', `the output ${path.slice(0, 80)}… has too long a path: its parts could not be named`)
}

const invalid = (why: string): GristmillError => new GristmillError('EINVAL', `the job cannot be run: ${why}`)
