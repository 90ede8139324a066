// Usage below directories with a quota: files that grow or shrink, and a directory that takes over the quota of another.

import { expect, test } from 'vitest'
import { Draft } from '../../../../namenode/journal/draft.ts'
import { childKey } from '../../../../namenode/journal/keys.ts'
import { mkdir, setAttributes } from '../../../../namenode/namespace/names.ts'
import { stat } from '../../../../namenode/namespace/read.ts'
import { entryAt, rootId } from '../../../../namenode/namespace/resolve.ts'
import { inheritUsage, recount, toCount, usageAt, type Usage } from '../../../../namenode/quotas/usage.ts'
import { setQuota } from '../../../../namenode/quotas/mutations.ts'
import { limitUsage, openBench, root, writeFile, type Bench } from '../kit.ts'

const usageOf = ({ journal: { view } }: Bench, path: string): Usage | undefined => usageAt(view, stat(view, root, path).id)

test('the usage follows the length and the replication of each file below, and a change beyond the bound changes nothing', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/q/d', parents: true })
  await writeFile(bench, '/q/d/f')
  await limitUsage(bench, '/q', { bytes: 60 })
  const used = () => usageOf(bench, '/q')!.used
  expect(used()).toEqual({ names: 2, bytes: 10 })
  await bench.do(setAttributes, { path: '/q/d/f', replication: 3 })
  expect(used()).toEqual({ names: 2, bytes: 30 })
  await writeFile(bench, '/q/d/f', 5, 1)
  expect(used()).toEqual({ names: 2, bytes: 50 })
  await expect(bench.do(setAttributes, { path: '/q/d/f', replication: 2 })).rejects.toMatchObject({ code: 'EDQUOT' })
  expect([used(), stat(bench.journal.view, root, '/q/d/f').replication]).toEqual([{ names: 2, bytes: 50 }, 1])
  await writeFile(bench, '/q/d/f', 0)
  expect(used()).toEqual({ names: 2, bytes: 0 })
})

test('a change of mode, or of a file to what it is already, writes no usage', async () => {
  const bench = await openBench()
  await writeFile(bench, '/q/f')
  await limitUsage(bench, '/q', { names: 5, bytes: 60 })
  const draft = new Draft(bench.journal.view)
  const written = (change: { mode?: number; replication?: number }): string[] => {
    draft.reset()
    setAttributes.mutate(draft, { path: '/q/f', nowMs: 0, ...change, ...root })
    return draft.edits.map(({ table }) => table)
  }
  expect(written({ mode: 0o600, replication: 1 })).not.toContain('quotas')
  expect(written({ replication: 2 })).toContain('quotas')
})

test('a directory that replaces one with a quota has that quota and what is in it as usage, and ends a count that runs', async () => {
  const bench = await openBench()
  for (const path of ['/plain', '/counted', '/counting']) await bench.do(mkdir, { path })
  await writeFile(bench, '/new/f', 2, 3)
  const { view } = bench.journal
  const to = entryAt(view, root, '/new')
  const draft = new Draft(view)
  const inherit = (path: string): boolean => inheritUsage(draft, { from: entryAt(view, root, path).id, to, path })
  expect([inherit('/plain'), draft.edits]).toEqual([false, []])
  await limitUsage(bench, '/counted', { names: 5, bytes: 70 })
  await bench.do(setQuota, { path: '/counting', names: 7 })
  // Other directories have quotas, this one has none: no count has ended.
  draft.reset()
  expect([inherit('/plain'), draft.edits, draft.moved]).toEqual([false, [], false])
  for (const [path, limit, ended] of [['/counted', { names: 5, bytes: 70 }, false], ['/counting', { names: 7 }, true]] as const) {
    draft.reset()
    expect(inherit(path)).toBe(ended)
    expect(usageAt(draft, to.id)).toEqual({ limit, used: { names: 1, bytes: 60 }, known: true })
    expect(usageAt(draft, stat(view, root, path).id)).toBeUndefined()
    expect([draft.counters.quotas, draft.counters.snapshots, [...toCount(draft)].length]).toEqual([2, ended ? 0 : 1, ended ? 0 : 1])
  }
  await limitUsage(bench, '/counted', { bytes: 59 })
  draft.reset()
  expect(() => inherit('/counted')).toThrow(
    expect.objectContaining({ code: 'EDQUOT', message: expect.stringMatching(/^\/counted may have 59 B in it/) }),
  )
  expect(draft.edits).toEqual([])
})

test('up to 50,000 entries come below a quota in one operation; one more is refused, with that number', async () => {
  const bench = await openBench()
  for (const path of ['/q', '/heap']) await bench.do(mkdir, { path })
  await writeFile(bench, '/f')
  await limitUsage(bench, '/q', { bytes: 1_000_000 })
  const { view } = bench.journal
  const [q, heap] = [entryAt(view, root, '/q'), entryAt(view, root, '/heap')]
  const value = view.get('children', childKey(rootId, 'f'))!
  /** State in which the heap has so many files, all alike. */
  const draftOf = (count: number): Draft => new Draft({
    counters: view.counters, memo: view.memo,
    get: (table, key) => view.get(table, key),
    * range(table, bounds) {
      if (table !== 'children' || !bounds.start?.equals(childKey(heap.id, ''))) return yield* view.range(table, bounds)
      for (let n = 0; n < count; n++) yield { key: childKey(heap.id, `f${n}`), value }
    },
  })
  const fits = draftOf(49_999)
  recount(fits, rootId, q.id, heap)
  expect(usageAt(fits, q.id)!.used).toEqual({ names: 50_000, bytes: 499_990 })
  fits.reset()
  inheritUsage(fits, { from: q.id, to: heap, path: '/q' })
  expect(usageAt(fits, heap.id)!.used).toEqual({ names: 49_999, bytes: 499_990 })
  const over = draftOf(50_000)
  const refused = (path: string) => expect.objectContaining({
    code: 'EINVAL', details: { path }, message: expect.stringContaining('more than 50000 files and directories'),
  })
  expect(() => recount(over, rootId, q.id, heap)).toThrow(refused('/q'))
  expect(() => inheritUsage(over, { from: q.id, to: heap, path: '/q' })).toThrow(refused('/q'))
  expect(over.edits).toEqual([])
})
