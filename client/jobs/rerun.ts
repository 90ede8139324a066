// Runs a job again as it ran: its stored program or a new one, with the parameters and options of then, over the inputs that it has read.
// An input that is an output of a job and has been replaced or renamed since is read as the version of then (pinned.ts); any other input
// has to be unchanged.

import { join } from 'node:path'
import { GristmillError, hasCode } from '../../src/base/errors.ts'
import type { JobId } from '../../src/base/ids.ts'
import * as jobs from '../../src/protocol/job.ts'
import * as protocol from '../../src/protocol/version.ts'
import type { Made, Version } from '../../src/protocol/version.ts'
import { idOf } from '../../src/program/bundle.ts'
import { callbackOf, flagsOf, optionsOf, pathOf, textOf, type CallOptions } from '../call/arguments.ts'
import { paged } from '../call/pages.ts'
import { readRunOptions, type RunOptions } from './options.ts'
import { pinnedPath } from './pinned.ts'
import { runProgram, type RunTools } from './run.ts'
import type { Run } from './running.ts'

export interface RerunOptions extends CallOptions {
  /** Program to run instead of the one that the job ran. */
  readonly code?: string | undefined
  /** Directory to publish; default: that of the job, whose present output is kept as a version. */
  readonly output?: string | undefined
  /** Reads the inputs as they are now. */
  readonly latest?: boolean | undefined
  /** Environment variables of the tasks; needed if the job had some, whose values are not kept. */
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly onNote?: ((line: string) => void) | undefined
}

export function readRerunOptions(given: RerunOptions | null | undefined): RerunOptions {
  const options = optionsOf<RerunOptions>(given, 'rerun', { code: true, output: true, latest: true, env: true, onNote: true, signal: true })
  if (options.output !== undefined) pathOf(options.output, 'output')
  if (options.code !== undefined) textOf(options.code, 'program', { max: 4096 })
  flagsOf(options, 'latest')
  callbackOf(options.onNote, 'onNote')
  readRunOptions({ env: options.env })
  return options
}

export async function rerunJob(tools: RunTools, job: JobId, options: RerunOptions): Promise<Run> {
  const { code, latest = false, env, onNote, signal } = options
  const { path, version, made } = await madeByJob(tools, job, signal)
  const missing = (made.env ?? []).filter(name => env?.[name] === undefined)
  if (missing.length > 0)
    throw new GristmillError('EINVAL', `${job} had the environment variables ${missing.join(', ')}, whose values are not kept; give them again (--env)`)
  if (!made.params)
    throw new GristmillError('EINVAL', `the parameters of ${job} were too large to be kept; run its program with them again`)
  const { ownPaths, isStep, ...kept } = (made.origin?.options ?? {}) as Partial<RunOptions> & { ownPaths?: boolean; isStep?: boolean }
  if (isStep)
    throw new GristmillError('EINVAL', `${job} is a step of a program, and depends on the results of its other steps; run the program again`)
  const pinned = latest ? undefined : await sameInputs(tools, job, made, signal)
  const inputs = pinned ? [...pinned.keys()] : made.inputs ?? []
  const { input: own, output: ownOutput, ...params } = made.params
  const run: RunOptions = {
    ...kept, name: made.name, params: ownPaths ? params : made.params, ...env && { env }, onNote, signal, overwrite: true,
    seed: kept.seed ?? made.seed,
    ...made.limits && {
      attemptsMax: made.limits.attemptsMax,
      ...made.limits.memoryBytes > 0 && { memoryBytes: made.limits.memoryBytes },
      ...made.limits.taskDeadlineMs > 0 && { taskTimeoutMs: made.limits.taskDeadlineMs },
    },
    ...ownPaths ? pathsOfProgram(own, ownOutput, inputs, options.output) : { input: inputs, output: options.output ?? path },
  }
  if (code !== undefined) return runProgram(tools, code, run, { pinned })
  if (version.program === undefined || made.programPath === undefined)
    throw new GristmillError('EINVAL', `the program of ${job} is not recorded; give one (--code)`)
  const bytes = await readProgram(tools, made.programPath, signal)
  if (idOf(bytes) !== version.program)
    throw new GristmillError('CORRUPT', `the stored program ${made.programPath} is not the one that ${job} ran; give one (--code)`)
  return runProgram(tools, join(tools.programDir, `${version.program}.js`), run, {
    stored: { id: version.program, bytes, name: made.name ?? job }, pinned,
  })
}

/** A program over Datasets has its paths as parameters, if it has them from outside. */
function pathsOfProgram(own: unknown, ownOutput: unknown, inputs: readonly string[], output: string | undefined): Partial<RunOptions> {
  const to = output ?? (typeof ownOutput === 'string' ? ownOutput : undefined)
  return { ...own !== undefined && { input: inputs }, ...to !== undefined && { output: to } }
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

/** The version that a job has published. Throws ENOENT for a job that is not known, EINVAL if no version is left of it. */
async function madeByJob(
  { cluster: { ask } }: RunTools, job: JobId, signal: AbortSignal | undefined,
): Promise<{ path: string; version: Version; made: Made }> {
  const { output: path } = await ask(jobs.watch, { job }, signal)
  const page = (before?: number) => ask(protocol.list, { path, ...before !== undefined && { before } }, signal)
  try {
    for await (const { versions } of paged(page))
      for (const version of versions) {
        if (version.job !== job) continue
        const { made } = await ask(protocol.show, { path, version: String(version.number) }, signal)
        return { path, version, made }
      }
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR', 'EINVAL')) throw error
  }
  throw new GristmillError('EINVAL', `no version of ${path} is left that ${job} has published, so that nothing is known of its inputs`, {
    details: { job, path },
  })
}

/** Paths at which the inputs can be read as the job has read them, with their digests. Throws EINVAL if one has changed. */
async function sameInputs(
  { cluster: { ask } }: RunTools, job: JobId, made: Made, signal: AbortSignal | undefined,
): Promise<Map<string, string>> {
  const pins = new Map((made.origin?.pins ?? []).map(pin => [pin.path, pin]))
  const same = new Map<string, string>()
  for (const input of made.inputs ?? []) {
    const pin = pins.get(input)
    const found = pin ? await pinnedPath(ask, pin, signal) : { change: `nothing is recorded of ${input}` }
    if (found.path === undefined)
      throw new GristmillError(
        'EINVAL', `${job} cannot run again over the same inputs: ${found.change}; --latest reads them as they are now`,
        { details: { job, path: input } },
      )
    // The job has read these files twice, and one path would be read once.
    if (same.has(found.path))
      throw new GristmillError(
        'EINVAL', `${job} cannot run again over the same inputs: two of them are ${found.path} now; --latest reads them as they are now`,
        { details: { job, path: input } },
      )
    same.set(found.path, found.digest)
  }
  return same
}
