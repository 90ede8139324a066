// Stages and tasks of a job as they are shown once it has ended: a job that fails or is cancelled leaves stages that were `running` or
// `waiting`, and tasks. Pure.

import type { JobStatus, StageStatus, TaskStatus } from './job.ts'

type ShownState = StageStatus['state'] | 'killed' | 'not run'

/** A stage that ran when the job ended was killed, and ended with the job; one that waited has not run. */
export function shownStage(
  { state: job, finishedMs: endedMs }: Pick<JobStatus, 'state' | 'finishedMs'>,
  { state, finishedMs }: Pick<StageStatus, 'state' | 'finishedMs'>,
): { readonly state: ShownState; readonly finishedMs: number | undefined } {
  if (!isOver(job)) return { state, finishedMs }
  if (state === 'running') return { state: 'killed', finishedMs: finishedMs ?? endedMs }
  return { state: state === 'waiting' ? 'not run' : state, finishedMs }
}

/** A task of an ended job that is not done has been killed, if an attempt of it had begun, or has not run. */
export function shownTaskState(job: JobStatus['state'], { state, attempts }: Pick<TaskStatus, 'state' | 'attempts'>): ShownState {
  if (!isOver(job) || state === 'done' || state === 'failed') return state
  return attempts.length > 0 ? 'killed' : 'not run'
}

export const isOver = (state: JobStatus['state']): boolean => state === 'succeeded' || state === 'failed' || state === 'cancelled'
