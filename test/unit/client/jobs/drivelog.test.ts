// Log of a program that a job of the cluster drives, over files in memory: a process that takes over finds all of it, one that was replaced
// can record nothing more, and jobs that were sent are found again.

import { expect, test } from 'vitest'
import { GristmillError } from '../../../../src/base/errors.ts'
import { jobId } from '../../../../src/base/ids.ts'
import { encodeEntry } from '../../../../src/plan/history.ts'
import { DriveLog } from '../../../../client/jobs/drivelog.ts'

const job = jobId('job-7')

class Files {
  readonly stored = new Map<string, Buffer>()
  readonly jobs: object[] = []
  busy = 0

  async create(path: string, { overwrite }: { overwrite?: boolean }) {
    if (this.busy-- > 0) throw new GristmillError('EBUSY', `${path} is being written`)
    if (this.stored.has(path)) throw new GristmillError('EEXIST', `${path} exists`)
    expect(overwrite).toBe(false)
    let bytes = Buffer.alloc(0)
    return {
      write: async (piece: Buffer) => { bytes = Buffer.concat([bytes, piece]) }, close: async () => { this.stored.set(path, bytes) },
      async [Symbol.asyncDispose]() {},
    }
  }

  async *read(path: string) { yield this.stored.get(path)! }

  readonly ask = async (message: { name: string }): Promise<object> => {
    if (message.name === 'job.list') return { jobs: this.jobs }
    if (this.stored.size === 0) throw new GristmillError('ENOENT', 'no such directory')
    return { entries: [...this.stored.keys()].map(path => ({ path })) }
  }

  open(): Promise<DriveLog> {
    const clock = { mono: () => 0, sleep: async () => {} }
    return DriveLog.open({ ask: this.ask, files: this, clock } as never, { job, run: 'drive-r' })
  }
}

const known = { method: 'take', fingerprint: 'abcdef123456' }
const step = (number: number) => ({ number, ...known, fingerprint: `${known.fingerprint}7890` })

const entry = (number: number) => encodeEntry({
  number, method: 'count', fingerprint: 'abcdef', job: `job-${number + 10}`, result: { kind: 'lines', lines: ['x'] },
})

test('a process that takes over gets results in their order, the longest times, and what steps depend on', async () => {
  const files = new Files()
  const first = await files.open()
  expect([first.results, first.clock, first.reads]).toEqual([[], '', []])
  const pins = [{ path: '/a', files: 1, bytes: 2, digest: 'd' }]
  await first.sends(step(1), false, { clock: '5', reads: { pins } })
  await first.gets(entry(1), { clock: '5 1', reads: undefined })
  await Promise.all([first.gets(entry(3), { clock: '5 1' }), first.gets(entry(2), { clock: '5' })])
  const next = await files.open()
  expect(next.results.map(({ number }) => number)).toEqual([1, 3, 2])
  expect(next.clock).toBe('5 1')
  expect(next.reads).toEqual([[1, { pins }]])
  expect([...files.stored.keys()][0]).toBe('/.gristmill/jobs/job-7/job-7.0.0.0/000000')
})

test('the end of a program is known to a process that takes over, with its failure', async () => {
  const [done, failed] = [new Files(), new Files()]
  await (await done.open()).ends(undefined)
  expect((await done.open()).end).toEqual({ ends: true, clock: '' })
  const failure = { code: 'TASK_FAILED', message: 'RangeError: no', stack: 'at p.ts:3' }
  await (await failed.open()).ends(new GristmillError('JOB_FAILED', 'the program failed after its step 1: RangeError: no', { details: { failure } }))
  const { end, results } = await failed.open()
  expect([end!.failure, results]).toEqual([{ code: 'JOB_FAILED', message: 'the program failed after its step 1: RangeError: no', stack: 'at p.ts:3' }, []])
})

test('a process that was replaced can record nothing more, and knows why', async () => {
  const files = new Files()
  const [old, next] = [await files.open(), await files.open()]
  await next.sends(step(1), false, { clock: '' })
  const refused = await old.gets(entry(1), { clock: '' }).catch((error: unknown) => error)
  expect(refused).toMatchObject({ code: 'ABORTED', message: expect.stringContaining('another process drives the program of job-7 now') })
  expect(await old.sends(step(2), false, { clock: '' }).catch((error: unknown) => error)).toBe(refused)
  expect([old.isFailure(refused), next.isFailure(refused), files.stored.size]).toEqual([true, false, 1])
})

test('a record waits for the lease of a process that was killed, and a missing record is found', async () => {
  const files = new Files()
  files.busy = 3
  const log = await files.open()
  for (const number of [1, 2, 3]) await log.gets(entry(number), { clock: '' })
  files.stored.delete([...files.stored.keys()][1]!)
  await expect(files.open()).rejects.toMatchObject({ code: 'CORRUPT', message: expect.stringContaining('no record 1') })
})

test('the last job of a step that was sent is found, with the record that it was sent by; one that never arrived is not', async () => {
  const files = new Files()
  const first = await files.open()
  await first.sends(step(1), true, { clock: '' })
  await first.sends(step(1), false, { clock: '' })
  await first.sends(step(2), false, { clock: '' })
  const listed = (number: number, id: string, step: number) => ({ job: `job-${number}`, driver: { id, step, method: 'take' } })
  files.jobs.push(listed(10, 'other', 2), listed(9, 'drive-r', 1), listed(7, 'drive-r', 0), listed(3, 'drive-r', 2))
  const one = await files.open()
  const found = await Promise.all([1, 2, 3].map(number => one.sentBefore(number)))
  expect(found).toEqual([{ job: 'job-9', isPart: true, ...known }, undefined, undefined])
  files.jobs.unshift(listed(12, 'drive-r', 1))
  const two = await files.open()
  expect(await two.sentBefore(1)).toEqual({ job: 'job-12', isPart: false, ...known })
})

test('two processes send a step under one name, and its first tasks, other steps and other plans under others', async () => {
  const files = new Files()
  const old = await files.open()
  const name = await old.sends(step(1), false, { clock: '' })
  const next = await files.open()
  expect(await next.sentBefore(1)).toBeUndefined()
  expect(await next.sends(step(1), false, { clock: '' })).toBe(name)
  const others = [
    await next.sends(step(1), true, { clock: '' }), await next.sends(step(2), false, { clock: '' }),
    await next.sends({ ...step(1), fingerprint: 'fedcba654321' }, false, { clock: '' }),
  ]
  expect(new Set([name, ...others]).size).toBe(4)
})

test('a log of an earlier version, which does not tell the plans of steps, is read', async () => {
  const files = new Files()
  files.stored.set('/.gristmill/jobs/job-7/job-7.0.0.0/000000', Buffer.from(JSON.stringify({ sends: 1, isPart: false, clock: '' })))
  files.jobs.push({ job: 'job-9', driver: { id: 'drive-r', step: 1, method: 'take' } })
  expect(await (await files.open()).sentBefore(1)).toEqual({ job: 'job-9', isPart: false })
})
