// Values that tasks share: every change in place is found, and nothing else is taken for one.

import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { WatchedValues, bytesIn } from '../../../../src/plan/watched.ts'
import { exposedCollector } from '../../collector.ts'

const made = () => ({
  n: NaN, list: [{ word: 'rye' }, undefined, null, -0] as [{ word: string }, ...unknown[]],
  map: new Map<unknown, unknown>([[1, { deep: [2] }]]), set: new Set(['a']),
  date: new Date(5), bytes: Buffer.from('grain'), empty: {} as Record<string, unknown>, none: [] as unknown[],
})
type Made = ReturnType<typeof made>

/** Name of what is found changed after `change`. */
function found(change: (value: Made, rows: Made[]) => unknown): string | undefined {
  const rows = [made()]
  const watched = new WatchedValues()
  watched.add('other', [made()])
  watched.add('rows', rows)
  const changed = watched.begin()
  change(rows[0]!, rows)
  return changed()
}

test.each<[string, (value: Made, rows: Made[]) => unknown]>([
  ['a field', value => { value.n = 1 }],
  ['a new field', value => { value.empty['x'] = undefined }],
  ['a field that is gone', value => Reflect.deleteProperty(value, 'date')],
  ['a name of a field', (value, rows) => { const { n, ...rest } = value; Object.assign(rows, [{ m: n, ...rest }]) }],
  ['an element', value => { value.list[0].word = 'oat' }],
  ['zero and minus zero', value => { value.list[3] = 0 }],
  ['an element at the end', value => value.list.push(null)],
  ['an element of an empty array', value => value.none.push(undefined)],
  ['the order', value => value.list.reverse()],
  ['a map', value => value.map.set(2, 1)],
  ['a value of a map', value => { value.map.set(1, 1) }],
  ['a value inside of a map', value => (value.map.get(1) as { deep: number[] }).deep.push(3)],
  ['a set', value => value.set.add('b')],
  ['a set, emptied', value => { value.set.clear() }],
  ['a date', value => value.date.setTime(6)],
  ['a byte', value => { value.bytes[4] = 0 }],
  ['a property beside the elements', (_, rows) => Object.assign(rows, { cache: 1 })],
  ['a property beside no elements', value => Object.assign(value.none, { cache: 1 })],
  ['a property with a symbol', value => Object.assign(value.empty, { [Symbol('cache')]: 1 })],
  ['a symbol beside the elements', value => Object.assign(value.list, { [Symbol('cache')]: 1 })],
  ['the array of the rows', (_, rows) => rows.push(made())],
  ['a row in place of an equal one', (_, rows) => { rows[0] = made() }],
  ['a row that is in no array any more', (value, rows) => { rows.length = 0; value.n = 3 }],
])('%s is a change', (_, change) => { expect(found(change)).toBe('rows') })

test('reading is no change, nor is a change of what was copied, also of values that contain themselves or are not data', () => {
  expect(found((value, rows) => [...rows, JSON.stringify(rows), value.map.get(1), value.bytes.toString(), rows.toSorted()])).toBe(undefined)
  expect(found((_, rows) => { structuredClone(rows)[0]!.list.push(null) })).toBe(undefined)
  const watched = new WatchedValues()
  const odd: { self?: unknown; made: unknown; fn: () => number } = { made: new (class { n = 1 })(), fn: () => 1 }
  odd.self = odd
  watched.add('odd', [odd, undefined, 1, 'text'])
  const changed = watched.begin()
  expect(changed()).toBe(undefined)
  odd.fn = () => 1
  expect(changed()).toBe('odd')
})

test('what the program changes between its steps is not told, and each comparison begins with what is there', () => {
  const watched = new WatchedValues()
  const rows = [{ n: 1 }]
  watched.add('rows', rows)
  expect(watched.begin()()).toBe(undefined)
  watched.forget()
  rows.push({ n: 2 })
  rows[0]!.n = 5
  const changed = watched.begin()
  expect(changed()).toBe(undefined)
  rows[0]!.n = 6
  expect(changed()).toBe('rows')
  expect(watched.begin()()).toBe(undefined)
})

test('what has changed between two tasks of a step is told, and what an earlier task was told for is not told again', () => {
  const watched = new WatchedValues()
  const rows = [{ n: 1 }]
  watched.add('rows', rows)
  expect(watched.begin()()).toBe(undefined)
  rows[0]!.n = 5
  expect(watched.begin()()).toBe('rows')
  expect(watched.begin()()).toBe(undefined)
  rows[0]!.n = 6
  watched.add('others', [])
  expect(watched.begin()()).toBe(undefined)
})

test('properties beside the elements of a long array are found', () => {
  for (const name of ['cache', Symbol('cache'), '']) {
    const rows: unknown[] = Array.from({ length: 100 }, (_, i) => i)
    const watched = new WatchedValues()
    watched.add('rows', [rows])
    const changed = watched.begin()
    expect(changed()).toBe(undefined)
    Object.defineProperty(rows, name, { value: 1, configurable: true })
    expect(changed(), String(name)).toBe('rows')
    expect(watched.begin()()).toBe(undefined)
    Reflect.deleteProperty(rows, name)
    expect(watched.begin()(), String(name)).toBe('rows')
  }
})

test('values beyond the bounds of a comparison are no change, and the array that has them is compared', () => {
  const watched = new WatchedValues()
  const many = Array.from({ length: 1_200_000 }, (_, i) => i)
  watched.add('many', many)
  expect(watched.begin()()).toBe(undefined)
  const changed = watched.begin()
  many.push(1)
  expect(changed()).toBe('many')
})

test('bytes of a value that cannot be frozen are found in it', () => {
  const { bytes, ...rest } = made()
  expect(bytesIn([{ rest, deep: new Map([[bytes, bytes]]) }])).toEqual([bytes, bytes])
})

test('results and values that the program has dropped are not held while a task runs, and those that are left are compared', async () => {
  const watched = new WatchedValues()
  const left: unknown[][] = []
  const dropped: WeakRef<object>[] = []
  ;(() => {
    const rows = Array.from({ length: 1000 }, (_, i) => [`k${i}`, i])
    watched.add('rows', rows)
    left.push(rows[500]!)
    dropped.push(new WeakRef(rows), new WeakRef(rows[7]!))
  })()
  const changed = watched.begin()
  await setImmediate()
  exposedCollector()()
  expect(dropped.map(ref => ref.deref())).toEqual([undefined, undefined])
  expect(changed()).toBe(undefined)
  expect(watched.begin()()).toBe(undefined)
  const again = watched.begin()
  left[0]![1] = 5
  expect(again()).toBe('rows')
})
