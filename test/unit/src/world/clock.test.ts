// System clock: monotonic time, sleeps, timers, deadlines and yields, with their aborts.

import { expect, test } from 'vitest'
import { systemClock } from '../../../../src/world/clock.ts'

test('monotonic time never goes back, and has fractions', () => {
  let last = systemClock.mono()
  let fraction = false
  for (let i = 0; i < 1000; i++) {
    const now = systemClock.mono()
    expect(now).toBeGreaterThanOrEqual(last)
    if (now % 1 !== 0) fraction = true
    last = now
  }
  expect(fraction).toBe(true)
})

test('a sleep ends after its time, or with the reason of its signal', async () => {
  const started = systemClock.mono()
  await systemClock.sleep(20)
  expect(systemClock.mono() - started).toBeGreaterThanOrEqual(19)
  const reason = new Error('stop')
  await expect(systemClock.sleep(60_000, AbortSignal.abort(reason))).rejects.toBe(reason)
  const controller = new AbortController()
  const sleeping = systemClock.sleep(60_000, controller.signal)
  controller.abort(reason)
  await expect(sleeping).rejects.toBe(reason)
})

test('work set for later runs once, unless it is cancelled; a very long time is not a very short one', async () => {
  let runs = 0
  systemClock.after(5, () => { runs++ })
  systemClock.after(5, () => { runs += 10 })()
  const cancel = systemClock.after(1e15, () => { runs += 100 })
  await systemClock.sleep(40)
  cancel()
  expect(runs).toBe(1)
})

test('a deadline aborts with TimeoutError, or earlier with the other signal\'s reason', async () => {
  const deadline = systemClock.deadline(5)
  await new Promise(resolve => deadline.addEventListener('abort', resolve))
  expect((deadline.reason as Error).name).toBe('TimeoutError')
  const controller = new AbortController()
  const both = systemClock.deadline(60_000, controller.signal)
  const reason = new Error('stop')
  controller.abort(reason)
  expect(both.reason).toBe(reason)
})

test('a yield lets timers and input run that were ready', async () => {
  let ran = false
  setImmediate(() => { ran = true })
  await systemClock.yield()
  expect(ran).toBe(true)
})
