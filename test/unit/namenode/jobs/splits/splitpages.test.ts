// Splits that clients send before their job, in a job store on an in-memory journal: a job takes them over whole, also after a restart;
// others expire, and each job's are bounded.

import { expect, test } from 'vitest'
import { JournalJobStore } from '../../../../../namenode/jobs/store/store.ts'
import { checkSpec } from '../../../../../namenode/jobs/spec.ts'
import { tables } from '../../../../../namenode/journal/keys.ts'
import { GristmillError } from '../../../../../src/base/errors.ts'
import { inodeId, requestId, splitsId, type JobId } from '../../../../../src/base/ids.ts'
import { limits } from '../../../../../src/base/limits.ts'
import type { JobSpec, SentSplits } from '../../../../../src/protocol/job.ts'
import { packSplit } from '../../../../../src/protocol/packed.ts'
import { MemoryStore } from '../../../../kit/memory-store.ts'
import { as, openBench, type Bench } from '../../kit.ts'
import { mapOnly, open, over, runTask, submit } from '../store/storekit.ts'

const id = splitsId('0123456789ab')
const split = (n: number): string =>
  packSplit({ bytes: 10, ranges: [{ path: `/in/${n}`, inode: inodeId(n), fileBytes: 10, start: 0, end: 10, aligned: true, blocks: [] }] })
let requests = 0
const send = (
  store: JournalJobStore, page: number, splits: string[],
  more: { user?: string; output?: string; id?: typeof id; request?: string } = {},
): Promise<void> =>
  store.addPage({
    requestId: requestId(more.request ?? `p:${++requests}`),
    actor: as(more.user ?? 'ann'), id: more.id ?? id, page, output: more.output ?? '/out', splits,
  })

/** A job over sent splits, and one split within the request. */
function over3(sent: Partial<SentSplits> = {}, output = '/out'): JobSpec {
  const spec = mapOnly(output)
  const [stage] = spec.stages
  return {
    ...spec,
    stages: [
      { ...stage!, input: { kind: 'packed', sent: { id, pages: 2, tasks: 2, ...sent }, splits: [split(3)], options: { format: 'lines' } } },
    ],
  }
}

const rows = (bench: Bench) => ({
  sent: [...bench.journal.view.range('sentsplits', {})].length,
  pages: [...bench.journal.view.range('splitpages', {})].length,
  outputs: [...bench.journal.view.range('joboutputs', {})].length,
})
const whole = async (store: JournalJobStore, job: JobId) => (await store.whole(store.spec(job)!)).stages[0]!.input

async function sentAndSubmitted() {
  const opened = await open()
  await send(opened.store, 0, [split(1)])
  await send(opened.store, 1, [split(2)])
  const job = await submit(opened.store, over3())
  return { ...opened, job }
}

test('a job takes over the splits that were sent before it, has them after a restart, and leaves nothing of them at its end', async () => {
  const first = await sentAndSubmitted()
  expect(rows(first.bench)).toEqual({ sent: 0, pages: 2, outputs: 1 })
  const { bench, store } = await open(first.bench)
  await store.tidy()
  expect(await whole(store, first.job)).toEqual({ kind: 'packed', splits: [split(1), split(2), split(3)], options: { format: 'lines' } })
  expect(store.head(first.job)!.status.stages[0]!.tasks).toBe(3)
  for (const task of [0, 1, 2]) await runTask(bench, store, first.job, task)
  expect(await store.publish(first.job, over(store, first.job, 'succeeded'))).toBeUndefined()
  expect(rows(bench)).toEqual({ sent: 0, pages: 0, outputs: 0 })
  for (const end of [false, true]) {
    const { bench: other, store: another, job } = await sentAndSubmitted()
    await another.finish(job, over(another, job, 'failed'), { keep: end ? { bytes: 1 } : undefined })
    expect(rows(other)).toEqual({ sent: 0, pages: 0, outputs: 0 })
    expect(another.head(job)).not.toHaveProperty('taken')
  }
})

test('the journal alone makes the same state again', async () => {
  const { bench, job } = await sentAndSubmitted()
  const again = await openBench({ store: new MemoryStore(), disk: bench.disk.cut(), clock: bench.clock, fresh: false })
  for (const table of tables) expect([...again.journal.view.range(table, {})], table).toEqual([...bench.journal.view.range(table, {})])
  expect(await whole(new JournalJobStore({ journal: again.journal, clock: again.clock }), job)).toMatchObject({
    splits: [split(1), split(2), split(3)],
  })
})

test('pages come in order, from one user and for one output, and a repeated request adds nothing', async () => {
  const { bench, store } = await open()
  await expect(send(store, 1, [split(1)])).rejects.toMatchObject({ code: 'ESTALE' })
  await send(store, 0, [split(1)], { request: 'r:1' })
  await send(store, 0, [split(1)], { request: 'r:1' })
  await expect(send(store, 0, [split(1)])).rejects.toMatchObject({ code: 'ESTALE' })
  await expect(send(store, 2, [split(1)])).rejects.toMatchObject({ code: 'ESTALE' })
  await expect(send(store, 1, [split(1)], { user: 'bob' })).rejects.toMatchObject({ code: 'EACCES' })
  await expect(send(store, 1, [split(1)], { output: '/else' })).rejects.toMatchObject({ code: 'EINVAL' })
  await send(store, 1, [split(2)])
  await expect(submit(store, over3({ pages: 1, tasks: 1 }))).rejects.toMatchObject({ code: 'ESTALE' })
  await expect(submit(store, over3({}, '/else'))).rejects.toMatchObject({ code: 'EINVAL' })
  await expect(submit(store, over3(), 'bob')).rejects.toMatchObject({ code: 'EACCES' })
  await submit(store, over3())
  // The splits belong to that job now.
  await expect(submit(store, over3({}, '/out'))).rejects.toThrow(GristmillError)
  expect(rows(bench)).toEqual({ sent: 0, pages: 2, outputs: 1 })
})

test('a job that an earlier version began, which kept no table of outputs, has its place there from the start of this one on', async () => {
  const first = await open()
  const job = await submit(first.store, mapOnly('/out'))
  first.bench.store.transact(() => first.bench.store.table('joboutputs').remove(Buffer.from([0, 0, 0, 0, 0, 0, 0, 1])))
  const { bench, store } = await open(first.bench)
  expect(rows(bench).outputs).toBe(0)
  await store.resume(job)
  await expect(submit(store, mapOnly('/out/below'))).rejects.toMatchObject({ code: 'EBUSY', message: expect.stringContaining(job) })
})

test('splits that no job takes over are forgotten some time after their last page, and at once when the namenode starts', async () => {
  const first = await open()
  await send(first.store, 0, [split(1)])
  first.bench.clock.pass(limits.splitsKeptMs - 1000)
  await send(first.store, 1, [split(2)])
  first.bench.clock.pass(limits.splitsKeptMs - 1000)
  await first.store.tidy()
  expect(rows(first.bench)).toMatchObject({ sent: 1, pages: 2 })
  first.bench.clock.pass(2000)
  await first.store.tidy()
  expect(rows(first.bench)).toMatchObject({ sent: 0, pages: 0 })
  await expect(submit(first.store, over3())).rejects.toMatchObject({
    code: 'ESTALE',
    message: expect.stringContaining('submit the job again'),
  })
  await send(first.store, 0, [split(1)])
  const { bench, store } = await open(first.bench)
  await store.tidy()
  expect(rows(bench)).toMatchObject({ sent: 0, pages: 0 })
})

test('the splits of one job are bounded, whichever way they come', async () => {
  const { bench } = await open()
  const store = new JournalJobStore({ journal: bench.journal, clock: bench.clock, splitsBytesMax: 800 })
  const large = 'x'.repeat(100)
  for (let page = 0; page < 8; page++) await send(store, page, [large])
  const tooLarge = { code: 'TOO_LARGE', message: expect.stringContaining('several jobs') }
  await expect(send(store, 8, ['x'])).rejects.toMatchObject(tooLarge)
  await expect(submit(store, over3({ pages: 8, tasks: 8 }))).rejects.toMatchObject(tooLarge)
  expect(rows(bench)).toMatchObject({ sent: 1, pages: 8 })
  const many = splitsId('many-uploads')
  const wide = new JournalJobStore({ journal: bench.journal, clock: bench.clock })
  await send(wide, 0, Array.from({ length: limits.stageTasksMax }, () => '0.0.'), { id: many })
  await expect(send(wide, 1, ['0.0.'], { id: many })).rejects.toMatchObject({ code: 'TOO_LARGE' })
  const inline = (splits: string[]): JobSpec => {
    const spec = over3()
    const [stage] = spec.stages
    return { ...spec, stages: [{ ...stage!, input: { kind: 'packed', splits, options: { format: 'lines' } } }] }
  }
  const half = 'x'.repeat(limits.splitsBodyBytesMax / 2)
  expect(() => checkSpec(inline([half, half]))).not.toThrow()
  expect(() => checkSpec(inline([half, half, 'x']))).toThrow(
    expect.objectContaining({ code: 'TOO_LARGE', message: expect.stringContaining('job.splits') }),
  )
})

test('pages that are refused leave nothing behind, and a page that is written keeps the others from being forgotten', async () => {
  const { bench, store } = await open()
  for (let n = 0; n < 20; n++)
    await expect(send(store, 1, [split(1)], { id: splitsId(`refused-${n}`) })).rejects.toMatchObject({ code: 'ESTALE' })
  expect(store.uploads.size).toBe(0)
  await send(store, 0, [split(1)])
  const { bytes } = store.uploads.get(id)!
  expect(store.uploads.get(id)).toMatchObject({ user: 'ann', bytes: split(1).length })
  // A page from another user changes nothing, and does not prolong its life.
  bench.clock.pass(limits.splitsKeptMs - 1000)
  await expect(send(store, 1, [split(2)], { user: 'bob' })).rejects.toMatchObject({ code: 'EACCES' })
  expect([...store.uploads].map(([which, { user, bytes: own }]) => [which, user, own])).toEqual([[id, 'ann', bytes]])
  bench.clock.pass(2000)
  const [, sending] = await Promise.allSettled([store.tidy(), send(store, 1, [split(2)])])
  expect(sending).toMatchObject({ status: 'rejected', reason: { code: 'ESTALE' } })
  expect([rows(bench).sent, store.uploads.size]).toEqual([0, 0])
  await send(store, 0, [split(1)])
  bench.clock.pass(limits.splitsKeptMs)
  const page = send(store, 1, [split(2)])
  await store.tidy()
  await page
  expect([rows(bench).sent, rows(bench).pages, store.uploads.size]).toEqual([1, 2, 1])
  await submit(store, over3())
  expect(store.uploads.size).toBe(0)
})
