// Output paths of jobs: refusals at submit, leftovers of a replaced output, and a job that has computed everything and cannot publish it.

import { expect, test } from 'vitest'
import type { Mutation } from '../../../../../namenode/journal/operation.ts'
import { allMutations } from '../../../../../namenode/rooms.ts'
import { checkSpec } from '../../../../../namenode/jobs/spec.ts'
import { publishJob, publishKept as publishKeptMutation } from '../../../../../namenode/jobs/store/mutations.ts'
import { mkdir, setAttributes, touch } from '../../../../../namenode/namespace/names.ts'
import { stat } from '../../../../../namenode/namespace/read.ts'
import { usageAt } from '../../../../../namenode/quotas/usage.ts'
import { attributesOf } from '../../../../../namenode/xattrs/rows.ts'
import { setQuota } from '../../../../../namenode/quotas/mutations.ts'
import { createSnapshot, removeSnapshot } from '../../../../../namenode/snapshots/mutations.ts'
import { items } from '../../../../../namenode/trash/items.ts'
import { discard, restore } from '../../../../../namenode/trash/mutations.ts'
import { complete, create } from '../../../../../namenode/writing/mutations.ts'
import { setAttribute } from '../../../../../namenode/xattrs/mutations.ts'
import { requestId, type JobId } from '../../../../../src/base/ids.ts'
import { MiB } from '../../../../../src/base/units.ts'
import type { JobSpec } from '../../../../../src/protocol/job.ts'
import { as, limitUsage, replayed, root } from '../../kit.ts'
import { mapOnly, names, open, over, runTask, submit, write } from '../store/storekit.ts'
import { specOf } from '../scheduler/kit.ts'
import { ann, computed, nextId, published, unpublished } from './publishkit.ts'

test('only the output of a job is replaced: not other files, not one with directories in it, unless that is forced', async () => {
  const opened = await open()
  const { bench, store } = opened
  await write(bench, '/ow/other/file')
  await write(bench, '/ow/notes')
  await expect(submit(store, mapOnly('/ow', true))).rejects.toMatchObject({
    code: 'ENOTEMPTY',
    message: expect.stringMatching(/no _SUCCESS.*--force/),
  })
  await write(bench, '/ow/_SUCCESS')
  await expect(submit(store, mapOnly('/ow', true))).rejects.toMatchObject({
    code: 'ENOTEMPTY',
    message: expect.stringContaining('a directory "other"'),
  })
  await expect(submit(store, mapOnly('/ow', false, { force: true }))).rejects.toMatchObject({ code: 'EEXIST' })
  await published(opened, mapOnly('/ow', true, { force: true }))
  expect(names(bench, '/ow')).toEqual(['/ow/_SUCCESS', '/ow/part-0', '/ow/part-1'])
  // Replacing an empty directory loses nothing.
  await bench.do(mkdir, { path: '/empty', ...ann })
  await published(opened, mapOnly('/empty', true))
  await bench.do(mkdir, { path: '/dirsuccess/_SUCCESS', parents: true, ...ann })
  await expect(submit(store, mapOnly('/dirsuccess', true))).rejects.toMatchObject({ code: 'ENOTEMPTY' })
  await replayed(bench)
})

test('an output is replaced only if it has the version that the job was planned over, at submit and when it publishes', async () => {
  const opened = await open(undefined, { versions: 3 })
  const { bench, store } = opened
  const planned = (path: string, ifVersion: number): JobSpec => mapOnly(path, true, { ifVersion })
  const changed = (version: number, text: string) => ({ code: 'ESTALE', details: { version }, message: expect.stringContaining(text) })
  await expect(submit(store, planned('/out', 1))).rejects.toMatchObject(changed(0, 'has no version now, and had version 1 when'))
  await expect(submit(store, planned('/a/b/out', 1))).rejects.toMatchObject(changed(0, '/a/b/out'))
  await published(opened, planned('/out', 0))
  await expect(submit(store, planned('/out', 0))).rejects.toMatchObject(changed(1, 'has version 1 now, and had no version when'))
  await published(opened, planned('/out', 1))
  await expect(submit(store, planned('/out', 1))).rejects.toMatchObject(changed(2, 'has version 2 now'))
  // Removed while the job runs.
  const job = await computed(opened, planned('/out', 2))
  await bench.do(discard, { path: '/out', recursive: true, ...ann })
  expect(await store.publish(job, over(store, job, 'succeeded'))).toMatchObject({ code: 'ESTALE' })
  expect(names(bench, '/')).not.toContain('/out')
  await replayed(bench)
})

test('a replaced output is in the trash of the job\'s user, and can be restored', async () => {
  const opened = await open()
  const { bench } = opened
  await published(opened, mapOnly('/out'))
  await write(bench, '/out/extra')
  const before = stat(bench.journal.view, root, '/out')
  await published(opened, mapOnly('/out', true))
  expect(names(bench, '/out')).toEqual(['/out/_SUCCESS', '/out/part-0', '/out/part-1'])
  const [item] = [...items(bench.journal.view, {})]
  expect(item).toMatchObject({ user: 'ann', from: '/out', removedMs: bench.journal.nowMs() })
  await bench.do(restore, { item: item!.name, to: '/old', ...ann })
  expect(names(bench, '/old')).toEqual(['/old/_SUCCESS', '/old/extra', '/old/part-0', '/old/part-1'])
  expect(stat(bench.journal.view, root, '/old').id).toBe(before.id)
  await replayed(bench)
})

test('an output that takes the place of another keeps its mode, owner, group, attributes and quota', async () => {
  const opened = await open()
  const { bench, store } = opened
  const { view } = bench.journal
  await bench.do(mkdir, { path: '/w', mode: 0o777, ...as('bob') })
  await published(opened, mapOnly('/w/out'))
  await bench.do(setAttributes, { path: '/w/out', mode: 0o777, owner: 'bob', group: 'staff', ...root })
  await bench.do(setAttribute, { path: '/w/out', name: 'user.origin', value: Buffer.from('x').toString('base64'), ...root })
  await limitUsage(bench, '/w/out', { names: 4, bytes: 1000 })
  await published(opened, mapOnly('/w/out', true))
  const now = stat(view, root, '/w/out')
  expect(now).toMatchObject({ mode: 0o777, owner: 'bob', group: 'staff' })
  expect(stat(view, root, '/w/out/part-0').owner).toBe('ann')
  expect([...attributesOf(view, now.id)].map(({ name, value }) => `${name}=${value.toString()}`)).toEqual(['user.origin=x'])
  expect(usageAt(view, now.id)).toEqual({ limit: { names: 4, bytes: 1000 }, used: { names: 3, bytes: 10 }, known: true })
  expect(view.counters.quotas).toBe(1)
  // The quota holds: an output that exceeds it is not published, and existing files stay.
  await limitUsage(bench, '/w/out', { names: 2 })
  const job = await computed(opened, mapOnly('/w/out', true))
  expect(await store.publish(job, over(store, job, 'succeeded'))).toMatchObject({
    code: 'EDQUOT',
    message: expect.stringContaining('/w/out may have 2 files'),
  })
  expect(stat(view, root, '/w/out').id).toBe(now.id)
  expect(usageAt(view, now.id)!.used.names).toBe(3)
  await replayed(bench)
})

test('a quota above counts a replaced output out and the new one in, and one that is being counted stays true', async () => {
  const opened = await open()
  const { bench } = opened
  const { view } = bench.journal
  await bench.do(mkdir, { path: '/q', ...ann })
  await published(opened, mapOnly('/q/out'))
  await limitUsage(bench, '/q', { names: 4, bytes: 10 })
  await bench.do(setQuota, { path: '/q/out', names: 10, ...root }) // its usage is not counted yet
  await published(opened, mapOnly('/q/out', true))
  expect(usageAt(view, stat(view, root, '/q').id)).toMatchObject({ used: { names: 4, bytes: 10 }, known: true })
  expect(usageAt(view, stat(view, root, '/q/out').id)).toEqual({ limit: { names: 10 }, used: { names: 3, bytes: 10 }, known: true })
  expect(view.counters).toMatchObject({ quotas: 2, snapshots: 0 })
  await replayed(bench)
})

test('a job that could not publish is refused when it is submitted', async () => {
  const opened = await open()
  const { bench, store } = opened
  const refused = (spec: JobSpec, code: string, message: string | RegExp = '') =>
    expect(submit(store, spec)).rejects.toMatchObject({
      code,
      message: typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message),
    })
  await bench.do(mkdir, { path: '/priv', mode: 0o755, ...as('bob') })
  await refused(mapOnly('/priv/new/out'), 'EACCES', 'write to /priv')
  await refused(mapOnly('/.gristmill', true), 'EACCES', 'the system needs it')
  await refused(mapOnly('/', true), 'EINVAL', 'the root directory')
  await bench.do(mkdir, { path: '/shut/in', parents: true, ...as('bob') })
  await bench.do(setAttributes, { path: '/shut', mode: 0o700, ...as('bob') })
  await refused(mapOnly('/shut/in/out'), 'EACCES', 'look into /shut')
  await bench.do(touch, { path: '/file', replication: 1, blockBytes: 4096, ...ann })
  await refused(mapOnly('/file/new/out'), 'ENOTDIR', '/file is a file')
  await published(opened, mapOnly('/kept'))
  await bench.do(createSnapshot, { path: '/kept', name: 's', ...ann })
  await refused(mapOnly('/kept', true), 'EBUSY', /\/kept cannot be replaced.*snapshots/)
  await bench.do(removeSnapshot, { path: '/kept', name: 's', ...ann })
  await submit(store, mapOnly('/kept', true))
  await bench.do(mkdir, { path: '/full', ...ann })
  await limitUsage(bench, '/full', { names: 2 })
  await refused(mapOnly('/full/a/out'), 'EDQUOT', '/full')
  await submit(store, mapOnly('/full/fits'))
  await limitUsage(bench, '/full', { bytes: 0 })
  await refused(mapOnly('/full/out'), 'EDQUOT', '/full')
  await refused(mapOnly('/full', true), 'EBUSY') // another job is to publish below
  await bench.do(mkdir, { path: '/nothing', ...ann })
  await limitUsage(bench, '/nothing', { bytes: 0 })
  await refused(mapOnly('/nothing', true), 'EDQUOT', '/nothing')
  await bench.journal.submit(create, { path: '/writing', replication: 1, blockBytes: 4096, nowMs: 1, ...ann })
  await refused(mapOnly('/writing'), 'EBUSY', 'of this name is being written')
  expect(() => checkSpec(mapOnly(`/${Array.from({ length: 33 }, () => 'd'.repeat(247)).join('/')}`))).toThrow(
    expect.objectContaining({ code: 'ENAMETOOLONG' }),
  )
})

test('the output of a running job is reserved: for it alone, above and below, until it ends', async () => {
  const { bench, store } = await open()
  const job = await submit(store, mapOnly('/a/out'))
  const refused = (path: string) =>
    expect(submit(store, mapOnly(path, true))).rejects.toMatchObject({
      code: 'EBUSY',
      message: expect.stringContaining(`${job}, which runs, will publish /a/out`),
    })
  for (const path of ['/a/out', '/a', '/a/out/deep/er']) await refused(path)
  await submit(store, mapOnly('/a/out2'))
  await store.finish(job, over(store, job, 'cancelled'))
  const next = await submit(store, mapOnly('/a/out'))
  for (const task of [0, 1]) await runTask(bench, store, next, task)
  expect(await store.publish(next, over(store, next, 'succeeded'))).toBeUndefined()
})

test('an output that contains an input, or lies in one, is refused', () => {
  const reading = (path: string, output: string, inputs?: string[]): void => {
    const spec = specOf({ maps: 1, reduces: 0 })
    if (spec.stages[0]!.input.kind === 'splits')
      spec.stages[0]!.input.splits = [{ bytes: 10, ranges: [{ ...spec.stages[0]!.input.splits[0]!.ranges[0]!, path }] }]
    checkSpec({ ...spec, output: { ...spec.output, path: output }, ...inputs && { inputs } })
  }
  const refused = expect.objectContaining({ code: 'EINVAL', message: expect.stringMatching(/refused.*beside the input/) })
  for (const [path, output, inputs] of [
    ['/ow/other', '/ow'], ['/ow/a/b', '/ow'], ['/ow', '/ow'], ['/logs/x', '/logs/summary', ['/logs']], ['/logs/x', '/logs', ['/logs']],
    ['/x/y', '/logs', ['/logs/empty']], ['/in', '/out', ['/in', '/out/old']], ['/in', '/a/b', ['/']],
  ] as Array<[string, string, string[]?]>)
    expect(() => reading(path, output, inputs), `${path} ${output}`).toThrow(refused)
  reading('/logs2/x', '/logs', ['/logs2'])
  reading('/ow.txt', '/ow')
})

test('parameters that could not travel with every task are refused', () => {
  const spec = mapOnly()
  checkSpec({ ...spec, params: { text: 'x'.repeat(MiB - 11) } })
  const named = (bytes: number): Partial<JobSpec> => ({
    inputs: ['/' + 'i'.repeat(bytes - 1)], patterns: ['/' + 'p'.repeat(MiB - bytes - 1)],
  })
  checkSpec({ ...spec, ...named(100) })
  expect(() => checkSpec({ ...spec, ...named(100), inputs: ['/' + 'i'.repeat(100)] })).toThrow(
    expect.objectContaining({ code: 'TOO_LARGE', message: expect.stringContaining('name directories') }),
  )
  expect(() => checkSpec({ ...spec, params: { text: 'x'.repeat(MiB - 10) } })).toThrow(
    expect.objectContaining({ code: 'TOO_LARGE', message: expect.stringContaining('store large values in a file') }),
  )
})

test('a writer whose directory was replaced by an output gets an error that says so, and writes nothing into the trash', async () => {
  const opened = await open()
  const { bench } = opened
  await published(opened, mapOnly('/out'))
  const { lease } = await bench.journal.submit(create, { path: '/out/late', replication: 1, blockBytes: 4096, nowMs: 1, ...ann })
  await published(opened, mapOnly('/out', true))
  await expect(bench.journal.submit(complete, { lease, blocks: [], nowMs: 2, ...ann })).rejects.toMatchObject({
    code: 'ENOENT', message: expect.stringContaining('in the trash'),
  })
})

test('the superuser publishes for another user, who stays the owner of the files', async () => {
  const opened = await open()
  const job = await unpublished(opened, mapOnly('/later'), () => write(opened.bench, '/later/file'))
  await opened.bench.journal.submit(publishKeptMutation, {
    requestId: requestId('root:1'), actor: root, job, output: { path: '/out', overwrite: false }, nowMs: 5, trashMs: 5,
  })
  for (const path of ['/out', '/out/_SUCCESS', '/out/part-0']) expect(stat(opened.bench.journal.view, root, path).owner, path).toBe('ann')
})

test('operations of earlier versions are accepted as they were: two jobs of one output, a replaced one gone for good, a file in the trash', async () => {
  const { bench, store } = await open()
  const former = (kind: string) => allMutations.find(each => each.kind === kind) as unknown as Mutation<object, unknown>
  const begin = (spec: JobSpec) =>
    bench.journal.submit(former('job.submit'), { requestId: nextId(), actor: ann, spec, nowMs: 1 }) as Promise<JobId>
  await write(bench, '/old/mine')
  const [job, same] = [await begin(mapOnly('/old', true)), await begin(mapOnly('/old', true))]
  for (const task of [0, 1]) await runTask(bench, store, job, task)
  await bench.journal.submit(former('job.publish'), { job, status: over(store, job, 'succeeded'), nowMs: 2 })
  expect(names(bench, '/old')).toEqual(['/old/_SUCCESS', '/old/part-0', '/old/part-1'])
  expect([...items(bench.journal.view, {})]).toEqual([])
  expect(store.running()).toEqual([same])
  const { lease } = await bench.journal.submit(create, { path: '/d/f', parents: true, replication: 1, blockBytes: 4096, nowMs: 1, ...ann })
  const item = await bench.journal.submit(discard, { path: '/d', recursive: true, nowMs: 3, ...ann })
  await bench.journal.submit(former('writing.complete'), { lease, blocks: [], nowMs: 4, ...ann })
  expect(names(bench, `/.gristmill/trash/ann/${item}/d`)).toHaveLength(1)
  await replayed(bench)
})

test('the heads of jobs are read once, not again for each job that ends', async () => {
  const opened = await open(undefined, { behind: true })
  const { bench, store } = opened
  for (let i = 0; i < 5; i++) await published(opened, mapOnly(`/out${i}`))
  await store.tidy()
  const { view } = bench.journal
  let ranges = 0
  const range = view.range.bind(view)
  view.range = (table, bounds) => {
    if (table === 'jobs') ranges++
    return range(table, bounds)
  }
  const job = await computed(opened, mapOnly('/again'))
  await store.publish(job, over(store, job, 'succeeded'))
  await store.tidy()
  expect(ranges).toBe(0)
})

test('an operation of an earlier version publishes what is there, and a _SUCCESS among it is not counted twice', async () => {
  const opened = await open()
  const { bench, store } = opened
  const job = await computed(opened, mapOnly('/out'))
  await write(bench, `/.gristmill/jobs/${job}/output/_SUCCESS`)
  const before = bench.journal.view.counters.files
  await bench.journal.submit(publishJob, { job, status: over(store, job, 'succeeded'), nowMs: 1 })
  const { sweep } = await import('../../../../../namenode/namespace/sweep.ts')
  await bench.journal.submit(sweep, { limit: 1000 })
  expect(bench.journal.view.counters.files).toBe(before)
})
