// Jobs as their owners ask for them: running ones are read from the scheduler, ended ones from the journal's state. Tasks and attempts come
// in pages, bounded by their number and by the text of their failures.

import { GristmillError } from '../../src/base/errors.ts'
import type { JobId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import { version } from '../../src/base/version.ts'
import type * as protocol from '../../src/protocol/job.ts'
import type { JobStatus, TaskStatus } from '../../src/protocol/job.ts'
import type { ReplyOf } from '../../src/protocol/message.ts'
import type { JobsDeps, JobStore, NodesPort } from './deps.ts'
import type { Scheduler } from './scheduler/scheduler.ts'
import { recordStatus, runningStatus, shownStatus, taskStatus } from './scheduler/status.ts'
import type { StepWaits } from './stepwaits.ts'
import type { JobRecord } from './store/record.ts'
import { taskText } from './scheduler/textsize.ts'

/** Tasks on a page unless the caller asks for another number. */
const pageTasks = 200
/** Tasks on a page of places of logs, at 3 µs each. */
const logTasks = 2000

type LogPlaces = ReplyOf<typeof protocol.logPlaces>

/** Address of a datanode that has not registered since the namenode started: a call to it fails at once and names it. */
export const unknownAddress = 'unknown:0' as LogPlaces['attempts'][number]['address']

export class JobLookup {
  readonly #scheduler: Scheduler
  readonly #store: JobStore
  readonly #nodes: NodesPort
  readonly #waits: StepWaits

  constructor(scheduler: Scheduler, { store, nodes, waits }: Pick<JobsDeps, 'store' | 'nodes'> & { readonly waits: StepWaits }) {
    this.#scheduler = scheduler
    this.#store = store
    this.#nodes = nodes
    this.#waits = waits
  }

  /** Throws ENOENT. */
  statusOf(id: JobId): JobStatus {
    const running = this.#scheduler.jobs.get(id)
    if (running) return runningStatus(running, this.#scheduler.waits(running) ?? this.#waits.of(id))
    return shownStatus(this.head(id))
  }

  head(id: JobId): JobRecord {
    const found = this.#store.head(id)
    if (!found)
      throw new GristmillError('ENOENT', `there is no job ${id}; "gristmill jobs" lists those that are known`, { details: { job: id } })
    return found
  }

  /** A page of tasks. `from` and `next` are task numbers counted over all stages; `only`: of one stage. */
  tasks(id: JobId, only: number | undefined, from = 0, limit = pageTasks): { tasks: TaskStatus[]; next?: number } {
    const { stages } = this.statusOf(id)
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
    for (const status of this.#tasksOf(id, starts, first)) {
      const number = starts[status.stage]! + status.task
      if (number >= end) break
      if (tasks.length === limit || text > limits.pageTextMax) return { tasks, next: number }
      tasks.push(status)
      text += taskText(status)
    }
    return { tasks }
  }

  * #tasksOf(id: JobId, starts: readonly number[], from: number): Iterable<TaskStatus> {
    const running = this.#scheduler.jobs.get(id)
    const stage = Math.max(0, starts.findLastIndex(start => start <= from))
    const at = { stage, task: Math.max(0, from - (starts[stage] ?? 0)) }
    if (!running) {
      for (const record of this.#store.tasks(id, at)) yield recordStatus(record)
      return
    }
    for (const each of running.stages.slice(at.stage)) {
      for (let index = each.index === at.stage ? at.task : 0; index < each.tasks.length; index++) yield taskStatus(each, each.tasks[index]!)
    }
  }

  /** The attempts of a job and the datanodes that keep their logs: a page. */
  logs(id: JobId, from: number | undefined): ReplyOf<typeof protocol.logPlaces> {
    const starts = startsOf(this.statusOf(id).stages)
    const attempts: ReplyOf<typeof protocol.logPlaces>['attempts'] = []
    let tasks = 0
    let text = 0
    for (const each of this.#tasksOf(id, starts, from ?? 0)) {
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
      for (const { attempt, node, state } of each.attempts) {
        const place = this.#nodes.place(node)
        // A failed attempt may not have begun: then there is no log.
        const ended = state === 'done'
        attempts.push({ attempt, node, address: place?.address ?? unknownAddress, alive: place?.alive ?? false, ended })
      }
    }
    return { attempts }
  }
}

/** Number of the first task of each stage, counted over all stages. */
function startsOf(stages: JobStatus['stages']): number[] {
  let sum = 0
  return stages.map(({ tasks }) => (sum += tasks) - tasks)
}
