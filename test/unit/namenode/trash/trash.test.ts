// Trash: removed files can be restored until they are purged; only their owner sees them.

import { expect, test } from 'vitest'
import { list, stat } from '../../../../namenode/namespace/read.ts'
import { mkdir, remove, rename, touch } from '../../../../namenode/namespace/names.ts'
import { sweep } from '../../../../namenode/namespace/sweep.ts'
import { contentOf, itemAt, items, keyOfItem } from '../../../../namenode/trash/items.ts'
import { discard, purge, restore } from '../../../../namenode/trash/mutations.ts'
import { purging, trashRoutes, type TrashOptions } from '../../../../namenode/trash/routes.ts'
import type { Route } from '../../../../src/rpc/serve.ts'
import { complete, create } from '../../../../namenode/writing/mutations.ts'
import { blockId } from '../../../../src/base/ids.ts'
import { requestId } from '../../../../src/base/ids.ts'
import { as, type Bench, file, openBench, replayed, root } from '../kit.ts'

const alice = as('alice')
const bob = as('bob')
const paths = (bench: Bench, path: string): string[] => list(bench.journal.view, root, { path }).entries.map(entry => entry.path)

test('a removed directory comes back with all that is in it, to where it was', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/a/b/c', parents: true, ...alice })
  await bench.do(touch, file('/a/b/c/f', alice))
  await expect(bench.do(discard, { path: '/a/b', ...alice })).rejects.toMatchObject({ code: 'ENOTEMPTY' })
  const item = await bench.do(discard, { path: '/a/b', recursive: true, ...alice })
  expect(paths(bench, '/a')).toEqual([])
  const at = `/.gristmill/trash/alice/${item}/b`
  expect(stat(bench.journal.view, alice, `${at}/c/f`)).toMatchObject({ type: 'file' })
  expect(() => stat(bench.journal.view, bob, at)).toThrow(expect.objectContaining({ code: 'EACCES' }))
  // Its parent directory was removed meanwhile.
  await bench.do(remove, { path: '/a', ...alice })
  await expect(bench.do(restore, { item, ...bob })).rejects.toMatchObject({ code: 'EACCES' })
  expect(await bench.do(restore, { item, ...alice })).toBe('/a/b')
  expect(paths(bench, '/a/b/c')).toEqual(['/a/b/c/f'])
  await expect(bench.do(restore, { item, ...alice })).rejects.toMatchObject({ code: 'ENOENT' })
  expect(paths(bench, '/.gristmill/trash/alice')).toEqual([])
  expect(bench.journal.view.counters).toMatchObject({ files: 1 })
  await replayed(bench)
})

test('a restored item does not replace an existing path, unless a file may replace a file', async () => {
  const bench = await openBench()
  await bench.do(touch, file('/f'))
  const first = await bench.do(discard, { path: '/f' })
  await bench.do(touch, file('/f'))
  const second = await bench.do(discard, { path: '/f' })
  expect(second).not.toBe(first)
  await bench.do(touch, file('/f'))
  await expect(bench.do(restore, { item: first })).rejects.toMatchObject({ code: 'EEXIST' })
  expect(await bench.do(restore, { item: first, to: '/g/h' })).toBe('/g/h')
  expect(await bench.do(restore, { item: second, overwrite: true })).toBe('/f')
  expect(paths(bench, '/')).toEqual(['/f', '/g'])
  await expect(bench.do(restore, { item: 'nonsense' })).rejects.toMatchObject({ code: 'ENOENT' })
  await replayed(bench)
})

test('a user who may not remove a file may not move it to the trash', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/home', ...alice })
  await bench.do(touch, file('/home/f', alice))
  await bench.do(touch, file('/own', alice))
  for (const path of ['/home/f', '/own', '/home'])
    await expect(bench.do(discard, { path, recursive: true, ...bob })).rejects.toMatchObject({ code: 'EACCES' })
  await expect(bench.do(discard, { path: '/none' })).rejects.toMatchObject({ code: 'ENOENT' })
  await expect(bench.do(discard, { path: '/' })).rejects.toMatchObject({ code: 'EINVAL' })
})

test('purging removes old items, of one user or of all, a page at a time, and reports their blocks', async () => {
  const bench = await openBench()
  const { lease, blocks } = await bench.do(create, { path: '/data', replication: 1, blockBytes: 4096, blocks: 1 })
  await bench.do(complete, { lease, blocks: [{ id: blocks[0]!, length: 9, crc: 1, aligned: false }] })
  await bench.do(discard, { path: '/data', nowMs: 1000 })
  for (let i = 0; i < 5; i++) {
    await bench.do(touch, file(`/f${i}`, alice))
    await bench.do(discard, { path: `/f${i}`, ...alice, nowMs: 2000 + i })
  }
  expect(await bench.journal.submit(purge, { beforeMs: 1000, limit: 100 })).toEqual({ removed: 0 })
  const page = await bench.journal.submit(purge, { owner: 'alice', beforeMs: 2004, limit: 3 })
  expect(page.removed).toBe(2)
  expect(await bench.journal.submit(purge, { owner: 'alice', beforeMs: 2004, limit: 3, from: page.next })).toEqual({ removed: 2 })
  expect([...items(bench.journal.view, {})].map(item => item.from)).toEqual(['/data', '/f4'])
  await bench.journal.submit(purge, { beforeMs: 5000, limit: 100 })
  expect((await bench.journal.submit(sweep, { limit: 1000 })).blocks).toEqual([blockId(1)])
  expect(bench.journal.view.counters).toMatchObject({ files: 0, blocks: 0, doomed: 0 })
  await replayed(bench)
})

test('a file that its user moved out of the trash by hand is no item, and is not purged', async () => {
  const bench = await openBench()
  for (const name of ['a', 'b', 'c']) await bench.do(touch, file(`/${name}`, alice))
  const [a, b, c] = [
    await bench.do(discard, { path: '/a', ...alice }), await bench.do(discard, { path: '/b', ...alice }),
    await bench.do(discard, { path: '/c', ...alice }),
  ]
  await bench.do(rename, { from: `/.gristmill/trash/alice/${a}/a`, to: '/kept', ...alice })
  await bench.do(rename, { from: `/.gristmill/trash/alice/${b}`, to: '/kept-too', ...alice })
  await bench.do(remove, { path: `/.gristmill/trash/alice/${c}`, recursive: true, ...alice })
  for (const item of [a, b, c]) await expect(bench.do(restore, { item, ...alice })).rejects.toMatchObject({ code: 'ENOENT' })
  expect(await bench.journal.submit(purge, { beforeMs: 1e15, limit: 100 })).toEqual({ removed: 0 })
  expect(paths(bench, '/')).toEqual(['/kept', '/kept-too'])
  expect(paths(bench, '/kept-too')).toEqual(['/kept-too/b'])
  expect([...items(bench.journal.view, {})]).toEqual([])
})

test('names of items are keys, and users with odd names have a trash too', async () => {
  const bench = await openBench()
  for (const user of ['..', 'a/b', 'ü'.repeat(200), '.hidden']) {
    const actor = { user, root: true }
    await bench.do(touch, file('/f', actor))
    const name = await bench.do(discard, { path: '/f', ...actor })
    const item = itemAt(bench.journal.view, name)!
    expect(item).toMatchObject({ user, from: '/f', name })
    expect(item.key).toEqual(keyOfItem(name))
    expect(contentOf(bench.journal.view, item)?.entry).toBeDefined()
    expect(await bench.do(restore, { item: name, ...actor })).toBe('/f')
    await bench.do(remove, { path: '/f' })
  }
})

test('a discard that is asked for again has one effect and the same answer', async () => {
  const bench = await openBench()
  await bench.do(touch, file('/f'))
  const operation = { path: '/f', requestId: requestId('c:1') }
  const first = await bench.do(discard, operation)
  await bench.do(touch, file('/f'))
  expect(await bench.do(discard, operation)).toBe(first)
  expect(paths(bench, '/')).toEqual(['/f'])
})

const routesOf = (
  bench: Bench, keepMs: number, removed = (): void => {},
): { options: TrashOptions; call: (path: string, request: object, user: string) => Promise<never> } => {
  const options: TrashOptions = {
    journal: bench.journal, clock: bench.clock, actor: user => ({ user, root: user === 'grace' }), keepMs, frozen: () => false, removed,
  }
  const routes = trashRoutes(options)
  return {
    options,
    call: async (path, request, user) =>
      (routes.find(one => one.message.path === path) as Route).handler(request as never, { user } as never) as Promise<never>,
  }
}

test('time empties the trash, whatever the wall clock says', async () => {
  const bench = await openBench()
  let told = 0
  const { options } = routesOf(bench, 10_000, () => told++)
  const chore = purging(options)
  await bench.do(touch, file('/f'))
  await bench.do(discard, { path: '/f', nowMs: bench.journal.nowMs() })
  bench.clock.wallMs += 1e10
  await chore.work()
  bench.clock.pass(9_999)
  await chore.work()
  expect([told, [...items(bench.journal.view, {})].length]).toEqual([0, 1])
  bench.clock.pass(1)
  await chore.work()
  expect([told, [...items(bench.journal.view, {})].length]).toEqual([1, 0])
})

test('users see and empty their own trash; the superuser sees them all', async () => {
  const bench = await openBench()
  const { call } = routesOf(bench, 1e9)
  for (const user of ['alice', 'bob']) {
    await bench.do(touch, file(`/${user}`, as(user)))
    await bench.do(discard, { path: `/${user}`, ...as(user), nowMs: bench.journal.nowMs() })
  }
  const seen = async (user: string, all: boolean): Promise<string[]> =>
    ((await call('/v1/trash/list', { all }, user)) as { items: { from: string }[] }).items.map(item => item.from)
  expect(await seen('alice', false)).toEqual(['/alice'])
  expect(await seen('grace', false)).toEqual([])
  expect(await seen('grace', true)).toEqual(['/bob', '/alice'])
  await expect(seen('bob', true)).rejects.toMatchObject({ code: 'EACCES' })
  expect(await call('/v1/trash/empty', { requestId: 'x:1', olderThanMs: 60_000 }, 'bob')).toMatchObject({ removed: 0 })
  expect(await call('/v1/trash/empty', { requestId: 'x:2' }, 'bob')).toMatchObject({ removed: 1 })
  expect(await seen('grace', true)).toEqual(['/alice'])
  const { items: [item] } = await call('/v1/trash/list', {}, 'alice') as { items: { item: string }[] }
  await expect(call('/v1/trash/restore', { requestId: 'x:3', item: item!.item, to: '/d/.snapshot/x' }, 'alice')).rejects.toMatchObject({
    code: 'EROFS',
  })
})
