// Speculative attempts, one step at a time on the scheduler alone: when a slow attempt gets one, which goes first, and how many there are.

import { expect, test } from 'vitest'
import type { StageState, TaskState } from '../../../../../namenode/jobs/scheduler/state.ts'
import { noteDuration } from '../../../../../namenode/jobs/scheduler/speculation.ts'
import { nodeId, type NodeId } from '../../../../../src/base/ids.ts'
import { a, Play } from './play.ts'

/** A stage of tasks on nodes of a slot each; all but the last task are done after `doneMs`. */
function nearlyDone(tasks: number, doneMs: number): { play: Play; stage: StageState; last: TaskState; node: NodeId } {
  const nodes = Array.from({ length: tasks }, (_, i) => nodeId(`n${i}`))
  const play = new Play(nodes)
  const job = play.start(tasks)
  play.pass(doneMs)
  const [stage] = job.stages
  for (const task of stage!.tasks.slice(0, -1)) play.done(task.attempts[0]!.node, task.attempts[0]!.id)
  play.settleAll()
  const last = stage!.tasks.at(-1)!
  return { play, stage: stage!, last, node: last.attempts[0]!.node }
}

test('near the end of a stage an attempt gets a twin when it has taken half as long again as the median, and two seconds at the least', () => {
  const slow = nearlyDone(4, 4_000)
  slow.play.pass(1_999)
  expect(slow.last.attempts).toHaveLength(1)
  slow.play.pass(1)
  expect(slow.last.attempts).toHaveLength(2)
  expect(slow.last.attempts[1]!.node).not.toBe(slow.node)
  const quick = nearlyDone(4, 100)
  quick.play.pass(1_899)
  expect(quick.last.attempts).toHaveLength(1)
  quick.play.pass(1)
  expect(quick.last.attempts).toHaveLength(2)
})

test('an attempt that will be over before a twin could be gets none, and twins are few', () => {
  const { play, last, stage } = nearlyDone(4, 4_000)
  play.apply({
    kind: 'progressed', node: last.attempts[0]!.node,
    attempts: [{ attempt: last.attempts[0]!.id, counters: {}, fraction: 0.9 }],
  })
  play.pass(10_000) // 14 s for nine tenths: about 1.5 s remain
  expect(last.attempts).toHaveLength(1)
  play.apply({
    kind: 'progressed', node: last.attempts[0]!.node,
    attempts: [{ attempt: last.attempts[0]!.id, counters: {}, fraction: 0.5 }],
  })
  play.pass(0)
  expect([last.attempts.length, stage.speculative]).toEqual([2, 1])
  play.done(last.attempts[1]!.node, last.attempts[1]!.id)
  expect(stage.speculative).toBe(0)
  // With a quarter of the tasks unfinished, slow ones cannot be told apart.
  const nodes = ['w', 'x', 'y', 'z'].map(nodeId)
  const early = new Play(nodes)
  const job = early.start(4)
  early.pass(1_000)
  for (const task of job.stages[0]!.tasks.slice(0, 2)) early.done(task.attempts[0]!.node, task.attempts[0]!.id)
  early.settleAll()
  early.pass(20_000)
  expect(early.runs).toHaveLength(4)
})

test('a task never has two attempts on one node, however slow the first is', () => {
  const play = new Play([a], 4)
  const job = play.start(4)
  play.pass(1_000)
  for (const run of play.runs.slice(0, 3)) play.done(a, run)
  play.settleAll()
  play.pass(20_000)
  play.apply({ kind: 'offered', node: a })
  expect(job.stages[0]!.tasks[3]!.attempts).toHaveLength(1)
})

test('twins are a tenth of all slots, rounded down, and one at the least', () => {
  for (const [slots, speculative] of [[19, 1], [20, 2]] as const) {
    const nodes = Array.from({ length: slots }, (_, i) => nodeId(`n${String(i).padStart(2, '0')}`))
    const play = new Play(nodes)
    const job = play.start(slots)
    play.pass(4_000)
    const [stage] = job.stages
    for (const task of stage!.tasks.slice(0, -4)) play.done(task.attempts[0]!.node, task.attempts[0]!.id)
    play.settleAll()
    play.pass(20_000)
    expect(stage!.speculative, `${slots} slots`).toBe(speculative)
    // The first of equally slow tasks is chosen.
    expect(stage!.tasks.slice(-4).map(task => task.attempts.length)).toEqual([2, speculative, 1, 1])
  }
})

test('an attempt that says nothing of how far it is needs twice what it took: the twin goes to the one that needs most', () => {
  // After 24 s: three tenths leave 56 s, four tenths 36 s, and no reported progress 48 s.
  for (const [fraction, chosen] of [[0.3, 0], [0.4, 1]] as const) {
    const nodes = Array.from({ length: 8 }, (_, i) => nodeId(`n${i}`))
    const play = new Play(nodes)
    const job = play.start(8)
    play.pass(4_000)
    const [stage] = job.stages
    for (const task of stage!.tasks.slice(2)) play.done(task.attempts[0]!.node, task.attempts[0]!.id)
    play.settleAll()
    const [first] = stage!.tasks[0]!.attempts
    play.at = { nowMs: play.at.nowMs + 20_000, monoMs: play.at.monoMs + 20_000 }
    play.apply({ kind: 'progressed', node: first!.node, attempts: [{ attempt: first!.id, counters: {}, fraction }] })
    const [second] = stage!.tasks[1]!.attempts
    play.apply({ kind: 'progressed', node: second!.node, attempts: [{ attempt: second!.id, counters: {}, fraction: 0 }] })
    play.pass(0)
    expect(stage!.tasks.slice(0, 2).map(task => task.attempts.length), String(fraction)).toEqual(chosen === 0 ? [2, 1] : [1, 2])
  }
})

test('a stage is judged by its last 500 durations', () => {
  const stage = { durations: [] as number[] } as StageState
  for (let ms = 1; ms <= 502; ms++) noteDuration(stage, ms)
  expect([stage.durations.length, stage.durations[0], stage.durations.at(-1)]).toEqual([500, 3, 502])
})
