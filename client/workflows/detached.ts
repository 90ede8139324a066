// Schedules that the cluster follows (`build --schedule --detach`). The task of a job, as that of a detached program
// (client/jobs/detached.ts), builds a stored workflow in a process beside the slots of a datanode. The process ends with the build and
// tells the namenode when the next one is due, which starts another one then. If a process or its node fails, the task runs again
// elsewhere: the state of a workflow is in its outputs, so that nothing is computed twice.
// INVARIANT: a schedule that replaces another one of its name is submitted before that is killed. Of several of a name that are submitted
// at the same time one stays: without `replace` the first, else the last.

import { basename } from 'node:path'
import { backoffMs, type Backoff } from '../../src/base/backoff.ts'
import { asError, GristmillError, hasCode } from '../../src/base/errors.ts'
import { isOfMachine } from '../../src/base/exhaustion.ts'
import type { JobId } from '../../src/base/ids.ts'
import { retry } from '../../src/base/retry.ts'
import { formatDuration } from '../../src/base/units.ts'
import type { Clock } from '../../src/ports/clock.ts'
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
  const [first] = await running(cluster, name, { signal })
  if (first !== undefined && !replace) throw followed(first, name)
  const program = await storeWorkflow(tools, { file: local, definition, signal })
  const spec = driveSpec(cluster, {
    name, run: scheduleRun(cluster.random.id()), program, nowMs: cluster.clock.now(), queue, priority,
    params: { name, build: eachBuildOf(options) } satisfies ScheduleParams,
  })
  const { job } = await cluster.ask(protocol.submit, { spec }, signal, reply => cluster.ask(protocol.kill, { job: reply.job }))
  // Others may have been submitted since the first look. The namenode numbers jobs, so that each submitter sees those before its own.
  const before = await running(cluster, name, { before: job })
  if (!replace && before.length > 0) {
    await end(cluster, job)
    throw followed(before.at(-1)!, name)
  }
  for (const old of before) await end(cluster, old)
  return new Job(cluster, job)
}

const followed = (job: JobId, name: string): GristmillError => new GristmillError(
  'EEXIST', `${job} follows a schedule named ${name}; replace it (--replace), or give this one another name (--name)`, { details: { job } },
)

const end = (cluster: Cluster, job: JobId): Promise<unknown> => cluster.ask(protocol.kill, { job }).catch((error: unknown) => {
  // It has ended meanwhile.
  if (!hasCode(error, 'ENOENT', 'EINVAL')) throw error
})

/** Schedules of this user that have the name and have not ended, of those submitted before a job, or of all. */
async function running(
  { ask, user }: Cluster, name: string, { before: last, signal }: { readonly before?: JobId; readonly signal?: AbortSignal | undefined },
): Promise<JobId[]> {
  const found: JobId[] = []
  const isOne = (status: JobStatus): boolean =>
    status.state === 'running' && status.name === name && isSchedule(status) && (user === undefined || status.user === user)
  const page = (before: JobId | undefined = last) => ask(protocol.jobs, { limit: 1000, ...before !== undefined && { before } }, signal)
  for await (const { jobs } of paged(page)) found.push(...jobs.filter(isOne).map(({ job }) => job))
  return found
}

interface FollowGiven extends Pick<TaskWork, 'params'> {
  readonly dueMs: TaskWork['dueMs'] | undefined
  /** By which the schedule goes. */
  readonly wall: Clock
  readonly stored: Buffer
}

/**
 * Builds a stored workflow for the time `dueMs` of its schedule, and resolves to the next one. For a namenode of an earlier version, which
 * tells no time, it stays and follows the schedule itself. Rejects for a failure of this machine, or if the workflow is wrong.
 */
export async function followStored(
  tools: RunTools, { params, dueMs, wall, stored }: FollowGiven, print: (text: string, stream: 'stdout' | 'stderr') => void,
): Promise<number | undefined> {
  const { build } = params as unknown as ScheduleParams
  const { declaration, programsOf } = await readStored(tools, stored)
  const { clock, random } = tools.cluster
  const say = (text: string): void => print(`${new Date(wall.now()).toISOString()} ${text}\n`, 'stdout')
  const options: BuildOptions = {
    ...build, onOutput: print, onNote: say,
    onDataset: dataset => {
      const text = textOfDataset(dataset)
      if (text !== undefined) say(text)
    },
  }
  const builds = followSchedule({
    clock: wall, signal: undefined, dueMs, read: async () => declaration,
    build: () => retry(async () => {
      say('a build begins')
      return buildDeclared(tools, declaration, options, programsOf)
    }, {
      clock, attemptsMax: triesMax, pauseMs: attempt => backoffMs(attempt, pauses, random),
      again: error => {
        if (!isUnreached(error)) return false
        say(`the build is begun again, because the cluster was not reached: ${asError(error).message}`)
        return true
      },
    }),
  })
  for await (const { result, error, skipped, next } of builds) {
    if (error && isOfMachine(error.cause ?? error)) throw asError(error.cause ?? error)
    if (error) say(`the build has failed: ${error.message}`)
    else say(`the build has ended: ${countBuilt(result!)} datasets were built`)
    if (skipped > 0) say(`no build began at ${skipped} times of the schedule that passed meanwhile`)
    say(`the next build is at ${next.toISOString()}`)
    if (dueMs !== undefined) return next.getTime()
  }
  return undefined
}

/** Tries of a build while the cluster is not reached, and the pauses between them: the next time of the schedule may be far. */
const triesMax = 20
const pauses: Backoff = { firstMs: 1_000, maxMs: 60_000 }

const unreachedCodes = ['UNAVAILABLE', 'TIMEOUT', 'SAFE_MODE', 'OUTCOME_UNKNOWN'] as const

/** A dataset, or the whole build, has failed because a call to the cluster has. */
function isUnreached(error: unknown): boolean {
  if (hasCode(error, ...unreachedCodes)) return true
  const { failed = [] } = asError(error).details as { readonly failed?: ReadonlyArray<{ readonly code: string }> }
  return failed.some(({ code }) => unreachedCodes.some(each => each === code))
}

const countBuilt = ({ datasets }: BuildResult): string =>
  `${datasets.filter(({ state }) => state === 'built').length} of ${datasets.length}`

function textOfDataset({ path, state, job, durationMs = 0, error, reasons }: BuiltDataset): string | undefined {
  if (state === 'built') return `${path}: built in ${formatDuration(durationMs)} by ${job}`
  if (state === 'building' && job === undefined) return `${path}: ${reasons.map(({ message }) => message).join('; ')}`
  if (state === 'failed') return `${path}: ${error!.message}`
  return state === 'skipped' ? `${path}: not built, because it depends on a dataset that could not be built` : undefined
}
