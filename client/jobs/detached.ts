// Programs of several steps that are driven from within the cluster (`run --detach`). A job of one task, the drive, runs the program's
// function in a process beside the slots of a datanode (client/driving), and submits the jobs of its steps there. If that process or its
// node ends, the task runs again elsewhere, and goes on behind the records of its log (drivelog.ts). The namenode ends the steps with the
// drive.

import type { JobId } from '../../src/base/ids.ts'
import * as protocol from '../../src/protocol/job.ts'
import type { JobSpec, JobStatus } from '../../src/protocol/job.ts'
import { detachedRun, driveMethod, isDetachedStep, isDrive, type TaskWork } from '../../src/protocol/task.ts'
import type { Cluster } from '../call/cluster.ts'
import { signalOption, type CallOptions } from '../call/arguments.ts'
import { paged } from '../call/pages.ts'
import { during } from '../call/perform.ts'
import type { Planned } from '../load/planning.ts'
import { Job } from './job.ts'
import type { Launch } from './launch.ts'
import type { RunOptions } from './options.ts'
import { Run } from './running.ts'
import { storeOf } from './store.ts'
import { storeProgram } from './storeprogram.ts'

/** Options of the run that the drive gives to its steps: plain data. */
const kept = [
  'reducers', 'partitionBytes', 'replication', 'overwrite', 'force', 'queue', 'priority', 'cpu', 'memoryBytes', 'taskTimeoutMs',
  'attemptsMax', 'seed', 'withoutRules',
] as const satisfies ReadonlyArray<keyof RunOptions>

/** Parameters of the drive: the options that the run was given. */
interface DriveParams { readonly name: string; readonly run: RunOptions }

/** A drive fails when so many of its processes have failed; one that ends with its node is not counted. */
const drivesMax = 20
/** Pause between two looks for new steps. */
const lookMs = 300

/** Submits the job that drives the program. */
export async function submitDrive(
  { tools: { cluster, files }, options, bundle, env }: Launch, { params: { input, output, ...params } }: Planned, nowMs: number,
): Promise<Run> {
  const { signal, queue, priority } = options
  const run: RunOptions = {
    ...Object.fromEntries(kept.flatMap(name => (options[name] === undefined ? [] : [[name, options[name]]]))),
    params, ...input !== undefined && { input: input as RunOptions['input'] }, ...output !== undefined && { output: output as string },
  }
  const given: DriveParams = { name: options.name ?? bundle.name, run }
  protocol.checkParams({ ...given })
  const spec = driveSpec(cluster, {
    name: given.name, run: detachedRun(cluster.random.id()), params: { ...given }, env, seed: options.seed, nowMs, queue, priority,
    program: { id: bundle.id, path: await storeProgram(cluster, storeOf(files), bundle, signal) },
  })
  const { job } = await cluster.ask(protocol.submit, { spec }, signal, reply => cluster.ask(protocol.kill, { job: reply.job }))
  return new DetachedRun(cluster, job)
}

interface DriveGiven extends Pick<JobSpec, 'name' | 'program' | 'params'>, Pick<RunOptions, 'seed' | 'queue' | 'priority'> {
  readonly run: string
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly nowMs: number
}

/** Job of one task that a process beside the slots of a datanode does. */
export const driveSpec = (
  { random }: Pick<Cluster, 'random'>, { name, run, program, params, env = {}, seed = 0, nowMs, queue, priority }: DriveGiven,
): JobSpec => ({
  name, program, params, ...Object.keys(env).length > 0 && { env: { ...env } }, seed, fingerprint: '-',
  driver: { id: run, step: 0, method: driveMethod, nowMs, outline: '', history: [] },
  stages: [{ name: driveMethod, input: { kind: 'values', parts: 1 }, output: { kind: 'files', format: 'text' } }],
  output: { path: `${protocol.resultsDirectory}/${random.id()}`, overwrite: false, format: 'text', result: true },
  attemptsMax: drivesMax, memoryBytes: 0, taskDeadlineMs: 0,
  ...queue !== undefined && { queue }, ...priority !== undefined && { priority },
})

/** Name and options of the run whose program this task drives. */
export const drivenRun = ({ params }: Pick<TaskWork, 'params'>): DriveParams => params as unknown as DriveParams

/** A program that is driven from within the cluster. It is the job that drives it, and `steps` are those that are known. */
export class DetachedRun extends Run {
  readonly #cluster: Cluster
  readonly #steps = new Map<JobId, Job>()

  constructor(cluster: Cluster, id: JobId) {
    super(cluster, id)
    this.#cluster = cluster
  }

  override get steps(): readonly Job[] { return [...this.#steps.values()] }

  /** Statuses of the steps, one step after the other, until the program has ended; the last one is that of the job that drives it. */
  override async *watch(options?: AbortSignal | CallOptions | null): AsyncGenerator<JobStatus, void, undefined> {
    const signal = await during('job', undefined, async () => signalOption(options, 'watch'))
    for (;;) {
      const status = await this.status({ signal })
      const isNew = yield* this.#newSteps(status, signal)
      if (status.state !== 'running' && status.state !== 'publishing') return yield status
      if (!isNew) await this.#cluster.clock.sleep(lookMs, signal)
    }
  }

  async *#newSteps(drive: JobStatus, signal: AbortSignal | undefined): AsyncGenerator<JobStatus, boolean, undefined> {
    const found: JobStatus[] = []
    search: for await (const { jobs } of paged((before?: JobId) =>
      this.#cluster.ask(protocol.jobs, { limit: 1000, ...before !== undefined && { before } }, signal)))
      for (const status of jobs) {
        if (status.job === drive.job || this.#steps.has(status.job)) break search
        if (isDetachedStep(status) && status.driver!.id === drive.driver!.id) found.push(status)
      }
    for (const { job } of found.reverse()) {
      const step = new Job(this.#cluster, job)
      this.#steps.set(job, step)
      yield* step.watch({ signal })
    }
    return found.length > 0
  }
}

/** The job that drives the program to which a detached step belongs; undefined: it is forgotten. */
export async function driveOf(cluster: Cluster, { driver, job }: JobStatus, signal?: AbortSignal): Promise<JobStatus | undefined> {
  for await (const { jobs } of paged((before: JobId = job) => cluster.ask(protocol.jobs, { limit: 1000, before }, signal))) {
    const found = jobs.find(status => isDrive(status) && status.driver!.id === driver!.id)
    if (found) return found
  }
  return undefined
}
