// Converts the scheduler's state to its protocol form.

import { limits } from '../../../src/base/limits.ts'
import type { JobSpec, JobState, JobStatus, StageStatus, AttemptStatus, TaskStatus } from '../../../src/protocol/job.ts'
import type { JobRecord, TaskRecord } from '../store/record.ts'
import type { Attempt, RunningJob, StageState, TaskState } from './state.ts'
import { CounterSums } from './sums.ts'
import { taskText } from './textsize.ts'

/** Status of a job that runs, with what it waits for. */
export function runningStatus(job: RunningJob, waits: string | undefined): JobStatus {
  const status = jobStatus(job)
  return waits === undefined ? status : { ...status, waits }
}

/** `as` and `finishedMs` only for a job that has ended (or will, once journalled): its end is a version of its own. */
export function jobStatus(job: RunningJob, as?: JobState, finishedMs?: number): JobStatus {
  const shown: JobState = as ?? (job.state === 'publishing' ? 'publishing' : 'running')
  return {
    job: job.id, name: job.spec.name, user: job.user, state: shown, version: job.version + (as === undefined ? 0 : 1),
    output: job.spec.output.path,
    ...driverOf(job.spec), ...queueOf(job.spec), submittedMs: job.submittedMs,
    ...finishedMs !== undefined && { finishedMs },
    // The failure is shown together with the end that it caused, which must be journalled first.
    ...as !== undefined && job.failure && { failure: job.failure },
    stages: job.stages.map(stageStatus), counters: countersOf(job.stages),
  }
}

/** Place of the job in the run of a program, and the schedule for which it was submitted. */
export const driverOf = ({ driver, parent }: Pick<JobSpec, 'driver' | 'parent'>): Pick<JobStatus, 'driver' | 'parent'> => ({
  ...driver && { driver: { id: driver.id, step: driver.step, method: driver.method } }, ...parent !== undefined && { parent },
})

/** Queue and priority, as they were given. */
const queueOf = ({ queue, priority }: JobSpec): Pick<JobStatus, 'queue' | 'priority'> =>
  ({ ...queue !== undefined && { queue }, ...priority !== undefined && { priority } })

/** Status of a job that is not in the scheduler, from the journal; the patterns of a kept output are reduced to their count. */
export function shownStatus({ status }: JobRecord): JobStatus {
  if (!status.kept?.patterns) return status
  const { patterns, ...kept } = status.kept
  return { ...status, kept: { ...kept, patternCount: patterns.length } }
}

/**
 * Counters of a job. What its stages pass on to each other is no input and no output of the job: `recordsIn`, `bytesIn`, `recordsOut` and
 * `bytesOut` are those of its input and its output.
 */
function countersOf(stages: readonly StageState[]): Record<string, number> {
  const { inputRecords, inputBytes, outputRecords, outputBytes, ...total } = CounterSums.total(stages.map(stage => stage.counters))
  const own = { recordsIn: inputRecords, bytesIn: inputBytes, recordsOut: outputRecords, bytesOut: outputBytes }
  // Datanodes of earlier versions do not count input and output.
  for (const [name, value] of Object.entries(own)) if (value !== undefined) total[name] = value
  return total
}

function stageStatus(stage: StageState): StageStatus {
  const tasks = stage.tasks.length
  const fraction = tasks === 0 ? (stage.state === 'done' ? 1 : 0) : (stage.done + Math.max(0, stage.fraction)) / tasks
  return {
    name: stage.spec.name, state: stage.state, tasks, running: stage.running, done: stage.done, failedAttempts: stage.failedAttempts,
    fraction: stage.state === 'done' ? 1 : Math.min(1, fraction),
    ...stage.startedMs !== undefined && { startedMs: stage.startedMs },
    ...stage.finishedMs !== undefined && (stage.state === 'done' || stage.state === 'failed') && { finishedMs: stage.finishedMs },
    counters: { ...stage.counters.values }, ...stage.sources.length > 0 && { sources: [...stage.sources] },
    ...stage.layout.state === 'fixed' && stage.layout.made && { adapted: stage.layout.made.rules.map(({ rule, why }) => ({ rule, why })) },
    ...lostOf(stage),
  }
}

/** One loss is ordinary; a task that is lost again and again may have a cause that an operator can remove. */
function lostOf({ state, loss }: StageState): Pick<StageStatus, 'lost'> {
  if (!loss || state !== 'running' || loss.task.state === 'done' || loss.task.losses < 2) return {}
  return { lost: { task: loss.task.index, times: loss.task.losses, failure: loss.failure } }
}

function attemptStatus(attempt: Attempt): AttemptStatus {
  return {
    attempt: attempt.id, node: attempt.node, host: attempt.host, locality: attempt.locality, state: attempt.state,
    startedMs: attempt.startedMs, fraction: attempt.fraction, counters: attempt.counters,
    ...attempt.finishedMs !== undefined && { finishedMs: attempt.finishedMs },
    ...attempt.failure && { failure: attempt.failure },
  }
}

/** An attempt that waits on its node has not begun: it is not shown, nor is its task as running. */
export function taskStatus(stage: StageState, task: TaskState): TaskStatus {
  const begun = task.attempts.filter(({ ahead }) => !ahead)
  const waits = task.state === 'waiting' || (task.state === 'running' && !begun.some(attempt => attempt.state === 'running'))
  const state =
    task.state === 'done'
      ? 'done'
      : stage.state === 'failed' && task.failures > 0
        ? 'failed'
        : waits
          ? 'waiting'
          : 'running'
  return { stage: stage.index, task: task.index, state, attempts: begun.map(attemptStatus) }
}

/**
 * Record of a task for the journal. An attempt that still runs beside the one that won is killed once the record is journalled, and is
 * recorded as such: its node has its log.
 */
export function recordOf(stage: StageState, task: TaskState, won?: TaskRecord['won']): TaskRecord {
  const others = task.attempts.filter(attempt => attempt.id !== won?.attempt && (won !== undefined || attempt.state !== 'running'))
  return {
    stage: stage.index, task: task.index,
    ...won && { won }, ...task.dueMs !== undefined && { dueMs: task.dueMs },
    others: others.map(attempt => ({
      ...attemptStatus(attempt),
      ...won && attempt.state === 'running' && { state: 'killed' as const, finishedMs: won.finishedMs },
    })),
  }
}

/**
 * Records of tasks that had begun and are not done when their job ends, but for `culprit`: where their attempts ran, and so where their
 * logs are. As many as fit into one entry of the journal; REQUIRES: no attempt of them runs.
 */
export function unfinishedOf(job: RunningJob, culprit: TaskState | undefined): TaskRecord[] {
  const records: TaskRecord[] = []
  let text = 0
  for (const stage of job.stages) {
    for (const task of stage.tasks) {
      if (task.state === 'done' || task === culprit || task.attempts.length === 0) continue
      const record: TaskRecord = { ...recordOf(stage, task), unfinished: true }
      text += taskText(recordStatus(record))
      if (text > limits.pageTextMax) return records
      records.push(record)
    }
  }
  return records
}

/** Status of a recorded task after the end of its job. */
export function recordStatus(record: TaskRecord): TaskStatus {
  const { won } = record
  const attempts: AttemptStatus[] = [...record.others]
  if (won) {
    attempts.push({
      attempt: won.attempt, node: won.node, host: won.host, locality: won.locality, state: 'done',
      startedMs: won.startedMs, finishedMs: won.finishedMs, fraction: 1, counters: won.counters,
    })
  }
  return { stage: record.stage, task: record.task, state: won ? 'done' : record.unfinished ? 'waiting' : 'failed', attempts }
}
