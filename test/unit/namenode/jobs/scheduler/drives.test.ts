// Jobs that drive programs, on the scheduler alone: they take neither slots nor memory nor a place of their queue, run once at a time, as
// many on a node as it allows, and their steps end with them.

import { expect, test } from 'vitest'
import type { RunningJob } from '../../../../../namenode/jobs/scheduler/state.ts'
import { limits } from '../../../../../src/base/limits.ts'
import { parseQueues } from '../../../../../src/base/jobqueues.ts'
import { detachedRun, driveMethod, scheduleRun } from '../../../../../src/protocol/task.ts'
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
  expect(play.scheduler.nodes.get(a)!.used).toEqual({ cpu: 1, memoryBytes: 100, drives: 1 })
  expect(play.scheduler.queueStatus.queues.find(({ name }) => name === 'small')).toMatchObject({ jobs: 2, running: 1 })
  expect(play.scheduler.hasRunnable).toBe(false)
  const other = play.start(1, { driver: { ...drive, id: detachedRun('s') }, queue: 'small' })
  expect(other.running).toBe(1)
  // Its process was killed: the next one starts at once, too.
  play.fail(a, idOf(other, 0, 0, 0))
  expect([other.running, other.stages[0]!.waiting, first.running]).toEqual([1, 0, 1])
  play.done(a, idOf(first, 0, 0, 0))
  play.settleAll()
  expect(play.scheduler.nodes.get(a)!.used).toEqual({ cpu: 0, memoryBytes: 0, drives: 2 })
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

const other = (name: string) => ({ ...drive, id: detachedRun(name) })

test('a node drives as many programs as it may, further ones wait and say so, and their steps run', () => {
  const play = new Play([])
  play.joinDriving(a, 2)
  const drives = ['r', 's', 't', 'u'].map(name => play.start(1, { driver: other(name) }))
  const running = (): number[] => drives.map(job => job.running)
  expect(running()).toEqual([1, 1, 0, 0])
  expect(play.scheduler.waits(drives[2]!)).toBe('for another detached program to end: the datanodes drive 2 at a time (setting drives)')
  expect(play.scheduler.hasRunnable).toBe(false)
  // The slot is free for the steps of those that are driven.
  const first = play.start(1, { driver: step(1) })
  expect(first.running).toBe(1)
  play.done(a, idOf(first, 0, 0, 0))
  play.settleAll()
  play.done(a, idOf(drives[0]!, 0, 0, 0))
  play.settleAll()
  expect(running()).toEqual([0, 1, 1, 0])
  // A killed one keeps its place until its process has ended.
  play.apply({ kind: 'kill', job: drives[1]!.id })
  play.settleAll()
  expect(drives[3]!.running).toBe(0)
  play.fail(a, idOf(drives[1]!, 0, 0, 0), { cause: 'killed' })
  expect(drives[3]!.running).toBe(1)
})

test('drives go to the nodes that drive the fewest, and of those that wait the ones that have begun start first', () => {
  const play = new Play([])
  play.joinDriving(a, 2)
  play.joinDriving(b, 1)
  const drives = ['r', 's', 't', 'u'].map(name => play.start(1, { driver: other(name) }))
  const nodesOf = () => drives.map(job => job.stages[0]!.tasks[0]!.attempts.find(each => each.state === 'running')?.node)
  expect(nodesOf()).toEqual([a, b, a, undefined])
  play.apply({ kind: 'dead', node: b })
  expect(nodesOf()).toEqual([a, undefined, a, undefined])
  expect(play.scheduler.waits(drives[1]!)).toMatch(/^for another detached program to end: the datanodes drive 2 /)
  play.done(a, idOf(drives[2]!, 0, 0, 0))
  play.settleAll()
  expect(nodesOf()).toEqual([a, a, undefined, undefined])
})

test('of drives that wait, that of the user with the fewest comes first', () => {
  const play = new Play([])
  play.joinDriving(a, 1)
  const held = play.start(1, { driver: other('held') })
  const [again, first] = [play.start(1, { driver: other('again') }), play.start(1, { driver: other('first'), user: 'bob' })]
  play.joinDriving(a, 2, [idOf(held, 0, 0, 0)])
  expect([again, first].map(({ running }) => running)).toEqual([0, 1])
})

test('of drives that wait, that of the queue with the smallest share comes first, and of a queue that with the highest priority', () => {
  const play = new Play([], 1, parseQueues(['etl:3', 'adhoc:1']))
  play.joinDriving(a, 1)
  const next = (job: RunningJob): boolean => job.running === 1
  const held = play.start(1, { driver: other('held'), queue: 'adhoc' })
  const low = play.start(1, { driver: other('low'), queue: 'etl', priority: -1 })
  const late = play.start(1, { driver: other('late'), queue: 'adhoc' })
  const high = play.start(1, { driver: other('high'), queue: 'etl', priority: 1 })
  play.joinDriving(a, 2, [idOf(held, 0, 0, 0)])
  expect([low, late, high].map(next)).toEqual([false, false, true])
  // A third of the weight of etl is taken, and all of that of adhoc.
  play.joinDriving(a, 3, [held, high].map(job => idOf(job, 0, 0, 0)))
  expect([low, late].map(next)).toEqual([true, false])
  play.joinDriving(a, 4, [held, high, low].map(job => idOf(job, 0, 0, 0)))
  expect(late.running).toBe(1)
})

test('a node that drives nothing gets no drive, and the job says so; one that does not tell drives a few', () => {
  const play = new Play([])
  play.joinDriving(a, 0)
  const driving = play.start(1, { driver: drive })
  expect(driving.running).toBe(0)
  expect(play.scheduler.waits(driving)).toBe('for a datanode that drives programs: the live ones are not allowed to (setting drives)')
  play.join(b)
  const others = Array.from({ length: limits.nodeDrivesMin }, (_, i) => play.start(1, { driver: other(String(i)) }))
  expect([driving, ...others].map(job => job.running)).toEqual([...others.map(() => 1), 0])
})

test('failures and losses of a drive are forgotten when a process has run it for long, and count when none has', () => {
  const play = new Play([])
  play.joinDriving(a, 1)
  const driving = play.start(1, { driver: drive, attemptsMax: 3 })
  const failNow = (): void => void play.fail(a, driving.stages[0]!.tasks[0]!.attempts.find(({ state }) => state === 'running')!.id)
  for (let failures = 0; failures < 6; failures++) {
    // The report comes with the tick: a process that is silent for so long is lost.
    play.at = { nowMs: play.at.nowMs + limits.driveSteadyMs, monoMs: play.at.monoMs + limits.driveSteadyMs }
    failNow()
  }
  expect(stateOf(play, driving)).toBe('running')
  failNow()
  failNow()
  play.settleAll()
  expect(stateOf(play, driving)).toBe(undefined)
})

test('a schedule is followed by a node that can, and the job says so', () => {
  const play = new Play([])
  play.join(a, 1, [], 'r', ['parts', 'drives'])
  const driving = play.start(1, { driver: { ...drive, id: scheduleRun('r') } })
  expect(play.scheduler.waits(driving)).toBe('for a datanode of this version: it follows a schedule, which the live datanodes cannot')
  play.join(b)
  expect(driving.running).toBe(1)
})

const schedule = { ...drive, id: scheduleRun('r') }

test('a schedule takes a place among the drives while it builds, and waits in the namenode for its next time', () => {
  const play = new Play([])
  play.joinDriving(a, 1)
  const driving = play.start(1, { driver: schedule, attemptsMax: 3 })
  play.fail(a, idOf(driving, 0, 0, 0))
  play.later(a, idOf(driving, 0, 0, 1), 600_000)
  const text = new Date(play.at.nowMs + 600_000).toISOString()
  expect([driving.running, play.scheduler.waits(driving)]).toEqual([0, `for ${text}, the next time of its schedule`])
  expect(driving.stages[0]!.tasks[0]).toMatchObject({ failures: 0, losses: 0 })
  expect(play.scheduler.hasRunnable).toBe(false)
  const program = play.start(1, { driver: other('p') })
  expect(program.running).toBe(1)
  play.done(a, idOf(program, 0, 0, 0))
  play.settleAll()
  play.pass(599_999)
  expect(driving.running).toBe(0)
  play.pass(1)
  expect(driving.running).toBe(1)
})

test('a schedule whose time has come does not pass those that wait for a place since before', () => {
  const play = new Play([])
  play.joinDriving(a, 1)
  const driving = play.start(1, { driver: schedule })
  play.later(a, idOf(driving, 0, 0, 0), 10)
  const held = play.start(1, { driver: other('held'), user: 'bob' })
  const waiting = play.start(1, { driver: other('waiting') })
  play.pass(10)
  play.done(a, idOf(held, 0, 0, 0))
  play.settleAll()
  expect([driving, waiting].map(({ running }) => running)).toEqual([1, 0])
  play.later(a, idOf(driving, 0, 0, 1), 0)
  expect([driving, waiting].map(({ running }) => running)).toEqual([0, 1])
})

test('a restarted namenode goes on waiting for the time of a schedule, and takes a build over that has ended meanwhile', () => {
  const play = new Play([])
  play.joinDriving(a, 1)
  const { id } = play.start(1, { driver: schedule })
  const driving = (): RunningJob => play.scheduler.jobs.get(id)!
  play.later(a, idOf(driving(), 0, 0, 0), 1_000)
  play.restart()
  play.apply({ kind: 'opened' })
  play.joinDriving(a, 1)
  expect(driving().running).toBe(0)
  play.pass(1_000)
  const [attempt] = driving().stages[0]!.tasks[0]!.attempts.filter(({ state }) => state === 'running')
  play.restart()
  play.joinDriving(a, 0)
  play.apply({ kind: 'opened' })
  play.later(a, attempt!.id, 500)
  play.joinDriving(a, 1)
  expect([driving().running, driving().stages[0]!.tasks[0]!.dueMs]).toEqual([0, play.at.nowMs + 500])
})

test('attempts of a schedule have numbers of their own, however many there were before a restart', () => {
  const play = new Play([])
  play.joinDriving(a, 1)
  const { id } = play.start(1, { driver: schedule })
  const driving = (): RunningJob => play.scheduler.jobs.get(id)!
  const runs = new Set<string>()
  // More than the numbers of one term, and then one that those of rewritten stages have.
  for (const builds of [1_510, 10]) {
    for (let built = 0; built < builds; built++) {
      const attempt = play.runs.at(-1)!
      expect(runs.has(attempt)).toBe(false)
      runs.add(attempt)
      play.later(a, attempt, 0)
    }
    const last = play.runs.at(-1)!
    play.restart()
    // It still runs, and is taken over.
    play.joinDriving(a, 1, [last])
    play.apply({ kind: 'opened' })
    expect([driving().running, play.runs.at(-1)]).toEqual([1, last])
  }
})

test('a wall clock that was years ahead and is set back does not hold a schedule for years', () => {
  const play = new Play([])
  play.joinDriving(a, 1)
  const driving = play.start(1, { driver: schedule })
  play.later(a, idOf(driving, 0, 0, 0), 60_000)
  play.at = { ...play.at, nowMs: play.at.nowMs - 1_000 }
  play.pass(0)
  expect(driving.running).toBe(0)
  play.at = { ...play.at, nowMs: play.at.nowMs - 4_000_000 }
  play.pass(0)
  expect([driving.running, driving.stages[0]!.tasks[0]!.dueMs]).toEqual([1, play.at.nowMs])
})

test('a build that ends when the wall clock that it knows was set back is done again at once', () => {
  const play = new Play([])
  play.joinDriving(a, 1)
  const driving = play.start(1, { driver: schedule })
  play.later(a, idOf(driving, 0, 0, 0), 60_000, 1_000)
  play.pass(0)
  expect(driving.running).toBe(0)
  play.pass(61_000)
  expect(driving.running).toBe(1)
  play.later(a, idOf(driving, 0, 0, 1), 60_000, 3_600_000)
  play.pass(0)
  expect([driving.running, driving.stages[0]!.tasks[0]!.dueMs]).toEqual([1, play.at.nowMs])
})

test('a wait for the next time ends when the wall clock is set back by more than a minute, though hours of the wait are over', () => {
  for (const restarts of [false, true]) {
    for (const [backMs, running] of [[3_600_000, 1], [59_000, 0]] as const) {
      const play = new Play([])
      play.joinDriving(a, 1)
      const { id } = play.start(1, { driver: schedule })
      const driving = (): RunningJob => play.scheduler.jobs.get(id)!
      play.later(a, idOf(driving(), 0, 0, 0), 24 * 3_600_000)
      play.settleAll()
      if (restarts) {
        play.restart()
        play.apply({ kind: 'opened' })
        play.joinDriving(a, 1)
      }
      play.pass(7_200_000)
      play.at = { ...play.at, nowMs: play.at.nowMs - backMs }
      play.pass(0)
      expect(driving().running, `${backMs} ms, ${restarts ? 'after a restart' : 'in one process'}`).toBe(running)
    }
  }
})

test('the jobs of a schedule end with it; those of a process that is replaced go on, except for steps whose results no program reads', () => {
  const play = new Play([], 1)
  play.joinDriving(a, 1)
  const driving = play.start(1, { driver: schedule })
  const { id: parent } = driving
  const dataset = play.start(1, { parent })
  const step = play.start(1, { parent, driver: { id: 'run', step: 1, method: 'collect' }, result: true })
  const last = play.start(1, { parent, driver: { id: 'run', step: 2, method: 'save' } })
  const whole = play.start(1, { parent, driver: { id: 'other', step: 1, method: 'save' } })
  const plain = play.start(1)
  const running = (): boolean[] => [driving, dataset, step, last, whole, plain].map(job => stateOf(play, job) === 'running')
  play.fail(a, idOf(driving, 0, 0, 0))
  play.settleAll()
  expect([driving.running, ...running()]).toEqual([1, true, true, false, false, true, true])
  play.apply({ kind: 'kill', job: parent })
  play.settleAll()
  expect(running()).toEqual([false, false, false, false, false, true])
  const late = play.submit({ maps: 1, reduces: 0, parent }, [[]])
  expect(kindsOf(late.effects)).toContain('finish')
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
