// After a restart the namenode does not know what runs; the nodes do. Attempts of its earlier life are taken over
// when they are first heard of: at registration, in a progress report, or when they are done.

import { attemptParts, type AttemptId } from '../../../src/base/ids.ts'
import { localityOf } from './offer.ts'
import { newAttempt } from './attempts.ts'
import { type Attempt, type WorkerNode, type TaskRef, type SchedulerState } from './state.ts'

/** An attempt of an earlier life of the namenode, heard of for the first time. */
export function adopt(state: SchedulerState, place: TaskRef, node: WorkerNode, id: AttemptId): Attempt | undefined {
  if (attemptParts(id).attempt >= place.job.firstAttempt) return undefined
  return newAttempt(state, place, { node, locality: localityOf(state, place.stage, place.task.index, node), speculative: false, id })
}

/** Takes over an attempt that runs since before the namenode's restart. False: it is not wanted. */
export function join(state: SchedulerState, place: TaskRef, node: WorkerNode, id: AttemptId): boolean {
  const { stage, task } = place
  if (place.job.state !== 'running' || task.won || task.committing || stage.state !== 'running') return false
  if (task.attempts.some(attempt => attempt.id === id || (attempt.node === node.id && attempt.state === 'running'))) return false
  if (!adopt(state, place, node, id)) return false
  if (task.state === 'waiting') {
    task.state = 'running'
    stage.waiting--
  }
  return true
}
