// From a program on the local disk to a job in the cluster: bundled, loaded here once to build its plan (so that what is wrong
// with it is said before anything is sent), stored under its hash, and submitted.

import { isAbsolute, join } from 'node:path'
import { GristmillError } from '../src/base/errors.ts'
import { limits } from '../src/base/limits.ts'
import type { FileClient } from '../src/file/client.ts'
import type { Disk } from '../src/ports/disk.ts'
import type { Modules } from '../src/ports/modules.ts'
import type { JobStatus } from '../src/protocol/job.ts'
import { fingerprintOf } from '../src/plan/fingerprint.ts'
import { planMapReduce } from '../src/plan/mapreduce.ts'
import { optimize } from '../src/plan/rules.ts'
import { stagesOf } from '../src/plan/stage.ts'
import { checkJson, Unwritable } from '../src/record/jsontext.ts'
import { bundleProgram, type Bundle } from '../src/program/bundle.ts'
import { loadProgram } from '../src/program/load.ts'
import { callbackOf, flagsOf, optionsOf, pathOf, shown, textOf, type Known } from './arguments.ts'
import { within } from './within.ts'
import type { Cluster } from './jobs/ask.ts'
import type { Job } from './jobs/job.ts'
import { submitJob, type PlannedStage } from './jobs/submit.ts'

export interface RunOptions {
  /** Files, directories and globs of the cluster; what the program itself names unless told. */
  readonly input?: string | readonly string[] | undefined
  /** The directory to publish; what the program itself names unless told. */
  readonly output?: string | undefined
  /** Over the program's own. JSON values. */
  readonly params?: Readonly<Record<string, unknown>> | undefined
  /** Partitions of the shuffle: as many output files. */
  readonly reducers?: number | undefined
  /** Replicas of the output files; what the program says, or the cluster's default, unless told. */
  readonly replication?: number | undefined
  /** Replaces the output of a job that is there, in the step that publishes the new one; the old one goes to the trash. */
  readonly overwrite?: boolean | undefined
  /** With `overwrite`: replaces a directory that is not the output of a job (without `_SUCCESS`, or with directories in it). */
  readonly force?: boolean | undefined
  /** What the job is called; the program's file name unless told. */
  readonly name?: string | undefined
  /** Of one task. */
  readonly memoryBytes?: number | undefined
  /** A task that takes longer is killed and tried again. */
  readonly taskTimeoutMs?: number | undefined
  /** Tries of one task before the job fails; 4 unless told. */
  readonly attemptsMax?: number | undefined
  /** Seeds the program's randomness; the same gives the same numbers. */
  readonly seed?: number | undefined
  /** Kills the job. */
  readonly signal?: AbortSignal | undefined
  /** Called with lines that a person should read, such as the names of files that are not read although they lie below an input. */
  readonly onNote?: ((line: string) => void) | undefined
  /** Called with each change of the job's state, until it is over. */
  readonly onProgress?: ((status: JobStatus) => void) | undefined
}

const runOptionNames: Known<RunOptions> = {
  input: true, output: true, params: true, reducers: true, replication: true, overwrite: true, name: true, memoryBytes: true,
  taskTimeoutMs: true, attemptsMax: true, seed: true, signal: true, onProgress: true, force: true, onNote: true,
}

/** Reads and checks the options of `run`. Throws EINVAL. */
export function readRunOptions(given: RunOptions | null | undefined): RunOptions {
  const options = optionsOf<RunOptions>(given, 'run', runOptionNames)
  const { input, output, params, name } = options
  if (input !== undefined) for (const path of listOf(input)) textOf(path, 'input', { max: limits.pathBytesMax })
  if (output !== undefined) pathOf(output, 'output')
  if (name !== undefined) textOf(name, 'name of the job', { max: 200 })
  if (params !== undefined && (typeof params !== 'object' || params === null || Array.isArray(params))) throw new GristmillError('EINVAL', `the params are ${shown(params)}; they must be an object`)
  flagsOf(options, 'overwrite', 'force')
  callbackOf(options.onProgress, 'onProgress')
  callbackOf(options.onNote, 'onNote')
  within('number of reducers', options.reducers, 1)
  within('number of replicas', options.replication, 1, limits.replicationMax)
  within('memory of a task in bytes', options.memoryBytes, 0)
  within('time of a task in milliseconds', options.taskTimeoutMs, 0)
  within('number of tries', options.attemptsMax, 1, 100)
  within('seed', options.seed, 0)
  return options
}

export interface RunTools {
  readonly cluster: Cluster
  readonly files: FileClient
  readonly disk: Disk
  /** Relative programs are looked for here. */
  readonly workingDirectory: string
  /** Where bundles are kept on this machine. */
  readonly programDir: string
  /** How a local file becomes a bundle, and a bundle code; as anywhere else unless told. */
  readonly compiler?: Compiler | undefined
}

export interface Compiler { readonly bundle: (file: string) => Promise<Bundle>; readonly modules: Modules }

export async function runProgram(tools: RunTools, file: string, options: RunOptions): Promise<Job> {
  const { cluster, files, disk, programDir, compiler } = tools
  const { signal } = options
  const local = isAbsolute(file) ? file : join(tools.workingDirectory, file)
  const bundle = await (compiler ? compiler.bundle(local) : bundleProgram({ disk }, local))
  await disk.mkdir(programDir)
  const given = paramsOf(options.params ?? {}, 'the parameter')
  const { definition, params: merged } = await loadProgram({ disk, modules: compiler?.modules }, {
    id: bundle.id, dir: programDir, params: given, instance: cluster.random.id(), fetch: async () => bundle.bytes,
  })
  const params = paramsOf(merged, `the parameter of ${bundle.name}`)
  const plan = optimize(planMapReduce(definition))
  const input = listOf(options.input ?? definition.input?.path)
  const output = options.output ?? definition.output?.path
  if (input.length === 0) throw new GristmillError('EINVAL', `${bundle.name} has no input: say which files it shall read (--input), or name them in the program`)
  if (output === undefined) throw new GristmillError('EINVAL', `${bundle.name} has no output: say where its result shall be published (--output), or name it in the program`)
  const store = async (path: string, bytes: Uint8Array, until?: AbortSignal): Promise<void> => {
    // With as many replicas as any file: one for each node that lives now could never be made again once a node is gone for good.
    // Each node reads the bundle once and keeps it.
    await using writer = await files.create(path, { parents: true, mode: 0o644, overwrite: false, eager: true, signal: until })
    await writer.write(bytes)
    await writer.close()
  }
  const { replication, reducers } = options
  if (reducers !== undefined && !(Number.isInteger(reducers) && reducers >= 1)) throw new GristmillError('EINVAL', `${bundle.name} cannot have ${reducers} reducers; give 1 or more, or leave out "reduce" from the program, which then has none`)
  const stages: PlannedStage[] = stagesOf(plan, { partitions: reducers }).map(({ name, input: from, output: to }) =>
    ({ name, input: from, output: to.kind === 'files' && replication !== undefined ? { ...to, replication } : to }))
  const job = await submitJob(cluster, store, {
    name: options.name ?? bundle.name,
    program: bundle, params, fingerprint: fingerprintOf(plan), stages,
    input, output, outputFormat: plan.root.output.format,
    overwrite: options.overwrite, force: options.force, seed: options.seed, attemptsMax: options.attemptsMax, memoryBytes: options.memoryBytes, taskTimeoutMs: options.taskTimeoutMs, signal,
    onNote: options.onNote,
  })
  const { onProgress } = options
  // Progress is told for as long as somebody listens; how the job ends is told to those who wait for it.
  if (onProgress) void job.wait({ signal, onStatus: onProgress }).catch(() => {})
  return job
}

/** Those that were said. Throws EINVAL for one that would not arrive as it is: parameters travel as JSON. */
function paramsOf(params: Readonly<Record<string, unknown>>, whose: string): Record<string, unknown> {
  const said = Object.entries(params).filter(([, value]) => value !== undefined)
  for (const [name, value] of said) {
    try {
      checkJson(value)
    } catch (error) {
      if (!(error instanceof Unwritable)) throw error
      throw new GristmillError('EINVAL', `${whose} ${JSON.stringify(name)} holds ${error.what}${error.path === '' ? '' : ` at ${error.path}`}, which cannot be written as JSON; ${error.advice}`, { cause: error })
    }
  }
  return Object.fromEntries(said)
}

function listOf(paths: string | readonly string[] | undefined): readonly string[] {
  if (paths === undefined) return []
  if (typeof paths === 'string') return [paths]
  if (!Array.isArray(paths)) throw new GristmillError('EINVAL', `the input is ${shown(paths)}; it must be a path or an array of paths`)
  return paths
}
