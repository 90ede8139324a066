// Progress of a job without a terminal, from fixed states on a manual clock: one line when a stage begins, every ten seconds, and when it
// ends. A terminal of unknown width has 80 columns.

import { expect, test } from 'vitest'
import { linesFor } from '../../../../../client/cli/jobs/watch.ts'
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

test('without a terminal a stage is told of when it begins, every ten seconds, and when it ends', () => {
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

test('a terminal that does not know its width has 80 columns', () => {
  const stream = (columns: number | undefined): unknown => ({ columns, on() {} })
  const width = (out: number | undefined, err: number | undefined): number =>
    new Printer({ stdin: stream(0), stdout: stream(out), stderr: stream(err) } as never, {}).columns
  expect([width(0, 0), width(undefined, 0), width(undefined, undefined), width(120, 40), width(undefined, 40)]).toEqual([
    80, 80, 80, 120, 40,
  ])
})
