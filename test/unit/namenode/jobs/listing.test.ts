// Pages of the job list, and the status of a job with kept output.

import { expect, test } from 'vitest'
import { Engine } from '../../../../namenode/jobs/engine.ts'
import { newest } from '../../../../namenode/jobs/listing.ts'
import type { JobRecord } from '../../../../namenode/jobs/store/record.ts'
import { jobId, nodeId, type JobId } from '../../../../src/base/ids.ts'
import { limits } from '../../../../src/base/limits.ts'
import * as protocol from '../../../../src/protocol/job.ts'
import type { JobStatus } from '../../../../src/protocol/job.ts'
import { write, mapOnly, open, over, runTask, submit } from './store/storekit.ts'
import { Bench, doneReport } from './scheduler/kit.ts'
import { callerOf } from './enginekit.ts'
import { fakeDeps } from './deps.ts'

const stage = { name: 's', state: 'done' as const, tasks: 1, running: 0, done: 1, failedAttempts: 0, fraction: 1, counters: {} }
const headOf = (number: number, more: Partial<JobStatus> = {}): JobRecord => ({
  user: 'ann', root: false, submittedMs: 1, term: 0, about: {} as never,
  status: {
    job: jobId(`job-${number}`), name: 'n', user: 'ann', state: 'succeeded', version: 1, output: '/o', submittedMs: 1, counters: {},
    stages: [stage], ...more,
  },
})
const long = Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`user.${n}${'x'.repeat(100)}`, n]))

/** Number of jobs on each page. */
function pages(all: ReadonlyArray<{ head: JobRecord; bytes: number }>, limit = 100, running = new Bench().scheduler.jobs): number[] {
  const sizes: number[] = []
  let before: JobId | undefined
  do {
    const from = before === undefined ? 0 : all.findIndex(({ head }) => head.status.job === before) + 1
    const page = newest({ store: { newest: () => all.slice(from) }, running }, { limit, before })
    expect(page.jobs.map(({ job }) => job)).toEqual(all.slice(from, from + page.jobs.length).map(({ head }) => head.status.job))
    sizes.push(page.jobs.length)
    before = page.next
  } while (before !== undefined)
  return sizes
}

test('a page of jobs ends where its text, or what is read for it, is too much, and has one job at the least', () => {
  const some = (bytes: number, more: Partial<JobStatus> = {}) => Array.from({ length: 5 }, (_, n) => ({ head: headOf(9 - n, more), bytes }))
  expect(pages(some(500))).toEqual([5])
  expect(pages(some(500), 2)).toEqual([2, 2, 1])
  expect(pages(some(limits.pageTextMax / 2))).toEqual([3, 2])
  expect(pages(some(limits.pageTextMax * 8))).toEqual([1, 1, 1, 1, 1, 0])
  expect(pages(some(500, { stages: [{ ...stage, counters: long }] }))).toEqual([2, 2, 1])
  expect(pages(some(500, { failure: { code: 'TASK_FAILED', message: 'no', stack: 'x'.repeat(limits.pageTextMax) } }))).toEqual([
    1, 1, 1, 1, 1, 0,
  ])
})

test('of jobs that run their counters count, which are in no head', () => {
  const bench = new Bench()
  bench.apply({ kind: 'opened' })
  bench.apply({ kind: 'joined', node: nodeId('a'), rack: 'r', host: 'a', slots: 9, attempts: [] })
  const all = Array.from({ length: 4 }, () => {
    const { job, effects } = bench.submit({ maps: 2, reduces: 0 }, [[], []])
    const [run] = effects.flatMap(effect => (effect.kind === 'run' ? [effect.attempt] : []))
    bench.apply({ kind: 'finished', ...doneReport(nodeId('a'), run!, bench.kept.get(job)!.spec, long) })
    bench.settle()
    return { head: { ...headOf(Number(job.slice(4))), }, bytes: 500 }
  })
  expect(pages(all, 100, bench.scheduler.jobs)).toEqual([1, 1, 1, 1, 0])
})

test('patterns among the inputs of a job whose output is kept are sent to those who may publish it, and are in no status', async () => {
  const { bench, store } = await open()
  const patterns = Array.from({ length: 1_000 }, (_, n) => `/in/${'x'.repeat(100)}${n}/*`)
  const keep = async (path: string, own?: string[]): Promise<JobId> => {
    const job = await submit(store, { ...mapOnly(path), ...own && { patterns: own } })
    for (const task of [0, 1]) await runTask(bench, store, job, task)
    await write(bench, `${path}/file`)
    const failure = await store.publish(job, over(store, job, 'succeeded'))
    await store.finish(job, { ...over(store, job, 'failed'), failure: failure! }, { keep: { bytes: 10 } })
    return job
  }
  const job = await keep('/a', patterns)
  const plain = await keep('/b')
  const deps = { ...fakeDeps(), store }
  const ask = callerOf(new Engine(deps), deps)
  const { kept } = await ask(protocol.watch, { job })
  expect(kept).toMatchObject({ bytes: 10, format: 'text', patternCount: 1_000 })
  expect(kept).not.toHaveProperty('patterns')
  expect((await ask(protocol.watch, { job: plain })).kept).not.toHaveProperty('patternCount')
  expect(JSON.stringify(await ask(protocol.jobs, {})).length).toBeLessThan(5_000)
  expect(await ask(protocol.patterns, { job })).toEqual({ patterns })
  expect(await ask(protocol.patterns, { job }, { user: 'root' })).toEqual({ patterns })
  expect(await ask(protocol.patterns, { job: plain })).toEqual({ patterns: [] })
  await expect(ask(protocol.patterns, { job }, { user: 'bob' })).rejects.toMatchObject({ code: 'EACCES' })
  await expect(ask(protocol.patterns, { job: 'job-99' })).rejects.toMatchObject({ code: 'ENOENT' })
  await ask(protocol.drop, { requestId: 'drop:1', job })
  await expect(ask(protocol.patterns, { job })).rejects.toMatchObject({ code: 'EINVAL' })
})
