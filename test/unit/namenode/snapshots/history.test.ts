// History of names: which of several old values a snapshot shows, to the operation, and names that are kept after their removal.

import { expect, test } from 'vitest'
import { historyKey, nameOfHistory, endOfHistory } from '../../../../namenode/snapshots/history.ts'
import { mkdir, remove, rename, touch } from '../../../../namenode/namespace/names.ts'
import { list, stat } from '../../../../namenode/namespace/read.ts'
import { createSnapshot, removeSnapshot } from '../../../../namenode/snapshots/mutations.ts'
import { file, openBench, replayed, root, sweepAll, type Bench } from '../kit.ts'

const change = (bench: Bench, path: string, mtimeMs: number) => bench.do(touch, { ...file(path), mtimeMs })
const timeOf = ({ journal: { view } }: Bench, path: string): number => stat(view, root, path).mtimeMs
const listed = ({ journal: { view } }: Bench, path: string): string[] => list(view, root, { path }).entries.map(entry => entry.path)

test('each snapshot shows the value that a name had when it was taken, though it changed just before and just after', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/d' })
  await change(bench, '/d/f', 1)
  const snapshots = ['a', 'b', 'c', 'd']
  for (const [i, name] of snapshots.entries()) {
    await bench.do(createSnapshot, { path: '/d', name })
    await change(bench, '/d/f', i + 2)
  }
  expect(snapshots.map(name => timeOf(bench, `/d/.snapshot/${name}/f`))).toEqual([1, 2, 3, 4])
  const listedTimes = snapshots.map(name =>
    list(bench.journal.view, root, { path: `/d/.snapshot/${name}` }).entries.map(entry => [entry.path, entry.mtimeMs]))
  expect(listedTimes).toEqual(snapshots.map((name, i) => [[`/d/.snapshot/${name}/f`, i + 1]]))
  expect(timeOf(bench, '/d/f')).toBe(5)
  // The same with a removal and a new file of the name between two snapshots.
  await bench.do(remove, { path: '/d/f' })
  await bench.do(createSnapshot, { path: '/d', name: 'without' })
  await change(bench, '/d/f', 9)
  await bench.do(createSnapshot, { path: '/d', name: 'again' })
  expect(() => stat(bench.journal.view, root, '/d/.snapshot/without/f')).toThrow(expect.objectContaining({ code: 'ENOENT' }))
  expect(listed(bench, '/d/.snapshot/without')).toEqual([])
  expect([timeOf(bench, '/d/.snapshot/d/f'), timeOf(bench, '/d/.snapshot/again/f')]).toEqual([4, 9])
  await replayed(bench)
})

test('removed names come back from the history as they were, with any characters, and in their order', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/d' })
  const names = ['a', 'a\u0001', 'a b', 'é', '水', '🌾', 'z'.repeat(255)]
  for (const name of names) {
    await bench.do(touch, file(`/d/${name}`))
    const key = historyKey(7, name, 2 ** 40 + 3)
    expect([nameOfHistory(key), endOfHistory(key)]).toEqual([name, 2 ** 40 + 3])
  }
  const before = listed(bench, '/d')
  expect(before).toHaveLength(names.length)
  await bench.do(createSnapshot, { path: '/d', name: 's' })
  for (const name of names) await bench.do(remove, { path: `/d/${name}` })
  await sweepAll(bench)
  expect(listed(bench, '/d/.snapshot/s')).toEqual(before.map(path => path.replace('/d/', '/d/.snapshot/s/')))
})

test('a snapshot goes on to see what is in a directory that was moved away, and nothing is kept once the snapshot is removed', async () => {
  const bench = await openBench()
  for (const path of ['/a/x', '/b', '/c']) await bench.do(mkdir, { path, parents: true })
  await change(bench, '/a/x/f', 1)
  await bench.do(createSnapshot, { path: '/a', name: 's' })
  await bench.do(createSnapshot, { path: '/b', name: 's' })
  await bench.do(rename, { from: '/a/x', to: '/b/x' })
  await change(bench, '/b/x/f', 2)
  await bench.do(createSnapshot, { path: '/b', name: 't' })
  await bench.do(rename, { from: '/b/x', to: '/c/x' })
  await change(bench, '/c/x/f', 3)
  await bench.do(remove, { path: '/c/x', recursive: true })
  await sweepAll(bench)
  const seen = () => [timeOf(bench, '/a/.snapshot/s/x/f'), timeOf(bench, '/b/.snapshot/t/x/f'), listed(bench, '/b/.snapshot/s')]
  expect(seen()).toEqual([1, 2, []])
  await bench.do(removeSnapshot, { path: '/b', name: 's' })
  await sweepAll(bench)
  expect([timeOf(bench, '/a/.snapshot/s/x/f'), timeOf(bench, '/b/.snapshot/t/x/f')]).toEqual([1, 2])
  await bench.do(removeSnapshot, { path: '/a', name: 's' })
  await sweepAll(bench)
  expect(timeOf(bench, '/b/.snapshot/t/x/f')).toBe(2)
  await bench.do(removeSnapshot, { path: '/b', name: 't' })
  await sweepAll(bench)
  expect(bench.journal.view.counters).toMatchObject({ snapshots: 0, history: 0, marks: 0, files: 0, doomed: 0 })
  await replayed(bench)
})

test('a directory of the name .snapshot, from a journal older than snapshots, is read as long as the cluster has no snapshot', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/d/.snapshot', parents: true })
  await change(bench, '/d/.snapshot/f', 1)
  expect(timeOf(bench, '/d/.snapshot/f')).toBe(1)
  expect(listed(bench, '/d/.snapshot')).toEqual(['/d/.snapshot/f'])
  await bench.do(createSnapshot, { path: '/d', name: 's' })
  expect(listed(bench, '/d/.snapshot')).toEqual(['/d/.snapshot/s'])
  expect(() => stat(bench.journal.view, root, '/d/.snapshot/f')).toThrow('/d has no snapshot "f"')
})
