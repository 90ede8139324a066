// Namenode restarts and returning nodes, on the scheduler alone, as text tables and one step at a time: commits and sums stay, running
// attempts are adopted.

import { expect, test } from 'vitest'
import type { Effect } from '../../../../../namenode/jobs/scheduler/event.ts'
import { jobStatus } from '../../../../../namenode/jobs/scheduler/status.ts'
import { attemptParts, type NodeId } from '../../../../../src/base/ids.ts'
import { parseQueues } from '../../../../../src/base/jobqueues.ts'
import { limits } from '../../../../../src/base/limits.ts'
import { a, b, c, idOf, Play } from './play.ts'
import { scenario } from './scenario.ts'

test('after a restart committed tasks stand, running ones are taken over, and no attempt number is used twice', () => {
  scenario(`
    nodes a b
    submit maps=a|b|b reduces=1
      -> run 0.0.0 on a (node)
      -> run 0.1.0 on b (node)
    ran 0.0.0 a
    restart
    open
    join b running=0.1.0             # it still runs: nothing to start
    done 0.1.0 b
      -> commit 0.1.0
      -> run 0.2.1000 on b (node)
    journal
      -> answer 0.1.0 committed
    ran 0.2.1000 b                   # the reduce waits: a, with the first map's output, is not back yet
    join a
      -> run 1.0.1000 on b (any)
  `)
})

test('a node that does not come back after a restart is given up with its map outputs', () => {
  scenario(`
    open
    join a
    submit maps=a reduces=1
      -> run 0.0.0 on a (node)
    ran 0.0.0 a
      -> run 1.0.0 on a (any)
    restart
    open
    join b
    tick 18000
    tick 1000
      -> lose 0.0.0
      -> run 0.0.1000 on b (any)
  `)
})

test('an attempt that is adopted when it has ended holds no slot', () => {
  scenario(`
    open
    join a
    submit maps=a|a
      -> run 0.0.0 on a (node)
    restart
    open
    join a closed
    done 0.0.0 a
      -> commit 0.0.0
    offer a
      -> run 0.1.1000 on a (node)
  `)
})

test('attempts that wait on a node are adopted as such', () => {
  const play = new Play([a])
  const job = play.start(5)
  play.restart()
  play.apply({ kind: 'opened' })
  play.join(a, 1, [0, 1, 2].map(task => idOf(job, 0, task, 0)))
  const { used, holding, ahead } = play.scheduler.nodes.get(a)!
  expect([used.cpu, holding.size, [...ahead.keys()]]).toEqual([1, 3, [idOf(job, 0, 1, 0), idOf(job, 0, 2, 0)]])
})

test('none is adopted that waits on a node which takes no more tasks, or for a queue that has a bound now', () => {
  for (const reason of ['bound', 'closed']) {
    const play = new Play([a], 1, parseQueues(['small:1:1']))
    const job = play.start(5, { ...reason === 'bound' && { queue: 'small' } })
    play.restart()
    play.apply({ kind: 'opened' })
    const attempts = [0, 1, 2].map(task => idOf(job, 0, task, 0))
    play.apply({ kind: 'joined', node: a, rack: 'r', host: 'a', slots: 1, attempts, closed: reason === 'closed' })
    expect([[...play.scheduler.nodes.get(a)!.holding.keys()], play.kills], reason).toEqual([attempts.slice(0, 1), attempts.slice(1)])
    play.apply({ kind: 'progressed', node: a, attempts: [{ attempt: attempts[2]!, counters: {}, fraction: 0 }] })
    expect(play.kills.slice(2), reason).toEqual(attempts.slice(2))
    expect(play.scheduler.nodes.get(a)!.ahead.size).toBe(0)
  }
})

test('a report of an attempt from before the restart counts even if its node registers later', () => {
  scenario(`
    open
    join a
    submit maps=a
      -> run 0.0.0 on a (node)
    restart
    open
    done 0.0.0 a                     # a has not registered yet
      -> answer 0.0.0 too late
    join a
      -> run 0.0.1000 on a (node)
  `)
})

test('a node that registers again keeps what it still runs and gives up the rest', () => {
  scenario(`
    open
    join a slots=2
    submit maps=a|a
      -> run 0.0.0 on a (node)
      -> run 0.1.0 on a (node)
    join a slots=2 running=0.1.0
      -> run 0.0.1 on a (node)
    join a slots=2 running=0.1.0,0.0.1,0.0.7   # the last one belongs to no task
      -> kill 0.0.7 on a
  `)
})

test('a node that was away when a job ended gets the order to forget it when it returns', () => {
  scenario(`
    open
    join a
    join b slots=0
    submit maps=a
      -> run 0.0.0 on a (node)
    die a
    join b slots=1
      -> run 0.0.1 on b (any)
    ran 0.0.1 b
      -> publish
    journal
      -> forget on b
    join a
      -> forget on a
  `)
})

test('failed attempts of a task that is not done are known after a restart, and count', () => {
  const play = new Play([a, b])
  const job = play.start(2, { attemptsMax: 3, reduces: 1 })
  play.fail(a, play.runs[0]!)
  play.apply({
    kind: 'finished', node: b, attempt: play.runs[1]!,
    outcome: { kind: 'failed', cause: 'fetch', failure: { code: 'UNAVAILABLE', message: 'no' }, counters: {}, missing: [] },
  })
  const failedOf = (): string[] => play.scheduler.jobs.get(job.id)!.stages[0]!.tasks.flatMap(({ attempts }) =>
    attempts.filter(({ state }) => state === 'failed').map(({ id, node, failure }) => `${id} ${node} ${failure!.code}`))
  const before = failedOf()
  expect(before).toHaveLength(2)
  play.restart()
  expect(failedOf()).toEqual(before)
  expect(jobStatus(play.scheduler.jobs.get(job.id)!).stages[0]).toMatchObject({ failedAttempts: 2 })
  expect(play.scheduler.jobs.get(job.id)!.stages[0]!.tasks.map(({ failures }) => failures)).toEqual([1, 0])
})

test('a restarted namenode shows the sums of what was committed, and waits for its outputs so long and no longer', () => {
  const play = new Play([a, b], 2)
  const job = play.start(2, { reduces: 1, places: [['a'], ['b']] })
  play.pass(50)
  play.fail(a, play.runs[0]!)
  play.pass(100)
  const [first, second] = job.stages[0]!.tasks.map(task => task.attempts.find(each => each.state === 'running')!)
  play.done(second!.node, second!.id, { records: 3 })
  play.pass(100)
  play.done(first!.node, first!.id, { records: 4 })
  const started = jobStatus(job).stages[0]!.startedMs
  while (play.waiting.length > 0) play.settle()
  const before = jobStatus(job).stages[0]!
  // The same sums in whatever order its tasks are read.
  const { tasks } = play.kept.get(job.id)!
  const records = [...tasks]
  tasks.clear()
  for (const [key, record] of records.reverse()) tasks.set(key, record)
  play.restart()
  expect(jobStatus(play.scheduler.jobs.get(job.id)!).stages[0]).toMatchObject({ startedMs: started, finishedMs: before.finishedMs })
  tasks.clear()
  for (const [key, record] of records.reverse()) tasks.set(key, record)
  play.restart()
  const resumed = play.scheduler.jobs.get(job.id)!
  expect(jobStatus(resumed).stages[0]).toMatchObject({
    state: 'done', done: 2, failedAttempts: before.failedAttempts, counters: { records: 7 }, finishedMs: before.finishedMs,
  })
  expect(jobStatus(resumed).stages[0]!.startedMs).toBe(started)
  expect(jobStatus(resumed).stages[0]!.startedMs).toBe(Math.min(...resumed.stages[0]!.tasks.map(task => task.won!.startedMs)))
  play.apply({ kind: 'opened' })
  play.join(c, 1)
  expect(resumed.stages[1]!.running).toBe(0)
  play.pass(limits.nodeDeadMs * 2 - 1)
  expect(resumed.stages[0]!.done).toBe(2)
  play.pass(1)
  expect(resumed.stages[0]!.done).toBe(0)
})

test('a node that was away when a job ended gets the order to forget it once', () => {
  const play = new Play([a, b])
  const job = play.start(1, { places: [['a']] })
  play.apply({ kind: 'dead', node: a })
  play.done(b, play.runs[1]!)
  const forgotten: NodeId[] = []
  const note = (effects: readonly Effect[]): void => {
    for (const effect of effects) if (effect.kind === 'forget') forgotten.push(effect.node)
  }
  while (play.waiting.length > 0) note(play.settle())
  expect(forgotten).toEqual([b])
  note(play.join(a))
  expect(forgotten).toEqual([b, a])
  note(play.join(a))
  expect(forgotten).toEqual([b, a])
  expect(play.scheduler.jobs.has(job.id)).toBe(false)
})

test('a namenode that starts again takes attempts of its earlier life over, but no number that it may give out itself', () => {
  const play = new Play([a, b])
  const job = play.start(2)
  play.restart()
  const resumed = play.scheduler.jobs.get(job.id)!
  play.apply({ kind: 'opened' })
  const own = idOf(job, 0, 1, resumed.firstAttempt)
  play.join(a, 1, [play.runs[0]!])
  expect(resumed.stages[0]!.tasks[0]!.attempts.map(each => [each.id, each.state])).toEqual([[play.runs[0], 'running']])
  expect(resumed.stages[0]!).toMatchObject({ waiting: 1, running: 1 })
  play.kills.length = 0
  play.join(b, 0, [own])
  expect(play.kills).toEqual([own])
  // One of two attempts of a task on one node is surplus.
  play.join(a, 1, [play.runs[0]!, idOf(job, 0, 0, 5)])
  expect(play.kills).toEqual([own, idOf(job, 0, 0, 5)])
})

test('an attempt of an earlier life is not taken over while another one of its task is being committed', () => {
  const play = new Play([a, b])
  const job = play.start(1)
  play.restart()
  play.apply({ kind: 'opened' })
  play.join(a, 1, [])
  const resumed = play.scheduler.jobs.get(job.id)!
  const running = resumed.stages[0]!.tasks[0]!.attempts.at(-1)!
  play.done(a, running.id)
  play.kills.length = 0
  play.apply({ kind: 'joined', node: b, rack: 'r', host: 'b', slots: 1, attempts: [idOf(job, 0, 0, 0)] })
  expect(play.kills).toEqual([idOf(job, 0, 0, 0)])
})

test('a namenode that starts again knows how much of a stage each node holds, as the one before it did', () => {
  const play = new Play([a, b])
  const job = play.start(3, { reduces: 1, places: [['a'], ['b'], ['b']] })
  for (let n = 0; n < 3; n++) play.done(attemptParts(play.runs[n]!).task === 0 ? a : b, play.runs[n]!)
  play.settleAll()
  const held = [...job.stages[0]!.outputBytes]
  expect(held.toSorted()).toEqual([['a', 100], ['b', 200]])
  play.restart()
  expect([...play.scheduler.jobs.get(job.id)!.stages[0]!.outputBytes].toSorted()).toEqual(held.toSorted())
})
