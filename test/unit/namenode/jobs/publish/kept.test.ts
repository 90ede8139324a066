// Output that a job could not publish, on an in-memory journal: it is kept within bounds of number, size and time, and can be published
// elsewhere, or dropped, once.

import { expect, test } from 'vitest'
import { JournalJobStore } from '../../../../../namenode/jobs/store/store.ts'
import type { KeptBounds } from '../../../../../namenode/jobs/store/jobindex.ts'
import { remove } from '../../../../../namenode/namespace/names.ts'
import { stat } from '../../../../../namenode/namespace/read.ts'
import { requestId, type JobId } from '../../../../../src/base/ids.ts'
import { limits } from '../../../../../src/base/limits.ts'
import { replayed, root } from '../../kit.ts'
import { outputAt } from '../../../../../namenode/versions/mutations.ts'
import { specOf } from '../scheduler/kit.ts'
import { mapOnly, names, open, over, submit, write } from '../store/storekit.ts'
import { ann, computed, nextId, publishKept, unpublished } from './publishkit.ts'

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
  bench.clock.pass(60_000)
  await publishKept(opened, job, '/else/where')
  expect(names(bench, '/else/where')).toEqual(['/else/where/_SUCCESS', '/else/where/part-0', '/else/where/part-1'])
  expect(stat(bench.journal.view, root, '/else/where/_SUCCESS').owner).toBe('ann')
  const after = store.head(job)!
  expect(after.status).toMatchObject({
    state: 'succeeded', output: '/else/where', version: status.version + 1, finishedMs: status.finishedMs,
  })
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
    store.dropKept({ requestId: nextId(), actor: { user, root: false }, job: id })
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

test('an output that its check has refused is published only by a request that says so, and its version says so too', async () => {
  const opened = await open(undefined, { versions: 3 })
  const { bench, store } = opened
  const spec = { ...specOf({ maps: 2, reduces: 0, check: true }), origin: { key: 'k', pins: [], options: {} } }
  const job = await computed(opened, spec)
  const status = over(store, job, 'failed')
  await store.finish(job, { ...status, failure: { code: 'CHECK_REFUSED', message: 'too few rows' } }, { keep: { bytes: 10 } })
  expect(store.head(job)!.status).toMatchObject({
    kept: { unchecked: true, bytes: 10 }, failure: { message: expect.stringMatching(/^too few rows; .* in \/\.gristmill\/jobs\/job-1\/output: .*--despite-check/) },
  })
  await expect(publishKept(opened, job, '/out')).rejects.toThrow('has not passed its check')
  await publishKept(opened, job, '/out', { despiteCheck: true })
  const versionAt = (path: string) => outputAt(bench.journal.view, root, path).versions[0]!.record.made
  expect(versionAt('/out')).toMatchObject({ job, check: 'overruled', digest: expect.any(String) })
  expect(store.head(job)!.status).toMatchObject({ state: 'succeeded', output: '/out' })

  // One that has passed, and could not be published then.
  const late = await computed(opened, { ...spec, output: { ...spec.output, path: '/late' } })
  const stages = over(store, late, 'succeeded').stages.map(stage => ({ ...stage, state: 'done' as const }))
  await write(bench, '/late/file')
  const failure = await store.publish(late, { ...over(store, late, 'succeeded'), stages })
  await store.finish(late, { ...over(store, late, 'failed'), stages, failure: failure! }, { keep: { bytes: 10 } })
  expect(store.head(late)!.status.kept).not.toHaveProperty('unchecked')
  await publishKept(opened, late, '/later')
  expect(versionAt('/later')).toMatchObject({ job: late, check: 'passed' })
  // What is dropped is not advised any more.
  const gone = await computed(opened, { ...spec, output: { ...spec.output, path: '/gone' } })
  await store.finish(gone, { ...over(store, gone, 'failed'), failure: { code: 'CHECK_REFUSED', message: 'no' } }, { keep: { bytes: 1 } })
  await store.dropKept({ requestId: nextId(), actor: ann, job: gone })
  expect(store.head(gone)!.status.failure!.message).toBe('no; what the job had computed is not kept any more')
  await replayed(bench)
})
