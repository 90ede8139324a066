// Staged output that was changed behind the job's back, on an in-memory journal: exactly the files that the tasks have committed are
// published, of a job that has just computed them and of one whose output is kept.

import { expect, test } from 'vitest'
import { remove, rename } from '../../../../../namenode/namespace/names.ts'
import { stat } from '../../../../../namenode/namespace/read.ts'
import { replayed, root } from '../../kit.ts'
import { mapOnly, names, open, over, record, submit, write } from '../store/storekit.ts'
import { ann, computed, nextId, publishKept, unpublished, type Opened } from './publishkit.ts'

const outputOf = (job: string): string => `/.gristmill/jobs/${job}/output`

/** Changes as callers could make them before the routes refused them, and the words of the refusal. */
const changes: Array<[string, (opened: Opened, output: string) => Promise<unknown>, RegExp]> = [
  ['lost', ({ bench }, output) => bench.do(remove, { path: `${output}/part-0`, ...ann }), /written: part-0 is missing; it is not published/],
  ['renamed', ({ bench }, output) => bench.do(rename, { from: `${output}/part-0`, to: `${output}/x`, ...ann }),
    /x was added, part-0 is missing/],
  ['added to', ({ bench }, output) => write(bench, `${output}/part-00099`), /part-00099 was added/],
  ['added to with _SUCCESS', ({ bench }, output) => write(bench, `${output}/_SUCCESS`), /_SUCCESS was added/],
  ['added to with a directory', ({ bench }, output) => write(bench, `${output}/a/b`), /: a was added/],
  ['replaced', async ({ bench }, output) => {
    await bench.do(remove, { path: `${output}/part-1`, ...ann })
    await write(bench, `${output}/part-1`)
  }, /part-1 was replaced/],
  ['changed in many ways', async ({ bench }, output) => {
    for (const name of ['a', 'b', 'c', 'd']) await write(bench, `${output}/${name}`)
    await bench.do(remove, { path: `${output}/part-0`, ...ann })
  }, /a was added, b was added, c was added and 2 more/],
]

test.each(changes)('a staged output that was %s is not published: its job fails and says so, and what is left is kept', async (_, change, why) => {
  const opened = await open()
  const { bench, store } = opened
  const job = await unpublished(opened, mapOnly('/out'), () => change(opened, outputOf('job-1')))
  const { status } = store.head(job)!
  expect(status.failure).toMatchObject({ code: 'CORRUPT', message: expect.stringMatching(why) as string })
  expect(status.failure!.message).toMatch(/what is left is kept until .*gristmill job drop job-1/)
  expect(status.failure!.message).not.toContain('job publish')
  expect(names(bench, '/')).toEqual([])
  await expect(publishKept(opened, job, '/later')).rejects.toMatchObject({ code: 'CORRUPT', message: expect.stringMatching(why) as string })
  expect(names(bench, '/')).toEqual([])
  await store.dropKept({ requestId: nextId(), actor: ann, job })
  expect(store.head(job)!.status.failure!.message).toMatch(/run the job again; what the job had computed is not kept any more$/)
  await replayed(bench)
})

test.each(changes)('a kept output that was %s is not published elsewhere, and stays', async (_, change, why) => {
  const opened = await open()
  const { bench, store } = opened
  const job = await unpublished(opened, mapOnly('/out'), () => write(bench, '/out/taken'))
  await change(opened, outputOf(job))
  await expect(publishKept(opened, job, '/later')).rejects.toMatchObject({ code: 'CORRUPT', message: expect.stringMatching(why) as string })
  expect(store.head(job)!.kept).toBeDefined()
  expect(names(bench, '/')).toEqual(['/out'])
  await replayed(bench)
})

test('a staged output that is as it was again is published', async () => {
  const opened = await open()
  const { bench, store } = opened
  const job = await computed(opened, mapOnly('/out'))
  await bench.do(rename, { from: `${outputOf(job)}/part-0`, to: '/aside', ...root })
  await bench.do(rename, { from: '/aside', to: `${outputOf(job)}/part-0`, ...root })
  expect(await store.publish(job, over(store, job, 'succeeded'))).toBeUndefined()
  expect(names(bench, '/out')).toEqual(['/out/_SUCCESS', '/out/part-0', '/out/part-1'])
})

test('tasks that have written no file, or several, have nothing missing', async () => {
  const { bench, store } = await open()
  const job = await submit(store, mapOnly('/out'))
  const files = [await write(bench, `/.gristmill/jobs/${job}/${job}.0.0.0/a`), await write(bench, `/.gristmill/jobs/${job}/${job}.0.0.0/b`)]
  expect(await store.commit(job, record(job, 0, files))).toBeUndefined()
  expect(await store.commit(job, record(job, 1, []))).toBeUndefined()
  expect(await store.publish(job, over(store, job, 'succeeded'))).toBeUndefined()
  expect(names(bench, '/out')).toEqual(['/out/_SUCCESS', '/out/a', '/out/b'])
  expect(stat(bench.journal.view, root, '/out/a').id).toBe(files[0]!.inode)
})
