// Turns a program on the local disk into a job: bundles it, loads it in a child process to build its plan (so that errors in it are
// reported before anything is sent), stores it under its hash, and submits the job.

import { dirname, isAbsolute, join } from 'node:path'
import { GristmillError } from '../../src/base/errors.ts'
import { inputsWith, isDelimited, type InputOptions, type TextEncoding } from '../../src/base/formats.ts'
import type { ProgramId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import type { SizeOf } from '../../src/plan/joinchoice.ts'
import type { FileClient } from '../../src/file/client.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Log } from '../../src/ports/log.ts'
import type { Modules } from '../../src/ports/modules.ts'
import type { Processes } from '../../src/ports/process.ts'
import type { JobStatus, Origin } from '../../src/protocol/job.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import { withAssets } from '../../src/program/assets.ts'
import { bundleProgram, idOf, type Bundle } from '../../src/program/bundle.ts'
import { keepBundle } from '../../src/program/load.ts'
import { prune } from '../../src/home/prune.ts'
import { delimiterCode, textEncodingOf } from '../../src/record/records.ts'
import { callbackOf, flagsOf, optionsOf, pathOf, readable, shown, textOf, type Known } from '../call/arguments.ts'
import { checkInteger } from '../call/integers.ts'
import type { Cluster } from '../call/cluster.ts'
import { builtinFile, impliedParams, isBuiltin } from './builtins.ts'
import { checkedEnvironment } from './environment.ts'
import { findInputs } from './inputs.ts'
import type { Job } from './job.ts'
import { checkRuleNames, layOut, type Layout } from './layout.ts'
import { submitJob } from './submit.ts'
import { Loader } from '../load/loader.ts'
import type { GivenParams } from '../load/params.ts'
import { paramsOf, planProgram, type Planned, type PlanRequest } from '../load/planning.ts'
import { readAssets, type ShippedAsset } from '../load/shipping.ts'
import type { Plans } from '../load/plans.ts'

export interface RunOptions {
  /** Files, directories and globs of the cluster; default: the program's own. */
  readonly input?: string | readonly string[] | undefined
  /** The directory to publish; default: the program's own. */
  readonly output?: string | undefined
  /** Parameters, which override the program's own. JSON values, of the types of the program's defaults. */
  readonly params?: Readonly<Record<string, unknown>> | undefined
  /**
   * Parameters as texts, for instance of a command line: each is converted to the type of the program's default. Without a default it is
   * JSON if that loses nothing, else text.
   */
  readonly paramTexts?: Readonly<Record<string, string>> | undefined
  /** Environment variables of the program; only TMPDIR is set besides. They are kept with the job until it ends. */
  readonly env?: Readonly<Record<string, string>> | undefined
  /** Number of partitions of the shuffle, and of output files. */
  readonly reducers?: number | undefined
  /** Replication of the output files; default: the program's, else the cluster's. */
  readonly replication?: number | undefined
  /**
   * Encoding of text input, which overrides the program's: `utf8`, `latin1` (ISO 8859-1), `windows1252`, `utf16le` or `utf16be`.
   */
  readonly encoding?: TextEncoding | undefined
  /** Field separator of CSV input, which overrides that of the program and of the files: one ASCII character. */
  readonly delimiter?: string | undefined
  /** Replaces the output of an earlier job, atomically when the new one is published; the old one is kept as a version. */
  readonly overwrite?: boolean | undefined
  /** With `overwrite`: replaces a directory that is not the output of a job (without `_SUCCESS`, or with subdirectories). */
  readonly force?: boolean | undefined
  /** Name of the job; default: the program's file name. */
  readonly name?: string | undefined
  /** Memory limit of one task. */
  readonly memoryBytes?: number | undefined
  /** An attempt that takes longer is killed, and the task is tried again. */
  readonly taskTimeoutMs?: number | undefined
  /** Attempts of one task before the job fails; default: 4. */
  readonly attemptsMax?: number | undefined
  /** Seed of the program's randomness; equal seeds give equal numbers. */
  readonly seed?: number | undefined
  /** Names of rules of the optimizer that are switched off; the result is the same. */
  readonly withoutRules?: readonly string[] | undefined
  /** Kills the job when aborted. */
  readonly signal?: AbortSignal | undefined
  /** Called with notes for the user, such as the names of skipped files below an input. */
  readonly onNote?: ((line: string) => void) | undefined
  /** Called with each change of the job's state, until it has ended. */
  readonly onProgress?: ((status: JobStatus) => void) | undefined
}

const runOptionNames: Known<RunOptions> = {
  input: true, output: true, params: true, paramTexts: true, reducers: true, replication: true, overwrite: true, name: true,
  memoryBytes: true, taskTimeoutMs: true, attemptsMax: true, seed: true, signal: true, onProgress: true, force: true, onNote: true,
  env: true, encoding: true,
  delimiter: true, withoutRules: true,
}

/** Reads and checks the options of `run`. Throws EINVAL. */
export function readRunOptions(given: RunOptions | null | undefined): RunOptions {
  const options = optionsOf<RunOptions>(given, 'run', runOptionNames)
  const { input, output, params, paramTexts, name } = options
  if (input !== undefined) for (const path of listOf(input)) textOf(path, 'input', { max: limits.pathBytesMax })
  if (output !== undefined) pathOf(output, 'output')
  if (name !== undefined) textOf(name, 'name of the job', { max: 200 })
  if (params !== undefined && (typeof params !== 'object' || params === null || Array.isArray(params)))
    throw new GristmillError('EINVAL', `the params are ${shown(params)}; they must be an object`)
  if (paramTexts !== undefined && (typeof paramTexts !== 'object' || paramTexts === null || Array.isArray(paramTexts)))
    throw new GristmillError('EINVAL', `the paramTexts are ${shown(paramTexts)}; they must be an object of texts`)
  if (options.env !== undefined && (typeof options.env !== 'object' || options.env === null || Array.isArray(options.env)))
    throw new GristmillError('EINVAL', `the env is ${shown(options.env)}; it must be an object of texts`)
  if (options.encoding !== undefined) textEncodingOf(options.encoding)
  if (options.delimiter !== undefined) delimiterCode(textOf(options.delimiter, 'delimiter', { max: 10 }))
  if (options.withoutRules !== undefined) {
    if (!Array.isArray(options.withoutRules))
      throw new GristmillError('EINVAL', `withoutRules is ${shown(options.withoutRules)}; it must be an array of names`)
    checkRuleNames(options.withoutRules)
  }
  flagsOf(options, 'overwrite', 'force')
  callbackOf(options.onProgress, 'onProgress')
  callbackOf(options.onNote, 'onNote')
  checkInteger('number of reducers', options.reducers, 1)
  checkInteger('number of replicas', options.replication, 1, limits.replicationMax)
  checkInteger('memory of a task in bytes', options.memoryBytes, 0)
  checkInteger('time of a task in milliseconds', options.taskTimeoutMs, 0)
  checkInteger('number of tries', options.attemptsMax, 1, 100)
  checkInteger('seed', options.seed, 0)
  return options
}

export interface RunTools {
  readonly cluster: Cluster
  readonly files: FileClient
  readonly disk: Disk
  readonly log: Log
  readonly processes: Processes
  /** Cache of plans: a program that runs again is not loaded again. */
  readonly plans: Plans
  /** Base of relative program paths. */
  readonly workingDirectory: string
  /** Directory of bundles on this machine. */
  readonly programDir: string
  /** Bundles a local file and loads the bundle; default: those of the product. */
  readonly compiler?: Compiler | undefined
}

export interface Compiler { readonly bundle: (file: string) => Promise<Bundle>; readonly modules: Modules }

/** A program that is ready to be sent. */
interface Prepared {
  readonly bundle: Bundle
  readonly assets: Awaited<ReturnType<typeof readAssets>>
  readonly env: Readonly<Record<string, string>>
  readonly planned: Planned
  readonly input: readonly string[]
  readonly output: string
  readonly layout: Layout
}

/** Bundles, loads and lays out a program. Throws EINVAL for options that it does not use or needs. */
async function prepare(tools: RunTools, file: string, options: RunOptions, { shipped = [], stored }: ProgramParts): Promise<Prepared> {
  const { signal, reducers } = options
  const local = isBuiltin(file) ? builtinFile(file) : isAbsolute(file) ? file : join(tools.workingDirectory, file)
  const given = givenParams(file, options)
  const env = readable('env', () => checkedEnvironment(options.env ?? {}))
  if (reducers !== undefined && !(Number.isInteger(reducers) && reducers >= 1))
    throw new GristmillError(
      'EINVAL',
      `${local} cannot have ${reducers} reducers; give 1 or more, or leave out "reduce" from the program, which then has none`,
    )
  const { bundle: bare, planned } = await plan(tools, {
    local, params: given, paths: pathsOf(options), env, memoryBytes: options.memoryBytes, signal, stored,
  })
  const assets = stored ? [] : (await readAssets(tools.disk, dirname(local), planned.assets)).concat(shipped)
  const bytes = withAssets(bare.bytes, assets)
  const bundle: Bundle = { ...bare, bytes, id: idOf(bytes) }
  if (planned.ownPaths) checkUsed(planned, options, bundle.name)
  const input = planned.ownPaths ? planned.input : listOf(options.input ?? planned.input)
  const output = planned.ownPaths ? planned.output : options.output ?? planned.output
  if (input.length === 0 && !planned.ownPaths)
    throw new GristmillError('EINVAL', `${bundle.name} has no input: give the files to read (--input), or name them in the program`)
  if (output === undefined)
    throw new GristmillError(
      'EINVAL',
      `${bundle.name} has no output: give the directory to publish (--output), or name it in the program`,
    )
  const layout = await layOut(planned.plan, {
    partitions: reducers, withoutRules: options.withoutRules, sizeOf: sizesOf(tools.cluster, input, signal),
  })
  return { bundle, assets, env, planned, input, output, layout }
}

interface ProgramParts {
  /** Files that are sent along beside the assets of the program. */
  readonly shipped?: readonly ShippedAsset[] | undefined
  /** A program of the cluster, whose bundle is used as it is. */
  readonly stored?: Bundle | undefined
}

export async function runProgram(tools: RunTools, file: string, options: RunOptions, parts: ProgramParts = {}): Promise<Job> {
  const { cluster, files } = tools
  const { signal, replication } = options
  const { bundle, assets, env, planned, input, output, layout } = await prepare(tools, file, options, parts)
  const write = async (path: string, bytes: Uint8Array, until?: AbortSignal): Promise<void> => {
    // Default replication, since each node reads the bundle only once and keeps it. One replica per live node could never be
    // restored once a node is lost for good.
    await using writer = await files.create(path, { parents: true, mode: 0o644, overwrite: false, eager: true, signal: until })
    await writer.write(bytes)
    await writer.close()
  }
  const head = async (status: FileStatus, length: number, until?: AbortSignal): Promise<Buffer> => {
    const located = await files.locate(status.path, { length, ...until && { signal: until } })
    if (located.status.id !== status.id)
      throw new GristmillError('EBUSY', `${status.path} was replaced while the job was being planned; submit it again`, {
        details: { path: status.path },
      })
    return Buffer.concat(await Array.fromAsync(files.read(located, { end: length, signal: until })))
  }
  const read = async (path: string, until?: AbortSignal): Promise<Buffer> => {
    const pieces: Buffer[] = []
    for await (const piece of files.read(path, { signal: until })) pieces.push(piece)
    return Buffer.concat(pieces)
  }
  const { fingerprint, choices } = layout
  const stages = layout.stages.map(stage => ({
    ...stage,
    inputs: stage.inputs.map(each =>
      (each.kind === 'files' ? { ...each, options: inputOver(each.options, options, planned, bundle.name) } : each)),
    ...stage.output.kind === 'files' && replication !== undefined && { output: { ...stage.output, replication } },
  }))
  const job = await submitJob(
    cluster, { write, read },
    {
      name: options.name ?? bundle.name, program: { ...bundle, assets }, params: planned.params, env, fingerprint, plan: choices,
      stages, input, head, output, outputFormat: planned.outputFormat, overwrite: options.overwrite, force: options.force,
      // The same program over the same input draws the same samples again.
      seed: options.seed ?? (planned.ownPaths ? 0 : undefined), attemptsMax: options.attemptsMax, memoryBytes: options.memoryBytes,
      taskTimeoutMs: options.taskTimeoutMs, options: repeatable(options, planned), signal, onNote: options.onNote,
    },
  )
  const { onProgress } = options
  // `wait` is used only for its progress callback; callers of `wait` see the job's failure.
  if (onProgress) void job.wait({ signal, onStatus: onProgress }).catch(() => {})
  return job
}

/** Sizes of the files that a job reads; `input`: where a source names none. */
const sizesOf = (cluster: Cluster, input: readonly string[], signal: AbortSignal | undefined): SizeOf =>
  async ({ paths = input }) => (await findInputs(cluster.ask, paths, { signal })).reduce((sum, { length }) => sum + length, 0)

/** SHA-256 of a program as a run with these parameters would store it. */
export async function programIdOf(
  tools: RunTools, file: string, params: Readonly<Record<string, unknown>>, signal: AbortSignal | undefined,
): Promise<ProgramId> {
  const local = isBuiltin(file) ? builtinFile(file) : isAbsolute(file) ? file : join(tools.workingDirectory, file)
  const { input, output } = params as { readonly input?: string; readonly output?: string }
  const { bundle, planned } = await plan(tools, {
    local, params: { values: params, texts: {} }, paths: { ...input !== undefined && { input }, ...output !== undefined && { output } },
    env: {}, memoryBytes: undefined, signal,
  })
  return idOf(withAssets(bundle.bytes, await readAssets(tools.disk, dirname(local), planned.assets)))
}

/** Options that change the result of a run, and those that a rerun needs to give again. */
function repeatable({ reducers, replication, encoding, delimiter, seed }: RunOptions, { ownPaths }: Planned): Origin['options'] {
  const given = { reducers, replication, encoding, delimiter, seed, ...ownPaths && { ownPaths } }
  return Object.fromEntries(Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
}

/** Throws EINVAL if the run gives an input or an output that a program over Datasets does not use. */
function checkUsed(planned: Planned, { input, output }: RunOptions, name: string): void {
  const unused = listOf(input).find(path => !planned.input.includes(path))
  if (unused !== undefined)
    throw new GristmillError(
      'EINVAL',
      `${name} does not read the input ${unused} of this run: it names its input itself; let it read the parameter "input", or leave --input out`,
    )
  if (output !== undefined && output !== planned.output)
    throw new GristmillError(
      'EINVAL',
      `${name} saves to ${planned.output}, and not to the output ${output} of this run; let it save to the parameter "output", or leave --output out`,
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

/** Number of bundles kept on the submitter's machine; an older one is written again when it is used. */
const programsKept = 200
/** Number of plannings between two prunings of the bundles. */
const prunedEvery = 50

interface ToPlan {
  readonly local: string
  readonly params: GivenParams
  readonly paths: PlanRequest['paths']
  readonly env: Readonly<Record<string, string>>
  readonly memoryBytes: number | undefined
  readonly signal: AbortSignal | undefined
  readonly stored?: Bundle | undefined
}

async function plan(
  tools: RunTools,
  { local, params, paths, env, memoryBytes, signal, stored }: ToPlan,
): Promise<{ bundle: Bundle; planned: Planned }> {
  const { cluster, disk, log, programDir, compiler, processes, plans } = tools
  const { clock, random } = cluster
  await disk.mkdir(programDir)
  if (plans.begin(prunedEvery))
    await prune({ disk, log }, programDir, {
      entries: programsKept, bytes: limits.programsKeptBytes,
      keep: name => plans.isUsed(name.replace(/\..*$/, '')),
    })
  if (compiler) {
    const bundle = stored ?? await compiler.bundle(local)
    const planned = await plans.using(bundle.id, async () => {
      await keepBundle(disk, { id: bundle.id, dir: programDir, instance: random.id(), fetch: async () => bundle.bytes })
      return planProgram(
        { disk, modules: compiler.modules },
        { id: bundle.id, name: bundle.name, dir: programDir, params, paths, instance: random.id() },
      )
    })
    return { bundle, planned }
  }
  const start = (): Loader =>
    new Loader({ processes, clock, dir: programDir, memoryBytes: memoryBytes ?? limits.taskMemoryBytesDefault, env })
  // Bundling and starting the process take about the same time, so they run concurrently.
  let loader = plans.knows(local) ? undefined : start()
  try {
    const bundle = stored ?? await bundleProgram({ disk }, local)
    const key = JSON.stringify([bundle.id, params, paths, env])
    const known = plans.get(key)
    if (known) return { bundle, planned: known }
    const loading = (loader ??= start())
    const planned = await plans.using(bundle.id, async () => {
      await keepBundle(disk, { id: bundle.id, dir: programDir, instance: random.id(), fetch: async () => bundle.bytes })
      return loading.plan(
        { id: bundle.id, name: bundle.name, dir: programDir, place: dirname(local), params, paths, instance: random.id() },
        signal,
      )
    })
    plans.put(local, key, planned)
    return { bundle, planned }
  } finally {
    loader?.end()
  }
}

/** A single input is a text, several are an array. */
function pathsOf({ input, output }: RunOptions): PlanRequest['paths'] {
  const paths = listOf(input)
  return { ...paths.length > 0 && { input: paths.length === 1 ? paths[0] : paths }, ...output !== undefined && { output } }
}

function givenParams(program: string, { params = {}, paramTexts = {}, input }: RunOptions): GivenParams {
  const values = readable('params', () => paramsOf(params, 'the parameter'))
  const texts = readable('paramTexts', () => textsOf(paramTexts))
  const implied = impliedParams(program, listOf(input), [...Object.keys(values), ...Object.keys(texts)])
  const given = { values, texts: { ...implied, ...texts } }
  const twice = Object.keys(given.texts).find(name => Object.hasOwn(given.values, name))
  if (twice !== undefined)
    throw new GristmillError('EINVAL', `the parameter ${JSON.stringify(twice)} is in params and in paramTexts; leave one of them out`)
  return given
}

/** Throws EINVAL for a value that is not a text, and for a name that no parameter may have. */
function textsOf(texts: Readonly<Record<string, string>>): Record<string, string> {
  const wrong = Object.entries(texts).find(([, text]) => typeof text !== 'string')
  if (wrong)
    throw new GristmillError('EINVAL', `the text of the parameter ${JSON.stringify(wrong[0])} is ${shown(wrong[1])}; give it as a text`)
  paramsOf(texts, 'the parameter')
  return { ...texts }
}

function listOf(paths: string | readonly string[] | undefined): readonly string[] {
  if (paths === undefined) return []
  if (typeof paths === 'string') return [paths]
  if (!Array.isArray(paths)) throw new GristmillError('EINVAL', `the input is ${shown(paths)}; it must be a path or an array of paths`)
  return paths
}
