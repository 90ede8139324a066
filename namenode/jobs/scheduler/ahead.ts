// Orders tasks ahead: a node whose slots are all taken by short tasks of a stage gets further ones, which wait there. The next one then
// starts when the one before it ends, and not two messages later, and an answer to the node's poll carries several.
// Only while no other job has tasks to start, so that shares and priorities mean what they say; only as many as take some 100 ms; and not
// near the end of a stage, where nodes would have different amounts left. Those that wait behind a task which takes longer, or on a node
// that takes no more tasks, are taken back (loss.ts).
// INVARIANT: an attempt that waits on a node takes none of its slots and memory, and does not count as running; it takes those that an
// earlier one has freed.

import { attemptParts } from '../../../src/base/ids.ts'
import { isDrive } from '../../../src/protocol/task.ts'
import { canRun, fits, needOf, roomOf } from './fit.ts'
import type { QueueShares } from './queues.ts'
import { ready, type Need, type RunningJob, type SchedulerState, type StageState, type WorkerNode } from './state.ts'

/** Time that the tasks which wait on a node take together: a job that is submitted meanwhile waits for them. */
const aheadMs = 100
/** Most of them at a time. */
const aheadMax = 16
/** Last durations of which the mean is taken; with fewer, too little is known. */
const durationsMin = 8

interface Ahead { readonly job: RunningJob; readonly stage: StageState; readonly need: Need; readonly count: number }

/** A stage of which the node may get tasks ahead, and how many. */
export function aheadFor(
  state: SchedulerState, { jobs, shares }: { readonly jobs: readonly RunningJob[]; readonly shares: QueueShares }, node: WorkerNode,
): Ahead | undefined {
  const [job, ...others] = jobs.filter(({ spec }) => !isDrive(spec))
  if (!job || others.length > 0 || shares.queueOf(job).slotsMax !== undefined) return undefined
  if (node.state !== 'live' || job.avoid.has(node.id)) return undefined
  for (const stage of job.stages) {
    if (stage.state !== 'running' || stage.waiting === 0 || !ready(job, stage)) continue
    const count = Math.min(aheadMax, Math.floor(aheadMs / meanMs(stage)))
    // Half of them are used up first, so that the next ones travel together.
    if (count < 2 || node.ahead.size * 2 > count || !canRun(node, job, stage)) return undefined
    // One is left for each slot that becomes free sooner.
    const spare = stage.waiting - slotsOf(state)
    const need = needOf(node, job, stage, stage.tasks[0]!)
    if (spare <= 0 || fits(roomOf(node), need) || !runsOnly(state, node, { job, stage, need })) return undefined
    return { job, stage, need, count: Math.min(count - node.ahead.size, spare) }
  }
  return undefined
}

function meanMs({ durations }: StageState): number {
  if (durations.length < durationsMin) return Infinity
  let sum = 0
  for (let i = durations.length - durationsMin; i < durations.length; i++) sum += durations[i]!
  return Math.max(1, sum / durationsMin)
}

function slotsOf({ nodes }: SchedulerState): number {
  let slots = 0
  for (const node of nodes.values()) if (node.state === 'live') slots += node.slots
  return slots
}

/** The node runs nothing but tasks of the stage, and none of them for long: what waits takes exactly what one of them frees, and soon. */
function runsOnly(state: SchedulerState, node: WorkerNode, { job, stage, need }: Omit<Ahead, 'count'>): boolean {
  for (const [id, held] of node.holding) {
    const parts = attemptParts(id)
    if (parts.job !== job.id || parts.stage !== stage.index || held.killedMonoMs !== undefined) return false
    if (node.ahead.has(id)) continue
    const attempt = stage.tasks[parts.task]!.attempts.find(each => each.id === id)
    if (!attempt || state.at.monoMs - attempt.startedMonoMs > aheadMs) return false
    if (held.need.cpu !== need.cpu || held.need.memoryBytes !== need.memoryBytes) return false
  }
  return true
}
