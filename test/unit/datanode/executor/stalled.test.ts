// Waits of a program's functions for promises that nothing can settle, on a manual clock and a list of fake work.

import { expect, test } from 'vitest'
import { StallWatch } from '../../../../datanode/executor/stalled.ts'
import type { Started, StartedWork } from '../../../../src/ports/started.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'

function watching() {
  const clock = new ManualClock()
  const state = { pending: [] as unknown[], unseen: false }
  const notes: string[] = []
  const started = {
    call: <T>(call: () => T) => call(), begin() {}, job: 'job', mark() {}, collect() {},
    pending: () => state.pending as StartedWork[], get unseen() { return state.unseen },
  } satisfies Started
  const watch = new StallWatch({ clock, started, note: text => notes.push(text) })
  const wait = (promise = new Promise<void>(() => {})): Promise<void> =>
    watch.during(promise, () => [{ name: 'map', place: 'grind.ts:4:3' }])
  return { clock, state, notes, watch, wait }
}

test('a wait while nothing is in flight is told after ten seconds, and again when it is ten times as long', () => {
  const { clock, notes, wait } = watching()
  void wait()
  clock.pass(9_999)
  expect(notes).toEqual([])
  clock.pass(1)
  expect(notes).toEqual([expect.stringMatching(/^Note: map has waited for 10\.0 s for a promise.*\n {4}at map \(grind\.ts:4:3\)$/)])
  clock.pass(89_999)
  expect(notes).toHaveLength(1)
  clock.pass(1)
  expect(notes[1]).toContain('waited for 1m 40s')
})

test('a wait is not told while something is in flight, and counts from its end', () => {
  const { clock, state, notes, wait } = watching()
  void wait()
  state.pending = [{}]
  clock.pass(100_000)
  state.pending = []
  state.unseen = true
  clock.pass(100_000)
  state.unseen = false
  clock.pass(9_000)
  expect(notes).toEqual([])
  clock.pass(1_000)
  expect(notes).toHaveLength(1)
})

test('time between two waits does not count, and nothing is looked at after the end of the task', async () => {
  const { clock, notes, watch, wait } = watching()
  const { promise, resolve } = Promise.withResolvers<void>()
  const first = wait(promise)
  clock.pass(9_000)
  resolve()
  await first
  clock.pass(20_000)
  const failing = wait(Promise.reject(new Error('no')))
  await expect(failing).rejects.toThrow('no')
  void wait()
  clock.pass(9_000)
  expect(notes).toEqual([])
  watch.close()
  expect(clock.waiting).toBe(0)
})
