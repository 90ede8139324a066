// Files that are open in an output while a job replaces it, or a rollback does: none of them gets into an older version.

import { expect, test } from 'vitest'
import { list, stat } from '../../../../namenode/namespace/read.ts'
import { keepNewest, rollback } from '../../../../namenode/versions/mutations.ts'
import { abandon, complete, create } from '../../../../namenode/writing/mutations.ts'
import type { LeaseId } from '../../../../src/base/ids.ts'
import { ann, published, type Opened } from '../jobs/publish/publishkit.ts'
import { mapOnly, names, open } from '../jobs/store/storekit.ts'
import { differencesIn, replayed, root, sweepAll } from '../kit.ts'

const back = (to: string) => ({ path: '/out', to, keep: 10, replacedMs: 0, ...ann })
const parts = (path: string): string[] => ['_SUCCESS', 'part-0', 'part-1'].map(name => `${path}/${name}`)
const ids = ({ bench }: Opened, path: string): number[] => list(bench.journal.view, root, { path }).entries.map(({ id }) => id)

/** Opens a file; returns the end of its write. */
async function opening({ bench }: Opened, path: string, more: { overwrite?: boolean; parents?: boolean } = {}) {
  const { lease, blocks } = await bench.do(create, { path, replication: 1, blockBytes: 4096, blocks: 1, ...more, ...ann })
  const end = () => bench.do(complete, { lease, blocks: [{ id: blocks[0]!, length: 5, crc: 1, aligned: true }], ...ann })
  return { lease, end }
}

const refused = (name: string, now: string) => ({
  code: 'ENOENT',
  message: `the directory of ${name} was replaced while it was written (it is ${now} now, and a version never changes); nothing was stored`,
})

async function settled(opened: Opened): Promise<void> {
  await sweepAll(opened.bench)
  expect(differencesIn(opened.bench)).toEqual([])
  await replayed(opened.bench)
}

const abandoned = ({ bench }: Opened, lease: LeaseId) => bench.do(abandon, { lease, ...ann })

test('a file that was open in an output when a job replaced it is refused, new or not, and the version is as it was', async () => {
  const opened = await open(undefined, { versions: 10 })
  const { bench } = opened
  await published(opened, mapOnly('/out'))
  const before = ids(opened, '/out')
  const fresh = await opening(opened, '/out/slow')
  const replacing = await opening(opened, '/out/part-0', { overwrite: true })
  await published(opened, mapOnly('/out', true))
  await expect(fresh.end()).rejects.toMatchObject(refused('slow', '/out@1'))
  await expect(replacing.end()).rejects.toMatchObject(refused('part-0', '/out@1'))
  expect(ids(opened, '/out@1')).toEqual(before)
  expect(names(bench, '/out')).toEqual(parts('/out'))
  // The writers give up, or are silent for too long: their blocks belong to no file.
  expect((await abandoned(opened, fresh.lease)).unused).toHaveLength(1)
  await abandoned(opened, replacing.lease)
  expect(bench.journal.view.counters).toMatchObject({ leases: 0, blocks: 4 })
  await settled(opened)
})

test('a file that was open in an output when it was rolled back is refused, until a rollback returns to its directory', async () => {
  const opened = await open(undefined, { versions: 10 })
  for (const overwrite of [false, true]) await published(opened, mapOnly('/out', overwrite))
  const before = ids(opened, '/out')
  const { end } = await opening(opened, '/out/slow')
  await opened.bench.do(rollback, back('1'))
  await expect(end()).rejects.toMatchObject(refused('slow', '/out@2'))
  await opened.bench.do(rollback, back('2'))
  expect((await end()).status.path).toBe('/out/slow')
  // Version 2 is the same directory as the head, as it was before.
  expect(ids(opened, '/out@2')).toEqual(before)
  expect(names(opened.bench, '/out')).toEqual([...parts('/out'), '/out/slow'])
  await settled(opened)
})

test('a file in a directory of a replaced output is refused; a directory whose name looks like a version takes it', async () => {
  const opened = await open(undefined, { versions: 10 })
  const { bench } = opened
  await published(opened, mapOnly('/out'))
  const inside = await opening(opened, '/out/sub/slow', { parents: true })
  const named = await opening(opened, '/copy@1/slow', { parents: true })
  await published(opened, mapOnly('/out', true, { force: true }))
  await expect(inside.end()).rejects.toMatchObject(refused('slow', '/out@1/sub'))
  expect(names(bench, '/out@1/sub')).toEqual([])
  expect((await named.end()).status.path).toBe('/copy@1/slow')
  expect(stat(bench.journal.view, root, '/copy@1/slow').length).toBe(5)
  await abandoned(opened, inside.lease)
  await settled(opened)
})

test('a file whose directory was freed as a version is refused, and abandoning it leaves nothing', async () => {
  const opened = await open(undefined, { versions: 10 })
  const { bench } = opened
  await published(opened, mapOnly('/out'))
  const { lease, end } = await opening(opened, '/out/slow')
  await published(opened, mapOnly('/out', true))
  await bench.do(keepNewest, { path: '/out', keep: 0, ...ann })
  await expect(end()).rejects.toMatchObject({ code: 'ENOENT', message: expect.stringContaining('has been removed while it was written') })
  await abandoned(opened, lease)
  await settled(opened)
  expect(bench.journal.view.counters).toMatchObject({ leases: 0, blocks: 2, doomed: 0 })
})
