// End of a task with asynchronous work left by its functions, on a manual clock and a list of fake work: which work is waited for, for how
// long, and what fails the attempt.

import { expect, test } from 'vitest'
import { untilQuiet } from '../../../../datanode/executor/quiet.ts'
import type { Turns } from '../../../../src/operator/turn.ts'
import type { Started, StartedWork } from '../../../../src/ports/started.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'

interface Case {
  readonly left?: readonly Partial<StartedWork>[]
  readonly held: boolean
  readonly unseen?: boolean
  readonly until?: number
  /** Time at which work has called back. Default: never. */
  readonly fires?: number
  /** Time that passes at once. Default: 1 ms. */
  readonly stepMs?: number
}

/** Milliseconds that the task waited, and its outcome. `until`: time at which the work ends. */
async function waited({
  left = [], held, unseen = false, until = Infinity, fires = Infinity, stepMs = 1,
}: Case): Promise<{ ms: number; collected: number; failed?: string; noted?: string }> {
  const clock = new ManualClock()
  const from = clock.mono()
  let collected = 0
  const work = left.map((one): StartedWork => ({
    what: 'it', kind: 'timer', afterMs: 0, repeats: false, fired: false, asked: false, heard: true, idle: false,
    unref: true, earlier: false, begun: new Error('begun'), ...one,
  }))
  const started: Started = {
    call: call => call(),
    begin() {}, job: 'job',
    pending: () => (clock.mono() - from < until ? work.map(one => ({ ...one, fired: clock.mono() - from >= fires })) : []),
    mark() {}, unseen,
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
    if (clock.waiting > 0) clock.pass(stepMs)
  }
  await waiting
  return { ms: clock.mono() - from, collected, ...(failed !== undefined && { failed }), ...(noted !== undefined && { noted }) }
}

test('a task whose functions have left nothing running waits for nothing, and the memory is not cleaned for it', async () => {
  for (const held of [true, false]) expect(await waited({ held })).toEqual({ ms: 0, collected: 0 })
})

test.each<[string, Partial<StartedWork>]>([
  ['a timer', { afterMs: 20 }], ['a timer of a minute', { afterMs: 60_000 }], ['an interval', { afterMs: 20, repeats: true }],
  ['a thread', { kind: 'thread' }], ['a process', { kind: 'process' }],
])('unref\'d work is not waited for if no emit can be reached: %s', async (_, left) => {
  const { ms, failed } = await waited({ left: [left], held: false })
  expect(failed).toBeUndefined()
  expect(ms).toBeLessThanOrEqual(2)
})

test.each<[string, Partial<StartedWork>, { until?: number; fires?: number; about: number }]>([
  ['a timer', { afterMs: 3_000 }, { until: 3_000, about: 3_000 }], ['a thread', { kind: 'thread' }, { until: 20_000, about: 20_000 }],
  ['an interval, until it has called back', { afterMs: 500, repeats: true }, { fires: 500, about: 500 }],
  ['an interval that is late, because the program computes', { afterMs: 500, repeats: true }, { fires: 7_000, about: 7_000 }],
  ['a timer that is set again when it has called back', { afterMs: 500 }, { fires: 500, about: 500 }],
  ['a connection, for five seconds', { kind: 'stream' }, { about: 5_000 }],
  ['a connection that is closed', { kind: 'stream' }, { until: 700, about: 700 }],
  ['a thread of the module', { kind: 'thread', earlier: true }, { until: 20_000, about: 20_000 }],
])('unref\'d work is waited for while an emit can be reached: %s', async (_, left, { until, fires, about }) => {
  const { ms, failed } = await waited({ left: [left], held: true, ...(until && { until }), ...(fires && { fires }) })
  expect(failed).toBeUndefined()
  expect(ms).toBeGreaterThanOrEqual(about)
  expect(ms).toBeLessThanOrEqual(about + 110)
})

test.each<[string, Partial<StartedWork>]>([
  ['an interval', { afterMs: 20, repeats: true }], ['a timer of the module', { afterMs: 900, earlier: true }],
  ['a connection', { kind: 'stream' }], ['a connection of the module', { kind: 'stream', earlier: true }],
  ['a server', { kind: 'handle' }], ['a thread of the module', { kind: 'thread', earlier: true }],
  ['a request of an earlier task', { kind: 'request', earlier: true }],
])('work that may never end is not waited for if no emit can be reached: %s', async (_, left) => {
  const { ms, failed } = await waited({ left: [{ unref: false, ...left }], held: false })
  expect(failed).toBeUndefined()
  expect(ms).toBeLessThanOrEqual(2)
})

test('work that runs while an emit can be reached and does not end fails the attempt, which says who has started it', async () => {
  for (const left of [{ afterMs: 20, repeats: true }, { kind: 'stream' }, { kind: 'request' }] as const) {
    expect((await waited({ left: [{ ...left, unref: false }], held: true, fires: 20 })).failed)
      .toMatch(/^it (of 20 ms )?that map has started has not ended /)
    expect((await waited({ left: [{ ...left, unref: false, earlier: true }], held: true, fires: 20 })).failed)
      .toMatch(/^it (of 20 ms )?that the program has started at the top of its module, in setup or in an earlier task has not ended /)
  }
})

test('a task is not over because time has passed: a paused process has its turns afterwards', async () => {
  // Each look comes a minute late. 60 s in looks of 50 ms.
  const late = await waited({ left: [{ afterMs: 200 }], held: true, fires: 40 * 60_000, stepMs: 60_000 })
  expect(late).toMatchObject({ noted: expect.stringMatching(/^the task did not wait for it/) })
  expect(late.ms).toBeGreaterThanOrEqual(40 * 60_000)
  const thread = await waited({ left: [{ kind: 'thread' }], held: true, until: 20 * 60_000, stepMs: 60_000 })
  expect(thread).not.toHaveProperty('failed')
  const unseen = await waited({ held: true, unseen: true, stepMs: 60_000 })
  expect(unseen.ms).toBeGreaterThan(5 * 60_000)
})

test('a time limit is let be, also while an emit can be reached', async () => {
  for (const left of [{ afterMs: 120_000 }, { afterMs: 300_000, repeats: true }, { afterMs: 30_000 }])
    expect((await waited({ left: [left], held: true })).ms).toBeLessThanOrEqual(2)
  expect(await waited({ left: [{ afterMs: 5_000 }], held: true })).not.toHaveProperty('failed')
})

test('a thread or process that does not end fails the attempt after a minute, and the message says what to do', async () => {
  const { ms, failed } = await waited({ left: [{ kind: 'thread', what: 'a worker thread' }], held: true })
  expect(failed).toMatch(/^a worker thread that map has started .* may still emit; await it, or end it in teardown; and keep no emit/)
  expect(ms).toBeGreaterThan(60_000)
})

test('messages between threads are waited for a moment while an emit can be reached', async () => {
  const { ms } = await waited({ held: true, unseen: true })
  expect(ms).toBeGreaterThan(200)
  expect(ms).toBeLessThan(300)
  expect((await waited({ held: false, unseen: true })).ms).toBeLessThanOrEqual(2)
})

test('an unref timer of more than five seconds is not waited for, and is noted in the log while an emit can be reached', async () => {
  for (const left of [{ afterMs: 5_001 }, { afterMs: 60_000 }, { afterMs: 10_000, repeats: true }]) {
    const { ms, failed, noted } = await waited({ left: [left], held: true })
    expect(failed).toBeUndefined()
    expect(ms).toBeLessThanOrEqual(2)
    expect(noted).toMatch(/^the task did not wait for it of .* with unref\(\) that map has started, and an emit can still be reached/)
    expect(await waited({ left: [left], held: false })).not.toHaveProperty('noted')
  }
  for (const left of [{ afterMs: 5_000 }, { afterMs: 60_000, unref: false }])
    expect(await waited({ left: [left], held: true, until: 5_000 })).not.toHaveProperty('noted')
})
