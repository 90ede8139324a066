// The state that all pages share: one caller, answers when something has changed, and silence when no page watches.

import { expect, test } from 'vitest'
import { levelsOf, slotsOf } from '../../../../client/console/levels.ts'
import { Live } from '../../../../client/console/live.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import type { ClusterStatus } from '../../../../src/protocol/admin.ts'
import type { NodeWork } from '../../../../src/protocol/heartbeat.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'

const forever = new AbortController().signal
const turn = () => new Promise(resolve => setImmediate(resolve))

function house() {
  const clock = new ManualClock()
  const cluster = {
    asked: 0, blocks: 1, freeBytes: 500e9, error: undefined as GristmillError | undefined, held: undefined as Promise<void> | undefined,
    users: new Set<string>(), done: {} as Record<string, NodeWork | undefined>, silentMs: undefined as number | undefined,
  }
  const live = new Live({
    clock,
    ask: async user => {
      cluster.asked++
      cluster.users.add(user)
      await cluster.held
      if (cluster.error) throw cluster.error
      const storages = [{ usedBytes: 5, freeBytes: cluster.freeBytes, capacityBytes: 1e12 }]
      const node = { node: 'n', state: 'live', running: 1, storages, sinceContactMs: cluster.asked }
      const others = Object.entries(cluster.done).map(([id, done]) => ({
        ...node, node: id, running: 0, storages: [], sinceContactMs: clock.now() - (cluster.silentMs ?? clock.now()),
        ...done && { done },
      }))
      const status = { nowMs: clock.now(), blocks: cluster.blocks, missing: 0, underReplicated: 2, nodes: [node, ...others] }
      return { status: status as unknown as ClusterStatus, jobs: [] }
    },
  })
  /** Lets time pass in steps in which calls end. */
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 500) {
      clock.pass(Math.min(500, left))
      await turn()
    }
  }
  return { clock, cluster, live, pass }
}

test('pages get the state at once, and then when it has changed; the namenode is asked for all of them together', async () => {
  const { cluster, live, pass } = house()
  const [first, again] = await Promise.all([live.watch('ada', 0, forever), live.watch('eve', 0, forever)])
  expect([first.version, again.version, cluster.asked]).toEqual([1, 1, 1])
  expect(first.samples).toMatchObject([{ tasks: 1, usedBytes: 5, unhealthy: 2 }])
  let news = 0
  const waiting = [1, 2, 3].map(() => live.watch('ada', 1, forever).then(state => { news++; return state }))
  await pass(6_000)
  expect(news).toBe(0)
  // Other programs write to the disk.
  cluster.freeBytes -= 1e6
  await pass(2_500)
  expect(news).toBe(0)
  cluster.blocks = 2
  await pass(2_500)
  expect((await Promise.all(waiting)).map(({ status }) => status?.blocks)).toEqual([2, 2, 2])
  expect(cluster.asked).toBeLessThan(8)
  await live.stop()
})

test('without news a page is answered after a while, and a page that leaves waits no longer', async () => {
  const { live, pass, clock } = house()
  const { version } = await live.watch('ada', 0, forever)
  // A sample of the chart is news.
  await pass(12_000)
  const leaving = new AbortController()
  const left = live.watch('ada', version + 1, leaving.signal)
  leaving.abort()
  expect((await left).version).toBe(version + 1)
  await live.stop()
  expect(clock.waiting).toBe(0)
})

test('a namenode that does not answer is news, and the last state stays; so is its return', async () => {
  const { cluster, live, pass } = house()
  const first = await live.watch('ada', 0, forever)
  cluster.error = new GristmillError('UNAVAILABLE', 'nothing listens there')
  const gone = live.watch('ada', first.version, forever)
  await pass(2_500)
  expect(await gone).toMatchObject({ status: { blocks: 1 }, trouble: { code: 'UNAVAILABLE', message: /nothing listens there/ } })
  cluster.error = undefined
  const back = live.watch('ada', (await gone).version, forever)
  await pass(2_500)
  expect((await back).trouble).toBeUndefined()
  await live.stop()
})

test('the charts go on for an hour after the last page has gone, at longer pauses, and then the namenode is left alone', async () => {
  const { cluster, live, pass } = house()
  await live.watch('ada', 0, forever)
  await pass(60_000)
  expect(cluster.asked).toBeLessThanOrEqual(8)
  await pass(3_600_000)
  const { asked } = cluster
  await pass(600_000)
  expect(cluster.asked).toBe(asked)
  const { samples } = await live.watch('ada', 0, forever)
  expect(samples.length).toBeLessThanOrEqual(360)
  await live.stop()
})

test('a namenode that answers again is seen within seconds, however long the looks took that have failed', async () => {
  const { cluster, live, pass, clock } = house()
  const { version } = await live.watch('ada', 0, forever)
  const down = Promise.withResolvers<void>()
  cluster.held = down.promise
  cluster.error = new GristmillError('UNAVAILABLE', 'nothing listens there')
  const first = live.watch('ada', version, forever)
  // The caller repeats a call before it gives up; the page hears of it before that.
  await pass(8_000)
  expect((await first).trouble).toMatchObject({ code: 'TIMEOUT' })
  await pass(4_000)
  down.resolve()
  cluster.held = undefined
  await pass(60_000)
  expect((await live.watch('ada', 0, forever)).trouble).toMatchObject({ code: 'UNAVAILABLE' })
  cluster.error = undefined
  cluster.blocks = 7
  const fromMs = clock.now()
  for (;;) {
    await pass(500)
    const { trouble, status } = await live.watch('ada', 0, forever)
    if (!trouble && status?.blocks === 7) break
    expect(clock.now() - fromMs).toBeLessThanOrEqual(10_000)
  }
  await live.stop()
})

test('an answer that has taken long makes no long pause', async () => {
  const { cluster, live, pass } = house()
  await live.watch('ada', 0, forever)
  const slow = Promise.withResolvers<void>()
  cluster.held = slow.promise
  await pass(12_000)
  cluster.held = undefined
  slow.resolve()
  await pass(500)
  const { asked } = cluster
  const waiting = live.watch('ada', 0, forever)
  await pass(16_000)
  await waiting
  expect(cluster.asked).toBeGreaterThan(asked)
  await live.stop()
})

test('a dead datanode counts neither for the space in use nor for the tasks', () => {
  const storages = [{ usedBytes: 5, freeBytes: 1, capacityBytes: 9, failed: false }]
  const node = { state: 'live', host: 'a', slots: 2, running: 1, storages }
  const nodes = [node, { ...node, state: 'stale' }, { ...node, state: 'dead' }] as unknown as ClusterStatus['nodes']
  expect(levelsOf({ nodes, missing: 1, underReplicated: 2 } as ClusterStatus)).toEqual({ tasks: 2, usedBytes: 10, unhealthy: 3 })
})

test('slots are those of the datanodes that get tasks, as the queues count them', () => {
  const node = { state: 'live', slots: 2, running: 1 }
  const nodes = [
    node, { ...node, service: 'in-service' }, { ...node, service: 'decommissioning' }, { ...node, service: 'maintenance', running: 0 },
    { ...node, state: 'stale' }, { ...node, state: 'dead' },
  ] as unknown as ClusterStatus['nodes']
  expect(slotsOf(nodes)).toEqual({ slots: 4, busy: 2, elsewhere: 2 })
})

test('a trouble has the time at which it was first seen, until it is over', async () => {
  const { cluster, live, pass, clock } = house()
  const { since, status, version } = await live.watch('ada', 0, forever)
  expect(since).toEqual({ underReplicated: status!.nowMs })
  cluster.blocks = 2
  const next = live.watch('ada', version, forever)
  await pass(2_500)
  expect((await next).since).toEqual(since)
  expect(clock.now()).toBeGreaterThan(since['underReplicated']!)
  await live.stop()
})

test('rates are the work of all datanodes since the sample before; a new one does not count, and one that was started again counts from 0', async () => {
  const { cluster, live, pass } = house()
  await live.watch('ada', 0, forever)
  /** Rates of the next sample, and the time since the one before it. */
  const next = async (done: Record<string, NodeWork>): Promise<{ readonly rates: NodeWork | undefined; readonly seconds: number }> => {
    cluster.done = done
    const { length } = (await live.watch('ada', 0, forever)).samples
    for (;;) {
      await pass(500)
      const { samples } = await live.watch('ada', 0, forever)
      if (samples.length > length)
        return { rates: samples[length]!.rates, seconds: (samples[length]!.atMs - samples[length - 1]!.atMs) / 1000 }
    }
  }
  const of = (readBytes: number, writtenBytes: number, attempts: number): NodeWork => ({ readBytes, writtenBytes, attempts })
  expect((await next({})).rates).toBeUndefined()
  expect((await next({ a: of(5000, 1000, 10) })).rates).toBeUndefined()
  const { rates, seconds } = await next({ a: of(15_000, 1000, 20), b: of(1e9, 1e9, 1e9) })
  expect(rates).toEqual({ readBytes: expect.closeTo(10_000 / seconds, 6), writtenBytes: 0, attempts: expect.closeTo(10 / seconds, 6) })
  const again = await next({ a: of(500, 0, 1), b: of(1e9, 1e9, 1e9) })
  expect(again.rates).toEqual({
    readBytes: expect.closeTo(500 / again.seconds, 6), writtenBytes: 0, attempts: expect.closeTo(1 / again.seconds, 6),
  })
  // A node that is gone and comes back is a new one.
  const none = of(0, 0, 0)
  expect((await next({ b: of(1e9, 1e9, 1e9) })).rates).toEqual(none)
  expect((await next({ a: of(9000, 0, 1), b: of(1e9, 1e9, 1e9) })).rates).toEqual(none)
  await live.stop()
})

test('after a time without reports of a datanode the rate is its work over that time, and no rate is known in between', async () => {
  for (const gap of ['down', 'without', 'dead'] as const) {
    const { cluster, live, pass, clock } = house()
    const begunMs = clock.now()
    /** A node that reads 100 bytes in each millisecond. */
    const told = () => ({ readBytes: 100 * (clock.now() - begunMs), writtenBytes: 0, attempts: 0 })
    const look = async (seconds: number, state: () => void): Promise<(number | undefined)[]> => {
      const { samples: { length } } = await live.watch('ada', 0, forever)
      for (let left = seconds * 2; left > 0; left--) {
        state()
        await pass(500)
      }
      return (await live.watch('ada', 0, forever)).samples.slice(length).map(({ rates }) => rates?.readBytes)
    }
    const works = () => {
      cluster.done = { get a() { return told() } }
      cluster.silentMs = undefined
    }
    works()
    const before = await look(60, works)
    expect([gap, before.length > 3, Math.max(...before.slice(1).map(rate => rate ?? 0)) / 1e5]).toEqual([gap, true, expect.closeTo(1, 1)])
    if (gap === 'down') cluster.error = new GristmillError('UNAVAILABLE', 'nothing listens there')
    cluster.done = { a: gap === 'dead' ? told() : undefined }
    cluster.silentMs = clock.now()
    const between = await look(180, () => {})
    // The last report may have come after the last look.
    expect([gap, between.slice(1).filter(rate => rate !== undefined)]).toEqual([gap, []])
    cluster.error = undefined
    // After a start the namenode knows its nodes before they have reported.
    if (gap === 'down') await look(15, () => { cluster.done = { a: undefined } })
    const after = await look(60, works)
    const known = after.filter(rate => rate !== undefined)
    expect([gap, known.length > 3, ...[Math.min(...known), Math.max(...known)].map(rate => Math.round(rate / 1e4) / 10)])
      .toEqual([gap, true, 1, 1])
    await live.stop()
  }
})
