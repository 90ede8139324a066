// Data that programs over Datasets do not expect: keys of mixed types and without a value, values that contain themselves or exceed the
// memory of a task, a key with half of the values, inputs without a record. Each gives the right result, or an error that names the cause.

import { describe, expect, test } from 'vitest'
import type { Dataset } from '../../../../src/program/dataset.ts'
import type { Key } from '../../../../src/base/pair.ts'
import type { Sources } from '../../../../src/program/sources.ts'
import { planned, valuesOf } from './engine.ts'

const keys: readonly Key[] = [1, '1', true, 'true', null, 'null', NaN, 0, -0, [1], '[1]', [], '', ['a', null], 7n, 7]
const rows = Array.from({ length: 500 }, (_, id) => ({ id, key: keys[id * 7 % keys.length]! }))
const flat = async (...given: Parameters<typeof valuesOf>): Promise<unknown[]> => (await valuesOf(...given)).flat()

test('keys of mixed types are grouped by type and value: NaN is one key, so are 0 and -0, and 7 and 7n are two', async () => {
  const name = (key: Key): string =>
    (typeof key === 'bigint' ? `${key}n` : Object.is(key, NaN) ? 'NaN' : `${typeof key} ${JSON.stringify(key)}`)
  const expected = [...Map.groupBy(rows, ({ key }) => name(key))].map(([key, all]) => `${key} ${all.length}`)
  const found = await flat(mill =>
    mill.from(rows).groupBy(row => row.key, { partitions: 3 }).count().map(([key, n]) => `${name(key)} ${n}`).save('/out'))
  expect(found.sort()).toEqual(expected.sort())
})

test('values sorted by keys of mixed types have one order, whatever the number of partitions', async () => {
  const sorted = (partitions: number): Promise<unknown[]> =>
    flat(mill => mill.from(rows).sortBy(row => [row.key, row.id], 'desc', { partitions }).map(row => row.id).save('/out'))
  const one = await sorted(1)
  expect(one.toSorted((a, b) => Number(a) - Number(b))).toEqual(rows.map(({ id }) => id))
  expect(await sorted(4)).toEqual(one)
})

describe('a key that is none fails the task, with the step and what it was given', () => {
  interface Row { readonly id: number; readonly key: { readonly of: number } | symbol | (() => void) | undefined }
  const cases: ReadonlyArray<readonly [string, Row['key']]> = [
    ['undefined', undefined], ['an object', { of: 1 }], ['a function', () => undefined], ['a symbol', Symbol('s')],
  ]
  const uses: Record<string, (values: Dataset<Row>) => Dataset<unknown>> = {
    groupBy: values => values.groupBy(row => row.key as never).count(),
    sortBy: values => values.sortBy(row => row.key as never),
    join: values => values.join(values, row => row.key as never, row => row.id, { strategy: 'merge' }),
    countBy: values => values.countBy(row => row.key as never),
    partitionBy: values => values.partitionBy(row => row.key as never, 2),
    top: values => values.top(2, row => row.key as never),
  }
  test.each(cases)('%s', async (_, key) => {
    for (const [step, use] of Object.entries(uses)) {
      const given = (mill: Sources): Dataset<Row> => mill.range(3).map((id): Row => ({ id, key }))
      const failure = await flat(mill => use(given(mill)).save('/out')).catch((error: unknown) => error as Error)
      const { message } = (failure as Error).cause as Error
      expect(message, step).toMatch(/key/)
    }
  })
})

test('a value that refers to itself fails where it is moved, and says so; within a task it is one', async () => {
  interface Node { readonly id: number; self?: Node }
  const nodes = (mill: Sources): Dataset<Node> => mill.range(3).map(id => {
    const node: Node = { id }
    node.self = node
    return node
  })
  expect(await flat(mill => nodes(mill).map(node => node.self!.self!.id).save('/out'))).toEqual([0, 1, 2])
  const uses = [
    (mill: Sources) => nodes(mill).groupBy(node => node.id).map((_, all) => [...all].length),
    (mill: Sources) => nodes(mill).sortBy(node => node.id),
  ]
  for (const use of uses) {
    const failure = await flat(mill => use(mill).save('/out')).catch((error: unknown) => error as Error)
    expect(((failure as Error).cause as Error).message).toMatch(/nested over/)
  }
})

test('a value larger than the memory of a task is moved, sorted and joined', async () => {
  const options = { memoryBytes: 64 * 1024, partitions: 2 }
  const large = (mill: Sources): Dataset<{ id: number; text: string }> =>
    mill.range(6, { partitions: 2 }).map(id => ({ id, text: String(id).repeat(300_000) }))
  const shown = ({ id, text }: { id: number; text: string }): string => `${id} ${text.length} ${text.at(-1)}`
  const expected = Array.from({ length: 6 }, (_, id) => `${id} 300000 ${id}`)
  expect(await flat(mill => large(mill).sortBy(row => row.id).map(shown).save('/out'), options)).toEqual(expected)
  const grouped = await flat(mill => large(mill).groupBy(row => row.id).map((_, [...values]) => shown(values[0]!)).save('/out'), options)
  expect(grouped.sort()).toEqual(expected)
  const joined = await flat(mill => large(mill).join(large(mill), row => row.id, row => row.id, { strategy: 'merge' })
    .map(([left, right]) => (left.text === right.text ? shown(left) : 'other')).save('/out'), options)
  expect(joined.sort()).toEqual(expected)
})

test('one key with half of the values, more than the memory of a task, keeps its values and their order', async () => {
  const options = { memoryBytes: 64 * 1024 }
  const found = await flat(mill => mill.range(10_000, { partitions: 2 })
    .groupBy(n => (n % 2 === 0 ? 'hot' : n % 1000), { partitions: 3 })
    .sortBy(n => n, 'desc')
    .map((key, values) => {
      let [count, sum, before] = [0, 0, Infinity]
      for (const n of values) {
        if (n > before) throw new Error(`${n} after ${before}`)
        before = n
        count++
        sum += n
      }
      return `${key} ${count} ${sum}`
    }).save('/out'), options)
  expect(found).toHaveLength(501)
  expect(found).toContain('hot 5000 24995000')
  expect(found).toContain('1 10 45010')
})

describe('an input without records gives what no values give', () => {
  const empty = { files: { '/none': [[]] }, partitions: 2 }
  const uses: Record<string, (values: Dataset<string>, mill: Sources) => Dataset<unknown>> = {
    map: values => values.map(line => line.length),
    groupBy: values => values.groupBy(line => line).map((key, all) => [key, [...all].length]),
    aggregate: values => values.groupBy(line => line).aggregate({ zero: () => 0, add: n => n + 1, merge: (a, b) => a + b }),
    sortBy: values => values.sortBy(line => line, 'asc', { partitions: 3 }),
    secondary: values => values.groupBy(line => line).sortBy(line => line.length).map(key => key),
    distinct: values => values.distinct(),
    top: values => values.top(3, line => line),
    repartition: values => values.repartition(3),
    mapPartitions: values => values.mapPartitions(async function * (all) { yield * all }),
    'join with values': (values, mill) => values.join(mill.from(['a']), line => line, other => other),
    'join by hash': (values, mill) => mill.from(['a']).join(values, other => other, line => line, { strategy: 'hash' }),
    coGroup: values => values.coGroup(values, line => line, line => line, key => [key]),
    union: values => values.union(values, values),
  }
  test.each(Object.entries(uses))('%s', async (_, use) => {
    expect(await flat(mill => use(mill.text('/none'), mill).save('/out'), empty)).toEqual([])
  })

  test('the other side of an outer join stays, and so do the values of a union and of an antiJoin', async () => {
    const one = (use: (values: Dataset<string>, mill: Sources) => Dataset<unknown>): Promise<unknown[]> =>
      flat(mill => use(mill.text('/none'), mill).save('/out'), empty)
    expect(await one((values, mill) => mill.from(['a']).leftJoin(values, a => a, b => b))).toEqual([['a', null]])
    expect(await one((values, mill) => values.fullJoin(mill.from(['a']), a => a, b => b))).toEqual([[null, 'a']])
    expect(await one((values, mill) => values.union(mill.from(['a'])))).toEqual(['a'])
    expect(await one((values, mill) => mill.from(['a']).antiJoin(values, a => a, b => b))).toEqual(['a'])
  })
})

test('a function that is given in place of a value, and one that returns a promise, are refused with the step', async () => {
  const wrong = planned(mill => mill.range(3).groupBy('id' as never).count().save('/out'))
  await expect(wrong).rejects.toThrow('groupBy was given "id" in place of a function')
  const later = async (n: number): Promise<number> => n
  const uses: Record<string, (values: Dataset<number>) => Dataset<unknown>> = {
    groupBy: values => values.groupBy(later as never).count(), sortBy: values => values.sortBy(later as never),
    filter: values => values.filter(later as never),
    reduceByKey: values => values.map(n => [0, n] as const).reduceByKey((async (a: number) => a) as never),
    'map groups': values => values.groupBy(n => n).map((async (n: number) => n) as never), top: values => values.top(1, later as never),
    peek: values => values.peek(later as never),
    aggregate: values => values.groupBy(n => n).aggregate({ zero: () => 0, add: later as never, merge: (a: number) => a }),
  }
  for (const [step, use] of Object.entries(uses)) {
    const failure = await flat(mill => use(mill.range(3).map(n => n % 2)).save('/out')).catch((error: unknown) => error as Error)
    expect(((failure as Error).cause as Error | undefined ?? failure as Error).message, step).toMatch(/promise/i)
  }
})
