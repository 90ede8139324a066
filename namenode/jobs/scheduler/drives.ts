// Starts tasks that drive programs. They take no slot: they start at once, also where all slots are taken and their queue has reached its
// bound, as long as a node drives fewer programs than it may. Beyond that they wait. A program that has begun before comes first, because
// its steps hold results for it; then queues get their turns by their weights, and of one queue the highest priority, the user with the
// fewest driven programs, and the program that was submitted first. A drive waits for no other one, and steps take no place of a drive:
// the programs that are driven reach their ends.
// The task of a schedule takes a place only while it builds: between two builds it waits here for its time (`TaskState.dueMs`).
// INVARIANT: a node starts no more drives than it may run, and no schedule starts before its time.

import { isDrive } from '../../../src/protocol/task.ts'
import { able, roomOf } from './fit.ts'
import type { Moment } from './event.ts'
import { QueueShares } from './queues.ts'
import type { RunningJob, SchedulerState, TaskRef, WorkerNode } from './state.ts'

/** Starts those that can start, by the function, each on the node that drives the fewest programs of those that may run it. */
export function startDrives(
  state: SchedulerState, jobs: readonly RunningJob[], start: (place: TaskRef, node: WorkerNode) => void,
): void {
  const waiting = jobs.filter(job => isWaiting(state, job))
  while (waiting.length > 0 && anyRoom(state)) {
    const job = inOrder(state, waiting).find(each => placeOf(state, each))
    if (!job) return
    const stage = job.stages[0]!
    stage.pending.takeAny(() => 'drop')
    stage.pending.takeFree(() => 'drop')
    const task = stage.tasks[0]!
    if (task.dueMs !== undefined) task.dueMs = Math.min(task.dueMs, state.at.nowMs)
    start({ job, stage, task }, placeOf(state, job)!)
    waiting.splice(waiting.indexOf(job), 1)
  }
}

/** True for a drive that waits and could start now. */
export const canStart = (state: SchedulerState, job: RunningJob): boolean => isWaiting(state, job) && placeOf(state, job) !== undefined

/** True if one of the nodes drives fewer programs than it may. */
export const hasDriveRoom = (nodes: Iterable<WorkerNode>): boolean => [...nodes].some(node => roomOf(node).drives > 0)

const anyRoom = ({ nodes }: SchedulerState): boolean => hasDriveRoom([...nodes.values()].filter(({ state }) => state === 'live'))

const isWaiting = ({ at }: SchedulerState, job: RunningJob): boolean => {
  const { spec, state, stages: [stage] } = job
  return isDrive(spec) && state === 'running' && stage!.state === 'running' && stage!.tasks[0]!.state === 'waiting' && !isEarly(job, at)
}

/** A wall clock that is set back by more than this was wrong before: so may be the times that were computed by it. */
const setBackMs = 60_000

/**
 * When the task of a schedule runs again that has reported this. One that took the clock to be ahead has left out all times since then: it
 * runs again now.
 */
export const dueOf = ({ atMs, nowMs: toldMs = 0 }: { readonly atMs: number; readonly nowMs?: number }, { nowMs }: Moment): number =>
  (toldMs - nowMs > setBackMs ? nowMs : atMs)

/** It waits for a time of its schedule that has not come. */
export function isEarly({ stages: [stage] }: RunningJob, { nowMs, monoMs }: Moment): boolean {
  const { dueMs = 0, waitsSince, attempts } = stage!.tasks[0]!
  if (dueMs <= nowMs) return false
  const leastMs = attempts.at(-1)?.finishedMs ?? nowMs
  const wouldBeMs = waitsSince ? Math.max(leastMs, waitsSince.nowMs + monoMs - waitsSince.monoMs) : leastMs
  return wouldBeMs - nowMs <= setBackMs
}

function placeOf(state: SchedulerState, job: RunningJob): WorkerNode | undefined {
  const stage = job.stages[0]!
  const task = stage.tasks[0]!
  const nodes = able(state.nodes.values(), job, stage)
    .filter(node => !task.avoid?.has(node.id) && roomOf(node).drives > 0)
  return nodes.sort((one, other) =>
    one.used.drives - other.used.drives || one.holding.size - other.holding.size || (one.id < other.id ? -1 : 1))[0]
}

function inOrder(state: SchedulerState, waiting: readonly RunningJob[]): RunningJob[] {
  const drives = [...state.jobs.values()].filter(({ spec }) => isDrive(spec))
  const shares = new QueueShares(state.queues, [])
  const ofQueue = countBy(drives, job => shares.queueOf(job).name)
  const ofUser = countBy(drives, ({ user }) => user)
  const shareOf = (job: RunningJob): number => {
    const { name, weight } = shares.queueOf(job)
    return ofQueue.get(name)! / weight
  }
  return [...waiting].sort((one, other) =>
    Number(hasBegun(other)) - Number(hasBegun(one)) || shareOf(one) - shareOf(other)
    || (shares.queueOf(one) === shares.queueOf(other) ? (other.spec.priority ?? 0) - (one.spec.priority ?? 0) : 0)
    || ofUser.get(one.user)! - ofUser.get(other.user)! || one.turn - other.turn)
}

/** An earlier process has left what it began; that of a schedule which was done with a build has not. */
const hasBegun = ({ stages: [stage] }: RunningJob): boolean => {
  const last = stage!.tasks[0]!.attempts.at(-1)
  return last !== undefined && last.state !== 'done'
}

/** Running attempts of the drives, by a property of these. */
function countBy(drives: readonly RunningJob[], property: (job: RunningJob) => string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const job of drives) counts.set(property(job), (counts.get(property(job)) ?? 0) + job.running)
  return counts
}
