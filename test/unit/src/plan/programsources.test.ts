// Times and random numbers of a program, recorded where it is started and given to its replays.

import { expect, test } from 'vitest'
import { RecordedSources, ReplayedSources } from '../../../../src/plan/programsources.ts'
import { limits } from '../../../../src/base/limits.ts'

const options = { seed: 3, nowMs: 1_795_763_567_847 }

test('a process that takes a run over reads the times of the one before again, and then its own, and records all', () => {
  const before = new RecordedSources({ ...options, now: () => 700 })
  before.now()
  const next = new RecordedSources({ ...options, now: () => 900 }, `${before.recorded} -50`)
  expect([next.now(), next.now(), next.now(), next.recorded]).toEqual([700, 650, 900, '700 -50 250'])
  const replayed = new ReplayedSources({ ...options, now: () => 5 })
  replayed.give(next.recorded)
  expect([replayed.now(), replayed.now(), replayed.now()]).toEqual([700, 650, 900])
})

test('a replay reads the recorded times in their order, also those that go back, and the same random numbers', () => {
  const times = [1_795_763_567_900, 1_795_763_567_900, 1_795_763_560_000, 1_795_763_570_000]
  const left = [...times]
  const recorded = new RecordedSources({ ...options, now: () => left.shift()! })
  expect(times.map(() => recorded.now())).toEqual(times)
  const replayed = new ReplayedSources({ ...options, now: () => 5 })
  replayed.give(recorded.recorded)
  expect(times.map(() => replayed.now())).toEqual(times)
  expect(replayed.isBeyond).toBe(false)
  expect([replayed.now(), replayed.isBeyond]).toEqual([5, true])
  const numbers = [1, 2, 3].map(() => recorded.random())
  expect([1, 2, 3].map(() => replayed.random())).toEqual(numbers)
  expect(numbers.every(number => number >= 0 && number < 1)).toBe(true)
  expect(new RecordedSources({ ...options, nowMs: options.nowMs + 1, now: () => 0 }).random()).not.toBe(numbers[0])
})

test('what is recorded has a bound', () => {
  let now = 1_795_763_567_847
  const recorded = new RecordedSources({ ...options, now: () => (now += 1_000_000) })
  for (let i = 0; i < 5_000; i++) recorded.now()
  expect(recorded.recorded.length).toBeLessThanOrEqual(limits.programClockCharsMax)
  const replayed = new ReplayedSources({ ...options, now: () => 5 })
  replayed.give(recorded.recorded)
  for (let i = 0; i < 1_000; i++) expect(replayed.now()).toBe(1_795_763_567_847 + (i + 1) * 1_000_000)
})
