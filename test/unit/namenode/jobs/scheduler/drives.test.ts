// Jobs that drive programs, on the scheduler alone: they take neither slots nor memory nor a place of their queue, run once at a time, and
// their steps end with them.

import { expect, test } from 'vitest'
import type { RunningJob } from '../../../../../namenode/jobs/scheduler/state.ts'
import { parseQueues } from '../../../../../src/base/jobqueues.ts'
import { detachedRun, driveMethod } from '../../../../../src/protocol/task.ts'
import { a, b, idOf, kindsOf, Play } from './play.ts'

const run = detachedRun('r')
const drive = { id: run, step: 0, method: driveMethod }
const step = (number: number) => ({ id: run, step: number, method: 'save' })

const stateOf = (play: Play, { id }: RunningJob): string | undefined => play.scheduler.jobs.get(id)?.state

test('a drive takes no slot, no memory, and no place in the bound of its queue, and waits for none', () => {
  const play = new Play([], 1, parseQueues(['small:1:1']))
  play.join(a, 1, [], 'r', undefined, { task: 100, all: 100 })
  const driving = play.start(1, { driver: drive, queue: 'small' })
  expect(driving.running).toBe(1)
  const first = play.start(1, { driver: step(1), queue: 'small' })
  expect(first.running).toBe(1)
  expect(play.scheduler.nodes.get(a)!.used).toEqual({ cpu: 1, memoryBytes: 100 })
  expect(play.scheduler.queueStatus.queues.find(({ name }) => name === 'small')).toMatchObject({ jobs: 2, running: 1 })
  expect(play.scheduler.hasRunnable).toBe(false)
  const other = play.start(1, { driver: { ...drive, id: detachedRun('s') }, queue: 'small' })
  expect(other.running).toBe(1)
  // Its process was killed: the next one starts at once, too.
  play.fail(a, idOf(other, 0, 0, 0))
  expect([other.running, other.stages[0]!.waiting, first.running]).toEqual([1, 0, 1])
  play.done(a, idOf(first, 0, 0, 0))
  play.settleAll()
  expect(play.scheduler.nodes.get(a)!.used).toEqual({ cpu: 0, memoryBytes: 0 })
})

test('a node of an earlier version drives nothing, and the job says so', () => {
  const play = new Play([])
  play.join(a, 1, [], 'r', ['parts'])
  const driving = play.start(1, { driver: drive })
  expect(driving.running).toBe(0)
  expect(play.scheduler.waits(driving)).toBe('for a datanode of this version: it drives a program, which the live datanodes cannot')
  play.join(b)
  expect(driving.running).toBe(1)
})

test('a drive on a stale node gets no second attempt, and one that used up its memory none with more', () => {
  const play = new Play([], 2)
  for (const node of [a, b]) play.join(node, 2, [], 'r', undefined, { task: 100, all: 200 })
  const driving = play.start(1, { driver: drive })
  const [node] = [...play.scheduler.nodes.values()].filter(({ holding }) => holding.size > 0)
  play.apply({ kind: 'stale', node: node!.id })
  play.pass(1000)
  expect(driving.running).toBe(1)
  play.apply({ kind: 'returned', node: node!.id })
  play.fail(node!.id, play.runs[0]!, { outOfMemory: true })
  expect(driving.stages[0]!.tasks[0]).toMatchObject({ failures: 1, alone: false })
  expect(driving.running).toBe(1)
})

test('the steps of a drive end with it, and one that comes later at once', () => {
  const play = new Play([a], 3)
  const driving = play.start(1, { driver: drive })
  const [first, plain] = [play.start(1, { driver: step(1) }), play.start(1, { driver: { id: 'here', step: 1, method: 'save' } })]
  play.apply({ kind: 'kill', job: driving.id })
  play.settleAll()
  expect([stateOf(play, driving), stateOf(play, first), stateOf(play, plain)]).toEqual([undefined, undefined, 'running'])
  expect(play.kills).toContain(idOf(first, 0, 0, 0))
  const before = play.runs.length
  const late = play.submit({ maps: 1, reduces: 0, driver: step(2) }, [[]])
  expect(kindsOf(late.effects)).toContain('finish')
  expect(play.runs.length).toBe(before)
})

test('a restarted namenode goes on with a drive and its steps, and ends the steps of one that has ended', () => {
  const play = new Play([a], 3)
  const driving = play.start(1, { driver: drive })
  const first = play.start(1, { driver: step(1) })
  play.restart()
  expect([stateOf(play, driving), stateOf(play, first)]).toEqual(['running', 'running'])
  play.apply({ kind: 'kill', job: driving.id })
  // The end of the drive is journalled, and that of its step is not when the namenode ends.
  play.settle()
  play.restart()
  play.settleAll()
  expect(stateOf(play, first)).not.toBe('running')
})
