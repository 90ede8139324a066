// Results of an earlier process that drove the program, given to it again: in their order, each once its step was asked for; a program that
// asks for another step is refused.

import { expect, test } from 'vitest'
import { EarlierResults } from '../../../../client/jobs/earlier.ts'
import type { PlannedProgramStep } from '../../../../client/load/driving.ts'
import type { HistoryEntry } from '../../../../src/plan/history.ts'

const fingerprint = 'abcdef123456'
const entry = (number: number, result: HistoryEntry['result'], method = 'count', job = `job-${number}`): HistoryEntry =>
  ({ number, method, fingerprint, job, result })
const step = (number: number, more: Partial<PlannedProgramStep> = {}): PlannedProgramStep =>
  ({ number, method: 'count', planned: { lowered: `${fingerprint}7890` }, returns: 'values', ...more }) as PlannedProgramStep

const again: unknown[] = []
const deps = {
  shipping: {
    again: async (value: unknown) => { again.push(value) }, read: async ({ path }: { path: string }) => Buffer.from(`bytes of ${path}`),
  },
  jobOf: (job: string) => ({ id: job }), linesOf: async (job: { id: string }) => [`stored by ${job.id}`],
} as never

const takeAll = async (results: EarlierResults): Promise<unknown[]> =>
  (await Array.fromAsync(results.next())).map(({ step: { number }, job, result }) => [number, job?.id, result])

test('results come in the order of the earlier process, once the program has asked for their steps', async () => {
  const results = new EarlierResults(deps, [
    entry(2, { kind: 'lines', lines: ['x'] }), entry(1, { kind: 'stored' }),
    entry(3, { kind: 'failed', code: 'ENOENT', message: 'no' }, 'count', '-'),
    entry(4, { kind: 'failed', code: 'ENOENT', message: 'no', details: { path: '/in' } }, 'count', '-'),
  ])
  let isDelivered = false
  void results.delivered.then(() => { isDelivered = true })
  results.asked(step(1))
  expect(await takeAll(results)).toEqual([])
  results.asked(step(2))
  expect(await takeAll(results)).toEqual([[2, 'job-2', { lines: ['x'] }], [1, 'job-1', { lines: ['stored by job-1'] }]])
  expect([isDelivered, results.has(3), results.has(5)]).toEqual([false, true, false])
  results.asked(step(3))
  results.asked(step(4))
  expect(await takeAll(results)).toEqual([
    [3, undefined, { failed: { code: 'ENOENT', message: 'no', details: {} } }],
    [4, undefined, { failed: { code: 'ENOENT', message: 'no', details: { path: '/in' } } }],
  ])
  await results.delivered
})

test('a value that was broadcast is the first one, and the new computation of it is removed', async () => {
  const results = new EarlierResults(deps, [
    entry(1, { kind: 'lines', lines: ['AAEC'] }, 'broadcast', '-'), entry(2, { kind: 'file', path: '/f', hash: 'h' }, 'broadcast', '-'),
  ])
  const shipped = [{ base64: 'BBBB' }, { file: '/tmp/f', bytes: 3 }]
  for (const [i, value] of shipped.entries()) results.asked(step(i + 1, { method: 'broadcast', shipped: value }))
  expect(await takeAll(results)).toEqual([
    [1, undefined, { lines: ['AAEC'], isShipped: true }],
    [2, undefined, { lines: [Buffer.from('bytes of /f').toString('base64')], isShipped: true }],
  ])
  expect(again).toEqual(shipped)
})

test.each<[string, Partial<PlannedProgramStep>, string]>([
  ['another method', { method: 'collect' }, 'its step 1 was count, and is collect'],
  ['another plan', { planned: { lowered: 'ffffff' } as never }, 'its step 1 was count with another plan'],
])('a program that asks for a step with %s is refused', async (_, more, message) => {
  const results = new EarlierResults(deps, [entry(1, { kind: 'stored' })])
  results.asked(step(1, more))
  const thrown = await takeAll(results).catch((error: unknown) => error)
  expect(thrown).toMatchObject({ code: 'PROGRAM_INVALID', message: expect.stringContaining(message) })
  expect([results.isRefusal(thrown), results.isRefusal(undefined), results.isRefusal(new Error('other'))]).toEqual([true, false, false])
})

test('without an earlier process nothing is waited for', async () => { await new EarlierResults(deps, []).delivered })
