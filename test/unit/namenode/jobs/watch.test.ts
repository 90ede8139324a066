// Watchers of a job, on a manual clock: a change wakes each waiting caller, and aborted or expired callers leave no entry.

import { expect, test } from 'vitest'
import { Watchers } from '../../../../namenode/jobs/watch.ts'
import { jobId } from '../../../../src/base/ids.ts'
import { limits } from '../../../../src/base/limits.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'

const job = jobId('job-1')

test('a job whose waiting callers have aborted, or have waited for long enough, is watched no more', async () => {
  const clock = new ManualClock()
  const watchers = new Watchers(clock)
  const leaving = new AbortController()
  const both = [watchers.wait(job, leaving.signal), watchers.wait(job, new AbortController().signal)]
  leaving.abort()
  await both[0]
  expect(watchers.watched).toBe(1)
  clock.pass(limits.longPollMs)
  await both[1]
  expect(watchers.watched).toBe(0)
})

test('a caller that waits for the next change is woken by it, also if another one has just left', async () => {
  const clock = new ManualClock()
  const watchers = new Watchers(clock)
  const leaving = new AbortController()
  const gone = watchers.wait(job, leaving.signal)
  leaving.abort()
  await gone
  let woken = false
  const waiting = watchers.wait(job, new AbortController().signal).then(() => { woken = true })
  watchers.changed(job, true)
  await waiting
  expect([woken, watchers.watched]).toEqual([true, 0])
})

test('a caller that asks again behind a change is answered a tenth of a second later, and at once when something urgent happens', async () => {
  const clock = new ManualClock()
  const watchers = new Watchers(clock)
  let answered = 0
  const ask = (): void => { void watchers.wait(job, new AbortController().signal, true).then(() => { answered++ }) }
  const rest = () => new Promise(resolve => { setImmediate(resolve) })
  ask()
  clock.pass(99)
  await rest()
  expect(answered).toBe(0)
  clock.pass(1)
  await rest()
  expect(answered).toBe(1)
  ask()
  watchers.changed(job, true)
  await rest()
  expect([answered, watchers.watched]).toEqual([2, 0])
})
