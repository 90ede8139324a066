// The conversations about jobs, as routes: their owners submit, watch and kill; datanodes report. Jobs that run are
// shown from the scheduler, jobs that are over from the journal.

import { GristmillError } from '../../src/base/errors.ts'
import { attemptParts, type JobId, type NodeId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import { version } from '../../src/base/version.ts'
import * as protocol from '../../src/protocol/job.ts'
import type { JobSpec, JobStatus, TaskStatus } from '../../src/protocol/job.ts'
import type { ReplyOf, RequestOf } from '../../src/protocol/message.ts'
import * as task from '../../src/protocol/task.ts'
import type { CallContext } from '../../src/rpc/context.ts'
import { route, type Route } from '../../src/rpc/serve.ts'
import { inSafeMode } from '../nodes/authority.ts'
import { Admission } from './splits/admission.ts'
import type { Engine } from './engine.ts'
import { splitsOf, unpacked } from './splits/input.ts'
import { keptPatterns } from './publish/kept.ts'
import { newest, taskText } from './listing.ts'
import { placesOf } from './splits/locations.ts'
import type { JobRecord } from './store/record.ts'
import type { JobsDeps } from './deps.ts'
import { heldSpec } from './splits/splits.ts'
import { checkOutputPath, checkSpec } from './spec.ts'
import { jobStatus, recordStatus, shownStatus, taskStatus } from './status.ts'

/** Tasks on a page unless asked for otherwise. */
const pageTasks = 200
/** Tasks on a page of places of logs, at 3 µs each. */
const logTasks = 2000

export function jobRoutes(engine: Engine, rooms: JobsDeps): Route[] {
  const { store, nodes } = rooms
  const { machine } = engine
  const admission = new Admission({ jobs: machine.jobs, uploads: () => store.uploads })

  /**
   * The job of a repeated request is in the scheduler, has ended, or was begun by an earlier process and is taken over by `engine.start`,
   * which restores what it has done: here the scheduler is told only of a job that this call has put into the journal. (A repeat of a
   * request that is under way does not come here: src/rpc/repeats.ts.)
   */
  async function submit(spec: JobSpec, context: CallContext): Promise<{ job: JobId }> {
    const { user } = context
    const requestId = context.requestId!
    checkSpec(spec)
    const actor = rooms.actor(user)
    if (store.hasAnswer(requestId)) return { job: await store.submit({ requestId, actor, spec }) }
    return admission.job({ user, spec }, async () => {
      const { whole, places } = await planned(spec, user)
      const job = await store.submit({ requestId, actor, spec })
      // Nothing is awaited between the journal's answer and the scheduler.
      engine.feed({ kind: 'submitted', job, user, spec: whole, submittedMs: store.head(job)!.submittedMs, places })
      return { job }
    })
  }

  /** Throws ESTALE, and what is wrong with the inputs. */
  async function planned(spec: JobSpec, user: string): Promise<{ whole: JobSpec; places: Awaited<ReturnType<typeof placesOf>> }> {
    await rooms.checkSplits(rooms.actor(user), splitsOf(spec), spec.output.path)
    const whole = await store.whole(spec)
    return { whole: heldSpec(whole), places: await placesOf(whole, rooms) }
  }

  /** A page of splits of a job to come. */
  async function addPage({ requestId, ...page }: RequestOf<typeof protocol.splits>, { user }: CallContext): Promise<Record<string, never>> {
    const actor = rooms.actor(user)
    const add = (): Promise<void> => store.addPage({ requestId, actor, ...page })
    if (store.hasAnswer(requestId)) await add()
    else {
      checkOutputPath(page.output)
      await admission.page({ user, upload: page.id, splits: page.splits }, async () => {
        await rooms.checkSplits(actor, unpacked(page.splits), page.output)
        await add()
      })
    }
    return {}
  }

  /** ENOENT if nobody knows it. */
  function statusOf(id: JobId): JobStatus {
    const running = machine.jobs.get(id)
    if (running) return jobStatus(running)
    return shownStatus(head(id))
  }

  function head(id: JobId): JobRecord {
    const found = store.head(id)
    if (!found)
      throw new GristmillError('ENOENT', `there is no job ${id}; "gristmill jobs" lists those that are known`, { details: { job: id } })
    return found
  }

  async function watch(id: JobId, after: number | undefined, context: CallContext): Promise<JobStatus> {
    const status = statusOf(id)
    // A version above ours was seen in an earlier life of this namenode: then anything is news. A job that has not been taken over yet has
    // none.
    if (after === undefined || status.version !== after || status.state !== 'running') return status
    await engine.watchers.wait(id, context.signal)
    return statusOf(id)
  }

  async function kill(id: JobId, context: CallContext): Promise<JobStatus> {
    const { user } = statusOf(id)
    if (user !== context.user && !rooms.actor(context.user).root) {
      throw new GristmillError('EACCES', `job ${id} is ${user}'s; only ${user} or the cluster's superuser may kill it`, {
        details: { job: id },
      })
    }
    engine.feed({ kind: 'kill', job: id })
    await engine.over(id, context.signal)
    return statusOf(id)
  }

  async function publish(
    { requestId, job, output: { path, overwrite = false, force } }: RequestOf<typeof protocol.publish>,
    { user }: CallContext,
  ): Promise<JobStatus> {
    checkOutputPath(path)
    await store.publishKept({ requestId, actor: rooms.actor(user), job, output: { path, overwrite, ...(force && { force }) } })
    return statusOf(job)
  }

  async function drop({ requestId, job }: RequestOf<typeof protocol.drop>, { user }: CallContext): Promise<JobStatus> {
    await store.dropKept({ requestId, actor: rooms.actor(user), job })
    return statusOf(job)
  }

  /** Tasks are counted over all stages; `from` is such a number. */
  function page(id: JobId, only: number | undefined, from = 0, limit = pageTasks): { tasks: TaskStatus[]; next?: number } {
    const { stages } = statusOf(id)
    const starts = startsOf(stages)
    const first = Math.max(from, only === undefined ? 0 : starts[only] ?? Infinity)
    const end =
      only === undefined
        ? Infinity
        : first >= (starts[only] ?? Infinity) + (stages[only]?.tasks ?? 0)
          ? first
          : starts[only]! + stages[only]!.tasks
    const tasks: TaskStatus[] = []
    let text = 0
    for (const status of tasksOf(id, starts, first)) {
      const number = starts[status.stage]! + status.task
      if (number >= end) break
      if (tasks.length === limit || text > limits.pageTextMax) return { tasks, next: number }
      tasks.push(status)
      text += taskText(status)
    }
    return { tasks }
  }

  function* tasksOf(id: JobId, starts: readonly number[], from: number): Iterable<TaskStatus> {
    const running = machine.jobs.get(id)
    const stage = Math.max(0, starts.findLastIndex(start => start <= from))
    const at = { stage, task: Math.max(0, from - (starts[stage] ?? 0)) }
    if (!running) {
      for (const record of store.tasks(id, at)) yield recordStatus(record)
      return
    }
    for (const each of running.stages.slice(at.stage)) {
      for (let index = each.index === at.stage ? at.task : 0; index < each.tasks.length; index++) yield taskStatus(each, each.tasks[index]!)
    }
  }

  function logs(id: JobId, from: number | undefined): ReplyOf<typeof protocol.logPlaces> {
    const starts = startsOf(statusOf(id).stages)
    const attempts: ReplyOf<typeof protocol.logPlaces>['attempts'] = []
    let tasks = 0
    let text = 0
    for (const each of tasksOf(id, starts, from ?? 0)) {
      if (tasks++ === logTasks || text > limits.pageTextMax) {
        if (from === undefined)
          throw new GristmillError(
            'TOO_LARGE',
            `job ${id} has more attempts than one answer tells of; use a client of version ${version}, which asks for a page at a time`,
            { details: { job: id } },
          )
        return { attempts, next: starts[each.stage]! + each.task }
      }
      text += taskText(each)
      for (const { attempt, node } of each.attempts) {
        const place = nodes.place(node)
        attempts.push({ attempt, node, address: place?.address ?? unknownAddress, alive: place?.alive ?? false })
      }
    }
    return { attempts }
  }

  async function finished(report: task.TaskFinished): Promise<{ committed: boolean }> {
    known(report.node)
    // Told again until it is heard: what has been computed waits on its node.
    if (rooms.frozen()) throw inSafeMode()
    const parts = attemptParts(report.attempt)
    if (machine.jobs.has(parts.job)) return { committed: await engine.report(report) }
    // The job is over: only who won before is told so again.
    engine.feed({ kind: 'finished', ...report })
    for (const record of store.tasks(parts.job, parts))
      return { committed: record.stage === parts.stage && record.task === parts.task && record.won?.attempt === report.attempt }
    return { committed: false }
  }

  /** After a restart a node registers before it is heard; its report keeps until then. */
  function known(node: NodeId): void {
    if (!machine.nodes.has(node))
      throw new GristmillError('UNAVAILABLE', `datanode ${node} has not registered since the namenode started; report again in a moment`)
  }

  function outputs(id: JobId, index: number): ReplyOf<typeof task.outputs> {
    const job = machine.jobs.get(id)
    const stage = job?.stages[index]
    if (!job || !stage) throw new GristmillError('ENOENT', `job ${id} is not running, or has no stage ${index}`, { details: { job: id } })
    if (stage.state !== 'done')
      throw new GristmillError(
        'BLOCK_MISSING',
        `stage ${index} of job ${id} is not complete: ${stage.done} of ${stage.tasks.length} outputs are there`,
        { details: { job: id } },
      )
    return {
      outputs: stage.tasks.map(({ won }) => {
        const place = nodes.place(won!.node)
        const bytes = won!.output.kind === 'shuffle' ? won!.output.bytes : 0
        return { attempt: won!.attempt, node: won!.node, address: place?.address ?? unknownAddress, host: place?.host ?? won!.host, bytes }
      }),
    }
  }

  return [
    route(protocol.splits, addPage),
    route(protocol.submit, ({ spec }, context) => submit(spec, context)),
    route(protocol.watch, ({ job, after }, context) => watch(job, after, context)),
    route(protocol.jobs, ({ limit = 100, before }) => newest({ store, running: machine.jobs }, { limit, before })),
    route(protocol.patterns, ({ job }, { user }) => ({ patterns: keptPatterns(rooms.actor(user), head(job)) })),
    route(protocol.tasks, ({ job, stage, from, limit }) => page(job, stage, from, limit)),
    route(protocol.kill, ({ job }, context) => kill(job, context)),
    route(protocol.publish, publish),
    route(protocol.drop, drop),
    route(protocol.logPlaces, ({ job, from }) => logs(job, from)),
    route(task.finished, finished),
    route(task.progress, ({ node, attempts }) => {
      known(node)
      return { kill: engine.progress(node, attempts) }
    }),
    route(task.outputs, ({ job, stage }) => outputs(job, stage)),
  ]
}

/** Number of the first task of each stage, counted over all stages. */
function startsOf(stages: JobStatus['stages']): number[] {
  let sum = 0
  return stages.map(({ tasks }) => (sum += tasks) - tasks)
}

/** Of a node that has not been seen since the namenode started: whoever calls it fails at once and says so. */
const unknownAddress = 'unknown:0' as ReplyOf<typeof task.outputs>['outputs'][number]['address']
