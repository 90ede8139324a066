// Decides whether and where a task runs again after its attempt has failed or is lost. A failure counts against the job's attemptsMax and
// moves the task to another node; a loss (dead node, map outputs that could not be fetched, attempt killed by its node) does neither;
// report.ts tells them apart, and ends the job for a failure that no other node would cure (`isFinal`). Map tasks whose committed output
// is lost: loss.ts. Second attempts of slow tasks: speculation.ts.

import type { AttemptId, NodeId } from '../../../src/base/ids.ts'
import { limits } from '../../../src/base/limits.ts'
import type { Failure } from '../../../src/protocol/fields.ts'
import { isDrive } from '../../../src/protocol/task.ts'
import { fail } from './lifecycle.ts'
import { enqueue } from './offer.ts'
import { endAttempt, release, runningOf } from './attempts.ts'
import { able } from './fit.ts'
import { changed, taskRefOf, type Attempt, type SchedulerState, type TaskRef, type WorkerNode } from './state.ts'

/** After this many failures of a job's tasks on one node the job avoids that node. */
const nodeFailuresMax = 4

/** Runs the task again, on another node if there is one; or fails its job. */
export function again(state: SchedulerState, place: TaskRef, node: NodeId | undefined, failure: Failure): void {
  const { job, task } = place
  task.failures++
  if (task.failures >= job.spec.attemptsMax) {
    fail(state, place, failure)
    return
  }
  if (node !== undefined) avoid(state, place, node)
  requeue(state, place)
}

/** The task may run again with more memory: its owner has set no limit, it had not more before, and its datanode has told its memory. */
export const mayHaveMore = (state: SchedulerState, { job }: TaskRef, { node, alone }: Attempt): boolean =>
  job.spec.memoryBytes === 0 && !isDrive(job.spec) && !alone && state.nodes.get(node)?.memory !== undefined

/** The task has run out of memory: it runs again with all slots of a node. This is no failure yet. */
export function rerunAlone(state: SchedulerState, place: TaskRef, failure: Failure): void {
  place.task.alone = true
  place.stage.loss = { task: place.task, failure }
  requeue(state, place)
}

/** Why a task that had more memory has failed. */
export const tellAlone = (failure: Failure): Failure =>
  ({ ...failure, message: `${failure.message}. It had run out of memory before, and has run alone on its datanode with more` })

function avoid(state: SchedulerState, { job, task }: TaskRef, node: NodeId): void {
  (task.avoid ??= new Set()).add(node)
  const failures = (job.nodeFailures.get(node) ?? 0) + 1
  job.nodeFailures.set(node, failures)
  const live = [...state.nodes.values()].filter(each => each.state === 'live').length
  // At most a third of the nodes: beyond that the program is at fault.
  if (failures >= nodeFailuresMax && (job.avoid.size + 1) * 3 <= live) job.avoid.add(node)
}

/**
 * The attempt ended without fault of the program: not a failure, but limits.lossesMax losses of one task fail the job. `culprit`: a node
 * that cannot run tasks now; the task moves to another one.
 */
export function lost(state: SchedulerState, place: TaskRef, failure: Failure, culprit?: NodeId): void {
  const { job, stage, task } = place
  if (culprit !== undefined) avoid(state, place, culprit)
  stage.loss = { task, failure }
  if (++task.losses >= limits.lossesMax) fail(state, place, failure)
  else requeue(state, place)
  changed(state, job, false)
}

/** Queues the task again, except if another attempt of it runs or its job has ended. */
export function requeue(state: SchedulerState, { job, stage, task }: TaskRef): void {
  if (job.state !== 'running' || task.state === 'committing' || task.state === 'done' || task.state === 'waiting') return
  if (runningOf(task).length > 0) return
  clearAvoided(state, { job, stage, task })
  enqueue(state, stage, task, true)
}

/** A task that has failed on every node that could run it may run anywhere again. */
export function clearAvoided(state: SchedulerState, { job, stage, task }: TaskRef): void {
  if (!task.avoid || able(state.nodes.values(), job, stage).some(({ id }) => !task.avoid!.has(id))) return
  task.avoid = undefined
}

/** Removes an attempt that its node no longer has. */
export function dropAttempt(state: SchedulerState, node: WorkerNode, id: AttemptId): void {
  release(state, node, id)
  const place = taskRefOf(state, id)
  const attempt = place?.task.attempts.find(each => each.id === id)
  if (place && attempt?.state === 'running') loseAttempt(state, place, attempt)
}

export function loseAttempt(state: SchedulerState, place: TaskRef, attempt: Attempt): void {
  endAttempt(state, place, attempt, 'lost')
  lost(state, place, {
    code: 'UNAVAILABLE',
    message: `the attempts of task ${place.task.index} of stage "${place.stage.spec.name}" were lost with their nodes ` +
      `${place.task.losses + 1} times`,
  })
}
