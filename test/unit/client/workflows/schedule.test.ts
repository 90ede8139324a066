// Schedules of workflows, by a clock that is moved by hand: when builds begin, and what passes while one runs.

import { expect, test } from 'vitest'
import { followSchedule } from '../../../../client/workflows/schedule.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'

const hour = 3_600_000

function follow(given: { schedule?: string | undefined; timeZone?: string; from: string; took?: number[]; due?: string }) {
  const clock = new ManualClock()
  clock.wallMs = Date.parse(given.from) - clock.ms
  const begun: string[] = []
  const declared = { schedule: given.schedule, timeZone: given.timeZone ?? 'UTC' }
  const ending = new AbortController()
  const took = [...given.took ?? []]
  const builds = followSchedule({
    clock, signal: ending.signal, dueMs: given.due === undefined ? undefined : Date.parse(given.due),
    read: async () => {
      if (declared.schedule === 'broken') throw new Error('does not compile')
      return declared
    },
    build: async () => {
      begun.push(new Date(clock.now()).toISOString().slice(0, 16))
      const ms = took.shift() ?? 0
      clock.ms += Math.abs(ms)
      if (ms < 0) throw new Error('failed')
      return { datasets: [] }
    },
  })
  /** The next build, after all the time that it takes to come. */
  const next = async () => {
    const build = builds.next()
    for (let over = false; !over;) {
      over = await Promise.race([build.then(() => true, () => true), new Promise<false>(done => setImmediate(() => done(false)))])
      if (!over) clock.pass(30_000)
    }
    const { value } = await build
    return value!
  }
  return { clock, begun, declared, ending, next, builds }
}

test('the first build is at once, and the others at their times, in the time zone, also where its clock is changed', async () => {
  const { begun, next } = follow({ schedule: '30 2 * * *', timeZone: 'Europe/Berlin', from: '2026-10-24T10:00:00Z' })
  expect((await next()).next.toISOString()).toBe('2026-10-25T00:30:00.000Z')
  await next()
  expect((await next()).next.toISOString()).toBe('2026-10-27T01:30:00.000Z')
  expect(begun).toEqual(['2026-10-24T10:00', '2026-10-25T00:30', '2026-10-26T01:30'])
})

test('builds do not overlap: times that pass while one runs are skipped and told', async () => {
  const { begun, next } = follow({ schedule: '0 * * * *', from: '2026-11-27T10:30:00Z', took: [3.2 * hour, -hour / 2, 0] })
  expect(await next()).toMatchObject({ skipped: 3, next: new Date('2026-11-27T14:00:00Z'), result: { datasets: [] } })
  // One that ends with a failure is told, and the next one comes as ever.
  expect(await next()).toMatchObject({ skipped: 0, error: { message: 'failed' }, next: new Date('2026-11-27T15:00:00Z') })
  await next()
  expect(begun).toEqual(['2026-11-27T10:30', '2026-11-27T14:00', '2026-11-27T15:00'])
})

test('a changed schedule holds from the next build on, and a file that is broken meanwhile changes nothing', async () => {
  const { begun, declared, next } = follow({ schedule: '0 * * * *', from: '2026-11-27T10:30:00Z' })
  await next()
  declared.schedule = '15 12 * * *'
  expect((await next()).next).toEqual(new Date('2026-11-27T12:15:00Z'))
  declared.schedule = 'broken'
  expect((await next()).next).toEqual(new Date('2026-11-28T12:15:00Z'))
  expect(begun).toEqual(['2026-11-27T10:30', '2026-11-27T11:00', '2026-11-27T12:15'])
})

test('a wall clock that is set back or on does not lose a build', async () => {
  const { clock, begun, next } = follow({ schedule: '0 0 * * *', from: '2026-11-27T23:00:00Z' })
  await next()
  const coming = next()
  clock.wallMs += 2 * 24 * hour
  await coming
  expect(begun.length).toBe(2)
  expect(begun[1]! >= '2026-11-29T00:00').toBe(true)
})

test('a clock that was years ahead and is set back does not hold the next build for years', async () => {
  const { clock, begun, next } = follow({ schedule: '0 0 * * *', from: '2031-01-01T23:00:00Z' })
  await next()
  const coming = next()
  clock.pass(30_000)
  clock.wallMs -= Date.parse('2031-01-01T23:00:00Z') - Date.parse('2026-11-27T23:00:00Z')
  await coming
  expect(begun[1]).toBe('2026-11-28T00:00')
})

test.each([
  ['begins late', '2026-11-27T12:10:00Z', { skipped: 1, next: new Date('2026-11-27T13:00:00Z') }],
  ['begins by a clock that is behind', '2026-11-27T10:59:58Z', { skipped: 0, next: new Date('2026-11-27T12:00:00Z') }],
])('a build that is due and %s is that of its time, and of no other one', async (_, from, expected) => {
  const { begun, next } = follow({ schedule: '0 * * * *', from, due: '2026-11-27T11:00:00Z' })
  expect(await next()).toMatchObject(expected)
  expect(begun.length).toBe(1)
})

test('an abort ends it while it waits and while it builds', async () => {
  const { ending, builds, next } = follow({ schedule: '0 0 * * *', from: '2026-11-27T23:00:00Z' })
  await next()
  const waiting = builds.next()
  ending.abort(new Error('enough'))
  await expect(waiting).rejects.toThrow('enough')
})

test.each([
  [undefined, 'the workflow has no schedule'], ['daily', 'is not one of cron'], ['99 * * * *', 'is not one of cron'],
  ['0 0 0 * * *', 'is not one of cron'], ['0 0 31 2 *', 'has no time that ever comes'],
])('the schedule %s is refused', async (schedule, reason) => {
  await expect(follow({ schedule, from: '2026-11-27T23:00:00Z' }).builds.next()).rejects.toMatchObject({
    code: 'EINVAL', message: expect.stringContaining(reason),
  })
})
