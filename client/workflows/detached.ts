// Schedules that the cluster follows (`build --schedule --detach`). A job of one task, as that of a detached program
// (client/jobs/detached.ts), follows the schedule of a stored workflow in a process beside the slots of a datanode. If that process or its
// node ends, the task runs again elsewhere and begins with a build: the state of a workflow is in its outputs, so that nothing is computed
// twice, and what was missed is computed then.
// INVARIANT: a schedule that replaces another one of its name is submitted before that is killed.

import { basename } from 'node:path'
import { asError, GristmillError, hasCode } from '../../src/base/errors.ts'
import { isOfMachine } from '../../src/base/exhaustion.ts'
import type { JobId } from '../../src/base/ids.ts'
import { formatDuration } from '../../src/base/units.ts'
import * as protocol from '../../src/protocol/job.ts'
import type { JobStatus } from '../../src/protocol/job.ts'
import { isSchedule, scheduleRun, type TaskWork } from '../../src/protocol/task.ts'
import { flagsOf, optionsOf, textOf, type CallOptions } from '../call/arguments.ts'
import type { Cluster } from '../call/cluster.ts'
import { paged } from '../call/pages.ts'
import { driveSpec } from '../jobs/detached.ts'
import { Job } from '../jobs/job.ts'
import type { RunTools } from '../jobs/run.ts'
import { buildDeclared, readBuildOptions, readWorkflowFile, type BuildOptions, type BuildResult, type BuiltDataset } from './build.ts'
import { checkDeclaration } from './declaration.ts'
import { checkSchedule, followSchedule } from './schedule.ts'
import { readStored, storeWorkflow } from './stored.ts'

type EachBuild = Pick<BuildOptions, 'targets' | 'force' | 'concurrency' | 'queue' | 'priority' | 'taskTimeoutMs'>

export interface ScheduleOptions extends EachBuild, CallOptions {
  /** A user follows one schedule of a name; default: the name of the file, without its extension. */
  readonly name?: string | undefined
  /** Ends the schedule of this user that has the name. */
  readonly replace?: boolean | undefined
}

/** Parameters of the job. */
interface ScheduleParams { readonly name: string; readonly build: EachBuild }

const each = ['targets', 'force', 'concurrency', 'queue', 'priority', 'taskTimeoutMs'] as const satisfies ReadonlyArray<keyof EachBuild>

const eachBuildOf = (options: ScheduleOptions): EachBuild =>
  Object.fromEntries(each.flatMap(name => (options[name] === undefined ? [] : [[name, options[name]]])))

export function readScheduleOptions(given: ScheduleOptions | null | undefined): ScheduleOptions {
  const options = optionsOf<ScheduleOptions>(given, 'scheduleBuild', {
    targets: true, force: true, concurrency: true, queue: true, priority: true, taskTimeoutMs: true, name: true, replace: true,
    signal: true,
  })
  const { name } = options
  readBuildOptions(eachBuildOf(options))
  if (name !== undefined) textOf(name, 'name of the schedule', { max: 200 })
  flagsOf(options, 'replace')
  return options
}

/** Throws EINVAL for a workflow without a schedule, PROGRAM_INVALID, EEXIST if this user follows a schedule of the name. */
export async function submitSchedule(tools: RunTools, file: string, options: ScheduleOptions): Promise<Job> {
  const { cluster } = tools
  const { signal, queue, priority, replace = false } = options
  const { definition, local } = await readWorkflowFile(tools, file, signal)
  checkSchedule(checkDeclaration(definition, local))
  const name = options.name ?? basename(local).replace(/\.[^.]*$/, '')
  const before = await running(cluster, name, signal)
  const [first] = before
  if (first !== undefined && !replace)
    throw new GristmillError(
      'EEXIST', `${first} follows a schedule named ${name}; replace it (--replace), or give this one another name (--name)`,
      { details: { job: first } },
    )
  const program = await storeWorkflow(tools, { file: local, definition, signal })
  const spec = driveSpec(cluster, {
    name, run: scheduleRun(cluster.random.id()), program, nowMs: cluster.clock.now(), queue, priority,
    params: { name, build: eachBuildOf(options) } satisfies ScheduleParams,
  })
  const { job } = await cluster.ask(protocol.submit, { spec }, signal, reply => cluster.ask(protocol.kill, { job: reply.job }))
  for (const old of before)
    await cluster.ask(protocol.kill, { job: old }).catch((error: unknown) => {
      // It has ended meanwhile.
      if (!hasCode(error, 'ENOENT', 'EINVAL')) throw error
    })
  return new Job(cluster, job)
}

/** Schedules of this user that have the name and have not ended. */
async function running({ ask, user }: Cluster, name: string, signal: AbortSignal | undefined): Promise<JobId[]> {
  const found: JobId[] = []
  const isOne = (status: JobStatus): boolean =>
    status.state === 'running' && status.name === name && isSchedule(status) && (user === undefined || status.user === user)
  const page = (before?: JobId) => ask(protocol.jobs, { limit: 1000, ...before !== undefined && { before } }, signal)
  for await (const { jobs } of paged(page)) found.push(...jobs.filter(isOne).map(({ job }) => job))
  return found
}

/** Follows the schedule of a stored workflow. Ends only by a failure of this machine, or if the workflow is wrong. */
export async function followStored(
  tools: RunTools, { params, stored }: Pick<TaskWork, 'params'> & { readonly stored: Buffer },
  print: (text: string, stream: 'stdout' | 'stderr') => void,
): Promise<void> {
  const { build } = params as unknown as ScheduleParams
  const { declaration, programsOf } = await readStored(tools, stored)
  const { clock } = tools.cluster
  const say = (text: string): void => print(`${new Date(clock.now()).toISOString()} ${text}\n`, 'stdout')
  const options: BuildOptions = {
    ...build, onOutput: print, onNote: say,
    onDataset: dataset => {
      const text = textOfDataset(dataset)
      if (text !== undefined) say(text)
    },
  }
  const builds = followSchedule({
    clock, signal: undefined, read: async () => declaration,
    build: async () => {
      say('a build begins')
      return buildDeclared(tools, declaration, options, programsOf)
    },
  })
  for await (const { result, error, skipped, next } of builds) {
    if (error && isOfMachine(error.cause ?? error)) throw asError(error.cause ?? error)
    if (error) say(`the build has failed: ${error.message}`)
    else say(`the build has ended: ${countBuilt(result!)} datasets were built`)
    if (skipped > 0) say(`no build began at ${skipped} times of the schedule that passed meanwhile`)
    say(`the next build is at ${next.toISOString()}`)
  }
}

const countBuilt = ({ datasets }: BuildResult): string =>
  `${datasets.filter(({ state }) => state === 'built').length} of ${datasets.length}`

function textOfDataset({ path, state, job, durationMs = 0, error, reasons }: BuiltDataset): string | undefined {
  if (state === 'built') return `${path}: built in ${formatDuration(durationMs)} by ${job}`
  if (state === 'building' && job === undefined) return `${path}: ${reasons.map(({ message }) => message).join('; ')}`
  if (state === 'failed') return `${path}: ${error!.message}`
  return state === 'skipped' ? `${path}: not built, because it depends on a dataset that could not be built` : undefined
}
