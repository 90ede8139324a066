// Short tasks that a node gets ahead: when it gets them, when they begin, and when they are taken back.

import { expect, test } from 'vitest'
import { attemptParts, type AttemptId } from '../../../../../src/base/ids.ts'
import { taskStatus, jobStatus } from '../../../../../namenode/jobs/scheduler/status.ts'
import { parseQueues } from '../../../../../src/base/jobqueues.ts'
import { detachedRun, driveMethod } from '../../../../../src/protocol/task.ts'
import { Bench } from './kit.ts'
import { a, b, c, Play } from './play.ts'

/** Attempts of the node that are ordered, have not ended and are not killed, in order. */
const onNode = (play: Play, node = a): AttemptId[] =>
  [...play.scheduler.nodes.get(node)!.holding].flatMap(([id, { killedMonoMs }]) => (killedMonoMs === undefined ? [id] : []))
const waitingOn = (play: Play, node = a): AttemptId[] => [...play.scheduler.nodes.get(node)!.ahead.keys()]

/** Runs the first task of the node, for some time. */
function runOne(play: Play, ms: number, node = a): void {
  play.pass(ms)
  play.done(node, onNode(play, node)[0]!)
  play.settle()
}

/** A job of short tasks, of which enough have run that the node has got some ahead. */
function begun(tasks = 60, ms = 10): Play {
  const play = new Play()
  play.start(tasks)
  for (let i = 0; i < 9; i++) runOne(play, ms)
  return play
}

test('once enough tasks were short, a node gets as many ahead as take 100 ms, and more when half of them have begun', () => {
  const play = new Play()
  play.start(60)
  for (let i = 0; i < 8; i++) {
    expect(onNode(play)).toHaveLength(1)
    runOne(play, 10)
  }
  play.pass(0)
  expect([onNode(play).length, waitingOn(play).length]).toEqual([11, 10])
  const ordered = play.runs.length
  for (let left = 9; left >= 6; left--) {
    runOne(play, 10)
    expect([play.runs.length, waitingOn(play).length]).toEqual([ordered, left])
  }
  runOne(play, 10)
  expect([play.runs.length, waitingOn(play).length]).toEqual([ordered + 5, 10])
})

test('an attempt that waits takes its slot when the one before it ends: from then on its time counts', () => {
  const play = begun()
  const [first, second] = onNode(play)
  const node = play.scheduler.nodes.get(a)!
  expect(node.used.cpu).toBe(1)
  play.pass(30)
  play.done(a, first!)
  expect(node.used.cpu).toBe(1)
  expect(waitingOn(play)).not.toContain(second)
  const { job, stage, task } = attemptParts(second!)
  const attempt = play.scheduler.jobs.get(job)!.stages[stage]!.tasks[task]!.attempts.at(-1)!
  expect([attempt.startedMs, attempt.startedMonoMs]).toEqual([play.at.nowMs, play.at.monoMs])
})

test('long tasks are not ordered ahead', () => {
  expect(waitingOn(begun(60, 60))).toEqual([])
  const play = begun()
  for (let i = 0; i < 12; i++) runOne(play, 60)
  expect(waitingOn(play)).toEqual([])
})

test('no task is ordered ahead while another job waits for slots, and near the end of a stage', () => {
  const play = begun()
  play.start(5)
  const ordered = play.runs.length
  const waiting = waitingOn(play).length
  for (let i = 0; i < waiting; i++) runOne(play, 10)
  expect(play.runs).toHaveLength(ordered)
  for (let i = 0; i < 4; i++) runOne(play, 10)
  expect(play.runs.slice(ordered).map(id => attemptParts(id).job), 'in turns').toEqual(['job-1', 'job-2', 'job-1', 'job-2'])

  const short = begun(14)
  expect(onNode(short), 'one is left for a node that ends sooner').toHaveLength(4)
  expect(short.runs).toHaveLength(13)
})

test('a node with a free slot gets no task ahead that another one could run', () => {
  const play = new Play([a, b])
  play.start(12)
  for (let i = 0; i < 5; i++) for (const node of [a, b]) if (onNode(play, node).length > 0) runOne(play, 5, node)
  expect([waitingOn(play, a), waitingOn(play, b)]).toEqual([[], []])
})

test('tasks that wait behind one that takes long are taken back, and run elsewhere', () => {
  const play = new Play([a, b])
  play.start(100)
  for (let i = 0; i < 9; i++) for (const node of [a, b]) runOne(play, 4, node)
  const behind = waitingOn(play, a)
  expect(behind.length).toBeGreaterThan(5)
  // Its first task hangs; the other node goes on.
  for (let i = 0; i < 80; i++) {
    play.pass(8)
    play.done(b, onNode(play, b)[0]!)
    play.settle()
    if (i % 12 === 11) play.apply({ kind: 'tick' })
  }
  expect(waitingOn(play, a)).toEqual([])
  expect(play.kills).toEqual(expect.arrayContaining(behind))
  for (const id of behind) {
    const { job, stage, task } = attemptParts(id)
    expect(play.scheduler.jobs.get(job)!.stages[stage]!.tasks[task]!.losses).toBe(0)
  }
  // It had begun just before the order came.
  const { job, stage, task } = attemptParts(behind.at(-1)!)
  const state = play.scheduler.jobs.get(job)!.stages[stage]!.tasks[task]!
  if (state.state === 'waiting' || state.state === 'running') {
    play.done(a, behind.at(-1)!)
    play.settle()
  }
  expect(state.won ?? state.attempts.at(-1)).toBeDefined()
})

test('a job that is killed, and a node that dies, end attempts that wait as well', () => {
  const killed = begun()
  const all = onNode(killed)
  killed.apply({ kind: 'kill', job: attemptParts(all[0]!).job })
  expect(killed.kills).toEqual(all)
  expect(waitingOn(killed)).toEqual([])

  const died = begun()
  died.apply({ kind: 'dead', node: a })
  expect(onNode(died)).toEqual([])
  died.join(b)
  expect(onNode(died, b)).toHaveLength(1)
  expect(died).toBeInstanceOf(Bench)
})

test('what is shown as running runs: an attempt that waits on its node is not counted, and its task waits', () => {
  const play = begun()
  const [job] = [...play.scheduler.jobs.values()]
  const [stage] = job!.stages
  for (let i = 0; i < 3; i++) {
    expect([job!.running, jobStatus(job!).stages[0]!.running]).toEqual([1, 1])
    expect(play.scheduler.queueStatus).toMatchObject({ slots: 1, queues: [{ jobs: 1, running: 1, waiting: 60 - stage!.done - 1 }] })
    const tasks = stage!.tasks.map(task => taskStatus(stage!, task))
    expect(tasks.filter(({ state }) => state === 'running').map(({ attempts }) => attempts.map(({ attempt }) => attempt)))
      .toEqual([[onNode(play)[0]]])
    expect(tasks.filter(({ state }) => state === 'waiting').flatMap(({ attempts }) => attempts)).toEqual([])
    expect(waitingOn(play).length).toBeGreaterThan(5)
    runOne(play, 10)
  }
})

test('queues share slots by what runs in them, not by what waits on nodes', () => {
  const play = new Play([a, b], 2, parseQueues(['etl:3', 'adhoc']))
  const etl = play.start(200, { queue: 'etl' })
  for (let i = 0; i < 9; i++) for (const node of [a, b]) runOne(play, 4, node)
  expect(Math.min(waitingOn(play, a).length, waitingOn(play, b).length)).toBeGreaterThan(2)
  const adhoc = play.start(20, { queue: 'adhoc' })
  while (adhoc.running === 0) runOne(play, 4, b)
  runOne(play, 4, b)
  expect(waitingOn(play, a).length).toBeGreaterThan(2)
  expect([etl.running, adhoc.running]).toEqual([3, 1])
})

test('tasks that wait on a node which takes no more are taken back at once, and run elsewhere', () => {
  for (const how of ['closed', 'registers again', 'stale before']) {
    const play = begun()
    const all = onNode(play)
    const [first, ...behind] = all
    if (how === 'registers again') play.apply({ kind: 'joined', node: a, rack: 'r', host: 'a', slots: 1, attempts: all, closed: true })
    else {
      if (how === 'stale before') play.apply({ kind: 'stale', node: a })
      play.apply({ kind: 'closed', node: a })
    }
    expect([onNode(play), waitingOn(play), play.kills], how).toEqual([[first], [], behind])
    for (const id of behind) play.fail(a, id, { cause: 'killed' })
    // It is still full with what it runs, and asks.
    play.pass(0)
    expect([onNode(play), waitingOn(play)], how).toEqual([[first], []])
    play.join(b, behind.length)
    const taskOf = (id: AttemptId): number => attemptParts(id).task
    expect(onNode(play, b).map(taskOf).sort(), how).toEqual(behind.map(taskOf).sort())
    expect([...play.scheduler.jobs.values()][0]!.stages[0]!.tasks.every(({ losses, failures }) => losses + failures === 0)).toBe(true)
    play.done(a, first!)
    play.settle()
    expect(onNode(play), how).toEqual([])
  }
})

test('no task of a queue with a bound is ordered ahead', () => {
  const play = new Play([a], 1, parseQueues(['small:1:4']))
  play.start(60, { queue: 'small' })
  for (let i = 0; i < 12; i++) runOne(play, 10)
  play.pass(0)
  expect([onNode(play).length, waitingOn(play)]).toEqual([1, []])
})

test('no task is ordered ahead on a node that its job avoids', () => {
  const play = new Play([a, b, c])
  const job = play.start(200)
  for (let i = 0; i < 9; i++) for (const node of [a, b, c]) runOne(play, 2, node)
  for (let i = 0; i < 4; i++) play.fail(a, onNode(play)[0]!)
  expect(job.avoid).toContain(a)
  const left = waitingOn(play).length
  expect(left).toBeGreaterThan(0)
  for (let i = 0; i <= left; i++) runOne(play, 2)
  expect([onNode(play), waitingOn(play, b).length > 0]).toEqual([[], true])
})

test('no task is ordered ahead behind one that has run for more than 100 ms', () => {
  for (const [ms, count] of [[100, 10], [101, 0]] as const) {
    const play = new Play()
    play.start(60)
    for (let i = 0; i < 8; i++) runOne(play, 10)
    play.pass(ms)
    expect(waitingOn(play)).toHaveLength(count)
  }
})

test('no task is ordered ahead behind one that was killed and has not ended', () => {
  const play = new Play([a, b])
  play.join(c, 16)
  const job = play.start(30)
  for (let i = 0; i < 6; i++) for (const node of [a, b]) runOne(play, 5, node)
  expect([job.stages[0]!.waiting, job.running]).toEqual([0, 18])
  runOne(play, 5)
  play.apply({ kind: 'stale', node: b })
  const [copy] = onNode(play)
  play.apply({ kind: 'returned', node: b })
  runOne(play, 5, b)
  expect(play.kills).toEqual([copy])
  play.apply({ kind: 'dead', node: c })
  play.pass(5)
  expect([waitingOn(play, a), waitingOn(play, b).length > 0]).toEqual([[], true])
})

test('no task is ordered ahead behind one of another stage', () => {
  const play = new Play([a])
  play.join(b, 16)
  const job = play.start(20, { reduces: 90 })
  const [maps, reduces] = job.stages
  while (maps!.done < 20) for (const node of [a, b]) if (onNode(play, node).length > 0) runOne(play, 1, node)
  while (attemptParts(onNode(play)[0]!).task < 40) for (const node of [a, b]) runOne(play, 40, node)
  play.apply({ kind: 'dead', node: b })
  play.pass(5)
  expect([maps!.waiting > 10, reduces!.running, waitingOn(play)]).toEqual([true, 1, []])
  runOne(play, 5)
  play.pass(0)
  expect([maps!.running, waitingOn(play).length > 2]).toEqual([1, true])
})

test('no task is ordered ahead behind one that takes more memory', () => {
  const play = new Play([])
  play.join(a, 1, [], 'r', undefined, { all: 1000, task: 100 })
  play.start(60)
  for (let i = 0; i < 8; i++) runOne(play, 10)
  play.fail(a, onNode(play)[0]!, { outOfMemory: true })
  play.pass(0)
  expect([play.scheduler.nodes.get(a)!.used.memoryBytes, waitingOn(play)]).toEqual([200, []])
  runOne(play, 10)
  play.pass(0)
  expect([play.scheduler.nodes.get(a)!.used.memoryBytes, waitingOn(play).length]).toEqual([100, 10])
})

test('no task is ordered ahead on a node that cannot run it, or that is kept free for a larger one', () => {
  const play = begun()
  play.join(b, 0)
  play.pass(0)
  expect(onNode(play, b)).toEqual([])

  const kept = new Play([])
  kept.join(a, 2, [], 'r', undefined, { all: 1000, task: 100 })
  kept.start(60)
  for (let i = 0; i < 8; i++) runOne(kept, 10)
  expect(onNode(kept)).toHaveLength(2)
  kept.fail(a, onNode(kept).at(-1)!, { outOfMemory: true })
  kept.pass(0)
  expect([onNode(kept).length, waitingOn(kept)]).toEqual([1, []])
  runOne(kept, 10)
  expect(kept.scheduler.nodes.get(a)!.used.cpu, 'the larger one').toBe(2)
})

test('no task is ordered ahead whose input is lost', () => {
  const play = new Play([a, b])
  const job = play.start(2, { reduces: 120 })
  for (let i = 0; i < 10; i++) for (const node of [a, b]) runOne(play, 3, node)
  play.apply({ kind: 'dead', node: b })
  const { length } = waitingOn(play)
  expect(length).toBeGreaterThan(5)
  play.join(c)
  expect([job.stages[0]!.running, attemptParts(onNode(play, c)[0]!).stage]).toEqual([1, 0])
  for (let i = 0; i <= length; i++) runOne(play, 3)
  expect(onNode(play)).toEqual([])
  runOne(play, 3, c)
  play.settleAll()
  runOne(play, 3)
  play.pass(0)
  expect(waitingOn(play).length, 'the input is there').toBeGreaterThan(5)
})

test('the steps of a program that is driven have their tasks ordered ahead', () => {
  const play = new Play([])
  play.joinDriving(a, 1)
  play.start(1, { driver: { id: detachedRun('r'), step: 0, method: driveMethod } })
  play.join(b)
  play.start(60, { driver: { id: detachedRun('r'), step: 1, method: 'save' } })
  for (let i = 0; i < 9; i++) runOne(play, 10, b)
  expect(waitingOn(play, b).length).toBeGreaterThan(5)
})
