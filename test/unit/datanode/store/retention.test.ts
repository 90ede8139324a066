// Deleted and damaged blocks that are kept for a while: the trash, and the quarantine.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { RetentionDirectory } from '../../../../datanode/store/retention.ts'
import { blockId, blockName } from '../../../../src/base/ids.ts'
import { metaBytes } from '../../../../src/block/meta.ts'
import type { Disk } from '../../../../src/ports/disk.ts'
import { silent } from '../../../../src/ports/log.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'
import { noise } from '../../src/block/kit.ts'
import { openStore, placeOf, refusal, write } from './storekit.ts'

let dir: string
beforeEach(() => { dir = mkdtempSync(join(tmpdir(), 'gristmill-shelves-')) })
afterEach(() => { rmSync(dir, { recursive: true, force: true }) })

const inTrash = (): string[] => readdirSync(join(dir, 'trash')).filter(name => !name.endsWith('.meta')).sort()
const named = (...ids: number[]): string[] => ids.map(id => blockName(blockId(id)))
const hour = 3_600_000

/** Starts at the disk's wall time. */
class DiskClock extends ManualClock {
  override now(): number { return Date.now() + this.ms - 1000 }
}

test('a removed block leaves the index at once, stays in the trash for its time, and is then removed', async () => {
  const clock = new DiskClock()
  const { store } = await openStore([dir], { clock, trashKeepMs: hour })
  await write(store, 1, noise(1000))
  await write(store, 2, noise(1000))
  const before = (await store.state())[0]!
  await store.remove([blockId(1)])
  const after = (await store.state())[0]!
  expect([before.blocks, after.blocks, after.usedBytes]).toEqual([2, 1, before.usedBytes / 2])
  expect(after.trashBytes).toBe(before.usedBytes / 2)
  expect(readFileSync(join(dir, 'trash', named(1)[0]!)).equals(noise(1000))).toBe(true)
  clock.pass(hour - 1)
  await store.tend()
  expect(inTrash()).toEqual(named(1))
  clock.pass(1)
  await store.tend()
  expect(readdirSync(join(dir, 'trash'))).toEqual([])
  expect((await store.state())[0]).toMatchObject({ trashBytes: 0, blocks: 1 })
})

test('blocks that an earlier process put into the trash are removed when their time is over, and are not served after a restart', async () => {
  const first = await openStore([dir], { trashKeepMs: hour })
  for (const id of [1, 2]) await write(first.store, id, noise(10))
  await first.store.remove([blockId(1), blockId(2)])
  utimesSync(join(dir, 'trash', named(2)[0]!), new Date(), new Date(Date.now() - 2 * hour))
  writeFileSync(join(dir, 'trash', `${named(3)[0]}.meta`), 'alone')
  const { store } = await openStore([dir], { clock: new DiskClock(), trashKeepMs: hour })
  expect(store.blocks).toBe(0)
  expect((await store.state())[0]!.trashBytes).toBe(2 * (10 + metaBytes(10)))
  await store.tend()
  expect((await store.state())[0]!.trashBytes).toBe(10 + metaBytes(10))
  expect(inTrash()).toEqual(named(1))
})

test('the trash counts as free space for new blocks: the oldest is removed first, and no more than needed', async () => {
  const blocks: Record<string, number> = {}
  const used = (): number => Object.values(blocks).reduce((sum, bytes) => sum + bytes, 0)
  // A disk of 10,000 bytes that accounts for written and removed bytes.
  const disk: Disk = {
    ...localDisk,
    async rename(from, to) { await localDisk.rename(from, to); if (!to.endsWith('meta')) { blocks[to] = 3000; delete blocks[from] } },
    async remove(path) { delete blocks[path]; await localDisk.remove(path) },
    space: async () => ({ capacityBytes: 10_000, freeBytes: 10_000 - used() }),
  }
  const { store } = await openStore([dir], { disk, trashKeepMs: hour })
  for (const id of [1, 2, 3]) await write(store, id, noise(3000))
  await store.remove([blockId(2)])
  await store.remove([blockId(1)])
  expect((await store.state())[0]!.freeBytes).toBeGreaterThanOrEqual(7000)
  await write(store, 4, noise(3000))
  expect(inTrash()).toEqual(named(1))
  expect(store.has(blockId(3))).toBe(true)
  await expect(store.receive(blockId(5), 9000)).rejects.toMatchObject({ code: 'ENOSPC' })
  expect(inTrash()).toEqual(named(1))
})

test('a nearly full disk empties its trash even if no blocks are written', async () => {
  let free = 10_000
  const { store } = await openStore([dir], {
    disk: { ...localDisk, space: async () => ({ capacityBytes: 100_000, freeBytes: free }) },
    trashKeepMs: hour,
  })
  await write(store, 1, noise(1000))
  await store.remove([blockId(1)])
  await store.tend()
  expect(inTrash()).toEqual(named(1))
  free = 4000
  await store.tend()
  expect(inTrash()).toEqual([])
})

test('a block in the trash whose files the disk does not remove stays counted, does not hold up others, and is removed later', async () => {
  const clock = new DiskClock()
  let refused = (path: string): boolean => path.endsWith(`${named(1)[0]}.meta`)
  const disk: Disk = {
    ...localDisk,
    async remove(path) {
      if (path.includes('/trash/') && refused(path)) throw Object.assign(new Error('Read-only file system'), { code: 'EROFS' })
      await localDisk.remove(path)
    },
  }
  const { store } = await openStore([dir], { disk, clock, trashKeepMs: hour })
  for (const id of [1, 2, 3]) await write(store, id, noise(1000))
  await store.remove([blockId(1), blockId(2)])
  const { trashBytes } = (await store.state())[0]!
  clock.pass(hour)
  await store.tend()
  expect(readdirSync(join(dir, 'trash'))).toEqual([`${named(1)[0]}.meta`])
  expect((await store.state())[0]!.trashBytes).toBe(trashBytes! / 2)
  // The disk refuses everything: the round ends.
  refused = () => true
  await store.remove([blockId(3)])
  clock.pass(hour)
  await store.tend()
  expect((await store.state())[0]!.trashBytes).toBe(trashBytes)
  refused = () => false
  await store.tend()
  expect(readdirSync(join(dir, 'trash'))).toEqual([])
  expect((await store.state())[0]!.trashBytes).toBe(0)
})

test('a nearly full disk that does not remove its oldest block in the trash removes the next one', async () => {
  let free = 10_000
  const { store } = await openStore([dir], {
    disk: {
      ...localDisk, space: async () => ({ capacityBytes: 100_000, freeBytes: free }),
      async remove(path) {
        if (path.endsWith(`trash/${named(1)[0]}`)) throw Object.assign(new Error('not permitted'), { code: 'EPERM' })
        await localDisk.remove(path)
      },
    },
    trashKeepMs: hour,
  })
  for (const id of [1, 2]) await write(store, id, noise(1000))
  await store.remove([blockId(1)])
  await store.remove([blockId(2)])
  free = 4000
  await store.tend()
  expect(inTrash()).toEqual(named(1))
})

// Deletion takes time, and a copy of the same block may be ordered meanwhile. Once, the deletion removed the new file.
test('a block that comes back while it is being removed is not removed', async () => {
  let release!: () => void
  const held = new Promise<void>(resolve => { release = resolve })
  const disk: Disk = { ...localDisk, async rename(from, to) { if (to.includes('/trash/')) await held; await localDisk.rename(from, to) } }
  const { store } = await openStore([dir], { disk, trashKeepMs: hour })
  await write(store, 1, noise(1000, 1))
  await write(store, 2, noise(1000, 2))
  const removing = store.remove([blockId(1), blockId(2)])
  const writing = write(store, 2, noise(1000, 2))
  setTimeout(release, 100)
  await Promise.all([removing, writing])
  expect(await store.check(blockId(2))).toBe('sound')
  expect(inTrash()).toEqual(named(1, 2))
})

test('a good replica that arrives before the damaged one was quarantined is not quarantined in its place', async () => {
  const { store, bad } = await openStore([dir])
  await write(store, 1, noise(1000))
  truncateSync(join(dir, placeOf(1)), 500)
  expect(await store.check(blockId(1))).toBe('damaged')
  await write(store, 1, noise(1000))
  await store.acknowledged(bad, new Set())
  expect(await store.check(blockId(1))).toBe('sound')
  expect(readFileSync(join(dir, 'quarantine', named(1)[0]!)).length).toBe(500)
})

test('the quarantine keeps the newest hundred; the last replica of a block stays beside them until it is not the last any more', async () => {
  const { store } = await openStore([dir])
  for (let id = 1; id <= 105; id++) {
    await write(store, id, noise(10))
    await store.damaged(blockId(id), new Error('said so'))
    await store.acknowledged([blockId(id)], new Set(id <= 2 ? [blockId(id)] : []))
  }
  const kept = readdirSync(join(dir, 'quarantine'))
    .filter(name => /^[0-9a-f]{16}$/.test(name))
    .sort()
  expect([kept.length, kept[0]]).toEqual([100, named(6)[0]])
  expect(
    readdirSync(join(dir, 'quarantine/last'))
      .filter(name => !name.endsWith('.meta'))
      .sort(),
  ).toEqual(named(1, 2))
  expect((await store.state())[0]!.quarantined).toBe(102)
  // A later process asks about them again; of one of them a good replica exists now.
  const later = await openStore([dir])
  await later.store.remind()
  expect([...later.bad].sort()).toEqual([1, 2])
  await later.store.acknowledged(later.bad, new Set([blockId(2)]))
  expect(readdirSync(join(dir, 'quarantine/last')).filter(name => !name.endsWith('.meta'))).toEqual(named(2))
  expect(existsSync(join(dir, 'quarantine', named(1)[0]!))).toBe(true)
})

test('a last replica that its disk refuses to move stays marked as the last, and is moved the next time', async () => {
  let held = false
  const { store } = await openStore([dir], {
    disk: {
      ...localDisk,
      async rename(from, to) {
        if (held) throw refusal('EROFS')
        await localDisk.rename(from, to)
      },
    },
  })
  await write(store, 1, noise(10))
  await store.damaged(blockId(1), new Error('said so'))
  await store.acknowledged([blockId(1)], new Set([blockId(1)]))
  await write(store, 1, noise(10))
  const last = (): string[] => readdirSync(join(dir, 'quarantine/last')).filter(name => !name.endsWith('.meta'))
  held = true
  await store.remind()
  expect([last(), (await store.state())[0]!.quarantined]).toEqual([named(1), 1])
  held = false
  await store.remind()
  expect([last(), existsSync(join(dir, 'quarantine', named(1)[0]!)), (await store.state())[0]!.quarantined]).toEqual([[], true, 1])
})

test('when many blocks are removed, from the index or the trash, the event loop is yielded after every 64', async () => {
  const clock = new DiskClock()
  const turns: Array<PromiseWithResolvers<void>> = []
  let counting = false
  let moves = 0
  const disk: Disk = {
    ...localDisk,
    async rename(from, to) { if (counting && !to.endsWith('.meta')) moves++; await localDisk.rename(from, to) },
    async remove(path) { if (counting && !path.endsWith('.meta')) moves++; await localDisk.remove(path) },
  }
  const { store } = await openStore([dir], { clock, disk, trashKeepMs: hour })
  for (let id = 1; id <= 130; id++) await write(store, id, noise(10))
  clock.yield = () => { const turn = Promise.withResolvers<void>(); turns.push(turn); return turn.promise }
  counting = true
  for (const work of [
    () => store.remove(Array.from({ length: 130 }, (_, i) => blockId(i + 1))),
    () => {
      clock.pass(hour)
      return store.tend()
    },
  ]) {
    moves = 0
    turns.length = 0
    const done = work()
    for (const count of [64, 128]) {
      await expect.poll(() => turns.length, { timeout: 120_000 }).toBe(count / 64)
      expect(moves).toBe(count)
      turns.at(-1)!.resolve()
    }
    await done
    expect([moves, turns.length]).toEqual([130, 2])
  }
})

test('a block that needs the space of the trash is started when that is free, and frees no more than it needs', async () => {
  let free = 10_000
  let counting = false
  const events: string[] = []
  const disk: Disk = {
    ...localDisk,
    async remove(path) {
      if (counting && path.includes('/trash/')) {
        await new Promise(resolve => {
          setImmediate(resolve)
        })
        events.push(`remove ${path.slice(-1)}`)
      }
      await localDisk.remove(path)
    },
    async create(path, options) { if (counting) events.push(`create ${path.slice(-1)}`); return localDisk.create(path, options) },
    space: async () => ({ capacityBytes: 10_000, freeBytes: free }),
  }
  const { store } = await openStore([dir], { disk, trashKeepMs: hour })
  for (const id of [1, 2, 3]) await write(store, id, noise(1000))
  await store.remove([1, 2, 3].map(blockId))
  const each = 1000 + metaBytes(1000)
  free = 2000
  await store.state()
  counting = true
  // Fits exactly without trash; then with one trashed block; then with all.
  const begun = [await store.receive(blockId(4), 2000)]
  expect(events).toEqual(['create 4'])
  begun.push(await store.receive(blockId(5), each))
  expect(events.splice(0)).toEqual(['create 4', 'remove 1', 'remove a', 'create 5'])
  begun.push(await store.receive(blockId(6), each + 1))
  expect(events.splice(0)).toEqual(['remove 2', 'remove a', 'remove 3', 'remove a', 'create 6'])
  await expect(store.receive(blockId(7), each)).rejects.toMatchObject({ code: 'ENOSPC' })
  for (const one of begun) await one.abort()
  expect((await store.state())[0]).toMatchObject({ freeBytes: 2000, trashBytes: 0 })
})

test('a block that two callers pass to another retention directory at the same time is counted there once', async () => {
  const moved = Promise.withResolvers<void>()
  let moves = -1
  const disk: Disk = {
    ...localDisk,
    async rename(from, to) {
      // The first caller is slow between the data file and the meta file, which the second one finds.
      const move = from.endsWith('.meta') ? moves++ : -1
      if (move === 0) await moved.promise
      await localDisk.rename(from, to)
      if (move === 1) moved.resolve()
    },
  }
  const shared = { clock: new DiskClock(), log: silent, keepMs: hour }
  const [from, to] = ['from', 'to'].map(name => new RetentionDirectory({ ...shared, disk, dir: join(dir, name) })) as
    [RetentionDirectory, RetentionDirectory]
  for (const directory of [from, to]) await directory.open()
  const path = join(dir, named(1)[0]!)
  for (const suffix of ['', '.meta']) writeFileSync(path + suffix, noise(100))
  await from.take(blockId(1), path, 200)
  await Promise.all([from.pass(blockId(1), to), from.pass(blockId(1), to)])
  expect([from.count, from.bytes, to.count, to.bytes]).toEqual([0, 0, 1, 200])
  for (const directory of [from, to]) directory.checkState()
  expect(readdirSync(join(dir, 'to')).sort()).toEqual([named(1)[0], `${named(1)[0]}.meta`])
})
