// The last lines of a log: numbered, whole, the newest within the bound, read by pages.

import { expect, test } from 'vitest'
import { RecentLines } from '../../../../src/world/recentlog.ts'

test('lines keep their numbers while the oldest are dropped, and a reader is told where it goes on', () => {
  const recent = new RecentLines(20)
  expect(recent.read(0, 100)).toEqual({ from: 0, lines: [], next: 0 })
  for (let i = 0; i < 8; i++) recent.add(`line${i}\n`)
  expect(recent.read(0, 100)).toEqual({ from: 5, lines: ['line5', 'line6', 'line7'], next: 8 })
  expect(recent.read(6, 100)).toEqual({ from: 6, lines: ['line6', 'line7'], next: 8 })
  expect(recent.read(8, 100)).toEqual({ from: 8, lines: [], next: 8 })
  expect(recent.read(99, 100)).toEqual({ from: 8, lines: [], next: 8 })
})

test('a page has at least one line, and the next one follows', () => {
  const recent = new RecentLines(100)
  for (const text of ['a', 'bbbbbbbb', 'c']) recent.add(`${text}\n`)
  expect(recent.read(0, 3)).toEqual({ from: 0, lines: ['a'], next: 1 })
  expect(recent.read(1, 3)).toEqual({ from: 1, lines: ['bbbbbbbb'], next: 2 })
  expect(recent.read(2, 3)).toEqual({ from: 2, lines: ['c'], next: 3 })
})

test('a line that is longer than the bound is left out, and counted', () => {
  const recent = new RecentLines(10)
  recent.add('kept\n')
  recent.add(`${'x'.repeat(10)}\n`)
  expect(recent.read(0, 100)).toEqual({ from: 2, lines: [], next: 2 })
  recent.add('after\n')
  expect(recent.read(0, 100)).toEqual({ from: 2, lines: ['after'], next: 3 })
})
