// Joining of files on a namenode's state in memory: their blocks become one file's in one operation, and nothing is joined that a snapshot,
// a writer, a right or a bound keeps. Counters and replay agree after each story.

import { expect, test } from 'vitest'
import { setAttributes, mkdir } from '../../../../namenode/namespace/names.ts'
import { blocksOf } from '../../../../namenode/namespace/file.ts'
import { list, stat } from '../../../../namenode/namespace/read.ts'
import { createSnapshot, removeSnapshot } from '../../../../namenode/snapshots/mutations.ts'
import { concat } from '../../../../namenode/writing/concat.ts'
import { complete, create } from '../../../../namenode/writing/mutations.ts'
import { put } from '../../../../namenode/writing/put.ts'
import { setAttribute } from '../../../../namenode/xattrs/mutations.ts'
import { attributesOf } from '../../../../namenode/xattrs/rows.ts'
import { requestId } from '../../../../src/base/ids.ts'
import { contentOf } from '../../../../src/file/small.ts'
import { as, differencesIn, file, limitUsage, openBench, replayed, root, sweepAll, type Bench } from '../kit.ts'

const at = ({ journal }: Bench, path: string) => stat(journal.view, root, path)
const blocksAt = (bench: Bench, path: string): number[] =>
  [...blocksOf(bench.journal.view, at(bench, path).id)].flatMap(chunk => chunk.map(({ id }) => Number(id)))

/** A file of so many blocks of 10 bytes. */
async function written(bench: Bench, path: string, blocks: number, more: object = {}): Promise<void> {
  const made = await bench.do(create, { ...file(path), blocks, ...more })
  await bench.do(complete, { lease: made.lease, blocks: made.blocks.map(id => ({ id, length: 10, crc: id, aligned: true })) })
}

const joining = (bench: Bench, path: string, sources: readonly string[], more: object = {}) => bench.do(concat, {
  path, id: at(bench, path).id, sources: sources.map(each => ({ path: each, id: at(bench, each).id })), ...more,
})
const refusal = (work: Promise<unknown>): Promise<string> => work.then(() => 'ok', (error: { code: string }) => error.code)

async function sound(bench: Bench): Promise<void> {
  expect(differencesIn(bench)).toEqual([])
  await sweepAll(bench)
  expect(differencesIn(bench)).toEqual([])
  await replayed(bench)
}

test('the blocks of files become those of the first, in order, with its attributes; a repeat gets the first answer', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/d' })
  await limitUsage(bench, '/d', { bytes: 400 })
  for (const [path, blocks] of [['/d/a', 2], ['/d/b', 1], ['/d/c', 3]] as const) await written(bench, path, blocks)
  await bench.do(setAttribute, { path: '/d/a', name: 'user.k', value: 'dg==' })
  await bench.do(setAttribute, { path: '/d/c', name: 'user.k', value: 'dg==' })
  const wanted = ['/d/a', '/d/c', '/d/b'].flatMap(path => blocksAt(bench, path))
  const before = at(bench, '/d/a')
  const asked = { requestId: requestId('c:1'), nowMs: bench.clock.now() }
  const ids = { id: before.id, sources: ['/d/c', '/d/b'].map(path => ({ path, id: at(bench, path).id })) }
  const status = await bench.do(concat, { path: '/d/a', ...ids, ...asked })
  expect(status).toMatchObject({ length: 60, blocks: 6, owner: before.owner, mode: before.mode, blockBytes: before.blockBytes })
  expect([status.id === before.id, blocksAt(bench, '/d/a')]).toEqual([false, wanted])
  expect(await bench.do(concat, { path: '/d/a', ...ids, ...asked })).toEqual(status)
  expect(list(bench.journal.view, root, { path: '/d' }).entries.map(({ path }) => path)).toEqual(['/d/a'])
  expect([...attributesOf(bench.journal.view, status.id)].map(({ name }) => name)).toEqual(['user.k'])
  expect([bench.journal.view.counters.files, bench.journal.view.counters.blocks, bench.journal.view.counters.attributes]).toEqual([1, 6, 1])
  await sound(bench)
})

test('what a snapshot or a writer has, what is inlined, named twice, replaced, wider, missing or not the caller\'s is refused', async () => {
  const bench = await openBench()
  for (const path of ['/d', '/kept']) await bench.do(mkdir, { path })
  for (const path of ['/d/a', '/d/b', '/kept/k']) await written(bench, path, 1)
  await written(bench, '/d/wide', 1, { blockBytes: file('/').blockBytes * 2 })
  await bench.do(put, { path: '/d/small', content: contentOf(Buffer.from('rye')), replication: 1, blockBytes: file('/').blockBytes })
  await bench.do(createSnapshot, { path: '/kept', name: 's' })
  await written(bench, '/kept/later', 1)
  const refused = (sources: readonly string[], more: object = {}) => refusal(joining(bench, '/d/a', sources, more))
  expect(await refused(['/d/b', '/d/b'])).toBe('EINVAL')
  expect(await refused(['/d/a'])).toBe('EINVAL')
  expect(await refused(['/d/wide'])).toBe('EINVAL')
  expect(await refused(['/d/small'])).toBe('EINVAL')
  expect(await refused(['/d'])).toBe('EISDIR')
  expect(await refused(['/kept/k'])).toBe('EBUSY')
  expect(await refusal(joining(bench, '/kept/k', ['/d/b']))).toBe('EBUSY')
  expect(await refused(['/d/b'], as('ada'))).toBe('EACCES')
  expect(await refused(['/d/b'], { id: at(bench, '/d/b').id })).toBe('ESTALE')
  expect(await refused([], { sources: [{ path: '/d/none', id: 1 }] })).toBe('ENOENT')
  await bench.do(create, { ...file('/d/b'), overwrite: true })
  expect(await refused(['/d/b'])).toBe('EBUSY')
  await bench.do(setAttributes, { path: '/d', mode: 0o777 })
  expect(await refused(['/kept/later'], as('ada'))).toBe('EACCES')
  expect([at(bench, '/d/a').length, at(bench, '/d/b').length]).toEqual([10, 10])
  // A file that is newer than the snapshot, and one whose snapshot is gone.
  expect(await refused(['/kept/later'])).toBe('ok')
  await bench.do(removeSnapshot, { path: '/kept', name: 's' })
  await sweepAll(bench)
  expect(await refused(['/kept/k'])).toBe('ok')
  expect(at(bench, '/d/a').length).toBe(30)
  await sound(bench)
})

test('as in HDFS, the target asks for permission to write it alone, and a source for permission to read and to remove it', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/d' })
  for (const path of ['/d/a', '/d/b', '/d/c']) await written(bench, path, 1)
  await bench.do(setAttributes, { path: '/d/a', mode: 0o602 })
  await bench.do(setAttributes, { path: '/d/b', mode: 0o604 })
  await bench.do(setAttributes, { path: '/d/c', mode: 0o602 })
  const asAda = (path: string, source: string) => refusal(joining(bench, path, [source], as('ada')))
  // Its directory is the superuser's.
  expect(await asAda('/d/a', '/d/b')).toBe('EACCES')
  await bench.do(setAttributes, { path: '/d', mode: 0o1777 })
  expect(await asAda('/d/a', '/d/b')).toBe('EACCES')
  await bench.do(setAttributes, { path: '/d', mode: 0o777 })
  expect(await asAda('/d/a', '/d/c')).toBe('EACCES')
  expect(await asAda('/d/b', '/d/a')).toBe('EACCES')
  expect(await asAda('/d/a', '/d/b')).toBe('ok')
  expect(at(bench, '/d/a')).toMatchObject({ length: 20, owner: at(bench, '/d').owner, mode: 0o602 })
  // In a directory in which only the superuser may write, a file takes what lies elsewhere.
  await bench.do(mkdir, { path: '/own' })
  await written(bench, '/own/log', 1)
  await bench.do(setAttributes, { path: '/own/log', mode: 0o602 })
  await bench.do(setAttributes, { path: '/d/c', mode: 0o604 })
  expect(await asAda('/own/log', '/d/c')).toBe('ok')
  await sound(bench)
})
