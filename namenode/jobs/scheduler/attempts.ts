// Start and end of attempts, with the sums that depend on them (running, ahead, fraction, speculative, active). A running attempt holds a
// slot of its node, or waits there for one (ahead.ts) and is not counted as running; a killed one holds it until the node reports its end,
// or limits.killSilentMs have passed.
// INVARIANT: attempts begin and end in this file only.

import { attemptId, type AttemptId, type NodeId } from '../../../src/base/ids.ts'
import { limits } from '../../../src/base/limits.ts'
import type { Failure } from '../../../src/protocol/fields.ts'
import { isDrive } from '../../../src/protocol/task.ts'
import type { Locality } from '../store/record.ts'
import type { TaskRecord } from '../store/record.ts'
import type { Moment } from './event.ts'
import { fits, needOf, roomOf } from './fit.ts'
import {
  changed, taskRefOf, type Attempt, type Need, type RunningJob, type SchedulerState, type StageState, type TaskRef, type TaskState,
  type WorkerNode,
} from './state.ts'

export function newAttempt(
  state: SchedulerState, { job, stage, task }: TaskRef,
  facts: { node: WorkerNode; locality: Locality; speculative: boolean; id?: AttemptId; ahead?: boolean },
): Attempt {
  const { node } = facts
  const need = needOf(node, job, stage, task)
  const alone = task.alone && facts.id === undefined
  const attempt: Attempt = {
    id: facts.id ?? attemptId({ job: job.id, stage: stage.index, task: task.index, attempt: task.nextAttempt++ }),
    node: node.id, host: node.host, locality: facts.locality, speculative: facts.speculative, startedMs: state.at.nowMs,
    startedMonoMs: state.at.monoMs, seenMonoMs: state.at.monoMs, finishedMs: undefined, state: 'running', ahead: facts.ahead ?? false,
    fraction: 0, counters: {}, failure: undefined, alone,
    memoryBytes: alone ? need.memoryBytes : stage.spec.memoryBytes ?? job.spec.memoryBytes,
  }
  task.attempts.push(attempt)
  hold(state, node, attempt.id, attempt.ahead ? nothing : need)
  job.used.add(node.id)
  if (attempt.ahead) {
    node.ahead.set(attempt.id, need)
    stage.ahead++
  } else countRunning(job, stage, 1)
  stage.active.add(task)
  if (facts.speculative) stage.speculative++
  stage.startedMs ??= state.at.nowMs
  return attempt
}

function countRunning(job: RunningJob, stage: StageState, sign: 1 | -1): void {
  job.running += sign
  stage.running += sign
}

/** Need of no attempts. */
export const nothing: Need = Object.freeze({ cpu: 0, memoryBytes: 0, drives: 0 })

const sum = (a: Need, b: Need, sign: 1 | -1): Need =>
  ({ cpu: a.cpu + sign * b.cpu, memoryBytes: a.memoryBytes + sign * b.memoryBytes, drives: a.drives + sign * b.drives })

function hold(state: SchedulerState, node: WorkerNode, id: AttemptId, need: Need): void {
  release(state, node, id)
  node.holding.set(id, { need, killedMonoMs: undefined })
  node.used = sum(node.used, need, 1)
}

/** The attempt holds nothing of the node any more, if it did; those that wait there take what it has freed. */
export function release(state: SchedulerState, node: WorkerNode, id: AttemptId): void {
  const held = node.holding.get(id)
  if (!held || !node.holding.delete(id)) return
  node.ahead.delete(id)
  node.used = sum(node.used, held.need, -1)
  for (const [next, need] of [...node.ahead]) {
    if (!fits(roomOf(node), need)) return
    begin(state, node, next, need)
  }
}

/** An attempt that has waited on its node runs now. */
function begin(state: SchedulerState, node: WorkerNode, id: AttemptId, need: Need): void {
  node.ahead.delete(id)
  node.holding.get(id)!.need = need
  node.used = sum(node.used, need, 1)
  const place = taskRefOf(state, id)
  const attempt = place?.task.attempts.find(each => each.id === id)
  if (!place || attempt?.state !== 'running') return
  attempt.ahead = false
  place.stage.ahead--
  countRunning(place.job, place.stage, 1)
  attempt.startedMs = state.at.nowMs
  attempt.startedMonoMs = attempt.seenMonoMs = state.at.monoMs
  changed(state, place.job, false)
}

/** Ends an attempt. Its slot is freed separately: a killed attempt holds it until its node reports the end. */
export function endAttempt(
  state: SchedulerState, { job, stage, task }: TaskRef, attempt: Attempt, end: Exclude<Attempt['state'], 'running'>, failure?: Failure,
): void {
  const ran = attempt.state === 'running'
  attempt.state = end
  if (!ran) return
  attempt.finishedMs = state.at.nowMs
  attempt.failure = failure
  if (attempt.ahead) {
    attempt.ahead = false
    stage.ahead--
  } else countRunning(job, stage, -1)
  stage.fraction = stage.running + stage.ahead === 0 ? 0 : stage.fraction - attempt.fraction
  if (attempt.speculative) stage.speculative--
  // Drives may run for months: processes that have worked for long do not add up to a drive that cannot run.
  if (isDrive(job.spec) && state.at.monoMs - attempt.startedMonoMs >= limits.driveSteadyMs) task.failures = task.losses = 0
  if (runningOf(task).length === 0) stage.active.delete(task)
  if (task.attempts.length > limits.attemptsKeptMax) {
    const oldest = task.attempts.findIndex(each => each.state !== 'running' && each.id !== task.committing && each.id !== task.won?.attempt)
    if (oldest >= 0) task.attempts.splice(oldest, 1)
  }
}

/** The result of an attempt that was done does not count: its commit was refused, or its map output is lost. */
export function overturn(attempt: Attempt, end: 'failed' | 'lost', failure?: Failure): void {
  attempt.state = end
  if (failure) attempt.failure = failure
}

/** Attempts of an earlier process, from the journal. Those that still run are adopted when their nodes report them (adopt.ts). */
export function restoreAttempts({ job, stage, task }: TaskRef, at: Moment, { others, won, failures = 0, dueMs }: TaskRecord): void {
  const past = { startedMonoMs: 0, seenMonoMs: 0, speculative: false, ahead: false, memoryBytes: 0, alone: false }
  task.failures = failures
  task.dueMs = dueMs
  task.waitsSince = dueMs === undefined ? undefined : at
  task.attempts = others.map(other => ({
    ...other, ...past, id: other.attempt, state: other.state === 'running' ? ('lost' as const) : other.state,
    finishedMs: other.finishedMs, failure: other.failure,
  }))
  stage.failedAttempts += others.filter(({ state }) => state === 'failed').length
  if (won) {
    const { attempt: id, node, host, locality, startedMs, finishedMs, counters } = won
    const facts = { id, node, host, locality, startedMs, finishedMs, counters }
    task.attempts.push({ ...past, ...facts, state: 'done', fraction: 1, failure: undefined })
  }
  for (const { node } of task.attempts) job.used.add(node)
}

export const runningOf = (task: TaskState): Attempt[] => task.attempts.filter(attempt => attempt.state === 'running')

/** Kills the running attempts of a task, except one. Slots become free when the nodes report the end. */
export function killAttempts(
  state: SchedulerState,
  place: { job: RunningJob; stage: StageState; task: TaskState },
  except?: AttemptId,
): void {
  for (const attempt of runningOf(place.task)) {
    if (attempt.id === except) continue
    endAttempt(state, place, attempt, 'killed')
    orderKill(state, attempt.node, attempt.id)
  }
}

export function orderKill(state: SchedulerState, node: NodeId, attempt: AttemptId): void {
  const on = state.nodes.get(node)
  on?.ahead.delete(attempt)
  const held = on?.holding.get(attempt)
  if (held) held.killedMonoMs = state.at.monoMs
  state.effects.push({ kind: 'kill', node, attempt })
}
