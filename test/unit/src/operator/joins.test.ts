// Joins of every kind by every strategy against plain JavaScript: keys of all types, skewed keys, tables larger than the memory of a task,
// empty sides.

import { describe, expect, test } from 'vitest'
import type { Key } from '../../../../src/base/pair.ts'
import type { Dataset } from '../../../../src/program/dataset.ts'
import { dice, type Dice } from '../../../kit/dice.ts'
import { allRules, planned, valuesOf } from './engine.ts'
import { planBy } from '../../../../src/plan/choices.ts'
import { nodesOf } from '../../../../src/plan/node.ts'

interface Left { readonly id: number; readonly k: Key }
interface Right { readonly w: string; readonly k: Key }

const kinds = ['join', 'leftJoin', 'rightJoin', 'fullJoin', 'semiJoin', 'antiJoin'] as const
type Kind = typeof kinds[number]
const strategies = ['merge', 'hash', 'broadcast'] as const

const text = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? `${each}n` : Object.is(each, NaN) ? 'NaN' : each))
const sorted = (values: readonly unknown[]): string[] => values.map(text).sort()

function expected(kind: Kind, left: readonly Left[], right: readonly Right[]): unknown[] {
  const byKey = Map.groupBy(right, each => text(each.k))
  const rights = new Map(left.map(row => [row, byKey.get(text(row.k)) ?? []]))
  const pairs = left.flatMap(row => rights.get(row)!.map(each => [row, each]))
  const lonelyLeft = left.filter(row => rights.get(row)!.length === 0)
  const met = new Set([...rights.values()].flat())
  const lonelyRight = right.filter(each => !met.has(each)).map(each => [null, each])
  switch (kind) {
    case 'join': return pairs
    case 'leftJoin': return [...pairs, ...lonelyLeft.map(row => [row, null])]
    case 'rightJoin': return [...pairs, ...lonelyRight]
    case 'fullJoin': return [...pairs, ...lonelyLeft.map(row => [row, null]), ...lonelyRight]
    case 'semiJoin': return left.filter(row => !lonelyLeft.includes(row))
    case 'antiJoin': return lonelyLeft
  }
}

const keys: readonly Key[] = [
  0, 1, 2.5, -3, NaN, 'a', 'b', '', 'é', '😀', true, false, null, 7n, [1, 'x'], [1], ['\u0006'], '\u0006', [[null]],
]

function splitsOf<T>(random: Dice, rows: readonly T[]): T[][] {
  const splits: T[][] = [[]]
  for (const row of rows) {
    if (random.below(25) === 0) splits.push([])
    splits.at(-1)!.push(row)
  }
  return splits
}

/** Half of the rows have one key if `isSkewed`. */
function keyOf(random: Dice, isSkewed: boolean): Key { return isSkewed && random.below(2) === 0 ? 'hot' : random.pick(keys) }

const shapes = [{ partitions: 1 }, { partitions: 4, memoryBytes: 300, fanIn: 2 }, { partitions: 3 }]

const cases = kinds.flatMap(kind => strategies.map(strategy => [kind, strategy] as const))
  .filter(([kind, strategy]) => kind !== 'fullJoin' || strategy !== 'broadcast')

describe.each(cases)('%s by %s', (kind, strategy) => {
  const run = (left: readonly Left[], right: readonly Right[], shape: object, random: Dice): Promise<unknown[][]> => valuesOf(mill => {
    const data = mill.jsonl('/left') as Dataset<Left>
    const other = mill.jsonl('/right') as Dataset<Right>
    return data[kind](other, row => row.k, each => each.k, { strategy }).save('/out', { format: 'jsonl' })
  }, { files: { '/left': splitsOf(random, left), '/right': splitsOf(random, right) }, ...shape })

  test('gives what plain JavaScript gives, also with skewed keys and little memory', async () => {
    for (let seed = 1; seed <= 6; seed++) {
      const random = dice(seed)
      const isSkewed = seed % 2 === 0
      const left = Array.from({ length: random.below(80) }, (_, id): Left => ({ id, k: keyOf(random, isSkewed) }))
      const right = Array.from({ length: random.below(60) }, (_, i): Right =>
        ({ w: `w${i}${'x'.repeat(random.below(40))}`, k: keyOf(random, isSkewed) }))
      const rows = sorted(expected(kind, left, right))
      for (const shape of shapes) expect(sorted((await run(left, right, shape, random)).flat()), `seed ${seed}`).toEqual(rows)
    }
  })

  test('gives what plain JavaScript gives if a side is empty', async () => {
    const [left, right]: [Left[], Right[]] = [[{ id: 1, k: 'a' }], [{ w: 'w', k: 'b' }]]
    for (const [some, others] of [[left, []], [[], right], [[], []]] as Array<[Left[], Right[]]>)
      expect(sorted((await run(some, others, { partitions: 2 }, dice(1))).flat())).toEqual(sorted(expected(kind, some, others)))
  })

  test('a function that changes the values of a row changes no other row', async () => {
    const parts = await valuesOf(mill => {
      const data = mill.from<Left>([{ id: 1, k: 'a' }, { id: 2, k: 'a' }])
      const other = mill.from<Right>([{ w: 'x', k: 'a' }, { w: 'y', k: 'a' }])
      return (data[kind](other, row => row.k, each => each.k, { strategy }) as Dataset<unknown>).map(row => {
        const was = JSON.stringify(row)
        for (const each of [row].flat()) Object.assign(each as object, { id: 'changed', w: 'changed' })
        return was
      }).save('/out')
    })
    expect(parts.flat().some(row => (row as string).includes('changed'))).toBe(false)
  })
})

test('a broadcast needs no shuffle of the other side', async () => {
  const plan = await planned(mill => mill.range(9).join(mill.from([1]), n => n, n => n, { strategy: 'broadcast' }).save('/out'))
  const kindsOf = nodesOf(planBy(plan, { rules: allRules }).root)
    .map(node => (node.kind === 'shuffle' ? `shuffle into ${node.partitions}` : node.kind))
  expect(kindsOf).toEqual(['values', 'values', 'key', 'shuffle into 1', 'lookup', 'write'])
})

test('the submitter may choose the side that is broadcast, and no side that would lose rows', async () => {
  const plan = await planned(mill => mill.range(3).join(mill.range(5), n => n, n => n + 1).save('/out'))
  const join = nodesOf(plan.root).find(({ kind }) => kind === 'join')!
  for (const side of ['left', 'right'] as const) {
    const lookup = nodesOf(planBy(plan, { broadcasts: [{ join: join.number!, side }] }).root).find(({ kind }) => kind === 'lookup')
    expect(lookup).toMatchObject({ build: side })
    const parts = await valuesOf(mill => mill.range(3).join(mill.range(5), n => n, n => n + 1).save('/out', { format: 'jsonl' }), {}, {
      broadcasts: [{ join: join.number!, side }],
    })
    expect(sorted(parts.flat())).toEqual(['[1,0]', '[2,1]'])
  }
  const left = await planned(mill => mill.range(3).leftJoin(mill.range(5), n => n, n => n).save('/out'))
  const number = nodesOf(left.root).find(({ kind }) => kind === 'join')!.number!
  expect(() => planBy(left, { broadcasts: [{ join: number, side: 'left' }] })).toThrow('the left side of a left join cannot be broadcast')
  expect(() => planBy(left, { broadcasts: [{ join: 99, side: 'right' }] })).toThrow('by broadcast that its program does not have (99)')
})

test('options of joins are checked where the program describes them', async () => {
  const join = (kind: 'join' | 'fullJoin' | 'coGroup', options: unknown): Promise<unknown> => planned(mill => {
    const [data, other] = [mill.range(1), mill.range(1)]
    const by = (n: number): number => n
    const joined = kind === 'coGroup'
      ? data.coGroup(other, by, by, () => [], options as never)
      : data[kind](other, by, by, options as never)
    return (joined as Dataset<unknown>).save('/out')
  })
  await expect(join('join', { strategy: 'fast' })).rejects.toThrow(`the strategy of join is "fast"; it is 'merge', 'hash' or 'broadcast'`)
  await expect(join('join', { strategy: 'broadcast', partitions: 2 })).rejects.toThrow('join by broadcast has no partitions')
  await expect(join('fullJoin', { strategy: 'broadcast' })).rejects.toThrow('fullJoin cannot be done by broadcast')
  await expect(join('join', { parts: 2 })).rejects.toThrow('join does not know the option "parts"; it knows partitions and strategy')
  await expect(join('coGroup', { strategy: 'hash' })).rejects.toThrow('coGroup does not know the option "strategy"; it knows partitions')
})

test('a key that cannot be one is refused, also where the table has no such key', async () => {
  const keyless = (row: { readonly k: number | null }): never => (row.k ?? undefined) as never
  await expect(valuesOf(mill => mill.from([{ k: null }, { k: 1 }])
    .join(mill.from([{ k: 1 }]), keyless, row => row.k, { strategy: 'broadcast' }).save('/out')))
    .rejects.toMatchObject({ cause: { message: expect.stringContaining('undefined') } })
})
