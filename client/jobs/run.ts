// Starts a program of the local disk: loads it, stores it under its hash, and submits its job, or the jobs of its steps as it asks for
// them.

import { dirname, isAbsolute, join } from 'node:path'
import { isUrl } from '../../src/base/url.ts'
import { GristmillError } from '../../src/base/errors.ts'
import type { ProgramId } from '../../src/base/ids.ts'
import type { InputPin } from '../../src/protocol/job.ts'
import { withAssets } from '../../src/program/assets.ts'
import { idOf, type Bundle } from '../../src/program/bundle.ts'
import { readable } from '../call/arguments.ts'
import type { LoadEvent } from '../load/driving.ts'
import type { GivenParams } from '../load/params.ts'
import type { Planned, PlanRequest } from '../load/planning.ts'
import { readAssets, type ShippedAsset } from '../load/shipping.ts'
import { builtinFile, inBuiltinWords, isBuiltin } from './builtins.ts'
import { loadLocal, type CompileTools, type LoadedProgram } from './compile.ts'
import { ProgramDriver } from './drive.ts'
import { checkedEnvironment } from './environment.ts'
import { submitDrive } from './detached.ts'
import type { DriveLog } from './drivelog.ts'
import { Job } from './job.ts'
import { submit, type Launch, type LaunchTools, type OutputVersion } from './launch.ts'
import { OutsideCopies, type ProgramPlaces } from './outside.ts'
import { givenParams, listOf, pathsOf, type RunOptions } from './options.ts'
import { dropResult, readResult } from './results.ts'
import { RunInputs, type PinnedInputs } from './runinputs.ts'
import { Run } from './running.ts'
import { Shipping } from './shipping.ts'
import { submitStepQuery, type SubmitStepQuery } from './stepquery.ts'

export interface RunTools extends Omit<CompileTools, 'clock' | 'random'>, LaunchTools {
  /** Base of relative program paths. */
  readonly workingDirectory: string
  /** Default: programs reach nothing outside of the cluster. */
  readonly places?: ProgramPlaces | undefined
  /** Programs that run their steps from this process. Their owner abandons them when it closes. */
  readonly drivers: Set<Pick<ProgramDriver, 'abandon'>>
  /** Default: programs run no queries. */
  readonly queries?: SubmitStepQuery | undefined
}

interface ProgramParts {
  /** Files that are sent along beside the assets of the program. */
  readonly shipped?: readonly ShippedAsset[] | undefined
  /** A program of the cluster, whose bundle is used as it is. */
  readonly stored?: Bundle | undefined
  /** Of a rerun over the same inputs. */
  readonly pinned?: PinnedInputs | undefined
  /** What the run depends on beside its inputs. */
  readonly needs?: readonly InputPin[] | undefined
  /** Version that an output has when the run publishes it first; 0: none. ESTALE if it has another. */
  readonly ifVersion?: OutputVersion | undefined
  /** Time at which the program was started, of a rerun; default: now. */
  readonly nowMs?: number | undefined
  /** The program is driven from within the cluster: the id of its run, and the log of that. */
  readonly driven?: { readonly run: string; readonly log: DriveLog } | undefined
}

export async function runProgram(
  tools: RunTools, file: string, options: RunOptions,
  { shipped = [], stored, pinned, needs, ifVersion, nowMs: startedMs, driven }: ProgramParts = {},
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
  const nowMs = startedMs ?? clock.now()
  const events = new Events()
  const loaded = await inBuiltinWords(file, loadLocal({ ...tools, clock, random }, {
    local, params, paths: pathsOf(options), env, memoryBytes, seed: options.seed ?? 0, nowMs, clock: driven?.log.clock,
    signal, onOutput, stored,
  }, event => events.take(event)))
  const { first } = loaded
  let isDriven = false
  try {
    const planned = 'step' in first ? first.step.planned : first.planned
    const assets = stored ? [] : (await readAssets(tools.disk, dirname(local), planned.assets)).concat(shipped)
    const bytes = withAssets(loaded.bundle.bytes, assets)
    const outside = new OutsideCopies(tools.places)
    const inputs = new RunInputs(planned.ownPaths ? { id: driven?.run ?? random.id(), nowMs } : undefined, pinned, needs, outside)
    for (const [step, reads] of driven?.log.reads ?? []) inputs.restore(step, reads)
    const launch: Launch = { tools, options, env, inputs, outside, ifVersion, bundle: { ...loaded.bundle, bytes, id: idOf(bytes), assets } }
    if (planned.ownPaths && !driven) await checkUsed(loaded, planned, options)
    if ('step' in first && !options.detach) {
      isDriven = true
      return await drive(launch, {
        loaded, ...first, events, drivers: tools.drivers, disk: tools.disk, queries: tools.queries, log: driven?.log,
      })
    }
    if ('step' in first && !await isOneStep(loaded)) return watched(await submitDrive(launch, planned, nowMs), options)
    const clock = 'step' in first ? first.step.clock : ''
    const driver = inputs.start && {
      ...inputs.start, step: 1, method: 'save', ...clock !== '' && { clock }, outline: planned.outline ?? '', history: [],
    }
    const { id } = await submit(launch, planned, { signal, ...driver && { driver } }).catch(async (error: unknown) => {
      await outside.close()
      throw error
    })
    return watched(new Run(tools.cluster, id, undefined, () => outside.close()), options)
  } finally {
    if ('step' in first && !isDriven) void first.loading.end()
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
  readonly drivers: RunTools['drivers']
  readonly disk: RunTools['disk']
  readonly queries: RunTools['queries']
  readonly log: DriveLog | undefined
}

/** Runs the program's steps. Resolves when the first one is submitted. */
async function drive(launch: Launch, { loaded, step: first, loading, events, drivers, disk, queries, log }: Driving): Promise<Run> {
  const { tools, options, inputs, outside } = launch
  const { cluster } = tools
  const { signal } = options
  const driver = new ProgramDriver({
    loading, log, jobOf: id => new Job(cluster, id), readsOf: step => inputs.recordOf(step),
    // A step of a drive may wait for long to be taken (client/driving/overload.ts).
    submit: (step, of, delivered, part) =>
      submit(launch, step.planned, { driver: of, step, delivered, ...part, ...log && { signal: driver.killed } }),
    query: (query, of, delivered) =>
      submitStepQuery(launch, { query, driver: of, delivered, submit: queries, signal: log ? driver.killed : signal }),
    write: async (url, make, { outside: how }, until) => {
      const { note } = await outside.write(url, make, { ...how, overwrite: options.overwrite, signal: until })
      if (note !== undefined) options.onNote?.(note)
    },
    release: () => outside.close(),
    isFatal: error => inputs.isRefusal(error),
    readResult: (status, { method, returns }, until) =>
      readResult(tools, status, { method, ...typeof returns === 'object' && returns }, until),
    dropResult: job => dropResult(cluster, job),
    shipping: new Shipping({ cluster, files: tools.files, disk }, options.memoryBytes),
  }, inputs.start!)
  drivers.add(driver)
  const cancel = (): void => void driver.cancel()
  signal?.addEventListener('abort', cancel, { once: true })
  const ended = (): void => {
    drivers.delete(driver)
    signal?.removeEventListener('abort', cancel)
  }
  driver.ended.then(() => {
    ended()
    // A later run of it is one job, and does not call the function here: it must do nothing beside its step that its user could notice.
    const isOutside = outside.isUsed || isUrl(first.planned.output ?? '')
    const isOne = driver.steps.length === 1 && first.returns === 'nothing' && driver.endedAtOnce
    if (isOne && !isOutside && !loading.hasPrinted) loaded.hadOneStep(first)
  }, ended)
  driver.take({ step: first })
  events.pass(event => driver.take(event))
  if (signal?.aborted) cancel()
  const job = await driver.job(0)
  if (job) return watched(new Run(cluster, job.id, driver), options)
  await driver.ended
  throw new GristmillError('PROGRAM_INVALID', `${launch.bundle.name} has run no job: it has no step that computes something, or has handled its failure`)
}

function watched(run: Run, { onProgress, signal }: RunOptions): Run {
  // `wait` is used only for its progress callback; callers of `wait` see the failure.
  if (onProgress) void run.wait({ signal, onStatus: onProgress }).catch(() => {})
  return run
}

/** SHA-256 of a program as a run with these parameters would store it. */
export async function programIdOf(
  tools: RunTools, file: string, params: Readonly<Record<string, unknown>>, signal: AbortSignal | undefined,
): Promise<ProgramId> {
  const { input, output } = params as { readonly input?: string; readonly output?: string }
  const paths = { ...input !== undefined && { input }, ...output !== undefined && { output } }
  return (await knownProgram(tools, file, { params: { values: params, texts: {} }, paths, signal })).bundle.id
}

/** A program as a run would store it, and what the run would give it. */
export async function knownProgram(
  tools: RunTools, file: string,
  { params, paths, signal, stored }: {
    readonly params: GivenParams; readonly paths: PlanRequest['paths']; readonly signal: AbortSignal | undefined
    /** A program of the cluster, in place of that of the file. */
    readonly stored?: Bundle | undefined
  },
): Promise<{ readonly bundle: Launch['bundle']; readonly planned: Planned }> {
  const { clock, random } = tools.cluster
  const local = isBuiltin(file) ? builtinFile(file) : isAbsolute(file) ? file : join(tools.workingDirectory, file)
  const { bundle, first } = await inBuiltinWords(file, loadLocal({ ...tools, clock, random }, {
    local, params, paths, env: {}, memoryBytes: undefined, seed: 0, nowMs: clock.now(), signal, onOutput: undefined, stored,
  }, () => undefined))
  if ('step' in first) void first.loading.end()
  const planned = 'step' in first ? first.step.planned : first.planned
  const assets = stored ? [] : await readAssets(tools.disk, dirname(local), planned.assets)
  const bytes = withAssets(bundle.bytes, assets)
  return { bundle: { ...bundle, bytes, id: idOf(bytes), assets }, planned }
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

/** True for a program that ends when its first step is submitted: no process has to run others. */
async function isOneStep(loaded: LoadedProgram): Promise<boolean> {
  const { saves, goesOn } = await loaded.peek()
  return !goesOn && saves.length === 1
}
