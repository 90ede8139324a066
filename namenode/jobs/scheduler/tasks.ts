// States of a task, with the sums of its stage that depend on them: waiting, done, counters, outputBytes.
// INVARIANT: the state and the winner of a task change in this file only; check.ts compares the sums with the tasks.

import type { TaskRecord } from '../store/record.ts'
import type { StageState, TaskState } from './state.ts'

type Won = NonNullable<TaskRecord['won']>

/** The task waits for a node. */
export function queue(stage: StageState, task: TaskState): void {
  if (task.state !== 'waiting') stage.waiting++
  task.state = 'waiting'
}

/** An attempt of the task runs: new, of an earlier process, or beside one whose commit was refused. */
export function takeUp(stage: StageState, task: TaskState): void {
  if (task.state === 'waiting') stage.waiting--
  task.state = 'running'
  task.committing = undefined
}

/** The result of the attempt is being journalled. */
export function beginCommit(stage: StageState, task: TaskState, attempt: NonNullable<TaskState['committing']>): void {
  if (task.state === 'waiting') stage.waiting--
  task.state = 'committing'
  task.committing = attempt
}

/** The result is journalled. REQUIRES: the task does not wait, or its stage has not been started. */
export function commit(stage: StageState, task: TaskState, won: Won): void {
  task.state = 'done'
  task.committing = undefined
  stage.done++
  stage.counters.add(won.counters)
  const { output } = won
  if (output.kind !== 'shuffle') {
    task.won = won
    return
  }
  addBytes(stage, won.node, output.bytes)
  // The sums are enough: the sizes of all outputs would be too many.
  const { sizes, ...rest } = output
  stage.sums?.add(task.index, sizes)
  task.won = sizes === undefined ? won : { ...won, output: rest }
}

/** The output of the task is lost. Returns what had won. REQUIRES: it is a map output. */
export function reopen(stage: StageState, task: TaskState): Won {
  const won = task.won!
  task.won = undefined
  task.state = 'running'
  stage.done--
  stage.counters.takeBack(won.counters)
  if (won.output.kind === 'shuffle') addBytes(stage, won.node, -won.output.bytes)
  return won
}

function addBytes(stage: StageState, node: Won['node'], bytes: number): void {
  const sum = (stage.outputBytes.get(node) ?? 0) + bytes
  if (sum > 0) stage.outputBytes.set(node, sum)
  else stage.outputBytes.delete(node)
}
