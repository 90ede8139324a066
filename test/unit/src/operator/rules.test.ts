// Rules of the optimizer: random programs over Datasets give the same values with all rules, without each of them, and without any, also
// where steps draw random numbers; and what each rule does to a plan.

import { describe, expect, test } from 'vitest'
import type { Key } from '../../../../src/base/pair.ts'
import { planBy } from '../../../../src/plan/choices.ts'
import { optimize } from '../../../../src/plan/optimize.ts'
import { stagesOf } from '../../../../src/plan/stage.ts'
import type { Context } from '../../../../src/program/definition.ts'
import type { Dataset } from '../../../../src/program/dataset.ts'
import type { Sources } from '../../../../src/program/sources.ts'
import { adaptiveRules } from '../../../../src/plan/adaptive.ts'
import { rules } from '../../../../src/plan/rules.ts'
import { dice, type Dice } from '../../../kit/dice.ts'
import { explain } from '../plan/explain.ts'
import { allRules, planned, valuesOf } from './engine.ts'

interface Row { readonly id: number; readonly name: string; readonly n: number }

const byName = (row: Row): string => row.name
const byN = (row: Row): number => row.n
/** The same function objects each time: rules look for them. */
const keys: ReadonlyArray<(row: Row) => Key> = [byName, byN]
const isOdd = (row: Row): boolean => row.id % 2 === 1
const isLow = (row: Row): boolean => row.n < 3
const text = (value: unknown): string => JSON.stringify(value)
const sorted = (parts: readonly unknown[][]): string[] => parts.flat().map(text).sort()

type Transform = (data: Dataset<Row>, other: Dataset<Row>, draw: Dice, mill: Sources) => Dataset<Row>

/** Steps that rules know how to change, next to each other in any order. */
const transforms: readonly Transform[] = [
  data => data.filter(isOdd),
  data => data.filter(isLow),
  (data, _, draw) => data.partitionBy(draw.pick(keys), draw.pick([2, 3])),
  data => data.sortBy(byName),
  data => data.sortBy([byN, 'desc'], [byName]),
  (data, _, draw) => data.partitionBy(byName, 3).groupBy(byName, draw.pick([{}, { partitions: 3 }])).flatMap((_name, values) => values),
  (data, _, draw) => data.groupBy(byName).sortBy(byN, draw.pick(['asc', 'desc'] as const)).flatMap((_name, values) => values),
  data => data.groupBy(byName).map((name, values) => ({ id: Math.max(...[...values].map(row => row.id)), name, n: 1 })),
  (data, _, draw) => data.countBy(draw.pick(keys)).map(([name, n]) => ({ id: n, name: String(name), n })),
  data => data.distinctBy(row => `${row.id} ${row.name} ${row.n}`),
  data => data.groupBy(byName, { partitions: 3 }).aggregate({ zero: () => 0, add: (sum, row) => sum + row.n, merge: (a, b) => a + b })
    .map(([name, n]) => ({ id: 1, name, n })),
  (data, other) => data.union(other),
  (data, other) => data.semiJoin(other, byName, byName),
  (data, other) => data.antiJoin(other, byN, byN),
  (data, other, draw) => data.join(other, byName, byName, draw.pick([{}, { partitions: 3 }]))
    .filter(([a, b]) => (a.id + b.id) % 7 === 0).map(([a]) => a),
  (data, _, __, mill) => data.union(mill.from<Row>([])),
  (data, other) => data.union(other.sample(0)),
  (data, other) => data.antiJoin(other.filter(isOdd).sample(0), byName, byName),
  data => data.top(30, byN).union(data.top(0, byN)),
]

/** Steps whose values depend on the task that they run in: which rows they keep must be the same with each set of rules. */
const drawing: readonly Transform[] = [
  data => data.sample(0.7),
  data => data.filter((_: Row, context: Context) => context.random() < 0.7),
]

/** Behind these, which values a task sees in which order depends on the rules; and so do random numbers that are drawn for them. */
const spreading: readonly Transform[] = [
  (data, _, draw) => data.repartition(draw.pick([2, 5])),
  data => data.repartition(3).distinctBy(row => `${row.id} ${row.name} ${row.n}`),
]

const sets: ReadonlyArray<readonly [string, readonly string[]]> = [
  ['all rules', allRules], ...allRules.map(name => [`without ${name}`, allRules.filter(each => each !== name)] as const), ['no rule', []],
]

const rowsOf = (random: Dice, count: number): Row[] =>
  Array.from({ length: count }, (_, id): Row => ({ id, name: random.pick(['a', 'b', 'c', 'é']), n: random.below(6) }))

function randomProgram(seed: number, steps: readonly Transform[]): (mill: Sources) => Promise<void> {
  return mill => {
    const draw = dice(seed * 1000)
    const made: Array<Dataset<Row>> = [mill.jsonl('/a') as Dataset<Row>, (mill.jsonl('/a') as Dataset<Row>).filter(isLow)]
    const count = 3 + draw.below(6)
    // Mostly one step behind the other: rules are about neighbours.
    for (let i = 0; i < count; i++) {
      const from = draw.below(5) > 0 ? made.at(-1)! : draw.pick(made)
      made.push(draw.pick(steps)(from, draw.pick(made), draw, mill))
    }
    return made.at(-1)!.save('/out', { format: 'jsonl' })
  }
}

const seeds = Number(process.env['SEEDS'] ?? 12)
/** Programs that are only planned. */
const plannedSeeds = 300

test('random programs give the same values with all rules, without each of them, and without any', async () => {
  for (let seed = 1; seed <= seeds; seed++) {
    const random = dice(seed)
    const files = { '/a': [rowsOf(random, random.below(30)), rowsOf(random, random.below(10))] }
    const shape = random.pick([{ partitions: 1 }, { partitions: 3 }, { partitions: 4, memoryBytes: 2000, fanIn: 2 }])
    const program = randomProgram(seed, [...transforms, ...spreading])
    let first: string[] | undefined
    for (const [name, applied] of sets) {
      const values = sorted(await valuesOf(program, { files, ...shape }, { rules: applied }))
      expect(values, `seed ${seed}, ${name}`).toEqual(first ??= values)
    }
  }
})

const adaptiveNames = adaptiveRules.map(({ name }) => name)

test('random programs give the same values with all adaptive rules, and without each of them; each rule rewrites stages', async () => {
  const used = new Set<string>()
  for (let seed = 1; seed <= seeds + 8; seed++) {
    const random = dice(seed)
    const files = { '/a': [rowsOf(random, 20 + random.below(60)), rowsOf(random, random.below(10)), rowsOf(random, 30)] }
    const program = seed % 2 === 0 ? randomProgram(seed, [...transforms, ...drawing]) : joinProgram(seed >> 1)
    const shape = { files, partitions: 12, partitionBytes: seed % 2 === 0 ? random.pick([64, 512, 8192]) : 32 }
    const first = sorted(await valuesOf(program, shape))
    for (const adaptive of [adaptiveNames, ...adaptiveNames.map(off => adaptiveNames.filter(name => name !== off))]) {
      const values = sorted(await valuesOf(program, { ...shape, adaptive, onAdapted: rule => used.add(rule) }))
      expect(values, `seed ${seed}, ${adaptive.join()}`).toEqual(first)
    }
  }
  expect([...used].sort()).toEqual(adaptiveNames.toSorted())
})

test('a join whose sides both have a large key, and keys without a partner in each partition, gives each row once when it is divided', async () => {
  const side = (from: number, large: number): Row[] => [
    ...Array.from({ length: large }, (_, id) => ({ id, name: 'large', n: 0 })),
    ...Array.from({ length: 40 }, (_, i) => ({ id: 1000 + i, name: 'small', n: from + i })),
  ]
  const inThree = (all: readonly Row[]): Row[][] => [0, 1, 2].map(part => all.filter(({ id }) => id % 3 === part))
  const files = { '/left': inThree(side(1, 60)), '/right': inThree(side(21, 40)) }
  const both = { strategy: 'merge' as const }
  const joins: Readonly<Record<string, (left: Dataset<Row>, right: Dataset<Row>) => Dataset<unknown>>> = {
    inner: (left, right) => left.join(right, byN, byN, both), left: (left, right) => left.leftJoin(right, byN, byN, both),
    right: (left, right) => left.rightJoin(right, byN, byN, both), full: (left, right) => left.fullJoin(right, byN, byN),
    semi: (left, right) => left.semiJoin(right, byN, byN, both), anti: (left, right) => left.antiJoin(right, byN, byN, both),
  }
  const divided: string[] = []
  for (const [kind, joined] of Object.entries(joins)) {
    const program = (mill: Sources) =>
      joined(mill.jsonl('/left') as Dataset<Row>, mill.jsonl('/right') as Dataset<Row>).save('/out', { format: 'jsonl' })
    const shape = { files, partitions: 12, partitionBytes: 64 }
    const plain = sorted(await valuesOf(program, shape))
    const onAdapted = (rule: string): void => { if (rule === 'split-partitions') divided.push(kind) }
    expect(sorted(await valuesOf(program, { ...shape, adaptive: ['split-partitions'], onAdapted })), kind).toEqual(plain)
  }
  expect(divided.sort()).toEqual(['anti', 'inner', 'left', 'right', 'semi'])
})

/** Joins of each kind of rows of which half have one key with few others, which have other keys too; `kind`: of the join. */
function joinProgram(kind: number): (mill: Sources) => Promise<void> {
  return mill => {
    const byHalf = (row: Row): number => (row.id % 2 === 0 ? 0 : row.id)
    const all = rows(mill)
    const few = all.filter(row => row.id % 5 === 0).distinctBy(byHalf)
      .map(row => ({ ...row, id: row.id % 3 === 0 ? row.id : row.id + 500 }))
    const options = kind % 2 === 0 ? { strategy: 'merge' as const } : {}
    const joins: ReadonlyArray<() => Dataset<unknown>> = [
      () => all.join(few, byHalf, byHalf, options), () => all.leftJoin(few, byHalf, byHalf, options),
      () => all.antiJoin(few, byHalf, byHalf, options), () => all.semiJoin(few, byHalf, byHalf, options),
      () => all.rightJoin(few, byHalf, byHalf, options), () => all.fullJoin(few, byHalf, byHalf),
      () => few.leftJoin(all, byHalf, byHalf, options), () => few.rightJoin(all, byHalf, byHalf, options),
      () => few.antiJoin(all, byHalf, byHalf, options), () => few.join(all, byHalf, byHalf, options),
    ]
    return joins[kind % joins.length]!().save('/out', { format: 'jsonl' })
  }
}

test('random programs make use of every rule', async () => {
  const fired = new Set<string>()
  for (let seed = 1; seed <= plannedSeeds; seed++)
    optimize(await planned(randomProgram(seed, [...transforms, ...spreading])), rules, ({ rule }) => fired.add(rule))
  // Pairs are never shuffled twice in a program over Datasets: this rule is for plans of other origin (plan.test.ts).
  expect([...fired].sort()).toEqual(allRules.filter(name => name !== 'drop-shuffle').sort())
})

/** These change how many tasks there are, or which values a task sees in which order; so do the random numbers of each value. */
const keepsTasks = allRules.filter(name => name !== 'adopt-partitions' && name !== 'drop-repartition')

test('steps that draw random numbers draw the same ones with and without the rules that leave tasks alone', async () => {
  for (let seed = 1; seed <= seeds; seed++) {
    const random = dice(seed)
    const files = { '/a': [rowsOf(random, 30), rowsOf(random, 20)] }
    const program = randomProgram(seed, [...transforms, ...drawing])
    const [with_, without] = [keepsTasks, []].map(applied => valuesOf(program, { files, partitions: 3 }, { rules: applied }))
    expect(sorted(await with_!), `seed ${seed}`).toEqual(sorted(await without!))
  }
})

/** Stages of a program under these rules, by their names. */
async function stages(describe: (mill: Sources) => void | Promise<void>, applied: readonly string[]): Promise<string[]> {
  return stagesOf(planBy(await planned(describe), { rules: applied })).map(({ name }) => name)
}

const rows = (mill: Sources): Dataset<Row> => mill.jsonl('/a') as Dataset<Row>

describe('each rule', () => {
  const cases: Array<[string, (mill: Sources) => Promise<void>, string[], string[]]> = [
    ['share-branches', mill => {
      const named = rows(mill).join(mill.from([1]), byN, n => n)
      return named.union(rows(mill).join(mill.from([2]), byN, n => n)).save('/out')
    }, ['copy', 'copy', 'copy', 'join'], ['copy', 'copy', 'copy', 'copy', 'join']],
    ['drop-dead-branches', mill => {
      const dead = rows(mill).groupBy(byName).map((name): Row => ({ id: 0, name: String(name), n: 0 })).sample(0)
      return rows(mill).union(dead).save('/out')
    },
      ['copy'], ['copy', 'copy | map groups + sample']],
    ['drop-repartition', mill => rows(mill).repartition(3).countBy(byName).save('/out'),
      ['copy', 'aggregate'], ['copy', 'values', 'aggregate']],
    ['filter-before-shuffle', mill => rows(mill).partitionBy(byName, 3).filter(isOdd).save('/out'),
      ['filter', 'values'], ['copy', 'values + filter']],
    ['reuse-partitions', mill => rows(mill).partitionBy(byName, 3).countBy(byName, { partitions: 3 }).save('/out'),
      ['copy', 'aggregate'], ['copy', 'values', 'aggregate']],
    ['adopt-partitions', mill => rows(mill).partitionBy(byName, 3).countBy(byName).save('/out'),
      ['copy', 'aggregate'], ['copy', 'values', 'aggregate']],
  ]
  test.each(cases)('%s', async (name, describe, with_, without) => {
    expect(await stages(describe, allRules)).toEqual(with_)
    expect(await stages(describe, allRules.filter(each => each !== name))).toEqual(without)
  })

  test('combine-before-shuffle', async () => {
    const count = (mill: Sources): Promise<void> => rows(mill).countBy(byName).save('/out')
    expect(explain(planBy(await planned(count), { rules: ['combine-before-shuffle'] }))).toMatch(/shuffle by hash\n.*└ combine/)
    expect(explain(planBy(await planned(count), { rules: [] }))).toMatch(/combine\n.*└ shuffle by hash/)
  })

  test('a second sort by the same key is left out, also in descending order and by several parts', async () => {
    const twice = (mill: Sources): Promise<void> =>
      rows(mill).sortBy([byName, 'desc'], [byN]).filter((_, { random }) => random() >= 0).sortBy([byName, 'desc'], [byN]).save('/out')
    const sort = (mill: Sources): Promise<void> => rows(mill).sortBy([byName, 'desc'], [byN]).sortBy([byName, 'desc'], [byN]).save('/out')
    expect(await stages(sort, allRules)).toEqual(['sample keys', 'copy', 'values'])
    expect(await stages(twice, allRules)).toHaveLength(5)
  })

  test('sides of a join that lie in the same partitions are not shuffled again, and one takes the number of the other', async () => {
    const both = (mill: Sources): Promise<void> =>
      rows(mill).partitionBy(byName, 3).join(rows(mill).filter(isOdd).partitionBy(byName, 3), byName, byName).save('/out')
    const one = (mill: Sources): Promise<void> =>
      rows(mill).partitionBy(byName, 3).join(rows(mill).filter(isOdd), byName, byName).save('/out')
    const unlike = (mill: Sources): Promise<void> =>
      rows(mill).partitionBy(byName, 3).join(rows(mill).partitionBy(byName, 3), byName, row => row.name).save('/out')
    expect(await stages(both, allRules)).toEqual(['copy', 'filter', 'join'])
    expect(await stages(one, allRules)).toEqual(['copy', 'filter', 'join'])
    expect(await stages(unlike, allRules)).toEqual(['copy', 'values', 'join'])
    expect(stagesOf(planBy(await planned(one), { rules: allRules })).map(({ output }) => output)).toMatchObject([
      { partitions: 3 }, { partitions: 3 }, { kind: 'files' },
    ])
  })

  test('no function gets a value that it would not get without rules: a filter behind a join may rely on what the join leaves out', async () => {
    const files = { '/a': [rowsOf(dice(1), 30)] }
    for (const how of ['semiJoin', 'antiJoin'] as const) {
      const known = ({ name }: Row): boolean => (how === 'semiJoin' ? name === 'a' : name !== 'a')
      const relying = (row: Row): boolean => {
        if (!known(row)) throw new Error(`the filter got ${row.name}`)
        return isOdd(row)
      }
      const program = (mill: Sources): Promise<void> =>
        rows(mill)[how](mill.from(['a']), byName, name => name, { strategy: 'merge' }).filter(relying).save('/out')
      expect(sorted(await valuesOf(program, { files, partitions: 3 })), how)
        .toEqual(sorted([files['/a'][0]!.filter(row => known(row) && isOdd(row))]))
    }
  })

  test('steps that count, draw random numbers or are called for their effects are neither moved, merged nor dropped', async () => {
    const counting = (row: Row, { counter }: Context): boolean => { counter('seen'); return row.id > 0 }
    const spread = (mill: Sources): Promise<void> => rows(mill).partitionBy(byName, 3).filter(counting as never).save('/out')
    expect(await stages(spread, allRules)).toEqual(['copy', 'values + filter'])
    const twice = (mill: Sources): Promise<void> => {
      const half = (): Dataset<Row> => rows(mill).sample(0.5).partitionBy(byName, 3)
      return half().union(half()).save('/out')
    }
    expect(await stages(twice, allRules)).toHaveLength(3)
    const peeked = (mill: Sources): Promise<void> => rows(mill).union(rows(mill).peek(() => {}).sample(0)).save('/out')
    expect(await stages(peeked, allRules)).toEqual(['copy | peek + sample'])
    const whole = (mill: Sources): Promise<void> =>
      rows(mill).union(rows(mill).sample(0).mapPartitions(() => [{ id: 1, name: 'once', n: 1 }])).save('/out')
    expect(await stages(whole, allRules)).toEqual(['copy | sample + mapPartitions'])
  })

  test('an unknown rule of a job is refused with advice', async () => {
    const plan = await planned(mill => rows(mill).save('/out'))
    expect(() => planBy(plan, { rules: ['new-rule'] })).toThrow('"new-rule", which this version of gristmill does not have; upgrade')
  })
})
