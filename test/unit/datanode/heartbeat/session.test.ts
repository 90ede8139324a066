// One session of a datanode with a namenode that the test controls: the sequence of calls, and the effects of lost, late and repeated
// replies.

import { expect, test } from 'vitest'
import { Session, type SessionTools } from '../../../../datanode/heartbeat/session.ts'
import { OrderRunner, type OrdersOptions } from '../../../../datanode/orders/orders.ts'
import { Changes } from '../../../../datanode/heartbeat/changes.ts'
import { blockId, nodeId, storageId, type BlockId } from '../../../../src/base/ids.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import { limits } from '../../../../src/base/limits.ts'
import { silent } from '../../../../src/ports/log.ts'
import type { Message } from '../../../../src/protocol/message.ts'
import { seeded } from '../../../../src/world/random.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'
import { onAbort } from '../../../kit/abort.ts'
import { until } from '../kit.ts'

interface Call {
  readonly name: string
  readonly request: Record<string, unknown>
  readonly answer: (reply?: object) => void
  readonly fail: (error: Error) => void
}

/** Beats and full reports get a reply at once; every other call waits for the test. */
function begin({ freeSlots = () => 0 }: { freeSlots?: () => number } = {}) {
  const calls: Call[] = []
  const taken: unknown[] = []
  const told: unknown[] = []
  const seen = { full: 0, fullTaken: [] as unknown[], reminded: 0 }
  const changes = new Changes()
  const stopping = new AbortController()
  const call = (_: unknown, { name }: Message, request: Record<string, unknown>, { signal }: { signal?: AbortSignal }): Promise<object> => {
    if (name === 'report.full') {
      seen.full++
      seen.fullTaken.push(request['taken'])
    }
    if (name === 'heartbeat.beat' || name === 'report.full') return Promise.resolve({ epoch: 1 })
    return new Promise((resolve, reject) => {
      onAbort(signal, () => reject(signal!.reason as Error))
      calls.push({ name, request, answer: (reply = {}) => resolve(reply), fail: reject })
    })
  }
  const clock = new ManualClock()
  const session = new Session(
    {
      clock, random: seeded(1), log: silent, changes, caller: () => ({ call }), node: nodeId('n'), heartbeatMs: 1000, longPollMs: 1000,
      transfers: () => 0, refused: () => 0, done: () => ({ readBytes: 1, writtenBytes: 2, attempts: 3 }), contact() {},
      store: {
        blocks: 0, state: async () => [], ids: () => new Float64Array(0),
        remind: async () => {
          seen.reminded++
        },
        acknowledged: async (bad: unknown, only: unknown) => {
          told.push([bad, only])
        },
      },
      runner: { running: () => [], freeSlots },
      orders: { take: (order: unknown) => taken.push(order) },
      fence: { pass: async () => {} }, time: { sample() {} },
    } as unknown as SessionTools,
    7,
  )
  const over = session.run(stopping.signal).catch((error: Error) => error)
  /** Waits for the next call of this name. */
  const next = async (name: string): Promise<Call> => {
    await until(`${name} is called`, () => calls.some(each => each.name === name))
    return calls.splice(calls.findIndex(each => each.name === name), 1)[0]!
  }
  return { session, clock, calls, taken, told, seen, changes, next, over, async [Symbol.asyncDispose]() {
    stopping.abort(new Error('the test is over'))
    await over
  } }
}

const replica = (id: number): Parameters<Changes['added']>[0] => ({ id: blockId(id), length: 1, crc: 1, storage: storageId('s') })

test('an order that is repeated, because its acknowledgement was lost, is executed once', async () => {
  await using it = begin()
  const orders = [1, 2].map(seq => ({ seq, order: { kind: 'report', seq } }))
  const first = await it.next('order.wait')
  expect(first.request).toMatchObject({ session: 7, acknowledged: 0 })
  first.answer({ epoch: 1, orders })
  const second = await it.next('order.wait')
  expect(second.request).toMatchObject({ acknowledged: 2 })
  second.answer({ epoch: 1, orders: [...orders, { seq: 3, order: { kind: 'report', seq: 3 } }] })
  expect((await it.next('order.wait')).request).toMatchObject({ acknowledged: 3 })
  expect(it.taken).toEqual([1, 2, 3].map(seq => ({ kind: 'report', seq })))
})

test.each([
  [new GristmillError('UNAVAILABLE', 'the answer has over 67108864 bytes'), true],
  [new GristmillError('OVERLOADED', 'too many calls'), false],
])(
  'orders that cannot be heard again and again, while heartbeats are answered, end the session; a namenode with much to do does not: %s',
  async (error, ends) => {
    await using it = begin()
    let ended: unknown
    void it.over.then(reason => {
      ended = reason
    })
    for (let failures = 1; failures <= 12 && ended === undefined; failures++) {
      const poll = await it.next('order.wait')
      poll.fail(error)
      // Both loops sleep: the heartbeat loop, and the loop that asks for orders.
      await until('it pauses, or the session is over', () => ended !== undefined || it.clock.waiting > 1)
      it.clock.pass(5_000)
      if (failures === 10 && ends) await until('the session is over', () => ended !== undefined)
    }
    if (!ends) await it.next('order.wait')
    expect(ended).toBe(ends ? error : undefined)
  },
)

test('each poll for orders says how many slots are free', async () => {
  let free = 0
  await using it = begin({ freeSlots: () => free })
  const first = await it.next('order.wait')
  expect(first.request).toMatchObject({ freeSlots: 0 })
  free = 2
  first.answer({ epoch: 1, orders: [] })
  expect((await it.next('order.wait')).request).toMatchObject({ freeSlots: 2 })
})

test('changes are sent until they are acknowledged, and not again after that; the store learns which blocks only this node has', async () => {
  await using it = begin()
  it.changes.added(replica(1))
  it.changes.bad(2 as BlockId)
  const lost = await it.next('report.changes')
  lost.fail(new GristmillError('UNAVAILABLE', 'the connection broke'))
  await until('it pauses', () => it.clock.waiting > 1)
  it.clock.pass(5_000)
  const again = await it.next('report.changes')
  expect(again.request).toEqual(lost.request)
  again.answer({ only: [2] })
  await until('it is told', () => it.told.length === 1)
  expect(it.told).toEqual([[[2], new Set([2])]])
  it.changes.removed(1 as BlockId)
  expect((await it.next('report.changes')).request).toMatchObject({
    added: [], removed: [1], bad: [], seq: (again.request['seq'] as number) + 1,
  })
})

test('reports say which order the node had taken when they were made', async () => {
  await using it = begin()
  const order = (seq: number) => ({ epoch: 1, orders: [{ seq, order: { kind: 'report' } }] })
  ;(await it.next('order.wait')).answer(order(4))
  const poll = await it.next('order.wait')
  it.changes.added(replica(1))
  const report = await it.next('report.changes')
  expect(report.request).toMatchObject({ taken: 4, added: [{ id: 1 }] })
  poll.answer(order(5))
  await it.next('order.wait')
  report.fail(new GristmillError('UNAVAILABLE', 'the connection broke'))
  await until('it pauses', () => it.clock.waiting > 1)
  it.clock.pass(5_000)
  const again = await it.next('report.changes')
  expect(again.request).toEqual(report.request)
  again.answer()
  const full = it.session.report()
  await full
  expect(it.seen.fullTaken).toEqual([0, 5])
})

test('after each full report the store reports damaged blocks again, because a full report does not contain them', async () => {
  await using it = begin()
  await it.session.reported
  await it.session.report()
  await until('it is reminded', () => it.seen.reminded === 2)
  expect(it.seen.full).toBe(2)
})

test('when many copies fail at once, only a few are reported at a time, and more when those are answered', async () => {
  await using it = begin()
  const fail = (block: number): void => { void it.session.copyFailed({ block: blockId(block), targets: [], source: false, message: '' }) }
  for (let block = 1; block <= 50; block++) fail(block)
  const first = await it.next('order.copyFailed')
  expect(it.calls.filter(({ name }) => name === 'order.copyFailed')).toHaveLength(7)
  first.answer()
  await new Promise(resolve => { setImmediate(resolve) })
  fail(51)
  expect(it.calls.filter(({ name }) => name === 'order.copyFailed').at(-1)!.request).toMatchObject({ block: 51 })
})

test('a reply UNREGISTERED to any call ends the session, and every call that waits', async () => {
  for (const name of ['order.wait', 'report.changes']) {
    await using it = begin()
    const report = it.session.reported
    await it.next('order.wait').then(call => { if (name === 'order.wait') call.fail(new GristmillError('UNREGISTERED', 'register again')) })
    if (name === 'report.changes') {
      it.changes.added(replica(1))
      ;(await it.next(name)).fail(new GristmillError('UNREGISTERED', 'register again'))
    }
    expect(await it.over).toMatchObject({ code: 'UNREGISTERED' })
    await report
    await expect(it.session.report()).rejects.toMatchObject({ code: 'UNREGISTERED' })
  }
})

test('a block is verified once, however often that is ordered meanwhile, and again when it is ordered afterwards', async () => {
  const looks: Array<() => void> = []
  const announced: BlockId[] = []
  const orders = new OrderRunner({
    store: {
      check: () =>
        new Promise<string>(resolve => {
          looks.push(() => resolve('sound'))
        }),
      announce: (id: BlockId) => {
        announced.push(id)
      },
    },
    log: silent, signal: new AbortController().signal,
  } as unknown as OrdersOptions)
  const verify = (): void => orders.take({ kind: 'verify', block: blockId(1) })
  for (let i = 0; i < 3; i++) verify()
  await until('it is looked at', () => looks.length === 1)
  looks[0]!()
  await until('its state is told', () => announced.length === 1)
  await new Promise(resolve => {
    setImmediate(resolve)
  })
  expect(looks).toHaveLength(1)
  verify()
  await until('it is looked at again', () => looks.length === 2)
  looks[1]!()
})

test('a block that changes again while a report is being sent is reported again; a report takes the oldest changes, up to its limit', () => {
  const changes = new Changes()
  for (const id of [1, 2, 3]) changes.added(replica(id))
  changes.removed(1 as BlockId) // now the newest of all
  const batch = changes.batch()
  expect([batch.added.map(({ id }) => id), batch.removed]).toEqual([[2, 3], [1]])
  const newer = replica(2)
  changes.added(newer)
  changes.added(replica(1))
  changes.settle(batch)
  expect(changes.batch().added.map(({ id }) => id)).toEqual([2, 1])
  expect(changes.batch().added[0]).toBe(newer)
  for (let id = 10; id < 10 + limits.reportPageBlocksMax; id++) changes.added(replica(id))
  expect(changes.batch().added).toHaveLength(limits.reportPageBlocksMax)
})
