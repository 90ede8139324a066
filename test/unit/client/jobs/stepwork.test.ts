// Steps of a program by their jobs, over calls that are told: first tasks alone, jobs that an earlier process has sent, and cancelling.

import { expect, test } from 'vitest'
import { EarlierResults } from '../../../../client/jobs/earlier.ts'
import { StepJobs } from '../../../../client/jobs/stepjobs.ts'
import { StepWork, type StepCalls } from '../../../../client/jobs/stepwork.ts'
import { ToldHistory } from '../../../../client/jobs/toldhistory.ts'
import type { PlannedProgramStep } from '../../../../client/load/driving.ts'

const lowered = 'abcdef1234567890'
const step = (more: Partial<PlannedProgramStep> = {}): PlannedProgramStep =>
  ({ number: 1, method: 'take', after: 0, clock: '', planned: { lowered }, returns: { first: 2 }, ...more }) as PlannedProgramStep

/** `lines`: results by job; jobs get numbers. `isLarge`: a job has more tasks than its first ones. */
function worker(lines: Record<string, string[]>, { sent, isLarge = true }: { sent?: object; isLarge?: boolean } = {}) {
  const asked: string[] = []
  const jobOf = (id: string) => ({
    id, wait: async () => ({ job: id }), kill: async () => { asked.push(`kill ${id}`) },
  }) as never
  let jobs = 0
  const calls = {
    jobOf, readsOf: () => undefined, readResult: async ({ job }: { job: string }) => lines[job]!,
    submit: async (_: unknown, _driver: unknown, _delivered: unknown, { tasks, onPart, onReady }: Parameters<StepCalls['submit']>[3]) => {
      if (tasks !== undefined && isLarge) onPart!()
      asked.push(`submit ${await onReady?.() ?? 'a job'}`)
      return jobOf(`job-${++jobs}`)
    },
    log: {
      sends: async ({ number }: { number: number }, isPart: boolean) => `${number} ${isPart ? 'first' : 'all'}`,
      sentBefore: async () => sent,
    },
  }
  const known = new StepJobs()
  const earlier = new EarlierResults({} as never, [])
  const work = new StepWork({
    ...calls as unknown as StepCalls, jobs: known, history: new ToldHistory(() => false),
    checkSame: (of, before) => earlier.checkSame(of, before),
  }, { id: 'r', nowMs: 0, abandoned: new AbortController().signal })
  return { work, asked, known }
}

test.each<[string, Record<string, string[]>, boolean, string[], string[]]>([
  ['have enough values', { 'job-1': ['a', 'b'] }, true, ['a', 'b'], ['submit 1 first']],
  ['have too few values', { 'job-1': ['a'], 'job-2': ['a', 'b'] }, true, ['a', 'b'], ['submit 1 first', 'submit 1 all']],
  ['are all', { 'job-1': ['a'] }, false, ['a'], ['submit 1 all']],
])('the first tasks of a step %s', async (_, lines, isLarge, expected, sends) => {
  const { work, asked, known } = worker(lines, { isLarge })
  expect([await work.lines(step(), () => {}), asked]).toEqual([expected, sends])
  expect(known.all.map(({ id }) => id)).toEqual([`job-${sends.length}`])
})

test('a job that an earlier process has sent is not sent again, unless its first tasks have too few values', async () => {
  const own = { method: 'take', fingerprint: lowered.slice(0, 12) }
  const whole = worker({ 'job-9': ['a'] }, { sent: { job: 'job-9', isPart: false, ...own } })
  expect([await whole.work.lines(step(), () => {}), whole.asked]).toEqual([['a'], []])
  const part = worker({ 'job-9': ['a'], 'job-1': ['a', 'b'] }, { sent: { job: 'job-9', isPart: true, ...own } })
  expect([await part.work.lines(step(), () => {}), part.asked]).toEqual([['a', 'b'], ['submit 1 all']])
  const earlier = worker({ 'job-9': ['a'] }, { sent: { job: 'job-9', isPart: false } })
  expect(await earlier.work.lines(step(), () => {})).toEqual(['a'])
})

test('a job of another plan or method that an earlier process has sent is no job of the step', async () => {
  for (const [other, why] of [
    [{ method: 'take', fingerprint: 'ffffff' }, 'its step 1 was take with another plan'],
    [{ method: 'count', fingerprint: lowered.slice(0, 12) }, 'its step 1 was count, and is take'],
  ] as const) {
    const { work, asked, known } = worker({}, { sent: { job: 'job-9', isPart: false, ...other } })
    await expect(work.lines(step(), () => {})).rejects.toMatchObject({ code: 'PROGRAM_INVALID', message: expect.stringContaining(why) })
    expect([asked, known.all]).toEqual([[], []])
  }
})

test('a cancelled program submits nothing, and its steps are killed', async () => {
  const { work, asked } = worker({ 'job-1': ['a', 'b'] })
  await work.lines(step(), () => {})
  work.cancel()
  await expect(work.lines(step({ number: 2 }), () => {})).rejects.toMatchObject({ code: 'JOB_CANCELLED' })
  await work.kill([1, 2])
  expect(asked).toEqual(['submit 1 first', 'kill job-1'])
})
