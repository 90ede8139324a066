// Plans of jobs, their optimizer rules and stages, as text: rules keep the meaning and end, and the fingerprint depends on what the plan
// does.

import { expect, test } from 'vitest'
import { explain } from './explain.ts'
import { planDataflow } from '../../../../src/plan/dataflow.ts'
import { describeNode } from '../../../../src/plan/describe.ts'
import { fingerprintOf } from '../../../../src/plan/fingerprint.ts'
import { planMapReduce } from '../../../../src/plan/mapreduce.ts'
import { nodesOf, type Plan, type PlanNode } from '../../../../src/plan/node.ts'
import { optimize } from '../../../../src/plan/optimize.ts'
import { rules } from '../../../../src/plan/rules.ts'
import { stagesOf } from '../../../../src/plan/stage.ts'

const map = () => {}
const reduce = () => {}
const combine = () => 1
const full = {
  map, combine, reduce, partition: () => 0, reducers: 4, input: { format: 'csv', delimiter: ';' },
  output: { format: 'jsonl', replication: 2 },
} as const

test('a job with a combine reads as it is written, and combines before the shuffle once optimised', () => {
  expect(explain(planMapReduce(full))).toBe([
    'write jsonl (replication 2)',
    '└ reduce',
    '  └ combine',
    '    └ shuffle by partition function into 4',
    '      └ map',
    '        └ read csv (delimiter ";")',
  ].join('\n'))
  expect(explain(optimize(planMapReduce(full)))).toBe([
    'write jsonl (replication 2)',
    '└ reduce',
    '  └ shuffle by partition function into 4',
    '    └ combine',
    '      └ map',
    '        └ read csv (delimiter ";")',
  ].join('\n'))
})

test('a plan is cut at its shuffle into stages', () => {
  const stages = stagesOf(optimize(planMapReduce(full)))
  const shown = stages.map(({ name, branches, output, combine }) =>
    ({ name, branches: branches.map(({ input, steps }) => [input, ...steps.map(step => step.kind)]), output, combine }))
  expect(shown).toEqual([
    {
      name: 'map', branches: [[{ kind: 'files', options: { format: 'csv', delimiter: ';' } }, 'map']],
      output: { kind: 'shuffle', partitions: 4 }, combine: 2,
    },
    {
      name: 'reduce', branches: [[{ kind: 'shuffle', stage: 0, partitions: 4 }, 'reduce']],
      output: { kind: 'files', format: 'jsonl', replication: 2 }, combine: undefined,
    },
  ])
})

test('a check is a last stage of its own; a plan without one keeps its fingerprint', () => {
  const checked = planMapReduce({ ...full, check: () => 'no' })
  const [, , check] = stagesOf(optimize(checked))
  expect(check).toMatchObject({ name: 'check', branches: [{ input: { kind: 'output', stage: 1 }, steps: [] }], output: { kind: 'check' } })
  expect(describeNode(checked.root)).toBe('write jsonl (replication 2), checked')
  expect(fingerprintOf(checked)).not.toBe(fingerprintOf(planMapReduce(full)))
  const { root } = checked
  expect((checked.functions[root.check!] as () => string)()).toBe('no')
})

test('a job without reduce is one stage without partitions', () => {
  const plan = optimize(planMapReduce({ map }))
  expect(explain(plan)).toBe('write text\n└ map\n  └ read lines')
  expect(stagesOf(plan, { partitions: 9 })).toMatchObject([
    { name: 'map', branches: [{ input: { kind: 'files', options: { format: 'lines' } } }], output: { kind: 'files', format: 'text' } },
  ])
})

test('the run\'s number of partitions goes over the program\'s, and the plan stays the same plan', () => {
  const plan = optimize(planMapReduce({ map, reduce, reducers: 4 }))
  expect(stagesOf(plan, { partitions: 7 }).map(stage => stage.output)).toMatchObject([{ partitions: 7 }, { kind: 'files' }])
  expect(stagesOf(plan)[1]!.branches[0]!.input).toMatchObject({ partitions: 4 })
  expect(stagesOf(optimize(planMapReduce({ map, reduce })))[1]!.branches[0]!.input).toMatchObject({ partitions: 1 })
})

test('a shuffle whose result is shuffled again is dropped', () => {
  const read: PlanNode = { kind: 'read', inputs: [], options: { format: 'lines' } }
  const shuffle = (input: PlanNode, partitions: number): PlanNode =>
    ({ kind: 'shuffle', inputs: [input], partitions, partition: undefined })
  const plan: Plan = {
    root: { kind: 'write', output: { format: 'text' }, inputs: [shuffle(shuffle(shuffle(read, 1), 2), 3)] },
    functions: [], hooks: {},
  }
  expect(explain(optimize(plan))).toBe('write text\n└ shuffle by hash into 3\n  └ read lines')
})

test('a plan that no rule can better is returned as it is, and rules leave the plan that they were given alone', () => {
  const plan = planMapReduce({ map, reduce })
  expect(optimize(plan)).toBe(plan)
  const given = planMapReduce(full)
  const before = explain(given)
  optimize(given)
  expect(explain(given)).toBe(before)
  expect(nodesOf(given.root).every(node => Object.isFrozen(node))).toBe(true)
})

test('rules that undo each other are detected instead of running forever', () => {
  const flip = { name: 'flip', about: '', apply: (node: PlanNode): PlanNode => (node.kind === 'read' ? { ...node } : node) }
  expect(() => optimize(planMapReduce({ map }), [...rules, flip])).toThrow('undo each other')
})

test('a fingerprint depends on what the plan does, and on nothing else', () => {
  const print = (shape: Parameters<typeof planMapReduce>[0]) => fingerprintOf(optimize(planMapReduce(shape)))
  const base = print(full)
  expect(base).toMatch(/^[0-9a-f]{64}$/)
  expect(print({ ...full, input: { delimiter: ';', format: 'csv' }, map: () => undefined })).toBe(base)
  expect(print({ ...full, input: { format: 'csv', delimiter: ';', path: '/elsewhere' }, output: { ...full.output, path: '/out' } })).toBe(
    base,
  )
  const { combine: _c, ...withoutCombine } = full
  const { partition: _p, ...withoutPartition } = full
  const others = [
    { ...full, reducers: 5 }, withoutCombine, withoutPartition,
    { ...full, input: { format: 'lines' as const } },
    { ...full, output: { format: 'text' as const } },
    { map },
  ].map(print)
  expect(new Set([base, ...others]).size).toBe(others.length + 1)
})

test('recipes of a kind that this version does not know are refused by name, however deep they lie; known ones are planned, each once', () => {
  const read = { kind: 'read', inputs: [], options: { format: 'lines' } }
  const chain = (first: object, length: number): { kind: string; inputs: never[] } => {
    let last = first
    for (let i = 0; i < length; i++) last = { kind: 'sample', inputs: [last], fraction: 1 }
    return { kind: 'write', inputs: [last], path: '/out', output: { format: 'text' } } as never
  }
  expect(nodesOf(planDataflow(chain(read, 20_000)).root)).toHaveLength(20_002)
  const twice = chain({ kind: 'union', inputs: [read, read] }, 1)
  expect(nodesOf(planDataflow(twice).root).map(({ kind }) => kind)).toEqual(['read', 'union', 'sample', 'write'])
  expect(() => planDataflow(chain({ kind: 'window', inputs: [read] }, 100))).toThrow(expect.objectContaining({
    code: 'PROGRAM_INVALID', message: expect.stringContaining('the step "window", which this version of gristmill does not have') as string,
  }))
  expect(() => planDataflow(chain({ kind: 'read' }, 1))).toThrow(expect.objectContaining({ code: 'PROGRAM_INVALID' }))
})
