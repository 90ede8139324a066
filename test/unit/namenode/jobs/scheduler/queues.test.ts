// Queues on the scheduler alone: shares by weight, bounds, and what becomes of a queue that is not declared any more.

import { expect, test } from 'vitest'
import { parseQueues } from '../../../../../src/base/jobqueues.ts'
import type { RunningJob } from '../../../../../namenode/jobs/scheduler/state.ts'
import { a, b, Play } from './play.ts'

const running = (...jobs: readonly RunningJob[]): number[] => jobs.map(job => job.running)

/** Ends the oldest task that runs, and returns its job. */
function endOne(play: Play): void {
  const attempt = play.runs.shift()!
  const node = [...play.scheduler.nodes.values()].find(each => each.holding.has(attempt))!.id
  play.done(node, attempt)
  play.settleAll()
}

test('queues share the slots by their weights, and the jobs of a queue share what it has', () => {
  const play = new Play([a, b], 4, parseQueues(['etl:3', 'adhoc']))
  const first = play.start(40, { queue: 'adhoc' })
  expect(running(first)).toEqual([8])
  const big = play.start(40, { queue: 'etl' })
  const other = play.start(40, { queue: 'adhoc' })
  for (let i = 0; i < 24; i++) {
    endOne(play)
    expect(running(first, big, other).reduce((sum, each) => sum + each)).toBe(8)
  }
  expect(running(first, big, other)).toEqual([1, 6, 1])
  // The default queue has the weight 1, also if it is not declared: 8 slots for 3 + 1 + 1.
  const plain = play.start(40)
  for (let i = 0; i < 16; i++) endOne(play)
  const [one, most, two, own] = running(first, big, other, plain) as [number, number, number, number]
  expect([one + two, own].every(each => each === 1 || each === 2) && most >= 4).toBe(true)
})

test('a queue without tasks leaves its slots to the others', () => {
  const play = new Play([a], 4, parseQueues(['etl:9', 'adhoc:1']))
  const etl = play.start(2, { queue: 'etl' })
  const adhoc = play.start(9, { queue: 'adhoc' })
  expect(running(etl, adhoc)).toEqual([2, 2])
  for (let i = 0; i < 2; i++) endOne(play)
  expect(running(adhoc)).toEqual([4])
})

test('a queue never has more tasks than its bound, speculative and repeated ones included, and waits without ticks', () => {
  const play = new Play([a, b], 4, parseQueues(['small:5:2']))
  const [one, two] = [play.start(3, { queue: 'small' }), play.start(3, { queue: 'small' })]
  expect(running(one, two)).toEqual([2, 0])
  expect(play.scheduler.hasRunnable).toBe(false)
  play.fail([...play.scheduler.nodes.values()].find(each => each.holding.has(play.runs[0]!))!.id, play.runs.shift()!)
  for (let left = 6; left > 0; left--) {
    expect(one.running + two.running).toBe(Math.min(2, left))
    endOne(play)
  }
  expect(play.runs).toEqual([])
  // Others are not held up by it.
  play.start(9, { queue: 'small' })
  expect(running(play.start(9))).toEqual([6])
  expect(play.scheduler.hasRunnable).toBe(false)
})

test('after a restart jobs of a queue that is not declared any more are in the default one', () => {
  const play = new Play([a], 2, parseQueues(['default:1:1']))
  expect(running(play.start(3, { queue: 'gone' }), play.start(3))).toEqual([1, 0])
})

test.each([
  ['a:b', 'is not a queue'], ['a:0', 'is not a queue'], ['a:1:0', 'is not a queue'], ['a:1:2:3', 'is not a queue'],
  [':1', 'is not a queue'], ['a b', 'is not a queue'], ['a,a:2', 'declared twice'],
])('the declaration %s is refused', (text, message) => {
  expect(() => parseQueues(text.split(','))).toThrow(message)
})

test('within a queue the job with the highest priority gets the next slots; queues still share by their weights', () => {
  const play = new Play([a], 4, parseQueues(['etl:1', 'adhoc:1']))
  const [low, plain] = [play.start(20, { queue: 'etl', priority: -1 }), play.start(20, { queue: 'etl' })]
  const other = play.start(20, { queue: 'adhoc', priority: -100 })
  for (let i = 0; i < 8; i++) endOne(play)
  expect(running(low, plain, other)).toEqual([0, 2, 2])
  const high = play.start(3, { queue: 'etl', priority: 5 })
  for (let i = 0; i < 4; i++) endOne(play)
  expect(running(low, plain, high, other)).toEqual([0, 0, 2, 2])
  // One task is left of the highest: the next job of the queue takes the other slot.
  while (high.stages[0]!.waiting > 0 || high.running > 1) endOne(play)
  expect(running(low, plain, high)).toEqual([0, 1, 1])
  expect(play.scheduler.queueStatus).toEqual({ slots: 4, queues: [
    { name: 'adhoc', weight: 1, jobs: 1, running: 2, waiting: other.stages[0]!.waiting },
    { name: 'default', weight: 1, jobs: 0, running: 0, waiting: 0 },
    { name: 'etl', weight: 1, jobs: 3, running: 2, waiting: low.stages[0]!.waiting + plain.stages[0]!.waiting },
  ] })
})

test('a job of which no task runs says what it waits for', () => {
  const early = new Play([])
  expect(early.scheduler.waits(early.start(1))).toMatch(/^for a datanode: none that runs tasks is live and in service \(gristmill up --detach /)
  const play = new Play([a], 1, parseQueues(['small:1:1', 'etl']))
  const first = play.start(1, { queue: 'small' })
  expect(play.scheduler.waits(first)).toBeUndefined()
  const second = play.start(2, { queue: 'small' })
  expect(play.scheduler.waits(second)).toBe('for its queue small, of which one task may run at a time')
  const third = play.start(1, { queue: 'etl' })
  expect(play.scheduler.waits(third)).toBe('for a slot: the only one of the cluster is taken; its queue is etl')
  play.join(b, 3)
  expect(play.scheduler.waits(second)).toBe('for its queue small, of which one task may run at a time')
  expect(play.scheduler.waits(third)).toBeUndefined()
})

test('a job whose tasks have failed on every datanode, or wait for one with their input, says so', () => {
  const play = new Play([a, b])
  const full = play.start(1, { places: [['a']] })
  const local = play.start(1, { places: [['a']] })
  expect(play.scheduler.waits(full)).toBeUndefined()
  expect(play.scheduler.waits(local)).toBe('for a slot on a datanode with its input, or on one on which its tasks have not failed')
  local.avoid.add(a)
  local.avoid.add(b)
  expect(play.scheduler.waits(local)).toBe('for another datanode: its tasks have failed on all 2 of them')
})
