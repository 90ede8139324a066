// Permission checks of namespace changes, one condition at a time: each of these is refused for one reason only.

import { expect, test } from 'vitest'
import { mkdir, remove, rename, setAttributes, touch } from '../../../../namenode/namespace/names.ts'
import { list, stat } from '../../../../namenode/namespace/read.ts'
import { discard } from '../../../../namenode/trash/mutations.ts'
import { create } from '../../../../namenode/writing/mutations.ts'
import { as, openBench, root, type Bench } from '../kit.ts'

const ann = as('ann')
const bob = as('bob')
const file = (path: string, actor = ann) => ({ path, replication: 1, blockBytes: 4096, ...actor })
const paths = (bench: Bench, path: string): string[] => list(bench.journal.view, root, { path }).entries.map(entry => entry.path)
const denied = (what: string) => ({ code: 'EACCES', message: expect.stringContaining(what) })

test('a rename needs to write to both directories', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/ann', ...ann })
  await bench.do(mkdir, { path: '/bob', ...bob })
  await bench.do(touch, file('/ann/f'))
  await expect(bench.do(rename, { from: '/ann/f', to: '/bob/f', ...ann })).rejects.toMatchObject(denied('write to /bob'))
  await expect(bench.do(rename, { from: '/ann/f', to: '/ann/g', ...bob })).rejects.toMatchObject(denied('write to /ann'))
  await bench.do(setAttributes, { path: '/bob', mode: 0o777, ...bob })
  await bench.do(rename, { from: '/ann/f', to: '/bob/f', ...ann })
  expect(paths(bench, '/bob')).toEqual(['/bob/f'])
})

test('a rename neither takes a name of another user from a sticky directory nor replaces one there', async () => {
  const bench = await openBench()
  await bench.do(touch, file('/f'))
  await bench.do(touch, file('/g', bob))
  await expect(bench.do(rename, { from: '/f', to: '/h', ...bob })).rejects.toMatchObject(denied('sticky'))
  await expect(bench.do(rename, { from: '/g', to: '/f', overwrite: true, ...bob })).rejects.toMatchObject(denied('sticky'))
  expect(paths(bench, '/')).toEqual(['/f', '/g'])
})

test('to remove a directory with what is in it takes writing to it and looking into it; an empty one takes neither', async () => {
  for (const [mode, what] of [[0o555, 'write to /d'], [0o666, 'look into /d']] as const) {
    const bench = await openBench()
    await bench.do(mkdir, { path: '/d/in', parents: true, ...ann })
    await bench.do(setAttributes, { path: '/d', mode, ...ann })
    await expect(bench.do(remove, { path: '/d', recursive: true, searched: true, ...ann })).rejects.toMatchObject(denied(what))
    await expect(bench.do(discard, { path: '/d', recursive: true, searched: true, ...ann })).rejects.toMatchObject(denied(what))
    await bench.do(remove, { path: '/d', recursive: true, ...root })
    await bench.do(mkdir, { path: '/empty', mode: 0o000, ...ann })
    await bench.do(remove, { path: '/empty', ...ann })
  }
})

test('an owner cannot give an entry to another user, or to a group other than the owner\'s; setting the present values is no change', async () => {
  const bench = await openBench()
  await bench.do(touch, file('/f'))
  const set = (change: object, actor = ann) => bench.do(setAttributes, { path: '/f', ...change, ...actor })
  await set({ owner: 'ann', group: 'grace', mode: 0o600 })
  await expect(set({ owner: 'bob' })).rejects.toMatchObject(denied('only the cluster\'s superuser'))
  await expect(set({ group: 'staff' })).rejects.toMatchObject(denied('not in the group staff'))
  await set({ group: 'ann' })
  await set({ group: 'staff' }, root)
  await set({ group: 'staff' })
  await expect(set({ mode: 0o777 }, bob)).rejects.toMatchObject(denied('may not change /f'))
  expect(stat(bench.journal.view, root, '/f')).toMatchObject({ owner: 'ann', group: 'staff', mode: 0o600 })
})

test('new names have the group of their directory, also directories that are made on the way', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/team', mode: 0o777, ...ann })
  await bench.do(setAttributes, { path: '/team', group: 'staff', ...root })
  await bench.do(mkdir, { path: '/team/a/b/c', parents: true, ...bob })
  await bench.do(touch, file('/team/a/b/c/f', bob))
  for (const path of ['/team/a', '/team/a/b', '/team/a/b/c', '/team/a/b/c/f'])
    expect(stat(bench.journal.view, root, path), path).toMatchObject({ owner: 'bob', group: 'staff' })
})

test('every directory above a path must be searchable', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/shut/open/d', parents: true, ...ann })
  await bench.do(setAttributes, { path: '/shut', mode: 0o700, ...ann })
  for (const work of [
    () => bench.do(touch, file('/shut/open/f', bob)),
    () => bench.do(mkdir, { path: '/shut/open/d/e', ...bob }),
    () => bench.do(mkdir, { path: '/shut/open/new/er', parents: true, ...bob }),
    () => bench.do(remove, { path: '/shut/open/d', ...bob }),
    () => bench.do(rename, { from: '/shut/open/d', to: '/d', ...bob }),
    () => bench.do(setAttributes, { path: '/shut/open', mode: 0o777, ...bob }),
    async () => stat(bench.journal.view, bob, '/shut/open/d'),
    async () => list(bench.journal.view, bob, { path: '/shut/open' }),
  ])
    await expect(work()).rejects.toMatchObject(denied('look into /shut'))
})

test('nothing is given to an owner or a group that a listing shows as empty or as another one', async () => {
  const bench = await openBench()
  const nowMs = bench.clock.now()
  await bench.journal.submit(touch, { path: '/f', replication: 1, blockBytes: 4096, nowMs, ...root })
  for (const name of ['', ' ', ' ann', 'a\u001b[2Kb', 'a\n'])
    for (const wanted of [{ owner: name }, { group: name }]) {
      const given = bench.journal.submit(setAttributes, { path: '/f', ...wanted, nowMs, ...root })
      await expect(given, JSON.stringify(wanted)).rejects.toMatchObject({
        code: 'EINVAL', message: expect.stringContaining('cannot be the name of an owner or a group'),
      })
    }
  await bench.journal.submit(setAttributes, { path: '/f', owner: 'Ann Lee', group: 'staff', nowMs, ...root })
})

test('a file is replaced by a writer who may write to it, and in a sticky directory by its owner alone', async () => {
  const bench = await openBench()
  const replace = (path: string) => bench.do(create, { path, overwrite: true, replication: 1, blockBytes: 4096, ...bob })
  await bench.do(mkdir, { path: '/d', mode: 0o777, ...ann })
  for (const path of ['/d/f', '/g']) await bench.do(touch, file(path))
  await expect(replace('/d/f')).rejects.toMatchObject(denied('write to /d/f'))
  await bench.do(setAttributes, { path: '/d/f', mode: 0o666, ...ann })
  await replace('/d/f')
  await bench.do(setAttributes, { path: '/g', mode: 0o666, ...ann })
  await expect(replace('/g')).rejects.toMatchObject(denied('sticky'))
})
