// Recomputes every sum, count and index of the scheduler's state and asserts that it equals the stored one. For tests and simulations.

import { assert, assertKept } from '../../../src/base/assert.ts'
import type { NodeId } from '../../../src/base/ids.ts'
import { limits } from '../../../src/base/limits.ts'
import { nothing, runningOf } from './attempts.ts'
import { taskRefOf, type RunningJob, type SchedulerState, type StageState } from './state.ts'
import { CounterSums } from './sums.ts'

/** Larger stages are skipped: a check would take milliseconds per event. */
const tasksMax = 500

/** Throws AssertionFailed for the first value that differs. */
export function checkState(state: SchedulerState): void {
  const turns: number[] = []
  for (const job of state.jobs.values()) {
    checkJob(state, job)
    turns.push(job.turn)
  }
  assertKept('turns of jobs', turns.length, new Set(turns).size)
  for (const node of state.nodes.values()) {
    const needs = [...node.holding.values()].map(({ need }) => need)
    assertKept('slots that are taken', node.used.cpu, needs.reduce((sum, { cpu }) => sum + cpu, 0), node.id)
    assertKept('memory that is taken', node.used.memoryBytes, needs.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0), node.id)
    assertKept('programs that are driven', node.used.drives, needs.reduce((sum, { drives }) => sum + drives, 0), node.id)
    for (const id of node.ahead.keys())
      assert(node.holding.get(id)?.need === nothing, `${id} waits on ${node.id} and holds nothing there`)
    for (const [id, { killedMonoMs: killedMs }] of node.holding) {
      const place = taskRefOf(state, id)
      const attempt = place?.task.attempts.find(each => each.id === id)
      // A slot is held by a running attempt, a killed one, or one of a forgotten job.
      assert(
        killedMs !== undefined || attempt !== undefined || place === undefined,
        `${id}, which holds a slot of ${node.id}, is an attempt of its task`,
      )
      assert((attempt?.ahead ?? false) === node.ahead.has(id), `${id} waits on ${node.id} while it is not counted as running`)
      assert(attempt?.state !== 'running' || attempt.node === node.id, `${id} holds a slot of the node that it runs on`)
    }
  }
}

function checkJob(state: SchedulerState, job: RunningJob): void {
  let running = 0
  for (const stage of job.stages) {
    if (stage.tasks.length <= tasksMax) checkStage(state, job, stage)
    running += stage.running
  }
  assertKept('running attempts', job.running, running, `job ${job.id}`)
}

function checkStage(state: SchedulerState, job: RunningJob, stage: StageState): void {
  const where = `stage ${stage.index} of job ${job.id}`
  const attempts = stage.tasks.flatMap(runningOf)
  const count = (is: StageState['tasks'][number]['state']): number => stage.tasks.filter(task => task.state === is).length
  const ahead = attempts.filter(each => each.ahead).length
  assertKept('running attempts', stage.running, attempts.length - ahead, where)
  assertKept('attempts that wait on their nodes', stage.ahead, ahead, where)
  assertKept('speculative attempts', stage.speculative, attempts.filter(each => each.speculative).length, where)
  assertKept('done tasks', stage.done, count('done'), where)
  if (stage.state === 'running') {
    assertKept('waiting tasks', stage.waiting, count('waiting'), where)
    stage.pending.checkState(where, stage.tasks.flatMap(task => (task.state === 'waiting' ? [task.index] : [])))
  }
  const fraction = attempts.reduce((sum, each) => sum + each.fraction, 0)
  assert(
    Math.abs(stage.fraction - fraction) < 1e-6 * (1 + stage.tasks.length),
    `${where} has the fraction ${stage.fraction}, not ${fraction}`,
  )
  checkTasks(job, stage, where)
  checkFailures(stage, where)
  checkCounters(stage, where)
  checkOutputs(state, stage, where)
}

function checkTasks(job: RunningJob, stage: StageState, where: string): void {
  for (const task of stage.tasks) {
    const running = runningOf(task)
    assert(stage.active.has(task) === running.length > 0, `task ${task.index} of ${where} is active while an attempt of it runs`)
    assert(
      new Set(running.map(each => each.node)).size === running.length,
      `no two attempts of task ${task.index} of ${where} run on one node`,
    )
    assert((task.state === 'done') === (task.won !== undefined), `task ${task.index} of ${where} is done with a result`)
    assert((task.state === 'committing') === (task.committing !== undefined), `task ${task.index} of ${where} is committing an attempt`)
    // The nodes that are told to forget the job when it has ended.
    for (const { id, node } of task.attempts) assert(job.used.has(node), `${id} is on ${node}, which job ${job.id} has not used`)
  }
}

function checkFailures(stage: StageState, where: string): void {
  const failed = stage.tasks.reduce((sum, { attempts }) => sum + attempts.filter(each => each.state === 'failed').length, 0)
  // The oldest attempts of a task with many are forgotten, and stay in the sum.
  const complete = stage.tasks.every(({ attempts }) => attempts.length < limits.attemptsKeptMax)
  const kept = stage.failedAttempts
  assert(complete ? kept === failed : kept >= failed, `failed attempts of ${where}: ${kept} kept, ${failed} found`)
}

function checkCounters(stage: StageState, where: string): void {
  const sums = new CounterSums()
  for (const { won } of stage.tasks) if (won) sums.add(won.counters)
  const listed = ({ values }: CounterSums): string => JSON.stringify(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)))
  assertKept('counters', listed(stage.counters), listed(sums), where)
}

/** Checks the bytes of committed map outputs by node, and the nodes whose outputs are awaited. */
function checkOutputs(state: SchedulerState, stage: StageState, where: string): void {
  const bytes = new Map<NodeId, number>()
  for (const { won } of stage.tasks) if (won?.output.kind === 'shuffle') bytes.set(won.node, (bytes.get(won.node) ?? 0) + won.output.bytes)
  for (const node of new Set([...stage.outputBytes.keys(), ...bytes.keys()]))
    assertKept(`bytes of map outputs on ${node}`, stage.outputBytes.get(node) ?? 0, bytes.get(node) ?? 0, where)
  for (const node of stage.absent) {
    assert(bytes.has(node), `${where} waits for ${node}, which has none of its map outputs`)
    assert(state.nodes.get(node)?.state !== 'live', `${where} waits for ${node}, which is live`)
  }
}
