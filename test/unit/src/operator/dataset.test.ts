// Datasets against plain JavaScript over the same values: each step by itself, and random programs of many steps, with different numbers of
// splits and partitions, little memory, and optimizer rules switched off.

import { describe, expect, test } from 'vitest'
import type { Key } from '../../../../src/base/pair.ts'
import type { Dataset } from '../../../../src/program/dataset.ts'
import { fresh } from '../../../../src/program/fresh.ts'
import type { Sources } from '../../../../src/program/sources.ts'
import { rules } from '../../../../src/plan/rules.ts'
import { dice, type Dice } from '../../../kit/dice.ts'
import { compare } from '../shuffle/kit.ts'
import { planned, valuesOf } from './engine.ts'

interface Row { readonly id: number; readonly name: string; readonly n: number }

const nameOf = (random: Dice): string => random.pick(['a', 'b', 'ab', 'é', '😀', '\uffff', 'long name with spaces', ''])
const rowsOf = (random: Dice, count: number): Row[] =>
  Array.from({ length: count }, (_, id): Row => ({ id, name: nameOf(random), n: random.below(20) - 10 }))

/** Cuts the rows into splits of random sizes, some empty. */
function splitsOf<T>(random: Dice, rows: readonly T[]): T[][] {
  const splits: T[][] = [[]]
  for (const row of rows) {
    if (random.below(20) === 0) splits.push([])
    splits.at(-1)!.push(row)
  }
  return splits
}

const shapes = [{ partitions: 1 }, { partitions: 3 }, { partitions: 7, memoryBytes: 2000, fanIn: 2 }]

/** The values that a program saves over rows, for each shape of the engine. */
async function each(
  rows: readonly Row[], describe: (rows: Dataset<Row>, mill: Sources) => Dataset<any>,
  check: (parts: unknown[][], partitions: number) => void,
): Promise<void> {
  for (const shape of shapes) {
    const files = { '/rows': splitsOf(dice(shape.partitions), rows) }
    const save = async (mill: Sources): Promise<void> =>
      describe(mill.jsonl('/rows') as Dataset<Row>, mill).save('/out', { format: 'jsonl' })
    const parts = await valuesOf(save, { files, ...shape })
    check(parts, shape.partitions)
  }
}

const text = (value: unknown): string => JSON.stringify(value) ?? 'undefined'
const sorted = (values: readonly unknown[]): unknown[] =>
  values.map(value => [text(value), value] as const).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, value]) => value)
const same = (expected: readonly unknown[]) => (parts: unknown[][]): void => expect(sorted(parts.flat())).toEqual(sorted(expected))
const inOrder = (expected: readonly unknown[]) => (parts: unknown[][]): void => expect(parts.flat()).toEqual(expected)
/** An error of a program's function. */
const failing = (message: string) => ({ cause: { message: expect.stringMatching(message) } })

function grouped<T>(values: readonly T[], key: (value: T) => Key): Array<[Key, T[]]> {
  const groups = new Map<string, [Key, T[]]>()
  for (const value of values) {
    const its = key(value)
    const group = groups.get(text(its)) ?? [its, []]
    group[1].push(value)
    groups.set(text(its), group)
  }
  return [...groups.values()]
}

const rows = rowsOf(dice(3), 300)

describe('steps that take one value at a time', () => {
  test('map, filter, flatMap and peek do as those of arrays, in order', async () => {
    const seen: number[] = []
    await each(
      rows, data => data.peek(row => { seen.push(row.id) }).filter(row => row.n > 0).flatMap(row => [row.name, row.n]).map(x => [x]),
      inOrder(rows.filter(row => row.n > 0).flatMap(row => [[row.name], [row.n]])),
    )
    expect(seen).toHaveLength(rows.length * shapes.length)
  })

  test('mapAsync keeps the order of values whose calls end in another order, with at most as many calls as are allowed', async () => {
    let running = 0
    let most = 0
    const later = async (row: Row): Promise<number> => {
      most = Math.max(most, ++running)
      for (let i = 0; i < row.id % 7; i++) await null
      running--
      return row.id
    }
    await each(rows, data => data.mapAsync(later, { concurrency: 5 }).filter(id => id % 2 === 0), parts =>
      expect(parts.flat()).toEqual(rows.map(row => row.id).filter(id => id % 2 === 0)))
    expect(most).toBe(5)
  })

  test('mapAsync reports a failure once the values before it are passed on', async () => {
    const fail = async (row: Row): Promise<number> => { if (row.id === 7) throw new RangeError('no seven'); return row.id }
    await expect(each(rows, data => data.mapAsync(fail), () => {})).rejects.toMatchObject({ cause: { message: 'no seven' } })
  })

  test('mapPartitions sees all values of its task and may yield any number', async () => {
    await each(rows, data => data.mapPartitions(async function * (values) {
      let count = 0
      for await (const row of values) {
        if (count++ === 0) yield 'begin'
        yield row.id
      }
      yield `end ${count}`
    }), parts => {
      for (const part of parts) expect(part.at(-1)).toBe(`end ${part.filter(item => typeof item === 'number').length}`)
      expect(parts.flat().filter(item => typeof item === 'number')).toEqual(rows.map(row => row.id))
    })
  })

  test('mapPartitions may read only the first values, and may fail', async () => {
    const many = rowsOf(dice(5), 5000)
    const first = async function * (values: AsyncIterable<Row>) { for await (const row of values) { yield row.id; return } }
    await each(many, data => data.mapPartitions(first), parts => expect(parts.flat().length).toBeGreaterThan(1))
    await expect(each(many, data => data.mapPartitions(async function * (values) {
      for await (const row of values) {
        if (row.id === 9) throw new RangeError('no nine')
        yield row
      }
    }), () => {})).rejects.toThrow()
  })

  test('mapPartitions that leaves a loop goes on where it was with the next one, and is told that values cannot be read twice', async () => {
    const header = async function * (values: AsyncIterable<number>) {
      for await (const first of values) { yield `header ${first}`; break }
      for await (const value of values) yield value
    }
    const parts = await valuesOf(mill => mill.range(3000).mapPartitions(header).save('/out'))
    expect(parts.flat()).toEqual(['header 0', ...Array.from({ length: 2999 }, (_, i) => i + 1)])
    const twice = async function * (values: AsyncIterable<number>) {
      for await (const _ of values);
      for await (const value of values) yield value
    }
    await expect(valuesOf(mill => mill.range(30).mapPartitions(twice).save('/out'))).rejects.toThrow('can be read only once')
  })

  test('sample keeps about its share, the same values each time', async () => {
    const got: unknown[][] = []
    for (let i = 0; i < 2; i++) {
      const parts = await valuesOf(mill => mill.range(10_000).sample(0.3).save('/out'))
      got.push(parts.flat())
    }
    expect(got[0]).toEqual(got[1])
    expect(got[0]!.length).toBeGreaterThan(2500)
    expect(got[0]!.length).toBeLessThan(3500)
  })

  test.each([
    ['map', (data: Dataset<Row>) => data.map((async (row: Row) => row.id) as never)],
    ['filter', (data: Dataset<Row>) => data.filter((async (row: Row) => row.id > 5) as never)],
    ['flatMap', (data: Dataset<Row>) => data.flatMap((async (row: Row) => [row]) as never)],
    ['map', (data: Dataset<Row>) => data.groupBy(row => row.n).map((async (key: number) => key) as never)],
  ])('%s refuses a function that returns a promise', async (name, describe) => {
    await expect(each(rows, describe, () => {})).rejects.toMatchObject(failing(`^${name} was given a function that returns a promise; use mapAsync`))
  })

  test('flatMap refuses what is no sequence of values, texts too', async () => {
    await expect(each(rows, data => data.flatMap(row => row.name), () => {})).rejects.toMatchObject(failing('^flatMap returned '))
    await expect(each(rows, data => data.flatMap(row => row.id as never), () => {})).rejects
      .toMatchObject(failing('^flatMap returned 0; it must return an array'))
  })
})

describe('values that a program changes or reuses', () => {
  /** Yields one object again and again. */
  const reused = (mill: Sources) => mill.range(10).flatMap(function * (i) {
    const row = { i: 0, j: 0 }
    for (let j = 0; j < 3; j++) {
      row.i = i
      row.j = j
      yield row
    }
  })
  const all = Array.from({ length: 30 }, (_, n) => ({ i: Math.floor(n / 3), j: n % 3 }))
  test.each<[string, (mill: Sources) => Dataset<unknown>, unknown[]]>([
    ['top', mill => reused(mill).top(5, row => row.i * 10 + row.j), all.toReversed().slice(0, 5)],
    ['mapAsync', mill => reused(mill).mapAsync(async row => { await null; return { ...row } }), all],
    ['the results of mapAsync', mill => {
      const result = { i: 0, j: 0 }
      return reused(mill).mapAsync(async row => {
        for (let i = 0; i < 3 - row.j; i++) await new Promise(resolve => setImmediate(resolve))
        return Object.assign(result, row)
      }, { concurrency: 6 })
    }, all],
    ['mapPartitions', mill => reused(mill).mapPartitions(async function * (values) { for await (const row of values) yield row }), all],
    ['groupBy', mill => reused(mill).groupBy(row => row.i).flatMap((_, values) => values), all],
    ['sortBy', mill => reused(mill).sortBy([row => row.i], [row => row.j]), all],
  ])('%s keeps each value as it was when it was passed on', async (_, describe, expected) => {
    for (const partitions of [1, 3])
      same(expected)(await valuesOf(mill => describe(mill).save('/out', { format: 'jsonl' }), { partitions }))
  })

  test('values of the program are new in each task', async () => {
    const given = [{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }]
    const doubled = (mill: Sources) => mill.from(given).map(row => { row.n *= 2; return row })
    const parts = await valuesOf(mill => doubled(mill).sortBy(row => row.n).save('/out'), { partitions: 2 })
    expect(parts.flat()).toEqual([{ n: 2 }, { n: 4 }, { n: 6 }, { n: 8 }])
    expect(given[0]).toEqual({ n: 1 })
  })

  test('an instance of a class passes through steps of one task', async () => {
    class Point {
      readonly x: number
      constructor(x: number) { this.x = x }
    }
    const parts = await valuesOf(mill =>
      mill.range(5).map(x => new Point(x)).mapAsync(async point => (point instanceof Point ? point.x : -1)).save('/out'))
    expect(parts.flat()).toEqual([0, 1, 2, 3, 4])
  })
})

describe('a Dataset that is read twice', () => {
  test.each<[string, (mill: Sources) => Dataset<unknown>]>([
    ['sample', mill => mill.range(1000, { partitions: 3 }).sample(0.5)],
    ['a random number of the context', mill => mill.range(1000, { partitions: 3 }).map((n, context) => [n, context.random()])],
    ['both, after a union and a shuffle', mill => {
      const some = mill.range(500).union(mill.range(300, { partitions: 2 })).sample(0.7)
      return some.map((n, context) => [n, context.random()] as const).groupBy(([n]) => n % 50)
        .map((key, all, context) => [key, [...all].length, context.random()])
    }],
  ])('has one content: %s', async (_, describe) => {
    for (const partitions of [1, 3]) {
      const left = await valuesOf(mill => {
        const data = describe(mill).map(value => JSON.stringify(value))
        return data.antiJoin(data, text => text, text => text).save('/out')
      }, { partitions })
      expect(left.flat()).toEqual([])
    }
  })
})

describe('steps that are given what they cannot take', () => {
  test.each<[string, (data: Dataset<Row>) => Dataset<unknown>, string]>([
    ['groupBy', data => data.groupBy(() => undefined as never).count(), 'groupBy was given undefined as a key: is a field missing?'],
    ['sortBy', data => data.sortBy(() => new Date() as never), 'sortBy was given Date as a key: use key.toISOString()'],
    ['sortBy, in descending order', data => data.sortBy(() => undefined as never, 'desc'), 'sortBy was given undefined inside of a key'],
    ['top', data => data.top(3, () => undefined as never), 'top was given undefined'],
    ['join', data => data.join(data, () => undefined as never, row => row.id), 'join was given undefined as a key'],
    ['repartition', data => data.map(() => () => 1).repartition(2), 'repartition was given a function as a value'],
    ['sortBy, of two values', data => data.sortBy(((a: Row, b: Row) => b.n - a.n) as never), 'a sort was given a function that compares two'],
    ['map', data => data.map((async (row: Row) => row) as never), 'map was given a function that returns a promise'],
    [
      'map, after others',
      data => data.sortBy(row => row.id).filter(row => row.id > 5).map((async (row: Row) => row) as never), 'map was given a function',
    ],
    ['mapPartitions', data => data.mapPartitions(() => null as never), 'mapPartitions was given a function that returned null'],
  ])('name the method and its line: %s', async (name, describe, message) => {
    const error = await each(rows, describe, () => {}).catch((thrown: unknown) => thrown as Error)
    const cause = (error as Error).cause instanceof Error ? (error as { cause: Error }).cause : error as Error
    expect(cause.message).toContain(message)
    if (!name.includes('two values')) expect(cause.stack).toContain('dataset.test.ts')
  })

  test('from names the value that cannot travel', async () => {
    await expect(planned(mill => mill.from([1, { n: () => 2 }]).save('/out'))).rejects.toMatchObject({
      code: 'EINVAL', message: expect.stringMatching(/^from was given a function inside of a value: .*\(value 1 of 2\)$/),
    })
  })

  test('an error of the program stays as it is', async () => {
    const fail = (row: Row): number => { if (row.id === 3) throw new RangeError('three'); return row.id }
    await expect(each(rows, data => data.groupBy(fail).count(), () => {})).rejects
      .toMatchObject({ cause: { name: 'RangeError', message: 'three' } })
  })
})

test('several loops of mapPartitions may read at the same time', async () => {
  const pool = async function * (values: AsyncIterable<number>) {
    const read: number[] = []
    const work = async (): Promise<void> => { for await (const value of values) { await null; read.push(value) } }
    await Promise.all([work(), work(), work()])
    yield read.length
  }
  const slow = async (n: number): Promise<number> => { await new Promise(resolve => { setTimeout(resolve, 1) }); return n }
  const parts = await valuesOf(mill => mill.range(20).mapAsync(slow, { concurrency: 1 }).mapPartitions(pool).save('/out'))
  expect(parts.flat()).toEqual([20])
})

test('repartition spreads the values of many small tasks', async () => {
  const parts = await valuesOf(mill => mill.range(40, { partitions: 40 }).repartition(4).save('/out'))
  for (const part of parts) expect(part.length).toBeGreaterThan(2)
})

test('too many united Datasets are refused with advice', async () => {
  const doubled = (mill: Sources): Promise<void> => {
    let data = mill.range(1)
    for (let i = 0; i < 30; i++) data = data.union(data)
    return data.save('/out')
  }
  await expect(valuesOf(doubled)).rejects.toThrow('unites more than 100 Datasets; give several paths')
})

test('the offset of the context is that of the value in its file, also where calls end later, behind others, and before the path is gone', async () => {
  const files = { '/rows': [['a0', 'a1', 'a2'], ['b0', 'b1'], ['c0', 'c1', 'c2']] }
  const seen = (value: string, { path, offset }: { readonly path: string; readonly offset: number | undefined }) =>
    `${value} ${path.at(-1) ?? ''}${offset ?? ''}`
  const slow = async (value: string, context: Parameters<typeof seen>[1]) => {
    const before = context.offset
    await new Promise(resolve => { setTimeout(resolve, 1) })
    return seen(before === context.offset ? value : 'moved', context)
  }
  const parts = await valuesOf(
    mill => mill.text('/rows').map(seen).mapAsync(slow, { concurrency: 3 }).mapAsync(slow, { concurrency: 4 })
      .flatMap((value, context) => [seen(value, context)]).save('/out', { format: 'jsonl' }),
    { files, oneTask: true },
  )
  expect(parts.flat()).toEqual(files['/rows'].flat().map(value => `${value}${` ${value[0]}${Number(value[1]) * 10}`.repeat(4)}`))
  const partitioned = await valuesOf(
    mill => mill.text('/rows').mapPartitions(async function * (values, context) {
      for await (const value of values) yield seen(value, context)
    }).map(seen).countBy(value => value).map(seen as never).save('/out', { format: 'jsonl' }),
    { files, oneTask: true },
  )
  expect(partitioned.flat().toSorted()).toEqual(files['/rows'].flat().map(value => `${value}  ,1 `))
})

test('the path of the context is that of the value, also where calls end later', async () => {
  const files = { '/rows': [['a1', 'a2', 'a3'], ['b1', 'b2'], ['c1', 'c2', 'c3']] }
  const slow = async (value: string, context: { readonly path: string }) => {
    await new Promise(resolve => { setTimeout(resolve, 1) })
    return [value, context.path] as const
  }
  const parts = await valuesOf(
    mill => mill.text('/rows').mapAsync(slow, { concurrency: 8 }).map(([value, path], context) => [value, path, context.path])
      .save('/out', { format: 'jsonl' }),
    { files, oneTask: true },
  )
  expect(parts.flat()).toEqual(files['/rows'].flat().map(value => [value, `/in/${value[0]}`, `/in/${value[0]}`]))
  const partitioned = await valuesOf(
    mill => mill.text('/rows')
      .mapPartitions(async function * (values, context) { for await (const value of values) yield [value, context.path] })
      .map(([value, path], context) => [value, path, context.path]).save('/out', { format: 'jsonl' }),
    { files, oneTask: true },
  )
  expect(partitioned.flat()).toEqual(files['/rows'].flat().map(value => [value, '', '']))
})

describe('grouping', () => {
  test('the values of each key come in the order that is asked for, each key once, whether they are read or not', async () => {
    const inOrderOf = (order: (a: Row, b: Row) => number): Array<[Key, number[]]> =>
      grouped(rows, row => row.name).map(([key, values]) => [key, values.toSorted(order).map(row => row.id)])
    const ids = (key: Key, values: Iterable<Row>): [Key, number[]] => [key, [...values].map(row => row.id)]
    await each(rows, data => data.groupBy(row => row.name).sortBy(row => row.id, 'desc').map(ids), same(inOrderOf((a, b) => b.id - a.id)))
    await each(
      rows, data => data.groupBy(row => row.name, { partitions: 3 }).sortBy([row => row.n, 'desc'], [row => row.id]).map(ids),
      same(inOrderOf((a, b) => b.n - a.n || a.id - b.id)),
    )
    // Keys that are arrays, -0, NaN and a descending order of arrays; the first value of each key alone is read.
    const keyOf = (row: Row): Key => (row.n % 3 === 0 ? [row.name, row.n] : row.n % 3 === 1 ? -0 * row.n : row.n % 2 === 0 ? NaN : 0)
    await each(
      rows, data => data.groupBy(row => keyOf(row)).sortBy(row => [row.n, row.id], 'desc').flatMap(function * (key, values) {
        for (const { id } of values) { yield [key, id]; return }
      }),
      same(grouped(rows, keyOf).map(([key, values]) => [key, values.toSorted((a, b) => b.n - a.n || b.id - a.id)[0]!.id])),
    )
    const sorted = (data: Dataset<Row>) => data.groupBy(row => row.name).sortBy(row => row.id)
    await expect(each(rows, data => sorted(data).map((key, values) => [key, ...values, ...values]), () => {})).rejects
      .toMatchObject({ cause: { message: expect.stringContaining('can be iterated only once') } })
    const kept: Array<Iterator<Row>> = []
    await expect(each(rows, data => sorted(data).map((key, values) => {
      for (const iterator of kept) iterator.next()
      const iterator = values[Symbol.iterator]()
      iterator.next()
      kept.push(iterator)
      return key
    }), () => {})).rejects.toMatchObject({ cause: { message: expect.stringContaining('were read after its function had returned') } })
  })

  test('groupBy gives each key once, with all its values in order', async () => {
    const expected = grouped(rows, row => row.name).map(([key, values]) => [key, values.map(row => row.id)])
    await each(rows, data => data.groupBy(row => row.name).map((key, values) => [key, [...values].map(row => row.id)]), same(expected))
    await each(rows, data => data.groupBy(row => [row.n, row.name]).flatMap(function * (key, values) {
      yield key
      for (const row of values) yield row.id
    }), same(grouped(rows, row => [row.n, row.name]).flatMap(([key, values]) => [key, ...values.map(row => row.id)])))
  })

  test('countBy, reduce, reduceByKey and aggregate give the totals of each key', async () => {
    await each(rows, data => data.countBy(row => row.name), same(grouped(rows, row => row.name).map(([key, all]) => [key, all.length])))
    const sums = grouped(rows, row => row.name).map(([key, all]) => [key, all.reduce((sum, row) => sum + row.n, 0)])
    await each(rows, data => data.map(row => [row.name, row.n] as const).reduceByKey((a, b) => a + b), same(sums))
    await each(rows, data => data.groupBy(row => row.name).aggregate({
      zero: () => ({ sum: 0 }), add: (total, row) => ({ sum: total.sum + row.n }), merge: (a, b) => ({ sum: a.sum + b.sum }),
    }).map(([key, total]) => [key, total.sum]), same(sums))
  })

  test('a total begins with what zero returned at first, also if it returns the same object each time, which add and merge change', async () => {
    const ids = grouped(rows, row => row.name).map(([key, all]) => [key, all.length, all.reduce((sum, row) => sum + row.id, 0)])
    const changing = (zero: { all: number[]; by: Map<string, { n: number }>; sum: Set<number> }) => ({
      zero: () => zero,
      add: (total: typeof zero, row: Row) => {
        total.all.push(row.id)
        total.by.get('n')!.n++
        total.sum.add(row.id)
        return total
      },
      merge: (a: typeof zero, b: typeof zero) => {
        a.all.push(...b.all)
        a.by.get('n')!.n += b.by.get('n')!.n
        for (const id of b.sum) a.sum.add(id)
        return a
      },
    })
    await each(rows, data => data.groupBy(row => row.name)
      .aggregate(changing({ all: [], by: new Map([['n', { n: 0 }]]), sum: new Set() }))
      .map(([key, { all, by, sum }]) => [key, all.length === sum.size && by.get('n')!.n, all.reduce((a, b) => a + b, 0)]), same(ids))
    class Sum { n = 0 }
    const sum = new Sum()
    expect([fresh(sum), fresh([new Date(5), new Uint8Array([1]), null])]).toEqual([sum, [new Date(5), new Uint8Array([1]), null]])
    expect(fresh(sum)).toBe(sum)
  })

  test('distinct and distinctBy give each once, the first of equal ones', async () => {
    await each(rows, data => data.map(row => row.n).distinct(), same([...new Set(rows.map(row => row.n))]))
    await each(rows, data => data.distinctBy(row => row.name), same(grouped(rows, row => row.name).map(([, [first]]) => first)))
  })
})

describe('order', () => {
  test('sortBy gives a total order over the parts, and keeps the order of equal keys', async () => {
    const expected = [...rows].sort((a, b) => compare(a.name, b.name))
    await each(rows, data => data.sortBy(row => row.name), (parts, partitions) => {
      expect(parts.flat()).toEqual(expected)
      if (partitions > 1) expect(parts.filter(part => part.length > 0).length).toBeGreaterThan(1)
    })
  })

  test('sortBy by several parts, ascending and descending', async () => {
    const expected = [...rows].sort((a, b) => compare(b.name, a.name) || a.n - b.n || b.id - a.id)
    await each(rows, data => data.sortBy([row => row.name, 'desc'], [row => row.n], [row => row.id, 'desc']), inOrder(expected))
    await each(rows, data => data.sortBy(row => row.n, 'desc'), inOrder([...rows].sort((a, b) => b.n - a.n)))
  })

  test('sorted values come in about equal parts', async () => {
    const mixed = (mill: Sources) => mill.range(20_000, { partitions: 4 }).map(i => (i * 7919) % 20_011)
    const parts = await valuesOf(mill => mixed(mill).sortBy(x => x).save('/out'), { partitions: 5 })
    expect(parts.flat()).toEqual(Array.from({ length: 20_000 }, (_, i) => (i * 7919) % 20_011).sort((a, b) => a - b))
    for (const part of parts) expect(part.length).toBeGreaterThan(2000)
  })

  test('top gives the largest, or the smallest, in order; the earlier of equal ones', async () => {
    await each(rows, data => data.top(10, row => row.n), inOrder([...rows].sort((a, b) => b.n - a.n).slice(0, 10)))
    await each(rows, data => data.top(400, row => row.name, 'asc'), inOrder([...rows].sort((a, b) => compare(a.name, b.name))))
    await each(rows, data => data.top(0, row => row.n), inOrder([]))
  })

  test('repartition and partitionBy spread the values over as many parts', async () => {
    await each(rows, data => data.repartition(4), parts => {
      expect(parts).toHaveLength(4)
      for (const part of parts) expect(part.length).toBeGreaterThan(40)
      same(rows)(parts)
    })
    await each(rows, data => data.partitionBy(row => row.name, 4), parts => {
      expect(parts).toHaveLength(4)
      for (const [name] of grouped(rows, row => row.name))
        expect(parts.filter(part => (part as Row[]).some(row => row.name === name))).toHaveLength(1)
      same(rows)(parts)
    })
  })
})

describe('several inputs', () => {
  const right = [{ k: 1, w: 'one' }, { k: 2, w: 'two' }, { k: 2, w: 'zwei' }, { k: 99, w: 'none' }, { k: -3, w: 'minus' }]
  const matches = (row: Row) => right.filter(each => each.k === row.n)
  /** Rows with each of their partners, or with null. */
  const withPartners = rows.flatMap<unknown>(row => (matches(row).length === 0 ? [[row, null]] : matches(row).map(each => [row, each])))
  const rowsWith = (k: number): Row[] => rows.filter(row => row.n === k)
  const few = rows.filter(row => row.id < 20)
  const cases: Array<[string, (data: Dataset<Row>, other: Dataset<typeof right[number]>) => Dataset<unknown>, unknown[]]> = [
    ['join', (data, other) => data.join(other, row => row.n, each => each.k), rows.flatMap(row => matches(row).map(each => [row, each]))],
    ['leftJoin', (data, other) => data.leftJoin(other, row => row.n, each => each.k).map(([row, each]) => [row, each]),
      withPartners],
    ['rightJoin', (data, other) => data.rightJoin(other, row => row.n, each => each.k).map(([row, each]) => [row, each]),
      right.flatMap<unknown>(each => (rowsWith(each.k).length === 0 ? [[null, each]] : rowsWith(each.k).map(row => [row, each])))],
    ['semiJoin', (data, other) => data.semiJoin(other, row => row.n, each => each.k), rows.filter(row => matches(row).length > 0)],
    ['antiJoin', (data, other) => data.antiJoin(other, row => row.n, each => each.k), rows.filter(row => matches(row).length === 0)],
    ['cross', (data, other) => data.filter(row => row.id < 20).cross(other), few.flatMap(row => right.map(each => [row, each]))],
    ['coGroup', (data, other) => data.coGroup(
      other, row => row.n, each => each.k,
      (key, left, others) => [[key, [...left].length, [...others].length, [...others].length]],
    ),
      [...new Set([...rows.map(row => row.n), ...right.map(each => each.k)])].map(key => {
        const count = right.filter(each => each.k === key).length
        return [key, rowsWith(key).length, count, count]
      })],
  ]
  test.each(cases)('%s', async (_, describe, expected) => {
    await each(rows, (data, mill) => describe(data, mill.from(right)), same(expected))
  })

  test('fullJoin gives the rows of both sides without partners too', async () => {
    const lonely = right.filter(each => !rows.some(row => row.n === each.k))
    const expected = [...withPartners, ...lonely.map(each => [null, each])]
    await each(
      rows,
      (data, mill) => data.fullJoin(mill.from(right), row => row.n, each => each.k).map(([row, each]) => [row, each]),
      same(expected),
    )
  })

  test('rows of one joined value do not share it', async () => {
    await each(rows, (data, mill) => data.join(mill.from(right), row => row.n, each => each.k).map(([row, each]) => {
      const was = row.name;
      (row as { name: string }).name = `${row.name}!`
      return [was, each.w]
    }), same(rows.flatMap(row => matches(row).map(each => [row.name, each.w]))))
  })

  test('a key with more values than fit into memory on both sides is joined whole', async () => {
    const parts = await valuesOf(mill => {
      const many = mill.range(700, { partitions: 3 })
      return many.join(many.map(n => ({ n, text: 'x'.repeat(n % 50) })), () => 'k', () => 'k').map(([a, b]) => a * 1000 + b.n).save('/out')
    }, { partitions: 2, memoryBytes: 3000, fanIn: 2 })
    const all = parts.flat() as number[]
    expect(all).toHaveLength(490_000)
    expect(new Set(all).size).toBe(490_000)
  })

  test('values of coGroup are read while its function runs, the left ones once', async () => {
    const grouped = (fn: (left: Iterable<Row>, others: Iterable<Row>) => Iterable<unknown>) =>
      each(rows, data => data.coGroup(data, row => row.n, row => row.n, (_, left, others) => fn(left, others)), () => {})
    await expect(grouped(left => [[...left].length, [...left].length])).rejects
      .toMatchObject(failing('left values of a key can be iterated only once'))
    let kept: Iterator<Row> | undefined
    const keep = (others: Iterable<Row>): Iterable<unknown> => {
      kept?.next()
      kept = others[Symbol.iterator]()
      return [1]
    }
    await expect(grouped((_, others) => keep(others))).rejects.toMatchObject(failing('read after the function of coGroup had returned'))
    await grouped((_, others) => { expect(others).not.toHaveProperty('clear'); return [] })
  })

  test('union has the values of all, also of itself', async () => {
    await each(rows, (data, mill) => data.union(data.filter(row => row.n > 5), mill.from([{ id: -1, name: 'x', n: 0 }])), same(
      [...rows, ...rows.filter(row => row.n > 5), { id: -1, name: 'x', n: 0 }]))
    const twice = grouped(rows, row => row.name).map(([key, all]) => [key, all.length * 2])
    await each(rows, data => data.union(data).countBy(row => row.name), same(twice))
  })

  test('inputs without values give results without values', async () => {
    const nothing = (mill: Sources) => mill.from<Row>([])
    await each([], data => data.sortBy(row => row.n), same([]))
    await each([], data => data.countBy(row => row.n), same([]))
    await each(rows, (data, mill) => data.join(nothing(mill), row => row.n, row => row.n), same([]))
    await each(rows, (data, mill) => nothing(mill).leftJoin(data, row => row.n, row => row.n), same([]))
    await each(rows, (data, mill) => data.antiJoin(nothing(mill), row => row.n, row => row.n), same(rows))
    await each([], data => data.top(3, row => row.n), same([]))
  })
})

interface Model { readonly data: Dataset<Row>; readonly rows: readonly Row[] }
type Transform = (model: Model, random: Dice, other: Model) => Model

const transforms: readonly Transform[] = [
  ({ data, rows: all }, random) => {
    const by = random.below(5)
    return { data: data.map(row => ({ ...row, n: row.n + by })), rows: all.map(row => ({ ...row, n: row.n + by })) }
  },
  ({ data, rows: all }, random) => {
    const least = random.below(10) - 10
    return { data: data.filter(row => row.n > least), rows: all.filter(row => row.n > least) }
  },
  ({ data, rows: all }) => ({
    data: data.flatMap(row => (row.id % 3 === 0 ? [row, { ...row, id: row.id + 1000 }] : [row])),
    rows: all.flatMap(row => (row.id % 3 === 0 ? [row, { ...row, id: row.id + 1000 }] : [row])),
  }),
  ({ data, rows: all }) => ({
    data: data.countBy(row => row.name).map(([name, n]) => ({ id: 0, name, n })),
    rows: grouped(all, row => row.name).map(([name, { length }]) => ({ id: 0, name: name as string, n: length })),
  }),
  ({ data, rows: all }) => ({
    data: data.groupBy(row => Math.abs(row.n) % 3).map((n, values) => ({ id: Math.max(...[...values].map(row => row.id)), name: '', n })),
    rows: grouped(all, row => Math.abs(row.n) % 3)
      .map(([n, values]) => ({ id: Math.max(...values.map(row => row.id)), name: '', n: n as number })),
  }),
  ({ data, rows: all }) => ({ data: data.sortBy(row => row.name, 'desc'), rows: all }),
  ({ data, rows: all }) => ({ data: data.mapAsync(async row => row, { concurrency: 3 }), rows: all }),
  ({ data, rows: all }, random) => ({ data: data.repartition(1 + random.below(4)), rows: all }),
  (model, _random, other) => ({ data: model.data.union(other.data), rows: [...model.rows, ...other.rows] }),
  (model, _random, other) => ({
    data: model.data.join(other.data, row => row.name, row => row.name)
      .filter(([a, b]) => (a.id + b.id) % 5 === 0).map(([a, b]) => ({ ...a, n: b.n })),
    rows: model.rows.flatMap(a => other.rows.filter(b => b.name === a.name && (a.id + b.id) % 5 === 0).map(b => ({ ...a, n: b.n }))),
  }),
  (model, _random, other) => ({
    data: model.data.antiJoin(other.data, row => row.n, row => row.n), rows: model.rows.filter(a => !other.rows.some(b => b.n === a.n)),
  }),
]

const seeds = Number(process.env['SEEDS'] ?? 40)

test('random programs give what plain JavaScript gives, with and without the optimizer', async () => {
  for (let seed = 1; seed <= seeds; seed++) {
    const random = dice(seed)
    const all = rowsOf(random, random.below(60))
    const files = { '/a': splitsOf(random, all) }
    const shape = random.pick(shapes)
    let expected: readonly Row[] = []
    const describe = (mill: Sources): Promise<void> => {
      const draw = dice(seed * 1000)
      const models: Model[] = [{ data: mill.jsonl('/a') as Dataset<Row>, rows: all }]
      for (let i = 0; i < 1 + draw.below(5); i++) {
        const made = draw.pick(transforms)(draw.pick(models), draw, draw.pick(models))
        if (made.rows.length < 2000) models.push(made)
      }
      expected = models.at(-1)!.rows
      return models.at(-1)!.data.save('/out', { format: 'jsonl' })
    }
    const [with_, without] = [await valuesOf(describe, { files, ...shape }), await valuesOf(describe, { files, ...shape }, { rules: [] })]
    expect(sorted(with_.flat()), `seed ${seed}`).toEqual(sorted(expected))
    expect(sorted(without.flat()), `seed ${seed} without rules`).toEqual(sorted(expected))
  }
  expect(rules.length).toBeGreaterThan(0)
})
