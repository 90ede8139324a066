// Submits the jobs of a loaded program: its only one, or that of each step, with the options of the run.

import { GristmillError } from '../../src/base/errors.ts'
import { inputsWith, isBinary, isDelimited, type InputOptions } from '../../src/base/formats.ts'
import { normalise } from '../../src/base/paths.ts'
import type { FileClient } from '../../src/file/client.ts'
import { isOutputChanged, resultsDirectory, type Origin } from '../../src/protocol/job.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import type { Driver } from '../../src/protocol/task.ts'
import type { Bundle } from '../../src/program/bundle.ts'
import type { Cluster } from '../call/cluster.ts'
import type { PlannedProgramStep } from '../load/driving.ts'
import type { Planned } from '../load/planning.ts'
import type { ShippedAsset } from '../load/shipping.ts'
import { isDivisible } from './cut.ts'
import { findInputs } from './inputs.ts'
import type { Job } from './job.ts'
import { layOut, type PlannedStage } from './layout.ts'
import { listOf, type RunOptions } from './options.ts'
import { checkInside, type OutsideCopies } from './outside.ts'
import type { Delivered, RunInputs, StepInputs } from './runinputs.ts'
import { storeOf } from './store.ts'
import { submitJob } from './submit.ts'

export interface LaunchTools {
  readonly cluster: Cluster
  readonly files: FileClient
}

/** A loaded program on its way to the cluster. */
export interface Launch {
  readonly tools: LaunchTools
  readonly options: RunOptions
  readonly bundle: Bundle & { readonly assets: readonly ShippedAsset[] }
  readonly env: Readonly<Record<string, string>>
  readonly inputs: RunInputs
  readonly outside: OutsideCopies
  /** Removed when the first job is submitted that publishes there: later ones of the run replace what it has published. */
  ifVersion?: OutputVersion | undefined
}

/** A path, and the number of its newest version; 0: none. */
export interface OutputVersion {
  readonly path: string
  readonly number: number
}

interface Submitting {
  readonly driver?: Driver | undefined
  readonly step?: PlannedProgramStep | undefined
  readonly delivered?: readonly Delivered[] | undefined
  /** Directory to publish in place of the step's own, which is outside of the cluster. */
  readonly output?: string | undefined
  /** Of a step that returns its first values: the first tasks alone, where that can be. `onPart`: called if there are more. */
  readonly tasks?: number | undefined
  readonly onPart?: (() => void) | undefined
  /** See `Submission`. */
  readonly onReady?: (() => Promise<string>) | undefined
  readonly signal?: AbortSignal | undefined
}

/** Submits a job of the program: its only one, or that of a step. */
export async function submit(launch: Launch, planned: Planned, submitting: Submitting): Promise<Job> {
  const { options, bundle, inputs } = launch
  const { driver, step, delivered } = submitting
  const isResult = step !== undefined && step.returns !== 'nothing'
  const input = planned.ownPaths ? planned.input : listOf(options.input ?? planned.input)
  const output = isResult
    ? `${resultsDirectory}/${launch.tools.cluster.random.id()}`
    : submitting.output ?? (planned.ownPaths ? planned.output : options.output ?? planned.output)
  if (input.length === 0 && !planned.ownPaths)
    throw new GristmillError('EINVAL', `${bundle.name} has no input: give the files to read (--input), or name them in the program`)
  if (output === undefined)
    throw new GristmillError(
      'EINVAL',
      `${bundle.name} has no output: give the directory to publish (--output), or name it in the program`,
    )
  if (!step) checkInside([output], onlyDriven)
  // Nothing would remove what stands for the places when the job has ended.
  if (!step && options.detach) checkInside(input, onlyWaited)
  const reads = inputs.step({ number: driver?.step ?? 1, ...!isResult && { output: normalise(output) }, delivered })
  const expected = !isResult && launch.ifVersion?.path === normalise(output) ? launch.ifVersion : undefined
  try {
    await reads.take(input, options.signal)
    const job = await submitOver(launch, planned, { ...submitting, reads, input, output, isResult, ifVersion: expected?.number })
    if (expected) launch.ifVersion = undefined
    return job
  } catch (error) {
    // The program must not go on with the output of another run.
    if (expected && isOutputChanged(error)) inputs.refuse(error)
    reads.failed(error)
    throw named(error, launch.tools.files)
  }
}

/** Files outside of the cluster have their addresses in messages: what stands for them is gone with the run. */
function named(error: unknown, files: Pick<Launch['tools']['files'], 'named'>): unknown {
  if (!(error instanceof GristmillError)) return error
  const message = files.named(error.message)
  return message === error.message ? error : new GristmillError(error.code, message, { cause: error, details: error.details })
}

const onlyDriven = 'only a program over Datasets that runs its steps from this process saves there: gristmill export does so'
const onlyWaited = 'a detached run reads nothing there: gristmill import does so'

interface SubmittingOver extends Submitting {
  readonly reads: StepInputs
  readonly input: readonly string[]
  readonly output: string
  readonly isResult: boolean
  readonly ifVersion: number | undefined
}

async function submitOver(
  { tools, options, bundle, env }: Launch, planned: Planned,
  { driver, signal, reads, input, output, isResult, ifVersion, tasks, onPart, onReady }: SubmittingOver,
): Promise<Job> {
  const { cluster, files } = tools
  const sizeOf = sizesOf(cluster, signal)
  const { stages, fingerprint, choices } = await layOut(planned.plan, {
    partitions: options.reducers, partitionBytes: options.partitionBytes, withoutRules: options.withoutRules,
    sizeOf: ({ paths = input }) => reads.reading(paths, sizeOf),
  })
  const name = options.name ?? bundle.name
  const { overwrite, force, attemptsMax, memoryBytes, taskTimeoutMs, cpu, onNote, queue, priority } = options
  return submitJob(cluster, storeOf(files), {
    name: driver && driver.step > 1 ? numbered(name, driver.step) : name, program: bundle, params: planned.params, env,
    fingerprint, plan: choices, stages: stagesOver(stages, planned, options, { name: bundle.name, isResult }), input, head: headOf(files),
    output, outputFormat: planned.outputFormat, ...isResult ? { result: true } : { overwrite, force, ifVersion }, driver,
    // The same program over the same input draws the same samples again.
    seed: options.seed ?? (planned.ownPaths ? 0 : undefined), attemptsMax, memoryBytes, taskTimeoutMs, cpu, queue, priority,
    options: repeatable(options, planned), inputs: reads, signal, onNote, partitionBytes: options.partitionBytes, onReady,
    ...tasks !== undefined && isDivisible(stages) && { tasks, onPart },
  })
}

/** Options that change the result of a run, and those that a rerun needs to give again. */
function repeatable(
  { reducers, partitionBytes, replication, encoding, delimiter, seed }: RunOptions, { ownPaths }: Planned,
): Origin['options'] {
  const given = { reducers, partitionBytes, replication, encoding, delimiter, seed, ...ownPaths && { ownPaths } }
  return Object.fromEntries(Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
}

const nameCharsMax = 190
const numbered = (name: string, step: number): string => `${name.slice(0, nameCharsMax)}#${step}`

export const headOf = (files: FileClient) => async (status: FileStatus, length: number, until?: AbortSignal): Promise<Buffer> => {
  const located = await files.locate(status.path, { length, ...until && { signal: until } })
  if (located.status.id !== status.id)
    throw new GristmillError('EBUSY', `${status.path} was replaced while the job was being planned; submit it again`, {
      details: { path: status.path },
    })
  return Buffer.concat(await Array.fromAsync(files.read(located, { end: length, signal: until })))
}

/** Bytes of the files that a job reads. */
export const sizesOf = (cluster: Cluster, signal: AbortSignal | undefined) => async (paths: readonly string[]): Promise<number> =>
  (await findInputs(cluster.ask, paths, { signal })).reduce((sum, { length }) => sum + length, 0)

/** Stages with the options of the run. */
export function stagesOver(
  stages: readonly PlannedStage[], planned: Planned, options: RunOptions, { name, isResult }: { name: string; isResult: boolean },
): PlannedStage[] {
  const { replication, cpu, memoryBytes } = options
  return stages.map(({ memoryBytes: declared, ...stage }) => ({
    ...stage, ...cpu !== undefined && { cpu },
    // The memory of the run is that of the whole job.
    ...declared !== undefined && memoryBytes === undefined && { memoryBytes: declared },
    inputs: stage.inputs.map(each =>
      (each.kind === 'files' ? { ...each, options: inputOver(each.options, options, planned, name) } : each)),
    ...stage.output.kind === 'files' && replication !== undefined && !isResult && { output: { ...stage.output, replication } },
  }))
}

/** Input options of the program, overridden by those of the run. Throws EINVAL for an option without effect. */
function inputOver(own: InputOptions, { encoding, delimiter }: RunOptions, { ownPaths }: Planned, name: string): InputOptions {
  if (ownPaths && (encoding !== undefined || delimiter !== undefined))
    throw new GristmillError(
      'EINVAL',
      `${name} says how its inputs are read; give ${encoding === undefined ? 'the delimiter' : 'the encoding'} there, such as ` +
      `mill.csv(input, { ${encoding === undefined ? "delimiter: ';'" : "encoding: 'latin1'"} })`,
    )
  if (delimiter !== undefined && !isDelimited(own.format))
    throw new GristmillError(
      'EINVAL',
      `${name} reads ${own.format}, which has no delimiter; leave it out, or set format: '${inputsWith('delimiter').join("' or '")}' in the program's input`,
    )
  if (encoding !== undefined && (own.bytes || isBinary(own.format)))
    throw new GristmillError('EINVAL', `${name} reads bytes, which have no encoding; leave it out`)
  return { ...own, ...encoding !== undefined && { encoding }, ...delimiter !== undefined && { delimiter } }
}
