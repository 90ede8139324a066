// Caller of an embedded cluster, whose namenode may move to another process, over a scripted network: calls are repeated at the current
// address with the same request id, within their deadline, and refusals are passed on.

import type { Dispatcher } from 'undici'
import { expect, test } from 'vitest'
import { EmbeddedCaller, embeddedNamenode } from '../../../../client/embedded/caller.ts'
import type { Embedded } from '../../../../client/embedded/embedded.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import { address, requestId, type Address } from '../../../../src/base/ids.ts'
import type { Clock } from '../../../../src/ports/clock.ts'
import { mkdir, stat } from '../../../../src/protocol/namespace.ts'
import { create } from '../../../../src/protocol/writing.ts'
import { Credentials } from '../../../../src/rpc/auth.ts'
import { systemRandom } from '../../../../src/world/random.ts'

type Answer = { status: number; body: unknown } | 'refused' | 'broken'

/** Two namenodes, one of which is current; replies are given in order, and every request is recorded. */
function world(answers: Record<string, Answer[]>, { ready = async () => {} }: { ready?: () => Promise<void> } = {}) {
  const requests: { origin: string; body: unknown }[] = []
  const events: string[] = []
  let current: Address = address('127.0.0.1:1')
  let mono = 0
  /** Time limit of each try. */
  const given: number[] = []
  const clock = {
    now: () => 1_000_000, mono: () => mono,
    after: (ms: number) => {
      given.push(ms)
      return () => {}
    },
    sleep: async (ms: number, signal?: AbortSignal) => {
      signal?.throwIfAborted()
      mono += ms
    },
  } as unknown as Clock
  const dispatcher = {
    dispatch({ origin, body }: { origin: string; body: string }, handler: Dispatcher.DispatchHandler) {
      const controller = { abort() {} } as never
      const answer = answers[origin.slice('http://'.length)]?.shift() ?? 'refused'
      if (answer === 'refused') {
        handler.onResponseError!(controller, Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }))
        return true
      }
      handler.onRequestStart!(controller, {})
      requests.push({ origin, body: JSON.parse(body) })
      if (answer === 'broken') {
        handler.onResponseError!(controller, Object.assign(new Error('reset'), { code: 'ECONNRESET' }))
        return true
      }
      handler.onResponseStart!(controller, answer.status, {}, '')
      handler.onResponseData!(controller, Buffer.from(JSON.stringify(answer.body)))
      handler.onResponseEnd!(controller, {})
      return true
    },
  } as unknown as Dispatcher
  const embedded = {
    address: async () => current,
    ready: async () => {
      events.push('ready')
      await ready()
    },
    lost: (lost: Address) => {
      events.push(`lost ${lost}`)
      current = address('127.0.0.1:2')
    },
  } as unknown as Embedded
  const random = systemRandom()
  const credentials = new Credentials({ secret: Buffer.alloc(32), user: 'ada', cluster: 'c', clock, random })
  return { caller: new EmbeddedCaller({ dispatcher, credentials, clock, random }, embedded), requests, events, given, waited: () => mono }
}

const good: Answer = { status: 200, body: { done: true } }
const fault = (code: string, status: number, details = {}): Answer => ({ status, body: { error: { code, message: 'as it is', details } } })
const wanted = { requestId: requestId('c:1'), path: '/a' }

test('a call that finds no namenode is made again at its new address', async () => {
  const { caller, requests, events } = world({ '127.0.0.1:2': [good] })
  expect(await caller.call(embeddedNamenode, stat, { path: '/a' })).toEqual({ done: true })
  expect([requests.map(one => one.origin), events]).toEqual([['http://127.0.0.1:2'], ['lost 127.0.0.1:1']])
})

test('a mutation whose answer was lost is sent again with the same request id', async () => {
  const { caller, requests } = world({ '127.0.0.1:1': ['broken'], '127.0.0.1:2': [good] })
  expect(await caller.call(embeddedNamenode, mkdir, wanted)).toEqual({ done: true })
  expect(requests.map(one => one.body)).toEqual([wanted, wanted])
})

test('an answer is an answer: refusals are passed on and not repeated', async () => {
  const { caller, requests, events } = world({ '127.0.0.1:1': [fault('EEXIST', 409), good] })
  await expect(caller.call(embeddedNamenode, mkdir, wanted)).rejects.toMatchObject({ code: 'EEXIST' })
  expect([requests.length, events]).toEqual([1, []])
})

test('a namenode that is busy is asked again, at the same place; one in safe mode waits for its datanode', async () => {
  const busy = world({ '127.0.0.1:1': [fault('OVERLOADED', 429), good] })
  expect(await busy.caller.call(embeddedNamenode, stat, { path: '/a' })).toEqual({ done: true })
  expect([busy.requests.length, busy.events]).toEqual([2, []])
  const safe = world({ '127.0.0.1:1': [fault('SAFE_MODE', 503), good] })
  expect(await safe.caller.call(embeddedNamenode, mkdir, wanted)).toEqual({ done: true })
  expect([safe.requests.length, safe.events]).toEqual([2, ['ready']])
})

test('the reason why the datanode cannot start is reported at once to a call that waits for it', async () => {
  const { caller, requests, waited } = world(
    { '127.0.0.1:1': [fault('SAFE_MODE', 503), good] },
    {
      ready: async () => {
        throw new GristmillError('EACCES', 'the directory of the datanode is not ours')
      },
    },
  )
  await expect(caller.call(embeddedNamenode, mkdir, wanted)).rejects.toMatchObject({
    code: 'EACCES',
    message: expect.stringContaining('of the datanode'),
  })
  await expect(caller.call(embeddedNamenode, create, wanted)).rejects.toMatchObject({ code: 'EACCES' })
  expect([requests.length, waited()]).toEqual([1, 0])
})

test('the last answer of the namenode is reported, and no try is begun without time for a reply', async () => {
  for (let times = 0; times < 5; times++) {
    const { caller, given } = world({ '127.0.0.1:1': Array.from({ length: 500 }, () => fault('SAFE_MODE', 503)) })
    await expect(caller.call(embeddedNamenode, stat, { path: '/a' })).rejects.toMatchObject({ code: 'SAFE_MODE', message: 'as it is' })
    expect(given.length).toBeGreaterThan(10)
    expect(Math.min(...given)).toBeGreaterThanOrEqual(1_000)
  }
})

test('a safe mode that does not end by itself is reported at once', async () => {
  const { caller, requests, events, waited } = world({ '127.0.0.1:1': [fault('SAFE_MODE', 503, { final: true }), good] })
  await expect(caller.call(embeddedNamenode, mkdir, wanted)).rejects.toMatchObject({ code: 'SAFE_MODE', details: { final: true } })
  expect([requests.length, events, waited()]).toEqual([1, [], 0])
})

test('messages about blocks wait for the datanode, and others do not', async () => {
  const { caller, events } = world({ '127.0.0.1:1': [good, good] })
  await caller.call(embeddedNamenode, stat, { path: '/a' })
  expect(events).toEqual([])
  await caller.call(embeddedNamenode, create, wanted)
  expect(events).toEqual(['ready'])
})

// Once, only a call that was about to be repeated forgot the owner: a process that had closed its cluster and lived on stayed the owner
// for all calls that are not repeated.
test.each<[string, Answer]>([['refused', 'refused'], ['broken', 'broken'], ['timed out', fault('TIMEOUT', 504)]])(
  'after a call that is not repeated and was %s, the next call looks for the owner again',
  async (_, answer) => {
    for (const [message, request] of [[stat, { path: '/a' }], [mkdir, wanted]] as const) {
      const { caller, requests } = world({ '127.0.0.1:1': [answer, good], '127.0.0.1:2': [good] })
      await expect(caller.call(embeddedNamenode, message, request, { retry: false })).rejects.toBeInstanceOf(GristmillError)
      expect(await caller.call(embeddedNamenode, message, request, { retry: false })).toEqual({ done: true })
      expect(requests.at(-1)!.origin).toBe('http://127.0.0.1:2')
    }
  },
)

test('a call that is aborted on its way says that it was sent', async () => {
  const stopping = new AbortController()
  const { caller } = world({ '127.0.0.1:1': ['broken'] })
  const options = { signal: stopping.signal, onSent: () => stopping.abort() }
  await expect(caller.call(embeddedNamenode, mkdir, wanted, options)).rejects.toMatchObject({
    code: 'ABORTED', message: expect.stringContaining('had been sent and may or may not have happened'),
  })
})

test('a call that was not answered in time is made again, as long as its caller waits for an answer', async () => {
  for (const [message, request] of [[stat, { path: '/a' }], [mkdir, wanted]] as const) {
    const answers = () => ({ '127.0.0.1:1': [fault('TIMEOUT', 504)], '127.0.0.1:2': [good] })
    expect(await world(answers()).caller.call(embeddedNamenode, message, request, { unansweredMs: 60_000 })).toEqual({ done: true })
  }
  const silent = world({ '127.0.0.1:1': [fault('TIMEOUT', 504)], '127.0.0.1:2': Array.from({ length: 500 }, () => fault('TIMEOUT', 504)) })
  await expect(silent.caller.call(embeddedNamenode, stat, { path: '/a' }, { unansweredMs: 60_000 })).rejects.toMatchObject({
    code: 'TIMEOUT',
  })
  expect(silent.waited()).toBeGreaterThan(31_000)
  expect(silent.waited()).toBeLessThanOrEqual(60_000)
  const once = world({ '127.0.0.1:1': [fault('TIMEOUT', 504)], '127.0.0.1:2': [good] })
  await expect(once.caller.call(embeddedNamenode, stat, { path: '/a' })).rejects.toMatchObject({ code: 'TIMEOUT' })
})

test('without any namenode the call ends with an error, and not in an endless loop', async () => {
  const { caller, waited } = world({})
  await expect(caller.call(embeddedNamenode, stat, { path: '/a' })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  expect(waited()).toBeGreaterThan(10_000)
  expect(waited()).toBeLessThan(60_000)
})

test('without repeats there is one try; other addresses are called as they are; an abort ends the waiting', async () => {
  const { caller, requests, events } = world({ '127.0.0.1:3': [good] })
  await expect(caller.call(embeddedNamenode, stat, { path: '/a' }, { retry: false })).rejects.toBeInstanceOf(GristmillError)
  expect([requests, events]).toEqual([[], ['lost 127.0.0.1:1']])
  await caller.call(address('127.0.0.1:3'), stat, { path: '/a' })
  expect(requests.map(one => one.origin)).toEqual(['http://127.0.0.1:3'])
  await expect(caller.call(embeddedNamenode, stat, { path: '/a' }, { signal: AbortSignal.abort() })).rejects.toMatchObject({
    code: 'ABORTED',
  })
})
