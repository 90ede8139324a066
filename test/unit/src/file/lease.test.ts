// Leases that a process keeps alive: renewal, notice of a lost lease, and waiting for the return of a lease to the namenode.
// Time is moved by the test.

import { expect, test } from 'vitest'
import { Background } from '../../../../src/base/background.ts'
import { address, leaseId, requestId, type LeaseId } from '../../../../src/base/ids.ts'
import { limits } from '../../../../src/base/limits.ts'
import { Leases } from '../../../../src/file/lease.ts'
import { silent } from '../../../../src/ports/log.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'
import { turns } from './reading.ts'

function open({ renewMs }: { renewMs?: number } = {}) {
  const clock = new ManualClock()
  const background = new Background()
  const calls: Array<{ name: string; request: { leases?: LeaseId[]; lease?: LeaseId }; options: { timeoutMs?: number } }> = []
  /** Reply of the namenode to a call. */
  const namenode = { answer: async (): Promise<unknown> => ({ lost: [] }) }
  const caller = {
    call: (_: unknown, { name }: { name: string }, request: object, options: object) => {
      calls.push({ name, request, options })
      return namenode.answer()
    },
  }
  const leases = new Leases({
    caller: caller as never, clock, log: silent, namenode: address('n:1'), background, requestId: () => requestId('c:1'),
    ...(renewMs !== undefined && { renewMs }),
  })
  const pass = async (ms: number): Promise<void> => { clock.pass(ms); await turns() }
  return { leases, clock, background, calls, namenode, pass }
}

const [a, b, c] = [1, 2, 3].map(leaseId) as [LeaseId, LeaseId, LeaseId]

test('all leases are renewed together, again and again while there are any', async () => {
  for (const renewMs of [undefined, 70]) {
    const every = renewMs ?? limits.leaseRenewMs
    const { leases, clock, calls, pass } = open(renewMs === undefined ? {} : { renewMs })
    leases.hold(a, () => {})
    await pass(every - 1)
    leases.hold(b, () => {})
    expect([calls, clock.waiting]).toEqual([[], 1])
    await pass(1)
    expect(calls).toMatchObject([{ name: 'writing.renew', request: { leases: [a, b] }, options: { timeoutMs: every * 2 } }])
    leases.drop(a)
    expect([leases.holds(a), leases.holds(b)]).toEqual([false, true])
    await pass(every)
    expect(calls.slice(1)).toMatchObject([{ request: { leases: [b] } }])
    leases.drop(b)
    await pass(every * 10)
    expect([calls.length, clock.waiting]).toEqual([2, 0])
    // The next lease starts the loop again.
    leases.hold(c, () => {})
    await pass(every)
    expect(calls).toHaveLength(3)
    leases.close()
    await pass(every * 10)
    expect([calls.length, clock.waiting]).toEqual([3, 0])
  }
})

test('the holder of a lease that the namenode does not know any more is notified, once; the others go on', async () => {
  const { leases, calls, namenode, pass } = open()
  const lost: string[] = []
  leases.hold(a, () => lost.push('a'))
  leases.hold(b, () => lost.push('b'))
  namenode.answer = async () => ({ lost: [a, c] })
  await pass(limits.leaseRenewMs)
  expect([lost, leases.holds(a)]).toEqual([['a'], false])
  await pass(limits.leaseRenewMs)
  expect([lost, calls.at(-1)!.request]).toEqual([['a'], { leases: [b] }])
  // The last lease is lost, so nothing is left to renew.
  namenode.answer = async () => ({ lost: [b] })
  await pass(limits.leaseRenewMs)
  await pass(limits.leaseRenewMs * 3)
  expect([lost, calls.length]).toEqual([['a', 'b'], 3])
})

test('a renewal that fails is tried again, and no holder is notified of a loss', async () => {
  const { leases, calls, namenode, pass } = open()
  let lost = 0
  leases.hold(a, () => lost++)
  namenode.answer = async () => { throw new Error('no namenode') }
  for (let i = 0; i < 3; i++) await pass(limits.leaseRenewMs)
  namenode.answer = async () => ({ lost: [] })
  await pass(limits.leaseRenewMs)
  expect([calls.length, lost, leases.holds(a)]).toEqual([4, 0, true])
})

test('more leases than one call may name are renewed in several', async () => {
  const { leases, calls, pass } = open()
  for (let i = 1; i <= 20_001; i++) leases.hold(leaseId(i), () => {})
  await pass(limits.leaseRenewMs)
  expect(calls.map(({ request }) => [request.leases!.length, request.leases![0]])).toEqual([[10_000, 1], [10_000, 10_001], [1, 20_001]])
})

test('the next writer of a path waits until the leases of that path are given back, and no longer, whether the namenode hears of it or not', async () => {
  const { leases, calls, namenode, clock, background } = open()
  const answers: Array<PromiseWithResolvers<unknown>> = []
  namenode.answer = () => {
    const answer = Promise.withResolvers<unknown>()
    answers.push(answer)
    return answer.promise
  }
  for (const lease of [a, b]) leases.hold(lease, () => {})
  const [first, second] = [leases.giveBack('/f', a), leases.giveBack('/f', b)]
  expect([leases.holds(a), leases.holds(b), clock.waiting]).toEqual([false, false, 0])
  expect(calls).toMatchObject([{ name: 'writing.abandon', request: { lease: a, requestId: 'c:1' } }, { request: { lease: b } }])
  let settled = 0
  const waiting = leases.settled('/f').then(() => settled++)
  const closing = background.settled().then(() => settled++)
  await leases.settled('/other')
  answers[0]!.resolve({})
  await first
  await turns()
  expect(settled).toBe(0)
  // A return that starts meanwhile is awaited too.
  const more = Promise.withResolvers<void>()
  leases.ending('/f', more.promise)
  answers[1]!.reject(new Error('no namenode'))
  await second
  await turns()
  expect(settled).toBe(0)
  more.reject(new Error('given up'))
  await Promise.all([waiting, closing])
  await leases.settled('/f')
})
