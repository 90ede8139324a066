// Progress of a job without a terminal, from fixed states on a manual clock: one line when a stage begins, every ten seconds, and when it
// ends. A terminal of unknown width has 80 columns.

import { expect, test } from 'vitest'
import { jobLines } from '../../../../../client/cli/jobs/view.ts'
import { linesFor, lossesFor } from '../../../../../client/cli/jobs/watch.ts'
import { Printer } from '../../../../../client/cli/printer.ts'
import type { JobStatus } from '../../../../../src/protocol/job.ts'

const at = (state: string, done: number, tasks = 40): JobStatus =>
  ({
    stages: [
      {
        name: 'map', state, tasks, done, running: tasks - done, failedAttempts: 0, fraction: done / tasks, startedMs: 0, finishedMs: 25_000,
        counters: {},
      },
    ],
  }) as unknown as JobStatus

test('without a terminal a stage is reported when it begins, every ten seconds, and when it ends', () => {
  const said: string[] = []
  let ms = 0
  const show = linesFor(text => said.push(text), () => ms)
  show(at('waiting', 0))
  for (const [done, atMs] of [[0, 0], [1, 2000], [9, 9999], [10, 10_000], [11, 10_500], [30, 20_400]] as const) {
    ms = atMs
    show(at('running', done))
  }
  show(at('done', 40))
  show(at('done', 40))
  expect(said).toEqual([
    'map: 40 tasks', 'map: 10 of 40 tasks, 30 running', 'map: 30 of 40 tasks, 10 running', 'map: done, 40 of 40 tasks, 25.0 s',
  ])
  const one: string[] = []
  linesFor(text => one.push(text), () => 0)(at('running', 0, 1))
  expect(one).toEqual(['map: 1 task'])
})

test('a task that is lost again and again is reported with its reason, at once and every ten seconds', () => {
  const said: string[] = []
  let ms = 0
  const show = lossesFor(text => said.push(text), () => ms)
  const failure = { code: 'UNAVAILABLE', message: 'the executor cannot start' }
  const lost = (times: number): JobStatus => {
    const status = at('running', 0)
    return { ...status, stages: [{ ...status.stages[0]!, lost: { task: 3, times, failure } }] }
  }
  show(at('running', 0))
  for (const [times, atMs] of [[2, 100], [3, 2000], [9, 10_100], [9, 60_000]] as const) {
    ms = atMs
    show(lost(times))
  }
  const line = (times: number): string => `map: task 3 was lost ${times} times and is tried again, the last time: the executor cannot start`
  expect(said).toEqual([line(2), line(9)])
  const facts = {
    job: 'job-1', name: 'n', state: 'running', user: 'ann', output: '/out', submittedMs: 0, counters: {},
  } as unknown as JobStatus
  expect(jobLines({ ...facts, stages: lost(4).stages }, 0)).toContain(line(4))
})

test('a terminal that does not know its width has 80 columns', () => {
  const stream = (columns: number | undefined): unknown => ({ columns, on() {} })
  const width = (out: number | undefined, err: number | undefined): number =>
    new Printer({ stdin: stream(0), stdout: stream(out), stderr: stream(err) } as never, {}).columns
  expect([width(0, 0), width(undefined, 0), width(undefined, undefined), width(120, 40), width(undefined, 40)]).toEqual([
    80, 80, 80, 120, 40,
  ])
})
