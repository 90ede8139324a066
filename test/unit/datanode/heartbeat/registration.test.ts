// Registration of a datanode, with a namenode and a clock that the test controls; and its block reports.

import { expect, test } from 'vitest'
import { Contact, type ContactOptions } from '../../../../datanode/heartbeat/contact.ts'
import { pagesOf } from '../../../../datanode/heartbeat/fullreport.ts'
import { Changes } from '../../../../datanode/heartbeat/changes.ts'
import type { BlockStore } from '../../../../datanode/store/store.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import { clusterId, nodeId } from '../../../../src/base/ids.ts'
import { OrderRunner, type OrdersOptions } from '../../../../datanode/orders/orders.ts'
import { silent, type LevelControl } from '../../../../src/ports/log.ts'
import type { Message } from '../../../../src/protocol/message.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'
import { until } from '../kit.ts'

/** `register` replies to registrations, one after the other; beats find the session gone. */
function contact(register: () => object, more: Partial<ContactOptions> = {}) {
  const clock = new ManualClock()
  const slept: number[] = []
  const sleep = clock.sleep.bind(clock)
  clock.sleep = (ms, signal) => {
    slept.push(ms)
    return sleep(ms, signal)
  }
  const killed: string[] = []
  const asked: Array<Record<string, unknown>> = []
  const call = async (_: unknown, { name }: Message, request: Record<string, unknown>): Promise<object> => {
    if (name !== 'heartbeat.register') throw new GristmillError('UNREGISTERED', 'register again')
    asked.push(request)
    return { cluster: clusterId('c'), epoch: 1, session: asked.length, kill: [], ...register() }
  }
  const it = new Contact({
    clock, random: { float: () => 1 }, log: silent, changes: new Changes(), caller: () => ({ call }), node: nodeId('n'), heartbeatMs: 1000,
    longPollMs: 1000, transfers: () => 0, refused: () => 0, done: () => ({ readBytes: 0, writtenBytes: 0, attempts: 0 }),
    store: { blocks: 0, state: async () => [], ids: () => new Float64Array(0), remind: async () => {} },
    silentMs: 5000,
    runner: { slots: 0, running: () => [], freeSlots: () => 0, kill: (attempt: string) => killed.push(attempt) },
    orders: { take() {} },
    fence: { seen: { epoch: 0 }, pass: async () => {} },
    time: { sample() {} }, cluster: () => undefined, join: async () => {}, sessionBegan() {}, ...more,
  } as unknown as ContactOptions)
  it.start()
  return { it, clock, slept, killed, asked }
}

test('attempts that the namenode reports as ended are killed when the node has registered', async () => {
  const { it, killed } = contact(() => ({ kill: ['job-1.0.0.0', 'job-1.0.1.0'] }))
  await until('the session has begun', () => killed.length > 0)
  expect(killed.slice(0, 2)).toEqual(['job-1.0.0.0', 'job-1.0.1.0'])
  await it.stop()
})

test('a node tells its settings and the present level of its log each time that it registers; an order changes the level', async () => {
  const logControl: LevelControl = { level: 'info' }
  const orders = new OrderRunner({ log: silent, logControl, signal: new AbortController().signal } as unknown as OrdersOptions)
  const settings = [{ name: 'slots', json: '2', from: '--slots' }]
  const { it, clock, asked } = contact(() => ({}), { logControl, settings })
  await until('it has registered', () => asked.length > 0)
  orders.take({ kind: 'log', level: 'debug' })
  expect(logControl.level).toBe('debug')
  await until('it registers again', () => {
    clock.pass(1000)
    return asked.length > 1 && asked.at(-1)!['logLevel'] === 'debug'
  })
  expect(asked[0]).toMatchObject({ logLevel: 'info', settings })
  await it.stop()
})

test('a node that cannot register waits longer and longer, and begins anew once it has registered', async () => {
  let there = false
  const { it, clock, slept, asked } = contact(() => {
    if (!there) throw new GristmillError('UNAVAILABLE', 'nobody answers')
    return {}
  })
  for (let tries = 1; tries <= 4; tries++) {
    await until('it waits', () => slept.length === tries)
    there = tries === 4
    clock.pass(slept.at(-1)!)
  }
  await until('its session is over', () => slept.length > 4 && asked.length >= 5)
  expect(slept.slice(0, 4)).toEqual([100, 200, 400, 800])
  expect(slept.slice(4)).toContain(100)
  expect(slept.slice(4)).not.toContain(1600)
  await it.stop()
})

test('a full report has every block, in pages; a block that is removed meanwhile is left out, and later ones are not', () => {
  const there = new Map([1, 2, 3, 4, 5, 6].map(id => [id, { id, storage: id % 2 === 0 ? 'even' : 'odd', length: id * 10, crc: id }]))
  const store = { ids: () => Float64Array.from(there.keys()), find: (id: number) => there.get(id) } as unknown as BlockStore
  const pages = pagesOf(store, 4)
  const of = (...ids: number[]): unknown[] => ids.map(id => [id, id * 10, id])
  const first = pages.next()
  there.delete(5)
  expect([first.value, ...pages]).toEqual([
    { first: true, last: false, storages: [{ id: 'odd', blocks: of(1, 3) }, { id: 'even', blocks: of(2, 4) }] },
    { first: false, last: true, storages: [{ id: 'even', blocks: of(6) }] },
  ])
  const gone = pagesOf({ ids: () => Float64Array.of(7, 1), find: (id: number) => there.get(id) } as unknown as BlockStore)
  expect([...gone]).toEqual([{ first: true, last: true, storages: [{ id: 'odd', blocks: of(1) }] }])
})
