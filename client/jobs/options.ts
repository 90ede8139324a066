// Options of `run`: their checks, and the parameters and paths that a program gets from them.

import { GristmillError } from '../../src/base/errors.ts'
import type { TextEncoding } from '../../src/base/formats.ts'
import { priorityMax, queueNameMax } from '../../src/base/jobqueues.ts'
import { limits } from '../../src/base/limits.ts'
import { formatBytes } from '../../src/base/units.ts'
import { isUrl } from '../../src/base/url.ts'
import type { JobStatus } from '../../src/protocol/job.ts'
import { delimiterCode, textEncodingOf } from '../../src/record/records.ts'
import { callbackOf, flagsOf, optionsOf, pathOf, readable, shown, textOf, type Known } from '../call/arguments.ts'
import { checkInteger } from '../call/integers.ts'
import { checkBuiltinParams, impliedParams } from './builtins.ts'
import { checkRuleNames } from './layout.ts'
import type { GivenParams } from '../load/params.ts'
import { paramsOf, type PlanRequest } from '../load/planning.ts'

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
  /**
   * Size of the input for which a shuffle gets one partition, where neither the program nor `reducers` sets the number; default: 64 MiB.
   * Adaptive rules merge and split partitions by it.
   */
  readonly partitionBytes?: number | undefined
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
  /** Queue by which its tasks get slots; default: `default`. Operators declare queues by the setting `queues`. */
  readonly queue?: string | undefined
  /** Jobs of the same queue with a lower priority get slots after it; -100 to 100, default: 0. Nothing is taken from tasks that run. */
  readonly priority?: number | undefined
  /** Slots of a datanode that each task takes, in place of what the program declares; default: 1. */
  readonly cpu?: number | undefined
  /**
   * Memory limit of one task, in place of what the program declares. Without it a task that has used up its memory runs once more, alone
   * on its datanode, with that of all slots.
   */
  readonly memoryBytes?: number | undefined
  /** An attempt that takes longer is killed, and the task is tried again. */
  readonly taskTimeoutMs?: number | undefined
  /** Attempts of one task before the job fails; default: 4. */
  readonly attemptsMax?: number | undefined
  /** Seed of the program's randomness; equal seeds give equal numbers. */
  readonly seed?: number | undefined
  /** Names of rules of the optimizer that are switched off; the result is the same. */
  readonly withoutRules?: readonly string[] | undefined
  /** Kills the program and its jobs when aborted. */
  readonly signal?: AbortSignal | undefined
  /** Called with notes for the user, such as the names of skipped files below an input. */
  readonly onNote?: ((line: string) => void) | undefined
  /** Called with each change of the state of a job, until the program has ended. */
  readonly onProgress?: ((status: JobStatus) => void) | undefined
  /** Called with what a program over Datasets prints where it runs its steps. */
  readonly onOutput?: ((text: string, stream: 'stdout' | 'stderr') => void) | undefined
  /**
   * The caller will not wait: a program of several steps runs them from a process of the cluster, which goes on when this one ends, and
   * reaches no place outside of the cluster. The run that is returned is the job of that process. What the program prints is in its log.
   */
  readonly detach?: boolean | undefined
}

const runOptionNames: Known<RunOptions> = {
  input: true, output: true, params: true, paramTexts: true, reducers: true, replication: true, overwrite: true, name: true,
  memoryBytes: true, cpu: true, taskTimeoutMs: true, attemptsMax: true, seed: true, signal: true, onProgress: true, force: true,
  onNote: true, env: true, encoding: true,
  delimiter: true, onOutput: true, detach: true, partitionBytes: true, withoutRules: true, queue: true, priority: true,
}

/** Reads and checks the options of `run`. Throws EINVAL. */
export function readRunOptions(given: RunOptions | null | undefined): RunOptions {
  const options = optionsOf<RunOptions>(given, 'run', runOptionNames)
  const { input, output, params, paramTexts, name } = options
  if (input !== undefined) for (const path of listOf(input)) textOf(path, 'input', { max: limits.pathBytesMax })
  // A program over Datasets may save outside of the cluster.
  if (typeof output === 'string' && isUrl(output)) textOf(output, 'output', { max: limits.pathBytesMax })
  else if (output !== undefined) pathOf(output, 'output')
  if (name !== undefined) textOf(name, 'name of the job', { max: 200 })
  if (options.queue !== undefined) textOf(options.queue, 'queue', { max: queueNameMax })
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
  flagsOf(options, 'overwrite', 'force', 'detach')
  callbackOf(options.onProgress, 'onProgress')
  callbackOf(options.onNote, 'onNote')
  callbackOf(options.onOutput, 'onOutput')
  checkInteger('number of reducers', options.reducers, 1)
  checkInteger('size of a partition in bytes', options.partitionBytes, 1)
  checkInteger('number of replicas', options.replication, 1, limits.replicationMax)
  checkTaskMemory(options.memoryBytes)
  checkInteger('number of slots of a task', options.cpu, 1, limits.taskSlotsMax)
  checkInteger('time of a task in milliseconds', options.taskTimeoutMs, 0)
  checkInteger('number of tries', options.attemptsMax, 1, 100)
  checkInteger('priority', options.priority, -priorityMax, priorityMax)
  checkInteger('seed', options.seed, 0)
  return options
}

/** Throws EINVAL for a limit in which no task can run. */
function checkTaskMemory(bytes: number | undefined): void {
  const least = limits.taskMemoryBytesMin
  checkInteger('memory of a task in bytes', bytes, 0)
  if (bytes === undefined || bytes >= least) return
  throw new GristmillError(
    'EINVAL', `a task needs at least ${formatBytes(least)} of memory to begin, and its limit is ${formatBytes(bytes)}; give it more, or no limit (--memory)`,
  )
}

/** A single input is a text, several are an array. */
export function pathsOf({ input, output }: RunOptions): PlanRequest['paths'] {
  const paths = listOf(input)
  return { ...paths.length > 0 && { input: paths.length === 1 ? paths[0] : paths }, ...output !== undefined && { output } }
}

export function givenParams(program: string, { params = {}, paramTexts = {}, input }: RunOptions): GivenParams {
  const values = readable('params', () => paramsOf(params, 'the parameter'))
  const texts = readable('paramTexts', () => textsOf(paramTexts))
  const names = [...Object.keys(values), ...Object.keys(texts)]
  checkBuiltinParams(program, names)
  const implied = impliedParams(program, listOf(input), names)
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

export function listOf(paths: string | readonly string[] | undefined): readonly string[] {
  if (paths === undefined) return []
  if (typeof paths === 'string') return [paths]
  if (!Array.isArray(paths)) throw new GristmillError('EINVAL', `the input is ${shown(paths)}; it must be a path or an array of paths`)
  return paths
}
