// Limits for jobs and their splits at submit, over all ways of submission, with concurrent requests.

import { expect, test } from 'vitest'
import { Admission } from '../../../../../namenode/jobs/splits/admission.ts'
import { Engine } from '../../../../../namenode/jobs/engine.ts'
import { splitChars } from '../../../../../namenode/jobs/splits/splits.ts'
import { inodeId, splitsId, type SplitsId } from '../../../../../src/base/ids.ts'
import { limits } from '../../../../../src/base/limits.ts'
import * as protocol from '../../../../../src/protocol/job.ts'
import type { JobSpec } from '../../../../../src/protocol/job.ts'
import { packSplit } from '../../../../../src/protocol/packed.ts'
import { specOf } from '../scheduler/kit.ts'
import { fakeDeps, turn } from '../deps.ts'
import { callerOf } from '../enginekit.ts'

const packed = (...splits: string[]): JobSpec => {
  const spec = specOf({ maps: 0, reduces: 0 })
  return { ...spec, stages: [{ ...spec.stages[0]!, input: { kind: 'packed', splits, options: { format: 'lines' } } }] }
}
const chars = (count: number): string => 'x'.repeat(count)
const done = async (): Promise<string> => 'done'
const overloaded = (words: string) => ({ code: 'OVERLOADED', message: expect.stringContaining(words) })

/** Admission with running jobs, sent splits, and requests that end when the test says so. */
function admitting(heldBytesMax?: number, jobsPerUser?: number) {
  const specs: JobSpec[] = []
  const uploads = new Map<SplitsId, { user: string; bytes: number }>()
  const admission = new Admission(
    {
      jobs: {
        values: () => specs.map(spec => ({ user: 'bob', spec })),
      },
      uploads: () => uploads,
    },
    { heldBytesMax, jobsPerUser },
  )
  const page = (user: string, upload: string, bytes: number, work = done): Promise<string> =>
    admission.page({ user, upload: splitsId(upload), splits: [chars(bytes)] }, work)
  const job = (spec: JobSpec, work = done): Promise<string> => admission.job({ user: 'ann', spec }, work)
  return {
    specs, uploads, page, job,
    send: (user: string, upload: string, bytes: number) => uploads.set(splitsId(upload), { user, bytes }),
  }
}

test('splits of running jobs, of uploads and of requests under way are held against one bound, those of a job that brings them too', async () => {
  const { specs, page, job, send } = admitting(1000)
  specs.push(packed(chars(300)), specOf({ maps: 1, reduces: 0 }))
  const legacy = splitChars(specs[1]!)
  expect(legacy).toBeGreaterThan(100)
  send('ann', 'upload-1', 300)
  const room = 1000 - 600 - legacy
  const under = Promise.withResolvers<string>()
  const coming = job(packed(chars(100)), () => under.promise)
  for (const attempt of [
    () => job(packed(chars(room - 99))), () => page('bob', 'upload-2', room - 99), () => page('ann', 'upload-1', room - 99),
  ])
    await expect(attempt()).rejects.toMatchObject(overloaded('take all the memory'))
  for (const attempt of [
    () => job(packed(chars(room - 100))), () => page('bob', 'upload-2', room - 100), () => page('ann', 'upload-1', room - 100),
  ])
    await expect(attempt()).resolves.toBe('done')
  under.reject(new Error('refused'))
  await expect(coming).rejects.toThrow('refused')
  await expect(job(packed(chars(room)))).resolves.toBe('done')
  // Splits sent before count already.
  send('ann', 'upload-3', room)
  await expect(job(packed())).resolves.toBe('done')
  await expect(job(packed(chars(1)))).rejects.toMatchObject({ code: 'OVERLOADED' })
})

test('jobs under way count as jobs', async () => {
  const { specs, page, job } = admitting()
  for (let n = 1; n < limits.jobsRunningMax; n++) specs.push(packed())
  const under = Promise.withResolvers<string>()
  const coming = job(packed(), () => under.promise)
  await expect(job(packed())).rejects.toMatchObject(overloaded('running already'))
  await expect(page('ann', 'upload-1', 1)).rejects.toMatchObject(overloaded('running already'))
  under.resolve('done')
  await coming
  await expect(job(packed())).resolves.toBe('done')
})

test('a user has no more jobs than one user may have, those under way included; other users do not count', async () => {
  const { specs, page, job } = admitting(undefined, 2)
  specs.push(packed(), packed(), packed())
  const under = Promise.withResolvers<string>()
  const coming = [job(packed(), () => under.promise), job(packed(), () => under.promise)]
  await expect(job(packed())).rejects.toMatchObject(overloaded('ann has 2 jobs that have not ended, as many as one user may have'))
  await expect(page('ann', 'upload-1', 1)).resolves.toBe('done')
  under.resolve('done')
  await Promise.all(coming)
  await expect(job(packed())).resolves.toBe('done')
})

test('jobs that drive programs take no place of other jobs, and have as many places of their own', async () => {
  const drive = { ...packed(), driver: { id: 'drive-1', step: 0, method: 'drive', nowMs: 1, outline: '', history: [] } }
  const { specs, page, job } = admitting(undefined, 2)
  const under = Promise.withResolvers<string>()
  const drives = [job(drive, () => under.promise), job(drive, () => under.promise)]
  await expect(job(drive)).rejects.toMatchObject(overloaded('ann has 2 detached programs that have not ended'))
  const steps = [job(packed(), () => under.promise), job(packed(), () => under.promise)]
  await expect(job(packed())).rejects.toMatchObject(overloaded('ann has 2 jobs that have not ended'))
  under.resolve('done')
  await expect(Promise.all([...drives, ...steps])).resolves.toEqual(['done', 'done', 'done', 'done'])
  for (let n = 0; n < limits.jobsRunningMax; n++) specs.push(drive)
  await expect(job(drive)).rejects.toMatchObject(overloaded(`${limits.jobsRunningMax} detached programs are running already`))
  await expect(job(packed())).resolves.toBe('done')
  await expect(page('ann', 'upload-1', 1)).resolves.toBe('done')
})

test('one user leaves room for the uploads of others, and pages of an upload that has begun are taken', async () => {
  const { page, send, uploads } = admitting()
  send('ann', 'large-one', limits.uploadBytesPerUserMax - 100)
  await expect(page('ann', 'another-one', 101)).rejects.toMatchObject(overloaded('ann sends'))
  await expect(page('ann', 'large-one', 101)).rejects.toMatchObject(overloaded('ann sends'))
  await expect(page('ann', 'large-one', 100)).resolves.toBe('done')
  await expect(page('bob', 'another-one', 101)).resolves.toBe('done')
  for (let n = 1; n < limits.uploadsPerUserMax; n++) send('ann', `small-one-${n}`, 0)
  await expect(page('ann', 'one-more', 1)).rejects.toMatchObject(overloaded('ann sends'))
  await expect(page('ann', 'small-one-1', 1)).resolves.toBe('done')
  for (let n = uploads.size; n < limits.jobsRunningMax; n++) send(`user-${n}`, `other-one-${n}`, 0)
  await expect(page('bob', 'another-one', 1)).rejects.toMatchObject(overloaded('being sent already'))
  await expect(page('ann', 'small-one-1', 1)).resolves.toBe('done')
})

test('a job that brings its splits is refused when there is no room for them, and its repeat is not', async () => {
  const deps = fakeDeps()
  const engine = new Engine(deps)
  const ask = callerOf(engine, deps)
  const text = packSplit({
    bytes: 0,
    ranges: [{ path: `/${chars(250)}`, inode: inodeId(1), fileBytes: 0, start: 0, end: 0, aligned: true, blocks: [] }],
  })
  const submit = (spec: JobSpec, requestId: string) => ask(protocol.submit, { spec }, { requestId })
  const spec = packed(...Array.from({ length: 1000 }, () => text))
  await submit(spec, 'c:1')
  Object.assign(deps.store, {
    uploads: new Map([[splitsId('all-of-it'), { user: 'bob', bytes: limits.splitsHeldBytesMax - 2 * splitChars(spec) + 1 }]]),
  })
  await expect(submit(spec, 'c:2')).rejects.toMatchObject(overloaded('take all the memory'))
  await expect(submit(spec, 'c:1')).resolves.toEqual({ job: 'job-1' })
  Object.assign(deps.store, { uploads: new Map() })
  await submit(spec, 'c:2')
  await turn()
  expect(engine.scheduler.jobs.size).toBe(2)
})
