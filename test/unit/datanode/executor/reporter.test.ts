// Attempt reports of a datanode, to a fake namenode that refuses requests outside of the schema.

import { expect, test } from 'vitest'
import { TaskContext } from '../../../../datanode/executor/context.ts'
import { failed, type AttemptOutcome } from '../../../../datanode/executor/messages.ts'
import { Reporter } from '../../../../datanode/executor/reporter.ts'
import { GristmillError, type ErrorCode } from '../../../../src/base/errors.ts'
import { address, attemptId, jobId, nodeId } from '../../../../src/base/ids.ts'
import { fits } from '../../../../src/protocol/check.ts'
import { silent } from '../../../../src/ports/log.ts'
import { progress, type TaskFinished } from '../../../../src/protocol/task.ts'
import type { Caller } from '../../../../src/rpc/call.ts'
import { seeded } from '../../../../src/world/random.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'

const id = (task: number) => attemptId({ job: jobId('job-1'), stage: 0, task, attempt: 0 })
const done = (counters: Record<string, number>): AttemptOutcome => ({
  kind: 'done', counters,
  output: { kind: 'shuffle', bytes: 1, digest: 'd' },
})

function reporterOf(
  running: Array<{ attempt: ReturnType<typeof id>; counters: Record<string, number>; fraction: number }> = [],
  refuse?: (report: TaskFinished) => ErrorCode | undefined,
) {
  const clock = new ManualClock()
  const told: TaskFinished['outcome'][] = []
  const progressed: number[] = []
  const killed: string[] = []
  const call = async (_to: unknown, message: { name: string; request: never }, request: never) => {
    // As it arrives.
    const arrived = JSON.parse(JSON.stringify(request)) as TaskFinished & { attempts: unknown[] }
    const right: boolean = fits(message.request, arrived)
    if (!right) throw new GristmillError('EINVAL', 'it does not fit the schema')
    if (message.name === progress.name) {
      progressed.push(arrived.attempts.length)
      return { kill: [id(7)] }
    }
    const code = refuse?.(arrived)
    if (code) throw new GristmillError(code, 'no')
    told.push(arrived.outcome)
    return { committed: arrived.outcome.kind === 'done' }
  }
  const reporter = new Reporter({
    clock, random: seeded(1), log: silent, node: nodeId('n'), namenode: address('n:1'), caller: () => ({ call }) as unknown as Caller,
    session: () => 1, running: () => running, onKill: attempt => killed.push(attempt),
  })
  return { reporter, clock, told, progressed, killed }
}

test('a report that is refused for good becomes the failure of its attempt, with the reason, at once', async () => {
  const { reporter, told } = reporterOf()
  expect(await reporter.tell(id(0), done({ 'user.big': Infinity }))).toBe(false)
  expect(told).toEqual([
    {
      kind: 'failed', cause: 'system', counters: {},
      failure: {
        code: 'TASK_FAILED',
        message: expect.stringMatching(/refused the report of this attempt, which was "done" \(EINVAL: it does not fit/),
      },
    },
  ])
  expect(reporter.telling).toEqual([])
  expect(await reporter.tell(id(1), done({ records: 1 }))).toBe(true)
})

test('a report that is refused twice is given up, and one that may succeed later is sent until it does', async () => {
  const never = reporterOf([], () => 'UNAUTHENTICATED')
  expect(await never.reporter.tell(id(0), done({}))).toBe(false)
  let tries = 0
  const later = reporterOf([], () => {
    expect(later.reporter.telling).toEqual([id(0)])
    return ++tries < 4 ? (['UNAVAILABLE', 'SAFE_MODE', 'OUTCOME_UNKNOWN'] as const)[tries - 1] : undefined
  })
  const telling = later.reporter.tell(id(0), done({}))
  while (later.told.length === 0) {
    await later.clock.yield()
    later.clock.pass(2_000)
  }
  expect(await telling).toBe(true)
  expect(tries).toBe(4)
})

test('a failure is cut to the limits of the schema, however long its texts and however many outputs are missing', async () => {
  const { reporter, told } = reporterOf()
  const outcome = { ...failed('fetch', 'x'.repeat(50_000), { good: 1, bad: NaN }), missing: Array.from({ length: 1500 }, (_, i) => id(i)) }
  await reporter.tell(id(0), { ...outcome, failure: { ...outcome.failure, stack: 'y'.repeat(50_000) } })
  expect(told).toMatchObject([{ kind: 'failed', cause: 'fetch', counters: { good: 1 } }])
  expect((told[0] as { missing: unknown[] }).missing).toHaveLength(1000)
})

test('progress is reported for all attempts, whatever one of them has counted and however many they are', async () => {
  const running = Array.from({ length: 1001 }, (_, i) => ({
    attempt: id(i), counters: { 'user.odd': i === 5 ? Infinity : 1 }, fraction: i === 6 ? NaN : 0.5,
  }))
  const { reporter, clock, progressed, killed } = reporterOf(running)
  reporter.watch()
  clock.pass(500)
  while (progressed.length < 2) await clock.yield()
  expect(progressed).toEqual([1000, 1])
  await clock.yield()
  expect(killed).toEqual([id(7), id(7)])
  reporter.stop()
})

test('a counter that would not be a number any more is refused where the program raises it', () => {
  const context = new TaskContext({
    work: { job: 'j', stage: 0, task: 0, input: { kind: 'split' } } as never,
    params: {}, random: seeded(1), seeded, print: () => {},
  })
  context.counter('big', 1e300)
  expect(() => context.counter('big', 1e299)).toThrow(
    expect.objectContaining({ code: 'EINVAL', message: expect.stringContaining('the counter "big" would be 1.1e+300') }),
  )
  expect(() => context.counter('other', -Number.MAX_VALUE)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  expect(() => context.counter('other', Infinity)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  context.counter('other', -5)
  context.counter('other')
  expect(context.userCounters()).toEqual({ 'user.big': 1e300, 'user.other': -4 })
})
