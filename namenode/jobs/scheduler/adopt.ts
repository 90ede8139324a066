// Adoption of attempts after a namenode restart. The namenode does not know which attempts still run; they are adopted when a
// node first mentions them: at registration, in a progress report, or when they finish.

import { attemptParts, type AttemptId } from '../../../src/base/ids.ts'
import { localityOf } from './offer.ts'
import { newAttempt } from './attempts.ts'
import { fits, needOf, roomOf } from './fit.ts'
import { QueueShares } from './queues.ts'
import { fix, isOfRewritten, type Attempt, type WorkerNode, type TaskRef, type SchedulerState } from './state.ts'
import { takeUp } from './tasks.ts'

/** Adds an attempt that an earlier namenode process started. Returns undefined if its number is of this process. */
export function adopt(state: SchedulerState, place: TaskRef, node: WorkerNode, id: AttemptId): Attempt | undefined {
  if (attemptParts(id).attempt >= place.job.firstAttempt) return undefined
  // An attempt of another layout has read other rows than the task of this number.
  const { layout, spec: { adapt } } = place.stage
  if (layout.state === 'journalling' || (adapt && isOfRewritten(id) !== (layout.made !== undefined))) return undefined
  const { stage, task } = place
  fix(stage)
  return newAttempt(state, place, {
    node, locality: localityOf(state, stage, task.index, node), speculative: false, id,
    ahead: isAhead(node, place),
  })
}

/** A node names attempts that wait there behind those that run. */
const isAhead = (node: WorkerNode, { job, stage, task }: TaskRef): boolean => !fits(roomOf(node), needOf(node, job, stage, task))

/** A queue may have got a bound since, and a node may take no more tasks: then none waits there. */
function mayWait({ queues }: SchedulerState, { job }: TaskRef, node: WorkerNode): boolean {
  return node.state === 'live' && new QueueShares(queues, []).queueOf(job).slotsMax === undefined
}

/** Adopts a running attempt of an earlier process. Returns false if it is not needed. */
export function join(state: SchedulerState, place: TaskRef, node: WorkerNode, id: AttemptId): boolean {
  const { stage, task } = place
  if (place.job.state !== 'running' || task.won || task.committing || stage.state !== 'running') return false
  if (task.attempts.some(attempt => attempt.id === id || (attempt.node === node.id && attempt.state === 'running'))) return false
  if (isAhead(node, place) && !mayWait(state, place, node)) return false
  if (!adopt(state, place, node, id)) return false
  if (task.state === 'waiting') takeUp(stage, task)
  return true
}
