// Output paths of jobs: refusals at submit, leftovers of a replaced output, and a job that has computed everything and cannot publish
// it.

import { expect, test } from 'vitest'
import type { Mutation } from '../../../../../namenode/journal/operation.ts'
import { allMutations } from '../../../../../namenode/mutations.ts'
import { JournalJobStore } from '../../../../../namenode/jobs/store/store.ts'
import type { KeptBounds } from '../../../../../namenode/jobs/store/jobindex.ts'
import { checkSpec } from '../../../../../namenode/jobs/spec.ts'
import { publishKept as publishKeptMutation } from '../../../../../namenode/jobs/store/mutations.ts'
import { mkdir, remove, setAttributes, touch } from '../../../../../namenode/namespace/names.ts'
import { stat } from '../../../../../namenode/namespace/read.ts'
import { usageAt } from '../../../../../namenode/namespace/usage.ts'
import { attributesOf } from '../../../../../namenode/namespace/attributes.ts'
import { setQuota } from '../../../../../namenode/quotas/mutations.ts'
import { createSnapshot, removeSnapshot } from '../../../../../namenode/snapshots/mutations.ts'
import { items } from '../../../../../namenode/trash/items.ts'
import { discard, restore } from '../../../../../namenode/trash/mutations.ts'
import { complete, create } from '../../../../../namenode/writing/mutations.ts'
import { setAttribute } from '../../../../../namenode/xattrs/mutations.ts'
import { requestId, type JobId } from '../../../../../src/base/ids.ts'
import { limits } from '../../../../../src/base/limits.ts'
import { MiB } from '../../../../../src/base/units.ts'
import type { JobSpec } from '../../../../../src/protocol/job.ts'
import { as, limitUsage, replayed, root } from '../../kit.ts'
import { mapOnly, names, open, over, runTask, submit, write } from '../store/storekit.ts'
import { specOf } from '../scheduler/kit.ts'

type Opened = Awaited<ReturnType<typeof open>>
const ann = as('ann')
let requests = 0

/** A job that has computed everything, and is about to publish. */
async function computed({ bench, store }: Opened, spec: JobSpec): Promise<JobId> {
  const job = await submit(store, spec)
  for (const task of [0, 1]) expect(await runTask(bench, store, job, task)).toBeUndefined()
  return job
}

async function published(opened: Opened, spec: JobSpec): Promise<JobId> {
  const job = await computed(opened, spec)
  expect(await opened.store.publish(job, over(opened.store, job, 'succeeded'))).toBeUndefined()
  return job
}

/** Makes publishing fail; the job ends as the scheduler ends it. */
async function unpublished(opened: Opened, spec: JobSpec, spoil: () => Promise<unknown>, bytes = 10): Promise<JobId> {
  const { store } = opened
  const job = await computed(opened, spec)
  await spoil()
  const failure = await store.publish(job, over(store, job, 'succeeded'))
  expect(failure).toBeDefined()
  await store.finish(job, { ...over(store, job, 'failed'), failure: failure! }, undefined, { bytes })
  return job
}

const publishKept = (
  { store }: Opened, job: JobId, path: string,
  more: { overwrite?: boolean; force?: boolean; user?: string } = {},
): Promise<void> => {
  const { user = 'ann', overwrite = false, ...rest } = more
  return store.publishKept({ requestId: requestId(`p:${++requests}`), actor: as(user), job, output: { path, overwrite, ...rest } })
}

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
  await store.finish(job, over(store, job, 'cancelled'), undefined)
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

test('a job that cannot publish what it has computed keeps it, and publishes it elsewhere', async () => {
  const opened = await open()
  const { bench, store } = opened
  const spec = { ...mapOnly('/later'), inputs: ['/in'] }
  const job = await unpublished(opened, spec, () => write(bench, '/later/file'))
  const { status } = store.head(job)!
  const untilMs = bench.journal.nowMs() + limits.unpublishedKeepMs
  expect(status).toMatchObject({
    state: 'failed', kept: { untilMs },
    failure: { code: 'EEXIST', message: expect.stringContaining(`gristmill job publish ${job} --output PATH`) },
  })
  await store.tidy()
  expect(names(bench, '/.gristmill/jobs')).toEqual([`/.gristmill/jobs/${job}`])
  expect(names(bench, `/.gristmill/jobs/${job}`)).toEqual([`/.gristmill/jobs/${job}/output`]) // without files of losing attempts
  // The usual conditions apply, and a refused request loses nothing.
  await expect(publishKept(opened, job, '/later')).rejects.toMatchObject({ code: 'EEXIST' })
  await expect(publishKept(opened, job, '/in/side')).rejects.toMatchObject({ code: 'EINVAL' })
  await expect(publishKept(opened, job, '/mine', { user: 'bob' })).rejects.toMatchObject({ code: 'EACCES' })
  const other = await submit(store, mapOnly('/reserved'))
  await expect(publishKept(opened, job, '/reserved')).rejects.toMatchObject({ code: 'EBUSY' })
  await publishKept(opened, job, '/else/where')
  expect(names(bench, '/else/where')).toEqual(['/else/where/_SUCCESS', '/else/where/part-0', '/else/where/part-1'])
  expect(stat(bench.journal.view, root, '/else/where/_SUCCESS').owner).toBe('ann')
  const after = store.head(job)!
  expect(after.status).toMatchObject({ state: 'succeeded', output: '/else/where', version: status.version + 1 })
  expect([after.kept, after.status.kept, after.status.failure]).toEqual([undefined, undefined, undefined])
  expect(names(bench, '/.gristmill/jobs')).toEqual([`/.gristmill/jobs/${other}`])
  await expect(publishKept(opened, job, '/again')).rejects.toMatchObject({
    code: 'EINVAL',
    message: expect.stringContaining('its output is /else/where already'),
  })
  await replayed(bench)
})

test('what is kept is there after a restart, for a week, and is not published twice by one request', async () => {
  const first = await open()
  const job = await unpublished(first, mapOnly('/later'), () => write(first.bench, '/later/file'))
  const gone = await unpublished(first, mapOnly('/later2'), () => write(first.bench, '/later2/file'))
  const opened = await open(first.bench)
  const { bench, store } = opened
  const asked = { requestId: requestId('twice:1'), actor: ann, job, output: { path: '/out', overwrite: false } }
  await store.publishKept(asked)
  await store.publishKept(asked)
  bench.clock.pass(limits.unpublishedKeepMs - 1)
  await store.tidy()
  expect(names(bench, '/.gristmill/jobs')).toEqual([`/.gristmill/jobs/${gone}`])
  bench.clock.pass(1)
  await store.tidy()
  expect(names(bench, '/.gristmill/jobs')).toEqual([])
  expect(store.head(gone)!.status.kept).toBeUndefined()
  await expect(publishKept(opened, gone, '/out2')).rejects.toMatchObject({
    code: 'EINVAL', message: expect.stringContaining('run it again'),
  })
  await expect(publishKept(opened, 'job-99' as JobId, '/out2')).rejects.toMatchObject({ code: 'ENOENT' })
})

test('what is kept and has been removed by the superuser is kept no longer, and the job is forgotten in time as others are', async () => {
  const opened = await open()
  const { bench, store } = opened
  const [lost, there] = [
    await unpublished(opened, mapOnly('/a'), () => write(bench, '/a/file')),
    await unpublished(opened, mapOnly('/b'), () => write(bench, '/b/file')),
  ]
  await bench.do(remove, { path: `/.gristmill/jobs/${lost}`, recursive: true, nowMs: 1, ...root })
  await store.tidy()
  const told = (job: JobId): unknown => [
    store.head(job)!.kept !== undefined, store.head(job)!.status.kept !== undefined,
    store.head(job)!.status.failure!.message.endsWith('not kept any more'),
  ]
  expect([told(lost), told(there)]).toEqual([[false, false, true], [true, true, false]])
  await expect(publishKept(opened, lost, '/out')).rejects.toMatchObject({
    code: 'EINVAL', message: expect.stringContaining('run it again'),
  })
  expect(names(bench, '/.gristmill/jobs')).toEqual([`/.gristmill/jobs/${there}`])
  await replayed(bench)
})

test('where no outputs may be kept, the failure says only why the job could not be published', async () => {
  const { bench } = await open()
  const store = new JournalJobStore({ journal: bench.journal, clock: bench.clock, kept: { outputs: 0 } })
  const job = await unpublished({ bench, store }, mapOnly('/a'), () => write(bench, '/a/file'))
  const head = store.head(job)!
  expect([head.kept, head.status.kept]).toEqual([undefined, undefined])
  expect(head.status.failure!.message).toMatch(/\/a/)
  expect(head.status.failure!.message).not.toMatch(/kept|job publish/)
  expect(names(bench, '/.gristmill/jobs')).toEqual([])
})

test('kept output can be dropped by its owner, and the reason of the failure then says that nothing is kept', async () => {
  const opened = await open()
  const { bench, store } = opened
  const job = await unpublished(opened, { ...mapOnly('/later'), patterns: ['/in/*.csv'] }, () => write(bench, '/later/file'))
  const before = store.head(job)!.status
  expect(before).toMatchObject({
    kept: { bytes: 10, format: 'text', patterns: ['/in/*.csv'] },
    failure: { message: expect.stringContaining(`gristmill job drop ${job}`) },
  })
  const drop = (user: string, id = job) =>
    store.dropKept({ requestId: requestId(`d:${++requests}`), actor: { user, root: false }, job: id })
  await expect(drop('bob')).rejects.toMatchObject({ code: 'EACCES', message: expect.stringContaining('may drop it') })
  await expect(drop('ann', 'job-99' as JobId)).rejects.toMatchObject({ code: 'ENOENT' })
  await store.dropKept({ requestId: requestId('twice:drop'), actor: ann, job })
  await store.dropKept({ requestId: requestId('twice:drop'), actor: ann, job })
  const after = store.head(job)!
  expect([after.kept, after.status.kept]).toEqual([undefined, undefined])
  expect(after.status.version).toBe(before.version + 1)
  expect(after.status.failure!.message).toBe(
    before.failure!.message.replace(/; what the job has computed.*$/, '; what the job had computed is not kept any more'),
  )
  expect(names(bench, '/.gristmill/jobs')).toEqual([])
  await expect(drop('ann')).rejects.toMatchObject({ code: 'EINVAL', message: expect.stringContaining('nothing to drop') })
  await expect(publishKept(opened, job, '/out')).rejects.toMatchObject({ code: 'EINVAL', message: expect.stringContaining('dropped') })
  await replayed(bench)
})

test('kept outputs are bounded in number and in bytes: the oldest are deleted, and the newest stays whatever its size', async () => {
  const keep = async (kept: KeptBounds, bytes: readonly number[], restart = false): Promise<string[]> => {
    let { bench } = await open()
    let store = new JournalJobStore({ journal: bench.journal, clock: bench.clock, kept })
    for (const [i, own] of bytes.entries()) await unpublished({ bench, store }, mapOnly(`/o${i}`), () => write(bench, `/o${i}/file`), own)
    if (restart) {
      ({ bench } = await open(bench))
      store = new JournalJobStore({ journal: bench.journal, clock: bench.clock, kept })
    }
    await store.tidy()
    const left = names(bench, '/.gristmill/jobs').map(path => path.slice('/.gristmill/jobs/'.length))
    for (const { head } of store.newest()) expect(head.kept !== undefined, head.status.job).toBe(left.includes(head.status.job))
    return left
  }
  expect(await keep({ outputs: 2 }, [5, 5, 5])).toEqual(['job-2', 'job-3'])
  expect(await keep({ outputs: 2 }, [5, 5, 5], true)).toEqual(['job-2', 'job-3'])
  expect(await keep({ outputs: 0 }, [5, 5])).toEqual([])
  expect(await keep({ bytes: 100 }, [50, 50, 50])).toEqual(['job-2', 'job-3'])
  expect(await keep({ bytes: 100 }, [50, 200])).toEqual(['job-2'])
  expect(await keep({}, [50, 200])).toEqual(['job-1', 'job-2'])
})

test('the heads of jobs are read once, not again for each job that ends', async () => {
  const opened = await open()
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

test('a job whose staging has been removed by hand keeps nothing, and says nothing else', async () => {
  const opened = await open()
  const { bench, store } = opened
  const { remove } = await import('../../../../../namenode/namespace/names.ts')
  const job = await unpublished(opened, mapOnly('/out'), async () =>
    bench.do(remove, { path: `/.gristmill/jobs/job-1`, recursive: true, ...ann }),
  )
  expect(store.head(job)!.kept).toBeUndefined()
  expect(store.head(job)!.status.failure!.message).not.toContain('job publish')
})

test('a file that its user has laid down beside the parts as _SUCCESS is not counted twice', async () => {
  const opened = await open()
  const { bench, store } = opened
  const job = await computed(opened, mapOnly('/out'))
  await write(bench, `/.gristmill/jobs/${job}/output/_SUCCESS`)
  const before = bench.journal.view.counters.files
  expect(await store.publish(job, over(store, job, 'succeeded'))).toBeUndefined()
  const { sweep } = await import('../../../../../namenode/namespace/sweep.ts')
  await bench.journal.submit(sweep, { limit: 1000 })
  expect(bench.journal.view.counters.files).toBe(before)
})

test('a writer whose directory was replaced by an output is told so, and writes nothing into the trash', async () => {
  const opened = await open()
  const { bench } = opened
  await published(opened, mapOnly('/out'))
  const { lease } = await bench.journal.submit(create, { path: '/out/late', replication: 1, blockBytes: 4096, nowMs: 1, ...ann })
  await published(opened, mapOnly('/out', true))
  await expect(bench.journal.submit(complete, { lease, blocks: [], nowMs: 2, ...ann })).rejects.toMatchObject({
    code: 'ENOENT', message: expect.stringContaining('in the trash'),
  })
})

test('the superuser publishes for somebody else, whose files they stay', async () => {
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
    bench.journal.submit(former('job.submit'), { requestId: requestId(`f:${++requests}`), actor: ann, spec, nowMs: 1 }) as Promise<JobId>
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
