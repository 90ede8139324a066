// Jobs of many stages: a stage waits for all stages that it reads, its tasks are those of its branches, and lost outputs run again alone,
// with those that they need.

import { expect, test } from 'vitest'
import { workFor } from '../../../../../namenode/jobs/work.ts'
import { attemptParts } from '../../../../../src/base/ids.ts'
import { a, b, idOf, Play } from './play.ts'

/** Ends the next attempt that runs. Returns its task as `stage.task`; undefined if none runs. */
function step(bench: Play): string | undefined {
  for (let run = bench.runs.shift(); run; run = bench.runs.shift()) {
    const { job, stage, task } = attemptParts(run)
    const attempt = bench.scheduler.jobs.get(job)!.stages[stage]!.tasks[task]!.attempts.find(({ id }) => id === run)
    if (attempt?.state !== 'running') continue
    bench.done(attempt.node, run)
    bench.settleAll()
    return `${stage}.${task}`
  }
  return undefined
}

function work(bench: Play): string[] {
  const done: string[] = []
  for (let task = step(bench); task !== undefined; task = step(bench)) done.push(task)
  return done
}

const graph = { maps: 2, reduces: 2, graph: true }

test('stages run in an order in which each finds its input; branches are tasks of one stage', () => {
  const bench = new Play([a], 1)
  const { job } = bench.submit(graph, [[], []])
  const order = work(bench)
  expect(order).toHaveLength(2 + 2 + 2 + 2 + 4)
  for (const [before, after] of [[0, 1], [1, 2], [2, 4], [3, 4]])
    expect(Math.max(...order.flatMap((each, i) => (each.startsWith(`${before}.`) ? [i] : []))))
      .toBeLessThan(Math.min(...order.flatMap((each, i) => (each.startsWith(`${after}.`) ? [i] : []))))
  expect(bench.kept.get(job)!.ended?.state).toBe('succeeded')
  expect(bench.kept.get(job)!.ended?.stages.map(({ tasks }) => tasks)).toEqual([2, 2, 2, 2, 4])
})

test('a task of a branch is told its input and its place in it', () => {
  const bench = new Play([a], 1)
  const { job } = bench.submit(graph, [[], []])
  const running = bench.scheduler.jobs.get(job)!
  const inputOf = (stage: number, task: number) => {
    const { input, branch, broadcasts } = workFor(running, idOf(running, stage, task, 0), a, {
      params: {}, nowMs: 0, nodes: { place: () => undefined } as never, blocks: { holders: () => [], token: () => '' } as never,
    })
    return { input, branch, broadcasts }
  }
  expect(inputOf(2, 1)).toEqual({ input: { kind: 'shuffle', stage: 0 }, branch: undefined, broadcasts: [1] })
  expect(inputOf(3, 1)).toEqual({ input: { kind: 'values', part: 1, parts: 2 }, branch: undefined, broadcasts: undefined })
  expect(inputOf(4, 1)).toEqual({ input: { kind: 'join', stages: [2, 3], partition: 1 }, branch: undefined, broadcasts: undefined })
  expect(inputOf(4, 2)).toEqual({ input: { kind: 'shuffle', stage: 2, partition: 0 }, branch: 1, broadcasts: undefined })
})

test('when a node dies with outputs of several stages, these run again, and nothing else', () => {
  const bench = new Play([a, b], 1)
  const { job } = bench.submit(graph, [[a], [b]])
  const running = bench.scheduler.jobs.get(job)!
  const isReady = () => running.stages.slice(0, 4).every(({ state }) => state === 'done')
  while (!isReady()) step(bench)
  const lost = running.stages.slice(0, 4).flatMap((stage, index) =>
    stage.tasks.flatMap(task => (task.won!.node === b ? [`${index}.${task.index}`] : [])))
  expect(lost.length).toBeGreaterThan(1)
  expect(lost.length).toBeLessThan(8)
  bench.apply({ kind: 'dead', node: b })
  const ran = work(bench)
  expect(ran.filter(each => !each.startsWith('4.')).sort()).toEqual(lost.sort())
  expect(ran.filter(each => each.startsWith('4.')).sort()).toEqual(['4.0', '4.1', '4.2', '4.3'])
  expect(bench.kept.get(job)!.ended?.state).toBe('succeeded')
})
