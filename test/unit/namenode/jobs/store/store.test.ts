// Job store on a real journal and namespace, in memory: tasks committed, jobs published, refused and forgotten, also over
// restarts.

import { expect, test } from 'vitest'
import { checkSplits } from '../../../../../namenode/jobs/splits/input.ts'
import { forgetJob, submitJob } from '../../../../../namenode/jobs/store/mutations.ts'
import type { TaskRecord } from '../../../../../namenode/jobs/store/record.ts'
import { mkdir, setAttributes, touch } from '../../../../../namenode/namespace/names.ts'
import { stat } from '../../../../../namenode/namespace/read.ts'
import { sweep } from '../../../../../namenode/namespace/sweep.ts'
import { child, rootId } from '../../../../../namenode/namespace/resolve.ts'
import { addDirectory, addFile, move } from '../../../../../namenode/namespace/tree.ts'
import { Draft } from '../../../../../namenode/journal/draft.ts'
import { attemptId, blockId, jobId, requestId, type JobId } from '../../../../../src/base/ids.ts'
import type { OutputFile } from '../../../../../src/protocol/task.ts'
import { as, root, type Bench } from '../../kit.ts'
import { mapOnly, names, open, over, record, runTask, submit, write } from './storekit.ts'
import { specOf } from '../scheduler/kit.ts'
import { turn } from '../deps.ts'

test('the output of a job appears whole when it is published, and nothing else is left', async () => {
  const { bench, store } = await open()
  const job = await submit(store, mapOnly('/results/today'))
  expect(await runTask(bench, store, job, 0)).toBeUndefined()
  await write(bench, `/.gristmill/jobs/${job}/${attemptId({ job, stage: 0, task: 1, attempt: 0 })}/part-1`) // of a losing attempt
  expect(await runTask(bench, store, job, 1, 1)).toBeUndefined()
  expect(names(bench, '/')).toEqual([])
  expect(await store.publish(job, over(store, job, 'succeeded'))).toBeUndefined()
  expect(names(bench, '/results/today')).toEqual(['/results/today/_SUCCESS', '/results/today/part-0', '/results/today/part-1'])
  expect(stat(bench.journal.view, as('bob'), '/results/today/part-0')).toMatchObject({ owner: 'ann', length: 5 })
  expect(names(bench, '/.gristmill/jobs')).toEqual([])
  expect(store.head(job)!.status.state).toBe('succeeded')
  expect(store.spec(job)).toBeUndefined()
  expect([...store.tasks(job)].map(each => each.task)).toEqual([0, 1])
})

const refuse = (code: string) => (path: string): never => { throw Object.assign(new Error(`${code}: ${path}`), { code }) }

test.each([
  ['is full', ({ disk }: Bench, on: boolean) => { disk.freeBytes = on ? 0 : Infinity }],
  ['is read-only', ({ disk }: Bench, on: boolean) => { disk.onWrite = on ? refuse('EROFS') : undefined }],
])('while the namenode\'s disk %s commits and publishing wait, and happen when it takes them again', async (_, spoil) => {
  const { bench, store } = await open()
  const job = await submit(store, mapOnly('/results'))
  const committed = [0, 1].map(async task => {
    const file = await write(bench, `/.gristmill/jobs/${job}/${attemptId({ job, stage: 0, task, attempt: 0 })}/part-${task}`)
    return { task, file }
  })
  const files = await Promise.all(committed)
  const later = async (work: Promise<unknown>): Promise<unknown> => {
    let done = false
    void work.finally(() => { done = true })
    for (let i = 0; i < 20; i++) {
      bench.clock.pass(1_000)
      await turn()
    }
    expect(done).toBe(false)
    spoil(bench, false)
    for (let i = 0; i < 20 && !done; i++) {
      bench.clock.pass(1_000)
      await turn()
    }
    expect(done).toBe(true)
    return work
  }
  spoil(bench, true)
  expect(await later(Promise.all(files.map(({ task, file }) => store.commit(job, record(job, task, [file])))))).toEqual([
    undefined, undefined,
  ])
  spoil(bench, true)
  expect(await later(store.publish(job, over(store, job, 'succeeded')))).toBeUndefined()
  expect(names(bench, '/results')).toEqual(['/results/_SUCCESS', '/results/part-0', '/results/part-1'])
})

test('a task is committed once, and only with files that are there as they were reported', async () => {
  const { bench, store } = await open()
  const job = await submit(store)
  const attempt = attemptId({ job, stage: 0, task: 0, attempt: 0 })
  const missing: OutputFile = { name: 'part-0', inode: 99 as never, length: 5, crc: 1 }
  expect(await store.commit(job, record(job, 0, [missing]))).toMatchObject({ code: 'CORRUPT' })
  const file = await write(bench, `/.gristmill/jobs/${job}/${attempt}/part-0`)
  expect(await store.commit(job, record(job, 0, [{ ...file, length: 6 }]))).toMatchObject({ code: 'CORRUPT' })
  expect(await store.commit(job, record(job, 0, [file]))).toBeUndefined()
  const late = attemptId({ job, stage: 0, task: 0, attempt: 1 })
  const other = await write(bench, `/.gristmill/jobs/${job}/${late}/another-name`)
  expect(await store.commit(job, record(job, 0, [other], 1))).toMatchObject({ code: 'EEXIST' })
  expect([...store.tasks(job)].map(each => each.won!.attempt)).toEqual([attempt])
  expect(names(bench, `/.gristmill/jobs/${job}/output`)).toHaveLength(1)
})

test('two tasks that write a file of the same name do not overwrite each other', async () => {
  const { bench, store } = await open()
  const job = await submit(store)
  await runTask(bench, store, job, 0)
  const other = await write(bench, `/.gristmill/jobs/${job}/${attemptId({ job, stage: 0, task: 1, attempt: 0 })}/part-0`)
  expect(await store.commit(job, record(job, 1, [other]))).toMatchObject({ code: 'EEXIST' })
})

test('an output that exists is refused at submit, and at publish if it has come since; then nothing of the job shows', async () => {
  const { bench, store } = await open()
  await write(bench, '/there/file')
  await expect(submit(store, mapOnly('/there'))).rejects.toMatchObject({ code: 'EEXIST', message: expect.stringContaining('/there') })
  const job = await submit(store, mapOnly('/later'))
  await runTask(bench, store, job, 0)
  await write(bench, '/later/file')
  expect(await store.publish(job, over(store, job, 'succeeded'))).toMatchObject({ code: 'EEXIST' })
  expect(store.head(job)!.status.state).toBe('running')
  await store.finish(job, over(store, job, 'failed'))
  expect(names(bench, '/later')).toEqual(['/later/file'])
  expect(names(bench, '/.gristmill/jobs')).toEqual([])
})

test('without a trash the old output goes for good in the same step, and a file is never replaced by a directory', async () => {
  const { bench, store } = await open(undefined, { trash: false })
  for (const name of ['mine', '_SUCCESS']) await write(bench, `/old/${name}`)
  const job = await submit(store, mapOnly('/old', true))
  await runTask(bench, store, job, 0)
  expect(names(bench, '/old')).toEqual(['/old/_SUCCESS', '/old/mine'])
  expect(await store.publish(job, over(store, job, 'succeeded'))).toBeUndefined()
  expect(names(bench, '/old')).toEqual(['/old/_SUCCESS', '/old/part-0'])
  // The old output is swept with its blocks; no directory is left without a parent.
  const { blocks } = await bench.journal.submit(sweep, { limit: 1000 })
  expect(blocks).toHaveLength(2)
  expect(bench.journal.view.counters).toMatchObject({ files: 2, doomed: 0, blocks: 1 })
  await write(bench, '/afile')
  await expect(submit(store, mapOnly('/afile', true))).rejects.toMatchObject({ code: 'ENOTDIR' })
})

test('a user publishes only where they may write, and replaces only their own files', async () => {
  const { bench, store } = await open()
  await bench.do(mkdir, { path: '/private', mode: 0o755, ...as('bob') })
  await expect(submit(store, mapOnly('/private/out'))).rejects.toMatchObject({ code: 'EACCES' })
  await expect(submit(store, mapOnly('/private', true))).rejects.toMatchObject({ code: 'EACCES' })
  await expect(submit(store, mapOnly('/.gristmill/programs'))).rejects.toMatchObject({ code: 'EACCES' })
  const job = await submit(store, mapOnly('/mine/out'))
  await bench.do(mkdir, { path: '/mine', mode: 0o755, ...as('bob') }) // another user was faster
  expect(await store.publish(job, over(store, job, 'succeeded'))).toMatchObject({ code: 'EACCES' })
})

test('blocks are handed to those only who may read their file, as it is now', async () => {
  const { bench } = await open()
  const file = await write(bench, '/secret', 5)
  const block = [...bench.journal.view.range('blocks', {})].map(({ key }) => blockId(key.readUInt32BE(4)))[0]!
  await bench.do(setAttributes, { path: '/secret', mode: 0o600, ...as('ann') })
  const range = {
    path: '/secret', inode: file.inode, fileBytes: 5, start: 0, end: 5, aligned: true,
    blocks: [{ id: block, offset: 0, length: 5, crc: 1 }],
  }
  const reading = (changes: Partial<typeof range>, user = 'ann') => {
    return checkSplits(
      { view: bench.journal.view, clock: bench.clock }, as(user),
      [{ bytes: 5, ranges: [{ ...range, ...changes }] }],
      '/out',
    )
  }
  await reading({})
  await expect(reading({}, 'bob')).rejects.toMatchObject({ code: 'EACCES' })
  await write(bench, '/public', 5, 'bob')
  // A user's own file does not give access to another user's blocks.
  const own = stat(bench.journal.view, root, '/public')
  await expect(reading({ path: '/public', inode: own.id }, 'bob')).rejects.toMatchObject({ code: 'EBUSY' })
  await expect(reading({ inode: own.id })).rejects.toMatchObject({ code: 'EBUSY' })
  await expect(reading({ path: '/gone' })).rejects.toMatchObject({ code: 'ENOENT' })
  await expect(reading({ blocks: [...range.blocks, ...range.blocks] })).rejects.toMatchObject({
    code: 'EINVAL',
    message: expect.stringContaining('twice') as string,
  })
})

test('everything stands after a restart, requests repeated over it get their first answer, and numbers go on', async () => {
  const first = await open()
  const job = await submit(first.store, mapOnly(), 'ann', 'x:1')
  await runTask(first.bench, first.store, job, 0)
  const { bench, store } = await open(first.bench)
  expect(store.running()).toEqual([job])
  expect(store.spec(job)).toEqual(mapOnly())
  expect([...store.tasks(job)]).toEqual([...first.store.tasks(job)])
  expect([await store.resume(job), await store.resume(job)]).toEqual([1, 2])
  expect(await submit(store, mapOnly(), 'ann', 'x:1')).toBe(job)
  expect(await submit(store, mapOnly('/other'))).toBe('job-2')
  expect(await runTask(bench, store, job, 0, 1)).toMatchObject({ code: 'EEXIST' })
})

test('the loss of an output is kept only while the job runs, and only if it is still that attempt\'s', async () => {
  const { bench, store } = await open()
  const job = await submit(store, { ...specOf({ maps: 2, reduces: 1 }) })
  const shuffled = (number: number): TaskRecord => {
    const base = record(job, 0, [], number)
    return { ...base, won: { ...base.won!, output: { kind: 'shuffle', bytes: 7, digest: 'd' } } }
  }
  await store.commit(job, shuffled(0))
  await store.lose(job, shuffled(0).won!.attempt)
  expect([...store.tasks(job)]).toEqual([])
  await store.commit(job, shuffled(1))
  await store.lose(job, shuffled(0).won!.attempt) // late
  expect([...store.tasks(job)].map(each => each.won!.attempt)).toEqual([shuffled(1).won!.attempt])
  await store.finish(job, over(store, job, 'cancelled'), undefined)
  await store.lose(job, shuffled(1).won!.attempt)
  expect([...store.tasks(job)]).toHaveLength(1)
  expect(await store.commit(job, shuffled(2))).toMatchObject({ code: 'EINVAL' })
  expect(names(bench, '/.gristmill/jobs')).toEqual([])
})

test('staging that an attempt makes after the end of its job is swept', async () => {
  const { bench, store } = await open()
  const job = await submit(store)
  const other = await submit(store, mapOnly('/other'))
  await store.finish(job, over(store, job, 'cancelled'), undefined)
  await write(bench, `/.gristmill/jobs/${job}/late/part-0`)
  await write(bench, '/.gristmill/jobs/nobodys/part-0')
  await store.tidy()
  expect(names(bench, '/.gristmill/jobs')).toEqual([`/.gristmill/jobs/${other}`])
})

test('a directory or file with the name of the next job goes when the job begins, and is counted and swept like all that is removed', async () => {
  const { bench, store } = await open()
  await write(bench, '/.gristmill/jobs/job-1/f', 5, 'mallory')
  await bench.journal.submit(touch, { path: '/.gristmill/jobs/job-2', nowMs: 1, replication: 1, blockBytes: 4096, ...as('mallory') })
  for (const output of ['/one', '/two']) {
    const job = await submit(store, mapOnly(output))
    expect(names(bench, `/.gristmill/jobs/${job}`)).toEqual([`/.gristmill/jobs/${job}/output`])
    await store.finish(job, over(store, job, 'cancelled'), undefined)
  }
  while (bench.journal.view.counters.doomed > 0) await bench.journal.submit(sweep, { limit: 100 })
  const { files, directories, blocks, doomed } = bench.journal.view.counters
  expect({ files, directories, blocks, doomed }).toEqual({ files: 0, directories: 4, blocks: 0, doomed: 0 })
  expect((await open(bench)).bench.store.dump()).toBe(bench.store.dump())
})

test('a job that an earlier version began over such a name is replayed as it was', async () => {
  const { bench, store } = await open()
  await write(bench, '/.gristmill/jobs/job-1/f', 5, 'mallory')
  await bench.journal.submit(submitJob, { requestId: requestId('old:1'), actor: as('ann'), spec: mapOnly(), nowMs: 1 })
  expect(names(bench, '/.gristmill/jobs/job-1')).toEqual(['/.gristmill/jobs/job-1/output'])
  expect(bench.journal.view.counters.files).toBe(1)
  await store.finish(jobId('job-1'), over(store, jobId('job-1'), 'cancelled'), undefined)
})

test('a name is never written over another one', async () => {
  const { bench } = await open()
  await write(bench, '/d/f')
  const { id } = child(bench.journal.view, rootId, 'd')!
  const draft = new Draft(bench.journal.view)
  const file = child(draft, id, 'f')!
  const made = { owner: 'ann', group: 'ann', mode: 0o755, nowMs: 1 }
  expect(() => addDirectory(draft, id, 'f', made)).toThrow(/f in directory .* is the name of something else/)
  expect(() => addFile(draft, id, 'f', file)).toThrow(/something else/)
  expect(() => move(draft, { parent: rootId, name: 'd' }, { parent: id, name: 'f' }, child(draft, rootId, 'd')!)).toThrow(/something else/)
})

test('the oldest ended jobs are forgotten beyond a thousand, with their tasks, and no name is used again', async () => {
  // Its state is checked at the end: after each of some 4,000 calls it would be read whole each time.
  const { bench, store } = await open(undefined, { behind: true })
  const kept = await submit(store)
  const jobs: JobId[] = []
  for (let n = 0; n < 1002; n++) {
    const job = await submit(store, mapOnly(`/out${n}`))
    await store.finish(job, over(store, job, 'failed'), { failed: { ...record(job, 0, []), others: [] } })
    jobs.push(job)
  }
  while (await store.tidy());
  const left = [...store.newest()].map(({ head }) => head.status.job)
  expect(left).toHaveLength(1001)
  expect(left.at(-1)).toBe(kept) // it runs
  expect(store.head(jobs[1]!)).toBeUndefined()
  expect([...store.tasks(jobs[0]!)]).toEqual([])
  expect([...store.tasks(jobs[2]!)]).toHaveLength(1)
  expect(await submit(store, mapOnly('/last'))).toBe('job-1004')
  store.checkState()
  expect(bench.fatal).toEqual([])
})

test('tasks that were not done when their job ended are kept, and none in place of a commit that came first', async () => {
  const { store } = await open()
  const job = await submit(store, mapOnly('/out'))
  await store.commit(job, record(job, 1, []))
  const unfinished = [0, 1, 2].map(task => ({ stage: 0, task, unfinished: true as const, others: [] }))
  await store.finish(job, over(store, job, 'cancelled'), { unfinished })
  expect([...store.tasks(job)].map(({ task, won, unfinished: open }) => [task, won !== undefined, open])).toEqual([
    [0, false, true], [1, true, undefined], [2, false, true],
  ])
})

test('failed attempts are kept until their task is done or their job has ended', async () => {
  const { store } = await open()
  const job = await submit(store, mapOnly('/out'))
  const tries = { stage: 0, task: 1, unfinished: true as const, failures: 2, others: [] }
  await store.tried(job, tries)
  expect([...store.tasks(job)]).toEqual([tries])
  await store.commit(job, record(job, 1, []))
  await store.tried(job, tries)
  expect([...store.tasks(job)].map(({ won }) => won !== undefined)).toEqual([true])
  await store.finish(job, over(store, job, 'cancelled'))
  await store.tried(job, { ...tries, task: 2 })
  expect([...store.tasks(job)]).toHaveLength(1)
})

test('a job is forgotten a thousand tasks at a time, and its name with the last of them; one that runs is not', async () => {
  const { bench, store } = await open(undefined, { behind: true })
  for (const [number, tasks, steps] of [[1, 999, [false]], [3, 1000, [true, false]]] as const) {
    const job = await submit(store, mapOnly(`/out${number}`))
    if (number === 1) await submit(store) // the newest one is never forgotten
    await Promise.all(Array.from({ length: tasks }, (_, task) => store.commit(job, record(job, task, []))))
    const forget = (): Promise<boolean> => bench.journal.submit(forgetJob, { number })
    expect(await forget()).toBe(false)
    expect([...store.tasks(job)]).toHaveLength(tasks)
    await store.finish(job, over(store, job, 'failed'))
    for (const [i, more] of steps.entries()) {
      expect(store.head(job)).toBeDefined()
      expect(await forget()).toBe(more)
      expect([...store.tasks(job)], `after ${i + 1}`).toEqual([])
    }
    expect([store.head(job), await forget()]).toEqual([undefined, false])
  }
})

test('a request to submit that is repeated after its job has ended gets the first answer, and nothing is kept for it', async () => {
  const { store } = await open()
  const job = await submit(store, mapOnly('/out'), 'ann', 'c:again')
  await store.finish(job, over(store, job, 'cancelled'))
  expect(await submit(store, mapOnly('/out'), 'ann', 'c:again')).toBe(job)
})
