// Reports of nodes about attempts: done, failed, progress. A failed one is sorted: a failure, a loss, or a failure that no other node
// would cure, which ends the job; retry.ts decides where the task runs again. The first finished attempt of a task is committed; later
// ones are answered as too late. Reports may be repeated, late, or about attempts of an earlier namenode process: each gets one consistent
// answer.

import { unreachable } from '../../../src/base/assert.ts'
import { adopt, join } from './adopt.ts'
import { endAttempt, killAttempts, orderKill, overturn, release, runningOf } from './attempts.ts'
import { dueOf } from './drives.ts'
import type { Event } from './event.ts'
import { advance, fail } from './lifecycle.ts'
import { rerunStaleOutputs, loseOutput } from './loss.ts'
import type { Failure } from '../../../src/protocol/fields.ts'
import type { TaskRecord } from '../store/record.ts'
import { again, loseAttempt, lost, mayHaveMore, requeue, rerunAlone, tellAlone } from './retry.ts'
import { recordOf } from './status.ts'
import { changed, taskRefOf, type TaskRef, type SchedulerState } from './state.ts'
import { noteDuration } from './speculation.ts'
import { beginCommit, commit, takeUp } from './tasks.ts'

type Finished = Event & { kind: 'finished' }
type Done = Finished['outcome'] & { kind: 'done' }
type Failed = Finished['outcome'] & { kind: 'failed' }
type Later = Finished['outcome'] & { kind: 'later' }

export function finished(state: SchedulerState, event: Finished): void {
  const node = state.nodes.get(event.node)
  if (node) release(state, node, event.attempt)
  const place = taskRefOf(state, event.attempt)
  if (!place || place.job.state === 'ending') answer(state, event, place?.task.won?.attempt === event.attempt)
  else if (event.outcome.kind === 'done') done(state, place, event, event.outcome)
  else if (event.outcome.kind === 'later') later(state, place, event, event.outcome)
  else failed(state, place, event, event.outcome)
}

function answer(state: SchedulerState, { attempt }: Finished, committed: boolean): void {
  state.effects.push({ kind: 'answer', attempt, committed })
}

function done(state: SchedulerState, place: TaskRef, event: Finished, outcome: Done): void {
  const { stage, task } = place
  if (task.won || task.committing) {
    if (task.committing === event.attempt) return // A repeated report: both get the first one's answer.
    const loser = task.attempts.find(attempt => attempt.id === event.attempt)
    if (loser?.state === 'running') endAttempt(state, place, loser, 'killed')
    return answer(state, event, task.won?.attempt === event.attempt)
  }
  const node = state.nodes.get(event.node)
  const foreign = outcome.output.kind !== stage.spec.output.kind
  // A map output is lost with its node; output files are replicated.
  const gone = outcome.output.kind === 'shuffle' && (!node || node.state === 'dead')
  const attempt = task.attempts.find(each => each.id === event.attempt) ?? (node && adopt(state, place, node, event.attempt))
  // One that was adopted just now has ended.
  if (node) release(state, node, event.attempt)
  // A repeated report: the commit of the attempt was refused, which counts once.
  if (attempt?.state === 'failed') return answer(state, event, false)
  if (foreign || gone || !attempt) {
    if (attempt?.state === 'running') loseAttempt(state, place, attempt)
    return answer(state, event, false)
  }
  beginCommit(stage, task, attempt.id)
  endAttempt(state, place, attempt, 'done')
  attempt.fraction = 1
  attempt.counters = outcome.counters
  const won: TaskRecord['won'] = {
    attempt: attempt.id, node: attempt.node, host: attempt.host, locality: attempt.locality,
    startedMs: attempt.startedMs, finishedMs: state.at.nowMs, counters: outcome.counters, output: outcome.output,
  }
  state.effects.push({ kind: 'commit', job: place.job.id, record: recordOf(stage, task, won) })
}

export function committed(state: SchedulerState, event: Event & { kind: 'committed' }): void {
  const won = event.record.won!
  const place = taskRefOf(state, won.attempt)
  state.effects.push({ kind: 'answer', attempt: won.attempt, committed: !event.refused })
  if (!place || place.task.committing !== won.attempt) return
  const { job, stage, task } = place
  const attempt = task.attempts.find(each => each.id === won.attempt)
  if (event.refused) {
    takeUp(stage, task)
    stage.failedAttempts++
    if (attempt) overturn(attempt, 'failed', event.refused)
    again(state, place, attempt?.node, event.refused)
    return
  }
  commit(stage, task, won)
  if (attempt) noteDuration(stage, state.at.monoMs - attempt.startedMonoMs)
  killAttempts(state, place, won.attempt)
  if (won.output.kind === 'shuffle') {
    const node = state.nodes.get(won.node)
    // The node died while the commit was journalled.
    if (!node || node.state === 'dead') loseOutput(state, place)
  }
  rerunStaleOutputs(state, job)
  advance(state, job)
  changed(state, job, stage.state === 'done')
}

function failed(state: SchedulerState, place: TaskRef, event: Finished, outcome: Failed): void {
  const { job, stage, task } = place
  answer(state, event, false)
  const attempt = task.attempts.find(each => each.id === event.attempt)
  if (!attempt || attempt.state !== 'running') return
  attempt.counters = outcome.counters
  switch (outcome.cause) {
    case 'killed':
      // Not ordered by the scheduler: its node is stopping, was short of memory, or (UNAVAILABLE) cannot start executors.
      endAttempt(state, place, attempt, 'killed', outcome.failure)
      lost(state, place, outcome.failure, outcome.failure.code === 'UNAVAILABLE' ? event.node : undefined)
      return
    case 'fetch': {
      endAttempt(state, place, attempt, 'failed', outcome.failure)
      stage.failedAttempts++
      const missing = outcome.missing ?? []
      for (const id of missing) {
        const source = taskRefOf(state, id)
        if (source && source.job === job && source.task.won?.attempt === id) loseOutput(state, source)
      }
      lost(state, place, outcome.failure)
      tried(state, place)
      return
    }
    case 'program':
    case 'system':
      endAttempt(state, place, attempt, 'failed', outcome.failure)
      stage.failedAttempts++
      if (outcome.outOfMemory && mayHaveMore(state, place, attempt)) rerunAlone(state, place, outcome.failure)
      else if (outcome.outOfMemory && attempt.alone) fail(state, place, tellAlone(outcome.failure))
      else if (outcome.isFinal || isFinal(place, outcome.failure)) fail(state, place, outcome.failure)
      else again(state, place, event.node, outcome.failure)
      tried(state, place)
      changed(state, job, false)
      return
    default: unreachable(outcome.cause)
  }
}

/** The task of a schedule has built, and waits for its next time. What has gone wrong before does not count any more. */
function later(state: SchedulerState, place: TaskRef, event: Finished, outcome: Later): void {
  const { job, stage, task } = place
  answer(state, event, false)
  const node = state.nodes.get(event.node)
  // One that an earlier process of the namenode has started: its build would be done again otherwise.
  if (node && task.attempts.every(({ id }) => id !== event.attempt)) {
    join(state, place, node, event.attempt)
    release(state, node, event.attempt)
  }
  const attempt = task.attempts.find(each => each.id === event.attempt)
  if (!attempt || attempt.state !== 'running') return
  endAttempt(state, place, attempt, 'done')
  attempt.fraction = 1
  attempt.counters = outcome.counters
  task.failures = task.losses = 0
  task.avoid = undefined
  stage.loss = undefined
  job.nodeFailures.clear()
  job.avoid.clear()
  task.dueMs = dueOf(outcome, state.at)
  task.waitsSince = state.at
  requeue(state, place)
  tried(state, place)
  changed(state, job, true)
}

/** Records the failed attempts of a task that runs again. The record of a commit that is on its way has them, and so has that of an end. */
function tried(state: SchedulerState, { job, stage, task }: TaskRef): void {
  if (job.state === 'running' && task.state !== 'committing' && task.state !== 'done')
    state.effects.push({ kind: 'tried', job: job.id, record: { ...recordOf(stage, task), unfinished: true, failures: task.failures } })
}

/**
 * True if the task cannot succeed on any node: its program is not valid (PROGRAM_INVALID), it has refused the output (CHECK_REFUSED), or
 * an input is not the file any more that the job was submitted with (ENOENT). Another attempt of the task may have read that file in time.
 */
function isFinal({ task }: TaskRef, { code }: Failure): boolean {
  if (code === 'PROGRAM_INVALID' || code === 'CHECK_REFUSED') return true
  return code === 'ENOENT' && task.state !== 'committing' && runningOf(task).length === 0
}

export function progressed(state: SchedulerState, event: Event & { kind: 'progressed' }): void {
  for (const { attempt: id, counters, fraction } of event.attempts) {
    const place = taskRefOf(state, id)
    const attempt = place?.task.attempts.find(each => each.id === id)
    if (place && attempt?.state === 'running') {
      const now = Math.min(1, Math.max(0, fraction))
      place.stage.fraction += now - attempt.fraction
      attempt.fraction = now
      attempt.counters = counters
      attempt.seenMonoMs = state.at.monoMs
      changed(state, place.job, false)
    } else if (!place || place.task.committing !== id) {
      // It should not run: its job has ended, its task is done, or it was given up; or it was started before a restart.
      const node = state.nodes.get(event.node)
      if (place && node && join(state, place, node, id)) continue
      orderKill(state, event.node, id)
    }
  }
}
