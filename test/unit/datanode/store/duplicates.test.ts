// Duplicate replicas: a block on two disks of one node. One of them is deleted, and never the good one.

import { cpSync, existsSync, mkdtempSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { blockId } from '../../../../src/base/ids.ts'
import { FaultyDisk } from '../../../../src/world/faulty.ts'
import { noise } from '../../src/block/kit.ts'
import { openStore, placeOf, roomyDisk, write, type Opened } from './storekit.ts'

let dir: string
beforeEach(() => { dir = mkdtempSync(join(tmpdir(), 'gristmill-doubles-')) })
afterEach(() => { rmSync(dir, { recursive: true, force: true }) })

const disks = (): [string, string] => [join(dir, 'a'), join(dir, 'b')]
const bytes = noise(1000)

/** A node with blocks 1 and 2 on both disks. */
async function doubled(disk = new FaultyDisk(roomyDisk)): Promise<Opened> {
  const [a, b] = disks()
  const { store } = await openStore([a])
  for (const id of [1, 2]) await write(store, id, bytes)
  for (const id of [1, 2]) cpSync(dirname(join(a, placeOf(id))), dirname(join(b, placeOf(id))), { recursive: true })
  return openStore([a, b], { disk, trashKeepMs: 60_000 })
}

const where = (id: number): string[] => disks().filter(disk => existsSync(join(disk, placeOf(id)))).map(disk => disk.at(-1)!)

test('a duplicate is moved to the trash when the replica was verified, and is never reported', async () => {
  const { store, added, removed, bad } = await doubled()
  expect([where(1), where(2)]).toEqual([['a', 'b'], ['a', 'b']])
  await store.tend()
  expect([where(1), where(2)]).toEqual([['a'], ['a']])
  expect([added, removed, bad]).toEqual([[], [], []])
  expect((await store.state()).map(({ blocks, trashBytes }) => [blocks, (trashBytes ?? 0) > 0])).toEqual([[2, false], [0, true]])
})

test('a damaged replica is replaced by its duplicate', async () => {
  const { store, added, bad } = await doubled()
  truncateSync(join(dir, 'a', placeOf(1)), 10)
  await store.tend()
  expect(bad).toEqual([1])
  await store.tend()
  expect(added.map(({ id, storage }) => [id, storage])).toEqual([[1, 'b']])
  expect(await store.check(blockId(1))).toBe('sound')
  expect([where(1), where(2)]).toEqual([['b'], ['a']])
})

test('a damaged duplicate is quarantined without a report, on whichever disk it is', async () => {
  const { store: first } = await doubled()
  await first.tend()
  for (const [id, disk] of [[1, 'a'], [2, 'b']] as const) {
    cpSync(dirname(join(dir, 'a', placeOf(id))), dirname(join(dir, 'b', placeOf(id))), { recursive: true })
    truncateSync(join(dir, disk, placeOf(id)), 10)
  }
  const { store, bad } = await openStore(disks(), { trashKeepMs: 60_000 })
  await store.tend()
  expect(bad).toEqual([])
  expect([await store.check(blockId(1)), await store.check(blockId(2))]).toEqual(['sound', 'sound'])
  expect([where(1), where(2)]).toEqual([['b'], ['a']])
  expect((await store.state()).map(({ quarantined }) => quarantined)).toEqual([1, 1])
})

test('when the disk of the replicas fails, their duplicates replace them', async () => {
  const { store, removed, added } = await doubled()
  rmSync(join(dir, 'a'), { recursive: true })
  await store.tend()
  expect(removed.sort()).toEqual([1, 2])
  expect(added.map(({ id, storage }) => [id, storage]).sort()).toEqual([[1, 'b'], [2, 'b']])
  expect(await store.check(blockId(2))).toBe('sound')
})

test('a removed block is removed with its duplicate, also if the disk refuses at first', async () => {
  const faulty = new FaultyDisk(roomyDisk)
  const { store, added } = await doubled(faulty)
  await store.remove([blockId(1)])
  faulty.add({ kind: 'readOnly', at: join(dir, 'b') })
  await store.tend()
  expect(where(1)).toEqual(['b'])
  faulty.heal()
  await store.tend()
  expect([where(1), where(2)]).toEqual([[], ['a']])
  expect(added).toEqual([])
})

// Once, the record of the second damaged replica replaced that of the first, whose files then stayed until the next start.
test('two damaged replicas of one block, on two disks, are both quarantined, each as soon as its disk permits', async () => {
  const faulty = new FaultyDisk(roomyDisk)
  const { store } = await doubled(faulty)
  truncateSync(join(dir, 'a', placeOf(1)), 10)
  truncateSync(join(dir, 'b', placeOf(1)), 10)
  faulty.add({ kind: 'readOnly', at: join(dir, 'a') })
  // The replica on a is found damaged, and a refuses to move it; its duplicate on b takes its place, and is damaged too.
  await store.tend()
  await store.tend()
  expect([await store.check(blockId(1)), where(1)]).toEqual(['damaged', ['a', 'b']])
  await store.acknowledged([blockId(1)], new Set())
  expect(where(1)).toEqual(['a'])
  faulty.heal()
  await store.tend()
  expect(where(1)).toEqual([])
  expect((await store.state()).map(({ quarantined }) => quarantined)).toEqual([1, 1])
})
