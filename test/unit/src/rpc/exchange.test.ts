// One HTTP exchange and the mapping of faults, over a fake dispatcher: size limits, aborts, signature challenges, and errors of proxies.

import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Dispatcher } from 'undici'
import { expect, test } from 'vitest'
import { GristmillError } from '../../../../src/base/errors.ts'
import { address } from '../../../../src/base/ids.ts'
import { stat } from '../../../../src/protocol/namespace.ts'
import { Credentials } from '../../../../src/rpc/auth.ts'
import { Caller } from '../../../../src/rpc/call.ts'
import { CallContext } from '../../../../src/rpc/context.ts'
import { exchange } from '../../../../src/rpc/exchange.ts'
import { fromFault, toFault } from '../../../../src/rpc/fault.ts'
import { systemClock } from '../../../../src/world/clock.ts'
import { systemRandom } from '../../../../src/world/random.ts'

const at = address('127.0.0.1:1')

/** Hands the handler of the request to the test. */
function begun(replyBytesMax = 100) {
  const aborted: unknown[] = []
  const controller = { abort: (reason: Error) => { aborted.push(reason) } } as never
  let handler!: Dispatcher.DispatchHandler
  let sent = 0
  const running = exchange(
    {
      dispatch: (_: unknown, given: Dispatcher.DispatchHandler) => {
        handler = given
        return true
      },
    } as unknown as Dispatcher,
    {
      address: at, path: '/', headers: {}, body: '{}', replyBytesMax,
      onSent: () => {
        sent++
      },
    },
  )
  return { running, handler, controller, aborted, sent: () => sent }
}

test('an answer that is too large is cut off', () => {
  const { handler, controller, aborted } = begun(10)
  handler.onRequestStart!(controller, {})
  handler.onResponseStart!(controller, 200, {}, '')
  handler.onResponseData!(controller, Buffer.alloc(10))
  expect(aborted).toEqual([])
  handler.onResponseData!(controller, Buffer.alloc(1))
  expect(aborted).toMatchObject([{ message: 'the answer has over 10 bytes' }])
})

test('a request that was aborted before it began is not sent, one that began is known to be', async () => {
  const early = begun()
  early.running.abort(new Error('enough'))
  await expect(early.running.outcome).rejects.toThrow('enough')
  early.handler.onRequestStart!(early.controller, {})
  expect([early.running.sent, early.sent(), early.aborted.length]).toEqual([false, 0, 1])
  const later = begun()
  later.handler.onRequestStart!(later.controller, {})
  expect([later.running.sent, later.sent()]).toEqual([true, 1])
  later.running.abort(new Error('enough'))
  await expect(later.running.outcome).rejects.toThrow('enough')
  expect(later.aborted).toHaveLength(1)
})

const callerOf = (dispatch: (handler: Dispatcher.DispatchHandler) => void): Caller => {
  const [clock, random] = [systemClock, systemRandom()]
  const dispatcher = {
    dispatch: (_: unknown, handler: Dispatcher.DispatchHandler) => {
      dispatch(handler)
      return true
    },
  } as unknown as Dispatcher
  return new Caller({
    dispatcher,
    credentials: new Credentials({ secret: Buffer.alloc(32), user: 'ada', cluster: 'c', clock, random }),
    clock, random,
  })
}

test('a server that wants a signature and refuses the signed request is asked twice, not for ever', async () => {
  let asked = 0
  const caller = callerOf(handler => {
    asked++
    const body = JSON.stringify({ error: { code: 'UNAUTHENTICATED', message: 'no', details: { scheme: 'signed' } } })
    handler.onRequestStart!({ abort() {} } as never, {})
    handler.onResponseStart!({} as never, 401, {}, '')
    handler.onResponseData!({} as never, Buffer.from(body))
    handler.onResponseEnd!({} as never, {})
  })
  await expect(caller.call(at, stat, { path: '/' })).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
  expect(asked).toBe(2)
})

test('a call that was never sent is reported as a server that cannot be reached, whatever the reason', async () => {
  const caller = callerOf(handler => handler.onResponseError!({} as never, Object.assign(new Error('x'), { code: 'EPROTO' })))
  await expect(caller.call(at, stat, { path: '/' }, { retry: false })).rejects.toMatchObject({
    code: 'UNAVAILABLE', message: expect.stringContaining('cannot reach'),
  })
})

test('faults: our own INTERNAL is not foreseen, a schema\'s complaint names the field, a proxy\'s 502 is UNAVAILABLE', () => {
  expect(toFault(new GristmillError('INTERNAL', 'x')).foreseen).toBe(false)
  expect(toFault(new GristmillError('ENOENT', 'x')).foreseen).toBe(true)
  expect(toFault({ validation: [{ instancePath: '/path', message: 'must be string' }] }).body.error).toMatchObject({
    code: 'EINVAL',
    message: expect.stringContaining('body/path must be string'),
  })
  for (const [status, code] of [
    [502, 'UNAVAILABLE'], [503, 'UNAVAILABLE'], [504, 'TIMEOUT'], [429, 'OVERLOADED'], [418, 'INTERNAL'],
  ] as const)
    expect(fromFault(status, 'no JSON', 'x').code).toBe(code)
})

test('the signal of a call aborts when its caller goes away, not when the call has been answered', () => {
  const responseOf = (state: object) =>
    Object.assign(new EventEmitter(), { destroyed: false, writableFinished: false, ...state }) as unknown as ServerResponse
  const waiting = new Set<CallContext>()
  const [answered, gone, before] = [responseOf({ writableFinished: true }), responseOf({}), responseOf({ destroyed: true })]
  const contexts = [answered, gone, before].map(response => new CallContext('ada', undefined, response, waiting))
  const signals = contexts.map(context => context.signal)
  expect(signals[2]!.aborted).toBe(true)
  answered.emit('close')
  gone.emit('close')
  expect(signals.map(signal => signal.aborted)).toEqual([false, true, true])
  expect(waiting.size).toBe(3)
  for (const context of contexts) context.finish()
  expect(waiting.size).toBe(0)
})
