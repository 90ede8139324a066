// Attempts that fail, are slow or stop reporting, as text tables: what runs again, on which node, and what counts once.

import { expect, test } from 'vitest'
import { jobStatus } from '../../../../../namenode/jobs/scheduler/status.ts'
import { attemptId, nodeId } from '../../../../../src/base/ids.ts'
import { Bench } from './kit.ts'
import { a, kindsOf, Play } from './play.ts'
import { scenario } from './scenario.ts'

test('a failed task runs on another node, and its job fails when the tries are used up', () => {
  scenario(`
    nodes a b
    submit maps=a attempts=3
      -> run 0.0.0 on a (node)
    fail 0.0.0 a
      -> answer 0.0.0 too late
      -> run 0.0.1 on b (rack)
    fail 0.0.1 b                     # it has failed everywhere: anywhere is as good
      -> answer 0.0.1 too late
      -> run 0.0.2 on a (node)
    fail 0.0.2 a
      -> answer 0.0.2 too late
      -> finish failed: TASK_FAILED
    journal
      -> forget on a
      -> forget on b
  `)
})

test('an attempt that its node could not start is not counted, and its task moves to another node', () => {
  scenario(`
    nodes a b
    submit maps=a attempts=1
      -> run 0.0.0 on a (node)
    fail 0.0.0 cause=killed code=UNAVAILABLE a
      -> answer 0.0.0 too late
      -> run 0.0.1 on b (rack)
    fail 0.0.1 cause=killed code=UNAVAILABLE b
      -> answer 0.0.1 too late
      -> run 0.0.2 on a (node)
    done 0.0.2 a
      -> commit 0.0.2
  `)
})

test('while a task is lost again and again, the status of its stage says which, how often and why, until it is done', () => {
  const bench = new Bench()
  const a = nodeId('a')
  bench.apply({ kind: 'opened' })
  bench.apply({ kind: 'joined', node: a, rack: '/r', host: 'a', slots: 1, attempts: [], closed: false })
  const { job } = bench.submit({ maps: 1, reduces: 0 }, [])
  const lost = () => jobStatus(bench.scheduler.jobs.get(job)!).stages[0]!.lost
  const attempt = (number: number) => attemptId({ job, stage: 0, task: 0, attempt: number })
  const failure = { code: 'UNAVAILABLE', message: 'the executor cannot start' }
  const lose = (number: number): unknown =>
    bench.apply({
      kind: 'finished', node: a, attempt: attempt(number),
      outcome: { kind: 'failed', cause: 'killed', failure, counters: {} },
    })
  expect(lost()).toBeUndefined()
  lose(0)
  expect(lost(), 'one loss is ordinary').toBeUndefined()
  lose(1)
  expect(lost()).toEqual({ task: 0, times: 2, failure })
  bench.apply({
    kind: 'finished', node: a, attempt: attempt(2),
    outcome: { kind: 'done', counters: {}, output: { kind: 'files', files: [] } },
  })
  bench.settle()
  expect(bench.scheduler.jobs.get(job) && lost()).toBeUndefined()
})

test('a task that has failed runs again before those that have not run yet, so that a bad program is soon known', () => {
  scenario(`
    open
    join a
    submit maps=a|a|a attempts=2
      -> run 0.0.0 on a (node)
    fail 0.0.0 a
      -> answer 0.0.0 too late
      -> run 0.0.1 on a (node)
    fail 0.0.1 a
      -> answer 0.0.1 too late
      -> finish failed: TASK_FAILED
  `)
})

test('an input that was replaced or removed fails its job at the first try', () => {
  scenario(`
    open
    join a slots=2
    submit maps=a|a
      -> run 0.0.0 on a (node)
      -> run 0.1.0 on a (node)
    fail 0.0.0 code=ENOENT a
      -> answer 0.0.0 too late
      -> kill 0.1.0 on a
      -> finish failed: ENOENT
    journal
      -> forget on a
  `)
})

test('an attempt that finds its input replaced leaves the job to a twin that may have read it in time', () => {
  scenario(`
    nodes a b
    submit maps=a|a|a|a
      -> run 0.0.0 on a (node)
    tick
    tick
    tick
    tick
      -> run 0.1.0 on b (rack)
    tick 100
    done 0.1.0 b
      -> commit 0.1.0
      -> run 0.2.0 on b (rack)
    journal
      -> answer 0.1.0 committed
    tick 100
    done 0.2.0 b
      -> commit 0.2.0
      -> run 0.3.0 on b (rack)
    journal
      -> answer 0.2.0 committed
    tick 100
    ran 0.3.0 b
    progress 0.0.0 0.1 a
    tick 5000
      -> run 0.0.1 on b (rack)
    fail 0.0.0 code=ENOENT a
      -> answer 0.0.0 too late
    ran 0.0.1 b
      -> publish
  `)
})

test('a program that cannot be loaded fails its job at the first try', () => {
  scenario(`
    open
    join a slots=2
    submit maps=a|a
      -> run 0.0.0 on a (node)
      -> run 0.1.0 on a (node)
    fail 0.0.0 code=PROGRAM_INVALID a
      -> answer 0.0.0 too late
      -> kill 0.1.0 on a
      -> finish failed: PROGRAM_INVALID
    journal
      -> forget on a
  `)
})

test('a task that avoids a node is not handed to it while another node lives', () => {
  scenario(`
    open
    join a
    join b slots=1
    submit maps=a|b
      -> run 0.0.0 on a (node)
      -> run 0.1.0 on b (node)
    fail 0.0.0 a
      -> answer 0.0.0 too late
    offer a
    offer a
    offer a
    offer a
    offer a
    offer a
    offer a
    die b                           # now it is the only one; what b ran comes first, being lost last
      -> run 0.1.1 on a (any)
    done 0.1.1 a
      -> commit 0.1.1
      -> run 0.0.1 on a (node)
  `)
})

test('a report that comes twice has one effect, and the winner hears the same answer again', () => {
  scenario(`
    open
    join a
    submit maps=a
      -> run 0.0.0 on a (node)
    done 0.0.0 a
      -> commit 0.0.0
    done 0.0.0 a                     # while the journal writes: one answer for both
    journal
      -> answer 0.0.0 committed
      -> publish
    done 0.0.0 a
      -> answer 0.0.0 committed
  `)
})

test('a slow attempt gets a twin on another node near the end of its stage; the first to commit wins', () => {
  scenario(`
    nodes a b
    submit maps=a|a|a|a
      -> run 0.0.0 on a (node)
    tick
    tick
    tick
    tick
      -> run 0.1.0 on b (rack)
    tick 100
    done 0.1.0 b
      -> commit 0.1.0
      -> run 0.2.0 on b (rack)
    journal
      -> answer 0.1.0 committed
    tick 100
    done 0.2.0 b
      -> commit 0.2.0
      -> run 0.3.0 on b (rack)
    journal
      -> answer 0.2.0 committed
    tick 100
    ran 0.3.0 b
    progress 0.0.0 0.1 a
    tick 5000
      -> run 0.0.1 on b (rack)
    tick 100                         # one twin is enough
    ran 0.0.1 b
      -> kill 0.0.0 on a
      -> publish
    fail 0.0.0 cause=killed a
      -> answer 0.0.0 too late
  `)
})

test('an attempt whose node no longer mentions it is given up', () => {
  scenario(`
    open
    join a
    submit maps=a
      -> run 0.0.0 on a (node)
    tick 29000
    progress 0.0.0 0.5 a
    tick 29000
    tick 1000
      -> kill 0.0.0 on a
      -> run 0.0.1 on a (node)
  `)
})

test('an error that each other attempt would have ends the job at once', () => {
  const play = new Play([a], 2)
  play.start(2)
  play.fail(a, play.runs.splice(0)[0]!, { isFinal: true })
  expect(kindsOf(play.waiting)).toEqual(['finish'])
  expect(play.waiting[0]).toMatchObject({ status: { state: 'failed', failure: { code: 'TASK_FAILED', message: 'no' } } })
})
