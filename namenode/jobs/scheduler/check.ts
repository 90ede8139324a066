// Recomputes every sum of the scheduler's state and asserts that it equals the stored one. For tests and simulations.

import { assert } from '../../../src/base/assert.ts'
import { runningOf } from './attempts.ts'
import { taskRefOf, type RunningJob, type SchedulerState, type StageState } from './state.ts'

/** Larger stages are skipped: a check would take milliseconds per event. */
const tasksMax = 500

/** Throws AssertionFailed for the first sum that differs. */
export function checkState(state: SchedulerState): void {
  for (const job of state.jobs.values()) checkJob(job)
  for (const node of state.nodes.values()) {
    for (const [id, killedMs] of node.holding) {
      const place = taskRefOf(state, id)
      const attempt = place?.task.attempts.find(each => each.id === id)
      // A slot is held by a running attempt, a killed one, or one of a forgotten job.
      assert(
        killedMs !== undefined || attempt !== undefined || place === undefined,
        `${id}, which holds a slot of ${node.id}, is an attempt of its task`,
      )
      assert(attempt?.state !== 'running' || attempt.node === node.id, `${id} holds a slot of the node that it runs on`)
    }
  }
}

function checkJob(job: RunningJob): void {
  let running = 0
  for (const stage of job.stages) {
    if (stage.tasks.length <= tasksMax) checkStage(job, stage)
    running += stage.running
  }
  assert(job.running === running, `job ${job.id} has ${job.running} running attempts, and its stages ${running}`)
}

function checkStage(job: RunningJob, stage: StageState): void {
  const where = `stage ${stage.index} of job ${job.id}`
  const attempts = stage.tasks.flatMap(runningOf)
  const count = (state: StageState['tasks'][number]['state']): number => stage.tasks.filter(task => task.state === state).length
  assert(stage.running === attempts.length, `${where} counts ${stage.running} running attempts of ${attempts.length}`)
  assert(
    stage.speculative === attempts.filter(each => each.speculative).length,
    `${where} counts ${stage.speculative} speculative attempts`,
  )
  assert(stage.done === count('done'), `${where} counts ${stage.done} done tasks of ${count('done')}`)
  if (stage.state === 'running')
    assert(stage.waiting === count('waiting'), `${where} counts ${stage.waiting} waiting tasks of ${count('waiting')}`)
  const fraction = attempts.reduce((sum, each) => sum + each.fraction, 0)
  assert(
    Math.abs(stage.fraction - fraction) < 1e-6 * (1 + stage.tasks.length),
    `${where} has the fraction ${stage.fraction}, not ${fraction}`,
  )
  for (const task of stage.tasks) {
    const running = runningOf(task)
    assert(stage.active.has(task) === running.length > 0, `task ${task.index} of ${where} is active while an attempt of it runs`)
    assert(
      new Set(running.map(each => each.node)).size === running.length,
      `no two attempts of task ${task.index} of ${where} run on one node`,
    )
    assert((task.state === 'done') === (task.won !== undefined), `task ${task.index} of ${where} is done with a result`)
    assert((task.state === 'committing') === (task.committing !== undefined), `task ${task.index} of ${where} is committing an attempt`)
  }
  checkOutputs(stage, where)
}

/** Checks the bytes of committed map outputs by node. */
function checkOutputs(stage: StageState, where: string): void {
  const bytes = new Map<string, number>()
  for (const { won } of stage.tasks) if (won?.output.kind === 'shuffle') bytes.set(won.node, (bytes.get(won.node) ?? 0) + won.output.bytes)
  for (const [node, kept] of stage.outputBytes)
    assert(kept === (bytes.get(node) ?? 0), `${where} counts ${kept} bytes of map outputs on ${node}, not ${bytes.get(node) ?? 0}`)
  for (const [node, counted] of bytes)
    assert(counted === (stage.outputBytes.get(node as never) ?? 0), `${where} misses ${counted} bytes of map outputs on ${node}`)
}
