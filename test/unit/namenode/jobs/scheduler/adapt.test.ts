// Adaptive rules: what each makes of the sizes of partitions, and when a stage is rewritten: before its first task, once it is journalled,
// and never again, whatever is lost and whenever the namenode starts again.

import { describe, expect, test } from 'vitest'
import { adapted, type AdaptSide } from '../../../../../namenode/jobs/scheduler/adapt.ts'
import { attemptParts, type AttemptId } from '../../../../../src/base/ids.ts'
import type { Adapt } from '../../../../../src/protocol/job.ts'
import { decodeSizes, encodeSizes } from '../../../../../src/shuffle/sizes.ts'
import { doneReport } from './kit.ts'
import { a, b, answers, Play } from './play.ts'

const side = (bytes: number[], tasks = 4): AdaptSide => ({ bytes, tasks })

describe('the tasks', () => {
  const join: Adapt = { mergeBytes: 10, empty: [[0]], split: { bytes: 100, sides: [0] } }

  test.each<[string, Adapt, AdaptSide[], unknown[] | undefined, string[]]>([
    ['no rule applies', { mergeBytes: 10 }, [side([9, 9, 9])], undefined, []],
    ['neighbours up to the bound are one task', { mergeBytes: 10 }, [side([4, 6, 5, 5, 1, 20, 3])],
      [[[0, 2]], [[2, 4]], [[4, 5]], [[5, 6]], [[6, 7]]], ['7 partitions in 5 tasks of at most 10 B']],
    ['empty partitions have no task, and neighbours of them are merged', { mergeBytes: 10, empty: [[0]] }, [side([0, 4, 0, 3, 0, 9])],
      [[[1, 2], [3, 4]], [[5, 6]]], ['3 of 6 partitions give nothing', '3 partitions in 2 tasks of at most 10 B']],
    ['without the rule empty partitions are merged as others', { mergeBytes: 10 }, [side([0, 0])], [[[0, 2]]],
      ['2 partitions in 1 task of at most 10 B']],
    ['nothing is left', { empty: [[0], [1]] }, [side([0, 5]), side([7, 0])], [], ['2 of 2 partitions give nothing']],
    ['only the left side decides', join, [side([8, 0, 9]), side([0, 500, 0])], [[[0, 1]], [[2, 3]]], ['1 of 3 partitions give nothing']],
    ['a skewed side is divided, and the other is not', join, [side([250, 20, 20]), side([900, 20, 20])],
      [[[0, 1], 0, 1], [[0, 1], 1, 2], [[0, 1], 2, 4], [[1, 2]], [[2, 3]]],
      ['1 partition of more than 100 B and 5 times the median in 3 tasks']],
    ['a large partition among large ones is none that is skewed', join, [side([250, 240, 260]), side([1, 1, 1])], undefined, []],
    ['no more tasks than map outputs', join, [side([9000, 20, 20], 2), side([1, 1, 1])],
      [[[0, 1], 0, 1], [[0, 1], 1, 2], [[1, 2]], [[2, 3]]], ['1 partition of more than 100 B and 5 times the median in 2 tasks']],
    ['a small right side is a table',
      { table: { bytes: 10, taskBytes: 50, sides: [1] }, empty: [[0]] }, [side([60, 0, 90]), side([4, 4, 5])],
      [[[0, 1], [2, 3], 0, 1, 'table'], [[0, 1], [2, 3], 1, 2, 'table'], [[0, 1], [2, 3], 2, 4, 'table']],
      ['1 of 3 partitions give nothing', 'its right side has 9 B, at most 10 B: a table in 3 tasks']],
    ['a table of many small segments is none', { table: { bytes: 10, taskBytes: 50, sides: [1] } },
      [side(Array.from({ length: 600 }, () => 60), 20), side(Array.from({ length: 600 }, () => 0), 8)], undefined, []],
  ])('%s', (_, adapt, sides, tasks, whys) => {
    const made = adapted(adapt, sides)
    expect(made?.tasks.map(({ ranges, slice, table }) => [...ranges, ...slice ? [slice.from, slice.to] : [], ...table ? ['table'] : []]))
      .toEqual(tasks)
    expect(made?.rules.map(({ why }) => why) ?? []).toEqual(whys)
  })

  test('sizes are read as they were written, and others are refused', () => {
    const sizes = [0, 1, 35, 36, 2 ** 40, 0]
    expect(decodeSizes(encodeSizes(sizes), 6)).toEqual(sizes)
    expect([decodeSizes(encodeSizes(sizes), 5), decodeSizes('1,-2', 2), decodeSizes('1,1.5', 2), decodeSizes('zzzzzzzzzzzz', 1)])
      .toEqual([undefined, undefined, undefined, undefined])
  })
})

const stageOf = (id: AttemptId): number => attemptParts(id).stage

/** A job of four stages on two nodes; its maps and values are done, all on b, and the last of them is in the journal. */
function joining(
  hasSizes = true, before: (bench: Play) => void = () => undefined,
): { bench: Play; finish: (attempt: AttemptId, told?: boolean) => boolean[] } {
  const bench = new Play([b], 4)
  bench.submit({ maps: 2, reduces: 6, adapt: true }, [[], []])
  const finish = (attempt: AttemptId, told = true): boolean[] => {
    const running = bench.scheduler.jobs.get(attemptParts(attempt).job)!.stages[stageOf(attempt)]!.tasks[attemptParts(attempt).task]
    const node = running?.attempts.find(({ id }) => id === attempt)?.node ?? b
    return answers(bench.apply({ kind: 'finished', ...doneReport(node, attempt, bench.specOf(attempt), undefined, told) }))
  }
  before(bench)
  for (const attempt of bench.runs.splice(0)) {
    finish(attempt, hasSizes)
    bench.settle()
  }
  return { bench, finish }
}

const job = (bench: Play) => [...bench.scheduler.jobs.values()][0]!

test('no task of a rewritten stage starts before the rewrite is in the journal', () => {
  const { bench } = joining()
  expect(bench.waiting.map(({ kind }) => kind)).toEqual(['rewrite'])
  expect(bench.runs).toEqual([])
  expect(job(bench).stages[2]!.state).toBe('waiting')
  bench.settle()
  expect(bench.runs.map(stageOf)).toEqual(job(bench).stages[2]!.tasks.map(() => 2))
  expect(bench.runs.length).toBe(bench.kept.get(job(bench).id)!.layouts.get(2)!.tasks.length)
})

test('a rewrite that did not reach the journal before the namenode ended is decided anew', () => {
  const { bench } = joining()
  const [before] = bench.waiting
  bench.restart()
  bench.join(b, 4)
  bench.apply({ kind: 'opened' })
  expect(bench.waiting).toEqual([before])
  bench.settle()
  expect(bench.runs.map(stageOf)).toContain(2)
})

test('an attempt that has read other rows than the task of its number is not taken for one of it', () => {
  // The sizes of one output are not known: the stage starts as it is.
  const { bench, finish } = joining(false)
  expect(bench.waiting).toEqual([])
  const [old] = bench.runs.splice(0)
  expect(stageOf(old!)).toBe(2)
  // The namenode starts again, and all that the attempt has read is made again, by a node that tells sizes.
  bench.restart()
  bench.join(a, 4)
  bench.apply({ kind: 'opened' })
  bench.pass(3_600_000)
  bench.settleAll()
  for (const attempt of bench.runs.splice(0)) {
    finish(attempt)
    bench.settleAll()
  }
  expect(bench.kept.get(job(bench).id)!.layouts.has(2)).toBe(true)
  // It is heard of now.
  bench.join(b, 4, [old!])
  expect(bench.kills).toContain(old)
  expect(answers(bench.apply({ kind: 'finished', ...doneReport(b, old!, bench.specOf(old!)) }))).toEqual([false])
  expect(bench.waiting.filter(({ kind }) => kind === 'commit')).toEqual([])
})

test('a stage that has begun is not rewritten, whatever runs again: not after a restart, and not when its input is lost', () => {
  const { bench, finish } = joining(false)
  const [first] = bench.runs.splice(0, 1)
  finish(first!)
  bench.settleAll()
  bench.restart()
  bench.join(a, 4)
  bench.apply({ kind: 'opened' })
  bench.pass(3_600_000)
  bench.settleAll()
  for (let left = 40; left > 0 && bench.runs.length > 0; left--) {
    finish(bench.runs.shift()!)
    bench.settleAll()
  }
  expect(bench.kept.get([...bench.kept.keys()][0]!)!.layouts.has(2)).toBe(false)
})

test('a rewritten stage stays as it is when its input is lost and made again with other sizes', () => {
  const { bench, finish } = joining()
  bench.settle()
  const made = job(bench).stages[2]!.layout.made
  const [first] = bench.runs.splice(0)
  finish(first!)
  bench.settle()
  bench.join(a, 4)
  bench.apply({ kind: 'dead', node: b })
  bench.settleAll()
  bench.restart()
  bench.join(a, 4)
  bench.apply({ kind: 'opened' })
  bench.settleAll()
  for (const attempt of bench.runs.splice(0)) {
    finish(attempt, false)
    bench.settleAll()
  }
  expect(job(bench).stages[2]!.layout.made).toEqual(made)
  expect(job(bench).stages[2]!.tasks.length).toBe(made!.tasks.length)
  expect(bench.runs.map(stageOf)).toEqual(made!.tasks.map(() => 2))
})

describe('datanodes of an earlier version, which do not know the tasks of a rewritten stage', () => {
  test('a stage that begins while one is known, live or stale, is not rewritten', () => {
    for (const is of ['live', 'stale', 'dead'] as const) {
      const { bench } = joining(true, bench => {
        bench.join(a, 1, [], 'r', [])
        if (is !== 'live') bench.apply({ kind: is, node: a })
      })
      expect([is, bench.waiting.map(({ kind }) => kind)]).toEqual([is, is === 'dead' ? ['rewrite'] : []])
    }
  })

  test('one that joins when a stage is rewritten gets none of its tasks, and the job says that it waits for another', () => {
    const { bench, finish } = joining()
    bench.settle()
    const [first, ...others] = bench.runs.splice(0)
    bench.join(a, 4, [], 'r', [])
    // It is where no task has failed, which is no reason to give it one.
    bench.fail(b, first!)
    expect(bench.runs).toEqual([first!.replace(/500$/, '501')])
    for (const attempt of [...bench.runs.splice(0), ...others]) bench.fail(b, attempt, { cause: 'killed' })
    bench.apply({ kind: 'closed', node: b })
    const before = bench.runs.splice(0).length
    for (let offers = 0; offers < 10; offers++) bench.apply({ kind: 'offered', node: a })
    expect(bench.runs).toEqual([])
    bench.apply({ kind: 'dead', node: b })
    // The maps and values are made again by the earlier version, and then its work ends.
    while (bench.runs.length > 0) {
      finish(bench.runs.shift()!, false)
      bench.settleAll()
    }
    expect(before).toBeGreaterThan(0)
    expect(job(bench).stages.map(({ state }) => state)).toEqual(['done', 'done', 'running', 'waiting'])
    expect(bench.scheduler.waits(job(bench))).toMatch(/^for a datanode of this version/)
    bench.join(b, 4)
    expect(bench.runs.map(stageOf)).toContain(2)
  })
})
