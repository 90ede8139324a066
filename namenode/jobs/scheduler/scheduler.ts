// Scheduler: a deterministic state machine, events in, effects out. The job engine (engine.ts) feeds it one event at a time,
// carries out the effects in order, and answers them with events.

import { unreachable } from '../../../src/base/assert.ts'
import type { JobQueue } from '../../../src/base/jobqueues.ts'
import { attemptParts, type JobId } from '../../../src/base/ids.ts'
import type { JobSpec } from '../../../src/protocol/job.ts'
import { isSchedule } from '../../../src/protocol/task.ts'
import type { Effect, Event, Moment } from './event.ts'
import { ended, kill, placed, resumed, rewritten, submitted, takenOver, unpublished } from './lifecycle.ts'
import { closed, gone, joined, left, nodeDied, returned, stale, tick } from './loss.ts'
import { checkState } from './check.ts'
import { refusalOf } from './fit.ts'
import { hasRunnable, offer } from './offer.ts'
import { queueTable, type QueueTable } from './queues.ts'
import { committed, finished, progressed } from './report.ts'
import type { RunningJob, WorkerNode, SchedulerState } from './state.ts'
import { queueStatus, waitsOf } from './waits.ts'

export class Scheduler {
  readonly #checked: boolean
  readonly #state: SchedulerState

  /** `checked`: recomputes all sums after every event; costs time proportional to the state. `queues`: beside the default one. */
  constructor(
    { checked = false, queues = [] }:
      { readonly checked?: boolean | undefined; readonly queues?: readonly JobQueue[] | undefined } = {},
  ) {
    this.#checked = checked
    this.#state = {
      nodes: new Map(), jobs: new Map(), queues: queueTable(queues), open: false, turns: 0, at: { nowMs: 0, monoMs: 0 }, effects: [],
      ordered: 0,
    }
  }

  /** For display; callers must not change it. */
  get jobs(): ReadonlyMap<JobId, RunningJob> { return this.#state.jobs }
  get queues(): QueueTable { return this.#state.queues }
  get nodes(): ReadonlyMap<WorkerNode['id'], WorkerNode> { return this.#state.nodes }

  /** For many jobs: what each waits for, if none of its tasks runs. */
  get waits(): ReturnType<typeof waitsOf> { return waitsOf(this.#state) }

  get queueStatus(): ReturnType<typeof queueStatus> { return queueStatus(this.#state) }

  /** Reason for which no datanode can ever run a task of the job; undefined while the datanodes are not known. */
  refusal(spec: JobSpec): string | undefined { return this.#state.open ? refusalOf(this.#state.nodes.values(), spec) : undefined }

  /** True if a task could start after further offers, or an attempt may be slow: the caller sends `tick` soon. */
  get hasRunnable(): boolean { return hasRunnable(this.#state) }

  /** Throws AssertionFailed for the first sum that differs from a recount. For tests and simulations. */
  checkState(): void { checkState(this.#state) }

  apply(event: Event, at: Moment): Effect[] {
    const state = this.#state
    state.at = at
    state.effects = []
    state.ordered = 0
    this.#dispatch(state, event)
    // Last: by now slots are free and tasks to rerun are queued.
    offer(state, asking(state, event))
    for (const schedule of startedSchedules(state)) takenOver(state, schedule)
    if (this.#checked) checkState(state)
    return state.effects
  }

  #dispatch(state: SchedulerState, event: Event): void {
    switch (event.kind) {
      case 'submitted': return submitted(state, event)
      case 'resumed': return resumed(state, event)
      case 'opened':
        state.open = true
        return
      case 'joined': return joined(state, event)
      case 'offered': return withNode(state, event, node => {
        // A stale or closed node that asks for work is live.
        if (node.state === 'closed' || node.state === 'stale') node.state = 'live'
      })
      case 'closed': return withNode(state, event, node => closed(state, node))
      case 'stale': return withNode(state, event, node => stale(state, node))
      case 'returned': return withNode(state, event, returned)
      case 'left': return withNode(state, event, node => left(state, node))
      case 'dead': return withNode(state, event, node => nodeDied(state, node))
      case 'gone': return withNode(state, event, node => gone(state, node))
      case 'placed': return withJob(state, event, job => {
        const stage = job.stages[event.stage]
        if (stage) placed(state, stage, event.places)
      })
      case 'progressed': return progressed(state, event)
      case 'finished': return finished(state, event)
      case 'committed': return committed(state, event)
      case 'rewritten': return withJob(state, event, job => {
        const stage = job.stages[event.stage]
        if (stage) rewritten(state, job, stage)
      })
      case 'kill': return withJob(state, event, job => kill(state, job))
      case 'unpublished': return withJob(state, event, job => unpublished(state, job, event.failure))
      case 'ended': return withJob(state, event, job => ended(state, job))
      case 'tick': return tick(state)
      default: unreachable(event)
    }
  }
}

/** Schedules for which the current event has started a process. */
function startedSchedules({ effects, jobs }: SchedulerState): RunningJob[] {
  return effects.flatMap(effect => {
    const job = effect.kind === 'run' ? jobs.get(attemptParts(effect.attempt).job) : undefined
    return job && isSchedule(job.spec) ? [job] : []
  })
}

/** Nodes that ask for work with this event; for them it counts as an offer (offer.ts). */
function asking(state: SchedulerState, event: Event): readonly WorkerNode[] {
  if (event.kind === 'tick') return [...state.nodes.values()]
  if (event.kind !== 'offered' && event.kind !== 'finished') return []
  const node = state.nodes.get(event.node)
  return node ? [node] : []
}

/** Events about unknown nodes and jobs are ignored. */
function withNode(state: SchedulerState, { node: id }: { node: WorkerNode['id'] }, work: (node: WorkerNode) => void): void {
  const node = state.nodes.get(id)
  if (node) work(node)
}

function withJob(state: SchedulerState, { job: id }: { job: JobId }, work: (job: RunningJob) => void): void {
  const job = state.jobs.get(id)
  if (job) work(job)
}
