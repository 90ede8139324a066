// Speculation: near the end of a stage a slow attempt gets a speculative one on another node; the first to commit wins. Slow
// is relative to the stage's committed tasks, not a fixed time. An attempt on a stale node gets a speculative one at once, at
// any point of the stage, if no other task waits for the slot.

import { runningOf } from './attempts.ts'
import { someNode, type WorkerNode, type StageState, type SchedulerState, type TaskState } from './state.ts'

/** Fraction of the stage that must be done; before, there is too little to compare with. */
const doneShare = 0.75
/** Slow: longer than this many times the median. */
const slowness = 1.5
/** Speculative attempts at a time, as a fraction of all slots (at least one). */
const slotShare = 0.1
/** Shorter attempts are not worth it: a start takes about as long. */
const elapsedMsMin = 2_000
/** Durations kept per stage. */
const durationsMax = 500

export function noteDuration(stage: StageState, ms: number): void {
  if (stage.durations.length >= durationsMax) stage.durations.shift()
  stage.durations.push(ms)
}

/** The task that would gain most from a second attempt on this node; undefined if there is none. */
export function slowest(state: SchedulerState, stage: StageState, node: WorkerNode): TaskState | undefined {
  return stage.active.size === 0 ? undefined : orphan(state, stage, node) ?? straggler(state, stage, node)
}

/** A task whose only attempt is on a stale node and may never end: no comparison needed. */
function orphan(state: SchedulerState, stage: StageState, node: WorkerNode): TaskState | undefined {
  if (!someNode(state, each => each.state === 'stale')) return undefined
  for (const task of stage.active) {
    if (!mayRunTwice(task, node)) continue
    const running = runningOf(task)
    if (running.length === 1 && state.nodes.get(running[0]!.node)?.state === 'stale') return task
  }
  return undefined
}

/** A task that runs alone does so on the largest node: elsewhere it would run out of memory again, which ends its job. */
const mayRunTwice = ({ state, avoid, alone }: TaskState, { id }: WorkerNode): boolean => state === 'running' && !alone && !avoid?.has(id)

function straggler(state: SchedulerState, stage: StageState, node: WorkerNode): TaskState | undefined {
  if (stage.durations.length === 0 || stage.done < stage.tasks.length * doneShare) return undefined
  let slots = 0
  let speculative = 0
  for (const each of state.nodes.values()) if (each.state === 'live') slots += each.slots
  for (const job of state.jobs.values()) for (const each of job.stages) speculative += each.speculative
  if (speculative >= Math.max(1, Math.floor(slots * slotShare))) return undefined

  const sorted = stage.durations.toSorted((a, b) => a - b)
  const median = sorted[sorted.length >> 1]!
  let best: TaskState | undefined
  let bestLeftMs = median
  for (const task of stage.active) {
    if (!mayRunTwice(task, node)) continue
    const running = runningOf(task)
    const [attempt] = running
    if (running.length !== 1 || !attempt || attempt.node === node.id) continue
    const elapsedMs = state.at.monoMs - attempt.startedMonoMs
    if (elapsedMs < Math.max(elapsedMsMin, median * slowness)) continue
    // Remaining time: from the attempt's progress; without progress, twice the elapsed time.
    const leftMs = attempt.fraction > 0 ? elapsedMs * (1 - attempt.fraction) / attempt.fraction : 2 * elapsedMs
    if (leftMs > bestLeftMs) { best = task; bestLeftMs = leftMs }
  }
  return best
}
