// Between two functions of a task, on a manual clock and a list of fake work: what is waited for, for how long, what fails the attempt, and
// what the log names.

import { expect, test } from 'vitest'
import { untilQuiet, untilSettled } from '../../../../datanode/executor/quiet.ts'
import type { Turns } from '../../../../src/operator/turn.ts'
import type { Started, StartedWork } from '../../../../src/ports/started.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'

interface Outcome { readonly ms: number; readonly failed?: string; readonly noted: readonly string[] }

const work = (one: Partial<StartedWork>): StartedWork => ({
  what: 'it', kind: 'timer', afterMs: 0, repeats: false, fired: false, asked: false, heard: true, idle: false, unref: false, earlier: false,
  begun: new Error('begun'), ...one,
})

interface Parts { readonly clock: ManualClock; readonly started: Started; readonly note: (told: Error) => void }

/** `until`: time at which the work ends. */
async function watch(left: readonly StartedWork[], until: number, wait: (parts: Parts) => Promise<void>): Promise<Outcome> {
  const clock = new ManualClock()
  const from = clock.mono()
  const started: Started = {
    call: call => call(), begin() {}, job: 'job', mark() {}, unseen: false, collect() {},
    pending: () => (clock.mono() - from < until ? [...left] : []),
  }
  const noted: string[] = []
  let failed: string | undefined
  let over = false
  const waiting = wait({ clock, started, note: told => { noted.push(told.message) } })
    .catch((error: unknown) => { failed = ((error as Error).cause as Error).message })
    .finally(() => { over = true })
  while (!over) {
    await new Promise(resolve => setImmediate(resolve))
    if (clock.waiting > 0) clock.pass(1)
  }
  await waiting
  return { ms: clock.mono() - from, noted, ...(failed !== undefined && { failed }) }
}

const settled = (part: 'the module' | 'setup' | 'map', one: Partial<StartedWork>, until = Infinity): Promise<Outcome> =>
  watch([work(one)], until, parts => untilSettled(parts, part, 'next'))

/** The end of a task of which the program can reach no `emit`, and a counter or not. */
const quiet = (one: Partial<StartedWork>, { counts = false, until = Infinity } = {}): Promise<Outcome> =>
  watch([work(one)], until, parts => untilQuiet({
    ...parts, turns: { release() {}, isHeld: false, late: undefined } as unknown as Turns,
    counts: { release() {}, isHeld: counts },
  }, 'map'))

const endsByItself: [string, Partial<StartedWork>][] = [
  ['a request', { kind: 'request' }], ['a short timer, or a chain of them', { afterMs: 500 }], ['a timer of 5 s', { afterMs: 5_000 }],
  ['a connection that was written to', { kind: 'stream', asked: true }],
  ['a connection that was opened before and written to', { kind: 'stream', asked: true, earlier: true }],
]

test.each(endsByItself)('what ends by itself is waited for after every part, and fails the attempt if it does not end: %s', async (_, one) => {
  for (const part of ['the module', 'setup', 'map'] as const) {
    const ended = await settled(part, one, 7_000)
    expect([ended.failed, ended.noted]).toEqual([undefined, []])
    expect(ended.ms).toBeGreaterThanOrEqual(7_000)
    expect(ended.ms).toBeLessThan(7_100)
    const { ms, failed, noted } = await settled(part, one)
    expect(ms).toBeGreaterThan(10_000)
    // A chain of timers may be the heartbeat of a client, which serves the whole task.
    if ((one.kind ?? 'timer') === 'timer' && part !== 'map') {
      expect([failed, noted]).toEqual([undefined, [expect.stringContaining('the task did not wait for it of')]])
      continue
    }
    expect(failed).toMatch(/10\.0 s after (it was loaded|setup had returned|map had returned), and next may read what it leaves; await it/)
  }
  expect(await quiet(one, { until: 7_000 })).not.toHaveProperty('failed')
  expect((await quiet(one)).failed).toMatch(/10\.0 s after the last function had returned; await it/)
})

test.each(['process', 'thread'] as const)('a %s of map must end; one of setup or the module is named', async kind => {
  expect(await settled('map', { kind }, 8_000)).not.toHaveProperty('failed')
  expect((await settled('map', { kind })).failed).toMatch(/^it that map has started has not ended .* or start it with unref\(\)/)
  expect((await quiet({ kind })).failed).toMatch(/^it that map has started has not ended 10\.0 s after the last function had returned/)
  for (const part of ['the module', 'setup'] as const) {
    const { ms, failed, noted } = await settled(part, { kind })
    expect([ms, failed, noted]).toEqual([
      0, undefined, [`the task did not wait for it that ${part} has started; if next needs what it leaves, await it`],
    ])
  }
  expect(await settled('map', { kind, unref: true })).toEqual(
    { ms: 0, noted: ['the task did not wait for it with unref() that map has started; if next needs what it leaves, await it'] },
  )
  expect(await quiet({ kind, unref: true })).toMatchObject({ noted: [expect.stringContaining('cut off by the end of the job')] })
  expect(await settled('map', { kind, earlier: true })).toEqual({ ms: 0, noted: [] })
})

test.each<[string, Partial<StartedWork>]>([
  ['an idle connection', { kind: 'stream', idle: true }],
  ['an idle connection of an earlier task', { kind: 'stream', idle: true, earlier: true }],
  ['a server', { kind: 'handle' }], ['an interval', { afterMs: 500, repeats: true }], ['an unref timer', { afterMs: 500, unref: true }],
  ['a request that was waited for before', { kind: 'request', earlier: true }],
])('what serves the whole task is neither waited for nor named: %s', async (_, one) => {
  for (const part of ['the module', 'setup', 'map'] as const) expect(await settled(part, one)).toEqual({ ms: 0, noted: [] })
  expect((await quiet(one)).ms).toBeLessThanOrEqual(2)
})

test('a timer of more than five seconds is named, and not waited for', async () => {
  for (const part of ['setup', 'map'] as const)
    expect(await settled(part, { afterMs: 30_000 })).toEqual(
      { ms: 0, noted: [`the task did not wait for it of 30.0 s that ${part} has started; if next needs what it leaves, await it`] },
    )
  expect(await quiet({ afterMs: 30_000 })).toMatchObject({ ms: 1, noted: [] })
})

test('a reply whose end does not come is named: the program may have no use for it; so is a connection that only sends', async () => {
  expect(await settled('map', { kind: 'reply' })).not.toHaveProperty('failed')
  expect(await settled('map', { kind: 'stream', asked: true, heard: false })).toMatchObject({ noted: [expect.any(String)] })
  const { failed, noted } = await settled('setup', { kind: 'reply' })
  expect([failed, noted]).toEqual([undefined, [expect.stringMatching(/^the task did not wait for it that setup/)]])
})

test('an unref connection whose peer does not reply is waited for once, and named', async () => {
  const one = { kind: 'stream', unref: true, asked: true, begun: new Error('begun') } as const
  const { ms, failed, noted } = await settled('map', one)
  expect([failed, noted]).toEqual([
    undefined, ['the task did not wait for it with unref() that map has started; if next needs what it leaves, await it'],
  ])
  expect(ms).toBeGreaterThan(5_000)
  expect(ms).toBeLessThan(5_200)
  expect((await settled('map', { ...one, earlier: true })).ms).toBe(0)
})

test('while only a counter can be reached, threads and processes are waited for ten seconds and then named', async () => {
  for (const kind of ['process', 'thread'] as const) {
    const thread = { kind, earlier: true }
    expect(await quiet(thread)).toMatchObject({ noted: [] })
    const ended = await quiet(thread, { counts: true, until: 3_000 })
    expect(ended.noted).toEqual([])
    expect(ended.ms).toBeGreaterThanOrEqual(3_000)
    expect(ended.ms).toBeLessThan(3_100)
    const { ms, failed, noted } = await quiet(thread, { counts: true })
    expect([failed, noted]).toEqual([undefined, [expect.stringMatching(
      /^the task did not wait for it that the program .*, and a counter can still be reached; if it counts, await it; if not, keep no context/,
    )]])
    expect(ms).toBeGreaterThan(10_000)
  }
  expect((await quiet({ kind: 'stream', idle: true, earlier: true }, { counts: true })).ms).toBeLessThanOrEqual(2)
  const { noted } = await quiet({ afterMs: 500, repeats: true }, { counts: true })
  expect(noted).toEqual([expect.stringContaining('a counter can still be reached')])
})
