// Values of cached Datasets that an executor keeps: tasks get what decoding gives, and nothing that another task can change.

import { expect, test } from 'vitest'
import { DecodedValues } from '../../../../datanode/executor/decoded.ts'
import type { SplitRange } from '../../../../src/protocol/task.ts'
import { newReadCounters, type Batch, type ReadCounters } from '../../../../src/record/records.ts'
import { LineEncoder, valueOfLine } from '../../../../src/shuffle/lines.ts'
import { dice } from '../../../kit/dice.ts'

const encoder = new LineEncoder()
const linesFor = (values: readonly unknown[]): string[] => values.map(value => encoder.encode(value))
const split = (inode: number, start = 0): SplitRange[] => [{ inode, start, end: 1000, fileBytes: 1000 } as SplitRange]

type Files = Readonly<Record<string, readonly string[]>>

/** Batches of the lines of files, some at a time, as a reader gives them. */
const reader = (files: Files, counters: ReadCounters, atOnce = 3) => async function * (): AsyncGenerator<Batch> {
  for (const [path, lines] of Object.entries(files)) {
    for (let from = 0; from < lines.length; from += atOnce) {
      const values = lines.slice(from, from + atOnce)
      counters.records += values.length
      counters.bytes += values.reduce((sum, line) => sum + line.length + 1, 0)
      yield { values, path, offset: index => lines.slice(0, from + index).reduce((sum, line) => sum + line.length + 1, 100) }
    }
  }
}

interface Taken { readonly values: unknown[]; readonly places: string[]; readonly counters: ReadCounters; readonly lines: number }

/** A task that takes values of a split, at most `count`, and changes each of them if `change` is given. */
async function take(
  decoded: DecodedValues, ranges: SplitRange[], files: Files,
  { count = Infinity, change }: { readonly count?: number; readonly change?: (value: never) => void } = {},
): Promise<Taken> {
  const counters = newReadCounters()
  let lines = 0
  const { batches, decode } = decoded.open(ranges, reader(files, counters), counters)
  const [values, places]: [unknown[], string[]] = [[], []]
  for await (const batch of batches) {
    for (const [i, each] of batch.values.entries()) {
      if (values.length === count) return { values, places, counters, lines }
      if (typeof each === 'string' && batch.values.length <= 3) lines++
      const value = decode(each)
      values.push(structuredClone(value))
      places.push(`${batch.path} ${batch.offset(i)}`)
      change?.(value as never)
    }
  }
  return { values, places, counters, lines }
}

const rows = Array.from({ length: 2500 }, (_, i) =>
  ({ from: `page-${i % 7}`, to: `page-${i}`, weight: i / 2, '2': null, tags: [i, { deep: `d${i % 3}` }] }))
const odd = [
  undefined, null, -0, NaN, -(1n << 63n), '', 'a\ud800', [], {}, [[]], [undefined, [1, 'x']],
  JSON.parse('{"__proto__": {"a": [1]}, "b": 1, "0": 2}') as object, { a: { b: { c: [{}] } } },
]

test('a second task gets the same values at the same places, with the same counters, and reads nothing', async () => {
  const decoded = new DecodedValues(64 * 1024 * 1024)
  const files = { '/a': linesFor(rows), '/b': linesFor(odd) }
  const first = await take(decoded, split(1), files)
  expect(decoded.has(split(1))).toBe(true)
  expect(first.values).toEqual([...rows, ...odd])
  const again = await take(decoded, split(1), {})
  expect(again).toStrictEqual({ ...first, lines: again.lines })
  expect(again.lines).toBeLessThan(first.lines)
  for (const [i, value] of again.values.entries()) expect(Object.is(value, -0)).toBe(Object.is([...rows, ...odd][i], -0))
  // The names of fields have their order.
  const namesOf = (value: unknown): unknown => (typeof value === 'object' && value !== null ? Reflect.ownKeys(value) : value)
  const order = (values: readonly unknown[]): unknown[] => values.map(namesOf)
  expect(order(again.values)).toEqual(order(linesFor([...rows, ...odd]).map(valueOfLine)))
  for (const other of [split(2), split(1, 10)]) expect(decoded.has(other)).toBe(false)
})

test('what a task does to its values is not seen by another one', async () => {
  const decoded = new DecodedValues(64 * 1024 * 1024)
  const files = { '/a': linesFor(rows) }
  const change = (row: (typeof rows)[number] & { more?: unknown }): void => {
    row.weight = -1
    row.more = 1
    Reflect.deleteProperty(row, 'to')
    ;(row.tags[1] as { deep: string }).deep = 'changed'
    row.tags.length = 0
  }
  for (let i = 0; i < 3; i++) expect((await take(decoded, split(1), files, { change: change as never })).values).toEqual(rows)
  // Nor what a program does to all objects.
  const polluted = Object.prototype as unknown as Record<string, unknown>
  polluted['extra'] = { a: 1 }
  try {
    const { values } = await take(decoded, split(1), files)
    expect(values.every(value => !Object.hasOwn(value as object, 'extra'))).toBe(true)
  } finally {
    delete polluted['extra']
  }
})

test('a split that was not read to its end is not kept, nor one with values that cannot be copied as they are decoded', async () => {
  const decoded = new DecodedValues(64 * 1024 * 1024)
  const files = { '/a': linesFor(rows) }
  await take(decoded, split(1), files, { count: 2400 })
  await take(decoded, split(1), files, { count: 2499 })
  expect(decoded.has(split(1))).toBe(false)
  const unlike = [new Date(0), new Map(), new Set([1]), Buffer.from('x'), { a: [new Date(1)] }, 1n << 70n]
  for (const [i, value] of unlike.entries()) {
    const { values } = await take(decoded, split(10 + i), { '/a': linesFor([1, value, 2]) })
    expect(values).toHaveLength(3)
    expect(decoded.has(split(10 + i))).toBe(false)
  }
  // In columns, too.
  for (const [i, value] of [{ n: 1n << 70n }, [1n << 70n]].entries()) {
    await take(decoded, split(20 + i), { '/a': linesFor([value, value]) })
    expect(decoded.has(split(20 + i))).toBe(false)
  }
  await expect(take(decoded, split(3), { '/a': [...linesFor([1]), 'no value'] })).rejects.toMatchObject({ code: 'CORRUPT' })
  expect(decoded.has(split(3))).toBe(false)
})

test('splits are kept within a share of the memory, and give way when they were not read for long', async () => {
  // Some 270 bytes for each of 1000 rows, and room for two such splits.
  const decoded = new DecodedValues(4 * 1024 * 1024)
  const text = (i: number): string => `${'x'.repeat(70)}${i}`
  const of = (count: number): Files => ({ '/a': linesFor(Array.from({ length: count }, (_, i) => [text(i)])) })
  const lines = of(1000)
  const kept = (): number[] => [1, 2, 3, 4, 5].filter(inode => decoded.has(split(inode)))
  for (const inode of [1, 2, 3, 1, 2, 3]) expect((await take(decoded, split(inode), lines)).values).toHaveLength(1000)
  expect(kept()).toEqual([1, 2])
  expect((await take(decoded, split(4), of(5000))).values).toHaveLength(5000)
  expect(kept()).toEqual([1, 2])
  for (let i = 0; i < 101; i++) await take(decoded, split(2), {})
  await take(decoded, split(3), lines)
  expect(kept()).toEqual([2, 3])
  for (let i = 0; i < 101; i++) await take(decoded, split(5), { '/a': [] })
  await take(decoded, split(4), of(2300))
  expect(kept()).toEqual([4, 5])
})

/** Bytes that a split of these values takes by the estimate: the smallest share of a task's memory with which it is kept, to 150 bytes. */
async function weightOf(values: readonly unknown[]): Promise<number> {
  const files = { '/a': linesFor(values) }
  let [low, high] = [0, 1 << 24]
  while (high - low > 1000) {
    const middle = (low + high) >> 1
    const decoded = new DecodedValues(middle)
    await take(decoded, split(1), files)
    if (decoded.has(split(1))) high = middle
    else low = middle
  }
  return high * 0.15
}

test('pieces, columns, and values that are taken out of columns count with the memory that they take', async () => {
  const wide = (name: string): object => Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`${name}${i}`, i]))
  const run = (name: string): object[] => Array.from({ length: 50 }, () => wide(name))
  const [one, many] = [['a', 'a', 'a', 'a', 'a', 'a', 'a', 'a'], ['a', 'b', 'a', 'b', 'a', 'b', 'a', 'b']]
    .map(names => names.flatMap(run)) as [object[], object[]]
  // Seven more pieces of ten columns.
  expect(await weightOf(many) - await weightOf(one)).toBeGreaterThan(7 * (200 + 10 * 100) - 500)
  // Fewer than 50 objects before another value are no columns: each has its own memory then, as behind such a value.
  const few = run('a').slice(1)
  const [before, behind] = [await weightOf([...few, 1]), await weightOf([1, ...few])]
  expect(before).toBeGreaterThan(behind * 0.7)
})

const formOf = (value: unknown): unknown => (typeof value === 'object' && value ? Reflect.ownKeys(value) : Object.is(value, -0))

test('values of any mixture of shapes are those that decoding gives, wherever files, batches and pieces of them end', async () => {
  const random = dice(5)
  const shapes: ReadonlyArray<(i: number) => unknown> = [
    i => ({ from: `page-${i % 7}`, to: i, weight: i / 2 }), i => ({ to: i, from: null, weight: '' }), i => [`k${i % 9}`, i], i => [i, [i]],
    i => ({ from: `page-${i}`, to: { deep: [i] }, weight: 0 }), i => i, i => `text ${i}`, () => ({}), () => [], () => [undefined],
    i => ({ 7: i, a: -0, 3: NaN }), i => ({ ['é "\u2028\\']: i, [`'`]: true }), i => JSON.parse(`{"__proto__": ${i}, "a": 1}`) as unknown,
    i => Array.from({ length: 120 }, (_, j) => i + j), i => [1n << 60n, i],
  ]
  for (const few of [1, 2, shapes.length]) {
    const decoded = new DecodedValues(64 * 1024 * 1024)
    const values = Array.from({ length: 6_000 }, (_, i) => shapes[Math.floor(i / 900 + random.below(few)) % shapes.length]!(i))
    const cuts = [0, 1, 2, 997, 2100, 4005, 6_000]
    const files = Object.fromEntries(cuts.slice(1).map((end, i) => [`/${i}`, linesFor(values.slice(cuts[i], end))]))
    const first = await take(decoded, split(1), files)
    expect(decoded.has(split(1))).toBe(true)
    const change = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return
      for (const name of Object.keys(value)) (value as Record<string, unknown>)[name] = 'changed'
    }
    for (let round = 0; round < 2; round++) {
      const again = await take(decoded, split(1), {}, { change })
      expect(again).toStrictEqual({ ...first, lines: again.lines })
      expect(again.values.map(formOf)).toEqual(first.values.map(formOf))
    }
  }
})

test('objects and arrays of one shape take a few bytes for each field', async () => {
  const decoded = new DecodedValues(4 * 1024 * 1024)
  const rows = Array.from({ length: 14_000 }, (_, i) => ({ from: `page-${i % 700}`, to: `page-${i % 900}`, weight: i }))
  expect((await take(decoded, split(1), { '/a': linesFor(rows) })).values).toEqual(rows)
  expect(decoded.has(split(1))).toBe(true)
  // As objects of their own they would not fit: a nested one makes them that.
  const nested = rows.map(row => ({ ...row, weight: [row.weight] }))
  const other = new DecodedValues(4 * 1024 * 1024)
  expect((await take(other, split(2), { '/a': linesFor(nested) })).values).toEqual(nested)
  expect(other.has(split(2))).toBe(false)
})

test('what a field takes beside its place counts, and a split that did not fit is not collected again', async () => {
  const kept = async (count: number, field: (i: number) => unknown): Promise<boolean> => {
    const decoded = new DecodedValues(4 * 1024 * 1024)
    const rows = Array.from({ length: count }, (_, i) => ({ a: field(i), b: field(i + 1), c: field(i + 2) }))
    const files = { '/a': linesFor(rows) }
    for (const isFirst of [true, false]) {
      const lines = reader(files, newReadCounters())()
      const { batches } = decoded.open(split(1), () => lines, newReadCounters())
      // Collected, read as they are, or kept.
      if (isFirst) expect(batches).not.toBe(lines)
      else if (!decoded.has(split(1))) expect(batches).toBe(lines)
      if (isFirst) expect((await take(decoded, split(1), files)).values).toEqual(rows)
    }
    return decoded.has(split(1))
  }
  expect([await kept(14_000, i => i), await kept(20_000, i => i)]).toEqual([true, false])
  expect([await kept(5_000, i => i + 0.5), await kept(9_000, i => i + 0.5)]).toEqual([true, false])
  expect([await kept(4_000, i => BigInt(i)), await kept(6_500, i => BigInt(i))]).toEqual([true, false])
})

test('names of fields count, where each object has its own', async () => {
  const decoded = new DecodedValues(4 * 1024 * 1024)
  const table = (i: number): object => Object.fromEntries(Array.from({ length: 50 }, (_, j) => [`https://example.org/${i}/${j}`, j]))
  const values = Array.from({ length: 200 }, (_, i) => table(i))
  expect((await take(decoded, split(1), { '/a': linesFor(values) })).values).toEqual(values)
  expect(decoded.has(split(1))).toBe(false)
  const alike = values.map(() => table(0))
  await take(decoded, split(2), { '/a': linesFor(alike) })
  expect(decoded.has(split(2))).toBe(true)
})
