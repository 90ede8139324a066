// Bytes of the table in which values are combined before they are sorted, compared with a recount of the table after random emissions:
// they decide when the table is written to disk.

import { expect, test } from 'vitest'
import { Combiner } from '../../../../src/shuffle/combiner.ts'
import { dice } from '../../../kit/dice.ts'
import { keptBytes } from '../../collector.ts'
import { randomKey } from './kit.ts'

interface Total { sum: number; texts: string[] }

/** Takes numbers, texts and totals; some keys get a number as their result. */
function combine(key: unknown, values: Iterable<unknown>): unknown {
  const total: Total = { sum: 0, texts: [] }
  for (const value of values) {
    if (typeof value === 'number') total.sum += value
    else if (typeof value === 'string') total.texts.push(value)
    else {
      const other = value as Total
      total.sum += other.sum
      total.texts.push(...other.texts)
      // A function may change what it is given.
      other.texts.length = 0
    }
  }
  if (typeof key === 'string' && key.length % 3 === 0) return total.sum
  return key === 'ab' ? total.texts.join('') : total
}

test('the bytes of the table are those of its keys and values, of whatever types the values of one key are', () => {
  const random = dice(Number(process.env['SEED'] ?? 5))
  const combiner = new Combiner(combine as never)
  for (let i = 0; i < 20_000; i++) {
    const value = random.pick<unknown>([i, i, 'x'.repeat(random.below(40)), { sum: 1, texts: ['a'.repeat(random.below(9)), 'b'] }])
    combiner.add(random.below(2) === 0 ? random.pick(['', 'a', 'ab', 'prefix/common/']) : randomKey(random), value)
    if (i % 97 === 0) combiner.checkState()
  }
  combiner.checkState()
})

test('numbers combined to objects leave no bytes behind: the table of one key stays small, and is never below zero', () => {
  const combiner = new Combiner(((_key: unknown, values: Iterable<unknown>) => {
    let sum = 0
    for (const value of values) sum += typeof value === 'number' ? value : (value as Total).sum
    return { sum }
  }) as never)
  combiner.add('k', 1)
  combiner.checkState()
  for (let i = 0; i < 3000; i++) {
    combiner.add('k', 1)
    expect(combiner.usedBytes).toBeGreaterThan(0)
    expect(combiner.usedBytes).toBeLessThan(1000)
  }
  combiner.checkState()
})

test('a combine function that fails, and whose error the program catches, leaves the bytes as they were', () => {
  let fails = false
  const combiner = new Combiner(((_key: unknown, values: Iterable<string>) => {
    if (fails) throw new Error('no')
    return [...values].join('')
  }) as never)
  for (const text of ['a', 'bb', 'ccc']) combiner.add('k', text)
  const before = combiner.usedBytes
  fails = true
  expect(() => combiner.add('k', 'dddd')).toThrow('no')
  expect(combiner.usedBytes).toBe(before)
  combiner.checkState()
})

test('texts that were cut from longer ones keep these no longer in memory', () => {
  const table = new Combiner((_: never, values: never) => (values as unknown[])[0])
  const parts = new Combiner(() => 0)
  const cutting = new Combiner((_: never, values: never) => (values as string[])[0]!.slice(0, 30))
  const bytes = keptBytes(() => {
    for (let i = 0; i < 4_000; i++) {
      const line = `${String(i).padStart(24, 'k')} ${String(i).padStart(24, 'v')} ${'x'.repeat(8_000)}${i}`
      table.add(line.slice(0, 24), line.slice(25, 49))
      for (let j = 0; j < 4; j++) cutting.add(i, line.slice(j, 500 + j))
      parts.add([line.slice(0, 24), i], { list: [line.slice(25, 49), { text: line.slice(1, 30) }], map: new Map([[line.slice(2, 30), i]]) })
    }
    return [table, cutting, parts]
  })
  expect(bytes).toBeLessThan(8_000_000)
  expect(table.usedBytes).toBeLessThan(4_000_000)
})
