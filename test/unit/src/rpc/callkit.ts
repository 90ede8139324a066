// Caller of messages over a scripted network, on time that moves only when all code waits for it.

import Type from 'typebox'
import type { Dispatcher } from 'undici'
import { GristmillError, type ErrorCode } from '../../../../src/base/errors.ts'
import { address, requestId as id } from '../../../../src/base/ids.ts'
import { requestId } from '../../../../src/protocol/fields.ts'
import { message } from '../../../../src/protocol/message.ts'
import { Credentials } from '../../../../src/rpc/auth.ts'
import { Caller } from '../../../../src/rpc/call.ts'
import { systemClock } from '../../../../src/world/clock.ts'
import { seeded } from '../../../../src/world/random.ts'
import { onAbort } from '../../../kit/abort.ts'

export const look = message('test.look', { callers: 'node', request: Type.Object({}), reply: Type.Object({ n: Type.Number() }) })
export const change = message('test.change', {
  callers: 'node',
  request: Type.Object({ requestId }), reply: Type.Object({ n: Type.Number() }), mutation: true, paths: 'unchecked',
})
export const wait = message('test.wait', {
  callers: 'node', request: Type.Object({}), reply: Type.Object({ n: Type.Number() }), waits: true,
})
export const at = address('127.0.0.1:1')
export const once = { requestId: id('c:1') }
export const without = {} as typeof once

/** Outcome of one try in the network. */
export type Step =
  | { kind: 'answer'; n: number }
  | { kind: 'fault'; code: ErrorCode; final?: boolean }
  | { kind: 'raw'; status: number; text: string }
  /** The connection is refused. */
  | { kind: 'refused' }
  /** Sent, then the connection breaks. */
  | { kind: 'broken' }
  /** Sent, and no reply ever comes. */
  | { kind: 'silence' }
  /** Waits for a connection for ever. */
  | { kind: 'queued' }

/** Time that moves only when all code waits for it, and a network that follows a script; its last step repeats. */
export function scripted(...script: Step[]) { return scriptedFor({}, ...script) }

export function scriptedFor(options: { patient?: boolean; onWait?: (why: GristmillError) => void }, ...script: Step[]) {
  let now = 0
  let sent = 0
  const bodies: string[] = []
  const timers = new Map<object, { at: number; work: () => void }>()
  const later = (ms: number, work: () => void): (() => void) => {
    const key = {}
    timers.set(key, { at: now + ms, work })
    return () => { timers.delete(key) }
  }
  const clock = {
    ...systemClock,
    now: () => 1_790_000_000_000 + now,
    mono: () => now,
    after: later,
    sleep: (ms: number, signal?: AbortSignal) => new Promise<void>((resolve, reject) => {
      onAbort(signal, () => reject(signal!.reason as Error))
      later(ms, resolve)
    }),
  }
  const dispatcher = {
    dispatch({ body }: { body: string }, handler: Dispatcher.DispatchHandler) {
      const step = script[Math.min(sent, script.length - 1)]!
      sent++
      bodies.push(body)
      const controller = { abort: (reason: Error) => { queueMicrotask(() => handler.onResponseError?.(controller as never, reason)) } }
      queueMicrotask(() => {
        if (step.kind === 'refused')
          return handler.onResponseError?.(controller as never, Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }))
        if (step.kind === 'queued') return undefined
        handler.onRequestStart?.(controller as never, undefined)
        if (step.kind === 'silence') return undefined
        if (step.kind === 'broken')
          return handler.onResponseError?.(controller as never, Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' }))
        const [status, text] =
          step.kind === 'answer'
            ? [200, JSON.stringify({ n: step.n })]
            : step.kind === 'fault'
              ? [
                  new GristmillError(step.code, '').status,
                  JSON.stringify({
                    error: { code: step.code, message: `it is ${step.code}`, details: { a: 1, ...(step.final && { final: true }) } },
                  }),
                ]
              : [step.status, step.text]
        handler.onResponseStart?.(controller as never, status, {}, '')
        // In three parts, cut inside of characters too.
        const bytes = Buffer.from(text)
        for (const [from, to] of [
          [0, 5], [5, 6], [6, bytes.length],
        ] as const)
          handler.onResponseData?.(controller as never, bytes.subarray(from, to))
        return handler.onResponseEnd?.(controller as never, {})
      })
      return true
    },
  } as unknown as Dispatcher
  const credentials = new Credentials({ secret: Buffer.alloc(32), user: 'ann', cluster: 'c', clock, random: seeded(1) })
  const caller = new Caller({ dispatcher, credentials, clock, random: seeded(2), ...options })
  /** Fires timer after timer until the promise settles. */
  async function settle<T>(promise: Promise<T>): Promise<T> {
    let done = false
    promise.then(() => { done = true }, () => { done = true })
    for (;;) {
      await new Promise(resolve => setImmediate(resolve))
      if (done) return promise
      const next = [...timers].sort(([, a], [, b]) => a.at - b.at)[0]
      if (!next) throw new Error('nothing is waited for, and the call has not settled')
      timers.delete(next[0])
      now = Math.max(now, next[1].at)
      next[1].work()
    }
  }
  return { caller, settle, bodies, time: () => now, tries: () => sent, timers }
}
