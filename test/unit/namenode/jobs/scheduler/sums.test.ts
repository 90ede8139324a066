// Sums that a job shows, on the scheduler alone: fractions, counters, failed attempts and times of its stages follow its attempts exactly,
// whatever the order of commits, losses and a restart.

import { expect, test } from 'vitest'
import type { Effect } from '../../../../../namenode/jobs/scheduler/event.ts'
import type { RunningJob } from '../../../../../namenode/jobs/scheduler/state.ts'
import { jobStatus, taskStatus } from '../../../../../namenode/jobs/scheduler/status.ts'
import { attemptParts, type AttemptId, type NodeId } from '../../../../../src/base/ids.ts'
import { a, b, Play } from './play.ts'

test('a fraction is kept between nothing and all, and a stage\'s sum follows its attempts', () => {
  const play = new Play([a], 2)
  const job = play.start(2)
  const [stage] = job.stages
  const say = (attempt: AttemptId, fraction: number): void =>
    void play.apply({ kind: 'progressed', node: a, attempts: [{ attempt, counters: { n: 1 }, fraction }] })
  say(play.runs[0]!, 5)
  say(play.runs[1]!, -3)
  expect([stage!.fraction, jobStatus(job).stages[0]!.fraction]).toEqual([1, 0.5])
  say(play.runs[0]!, 0.25)
  say(play.runs[1]!, 0.5)
  expect([stage!.fraction, jobStatus(job).stages[0]!.fraction]).toEqual([0.75, 0.375])
  play.done(a, play.runs[0]!)
  expect(stage!.fraction).toBe(0.5)
  play.settleAll()
  expect(jobStatus(job).stages[0]!.fraction).toBe(0.75)
  play.done(a, play.runs[1]!)
  expect(stage!.fraction).toBe(0)
  play.settleAll()
})

test('what an attempt counted is shown when it has failed, and one that its node killed is shown as killed, with the reason', () => {
  const play = new Play()
  const job = play.start(1)
  const shown = () => taskStatus(job.stages[0]!, job.stages[0]!.tasks[0]!).attempts
  play.fail(a, play.runs[0]!, { counters: { recordsIn: 5 } })
  play.fail(a, play.runs[1]!, { cause: 'killed', failure: { code: 'ABORTED', message: 'memory' } })
  expect(shown().slice(0, 2)).toMatchObject([
    { state: 'failed', counters: { recordsIn: 5 } },
    { state: 'killed', failure: { message: 'memory' } },
  ])
  expect(jobStatus(job).stages[0]!.failedAttempts).toBe(1)
})

test('the output of a committed task that is lost leaves no trace in the sums', () => {
  const play = new Play([a, b])
  const job = play.start(2, { reduces: 1, places: [['a'], ['b']] })
  play.done(a, play.runs[0]!, { records: 3, once: 1 })
  play.settleAll()
  play.apply({ kind: 'dead', node: a })
  expect(jobStatus(job)).toMatchObject({ stages: [{ done: 0, state: 'running' }, {}] })
  expect([jobStatus(job).counters, jobStatus(job).stages[0]!.counters]).toEqual([{}, {}])
  expect([...job.stages[0]!.outputBytes]).toEqual([])
})

test('fractional counters have one sum, whatever the order of commits, of losses and of a restart', () => {
  const values = [0.1, 1e16, -0.3, 1 / 3, -1e16, 7]
  const counted = (order: readonly number[], between: (play: Play, job: RunningJob) => RunningJob = (_, job) => job): unknown => {
    const play = new Play([a, b], values.length * 4)
    let job = play.start(values.length, { reduces: 1, places: values.map(() => ['a']) })
    const commit = (node: NodeId, task: number, counters: Record<string, number>): void => {
      const { id } = job.stages[0]!.tasks[task]!.attempts.find(each => each.state === 'running' && each.node === node)!
      play.done(node, id, counters)
      play.settleAll()
    }
    for (const task of order) {
      const running = job.stages[0]!.tasks[task]!.attempts.find(each => each.state === 'running')!
      commit(running.node, task, { sum: values[task]!, nothing: task === 0 ? 0 : 1, zero: 0 })
      if (task === order[3]) job = between(play, job)
    }
    const status = jobStatus(job)
    expect(status.stages[0]!.done).toBe(values.length)
    expect(status.counters).toEqual(status.stages[0]!.counters)
    return status.counters
  }
  const wanted = { sum: 7.133333333333334, nothing: 5, zero: 0 }
  for (const order of [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [1, 0, 4, 2, 5, 3], [3, 1, 5, 0, 2, 4]]) {
    expect(counted(order)).toEqual(wanted)
    // The journal's tasks come in order of their numbers.
    expect(counted(order, (play, { id }) => {
      play.restart()
      play.apply({ kind: 'opened' })
      play.join(a, values.length * 4)
      return play.scheduler.jobs.get(id)!
    })).toEqual(wanted)
  }
  // A counted task that is lost is subtracted, and counted again elsewhere.
  const play = new Play([a, b], 2)
  const job = play.start(3, { reduces: 1, places: [['a'], ['b'], ['b']] })
  const [first, second, third] = [0, 1, 2].map(task => play.runs.find(run => attemptParts(run).task === task)!) as [
    AttemptId, AttemptId, AttemptId,
  ]
  play.done(a, first, { sum: 1e16, zero: 1 })
  play.done(b, second, { sum: 0.1, zero: -1 })
  play.settleAll()
  play.apply({ kind: 'dead', node: a })
  play.settleAll()
  expect(jobStatus(job).counters).toEqual({ sum: 0.1, zero: -1 })
  play.done(b, third, { sum: 0.2, zero: 1 })
  play.settleAll()
  expect(jobStatus(job).counters).toEqual({ sum: 0.1 + 0.2, zero: 0 })
})

test('a stage without tasks is nothing done until it is done, and a failure is shown with the end that it caused, not before', () => {
  const play = new Play([a], 1)
  const job = play.start(1, { reduces: 1, attemptsMax: 1 })
  expect(jobStatus(job).stages.map(each => each.fraction)).toEqual([0, 0])
  play.fail(a, play.runs[0]!)
  expect(jobStatus(job).failure).toBeUndefined()
  const finish = play.waiting.at(-1) as Effect & { kind: 'finish' }
  expect(finish.status).toMatchObject({ state: 'failed', failure: { code: 'TASK_FAILED' }, stages: [{ state: 'failed' }, {}] })
  expect(taskStatus(job.stages[0]!, job.stages[0]!.tasks[0]!).state).toBe('failed')
  const empty = new Play()
  const nothing = empty.start(0)
  expect(jobStatus(nothing).stages[0]).toMatchObject({ tasks: 0, fraction: 1, state: 'done' })
})

test('a stage is shown with the times at which it began and ended, with tasks and without', () => {
  const play = new Play([a, b])
  const job = play.start(2)
  const begun = play.at.nowMs
  play.pass(1_000)
  for (const task of job.stages[0]!.tasks) play.done(task.attempts[0]!.node, task.attempts[0]!.id)
  play.settleAll()
  expect(jobStatus(job).stages[0]).toMatchObject({ startedMs: begun, finishedMs: begun + 1_000 })
  const nothing = new Play()
  nothing.pass(500)
  const empty = nothing.start(0)
  expect(jobStatus(empty).stages[0]).toMatchObject({ startedMs: nothing.at.nowMs, finishedMs: nothing.at.nowMs })
})

test('the counters of a job are those of its input and its output, whatever its stages pass on to each other', () => {
  const bench = new Play([a], 1)
  const job = bench.start(1, { reduces: 1 })
  bench.done(a, bench.runs[0]!, { recordsIn: 10, bytesIn: 100, inputRecords: 10, inputBytes: 100, recordsOut: 50, bytesOut: 500 })
  bench.settleAll()
  bench.done(a, bench.runs[1]!, { recordsIn: 50, bytesIn: 500, recordsOut: 3, bytesOut: 30, outputRecords: 3, outputBytes: 30, spills: 0 })
  bench.settleAll()
  const { counters, stages } = bench.kept.get(job.id)!.ended!
  expect(counters).toEqual({ recordsIn: 10, bytesIn: 100, recordsOut: 3, bytesOut: 30, spills: 0 })
  expect(stages.map(stage => stage.counters['recordsIn'])).toEqual([10, 50])
})
