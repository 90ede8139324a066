// Caller of messages over a scripted network on virtual time: which calls are repeated, for how long, and with which error they end.

import type { Dispatcher } from 'undici'
import { describe, expect, test } from 'vitest'
import { GristmillError, type ErrorCode } from '../../../../src/base/errors.ts'
import { limits } from '../../../../src/base/limits.ts'
import { Credentials } from '../../../../src/rpc/auth.ts'
import { Caller } from '../../../../src/rpc/call.ts'
import { systemClock } from '../../../../src/world/clock.ts'
import { seeded } from '../../../../src/world/random.ts'
import { at, change, look, once, scripted, scriptedFor, wait, without, type Step } from './callkit.ts'

describe('a deadline that passes while this process is paused', () => {
  /** A call whose reply and timers are controlled by the test. */
  function held() {
    const timers: Array<() => void> = []
    let handler!: Dispatcher.DispatchHandler
    let now = 0
    const clock = { ...systemClock, mono: () => now, after: (_: number, work: () => void) => { timers.push(work); return () => {} } }
    const controller = { abort: (reason: Error) => { handler.onResponseError?.(controller as never, reason) } }
    const dispatcher = { dispatch: (_: unknown, to: Dispatcher.DispatchHandler) => {
      handler = to
      handler.onRequestStart?.(controller as never, undefined)
      return true
    } } as unknown as Dispatcher
    const caller = new Caller({
      dispatcher, clock, random: seeded(2),
      credentials: new Credentials({ secret: Buffer.alloc(32), user: 'ann', cluster: 'c', clock, random: seeded(1) }),
    })
    return {
      outcome: caller.call(at, change, once, { timeoutMs: 1_000, retry: false }).then(
        reply => reply.n, (error: GristmillError) => error.code,
      ),
      fire: (atMs: number) => {
        now = atMs
        timers.shift()!()
      },
      answer: () => {
        handler.onResponseStart?.(controller as never, 200, {}, '')
        handler.onResponseData?.(controller as never, Buffer.from('{"n":7}'))
        handler.onResponseEnd?.(controller as never, {})
      },
    }
  }

  test('leaves an answer that lies in its socket the time to be read', async () => {
    const { outcome, fire, answer } = held()
    fire(6_000)
    answer()
    expect(await outcome).toBe(7)
  })

  test('passes all the same if no answer lies there', async () => {
    const { outcome, fire } = held()
    fire(6_000)
    fire(6_250)
    expect(await outcome).toBe('OUTCOME_UNKNOWN')
  })

  test('is over at once in a process that ran all the time', async () => {
    const { outcome, fire, answer } = held()
    fire(1_001)
    answer()
    expect(await outcome).toBe('OUTCOME_UNKNOWN')
  })
})

describe('a call is repeated', () => {
  test.each<[string, Step]>([
    ['when no server listens', { kind: 'refused' }],
    ['when the connection breaks', { kind: 'broken' }],
    ['when the server is going away', { kind: 'fault', code: 'UNAVAILABLE' }],
    ['when the server is overloaded', { kind: 'fault', code: 'OVERLOADED' }],
    ['while the server starts', { kind: 'fault', code: 'SAFE_MODE' }],
    ['when a proxy says 503', { kind: 'raw', status: 503, text: '<html>' }],
  ])('%s: mutations with the very same body', async (_, step) => {
    for (const [what, request] of [[look, {}], [change, once]] as const) {
      const { caller, settle, bodies, timers } = scripted(step, step, { kind: 'answer', n: 7 })
      expect(await settle(caller.call(at, what, request as never))).toEqual({ n: 7 })
      expect(bodies).toHaveLength(3)
      expect(new Set(bodies).size).toBe(1)
      expect(timers.size).toBe(0)
    }
  })

  test('with pauses that grow, until the deadline and not beyond', async () => {
    const { caller, settle, tries, time } = scripted({ kind: 'refused' })
    await expect(settle(caller.call(at, look, {}, { timeoutMs: 5_000, peer: 'namenode' }))).rejects.toMatchObject({
      code: 'UNAVAILABLE', message: expect.stringMatching(/cannot reach the namenode at 127\.0\.0\.1:1 .*is it running/) as string,
    })
    expect(time()).toBeLessThanOrEqual(5_000)
    expect(time()).toBeGreaterThan(2_000)
    expect(tries()).toBeGreaterThan(4)
    expect(tries()).toBeLessThan(20)
  })

  test('as long as a try has time enough for an answer: a shorter one would hide the last refusal behind its own timeout', async () => {
    for (let timeoutMs = 500; timeoutMs <= 3_000; timeoutMs += 25) {
      for (let refusals = 1; refusals <= 12; refusals++) {
        const { caller, settle } = scripted(...Array.from({ length: refusals }, (): Step => ({ kind: 'fault', code: 'OVERLOADED' })), {
          kind: 'silence',
        })
        const error: unknown = await settle(caller.call(at, look, {}, { timeoutMs })).catch((thrown: unknown) => thrown)
        if ((error as GristmillError).code === 'OVERLOADED') break
        const [, gotMs] = /within (\d+) ms/.exec((error as GristmillError).message)!
        expect(Number(gotMs), `${refusals} refusals, ${timeoutMs} ms`).toBeGreaterThanOrEqual(Math.floor(timeoutMs / 10))
      }
    }
  })

  test('after a try that took too long', async () => {
    const { caller, settle, time } = scripted({ kind: 'silence' }, { kind: 'answer', n: 1 })
    expect(await settle(caller.call(at, change, once, { tryMs: 1_000 }))).toEqual({ n: 1 })
    expect(time()).toBeGreaterThanOrEqual(1_000)
    expect(time()).toBeLessThan(2_000)
  })
})

describe('a call that waits', () => {
  const doubt: Step = { kind: 'fault', code: 'SAFE_MODE' }

  test('tells the reason of its last attempt from three seconds on, and nothing if it ends before', async () => {
    const told: string[] = []
    const onWait = ({ message }: GristmillError): void => { told.push(message) }
    const short = scriptedFor({ onWait }, doubt, doubt, { kind: 'answer', n: 1 })
    await short.settle(short.caller.call(at, change, once))
    expect([told, short.time() < 3_000]).toEqual([[], true])
    const long = scriptedFor({ onWait }, ...Array.from({ length: 12 }, () => doubt), { kind: 'answer', n: 1 })
    await long.settle(long.caller.call(at, change, once, { timeoutMs: 60_000 }))
    expect(new Set(told)).toEqual(new Set(['it is SAFE_MODE']))
    expect(long.time()).toBeGreaterThan(3_000)
  })
})

describe('an operator\'s safe mode', () => {
  const held: Step = { kind: 'fault', code: 'SAFE_MODE', final: true }

  test('is reported at once to a caller that can decide what to do', async () => {
    const { caller, settle, tries } = scripted(held, { kind: 'answer', n: 1 })
    await expect(settle(caller.call(at, change, once))).rejects.toMatchObject({ code: 'SAFE_MODE' })
    expect(tries()).toBe(1)
  })

  test('is waited for by background work, beyond every deadline, and the deadline counts from its end', async () => {
    const { caller, settle, bodies, time } = scriptedFor(
      { patient: true }, ...Array.from({ length: 100 }, () => held), { kind: 'silence' }, { kind: 'answer', n: 1 },
    )
    expect(await settle(caller.call(at, change, once, { timeoutMs: 10_000, tryMs: 4_000 }))).toEqual({ n: 1 })
    expect(time()).toBeGreaterThan(60_000)
    expect(new Set(bodies).size).toBe(1)
    const other = scriptedFor({ patient: true }, held, { kind: 'silence' })
    await expect(other.settle(other.caller.call(at, change, once, { timeoutMs: 10_000 }))).rejects.toMatchObject({
      code: 'OUTCOME_UNKNOWN',
    })
  })

  test('and the waiting ends with its signal', async () => {
    const { caller, settle, time } = scriptedFor({ patient: true }, held)
    const ending = new AbortController()
    const call = caller.call(at, change, once, { signal: ending.signal })
    setImmediate(() => setImmediate(() => ending.abort()))
    await expect(settle(call)).rejects.toMatchObject({ code: 'ABORTED' })
    expect(time()).toBeLessThan(60_000)
  })
})

describe('a call is not repeated', () => {
  test.each<ErrorCode>([
    'ENOENT', 'EEXIST', 'EACCES', 'WRONG_CLUSTER', 'UNAUTHENTICATED', 'STALE_EPOCH', 'INTERNAL', 'UNREGISTERED', 'BLOCK_MISSING',
    'TASK_FAILED',
  ])('after %s', async code => {
    const { caller, settle, tries } = scripted({ kind: 'fault', code }, { kind: 'answer', n: 1 })
    await expect(settle(caller.call(at, change, once))).rejects.toMatchObject({ code, message: `it is ${code}`, details: { a: 1 } })
    expect(tries()).toBe(1)
  })

  test('when the caller wants one try', async () => {
    const { caller, settle, tries } = scripted({ kind: 'refused' }, { kind: 'answer', n: 1 })
    await expect(settle(caller.call(at, look, {}, { retry: false }))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(tries()).toBe(1)
  })

  test('when it is a mutation without a request id that may have arrived', async () => {
    const { caller, settle, tries } = scripted({ kind: 'broken' }, { kind: 'answer', n: 1 })
    await expect(settle(caller.call(at, change, without))).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    expect(tries()).toBe(1)
  })

  test('though it is such a mutation, as long as nothing was sent', async () => {
    const { caller, settle, tries } = scripted({ kind: 'refused' }, { kind: 'fault', code: 'OVERLOADED' }, { kind: 'answer', n: 1 })
    expect(await settle(caller.call(at, change, without))).toEqual({ n: 1 })
    expect(tries()).toBe(3)
  })
})

describe('when the deadline has come', () => {
  test.each<[string, Step[]]>([
    ['its answer was lost', [{ kind: 'broken' }]],
    ['nothing ever came', [{ kind: 'silence' }]],
    ['its answer was lost and then no server listened', [{ kind: 'broken' }, { kind: 'refused' }]],
    ['its answer was lost and then the server was overloaded', [{ kind: 'broken' }, { kind: 'fault', code: 'OVERLOADED' }]],
    ['the server itself timed out', [{ kind: 'fault', code: 'TIMEOUT' }]],
  ])('a mutation is OUTCOME_UNKNOWN if %s', async (_, script) => {
    const { caller, settle } = scripted(...script)
    await expect(settle(caller.call(at, change, once))).rejects.toMatchObject({
      code: 'OUTCOME_UNKNOWN',
      message: expect.stringContaining('same request id') as string,
    })
  })

  test.each<[string, Step[], ErrorCode]>([
    ['no server ever listened', [{ kind: 'refused' }], 'UNAVAILABLE'],
    ['it never got a connection', [{ kind: 'queued' }], 'TIMEOUT'],
    ['every answer was that the server is overloaded', [{ kind: 'fault', code: 'OVERLOADED' }], 'OVERLOADED'],
    ['an answer was lost and the repeat got a definite one', [{ kind: 'broken' }, { kind: 'fault', code: 'ENOENT' }], 'ENOENT'],
  ])('a mutation is not unknown if %s', async (_, script, code) => {
    const { caller, settle } = scripted(...script)
    await expect(settle(caller.call(at, change, once))).rejects.toMatchObject({ code })
  })

  test('a look is TIMEOUT if nothing came, UNAVAILABLE if the connection broke', async () => {
    for (const [kind, code] of [['silence', 'TIMEOUT'], ['broken', 'UNAVAILABLE']] as const) {
      const { caller, settle, time } = scripted({ kind })
      await expect(settle(caller.call(at, look, {}))).rejects.toMatchObject({ code })
      expect(time()).toBeLessThanOrEqual(limits.callTimeoutMs)
    }
  })

  test('a namenode that can be reached and does not answer is asked for longer than one that cannot be reached', async () => {
    const slow = { unansweredMs: 60_000 }
    for (const [what, request] of [[look, {}], [change, once]] as const) {
      const late = scripted({ kind: 'silence' }, { kind: 'silence' }, { kind: 'silence' }, { kind: 'answer', n: 7 })
      expect(await late.settle(late.caller.call(at, what, request as never, slow))).toEqual({ n: 7 })
      expect(new Set(late.bodies).size).toBe(1)
      const silent = scripted({ kind: 'silence' })
      const code = what === look ? 'TIMEOUT' : 'OUTCOME_UNKNOWN'
      await expect(silent.settle(silent.caller.call(at, what, request as never, slow))).rejects.toMatchObject({ code })
      expect(silent.time()).toBeGreaterThan(50_000)
      expect(silent.time()).toBeLessThanOrEqual(60_000)
      for (const kind of ['refused', 'queued'] as const) {
        const away = scripted({ kind })
        await expect(away.settle(away.caller.call(at, what, request as never, slow))).rejects.toMatchObject({
          code: kind === 'refused' ? 'UNAVAILABLE' : 'TIMEOUT',
        })
        expect(away.time()).toBeLessThanOrEqual(limits.callTimeoutMs)
      }
    }
    const impatient = scripted({ kind: 'silence' }, { kind: 'answer', n: 7 })
    await expect(impatient.settle(impatient.caller.call(at, change, without, slow))).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
  })

  test('a waiting message was given the time of a long poll more', async () => {
    const { caller, settle, time } = scripted({ kind: 'silence' })
    await expect(settle(caller.call(at, wait, {}))).rejects.toMatchObject({ code: 'TIMEOUT' })
    expect(time()).toBe(limits.callTimeoutMs + limits.longPollMs)
  })
})

describe('an aborted call', () => {
  test('is ABORTED, at once, in any state, and leaves no timer behind', async () => {
    for (const kind of ['silence', 'queued', 'refused'] as const) {
      const { caller, timers } = scripted({ kind })
      const controller = new AbortController()
      const calling = caller.call(at, look, {}, { signal: controller.signal })
      await new Promise(resolve => setImmediate(resolve))
      controller.abort()
      await expect(calling).rejects.toMatchObject({ code: 'ABORTED' })
      if (kind !== 'refused') expect(timers.size).toBe(0)
    }
  })

  test('is never sent if it was aborted before', async () => {
    const { caller, tries } = scripted({ kind: 'answer', n: 1 })
    await expect(caller.call(at, look, {}, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' })
    expect(tries()).toBe(0)
  })

  test('gives back the error that it was aborted with, and a deadline is TIMEOUT', async () => {
    const { caller } = scripted({ kind: 'answer', n: 1 })
    await expect(
      caller.call(at, look, {}, { signal: AbortSignal.abort(new GristmillError('LEASE_EXPIRED', 'gone')) }),
    ).rejects.toMatchObject({ code: 'LEASE_EXPIRED' })
    await expect(caller.call(at, look, {}, { signal: AbortSignal.abort(new DOMException('', 'TimeoutError')) })).rejects.toMatchObject({
      code: 'TIMEOUT',
    })
  })

  test('says of a mutation that was sent that it may have happened', async () => {
    const { caller } = scripted({ kind: 'silence' })
    const controller = new AbortController()
    const calling = caller.call(at, change, once, { signal: controller.signal })
    await new Promise(resolve => setImmediate(resolve))
    controller.abort()
    await expect(calling).rejects.toMatchObject({ code: 'ABORTED', message: expect.stringContaining('may or may not') as string })
  })
})

test('an answer that is not JSON is INTERNAL and names the server', async () => {
  const { caller, settle } = scripted({ kind: 'raw', status: 200, text: '<html>hello' })
  await expect(settle(caller.call(at, look, {}))).rejects.toMatchObject({
    code: 'INTERNAL',
    message: expect.stringContaining('127.0.0.1:1') as string,
  })
})

test('an unknown code of a newer server is judged by its status', async () => {
  const { caller, settle } = scripted({ kind: 'raw', status: 418, text: '{"error":{"code":"TEAPOT","message":"short and stout"}}' })
  await expect(settle(caller.call(at, look, {}))).rejects.toMatchObject({ code: 'INTERNAL', details: { status: 418 } })
})
