// Parts of the page of a job without a browser: the rows of its timeline, and the states in which the end of a job leaves its stages
// and tasks.

import { expect, test } from 'vitest'
import { jobLines, taskLines } from '../../../../client/cli/jobs/view.ts'
import { labelsOf, lanesOf } from '../../../../client/console/page/lanes.ts'
import { shownStage, shownTaskState } from '../../../../src/protocol/endedstage.ts'
import type { JobStatus, TaskStatus } from '../../../../src/protocol/job.ts'

const attempt = (node: string, host: string, startedMs: number, finishedMs?: number) =>
  ({ attempt: `1.0.${startedMs}`, node, host, state: finishedMs === undefined ? 'running' : 'done', locality: 'any', startedMs, fraction: 0,
    counters: {}, ...finishedMs !== undefined && { finishedMs } })
const tasksOf = (...attempts: ReturnType<typeof attempt>[]) =>
  attempts.map((each, task) => ({ stage: 0, task, state: 'running', attempts: [each] })) as unknown as TaskStatus[]

test('attempts that run reach to the present, each time anew', () => {
  const tasks = tasksOf(attempt('n1', 'a', 1_000), attempt('n1', 'a', 1_000, 1_500))
  expect(lanesOf(tasks, ['map'], 1_078)).toMatchObject({ fromMs: 1_000, toMs: 1_500 })
  expect(lanesOf(tasks, ['map'], 9_100)).toMatchObject({ fromMs: 1_000, toMs: 9_100 })
})

test('each datanode of a host has rows of its own', () => {
  const tasks = tasksOf(
    attempt('n2', 'a', 0, 5), attempt('n1', 'a', 2, 9), attempt('n3', 'b', 1, 3), attempt('n1', 'a', 1, 4), attempt('n1', 'a', 9, 10),
  )
  const { attempts, nodes, rows } = lanesOf(tasks, ['map'], 20)
  expect(attempts.map(({ name, node, row }) => `${name} ${node} ${row}`)).toEqual(
    ['map 3 n1 0', 'map 1 n1 1', 'map 4 n1 0', 'map 0 n2 2', 'map 2 n3 3'],
  )
  expect([nodes.map(({ row }) => row), labelsOf(nodes), rows]).toEqual([[0, 2, 3], ['n1', 'n2', 'b'], 4])
})

const stage = (state: string, more: object = {}) =>
  ({ name: state, state, tasks: 2, running: 0, done: 0, failedAttempts: 0, fraction: 0, counters: {}, ...more })
const job = {
  job: 'job-1', name: 'j', user: 'ada', state: 'cancelled', version: 3, output: '/o', submittedMs: 0, finishedMs: 9_400, counters: {},
  stages: [stage('done', { startedMs: 0, finishedMs: 100 }), stage('running', { startedMs: 100 }), stage('waiting')],
} as unknown as JobStatus

test('a stage that ran when its job was cancelled was killed then, and one that waited has not run; the command line says the same', () => {
  const shown = (state: JobStatus['state']) => job.stages.map(each => shownStage({ ...job, state }, each))
  const cancelled = [
    { state: 'done', finishedMs: 100 }, { state: 'killed', finishedMs: 9_400 }, { state: 'not run', finishedMs: undefined },
  ]
  expect(shown('cancelled')).toEqual(cancelled)
  expect(shown('failed')).toEqual(cancelled)
  expect(shown('running').map(({ state }) => state)).toEqual(['done', 'running', 'waiting'])
  for (const nowMs of [20_000, 90_000]) {
    const text = jobLines(job, nowMs).join('\n')
    expect(text).toMatch(/^1 running +killed .* 9\.3 s$/m)
    expect(text).toMatch(/^2 waiting +not run .* -$/m)
  }
})

test('a task of an ended job that is not done was killed if an attempt of it had begun, and else has not run', () => {
  const [begun, none] = [tasksOf(attempt('n', 'a', 0, 5))[0]!, { stage: 0, task: 1, state: 'waiting', attempts: [] } as TaskStatus]
  expect(['cancelled', 'running'].map(state => shownTaskState(state as JobStatus['state'], begun))).toEqual(['killed', 'running'])
  expect(['failed', 'running'].map(state => shownTaskState(state as JobStatus['state'], none))).toEqual(['not run', 'waiting'])
  expect(shownTaskState('failed', { ...begun, state: 'failed' })).toBe('failed')
  expect(taskLines(job, [none], 0).at(-1)).toMatch(/^0\.1 +not run$/)
})
