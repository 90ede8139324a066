// Retry loop, on a fake clock: it ends with the first success, or throws the failure that no repeat helps, the last attempt's, the one
// after the deadline, or the reason of an abort. Polling: it ends with the first result, or without one when the time has run out.

import { expect, test } from 'vitest'
import { GristmillError } from '../../../../src/base/errors.ts'
import { retry, waitUntil, type RetryOptions } from '../../../../src/base/retry.ts'

/** A clock on which a pause passes at once, and that lists the pauses. */
function pausing() {
  const pauses: number[] = []
  let nowMs = 0
  const clock = {
    mono: () => nowMs,
    sleep: async (ms: number, signal?: AbortSignal) => {
      signal?.throwIfAborted()
      pauses.push(ms)
      nowMs += ms
    },
  }
  return { pauses, clock }
}

const failing = (times: number) => {
  let calls = 0
  const work = async (attempt: number): Promise<number> => {
    expect(attempt).toBe(++calls)
    if (calls <= times) throw new Error(`failure ${calls}`)
    return calls
  }
  return work
}

test('the first success is the result; pauses are asked for by the number of the failed attempt', async () => {
  const { clock, pauses } = pausing()
  expect(await retry(failing(3), { clock, pauseMs: attempt => attempt * 10, again: () => true })).toBe(4)
  expect(pauses).toEqual([10, 20, 30])
})

test.each<[string, Partial<RetryOptions>, string, number[]]>([
  ['a failure that another try does not help', { again: (_error, attempt) => attempt < 2 }, 'failure 2', [10]],
  ['the last attempt', { attemptsMax: 3 }, 'failure 3', [10, 10]],
  ['a failure after the deadline', { untilMs: 25 }, 'failure 4', [10, 10, 10]],
])('%s is thrown', async (_what, options, message, expected) => {
  const { clock, pauses } = pausing()
  await expect(retry(failing(9), { clock, pauseMs: 10, again: () => true, ...options })).rejects.toThrow(message)
  expect(pauses).toEqual(expected)
})

test('without a pause the next try begins at once', async () => {
  const { clock, pauses } = pausing()
  expect(await retry(failing(2), { clock, pauseMs: 0, again: () => true })).toBe(3)
  expect(pauses).toEqual([])
})

test('an abort during the work or a pause is the error, and the failure is not judged', async () => {
  const { clock } = pausing()
  const ending = new AbortController()
  const reason = new GristmillError('UNAVAILABLE', 'the node stops')
  const judged: unknown[] = []
  const work = async (): Promise<never> => { ending.abort(reason); throw new Error('broken by the abort') }
  const again = (error: unknown): boolean => judged.push(error) > 0
  await expect(retry(work, { clock, pauseMs: 10, again, signal: ending.signal })).rejects.toBe(reason)
  expect(judged).toEqual([])
  const later = new AbortController()
  const abortLater = (): boolean => { later.abort(); return true }
  const aborted = retry(failing(1), { clock, pauseMs: 10, again: abortLater, signal: later.signal })
  await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' })
})

test('polling returns the first result that is neither undefined nor false, and pauses between looks', async () => {
  const { clock, pauses } = pausing()
  const answers = [undefined, false, 0, 7] as const
  let looks = 0
  expect(await waitUntil(() => answers[looks++], { clock, pauseMs: 10 })).toBe(0)
  expect([looks, pauses]).toEqual([3, [10, 10]])
})

test('polling looks once at least, and once more after the time has run out', async () => {
  for (const [untilMs, expected] of [[-1, 1], [25, 4]] as const) {
    const { clock } = pausing()
    let looks = 0
    expect(await waitUntil(async () => { looks++ }, { clock, pauseMs: 10, untilMs })).toBeUndefined()
    expect(looks).toBe(expected)
  }
})

test('polling throws the error of a look, and the reason of an abort', async () => {
  const { clock } = pausing()
  await expect(waitUntil(() => { throw new Error('unreadable') }, { clock, pauseMs: 10 })).rejects.toThrow('unreadable')
  const ending = new AbortController()
  await expect(waitUntil(async () => { ending.abort(new Error('enough')) }, { clock, pauseMs: 10, signal: ending.signal })).rejects
    .toThrow('enough')
})
