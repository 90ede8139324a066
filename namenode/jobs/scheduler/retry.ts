// Whether and where a task runs again. A failure counts against the job's attemptsMax and sends the task to another
// node; a loss (its node died, a map output went, it was killed by its node) does neither.

import type { NodeId } from '../../../src/base/ids.ts'
import { limits } from '../../../src/base/limits.ts'
import type { Failure } from '../../../src/protocol/fields.ts'
import { end } from './lifecycle.ts'
import { enqueue } from './offer.ts'
import { runningOf } from './attempts.ts'
import { changed, type TaskRef, type SchedulerState } from './state.ts'

/** So many failures on one node, of whatever tasks, and the job stays away from it. */
const nodeFailuresMax = 4

/** The task runs again, on another node if there is one; or its job has failed. */
export function again(state: SchedulerState, place: TaskRef, node: NodeId | undefined, failure: Failure): void {
  const { job, stage, task } = place
  task.failures++
  if (task.failures >= job.spec.attemptsMax) {
    end(state, job, 'failed', failure, { stage, task })
    return
  }
  if (node !== undefined) {
    (task.avoid ??= new Set()).add(node)
    const failures = (job.nodeFailures.get(node) ?? 0) + 1
    job.nodeFailures.set(node, failures)
    const live = [...state.nodes.values()].filter(each => each.state === 'live').length
    // Never more than a third of the nodes: then it is the program that is bad.
    if (failures >= nodeFailuresMax && (job.avoid.size + 1) * 3 <= live) job.avoid.add(node)
  }
  requeue(state, place)
}

/** The attempt ended without fault of the program: it does not count, but no loop is endless. */
export function lost(state: SchedulerState, place: TaskRef, failure: Failure): void {
  const { job, stage, task } = place
  if (++task.losses >= limits.lossesMax) end(state, job, 'failed', failure, { stage, task })
  else requeue(state, place)
  changed(state, job, false)
}

/** Back among the waiting ones, unless another attempt of the task still runs, or its job is over. */
export function requeue(state: SchedulerState, { job, stage, task }: TaskRef): void {
  if (job.state !== 'running' || task.state === 'committing' || task.state === 'done' || task.state === 'waiting') return
  if (runningOf(task).length > 0) return
  giveWay(state, { job, stage, task })
  enqueue(state, stage, task, true)
}

/** A task that has failed on every node that could run it may go anywhere again. */
export function giveWay(state: SchedulerState, { job, task }: TaskRef): void {
  if (!task.avoid) return
  for (const node of state.nodes.values()) {
    if (node.state === 'live' && node.slots > 0 && !job.avoid.has(node.id) && !task.avoid.has(node.id)) return
  }
  task.avoid = undefined
}
