// Runs a job again as it ran: its stored program or a new one, with the parameters and options of then, over the inputs that it has read.
// An input that is an output of a job and has been replaced or renamed since is read as the version of then (pinned.ts); any other input
// has to be unchanged. A step of a program over Datasets is never run alone: the whole program is, and runinputs.ts decides at each step
// where its inputs are read.
// INVARIANT: the program of another user is loaded only if the caller trusts it: it gets the caller's rights on this machine.

import { join } from 'node:path'
import { GristmillError, hasCode } from '../../src/base/errors.ts'
import type { JobId } from '../../src/base/ids.ts'
import type { InputPin } from '../../src/protocol/job.ts'
import type { Made } from '../../src/protocol/version.ts'
import { isSql } from '../../src/operator/sqlwork.ts'
import { idOf } from '../../src/program/bundle.ts'
import { callbackOf, flagsOf, optionsOf, pathOf, textOf, type CallOptions } from '../call/arguments.ts'
import { readRunOptions, type RunOptions } from './options.ts'
import { pinnedPath } from './pinned.ts'
import { recordedJob, type Recorded } from './recorded.ts'
import type { PinnedInputs } from './runinputs.ts'
import { runProgram, type RunTools } from './run.ts'
import type { Run } from './running.ts'

export interface RerunOptions extends CallOptions {
  /** Program to run instead of the one that the job ran. */
  readonly code?: string | undefined
  /** Directory to publish; default: that of the job, whose present output is kept as a version. */
  readonly output?: string | undefined
  /** Runs the stored program of another user, which is loaded in this process's machine with the rights of this process. */
  readonly trust?: boolean | undefined
  /** Reads the inputs as they are now. */
  readonly latest?: boolean | undefined
  /** Environment variables of the tasks; needed if the job had some, whose values are not kept. */
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly onNote?: ((line: string) => void) | undefined
  /** Called with what a program over Datasets prints where it runs its steps. */
  readonly onOutput?: ((text: string, stream: 'stdout' | 'stderr') => void) | undefined
}

export function readRerunOptions(given: RerunOptions | null | undefined): RerunOptions {
  const options = optionsOf<RerunOptions>(given, 'rerun', {
    code: true, output: true, trust: true, latest: true, env: true, onNote: true, onOutput: true, signal: true,
  })
  if (options.output !== undefined) pathOf(options.output, 'output')
  if (options.code !== undefined) textOf(options.code, 'program', { max: 4096 })
  flagsOf(options, 'trust', 'latest')
  callbackOf(options.onNote, 'onNote')
  callbackOf(options.onOutput, 'onOutput')
  readRunOptions({ env: options.env })
  return options
}

/** `ownPaths`, `isStep`: facts about the program, beside the options of the run. */
type KeptOptions = Partial<RunOptions> & { readonly ownPaths?: boolean; readonly isStep?: boolean }

export async function rerunJob(tools: RunTools, job: JobId, options: RerunOptions): Promise<Run> {
  const { code, latest = false, env, onNote, onOutput, signal } = options
  const recorded = await recordedJob(tools.cluster.ask, job, signal)
  const { version, made, step } = recorded
  const missing = (made.env ?? []).filter(name => env?.[name] === undefined)
  if (missing.length > 0)
    throw new GristmillError('EINVAL', `${job} had the environment variables ${missing.join(', ')}, whose values are not kept; give them again (--env)`)
  if (!made.params)
    throw new GristmillError('EINVAL', `the parameters of ${job} were too large to be kept; run its program with them again`)
  const { ownPaths: _, isStep: _isStep, ...kept } = (made.origin?.options ?? {}) as KeptOptions
  const pinned = latest ? undefined : await sameInputs(tools, job, recorded, signal)
  const name = step ? nameOfRun(made) : made.name
  if (step && step.known > 1) onNote?.(`${job} is step ${step.number} of a run of ${name ?? 'a program'}: the whole program runs again`)
  const run: RunOptions = {
    ...kept, name, ...env && { env }, onNote, onOutput, signal, overwrite: true,
    seed: kept.seed ?? made.seed,
    ...made.limits && {
      attemptsMax: made.limits.attemptsMax,
      ...made.limits.cpu !== undefined && { cpu: made.limits.cpu },
      ...made.limits.memoryBytes > 0 && { memoryBytes: made.limits.memoryBytes },
      ...made.limits.taskDeadlineMs > 0 && { taskTimeoutMs: made.limits.taskDeadlineMs },
    },
    ...step
      ? pathsOfProgram(made.params, options.output, job)
      : { params: made.params, input: made.inputs ?? [], output: options.output ?? recorded.path },
  }
  // Over the same inputs a program gets the time of then, by which it may choose them.
  const parts = { pinned, ...!latest && { nowMs: made.origin?.run?.nowMs } }
  if (code !== undefined) return runProgram(tools, code, run, parts)
  const callsFunctions = version.program !== undefined && isSql({ program: { id: version.program }, params: made.params })
  if (made.programPath === '/' || callsFunctions) {
    const functions = callsFunctions ? ' --functions FILE, with its module of functions' : ''
    throw new GristmillError(
      'EINVAL', `${job} is a query, which is run again as it was asked: gristmill sql -o ${recorded.path} --overwrite${functions}`,
    )
  }
  if (version.program === undefined || made.programPath === undefined)
    throw new GristmillError('EINVAL', `the program of ${job} is not recorded; give one (--code)`)
  if (recorded.user !== tools.cluster.user && options.trust !== true) {
    const whose = recorded.user === undefined
      ? `it is not known any more who wrote the program of ${job}`
      : `${job} ran a program of the user ${recorded.user}`
    throw new GristmillError(
      'EACCES',
      `${whose}, which would be loaded here with your rights: read it (gristmill cat ${made.programPath}), then trust it (--trust), or run your own copy (--code)`,
      { details: { job, program: made.programPath } },
    )
  }
  const bytes = await readProgram(tools, made.programPath, signal)
  if (idOf(bytes) !== version.program)
    throw new GristmillError('CORRUPT', `the stored program ${made.programPath} is not the one that ${job} ran; give one (--code)`)
  return runProgram(tools, join(tools.programDir, `${version.program}.js`), run, {
    stored: { id: version.program, bytes, name: name ?? job }, ...parts,
  })
}

/** Jobs of later steps have the number of the step behind the name. */
const nameOfRun = ({ name, origin }: Made): string | undefined =>
  (origin?.run && origin.run.step > 1 ? name?.replace(/#\d+$/, '') : name)

/** A program over Datasets has its paths as parameters, if it has them from outside. Throws EINVAL for an output that it would not use. */
function pathsOfProgram(
  { input, output: own, ...params }: NonNullable<Made['params']>, output: string | undefined, job: JobId,
): Partial<RunOptions> {
  if (output !== undefined && own === undefined)
    throw new GristmillError('EINVAL', `the program of ${job} was run without an output and names its outputs itself; leave --output out`)
  const to = output ?? own
  return { params, ...input !== undefined && { input: input as RunOptions['input'] }, ...to !== undefined && { output: to as string } }
}

async function readProgram({ files }: RunTools, path: string, signal: AbortSignal | undefined): Promise<Buffer> {
  const pieces: Buffer[] = []
  try {
    for await (const piece of files.read(path, { signal })) pieces.push(piece)
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
    throw new GristmillError('ENOENT', `the program ${path} is not stored any more; give one (--code)`, { details: { path }, cause: error })
  }
  return Buffer.concat(pieces)
}

/** Paths at which the inputs can be read as they were, by their names. Throws EINVAL if one has changed. */
async function sameInputs(
  { cluster: { ask } }: RunTools, job: JobId, recorded: Recorded, signal: AbortSignal | undefined,
): Promise<PinnedInputs> {
  const refusal = (path: string, why: string): GristmillError => new GristmillError(
    'EINVAL', `${job} cannot run again over the same inputs: ${why}; --latest reads them as they are now`, { details: { job, path } },
  )
  const inputs = new Map<string, { readonly path: string; readonly digest: string }>()
  const absent = new Set(recorded.origins.flatMap(({ run }) => run?.absent ?? []))
  for (const [named, pin] of recorded.step ? pinsOfRun(recorded, absent, refusal) : pinsOfJob(recorded)) {
    const found = pin ? await pinnedPath(ask, pin, signal) : { change: `nothing is recorded of ${named}` }
    if (found.path === undefined) throw refusal(named, found.change)
    // The job has read these files twice, and one path would be read once.
    const isKnown = [...inputs.values()].some(({ path }) => path === found.path)
    if (isKnown && !recorded.step) throw refusal(named, `two of them are ${found.path} now`)
    inputs.set(named, found)
  }
  return { job, inputs, absent }
}

/** All inputs that the job was given. */
function pinsOfJob({ made: { inputs = [], origin } }: Recorded): Map<string, InputPin | undefined> {
  const pins = new Map((origin?.pins ?? []).map(pin => [pin.path, pin]))
  return new Map(inputs.map(input => [input, pins.get(input)]))
}

/** Inputs that steps of the run have read, without outputs of the run itself. */
function pinsOfRun(
  { origins }: Recorded, absent: ReadonlySet<string>, refusal: (path: string, why: string) => GristmillError,
): Map<string, InputPin> {
  const pins = new Map<string, InputPin>()
  for (const pin of origins.flatMap(({ pins: own, run }) => [...own, ...run?.others ?? []])) {
    if (pin.own) continue
    const named = pin.named ?? pin.path
    if (absent.has(named) || (pins.get(named) ?? pin).digest !== pin.digest)
      throw refusal(named, `the input ${named} was changed while the program ran, and its steps have read it in two states`)
    pins.set(named, pin)
  }
  return pins
}
