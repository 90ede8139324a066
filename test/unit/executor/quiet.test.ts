import { expect, test } from 'vitest'
import { untilQuiet } from '../../../datanode/executor/quiet.ts'
import type { Turns } from '../../../src/operator/turn.ts'
import type { Started, StartedWork } from '../../../src/ports/started.ts'
import { ManualClock } from '../../kit/manual-clock.ts'

// Waiting of a task for asynchronous work of its functions, and the conditions that fail it.

interface Case {
  readonly left?: readonly Partial<StartedWork>[]
  readonly held: boolean
  readonly unseen?: boolean
  readonly until?: number
}

/** Milliseconds that the task waited, and its outcome. `until`: time at which the work ends. */
async function waited({
  left = [], held, unseen = false, until = Infinity,
}: Case): Promise<{ ms: number; collected: number; failed?: string; noted?: string }> {
  const clock = new ManualClock()
  const from = clock.mono()
  let collected = 0
  const work = left.map((one): StartedWork => ({
    what: 'it', kind: 'timer', afterMs: 0, repeats: false, unref: true, begun: new Error('begun'), ...one,
  }))
  const started: Started = {
    call: call => call(),
    pending: () => (clock.mono() - from < until ? work : []),
    unseen, reset() {},
    collect() {
      collected++
    },
  }
  const turns = { release() {}, isHeld: held, late: undefined } as unknown as Turns
  let noted: string | undefined
  let failed: string | undefined
  let over = false
  const waiting = untilQuiet({ clock, started, turns, note: told => { noted = told.message } }, 'map')
    .catch((error: unknown) => {
      failed = ((error as Error).cause as Error).message
    })
    .finally(() => {
      over = true
    })
  while (!over) {
    await new Promise(resolve => setImmediate(resolve))
    if (clock.waiting > 0) clock.pass(1)
  }
  await waiting
  return { ms: clock.mono() - from, collected, ...(failed !== undefined && { failed }), ...(noted !== undefined && { noted }) }
}

test('a task whose functions have left nothing running waits for nothing, and the memory is not cleaned for it', async () => {
  for (const held of [true, false]) expect(await waited({ held })).toEqual({ ms: 0, collected: 0 })
})

test.each<[string, Partial<StartedWork>]>([
  ['a timer', { afterMs: 20 }], ['a timer of a minute', { afterMs: 60_000 }], ['an interval', { afterMs: 20, repeats: true }],
  ['a thread', { kind: 'handle' }], ['a process', { kind: 'handle' }],
])('unref\'d work is not waited for if no emit can be reached: %s', async (_, left) => {
  const { ms, failed } = await waited({ left: [left], held: false })
  expect(failed).toBeUndefined()
  expect(ms).toBeLessThanOrEqual(2)
})

test.each<[string, Partial<StartedWork>, { until: number; about: number }]>([
  ['a timer', { afterMs: 3_000 }, { until: 3_000, about: 3_000 }], ['a thread', { kind: 'handle' }, { until: 20_000, about: 20_000 }],
  ['an interval, once', { afterMs: 500, repeats: true }, { until: Infinity, about: 500 }],
])('unref\'d work is waited for while an emit can be reached: %s', async (_, left, { until, about }) => {
  const { ms, failed } = await waited({ left: [left], held: true, until })
  expect(failed).toBeUndefined()
  expect(ms).toBeGreaterThanOrEqual(about)
  expect(ms).toBeLessThanOrEqual(about + 110)
})

test('a time limit is let be, also while an emit can be reached', async () => {
  for (const left of [{ afterMs: 120_000 }, { afterMs: 300_000, repeats: true }, { afterMs: 30_000 }])
    expect((await waited({ left: [left], held: true })).ms).toBeLessThanOrEqual(2)
  expect(await waited({ left: [{ afterMs: 5_000 }], held: true })).not.toHaveProperty('failed')
})

test('a thread or process that does not end fails the attempt after a minute, and the message says what to do', async () => {
  const { ms, failed } = await waited({ left: [{ kind: 'handle', what: 'a worker thread' }], held: true })
  expect(failed).toMatch(/^a worker thread that map has started .* may still emit; await it, or end it in teardown; and keep no emit/)
  expect(ms).toBeGreaterThan(60_000)
})

test('messages between threads are waited for a moment while an emit can be reached', async () => {
  const { ms } = await waited({ held: true, unseen: true })
  expect(ms).toBeGreaterThan(200)
  expect(ms).toBeLessThan(300)
  expect((await waited({ held: false, unseen: true })).ms).toBeLessThanOrEqual(2)
})

test('an unref timer of more than five seconds is not waited for, and is told in the log while an emit can be reached', async () => {
  for (const left of [{ afterMs: 5_001 }, { afterMs: 60_000 }, { afterMs: 10_000, repeats: true }]) {
    const { ms, failed, noted } = await waited({ left: [left], held: true })
    expect(failed).toBeUndefined()
    expect(ms).toBeLessThanOrEqual(2)
    expect(noted).toMatch(/^the task did not wait for a timer of .* with unref\(\) that map has started, and an emit can still be reached/)
    expect(await waited({ left: [left], held: false })).not.toHaveProperty('noted')
  }
  for (const left of [{ afterMs: 5_000 }, { afterMs: 60_000, unref: false }])
    expect(await waited({ left: [left], held: true, until: 5_000 })).not.toHaveProperty('noted')
})
