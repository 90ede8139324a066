// Values that programs broadcast: equal to the value that was given, and not to be changed by the functions that share them.

import { expect, test } from 'vitest'
import { decodeShipped, encodeShipped } from '../../../../src/plan/shipped.ts'

const travelled = <T>(value: T): T => decodeShipped(encodeShipped(value)) as T

const value = {
  n: 1, list: [{ word: 'rye' }, undefined, null], map: new Map([[1, { deep: [2] }]]), set: new Set(['a']), date: new Date(5),
  bytes: Buffer.of(1),
}

test('a value arrives as it was, and copies of it can be changed', () => {
  const got = travelled(value)
  expect(got).toEqual({ ...value, bytes: got.bytes })
  expect([...got.bytes]).toEqual([1])
  for (const simple of [undefined, null, 0, 'text', 2n]) expect(travelled(simple)).toBe(simple)
  const copy = structuredClone(got)
  copy.map.set(3, { deep: [] })
  copy.set.add('b')
  copy.list.push(null)
  expect([copy.map.size, copy.set.size, copy.list.length]).toEqual([2, 2, 4])
  expect(decodeShipped(encodeShipped(got))).toEqual(got)
})

test.each<[string, (shared: typeof value) => unknown]>([
  ['a field', shared => { shared.n++ }],
  ['a new field', shared => Object.assign(shared, { more: 1 })],
  ['an array', shared => shared.list.push(null)],
  ['an element', shared => { (shared.list[0] as { word: string }).word = 'oat' }],
  ['an element behind one that is undefined', shared => { shared.list[2] = undefined }],
  ['a map', shared => shared.map.set(2, { deep: [] })],
  ['a map, emptied', shared => { shared.map.clear() }],
  ['a value of a map', shared => shared.map.get(1)!.deep.push(3)],
  ['a set', shared => shared.set.add('b')],
  ['a set, by a deletion', shared => shared.set.delete('a')],
  ['a date', shared => shared.date.setTime(6)],
])('%s cannot be changed', (_, change) => {
  const shared = travelled(value)
  expect(() => change(shared)).toThrow(TypeError)
  expect(shared).toEqual({ ...value, bytes: shared.bytes })
})
