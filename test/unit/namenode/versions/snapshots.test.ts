// Versions in snapshots of a directory above their output: they are read as they were, whatever is freed, removed or rolled back later, and
// end with the last snapshot that sees them.

import { beforeEach, expect, test } from 'vitest'
import { mkdir, remove } from '../../../../namenode/namespace/names.ts'
import { list, stat } from '../../../../namenode/namespace/read.ts'
import { setQuota } from '../../../../namenode/quotas/mutations.ts'
import { createSnapshot, removeSnapshot } from '../../../../namenode/snapshots/mutations.ts'
import { expire, keepNewest, rollback, setTag } from '../../../../namenode/versions/mutations.ts'
import { ann, published, type Opened } from '../jobs/publish/publishkit.ts'
import { mapOnly, open, write } from '../jobs/store/storekit.ts'
import { countUsage, differencesIn, replayed, root, sweepAll } from '../kit.ts'

const out = '/d/out'
let opened: Opened

/** Two versions of /d/out, which ann may replace. */
beforeEach(async () => {
  opened = await open(undefined, { versions: 10 })
  await opened.bench.do(mkdir, { path: '/d', mode: 0o777 })
  for (const overwrite of [false, true]) await published(opened, mapOnly(out, overwrite))
})

const ids = (path: string): number[] => list(opened.bench.journal.view, root, { path }).entries.map(({ id }) => id)
const snapshot = (name: string) => opened.bench.do(createSnapshot, { path: '/d', name })
const forget = (name: string) => opened.bench.do(removeSnapshot, { path: '/d', name })
const back = (to: string) => opened.bench.do(rollback, { path: out, to, keep: 10, replacedMs: 0, ...ann })
const keep = (count: number) => opened.bench.do(keepNewest, { path: out, keep: count, ...ann })
const isMissing = (path: string): void =>
  expect(() => stat(opened.bench.journal.view, root, path), path).toThrow(expect.objectContaining({ code: 'ENOENT' }))

/** Nothing is left of snapshots, and of versions nothing but directories with `blocks` files. */
async function settled(versions: number, blocks = versions * 2): Promise<void> {
  await sweepAll(opened.bench)
  expect(opened.bench.journal.view.counters).toMatchObject({
    versions, snapshots: 0, history: 0, marks: 0, doomed: 0, blocks,
  })
  expect(differencesIn(opened.bench)).toEqual([])
  await replayed(opened.bench)
}

test('a snapshot reads versions that were freed since, the head of then among them, by number and by tag', async () => {
  await opened.bench.do(setTag, { path: out, version: '1', tag: 'good', ...ann })
  const [one, two] = [ids(`${out}@1`), ids(out)]
  await snapshot('s')
  await published(opened, mapOnly(out, true))
  await opened.bench.do(setTag, { path: out, version: '1', ...ann })
  await opened.bench.do(setTag, { path: out, version: '2', tag: 'bad', ...ann })
  await opened.bench.do(setTag, { path: out, version: '2', ...ann })
  expect(await keep(0)).toEqual({ freed: 2, more: false })
  await sweepAll(opened.bench)
  for (const [path, files] of [['out', two], ['out@1', one], ['out@2', two]] as const)
    expect(ids(`/d/.snapshot/s/${path}`), path).toEqual(files)
  expect(stat(opened.bench.journal.view, root, '/d/.snapshot/s/out').version).toBe(2)
  for (const path of [`${out}@1`, `${out}@2`, '/d/.snapshot/s/out@3']) isMissing(path)
  // A later snapshot does not see them.
  await snapshot('later')
  for (const number of [1, 2]) isMissing(`/d/.snapshot/later/out@${number}`)
  await forget('s')
  await sweepAll(opened.bench)
  expect(opened.bench.journal.view.counters).toMatchObject({ versions: 1, blocks: 2 })
  await forget('later')
  await settled(1)
})

test('a snapshot reads versions that share a directory since a rollback, also if one of them was freed', async () => {
  const one = ids(`${out}@1`)
  await snapshot('before')
  await back('1')
  await write(opened.bench, `${out}/added`)
  // Only the view of version 1 has part-1 now.
  await opened.bench.do(remove, { path: `${out}/part-1`, ...ann })
  const three = ids(out)
  await snapshot('after')
  await keep(0)
  await snapshot('late')
  await opened.bench.do(remove, { path: `${out}/part-0`, ...ann })
  await sweepAll(opened.bench)
  expect(ids('/d/.snapshot/after/out@1')).toEqual(one)
  expect(ids('/d/.snapshot/after/out@3')).toEqual(three)
  expect(ids('/d/.snapshot/before/out@1')).toEqual(one)
  // The number was given after the snapshot.
  isMissing('/d/.snapshot/before/out@3')
  for (const path of [`${out}@1`, '/d/.snapshot/late/out@1', '/d/.snapshot/late/out@2']) isMissing(path)
  await forget('before')
  await forget('late')
  await sweepAll(opened.bench)
  expect(ids('/d/.snapshot/after/out@1')).toEqual(one)
  expect(differencesIn(opened.bench)).toEqual([])
  await forget('after')
  // Removed parts are held by no view any more.
  await settled(1, 1)
})

test('a snapshot that is older than the view of a version reads its directory as of the snapshot', async () => {
  await back('1')
  await snapshot('s')
  const three = ids(out)
  await write(opened.bench, `${out}/added`)
  await back('2')
  await back('3')
  expect(ids(`${out}@3`)).toHaveLength(4)
  expect(ids('/d/.snapshot/s/out@3')).toEqual(three)
  expect(ids('/d/.snapshot/s/out')).toEqual(three)
})

test('a snapshot reads versions of an output that was removed for good, also after their time', async () => {
  const [one, two] = [ids(`${out}@1`), ids(out)]
  await snapshot('s')
  await opened.bench.do(remove, { path: out, recursive: true, ...ann })
  expect(await opened.bench.journal.submit(expire, { beforeMs: Number.MAX_SAFE_INTEGER })).toBe(false)
  await sweepAll(opened.bench)
  expect(opened.bench.journal.view.counters.expiries).toBe(0)
  expect(ids('/d/.snapshot/s/out@1')).toEqual(one)
  expect(ids('/d/.snapshot/s/out')).toEqual(two)
  expect(differencesIn(opened.bench)).toEqual([])
  await forget('s')
  await settled(0)
})

test('the count of a quota holds what is freed meanwhile until its end, and no record', async () => {
  await opened.bench.do(setQuota, { path: '/d', names: 100 })
  await keep(0)
  await sweepAll(opened.bench)
  expect(opened.bench.journal.view.counters).toMatchObject({ versions: 1, doomed: 0, blocks: 4 })
  await countUsage(opened.bench)
  await settled(1)
})
