// Reads in snapshots: permissions, pages, and the rest of quotas and attributes of removed files.

import { expect, test } from 'vitest'
import { setAcl } from '../../../../namenode/namespace/acls.ts'
import { find } from '../../../../namenode/namespace/asof.ts'
import { mkdir, remove, rename, setAttributes, touch } from '../../../../namenode/namespace/names.ts'
import { list, stat, summary } from '../../../../namenode/namespace/read.ts'
import { sweep } from '../../../../namenode/namespace/sweep.ts'
import { usageAt } from '../../../../namenode/quotas/usage.ts'
import { counting } from '../../../../namenode/quotas/counter.ts'
import { counted, setQuota } from '../../../../namenode/quotas/mutations.ts'
import { hasStale, sweepHistory } from '../../../../namenode/snapshots/historysweep.ts'
import { createSnapshot, removeSnapshot } from '../../../../namenode/snapshots/mutations.ts'
import { snapshotRoutes } from '../../../../namenode/snapshots/routes.ts'
import { quotaRoutes } from '../../../../namenode/quotas/routes.ts'
import { purging, trashRoutes } from '../../../../namenode/trash/routes.ts'
import { discard, purge, restore } from '../../../../namenode/trash/mutations.ts'
import { aclText, wholeAcl } from '../../../../src/base/acl.ts'
import { limits } from '../../../../src/base/limits.ts'
import type { Route } from '../../../../src/rpc/serve.ts'
import { setAttribute } from '../../../../namenode/xattrs/mutations.ts'
import { as, differencesIn, file, openBench, replayed, root } from '../kit.ts'

const ann = as('ann')
const bob = as('bob')
const denied = expect.objectContaining({ code: 'EACCES' })
const call = (routes: readonly Route[], name: string, request: object, user: string): Promise<unknown> =>
  Promise.resolve().then(() =>
    (routes.find(each => each.message.name === name)!.handler as unknown as (request: object, context: object) => unknown)(request, {
      user,
    }),
  )
const actor = (user: string) => (user === 'grace' ? root : as(user))

test('a snapshot is read with the permissions of then, by those who may search its directory now', async () => {
  const bench = await openBench()
  const { view } = bench.journal
  await bench.do(mkdir, { path: '/d/shut', parents: true, ...ann })
  await bench.do(touch, file('/d/shut/f', ann))
  await bench.do(setAttributes, { path: '/d/shut', mode: 0o700, ...ann })
  await bench.do(createSnapshot, { path: '/d', name: 's', ...ann })
  await bench.do(setAttributes, { path: '/d/shut', mode: 0o755, ...ann })
  expect(stat(view, bob, '/d/shut/f').path).toBe('/d/shut/f')
  expect(() => stat(view, bob, '/d/.snapshot/s/shut/f')).toThrow(denied)
  expect(() => list(view, bob, { path: '/d/.snapshot/s/shut' })).toThrow(denied)
  expect(stat(view, ann, '/d/.snapshot/s/shut/f').path).toBe('/d/.snapshot/s/shut/f')
  await bench.do(setAttributes, { path: '/d', mode: 0o600, ...ann })
  expect(() => stat(view, bob, '/d/.snapshot/s')).toThrow(denied)
})

test('the directory of a snapshot has the mode, owner and list of its time, by its path and in the list', async () => {
  const bench = await openBench()
  const { view } = bench.journal
  const top = (name: string) => {
    const path = `/d/.snapshot/${name}`
    const { mode, owner, acl, mtimeMs } = stat(view, root, path)
    expect(list(view, root, { path: '/d/.snapshot' }).entries.find(entry => entry.path === path)).toEqual(stat(view, root, path))
    return [mode.toString(8), owner, acl ? wholeAcl(mode, find(view, root, path).entry.acl).map(aclText).join(',') : '', mtimeMs]
  }
  await bench.do(mkdir, { path: '/d', mode: 0o750, ...ann })
  await bench.do(touch, file('/d/f', ann))
  await bench.do(createSnapshot, { path: '/d', name: 'former', nowMs: 1000, ...ann })
  await bench.do(createSnapshot, { path: '/d', name: 'shut', keepsEntry: true, nowMs: 2000, ...ann })
  await bench.do(setAcl, { path: '/d', kind: 'modify', entries: ['user:bob:r-x'], ...ann })
  await bench.do(createSnapshot, { path: '/d', name: 'listed', keepsEntry: true, nowMs: 3000, ...ann })
  await bench.do(setAcl, { path: '/d', kind: 'clear', ...ann })
  await bench.do(setAttributes, { path: '/d', mode: 0o755, owner: 'eve' })
  expect([top('shut'), top('listed'), top('former')]).toEqual([
    ['750', 'ann', '', 2000], ['750', 'ann', 'user::rwx,user:bob:r-x,group::r-x,mask::r-x,other::---', 3000],
    // An operation of earlier versions has not kept it.
    ['755', 'eve', '', 1000],
  ])
  // Rights are those of then, below too, and those of now on the way to the directory.
  expect(() => list(view, bob, { path: '/d/.snapshot/shut' })).toThrow(denied)
  expect(() => stat(view, bob, '/d/.snapshot/shut/f')).toThrow(denied)
  for (const name of ['listed', 'former']) expect(list(view, bob, { path: `/d/.snapshot/${name}` }).entries).toHaveLength(1)
  await bench.do(setAttributes, { path: '/d', mode: 0o700 })
  expect(() => stat(view, bob, '/d/.snapshot/listed/f')).toThrow(denied)
  expect(differencesIn(bench)).toEqual([])
  await replayed(bench)
})

test('the snapshots of a directory are listed in pages, none twice', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/d' })
  for (const name of ['b', 'a', 'c']) await bench.do(createSnapshot, { path: '/d', name })
  const names: string[] = []
  for (let after: string | undefined, page; ; after = page.next) {
    page = list(bench.journal.view, root, { path: '/d/.snapshot', after, limit: 1 })
    names.push(...page.entries.map(entry => entry.path))
    if (page.next === undefined) break
  }
  expect(names).toEqual(['/d/.snapshot/a', '/d/.snapshot/b', '/d/.snapshot/c'])
})

test('a listing ends where its page is full, and says so only if there is more', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/d' })
  for (const name of ['a', 'b', 'c']) await bench.do(touch, file(`/d/${name}`))
  const page = (limit: number, after?: string) => list(bench.journal.view, root, { path: '/d', limit, after })
  expect(page(2)).toMatchObject({ entries: [{ path: '/d/a' }, { path: '/d/b' }], next: 'b' })
  expect(page(2, 'b')).toMatchObject({ entries: [{ path: '/d/c' }] })
  expect([page(3).next, page(2, 'b').next]).toEqual([undefined, undefined])
})

test('totals leave out what is in directories that the caller may not read or not search', async () => {
  const bench = await openBench()
  const world = { yield: async () => {}, signal: new AbortController().signal }
  for (const [name, mode] of [['open', 0o755], ['unread', 0o711], ['unsearched', 0o744]] as const) {
    await bench.do(mkdir, { path: `/d/${name}`, parents: true, ...ann })
    await bench.do(touch, file(`/d/${name}/f`, ann))
    await bench.do(setAttributes, { path: `/d/${name}`, mode, ...ann })
  }
  expect(await summary(bench.journal.view, bob, '/d', world)).toMatchObject({ files: 1, directories: 4 })
  expect(await summary(bench.journal.view, ann, '/d', world)).toMatchObject({ files: 3, directories: 4 })
})

test('a removed directory takes its quota and its attributes along', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/d/q', parents: true })
  await bench.do(touch, file('/d/q/f'))
  for (const path of ['/d/q', '/d/q/f']) await bench.do(setAttribute, { path, name: 'user.x', value: '' })
  await bench.do(setQuota, { path: '/d/q', names: 5 })
  await bench.do(remove, { path: '/d', recursive: true })
  for (let more = true; more;) ({ more } = await bench.journal.submit(sweep, { limit: 1 }))
  expect(bench.journal.view.counters).toMatchObject({ quotas: 0, attributes: 0, snapshots: 0, files: 0, doomed: 0 })
})

test('a move within a quota leaves its usage unchanged, and a move between nested quotas counts once', async () => {
  const bench = await openBench()
  for (const path of ['/q/a', '/q/b']) await bench.do(mkdir, { path, parents: true })
  await bench.do(mkdir, { path: '/q/a/x' })
  await bench.do(touch, file('/q/a/x/f'))
  for (const path of ['/q', '/q/b']) await bench.do(setQuota, { path, names: 10 })
  await counting({ journal: bench.journal, clock: bench.clock, frozen: () => false, stopped: () => false, removed: () => {} }).work()
  const used = (path: string): number => usageAt(bench.journal.view, stat(bench.journal.view, root, path).id)!.used.names
  await bench.do(rename, { from: '/q/a/x', to: '/q/x' })
  expect([used('/q'), used('/q/b')]).toEqual([4, 0])
  await bench.do(rename, { from: '/q/x', to: '/q/b/x' })
  expect([used('/q'), used('/q/b')]).toEqual([4, 2])
  await bench.do(rename, { from: '/q/b/x', to: '/q/b/y' })
  expect([used('/q'), used('/q/b')]).toEqual([4, 2])
  await bench.do(rename, { from: '/q/b/y', to: '/y' })
  expect([used('/q'), used('/q/b')]).toEqual([2, 0])
})

test('quotas and snapshots are set by the superuser and the owner, and shown to users who may read', async () => {
  const bench = await openBench()
  const { journal, clock } = bench
  await bench.do(mkdir, { path: '/d', mode: 0o711, ...ann })
  await bench.do(setQuota, { path: '/d', names: 5 })
  const quotas = quotaRoutes({ journal, clock, actor })
  const snapshots = snapshotRoutes({ journal, clock, actor, removed: () => {} })
  await expect(call(quotas, 'quota.get', { path: '/d' }, 'bob')).rejects.toMatchObject({ code: 'EACCES' })
  expect(await call(quotas, 'quota.get', { path: '/d' }, 'ann')).toMatchObject({ quota: { limit: { names: 5 } } })
  await expect(call(quotas, 'quota.list', {}, 'ann')).rejects.toMatchObject({ code: 'EACCES' })
  await expect(call(quotas, 'quota.set', { requestId: 'x:1', path: '/d', names: 6 }, 'ann')).rejects.toMatchObject({ code: 'EACCES' })
  await expect(call(snapshots, 'snapshot.create', { requestId: 'x:2', path: '/d', name: 's' }, 'bob')).rejects.toMatchObject({
    code: 'EACCES',
  })
  await call(snapshots, 'snapshot.create', { requestId: 'x:3', path: '/d', name: 's' }, 'ann')
  await expect(call(snapshots, 'snapshot.create', { requestId: 'x:4', path: '/d', name: 's' }, 'ann')).rejects.toMatchObject({
    code: 'EEXIST',
  })
  await expect(call(snapshots, 'snapshot.remove', { requestId: 'x:5', path: '/d', name: 's' }, 'bob')).rejects.toMatchObject({
    code: 'EACCES',
  })
  await expect(call(snapshots, 'snapshot.list', { path: '/d' }, 'bob')).rejects.toMatchObject({ code: 'EACCES' })
  await expect(call(snapshots, 'snapshot.list', {}, 'ann')).rejects.toMatchObject({ code: 'EACCES' })
  await bench.do(createSnapshot, { path: '/d', name: 't' })
  // Internal snapshots of a count are shown to no user.
  expect(await call(snapshots, 'snapshot.list', {}, 'grace')).toEqual({
    snapshots: [expect.objectContaining({ path: '/d', name: 's' }), expect.objectContaining({ name: 't' })],
  })
  const [first] = [...journal.view.range('snapshots', {})]
    .filter(({ value }) => value.includes('s'))
    .map(({ key }) => `${key.readUIntBE(2, 6)}:${key.readUIntBE(10, 6)}`)
  const rest = await call(snapshots, 'snapshot.list', { after: first }, 'grace') as { snapshots: Array<{ name: string }> }
  expect(rest.snapshots.map(each => each.name)).not.toContain('s')
  for (let n = 2; n < limits.snapshotsMax; n++) await bench.do(createSnapshot, { path: '/d', name: `n${n}` })
  await expect(bench.do(createSnapshot, { path: '/d', name: 'over' })).rejects.toMatchObject({ code: 'EINVAL' })
  await bench.do(removeSnapshot, { path: '/d', name: 'n2' })
  await bench.do(createSnapshot, { path: '/d', name: 'fits' })
})

test('a listing of all snapshots goes on behind a page that ends with a count', async () => {
  const bench = await openBench()
  const { journal, clock } = bench
  const routes = snapshotRoutes({ journal, clock, actor, removed: () => {} })
  for (const path of ['/a', '/b']) await bench.do(mkdir, { path })
  // Each directory's internal snapshot of a count precedes its snapshots: with that of /b the first page is full.
  for (let n = 0; n < 998; n++) await bench.do(createSnapshot, { path: '/a', name: `n${n}` })
  await bench.do(createSnapshot, { path: '/b', name: 'last' })
  const found: string[] = []
  for (let after: string | undefined, more = true; more;) {
    const page = (await call(routes, 'snapshot.list', after === undefined ? {} : { after }, 'grace')) as {
      snapshots: Array<{ name: string }>
      next?: string
    }
    found.push(...page.snapshots.map(({ name }) => name))
    after = page.next
    more = after !== undefined
  }
  expect([found.length, found.at(-1)]).toEqual([999, 'last'])
})

test('the trash belongs to its user: no other user sees, restores or empties it, and items of others are not purged with it', async () => {
  const bench = await openBench()
  const { journal, clock } = bench
  const items: Record<string, string> = {}
  for (const user of ['ann', 'bob']) {
    await bench.do(touch, file(`/${user}`, as(user)))
    items[user] = await bench.do(discard, { path: `/${user}`, nowMs: 1000, ...as(user) })
  }
  const routes = trashRoutes({ journal, clock, actor, keepMs: 1, frozen: () => false, removed: () => {} })
  const seen = async (user: string, all?: boolean) =>
    ((await call(routes, 'trash.list', { all }, user)) as { items: Array<{ from: string }> }).items.map(each => each.from)
  expect([await seen('ann'), await seen('bob'), await seen('grace')]).toEqual([['/ann'], ['/bob'], []])
  expect((await seen('grace', true)).sort()).toEqual(['/ann', '/bob'])
  await expect(seen('ann', true)).rejects.toMatchObject({ code: 'EACCES' })
  await expect(bench.do(restore, { item: items['ann']!, to: '/mine', ...bob })).rejects.toMatchObject({
    code: 'EACCES',
    message: expect.stringContaining('in the trash of ann'),
  })
  expect(stat(journal.view, root, `/.gristmill/trash/ann`).mode).toBe(0o700)
  // To the millisecond: items removed at exactly that moment stay.
  expect(await journal.submit(purge, { beforeMs: 1000, limit: 10 })).toEqual({ removed: 0 })
  expect(await journal.submit(purge, { owner: 'bob', beforeMs: 1001, limit: 10 })).toEqual({ removed: 1 })
  expect([await seen('ann'), await seen('bob')]).toEqual([['/ann'], []])
  expect(await bench.do(restore, { item: items['ann']!, ...root })).toBe('/ann')
  expect(list(journal.view, root, { path: '/.gristmill/trash/ann' }).entries).toEqual([])
})

test('history that only a removed snapshot needs is deleted, also if an earlier removal is still being swept', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/d' })
  const change = async (n: number) => { for (let i = 0; i < 6; i++) await bench.do(touch, { ...file(`/d/f${i}`), mtimeMs: n }) }
  await change(1)
  await bench.do(createSnapshot, { path: '/d', name: 's' })
  await bench.do(touch, file('/d/later'))
  await bench.do(createSnapshot, { path: '/d', name: 't' })
  await change(2)
  await bench.do(touch, { ...file('/d/later'), mtimeMs: 2 })
  expect(bench.journal.view.counters.history).toBe(7)
  // Only the last snapshot showed the later file; the older one still shows the others.
  await bench.do(removeSnapshot, { path: '/d', name: 't' })
  while (hasStale(bench.journal.view)) await bench.journal.submit(sweepHistory, { limit: 2 })
  expect(bench.journal.view.counters.history).toBe(6)
  await bench.do(createSnapshot, { path: '/d', name: 'u' })
  await change(3)
  await bench.do(removeSnapshot, { path: '/d', name: 'u' })
  await bench.journal.submit(sweepHistory, { limit: 4 })
  await bench.do(removeSnapshot, { path: '/d', name: 's' })
  for (let i = 0; hasStale(bench.journal.view); i++) {
    expect(i).toBeLessThan(100)
    await bench.journal.submit(sweepHistory, { limit: 4 })
  }
  expect(bench.journal.view.counters).toMatchObject({ history: 0, snapshots: 0 })
})

test('a count that is not asked for any more changes nothing, and a cluster that is held purges nothing', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/q' })
  await bench.do(setQuota, { path: '/q', names: 10 })
  const { id } = stat(bench.journal.view, root, '/q')
  const { seq } = usageAt(bench.journal.view, id)!.counting!
  await bench.journal.submit(counted, { directory: id, seq: seq + 1, names: 5, bytes: 5 })
  expect(usageAt(bench.journal.view, id)!.known).toBe(false)
  await bench.do(touch, file('/f'))
  await bench.do(discard, { path: '/f', nowMs: 0 })
  let held = true
  const chore = purging({ journal: bench.journal, clock: bench.clock, actor, keepMs: 1, frozen: () => held, removed: () => {} })
  await chore.work()
  expect([...bench.journal.view.range('trash', {})]).toHaveLength(1)
  held = false
  await chore.work()
  expect([...bench.journal.view.range('trash', {})]).toHaveLength(0)
})
