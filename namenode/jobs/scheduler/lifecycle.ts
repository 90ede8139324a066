// Life of a job: a stage starts when its input is done; when all stages are done the job is published; a failure or a kill
// ends it.
// INVARIANT: a step of a program that a job drives (isDetachedStep) runs only while that job does, and a job with a parent only while that
// one does.
// INVARIANT: an end is shown only once it is journalled: between the decision and `ended` a job is `ending` (or `publishing`)
// and starts nothing.

import { assert, unreachable } from '../../../src/base/assert.ts'
import { limits } from '../../../src/base/limits.ts'
import type { Failure } from '../../../src/protocol/fields.ts'
import type { JobState } from '../../../src/protocol/job.ts'
import { isDetachedStep, isDrive } from '../../../src/protocol/task.ts'
import { adapted, type AdaptSide } from './adapt.ts'
import { killAttempts, restoreAttempts } from './attempts.ts'
import type { Event, Places } from './event.ts'
import { knowRewrites } from './fit.ts'
import { enqueue } from './offer.ts'
import { Pending } from './pending.ts'
import type { TaskRecord } from '../store/record.ts'
import { jobStatus, recordOf, unfinishedOf } from './status.ts'
import { commit } from './tasks.ts'
import {
  changed, firstAttemptOf, fix, layOut, newJob, taskRefOf, ready, type RunningJob, type StageState, type SchedulerState, type TaskRef,
  type TaskState,
} from './state.ts'

export function submitted(state: SchedulerState, event: Event & { kind: 'submitted' }): void {
  assert(!state.jobs.has(event.job), 'a job is submitted once')
  const job = newJob(event, 0)
  job.turn = ++state.turns
  state.jobs.set(job.id, job)
  advance(state, job)
  changed(state, job, true)
}

/** Resumes a job from its committed tasks. Attempts of the earlier process are adopted when their nodes register. */
export function resumed(state: SchedulerState, event: Event & { kind: 'resumed' }): void {
  assert(!state.jobs.has(event.job), 'a job that runs is not taken over')
  const job = newJob(event, firstAttemptOf(event.spec, event.term, event.tasks))
  job.turn = ++state.turns
  state.jobs.set(job.id, job)
  job.absentUntilMonoMs = state.at.monoMs + limits.nodeDeadMs * 2
  for (const { stage: index, layout } of event.layouts ?? []) {
    const stage = job.stages[index]
    if (stage) layOut(stage, job.firstAttempt, layout)
  }
  for (const record of event.tasks) {
    const stage = job.stages[record.stage]
    const task = stage?.tasks[record.task]
    if (!stage || !task) continue
    // It has begun without a rewrite.
    fix(stage)
    restoreAttempts({ job, stage, task }, state.at, record)
    if (record.won) restore(state, { job, stage, task }, record.won)
  }
  advance(state, job)
  changed(state, job, true)
}

function restore(state: SchedulerState, { stage, task }: TaskRef, won: NonNullable<TaskRecord['won']>): void {
  commit(stage, task, won)
  stage.startedMs = Math.min(stage.startedMs ?? won.startedMs, won.startedMs)
  stage.finishedMs = Math.max(stage.finishedMs ?? won.finishedMs, won.finishedMs)
  if (won.output.kind === 'shuffle' && state.nodes.get(won.node)?.state !== 'live') stage.absent.add(won.node)
}

/** Starts stages that are ready, ends those whose tasks are all done, publishes when all are done. */
export function advance(state: SchedulerState, job: RunningJob): void {
  if (job.state !== 'running') return
  if (isOrphan(state, job)) return kill(state, job)
  for (const stage of job.stages) {
    // A stage that was done before a restart needs no input any more.
    const isDone = stage.done === stage.tasks.length && (stage.tasks.length > 0 || stage.layout.made !== undefined)
    if (stage.state === 'waiting' && (isDone || (ready(job, stage) && isLaidOut(state, job, stage)))) start(state, stage)
    if (stage.state === 'running' && stage.done === stage.tasks.length) {
      stage.state = 'done'
      stage.startedMs ??= state.at.nowMs
      stage.finishedMs ??= state.at.nowMs
      changed(state, job, true)
    }
  }
  if (!job.stages.every(stage => stage.state === 'done')) return
  job.state = 'publishing'
  state.effects.push({ kind: 'publish', job: job.id, status: jobStatus(job, 'succeeded', state.at.nowMs) })
}

/** The job that has asked for this step, or has submitted this job for a schedule, has ended. */
const isOrphan = (state: SchedulerState, { spec }: RunningJob): boolean =>
  (spec.parent !== undefined && state.jobs.get(spec.parent)?.state !== 'running')
  || isDetachedStep(spec) && !someJob(state, job => isDrive(job.spec) && job.spec.driver!.id === spec.driver!.id && job.state === 'running')

/**
 * A process begins to follow a schedule: steps of programs that the one before it has begun end, because only that one would go on with
 * their results. Other jobs of the schedule go on, and the new process waits for them.
 */
export function takenOver(state: SchedulerState, schedule: RunningJob): void {
  for (const job of [...state.jobs.values()]) {
    const { parent, driver, output } = job.spec
    if (parent === schedule.id && driver && (output.result || driver.step > 1)) kill(state, job)
  }
}

function someJob(state: SchedulerState, test: (job: RunningJob) => boolean): boolean {
  for (const job of state.jobs.values()) if (test(job)) return true
  return false
}

/** True if the tasks of a stage whose input is done are known. Otherwise a rewrite of them is being journalled: `rewritten` goes on. */
function isLaidOut(state: SchedulerState, job: RunningJob, stage: StageState): boolean {
  const { layout, spec: { adapt } } = stage
  if (layout.state !== 'open') return layout.state === 'fixed'
  const sides = stage.sources.filter(source => !stage.spec.broadcasts?.includes(source))
    .map(source => ({ bytes: job.stages[source]!.sums?.of(job.stages[source]!.tasks.length), tasks: job.stages[source]!.tasks.length }))
  const isKnown = sides.length > 0 && sides.every((side): side is AdaptSide => side.bytes !== undefined)
  const made = adapt && isKnown && knowRewrites(state) ? adapted(adapt, sides as AdaptSide[]) : undefined
  if (!made) {
    fix(stage)
    return true
  }
  stage.layout = { state: 'journalling', made }
  state.effects.push({ kind: 'rewrite', job: job.id, stage: stage.index, layout: made })
  return false
}

/** A rewrite is in the journal: its tasks may begin. */
export function rewritten(state: SchedulerState, job: RunningJob, stage: StageState): void {
  if (stage.layout.state !== 'journalling') return
  layOut(stage, job.firstAttempt, stage.layout.made!)
  advance(state, job)
  changed(state, job, true)
}

function start(state: SchedulerState, stage: StageState): void {
  stage.state = 'running'
  stage.pending = new Pending()
  stage.waiting = 0
  stage.finishedMs = undefined
  for (const task of stage.tasks) {
    if (task.state !== 'waiting') continue
    stage.waiting++
    enqueue(state, stage, task, false)
  }
}

/** New input locations: waiting tasks are queued again. */
export function placed(state: SchedulerState, stage: StageState, places: Places): void {
  stage.places = places
  if (stage.state === 'running') start(state, stage)
}

/** Ends a failed or killed job: its attempts are killed, and its end is journalled. */
function end(
  state: SchedulerState, job: RunningJob, outcome: 'failed' | 'cancelled', failure: Failure,
  culprit?: { stage: StageState; task: TaskState }, keep = false,
): void {
  if (job.state !== 'running') return
  job.state = 'ending'
  job.failure = failure
  if (culprit) {
    culprit.stage.state = 'failed'
    culprit.stage.finishedMs = state.at.nowMs
  }
  for (const stage of job.stages) for (const task of [...stage.active]) killAttempts(state, { job, stage, task })
  state.effects.push({
    kind: 'finish', job: job.id,
    status: jobStatus(job, outcome satisfies JobState, state.at.nowMs),
    ...(culprit && { failed: recordOf(culprit.stage, culprit.task) }),
    unfinished: unfinishedOf(job, culprit?.task),
    ...(keep && { keep }),
  })
}

/** A task has failed for good, and its job with it. An output that could not be checked is kept. */
export const fail = (state: SchedulerState, { job, stage, task }: TaskRef, failure: Failure): void =>
  end(state, job, 'failed', failure, { stage, task }, stage.spec.output.kind === 'check')

/** The end is journalled: nodes delete the job's files, and the scheduler forgets it. */
export function ended(state: SchedulerState, job: RunningJob): void {
  state.jobs.delete(job.id)
  for (const id of job.used) {
    const node = state.nodes.get(id)
    if (!node) continue
    if (node.state !== 'dead') state.effects.push({ kind: 'forget', node: id, job: job.id })
    else if (node.pendingForget.size < limits.jobsKept) node.pendingForget.add(job.id)
  }
  // Attempts of the job that are still in flight hold their slots until their nodes report, or killSilentMs have passed.
  for (const node of state.nodes.values()) {
    for (const [id, held] of node.holding) if (taskRefOf(state, id) === undefined) held.killedMonoMs ??= state.at.monoMs
  }
  if (isDrive(job.spec)) for (const step of [...state.jobs.values()]) if (isOrphan(state, step)) kill(state, step)
  changed(state, job, true)
}

/** The output is computed and cannot be published at its path: the job fails, and its owner may publish the kept output elsewhere. */
export function unpublished(state: SchedulerState, job: RunningJob, failure: Failure): void {
  job.state = 'running'
  end(state, job, 'failed', failure, undefined, true)
}

export function kill(state: SchedulerState, job: RunningJob): void {
  switch (job.state) {
    case 'running':
      end(state, job, 'cancelled', { code: 'JOB_CANCELLED', message: `job ${job.id} was cancelled; nothing of it was published` })
      return
    // Too late: the end is already being journalled.
    case 'publishing':
    case 'ending': return
    default: unreachable(job.state)
  }
}
