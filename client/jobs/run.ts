// Starts a program of the local disk: loads it, stores it under its hash, and submits its job, or the jobs of its steps as it asks for
// them.

import { dirname, isAbsolute, join } from 'node:path'
import { GristmillError } from '../../src/base/errors.ts'
import { inputsWith, isDelimited, type InputOptions } from '../../src/base/formats.ts'
import type { ProgramId } from '../../src/base/ids.ts'
import type { FileClient } from '../../src/file/client.ts'
import type { SizeOf } from '../../src/plan/joinchoice.ts'
import { resultsDirectory, type Origin } from '../../src/protocol/job.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import type { Driver } from '../../src/protocol/task.ts'
import { withAssets } from '../../src/program/assets.ts'
import { idOf, type Bundle } from '../../src/program/bundle.ts'
import { readable } from '../call/arguments.ts'
import type { Cluster } from '../call/cluster.ts'
import type { LoadEvent, PlannedProgramStep } from '../load/driving.ts'
import type { Planned } from '../load/planning.ts'
import { readAssets, type ShippedAsset } from '../load/shipping.ts'
import { builtinFile, isBuiltin } from './builtins.ts'
import { loadLocal, type CompileTools, type LoadedProgram } from './compile.ts'
import { ProgramDriver } from './drive.ts'
import { checkedEnvironment } from './environment.ts'
import { findInputs } from './inputs.ts'
import type { Job } from './job.ts'
import { layOut, type PlannedStage } from './layout.ts'
import { givenParams, listOf, pathsOf, type RunOptions } from './options.ts'
import { dropResult, readResult } from './results.ts'
import { Run } from './running.ts'
import { storeOf } from './store.ts'
import { submitJob } from './submit.ts'

export interface RunTools extends Omit<CompileTools, 'clock' | 'random'> {
  readonly cluster: Cluster
  readonly files: FileClient
  /** Base of relative program paths. */
  readonly workingDirectory: string
  /** Programs that run their steps from this process. Their owner abandons them when it closes. */
  readonly drivers: Set<Pick<ProgramDriver, 'abandon'>>
}

/** A loaded program on its way to the cluster. */
interface Launch {
  readonly tools: RunTools
  readonly options: RunOptions
  readonly bundle: Bundle & { readonly assets: readonly ShippedAsset[] }
  readonly env: Readonly<Record<string, string>>
  readonly pinned: ReadonlyMap<string, string> | undefined
}

interface ProgramParts {
  /** Files that are sent along beside the assets of the program. */
  readonly shipped?: readonly ShippedAsset[] | undefined
  /** A program of the cluster, whose bundle is used as it is. */
  readonly stored?: Bundle | undefined
  /** Digests of the inputs, by path; of a rerun. */
  readonly pinned?: ReadonlyMap<string, string> | undefined
}

export async function runProgram(
  tools: RunTools, file: string, options: RunOptions, { shipped = [], stored, pinned }: ProgramParts = {},
): Promise<Run> {
  const { clock, random } = tools.cluster
  const local = isBuiltin(file) ? builtinFile(file) : isAbsolute(file) ? file : join(tools.workingDirectory, file)
  const params = givenParams(file, options)
  const env = readable('env', () => checkedEnvironment(options.env ?? {}))
  const { reducers, memoryBytes, signal, onOutput } = options
  if (reducers !== undefined && !(Number.isInteger(reducers) && reducers >= 1))
    throw new GristmillError(
      'EINVAL',
      `${local} cannot have ${reducers} reducers; give 1 or more, or leave out "reduce" from the program, which then has none`,
    )
  const nowMs = clock.now()
  const events = new Events()
  const loaded = await loadLocal({ ...tools, clock, random }, {
    local, params, paths: pathsOf(options), env, memoryBytes, seed: options.seed ?? 0, nowMs, signal, onOutput, stored,
  }, event => events.take(event))
  const { first } = loaded
  let isDriven = false
  try {
    const planned = 'step' in first ? first.step.planned : first.planned
    const assets = stored ? [] : (await readAssets(tools.disk, dirname(local), planned.assets)).concat(shipped)
    const bytes = withAssets(loaded.bundle.bytes, assets)
    const launch: Launch = { tools, options, env, pinned, bundle: { ...loaded.bundle, bytes, id: idOf(bytes), assets } }
    if (planned.ownPaths) await checkUsed(loaded, planned, options)
    if ('step' in first && !options.detach) {
      isDriven = true
      return await drive(launch, { loaded, ...first, events, nowMs })
    }
    if ('step' in first) await checkOneStep(loaded)
    const driver = planned.ownPaths && { id: random.id(), step: 1, method: 'save', nowMs, outline: planned.outline ?? '', history: [] }
    const { id } = await submit(launch, planned, { signal, ...driver && { driver } })
    return watched(new Run(tools.cluster, id), options)
  } finally {
    if ('step' in first && !isDriven) first.loading.end()
  }
}

/** Events of a program that come before its driver is there. */
class Events {
  readonly #early: LoadEvent[] = []
  #to: ((event: LoadEvent) => void) | undefined

  take(event: LoadEvent): void {
    if (this.#to) this.#to(event)
    else this.#early.push(event)
  }

  pass(to: (event: LoadEvent) => void): void {
    this.#to = to
    for (const event of this.#early.splice(0)) to(event)
  }
}

interface Driving extends Extract<LoadedProgram['first'], { step: unknown }> {
  readonly loaded: LoadedProgram
  readonly events: Events
  readonly nowMs: number
}

/** Runs the program's steps. Resolves when the first one is submitted. */
async function drive(launch: Launch, { loaded, step: first, loading, events, nowMs }: Driving): Promise<Run> {
  const { tools, options } = launch
  const { cluster, drivers } = tools
  const { signal } = options
  const driver = new ProgramDriver({
    loading,
    submit: (step, of) => submit(launch, step.planned, { driver: of, step }),
    readResult: (status, { method, returns }, until) =>
      readResult(tools, status, { method, ...typeof returns === 'object' && returns }, until),
    dropResult: job => dropResult(cluster, job),
  }, { id: cluster.random.id(), nowMs })
  drivers.add(driver)
  const cancel = (): void => void driver.cancel()
  signal?.addEventListener('abort', cancel, { once: true })
  const ended = (): void => {
    drivers.delete(driver)
    signal?.removeEventListener('abort', cancel)
  }
  driver.ended.then(() => {
    ended()
    if (driver.steps.length === 1 && first.returns === 'nothing') loaded.hadOneStep(first)
  }, ended)
  driver.take({ step: first })
  events.pass(event => driver.take(event))
  if (signal?.aborted) cancel()
  const job = await driver.job(0)
  if (job) return watched(new Run(cluster, job.id, driver), options)
  await driver.ended
  throw new GristmillError('PROGRAM_INVALID', `${launch.bundle.name} has handled the failure of its only step, and has run nothing`)
}

function watched(run: Run, { onProgress, signal }: RunOptions): Run {
  // `wait` is used only for its progress callback; callers of `wait` see the failure.
  if (onProgress) void run.wait({ signal, onStatus: onProgress }).catch(() => {})
  return run
}

interface Submitting {
  readonly driver?: Driver | undefined
  readonly step?: PlannedProgramStep | undefined
  readonly signal?: AbortSignal | undefined
}

/** Submits a job of the program: its only one, or that of a step. */
async function submit(
  { tools, options, bundle, env, pinned }: Launch, planned: Planned, { driver, step, signal }: Submitting,
): Promise<Job> {
  const { cluster, files } = tools
  const isResult = step !== undefined && step.returns !== 'nothing'
  const input = planned.ownPaths ? planned.input : listOf(options.input ?? planned.input)
  const output = isResult
    ? `${resultsDirectory}/${cluster.random.id()}`
    : planned.ownPaths ? planned.output : options.output ?? planned.output
  if (input.length === 0 && !planned.ownPaths)
    throw new GristmillError('EINVAL', `${bundle.name} has no input: give the files to read (--input), or name them in the program`)
  if (output === undefined)
    throw new GristmillError(
      'EINVAL',
      `${bundle.name} has no output: give the directory to publish (--output), or name it in the program`,
    )
  const { stages, fingerprint, choices } = await layOut(planned.plan, {
    partitions: options.reducers, withoutRules: options.withoutRules, sizeOf: sizesOf(cluster, input, signal),
  })
  const name = options.name ?? bundle.name
  const { overwrite, force, attemptsMax, memoryBytes, taskTimeoutMs, onNote } = options
  return submitJob(cluster, storeOf(files), {
    name: driver && driver.step > 1 ? numbered(name, driver.step) : name, program: bundle, params: planned.params, env,
    fingerprint, plan: choices, stages: stagesOver(stages, planned, options, { name: bundle.name, isResult }), input, head: headOf(files),
    output, outputFormat: planned.outputFormat, ...isResult ? { result: true } : { overwrite, force }, driver,
    // The same program over the same input draws the same samples again.
    seed: options.seed ?? (planned.ownPaths ? 0 : undefined), attemptsMax, memoryBytes, taskTimeoutMs,
    options: repeatable(options, planned), pinned, signal, onNote,
  })
}

/** SHA-256 of a program as a run with these parameters would store it. */
export async function programIdOf(
  tools: RunTools, file: string, params: Readonly<Record<string, unknown>>, signal: AbortSignal | undefined,
): Promise<ProgramId> {
  const { clock, random } = tools.cluster
  const local = isBuiltin(file) ? builtinFile(file) : isAbsolute(file) ? file : join(tools.workingDirectory, file)
  const { input, output } = params as { readonly input?: string; readonly output?: string }
  const { bundle, first } = await loadLocal({ ...tools, clock, random }, {
    local, params: { values: params, texts: {} }, paths: { ...input !== undefined && { input }, ...output !== undefined && { output } },
    env: {}, memoryBytes: undefined, seed: 0, nowMs: clock.now(), signal, onOutput: undefined, stored: undefined,
  }, () => undefined)
  if ('step' in first) first.loading.end()
  const planned = 'step' in first ? first.step.planned : first.planned
  return idOf(withAssets(bundle.bytes, await readAssets(tools.disk, dirname(local), planned.assets)))
}

/** Options that change the result of a run, and those that a rerun needs to give again. */
function repeatable({ reducers, replication, encoding, delimiter, seed }: RunOptions, { ownPaths }: Planned): Origin['options'] {
  const given = { reducers, replication, encoding, delimiter, seed, ...ownPaths && { ownPaths } }
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

/** Sizes of the files that a job reads; `input`: where a source names none. */
export const sizesOf = (cluster: Cluster, input: readonly string[], signal: AbortSignal | undefined): SizeOf =>
  async ({ paths = input }) => (await findInputs(cluster.ask, paths, { signal })).reduce((sum, { length }) => sum + length, 0)

/** Stages with the options of the run. */
export function stagesOver(
  stages: readonly PlannedStage[], planned: Planned, options: RunOptions, { name, isResult }: { name: string; isResult: boolean },
): PlannedStage[] {
  const { replication } = options
  return stages.map(stage => ({
    ...stage,
    inputs: stage.inputs.map(each =>
      (each.kind === 'files' ? { ...each, options: inputOver(each.options, options, planned, name) } : each)),
    ...stage.output.kind === 'files' && replication !== undefined && !isResult && { output: { ...stage.output, replication } },
  }))
}

/** Throws EINVAL if the run gives an input or an output that a program over Datasets does not use, as far as that is known. */
async function checkUsed(loaded: LoadedProgram, planned: Planned, { input, output }: RunOptions): Promise<void> {
  const { name } = loaded.bundle
  const given = listOf(input)
  const isUsed = (inputs: readonly string[], saves: readonly string[]): boolean =>
    given.every(path => inputs.includes(path)) && (output === undefined || saves.includes(output))
  const own = planned.output === undefined ? [] : [planned.output]
  if (isUsed(planned.input, own)) return
  const { inputs, saves, goesOn } = 'step' in loaded.first ? await loaded.peek() : { inputs: planned.input, saves: own, goesOn: false }
  if (goesOn || isUsed(inputs, saves)) return
  const unused = given.find(path => !inputs.includes(path))
  throw new GristmillError('EINVAL', unused !== undefined
    ? `${name} does not read the input ${unused} of this run: it names its input itself; let it read the parameter "input", or leave --input out`
    : `${name} saves to ${saves.join(' and ')}, and not to the output ${output} of this run; let it save to the parameter "output", or leave ` +
      '--output out')
}

/** Throws EINVAL for a program that goes on after its first step: no process would run the others. */
async function checkOneStep(loaded: LoadedProgram): Promise<void> {
  const { saves, goesOn } = await loaded.peek()
  if (!goesOn && saves.length === 1) return
  throw new GristmillError(
    'EINVAL',
    `${loaded.bundle.name} has more than one step, or goes on with a result; it runs its steps from this process, which has to wait: leave --detach out`,
  )
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
  if (encoding !== undefined && own.bytes) throw new GristmillError('EINVAL', `${name} reads bytes, which have no encoding; leave it out`)
  return { ...own, ...encoding !== undefined && { encoding }, ...delimiter !== undefined && { delimiter } }
}
