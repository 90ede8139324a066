// Speculation: near the end of a stage a slow attempt gets a twin on another node, and the first to commit wins.
// Slow is judged against the stage's own committed tasks, never against a number of seconds that somebody guessed. An attempt
// on a node that has fallen silent gets a twin at once, wherever the stage stands, when no other task waits for the slot.

import { runningOf } from './attempts.ts'
import { someNode, type WorkerNode, type StageState, type SchedulerState, type TaskState } from './state.ts'

/** So much of the stage must be done: before, there is nothing to judge by. */
const doneShare = 0.75
/** Slower than this many times the median. */
const slowness = 1.5
/** Twins at a time, as a share of all slots (at least one). */
const slotShare = 0.1
/** Below this no twin pays: it needs about as long to start. */
const elapsedMsMin = 2_000
/** Durations of a stage that are kept to judge by. */
const durationsMax = 500

export function noteDuration(stage: StageState, ms: number): void {
  if (stage.durations.length >= durationsMax) stage.durations.shift()
  stage.durations.push(ms)
}

/** The task that would gain most from a second attempt on this node; undefined if none would. */
export function slowest(state: SchedulerState, stage: StageState, node: WorkerNode): TaskState | undefined {
  return stage.running === 0 ? undefined : orphan(state, stage, node) ?? straggler(state, stage, node)
}

/** A task whose only attempt is on a silent node, which may never end it: no need to compare it with others. */
function orphan(state: SchedulerState, stage: StageState, node: WorkerNode): TaskState | undefined {
  if (!someNode(state, each => each.state === 'stale')) return undefined
  for (const task of stage.active) {
    if (task.state !== 'running' || task.avoid?.has(node.id)) continue
    const running = runningOf(task)
    if (running.length === 1 && state.nodes.get(running[0]!.node)?.state === 'stale') return task
  }
  return undefined
}

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
    if (task.state !== 'running' || task.avoid?.has(node.id)) continue
    const running = runningOf(task)
    const [attempt] = running
    if (running.length !== 1 || !attempt || attempt.node === node.id) continue
    const elapsedMs = state.at.monoMs - attempt.startedMonoMs
    if (elapsedMs < Math.max(elapsedMsMin, median * slowness)) continue
    // An attempt that says how far it is will need the rest of its time; one that says nothing, twice what it took.
    const leftMs = attempt.fraction > 0 ? elapsedMs * (1 - attempt.fraction) / attempt.fraction : 2 * elapsedMs
    if (leftMs > bestLeftMs) { best = task; bestLeftMs = leftMs }
  }
  return best
}
