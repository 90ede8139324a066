// Slots and memory that a stage asks for: what runs beside each other, which node is kept free for a large task, which jobs are refused,
// and how often and with how much memory a task runs that has run out of it.

import { describe, expect, test } from 'vitest'
import type { RunningJob } from '../../../../../namenode/jobs/scheduler/state.ts'
import { attemptParts, type AttemptId, type NodeId } from '../../../../../src/base/ids.ts'
import { MiB } from '../../../../../src/base/units.ts'
import { specOf } from './kit.ts'
import { a, b, kindsOf, Play } from './play.ts'

const memory = { task: 10 * MiB, all: 100 * MiB }

/** A bench with nodes of so many slots, and memory for ten usual tasks. */
function playing(slots: Readonly<Record<string, number>>): Play {
  const play = new Play([])
  for (const [node, count] of Object.entries(slots)) play.join(node as NodeId, count, [], 'r', undefined, memory)
  return play
}

/** Attempts that run, by job and node. */
const running = (play: Play): string[] => [...play.scheduler.nodes.values()].flatMap(({ id, holding }) =>
  [...holding.keys()].map(attempt => `${attemptParts(attempt).job.replace('job-', '')}.${attemptParts(attempt).task} on ${id}`)).sort()

const attemptOf = ({ stages }: RunningJob, task = 0) => stages[0]!.tasks[task]!.attempts.at(-1)!

describe('what runs beside each other', () => {
  test('a node has no more tasks than its slots allow, and a smaller one takes what is left', () => {
    const play = playing({ a: 3 })
    play.start(3, { cpu: 2 })
    play.start(3)
    expect(running(play)).toEqual(['1.0 on a', '2.0 on a'])
  })

  test('a node has no more tasks than its memory allows; those that ask for none take their share', () => {
    const play = playing({ a: 9 })
    play.start(3, { memory: 45 * MiB })
    play.start(3)
    expect(running(play)).toEqual(['1.0 on a', '1.1 on a', '2.0 on a'])
  })

  test('a limit of the job is memory that its tasks ask for', () => {
    const play = playing({ a: 9 })
    play.start(3, { limit: 60 * MiB })
    expect(running(play)).toEqual(['1.0 on a'])
  })

  test('a killed attempt keeps its slots and memory until its node has reported its end', () => {
    const play = playing({ a: 3 })
    const job = play.start(1, { cpu: 3 })
    play.apply({ kind: 'kill', job: job.id })
    play.settleAll()
    play.start(1)
    expect(running(play)).toEqual(['1.0 on a'])
    play.fail(a, play.runs[0]!, { cause: 'killed' })
    expect(running(play)).toEqual(['2.0 on a'])
  })

  test('attempts of the namenode before keep theirs', () => {
    const play = playing({ a: 3 })
    play.start(1, { cpu: 2 })
    play.restart()
    play.join(a, 3, play.runs.splice(0), 'r', undefined, memory)
    play.apply({ kind: 'opened' })
    play.start(4)
    expect(running(play)).toEqual(['1.0 on a', '2.0 on a'])
  })

  test('a datanode of an earlier version, which does not tell its memory, has as many tasks as slots', () => {
    const play = new Play([a], 2)
    play.start(3, { memory: 1000 * MiB })
    expect(running(play)).toEqual(['1.0 on a', '1.1 on a'])
  })
})

describe('a task for which no node has enough left', () => {
  test('the emptiest node that can run it is given no other task, and the others are', () => {
    const play = playing({ a: 4, b: 2 })
    play.start(20)
    const large = play.start(1, { cpu: 3 })
    expect(play.scheduler.waits(large)).toMatch(/^for a slot: all 6 of the cluster are taken/)
    const end = (node: NodeId): void => {
      const [attempt] = play.scheduler.nodes.get(node)!.holding.keys()
      play.done(node, attempt!)
      play.settleAll()
    }
    end(b)
    expect(running(play).filter(each => each.endsWith('b'))).toHaveLength(2)
    end(a)
    end(a)
    end(b)
    expect(running(play).filter(each => each.endsWith('a'))).toHaveLength(2)
    expect(running(play).filter(each => each.endsWith('b'))).toHaveLength(2)
    expect(play.scheduler.waits(large)).toBe('for 3 slots of one datanode to be free')
    end(a)
    expect(running(play)).toContain('2.0 on a')
  })

  test('none is kept free by a job whose queue is full, nor for a task that no node can run', () => {
    const play = new Play([], 1, [{ name: 'one', weight: 1, slotsMax: 1 }])
    play.join(a, 2, [], 'r', undefined, memory)
    play.start(1, { queue: 'one' })
    play.start(1, { queue: 'one', cpu: 2 })
    play.start(1, { cpu: 3 })
    play.start(1)
    expect(running(play)).toEqual(['1.0 on a', '4.0 on a'])
  })
})

describe('a job of which a task can never run', () => {
  test.each<[string, Parameters<typeof specOf>[0], RegExp | undefined]>([
    ['too many slots', { maps: 1, reduces: 0, cpu: 5 }, /stage "map" needs 5 slots, .* the most that one has are 4 slots and 100 MiB/],
    ['too much memory', { maps: 1, reduces: 0, memory: 101 * MiB }, /"map" needs one slot and 101 MiB of memory, .*settings slots and nodeMemory/],
    ['a limit above it', { maps: 1, reduces: 0, limit: 101 * MiB }, /needs one slot and 101 MiB/],
    ['both, of different nodes', { maps: 1, reduces: 0, cpu: 4, memory: 100 * MiB }, /needs 4 slots and 100 MiB/],
    ['all of a node', { maps: 1, reduces: 0, cpu: 4 }, undefined],
    ['all of the memory', { maps: 1, reduces: 0, memory: 100 * MiB }, undefined],
  ])('%s', (_, shape, refused) => {
    const play = playing({ a: 1 })
    play.join(b, 4, [], 'r', undefined, { task: 10 * MiB, all: 40 * MiB })
    const found = play.scheduler.refusal(specOf(shape))
    if (refused) expect(found).toMatch(refused)
    else expect(found).toBeUndefined()
  })

  test('nothing is refused while no datanode is known', () => {
    const play = new Play([])
    expect(play.scheduler.refusal(specOf({ maps: 1, reduces: 0, cpu: 99 }))).toBeUndefined()
    play.join(a, 1)
    play.apply({ kind: 'dead', node: a })
    expect(play.scheduler.refusal(specOf({ maps: 1, reduces: 0, cpu: 99 }))).toBeUndefined()
  })

  test('a job whose large datanode is gone waits for one, and says so', () => {
    const play = playing({ a: 1, b: 4 })
    const job = play.start(1, { cpu: 4, places: [['b']] })
    play.apply({ kind: 'dead', node: b })
    play.settleAll()
    expect(play.scheduler.waits(job))
      .toBe('for a datanode with 4 slots for one task: of the live ones the most that one has are 1 slot and 100 MiB for all its tasks')
    play.join(b, 4)
    expect(running(play)).toEqual(['1.0 on b'])
  })
})

describe('a task that runs out of memory', () => {
  const noMemory = { outOfMemory: true, failure: { code: 'TASK_FAILED', message: 'the task used more than 10 MiB of memory' } }
  const fail = (play: Play, attempt: AttemptId): void => {
    const node = [...play.scheduler.nodes.values()].find(({ holding }) => holding.has(attempt))!.id
    play.fail(node, attempt, noMemory)
  }

  test('runs again with all slots and their memory, which is no failure, and nothing else runs beside it', () => {
    const play = playing({ a: 4 })
    const job = play.start(6, { attemptsMax: 1 })
    const [first, ...others] = play.runs.splice(0)
    fail(play, first!)
    for (const [i, attempt] of others.entries()) {
      expect([i, play.runs]).toEqual([i, []])
      play.done(a, attempt)
      play.settleAll()
    }
    expect(running(play)).toEqual(['1.0 on a'])
    expect([attemptOf(job).memoryBytes, attemptOf(job).alone]).toEqual([40 * MiB, true])
    play.done(a, play.runs.splice(0)[0]!)
    play.settleAll()
    expect(running(play)).toEqual(['1.4 on a', '1.5 on a'])
    expect([attemptOf(job, 4).memoryBytes, attemptOf(job, 4).alone, job.state]).toEqual([0, false, 'running'])
  })

  test('gets twice what it had, as far as the node has as much', () => {
    for (const [had, gets] of [[30, 60], [70, 100]] as const) {
      const play = playing({ a: 2 })
      const job = play.start(1, { memory: had * MiB })
      fail(play, play.runs.splice(0)[0]!)
      expect([attemptOf(job).alone, attemptOf(job).memoryBytes]).toEqual([true, gets * MiB])
    }
  })

  test('runs again on the node that has most memory, wherever its input is, and waits until that one is free', () => {
    const play = new Play([])
    for (const [node, tasks] of [['a', 2], ['b', 4], ['c', 2]] as const)
      play.join(node as NodeId, 2, [], 'r', undefined, { task: 10 * MiB, all: tasks * 10 * MiB })
    play.start(1, { cpu: 2, places: [['b']] })
    const job = play.start(1, { memory: 15 * MiB, places: [['a']] })
    expect(running(play)).toEqual(['1.0 on b', '2.0 on a'])
    const [busy, first] = play.runs.splice(0)
    fail(play, first!)
    for (let i = 0; i < 20; i++) play.pass(1000)
    expect(running(play)).toEqual(['1.0 on b'])
    expect(play.scheduler.waits(job)).toMatch(/^for the datanode with most memory to be free/)
    play.done(b, busy!)
    play.settleAll()
    expect(running(play)).toEqual(['2.0 on b'])
    expect([attemptOf(job).alone, attemptOf(job).memoryBytes]).toEqual([true, 30 * MiB])
  })

  test('waits for a larger node that is late, since it fails for good on a smaller one, and not for one that is dead', () => {
    for (const end of ['heartbeat', 'dead'] as const) {
      const play = new Play([])
      for (const [node, tasks] of [['a', 2], ['b', 20]] as const)
        play.join(node as NodeId, 2, [], 'r', undefined, { task: 10 * MiB, all: tasks * 10 * MiB })
      const job = play.start(1, { memory: 15 * MiB, places: [['a']] })
      expect(running(play)).toEqual(['1.0 on a'])
      play.apply({ kind: 'stale', node: b })
      fail(play, play.runs.splice(0)[0]!)
      play.pass(1000)
      expect(running(play)).toEqual([])
      play.apply({ kind: end === 'dead' ? 'dead' : 'returned', node: b })
      play.pass(1000)
      expect(running(play)).toEqual([end === 'dead' ? '1.0 on a' : '1.0 on b'])
      expect([attemptOf(job).alone, attemptOf(job).memoryBytes]).toEqual([true, (end === 'dead' ? 20 : 30) * MiB])
    }
  })

  test('runs on the largest node that is left when a larger one is lost', () => {
    const play = new Play([])
    for (const [node, tasks] of [['a', 2], ['b', 4], ['c', 3]] as const)
      play.join(node as NodeId, 2, [], 'r', undefined, { task: 10 * MiB, all: tasks * 10 * MiB })
    const job = play.start(1, { memory: 15 * MiB, places: [['a']] })
    fail(play, play.runs.splice(0)[0]!)
    expect(running(play)).toEqual(['1.0 on b'])
    play.apply({ kind: 'dead', node: b })
    expect(running(play)).toEqual(['1.0 on c'])
    expect([attemptOf(job).alone, job.state]).toEqual([true, 'running'])
  })

  test('is not tried beside itself on a smaller node, where it would run out of memory again', () => {
    const play = playing({ a: 1, b: 1 })
    const job = play.start(1)
    fail(play, play.runs.splice(0)[0]!)
    const { node } = attemptOf(job)
    play.apply({ kind: 'stale', node })
    expect(running(play)).toHaveLength(1)
  })

  test('the job fails at once if the memory of all slots was too little too, and says so', () => {
    const play = playing({ a: 2 })
    play.start(1)
    fail(play, play.runs.splice(0)[0]!)
    fail(play, play.runs.splice(0)[0]!)
    const [finish] = play.waiting
    expect(kindsOf(play.waiting)).toEqual(['finish'])
    expect(finish).toMatchObject({ status: { state: 'failed', failure: { message: expect.stringMatching(/10 MiB of memory\. .* has run alone on its datanode with more/) } } })
  })

  test('a limit that its owner has set is one: each attempt is a failure', () => {
    const play = playing({ a: 2 })
    const job = play.start(1, { limit: 10 * MiB, attemptsMax: 2 })
    fail(play, play.runs.splice(0)[0]!)
    expect([attemptOf(job).alone, attemptOf(job).memoryBytes, job.stages[0]!.tasks[0]!.failures]).toEqual([false, 10 * MiB, 1])
    fail(play, play.runs.splice(0)[0]!)
    expect(kindsOf(play.waiting)).toEqual(['finish'])
  })

  test('an attempt that ran beside it without more memory ends nothing', () => {
    const play = playing({ a: 1, b: 1 })
    const job = play.start(1)
    const [first] = play.runs.splice(0)
    const node = attemptOf(job).node
    play.pass(10_000)
    play.apply({ kind: 'stale', node })
    const [second] = play.runs.splice(0)
    expect(second).toBeDefined()
    fail(play, second!)
    fail(play, first!)
    expect([job.state, attemptOf(job).alone]).toEqual(['running', true])
  })
})
