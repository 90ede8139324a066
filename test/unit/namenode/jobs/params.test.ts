// Parameters of jobs: they may be large, so they are in a table of their own, and only task orders have them in memory.

import { expect, test } from 'vitest'
import { Engine } from '../../../../namenode/jobs/engine.ts'
import { finishJob, submitJob } from '../../../../namenode/jobs/store/mutations.ts'
import { headOf, heads, specOf as storedSpec } from '../../../../namenode/jobs/store/rows.ts'
import { requestId } from '../../../../src/base/ids.ts'
import * as protocol from '../../../../src/protocol/job.ts'
import { as, type Bench } from '../kit.ts'
import { mapOnly, open, over, submit } from './store/storekit.ts'
import { specOf } from './scheduler/kit.ts'
import { callerOf, openTo } from './enginekit.ts'
import { fakeDeps } from './deps.ts'

const params = { text: 'x'.repeat(100_000), list: Array.from({ length: 1000 }, (_, i) => ({ i })) }
const rows = ({ store }: Bench): number => [...store.table('jobparams').range({})].length
const largestHead = (bench: Bench): number => Math.max(...[...heads(bench.journal.view)].map(({ bytes }) => bytes))

test('parameters are in a row of their own while the job runs, and neither in its head nor in its spec', async () => {
  const { bench, store } = await open()
  const job = await submit(store, mapOnly('/out', false, { params }))
  expect(largestHead(bench)).toBeLessThan(2000)
  expect(storedSpec(bench.journal.view, 1)!.params).toEqual({})
  expect(store.params(job)).toEqual(params)
  // All tasks share one object.
  expect(store.params(job)).toBe(store.params(job))
  const again = await open(bench)
  expect(await again.store.resume(job)).toBe(1)
  expect(again.store.params(job)).toEqual(params)
  await again.store.finish(job, over(again.store, job, 'cancelled'), undefined)
  expect([rows(again.bench), again.store.params(job)]).toEqual([0, undefined])
})

test('a job that an earlier version has begun moves its parameters when it is taken over; heads of ended ones give them up', async () => {
  const first = await open(undefined, { behind: true })
  for (const [i, output] of ['/ended', '/runs'].entries()) {
    await first.bench.journal.submit(submitJob, {
      requestId: requestId(`old:${i}`), actor: as('ann'), spec: mapOnly(output, false, { params }), nowMs: 1,
    })
  }
  const [ended, runs] = first.store.running() as [never, never]
  await first.bench.journal.submit(finishJob, { job: ended, status: over(first.store, ended, 'failed') })
  expect(rows(first.bench)).toBe(0)
  expect(largestHead(first.bench)).toBeGreaterThan(100_000)
  expect(first.store.params(runs)).toEqual(params)
  const { bench, store } = await open(first.bench)
  await store.resume(runs)
  expect(rows(bench)).toBe(1)
  expect(storedSpec(bench.journal.view, 2)!.params).toEqual({})
  expect(store.params(runs)).toEqual(params)
  await store.tidy()
  expect(largestHead(bench)).toBeLessThan(2000)
  expect(headOf(bench.journal.view, 1)!.about).toEqual({ program: expect.anything(), seed: 1, fingerprint: 'f' })
  // The journal alone gives the same.
  const replayed = await open(bench)
  expect(replayed.store.params(runs)).toEqual(params)
})

test('the scheduler holds no parameters and no names of inputs; a task has the parameters in its order', async () => {
  const deps = fakeDeps()
  const engine = new Engine(deps)
  const spec = { ...specOf({ maps: 1, reduces: 0 }), params, inputs: ['/in'], patterns: ['/in/*'] }
  const { job } = await callerOf(engine, deps)(protocol.submit, { spec })
  expect(engine.scheduler.jobs.get(job)!.spec).toMatchObject({ params: {} })
  expect(Object.keys(engine.scheduler.jobs.get(job)!.spec)).not.toContain('inputs')
  openTo(engine, 'a')
  expect(deps.orders[0]!.order).toMatchObject({ kind: 'run', work: { params } })
  engine.stop()
})
