// Nodes that join, leave and die, and map outputs that are lost: with a dead node, or because a reduce attempt has reported that it cannot
// fetch them (report.ts). A dead node also loses its attempts. Exactly the tasks of lost attempts, and of lost outputs that are still to be
// read, run again (`loseOutput`). A node that only restarted still has its map outputs on disk.

import type { NodeId } from '../../../src/base/ids.ts'
import { limits } from '../../../src/base/limits.ts'
import { join } from './adopt.ts'
import { endAttempt, nothing, orderKill, overturn, release } from './attempts.ts'
import type { Event } from './event.ts'
import { able } from './fit.ts'
import { advance } from './lifecycle.ts'
import { enqueue } from './offer.ts'
import { dropAttempt, clearAvoided, requeue } from './retry.ts'
import { queue, reopen } from './tasks.ts'
import { changed, taskRefOf, someNode, type RunningJob, type WorkerNode, type TaskRef, type SchedulerState } from './state.ts'

/** Longest wait of a task that was ordered ahead (ahead.ts). */
const aheadWaitMs = 500

export function joined(state: SchedulerState, event: Event & { kind: 'joined' }): void {
  const { node: id, rack, host, slots, memory, features = [], drives = limits.nodeDrivesMin } = event
  let node = state.nodes.get(id)
  const now = event.closed ? 'closed' : 'live'
  if (node) Object.assign(node, { rack, host, slots, memory, features, drives, state: now })
  else
    state.nodes.set(id, node = {
      id, rack, host, slots, memory, features, drives, state: now, holding: new Map(), used: nothing, ahead: new Map(),
      pendingForget: new Set(),
    })

  const still = new Set(event.attempts)
  for (const held of [...node.holding.keys()]) if (!still.has(held)) dropAttempt(state, node, held)
  for (const attempt of event.attempts) {
    if (node.holding.has(attempt)) continue
    const place = taskRefOf(state, attempt)
    if (!place || !join(state, place, node, attempt)) orderKill(state, id, attempt)
  }
  if (event.closed) takeBack(state, node)
  for (const job of node.pendingForget) state.effects.push({ kind: 'forget', node: id, job })
  node.pendingForget.clear()
  for (const job of state.jobs.values()) {
    for (const stage of job.stages) stage.absent.delete(id)
    advance(state, job)
  }
}

/** A node is dead: its attempts and map outputs are lost, and tasks that waited for it are released. */
export function nodeDied(state: SchedulerState, node: WorkerNode): void {
  node.state = 'dead'
  for (const held of [...node.holding.keys()]) dropAttempt(state, node, held)
  for (const job of state.jobs.values()) {
    loseOutputs(state, job, node.id)
    for (const stage of job.stages) {
      for (const index of stage.pending.lose(node.id)) {
        const task = stage.tasks[index]!
        const holders = stage.places?.[index] ?? []
        if (task.state === 'waiting' && !holders.some(id => state.nodes.get(id)?.state === 'live')) stage.pending.release(index)
      }
    }
  }
  clearAllAvoided(state)
}

/** A dead node is not known any more: one of this id that registers is a new one. */
export function gone(state: SchedulerState, node: WorkerNode): void {
  if (node.state === 'dead') state.nodes.delete(node.id)
}

/** The node takes no more tasks, also none that waits there; its data can still be read. */
export function closed(state: SchedulerState, node: WorkerNode): void {
  if (node.state === 'live' || node.state === 'stale') node.state = 'closed'
  takeBack(state, node)
  clearAllAvoided(state)
}

/**
 * The node may be dead. Its attempts get speculative ones (speculation.ts), and its map outputs are made again if other nodes are idle.
 */
export function stale(state: SchedulerState, node: WorkerNode): void {
  if (node.state === 'live') node.state = 'stale'
  clearAllAvoided(state)
  for (const job of state.jobs.values()) rerunStaleOutputs(state, job)
}

/**
 * Makes map outputs on stale nodes again once no other task of their stage waits for a slot: otherwise readers would start and then
 * find them missing. If the node returns in time, some work is done twice.
 */
export function rerunStaleOutputs(state: SchedulerState, job: RunningJob): void {
  if (job.state !== 'running') return
  for (const stage of job.stages) {
    // The cheapest check first: this runs at each commit.
    if (stage.state !== 'running' || stage.waiting > 0 || stage.readers.length === 0) continue
    if (!someNode(state, node => node.state === 'stale')) return
    if (able(state.nodes.values(), job, stage).length === 0) continue
    for (const task of stage.tasks)
      if (task.won && state.nodes.get(task.won.node)?.state === 'stale') loseOutput(state, { job, stage, task })
  }
}

export function returned(node: WorkerNode): void {
  if (node.state === 'stale') node.state = 'live'
}

/** The node stops and kills its attempts without reporting them. Its map outputs are available again if it returns soon. */
export function left(state: SchedulerState, node: WorkerNode): void {
  node.state = 'closed'
  for (const held of [...node.holding.keys()]) dropAttempt(state, node, held)
  clearAllAvoided(state)
}

/** Lets tasks run anywhere that avoided all other nodes and waited for this one. */
function clearAllAvoided(state: SchedulerState): void {
  for (const job of state.jobs.values()) {
    if (job.nodeFailures.size === 0) continue
    for (const stage of job.stages)
      for (const task of stage.tasks) if (task.avoid && task.state === 'waiting') clearAvoided(state, { job, stage, task })
  }
}

function loseOutputs(state: SchedulerState, job: RunningJob, node: NodeId): void {
  if (job.state !== 'running') return
  // Readers before the stages that they read: a reader that runs again needs its input again.
  for (const stage of job.stages.toReversed()) {
    stage.absent.delete(node)
    if (stage.readers.every(reader => job.stages[reader]!.state === 'done')) continue
    for (const task of stage.tasks) if (task.won?.node === node) loseOutput(state, { job, stage, task })
  }
}

/** The output of a committed task is lost: the task runs again, and its counters are subtracted. */
export function loseOutput(state: SchedulerState, place: TaskRef): void {
  const { job, stage, task } = place
  if (task.won?.output.kind !== 'shuffle' || job.state !== 'running') return
  const won = reopen(stage, task)
  const attempt = task.attempts.find(each => each.id === won.attempt)
  if (attempt) overturn(attempt, 'lost')
  stage.finishedMs = undefined
  state.effects.push({ kind: 'lose', job: job.id, attempt: won.attempt })
  clearAvoided(state, place)
  // A stage that has not started queues all its tasks when its input is done.
  if (stage.state === 'waiting') queue(stage, task)
  else {
    stage.state = 'running'
    enqueue(state, stage, task, true)
  }
  changed(state, job, true)
}

/** Time has passed: silent attempts are lost, killed ones free their slots, absent outputs are given up. */
export function tick(state: SchedulerState): void {
  const { monoMs } = state.at
  for (const node of state.nodes.values()) {
    takeBack(state, node, aheadWaitMs)
    for (const [id, { killedMonoMs }] of [...node.holding]) {
      if (killedMonoMs !== undefined) {
        if (monoMs - killedMonoMs >= limits.killSilentMs) release(state, node, id)
        continue
      }
      const attempt = taskRefOf(state, id)?.task.attempts.find(each => each.id === id)
      if (attempt && monoMs - attempt.seenMonoMs < limits.attemptSilentMs) continue
      orderKill(state, node.id, id)
      dropAttempt(state, node, id)
    }
  }
  for (const job of state.jobs.values()) {
    if (monoMs < job.absentUntilMonoMs) continue
    const absent = new Set(job.stages.flatMap(stage => [...stage.absent]))
    for (const id of absent) loseOutputs(state, job, id)
  }
}

/** Tasks that were ordered ahead and have waited on the node for so long wait for any node again. */
function takeBack(state: SchedulerState, node: WorkerNode, waitedMs = 0): void {
  for (const id of [...node.ahead.keys()]) {
    const place = taskRefOf(state, id)
    const attempt = place?.task.attempts.find(each => each.id === id)
    if (!place || attempt?.state !== 'running' || state.at.monoMs - attempt.startedMonoMs < waitedMs) continue
    endAttempt(state, place, attempt, 'killed')
    orderKill(state, node.id, id)
    requeue(state, place)
  }
}
