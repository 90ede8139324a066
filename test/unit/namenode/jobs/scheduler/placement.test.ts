// Choice of a node for each task, as text tables: nodes with the input first, then the rack, then any.

import { expect, test } from 'vitest'
import type { Effect } from '../../../../../namenode/jobs/scheduler/event.ts'
import { Pending, type TakeDecision } from '../../../../../namenode/jobs/scheduler/pending.ts'
import { attemptParts, nodeId, type AttemptId, type JobId } from '../../../../../src/base/ids.ts'
import { Bench, doneReport } from './kit.ts'
import { scenario } from './scenario.ts'

test('a node that is to be emptied, or away, joins without getting tasks, until it offers slots again', () => {
  scenario(`
    open
    join a closed
    submit maps=a
    tick 1000
    offer a
      -> run 0.0.0 on a (node)
  `)
})

test('a node without local work lets offers pass: three before its rack, six before any', () => {
  scenario(`
    open
    join near rack=r
    join holder rack=r slots=0
    join far rack=s
    submit maps=holder|holder
    offer far
    offer far
    offer far
    offer far
    offer near
    offer near
    offer near
    offer near
      -> run 0.0.0 on near (rack)
    offer far
    offer far
    offer far
      -> run 0.1.0 on far (any)
  `)
})

test('once passed over, a node goes on with distant work without waiting again', () => {
  scenario(`
    open
    join holder rack=r slots=0
    join far rack=s
    submit maps=holder|holder
    offer far
    offer far
    offer far
    offer far
    offer far
    offer far
    offer far
      -> run 0.0.0 on far (any)
    done 0.0.0 far
      -> commit 0.0.0
      -> run 0.1.0 on far (any)
  `)
})

test('a node that was given a task whose input it holds waits anew before it takes distant ones', () => {
  scenario(`
    open
    join holder rack=r slots=0
    join a rack=s slots=2
    submit maps=holder|a
      -> run 0.1.0 on a (node)
    offer a
    offer a
    offer a
    offer a
    offer a
    offer a
    fail 0.1.0 cause=killed a
      -> answer 0.1.0 too late
      -> run 0.1.1 on a (node)
    offer a
    offer a
    offer a
    offer a
    offer a
    offer a
      -> run 0.0.0 on a (any)
  `)
})

test('a node that is dead does not get tasks for asking, before it has joined again', () => {
  scenario(`
    open
    join a
    die a
    submit maps=-
    offer a
    tick 10
    join a
      -> run 0.0.0 on a (any)
  `)
})

test('a speculative attempt has the locality of its input: on the node, in its rack, or anywhere', () => {
  for (const [places, rack, locality] of [['a,b', 's', 'node'], ['a,x', 's', 'rack'], ['a', 's', 'any'], ['a', 'r', 'rack']] as const) {
    scenario(`
      open
      join x rack=s slots=0
      join a rack=r
      submit maps=${places}
        -> run 0.0.0 on a (node)
      silence a
      join b rack=${rack}
        -> run 0.0.1 on b (${locality})
    `)
  }
})

test('a task whose input has no known location, or only dead nodes, takes the first free slot', () => {
  scenario(`
    open
    join a
    join b slots=0
    submit maps=b|-
      -> run 0.1.0 on a (any)
    die b
    done 0.1.0 a
      -> commit 0.1.0
      -> run 0.0.0 on a (any)
  `)
})

test('slots are dealt out one at a time, so that every node gets some', () => {
  scenario(`
    open
    join a slots=2
    join b slots=2
    submit maps=-|-|-
      -> run 0.0.0 on a (any)
      -> run 0.1.0 on b (any)
      -> run 0.2.0 on a (any)
  `)
})

test('a reduce starts on the node with most of the map output', () => {
  scenario(`
    open
    join a
    join b
    join c slots=2
    submit maps=a|c|c reduces=1
      -> run 0.0.0 on a (node)
      -> run 0.1.0 on c (node)
      -> run 0.2.0 on c (node)
    done 0.0.0 a
      -> commit 0.0.0
    done 0.1.0 c
      -> commit 0.1.0
    done 0.2.0 c
      -> commit 0.2.0
    journal
      -> answer 0.0.0 committed
    journal
      -> answer 0.1.0 committed
    journal
      -> answer 0.2.0 committed
      -> run 1.0.0 on c (any)
  `)
})

test('jobs with equally many running take turns, the one that waited longest first: a small job never waits for a large one', () => {
  const bench = new Bench()
  const node = nodeId('a')
  bench.apply({ kind: 'opened' })
  const started: string[] = []
  const run = (effects: readonly Effect[]): void => {
    for (const effect of effects) if (effect.kind === 'run') started.push(effect.attempt)
  }
  run(bench.apply({ kind: 'joined', node, rack: 'r', host: 'a', slots: 1, attempts: [] }))
  const nowhere = (maps: number): string[][] => Array.from({ length: maps }, () => [])
  const submit = (maps: number): JobId => {
    const { job, effects } = bench.submit({ maps, reduces: 0 }, nowhere(maps) as never)
    run(effects)
    return job
  }
  const large = submit(6)
  const small = submit(1)
  const middle = submit(2)
  const finish = (): void => {
    const attempt = started.at(-1)! as AttemptId
    run(bench.apply({ kind: 'finished', ...doneReport(node, attempt, bench.kept.get(attemptParts(attempt).job)!.spec) }))
    while (bench.waiting.length > 0) run(bench.settle())
  }
  finish()
  finish()
  const late = submit(1)
  while (started.length < 10) finish()
  expect(started.map(attempt => attemptParts(attempt as AttemptId).job)).toEqual([
    large, large, small, middle, large, late, middle, large, large, large,
  ])
})

test('the job with fewer running tasks goes first, however long the others have waited', () => {
  const bench = new Bench()
  const [a, b] = [nodeId('a'), nodeId('b')]
  bench.apply({ kind: 'opened' })
  bench.apply({ kind: 'joined', node: a, rack: 'r', host: 'a', slots: 2, attempts: [] })
  const first = bench.submit({ maps: 4, reduces: 0 }, [[], [], [], []])
  const second = bench.submit({ maps: 4, reduces: 0 }, [[], [], [], []])
  const jobs = (effects: readonly Effect[]): string[] =>
    effects.flatMap(effect => (effect.kind === 'run' ? [attemptParts(effect.attempt).job] : []))
  expect([jobs(first.effects), jobs(second.effects)]).toEqual([[first.job, first.job], []])
  expect(jobs(bench.apply({ kind: 'joined', node: b, rack: 'r', host: 'b', slots: 3, attempts: [] }))).toEqual([
    second.job, second.job, first.job,
  ])
})

test('a task that waits goes at once to a node that has come to hold its input; one whose stage has not begun, when it does', () => {
  const bench = new Bench()
  const [a, x] = [nodeId('a'), nodeId('x')]
  const started = (effects: readonly Effect[]): string[] =>
    effects.flatMap(effect => (effect.kind === 'run' ? [`${attemptParts(effect.attempt).task} ${effect.node} ${effect.locality}`] : []))
  bench.apply({ kind: 'opened' })
  bench.apply({ kind: 'joined', node: x, rack: 'r', host: 'x', slots: 0, attempts: [] })
  bench.apply({ kind: 'joined', node: a, rack: 's', host: 'a', slots: 2, attempts: [] })
  const { job, effects } = bench.submit({ maps: 3, reduces: 0 }, [[x], [x], [x]])
  expect(started(effects)).toEqual([])
  expect(started(bench.apply({ kind: 'placed', job, stage: 0, places: [[x], [a], [x, a]] }))).toEqual(['1 a node', '2 a node'])
})

test('a node is not kept waiting by many tasks that avoid it: it looks at 64 of them, and finds what lies behind the next time', () => {
  for (const [kept, found] of [[64, 64], [65, undefined]] as const) {
    const pending = new Pending()
    for (let task = 0; task <= kept; task++) pending.add(task, [], [])
    const wants = (task: number): TakeDecision => (task < kept ? 'keep' : 'take')
    expect(pending.takeAny(wants), `${kept} kept`).toBe(found)
    // Tasks that do not wait any more do not delay others.
    expect(pending.takeFree(task => (task < kept ? 'drop' : 'take'))).toBe(kept)
  }
})

test('one event starts a bounded amount of work: tasks of large splits start over several events, and no node is passed over', () => {
  const bench = new Bench()
  const runs = (effects: readonly Effect[]): number => effects.filter(({ kind }) => kind === 'run').length
  bench.apply({ kind: 'opened' })
  bench.apply({ kind: 'joined', node: nodeId('a'), rack: '/r', slots: 20, attempts: [], closed: false } as never)
  const atSubmit = runs(bench.submit({ maps: 12, reduces: 0, blocks: 2000 }, []).effects)
  const later = [1, 2, 3].map(() => runs(bench.apply({ kind: 'tick' })))
  expect([atSubmit, ...later]).toEqual([4, 4, 4, 0])
  expect(runs(bench.submit({ maps: 8, reduces: 0 }, []).effects), 'small splits start at once').toBe(8)
})
