// Cost of one message at its largest allowed input, counted in reads, comparisons and text; no test here looks at a clock. Pauses of the
// event loop are measured by `npm run bench -- pauses`.

import { expect, test, vi } from 'vitest'
import { Draft } from '../../../namenode/journal/draft.ts'
import { childKey } from '../../../namenode/journal/keys.ts'
import type { Row } from '../../../namenode/journal/view.ts'
import { mkdir, touch } from '../../../namenode/namespace/names.ts'
import { list, stat } from '../../../namenode/namespace/read.ts'
import { checkFree } from '../../../namenode/namespace/reserved.ts'
import { quotaRoutes } from '../../../namenode/quotas/routes.ts'
import { counting } from '../../../namenode/quotas/counter.ts'
import { setQuota } from '../../../namenode/quotas/mutations.ts'
import { snapshotRoutes } from '../../../namenode/snapshots/routes.ts'
import { createSnapshot } from '../../../namenode/snapshots/mutations.ts'
import { trashRoutes } from '../../../namenode/trash/routes.ts'
import { discard } from '../../../namenode/trash/mutations.ts'
import { create } from '../../../namenode/writing/mutations.ts'
import { limits } from '../../../src/base/limits.ts'
import type { Message, ReplyOf } from '../../../src/protocol/message.ts'
import * as quota from '../../../src/protocol/quota.ts'
import * as snapshot from '../../../src/protocol/snapshot.ts'
import * as trash from '../../../src/protocol/trash.ts'
import type { Route } from '../../../src/rpc/serve.ts'
import { ManualClock } from '../../kit/manual-clock.ts'
import { openBench, root, type Bench } from './kit.ts'

const deep = (levels: number, name = 'x'): string => `/${name}`.repeat(levels)

/** Number of reads of values, over all tables, during the work. */
async function readsOf(bench: Bench, work: () => Promise<unknown>): Promise<number> {
  const table = Object.getPrototypeOf(bench.store.table('children')) as { get(key: Uint8Array): Buffer | undefined }
  const reads = vi.spyOn(table, 'get')
  try {
    await work()
    return reads.mock.calls.length
  } finally {
    reads.mockRestore()
  }
}

test('a path with as many levels as are allowed is made with some reads for each, not with a walk for each', async () => {
  const bench = await openBench()
  const levels = limits.pathDepthMax
  expect(await readsOf(bench, () => bench.do(mkdir, { path: deep(levels), parents: true }))).toBeLessThan(5 * levels)
  expect(
    await readsOf(bench, () => bench.do(create, { path: deep(levels, 'y'), parents: true, replication: 1, blockBytes: 4096 })),
  ).toBeLessThan(8 * levels)
  expect(stat(bench.journal.view, root, deep(levels)).type).toBe('directory')
})

test('below a directory with a quota it is charged once', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/q' })
  await bench.do(setQuota, { path: '/q', names: 500 })
  await counting({ journal: bench.journal, clock: bench.clock, frozen: () => false, stopped: () => false, removed() {} }).work()
  expect(await readsOf(bench, () => bench.do(mkdir, { path: `/q${deep(400)}`, parents: true }))).toBeLessThan(5 * 400)
  await expect(bench.do(mkdir, { path: `/q${deep(101, 'z')}`, parents: true })).rejects.toMatchObject({ code: 'EDQUOT' })
  await bench.do(mkdir, { path: `/q${deep(100, 'z')}`, parents: true })
})

test('below many directories with quotas each of these is looked at once, and its path is found for a refusal only', async () => {
  const bench = await openBench()
  const levels = 100
  await bench.do(mkdir, { path: deep(levels), parents: true })
  for (let i = 1; i <= levels; i++) await bench.do(setQuota, { path: deep(i), names: 300 })
  await counting({ journal: bench.journal, clock: bench.clock, frozen: () => false, stopped: () => false, removed() {} }).work()
  expect(await readsOf(bench, () => bench.do(mkdir, { path: `${deep(levels)}/y` }))).toBeLessThan(8 * levels)
  await expect(bench.do(mkdir, { path: deep(levels) + deep(300, 'z'), parents: true })).rejects.toMatchObject({
    code: 'EDQUOT',
    message: expect.stringContaining(deep(1)) as string,
  })
})

test('a path with more levels is refused before the journal, by every message that would create it', () => {
  expect(() => checkFree(deep(limits.pathDepthMax))).not.toThrow()
  expect(() => checkFree(deep(limits.pathDepthMax + 1))).toThrow(
    expect.objectContaining({ code: 'ENAMETOOLONG', message: expect.stringContaining('1001 levels') as string }),
  )
})

test('an operation with many edits finds each of them without looking at all', () => {
  const base = { get: () => undefined, * range(): Iterable<Row> {}, counters: {}, memo: { clear() {} } } as never
  const draft = new Draft(base)
  const count = 2_000
  const equals = vi.spyOn(Buffer.prototype, 'equals')
  try {
    for (let i = 0; i < count; i++) {
      draft.put('children', childKey(1, `name ${i}`), Buffer.from(String(i)))
      draft.put('files', childKey(1, `name ${i}`), Buffer.from(`file ${i}`))
      if (i % 3 === 0) draft.remove('children', childKey(1, `name ${i}`))
      if (i % 5 === 0) draft.put('children', childKey(1, `name ${i}`), Buffer.from(`again ${i}`))
      const found = draft.get('children', childKey(1, `name ${i}`))?.toString()
      expect(found).toBe(i % 5 === 0 ? `again ${i}` : i % 3 === 0 ? undefined : String(i))
    }
    expect(equals.mock.calls.length).toBeLessThan(10 * count)
  } finally {
    equals.mockRestore()
  }
  for (let i = 0; i < count; i++) expect(draft.get('files', childKey(1, `name ${i}`))?.toString()).toBe(`file ${i}`)
  const names = [...draft.range('children', {})].map(({ value }) => value.toString())
  expect(names).toHaveLength(Array.from({ length: count }, (_, i) => i).filter(i => i % 5 === 0 || i % 3 !== 0).length)
  draft.reset()
  expect([...draft.range('children', {})]).toEqual([])
  expect(draft.get('children', childKey(1, 'name 1'))).toBeUndefined()
})

const long = `/${Array.from({ length: 20 }, (_, i) => String(i).padEnd(255, 'n')).join('/')}`

function ask<M extends Message>(routes: readonly Route[], message: M, request: object): Promise<ReplyOf<M>> {
  const { handler } = routes.find(each => each.message.name === message.name)!
  return Promise.resolve(handler(request as never, { user: 'grace' } as never)) as Promise<ReplyOf<M>>
}

test('a page of a directory ends early where its paths are long, and the pages together are all of it', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: long, parents: true })
  const names = Array.from({ length: 250 }, (_, i) => String(i).padStart(250, '0'))
  await Promise.all(names.map(name => bench.do(touch, { path: `${long}/${name}`, replication: 1, blockBytes: 4096 })))
  const found: string[] = []
  for (let after: string | undefined, pages = 0; ; pages++) {
    const { entries, next } = list(bench.journal.view, root, { path: long, after })
    expect(entries.reduce((sum, { path }) => sum + path.length, 0)).toBeLessThan(limits.pageTextMax + 10_000)
    found.push(...entries.map(({ path }) => path.slice(long.length + 1)))
    after = next
    if (after === undefined) {
      expect(pages).toBeGreaterThan(0)
      break
    }
  }
  expect(found).toEqual(names)
})

test('so does a page of the trash', async () => {
  const bench = await openBench()
  const routes = trashRoutes({
    journal: bench.journal as never, clock: bench.clock, actor: () => root, keepMs: 1e9, frozen: () => false, removed() {},
  })
  await bench.do(mkdir, { path: long, parents: true })
  const count = 250
  const numbers = Array.from({ length: count }, (_, i) => i)
  await Promise.all(numbers.map(i => bench.do(touch, { path: `${long}/${i}`, replication: 1, blockBytes: 4096 })))
  await Promise.all(numbers.map(i => bench.do(discard, { path: `${long}/${i}` })))
  const found: string[] = []
  let pages = 0
  for (let after: string | undefined; ;) {
    const { items, next } = await ask(routes, trash.list, after === undefined ? {} : { after })
    expect(items.reduce((sum, { from, path }) => sum + from.length + path.length, 0)).toBeLessThan(limits.pageTextMax + 20_000)
    found.push(...items.map(({ from }) => from.slice(long.length + 1)))
    pages++
    after = next
    if (after === undefined) break
  }
  expect(pages).toBeGreaterThan(1)
  expect(found).toEqual(numbers.map(i => String(count - 1 - i)))
})

test('pages of all quotas and of all snapshots end after so many levels of directories, and together are all of them', async () => {
  const bench = await openBench()
  const options = { journal: bench.journal as never, clock: new ManualClock(), actor: () => root }
  const depth = 600
  const paths = Array.from({ length: 22 }, (_, i) => `/${i}${deep(depth)}`)
  for (const path of paths) {
    await bench.do(mkdir, { path, parents: true })
    await bench.do(setQuota, { path, names: 10 })
  }
  for (const path of paths.slice(0, 16)) await bench.do(createSnapshot, { path, name: 'one' })
  const quotas: string[] = []
  let pages = 0
  for (let after: number | undefined; ; pages++) {
    const page = await ask(quotaRoutes(options), quota.list, after === undefined ? {} : { after })
    expect(page.quotas.length).toBeLessThanOrEqual(limits.pageLevelsMax / depth + 1)
    quotas.push(...page.quotas.map(({ path }) => path))
    after = page.next
    if (after === undefined) break
  }
  expect([pages > 0, quotas.sort()]).toEqual([true, [...paths].sort()])
  const routes = snapshotRoutes({ ...options, removed() {} })
  const snapshots: string[] = []
  for (let after: string | undefined; ;) {
    const page = await ask(routes, snapshot.list, after === undefined ? {} : { after })
    snapshots.push(...page.snapshots.map(({ path }) => path))
    after = page.next
    if (after === undefined) break
  }
  expect(snapshots.sort()).toEqual(paths.slice(0, 16).sort())
  // 16 chains of 601 and the root are 9,617 directories: one more chain is too many, one more snapshot of one of them is not.
  expect(() => ask(routes, snapshot.create, { requestId: 'c:1', path: paths[20]!, name: 'two' })).toThrow(
    expect.objectContaining({ code: 'EINVAL', message: expect.stringContaining('further up') as string }),
  )
  await ask(routes, snapshot.create, { requestId: 'c:2', path: paths[3]!, name: 'two' })
})
