// Slots and nodes, one step at a time on the scheduler alone: which node takes a task, which nodes a job avoids, and when a slot is free
// again. Off-by-one errors that a user who waits for a slot would see.

import { expect, test } from 'vitest'
import { nodeId, type NodeId } from '../../../../../src/base/ids.ts'
import { limits } from '../../../../../src/base/limits.ts'
import { doneReport } from './kit.ts'
import { a, b, c, Play } from './play.ts'

test('a killed attempt holds its slot until its node says that it is over, but no longer than so long', () => {
  const play = new Play()
  const job = play.start(1)
  play.apply({ kind: 'kill', job: job.id })
  play.settleAll()
  const next = play.start(1)
  expect(next.running).toBe(0)
  play.pass(limits.killSilentMs - 1)
  expect(next.running).toBe(0)
  play.pass(1)
  expect(next.running).toBe(1)
  const other = new Play()
  const killed = other.start(1)
  other.apply({ kind: 'kill', job: killed.id })
  other.settleAll()
  const after = other.start(1)
  other.fail(a, other.runs[0]!, { cause: 'killed' })
  expect(after.running).toBe(1)
})

test('a job stays away from a node where four of its attempts have failed, but never from more than a third of the nodes', () => {
  const nodes = Array.from({ length: 6 }, (_, i) => nodeId(`n${i}`))
  const play = new Play(nodes)
  const job = play.start(40, { attemptsMax: 100 })
  const failOn = (node: NodeId, times: number): void => {
    for (let n = 0; n < times; n++) {
      const attempt = job.stages[0]!.tasks.flatMap(task => task.attempts).find(each => each.node === node && each.state === 'running')
      if (attempt) play.fail(node, attempt.id)
    }
  }
  failOn(nodes[0]!, 3)
  expect(job.avoid.size).toBe(0)
  failOn(nodes[0]!, 1)
  failOn(nodes[1]!, 4)
  expect([...job.avoid]).toEqual([nodes[0], nodes[1]])
  failOn(nodes[2]!, 4)
  expect([...job.avoid]).toEqual([nodes[0], nodes[1]])
  const running = (): NodeId[] =>
    job.stages[0]!.tasks.flatMap(task => task.attempts)
      .filter(each => each.state === 'running')
      .map(each => each.node)
  expect(running()).not.toContain(nodes[0])
  expect(running()).toContain(nodes[2])
})

test('idle nodes are served first, then those with most of what is to be read', () => {
  const play = new Play([], 1)
  const [x, y] = [nodeId('x'), nodeId('y')]
  play.join(y, 2)
  play.join(x, 1)
  const job = play.start(3, { reduces: 1, places: [['y'], ['y'], ['x']] })
  for (const task of job.stages[0]!.tasks) {
    const attempt = task.attempts[0]!
    const report = doneReport(attempt.node, attempt.id, play.specOf(attempt.id))
    play.apply({ kind: 'finished', ...report })
  }
  play.settleAll()
  expect(job.stages[1]!.tasks[0]!.attempts[0]!.node).toBe(y) // it has two of three outputs
})

test('the locality of an attempt is that of its input: on the node, in its rack, or anywhere, by nodes that are not lost', () => {
  const play = new Play([], 1)
  play.join(a, 0, [], 'r')
  play.join(b, 1, [], 'r')
  play.join(c, 1, [], 's')
  play.apply({ kind: 'dead', node: a })
  const job = play.start(2, { places: [['a'], ['a']] })
  expect(job.stages[0]!.tasks.map(task => task.attempts[0]!.locality)).toEqual(['any', 'any'])
  const other = new Play([], 1)
  other.join(a, 0, [], 'r')
  other.join(b, 1, [], 'r')
  const near = other.start(1, { places: [['a']] })
  for (let n = 0; n < 3; n++) other.apply({ kind: 'offered', node: b })
  expect(near.running).toBe(0)
  other.apply({ kind: 'offered', node: b })
  expect(near.stages[0]!.tasks[0]!.attempts[0]!.locality).toBe('rack')
})

test('a task goes back to a node where it has failed when no other one can take it: without slots, or avoided by its job', () => {
  const play = new Play([a])
  play.join(b, 0)
  const job = play.start(1)
  play.fail(a, play.runs[0]!)
  expect(job.stages[0]!.tasks[0]!.attempts.at(-1)).toMatchObject({ node: a, state: 'running' })
  const avoiding = new Play([a, b])
  avoiding.join(c, 0)
  const other = avoiding.start(20, { attemptsMax: 100 })
  const running = (node: NodeId) =>
    other.stages[0]!.tasks.flatMap(task => task.attempts).find(each => each.node === node && each.state === 'running')
  for (let n = 0; n < 4; n++) avoiding.fail(b, running(b)!.id)
  expect([...other.avoid]).toEqual([b])
  const failing = running(a)!
  avoiding.fail(a, failing.id)
  expect(running(a)).toBeDefined()
})

test('the slot of an attempt that lost to its twin is free again after so long, though its node says nothing', () => {
  const play = new Play([a, b])
  play.start(1, { places: [['a']] })
  play.apply({ kind: 'stale', node: a })
  play.apply({ kind: 'returned', node: a })
  play.done(a, play.runs[0]!)
  play.settleAll()
  expect(play.kills).toEqual([play.runs[1]])
  const next = play.start(2)
  expect(next.running).toBe(1)
  play.pass(limits.killSilentMs)
  expect(next.running).toBe(2)
})

test('an idle node is served before one that is at work', () => {
  const play = new Play([])
  const [x, y] = [nodeId('x'), nodeId('y')]
  play.join(x, 2)
  play.start(1)
  play.join(y, 1)
  const job = play.start(1)
  expect(job.stages[0]!.tasks[0]!.attempts[0]!.node).toBe(y)
})

test('ticks are needed while a task waits or runs that a free slot could take, and not for one that is being committed', () => {
  const play = new Play([a, b])
  expect(play.scheduler.hasRunnable).toBe(false)
  const job = play.start(1)
  expect(play.scheduler.hasRunnable).toBe(true) // it may need a speculative attempt
  play.done(a, job.stages[0]!.tasks[0]!.attempts[0]!.id)
  expect(play.scheduler.hasRunnable).toBe(false)
  const full = new Play([a])
  full.start(2)
  expect(full.scheduler.hasRunnable).toBe(false)
})
