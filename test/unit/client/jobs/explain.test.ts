// Explanations of programs, as text: plan, rules, joins and stages with their reasons, within 80 columns. Sizes of files are given.

import { expect, test } from 'vitest'
import { explain, type Explanation } from '../../../../client/jobs/explain.ts'
import { explanationLines } from '../../../../client/jobs/explaintext.ts'
import { layOut } from '../../../../client/jobs/layout.ts'
import { formatBytes, MiB } from '../../../../src/base/units.ts'
import { planDataflow } from '../../../../src/plan/dataflow.ts'
import { flatten } from '../../../../src/plan/flat.ts'
import { planMapReduce } from '../../../../src/plan/mapreduce.ts'
import type { PlanShape } from '../../../../src/plan/node.ts'
import { program } from '../../../../src/program/dataflow.ts'
import type { Sources } from '../../../../src/program/sources.ts'

interface Options { readonly partitions?: number; readonly withoutRules?: readonly string[]; readonly goesOn?: boolean }

/** Files by path: each is as many splits of 128 MiB as it needs. */
async function explained(
  plan: PlanShape, sizes: Record<string, number>, { partitions, withoutRules, goesOn = false }: Options = {},
): Promise<Explanation> {
  const sizeOf = async ({ paths = [] }: { readonly paths?: readonly string[] }): Promise<number> =>
    paths.reduce((sum, path) => sum + sizes[path]!, 0)
  // A message to the submitter is JSON.
  const sent = JSON.parse(JSON.stringify(flatten(plan))) as ReturnType<typeof flatten>
  return explain(await layOut(sent, { partitions, withoutRules, sizeOf }), {
    partitions, formatBytes, goesOn,
    async splitsOf(input) {
      const bytes = await sizeOf(input)
      const count = Math.ceil(bytes / (128 * MiB))
      return Array.from({ length: count }, (_, i) => ({ ranges: [], bytes: i + 1 < count ? 128 * MiB : bytes - (count - 1) * 128 * MiB }))
    },
  })
}

const planOf = async (describe: (mill: Sources) => Promise<void>): Promise<PlanShape> => planDataflow(await program(describe).build({}))

const byState = ([, { state }]: [unknown, { state: string }]): string => state

const onTime = (mill: Sources): Promise<void> => {
  const flights = mill.csv('/flights.csv').map(row => ({ from: row['origin']!, delay: Number(row['delay']) }))
  const states = mill.csv('/airports.csv').map(row => ({ code: row['code']!, state: row['state']! }))
  return flights.join(states, flight => flight.from, airport => airport.code).countBy(byState)
    .sortBy(([, count]) => count, 'desc').save('/on-time', { format: 'csv' })
}

test('a join with a small table: the table is broadcast, and the number of partitions follows from the input', async () => {
  const lines = explanationLines(await explained(await planOf(onTime), { '/flights.csv': 300 * MiB, '/airports.csv': 4000 }))
  expect(lines.join('\n')).toBe(`plan
    0 read csv /flights.csv
    1 map
    2 key for join
    3 shuffle by hash of keys
    4 read csv /airports.csv
    5 map
    6 key for join
    7 shuffle by hash of keys
    8 join, of 3 and 7
    9 key for groupBy
   10 shuffle by hash of keys
   11 combine
   12 fold for groupBy
   13 key for sortBy
   14 sample keys for sortBy, of 12
   15 shuffle by hash of keys into 1
   16 shuffle by ranges of keys, of 13 and 15
   17 values of groups
   18 write csv /on-time

rules
  combine-before-shuffle: values of a key are combined in each task before they
    are moved (combine)

joins
  join: broadcast of its right side; its right side reads 3.9 KiB, at most 10.0
    MiB

stages
    0 1 task over /airports.csv, 3.9 KiB
      map, key for join
      → by hash of keys into 1 partition: the step needs one partition
    1 3 tasks over /flights.csv, 300 MiB
      map, join with a table of its right side, of stage 0, key for groupBy
      → by hash of keys into 5 partitions, combined before: one for each 64 MiB
        of 300 MiB input
    2 5 tasks over stage 1
      fold for groupBy, sample keys for sortBy
      → by hash of keys into 1 partition: the step needs one partition
      adaptive: merge-partitions
    3 5 tasks over stage 1
      fold for groupBy, key for sortBy
      → by ranges of keys into 5 partitions, bounds from stage 2: one for each
        64 MiB of 300 MiB input
      adaptive: merge-partitions, drop-empty-partitions
    4 5 tasks over stage 3
      values of groups
      → write csv /on-time
      adaptive: merge-partitions, drop-empty-partitions`)
})

test('a run that sets the number of partitions, and switches rules off, gets what it asks for', async () => {
  const { rules, joins, stages } = await explained(await planOf(onTime), { '/flights.csv': 300 * MiB, '/airports.csv': 4000 }, {
    partitions: 2, withoutRules: ['combine-before-shuffle'],
  })
  expect(rules).toEqual([])
  expect(joins).toEqual([{ join: 'join', by: 'merge', why: 'the run sets the number of partitions' }])
  expect(stages.map(({ output, why }) => [output, why])).toEqual([
    ['by hash of keys into 2 partitions', 'the run sets the number'], ['by hash of keys into 2 partitions', 'the run sets the number'],
    ['by hash of keys into 2 partitions', 'the run sets the number'], ['by hash of keys into 1 partition', 'the step needs one partition'],
    ['by ranges of keys into 2 partitions, bounds from stage 3', 'the run sets the number'], ['write csv /on-time', undefined],
  ])
})

test('every choice of a join has its reason', async () => {
  const by = (n: number): number => n
  const reason = async (describe: (mill: Sources) => Promise<void>, options: Options = {}): Promise<unknown> =>
    (await explained(await planOf(describe), { '/small': 1000, '/large': 11 * MiB }, options)).joins.map(join => [join.by, join.why])
  const text = (mill: Sources, path: string) => mill.text(path).map(Number)
  const cases: Array<[string, string, (mill: Sources) => Promise<void>, Options?]> = [
    ['broadcast of its left side', 'its left side reads 1000 B, at most 10.0 MiB',
      mill => text(mill, '/small').join(text(mill, '/large'), by, by).save('/out')],
    ['merge', 'its right side reads 11.0 MiB, more than 10.0 MiB', mill => text(mill, '/small').leftJoin(text(mill, '/large'), by, by).save('/out')],
    ['broadcast of its right side', 'its right side reads 80 B, at most 10.0 MiB',
      mill => text(mill, '/large').antiJoin(mill.range(10), by, by).save('/out')],
    ['broadcast of its right side', 'its right side reads 1000 B, at most 10.0 MiB',
      mill => text(mill, '/large').cross(text(mill, '/small')).save('/out')],
    ['merge', 'its right side is not known before the job',
      mill => text(mill, '/large').semiJoin(text(mill, '/small').distinct(), by, by).save('/out')],
    ['merge', 'no side of a full join can be broadcast', mill => text(mill, '/large').fullJoin(text(mill, '/small'), by, by).save('/out')],
    ['merge', 'the program sets the number of partitions',
      mill => text(mill, '/large').join(text(mill, '/small'), by, by, { partitions: 3 }).save('/out')],
    ['hash', 'as the program says', mill => text(mill, '/large').join(text(mill, '/small'), by, by, { strategy: 'hash' }).save('/out')],
    ['broadcast of its left side', 'as the program says',
      mill => text(mill, '/large').rightJoin(text(mill, '/small'), by, by, { strategy: 'broadcast' }).save('/out')],
    ['merge', 'the rule broadcast-joins is off', mill => text(mill, '/large').join(text(mill, '/small'), by, by).save('/out'),
      { withoutRules: ['broadcast-joins'] }],
  ]
  for (const [strategy, why, describe, options] of cases) {
    const expected = why.includes('not known') ? 'the size of its right side is not known before the job' : why
    expect(await reason(describe, options)).toEqual([[strategy, expected]])
  }
})

test('a map-reduce job, and a sort into one partition, whose keys are not sampled', async () => {
  const mapReduce = planMapReduce({ map() {}, reduce() {}, input: { format: 'lines' }, output: { format: 'text' } })
  const sorted = await planOf(mill => mill.text('/small').sortBy(line => line).save('/out'))
  const [first, second] = [await explained(mapReduce, {}), await explained(sorted, { '/small': 1000 })]
  expect(first.stages).toEqual([
    {
      name: 'map', reads: ['the input, 0 B'], tasks: 0, steps: ['map'], output: 'by hash of keys into 1 partition',
      why: 'the default of map-reduce jobs',
    },
    { name: 'reduce', reads: ['stage 0'], tasks: 1, steps: ['reduce'], output: 'write text' },
  ])
  expect(second.stages.map(({ tasks, reads }) => [tasks, ...reads])).toEqual([[0, 'nothing'], [1, '/small, 1000 B'], [1, 'stage 1']])
})

test('the first step of a program of several steps is explained as such', async () => {
  const first = await planOf(mill => mill.range(3).save('/out'))
  expect(explanationLines(await explained(first, {}, { goesOn: true })).slice(0, 4)).toEqual([
    'This is the first step of the program. Its others depend on results, and are', 'planned as it runs.', '', 'plan',
  ])
  expect(explanationLines(await explained(first, {}))[0]).toBe('plan')
})

test('lines have at most 80 columns, but for long words, and a plan of many steps is as wide as a short one', async () => {
  const long = await planOf(mill => {
    let data = mill.text(['/small', '/large'])
    for (let i = 0; i < 200; i++) data = data.map(line => line).filter(line => line !== '')
    return data.union(data, data).countBy(line => line).save('/out')
  })
  const lines = explanationLines(await explained(long, { '/small': 1, '/large': 1 }))
  expect(Math.max(...lines.map(line => line.length))).toBeLessThanOrEqual(80)
  expect(lines.length).toBeGreaterThan(400)
})
