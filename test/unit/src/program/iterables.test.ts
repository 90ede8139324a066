// Helpers of programs for iterables (`sum`, `max`, `take` …): results, refusal of texts in sums, and no read beyond need.

import { expect, test } from 'vitest'
import { average, count, first, max, min, sum, take } from '../../../../src/program/iterables.ts'

function* once<T>(...values: T[]): Generator<T> { yield* values }

test('numbers are summed, counted and averaged', () => {
  expect([sum(once(1, 2, 3.5)), sum([]), count(once('a', 'b')), average(once(1, 2, 6))]).toEqual([6.5, 0, 2, 3])
})

test('texts are not added: fields of CSV would be joined, and their average would look like a number', () => {
  for (const of of [sum, average]) {
    expect(() => of(once('9', '10', '2') as never)).toThrow(/was given the text "9"; a field of CSV is a text/)
    for (const value of [null, undefined, true, 5n, {}, new Date(0)])
      expect(() => of(once(1, value) as never), String(value)).toThrow(TypeError)
  }
  expect(() => max(once<unknown>(9, '10'))).toThrow('texts and others')
  expect(() => min(once<unknown>('9', 10))).toThrow('texts and others')
  expect(max(once('9', '10'))).toBe('9')
  expect(max(once<unknown>(9, 10n))).toBe(10n)
})

test('the largest and the smallest are found, by themselves or by a measure, the first of equals', () => {
  expect([max(once(3, 9, 4)), min(once('b', 'a', 'c'))]).toEqual([9, 'a'])
  const people = [{ name: 'Ann', age: 30 }, { name: 'Bob', age: 40 }, { name: 'Cid', age: 40 }, { name: 'Dee', age: 30 }]
  expect([max(people, p => p.age).name, min(people, p => p.age).name]).toEqual(['Bob', 'Ann'])
  expect(max([undefined, undefined])).toBe(undefined)
  expect(() => max([])).toThrow('max of no values')
})

test('taking stops reading when it has enough', () => {
  let read = 0
  function* endless() { for (;;) yield ++read }
  expect(take(endless(), 3)).toEqual([1, 2, 3])
  expect(read).toBe(3)
  expect(take(endless(), 0)).toEqual([])
  expect(first(once(7, 8))).toBe(7)
  expect(() => first([])).toThrow('first of no values')
})
