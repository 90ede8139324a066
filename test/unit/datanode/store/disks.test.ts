// Several disks, one of which fails: only its own data is affected.

import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ReplicaIndex } from '../../../../datanode/store/replicaindex.ts'
import { BlockStore } from '../../../../datanode/store/store.ts'
import { blockId, blockName, storageId } from '../../../../src/base/ids.ts'
import type { Disk } from '../../../../src/ports/disk.ts'
import { silent } from '../../../../src/ports/log.ts'
import { systemClock } from '../../../../src/world/clock.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { FaultyDisk } from '../../../../src/world/faulty.ts'
import { noise } from '../../src/block/kit.ts'
import { countingDisk, openStore, placeOf, refusal, spoiltDisk, tableOf, write } from './storekit.ts'

let dir: string
beforeEach(() => { dir = mkdtempSync(join(tmpdir(), 'gristmill-disks-')) })
afterEach(() => { rmSync(dir, { recursive: true, force: true }) })

const two = (): string[] => [join(dir, 'a'), join(dir, 'b')]
/** The first directory has more room. */
const roomy = (disk: Disk): Disk => ({ ...disk, space: async path => ({ capacityBytes: 1e9, freeBytes: path.endsWith('/a') ? 9e8 : 1e8 }) })

test('a disk that cannot write a block has failed: its own blocks are gone at once, those of others and the node go on', async () => {
  let broken = false
  const disk = roomy(spoiltDisk({ write: (_, path) => { if (broken && path.includes('/a/')) throw refusal('EIO') } }))
  const { store, removed, failed, added } = await openStore(two(), { disk })
  await write(store, 1, noise(10))
  broken = true
  await expect(write(store, 2, noise(10))).rejects.toMatchObject({ code: 'ENOSPC' })
  expect(failed).toEqual([{ dir: join(dir, 'a'), last: false }])
  expect(removed).toEqual([1])
  await write(store, 3, noise(10))
  expect(added.map(({ id, storage }) => [id, storage])).toEqual([[1, 'a'], [3, 'b']])
  expect((await store.state()).map(({ failed: has, freeBytes }) => [has, freeBytes > 0])).toEqual([[true, false], [false, true]])
  // The node does not have the blocks of the failed disk any more.
  expect((await store.state()).map(({ blocks, usedBytes }) => [blocks, usedBytes > 0])).toEqual([[0, false], [1, true]])
})

test('a block that was being written when its disk failed is not acknowledged', async () => {
  let broken = false
  const disk = roomy(spoiltDisk({ write: () => { if (broken) throw refusal('EIO') } }))
  const { store, added, failed } = await openStore(two(), { disk })
  const early = await store.receive(blockId(1), 10)
  const bytes = noise(10)
  early.write(bytes)
  const late = await store.receive(blockId(2), 10)
  broken = true
  expect(() => late.write(bytes)).toThrow(expect.objectContaining({ code: 'ENOSPC' }))
  expect(failed).toHaveLength(1)
  await expect(early.seal(tableOf(bytes))).rejects.toMatchObject({ code: 'ENOSPC' })
  expect(added).toEqual([])
  expect(store.has(blockId(1))).toBe(false)
})

test('a read-only disk serves its blocks and refuses new ones, until it is writable again', async () => {
  const faulty = new FaultyDisk(localDisk)
  const { store, failed } = await openStore([join(dir, 'a')], { disk: faulty })
  await write(store, 1, noise(10))
  faulty.add({ kind: 'readOnly', at: join(dir, 'a') })
  await expect(write(store, 2, noise(10))).rejects.toMatchObject({ code: 'ENOSPC' })
  expect(failed).toEqual([])
  expect(await store.check(blockId(1))).toBe('sound')
  expect((await store.state())[0]).toMatchObject({ closed: true, failed: false, freeBytes: 0, blocks: 1 })
  await store.tend()
  await expect(write(store, 3, noise(10))).rejects.toMatchObject({ code: 'ENOSPC' })
  faulty.heal()
  await store.tend()
  await write(store, 4, noise(10))
  expect((await store.state())[0]!.closed).toBeUndefined()
})

test('deleted blocks of a read-only disk are removed as soon as it is writable again', async () => {
  const faulty = new FaultyDisk(localDisk)
  const { store } = await openStore([join(dir, 'a')], { disk: faulty })
  for (const id of [1, 2, 3]) await write(store, id, noise(10))
  await store.damaged(blockId(2), new Error('bad'))
  faulty.add({ kind: 'readOnly', at: join(dir, 'a') })
  await store.remove([blockId(1)])
  await store.acknowledged([blockId(2)], new Set())
  await store.tend()
  const files = async (): Promise<string[]> =>
    (await readdir(join(dir, 'a', 'blocks'), { recursive: true })).filter(name => name.length > 3 && !name.endsWith('.meta')).sort()
  expect(await files()).toHaveLength(3)
  faulty.heal()
  await store.tend()
  expect(await files()).toEqual([join('03', blockName(blockId(3)))])
})

test('the files of an aborted block on a read-only disk are removed when it is writable again, and never those of a later block', async () => {
  const faulty = new FaultyDisk(localDisk)
  const { store } = await openStore([join(dir, 'a')], { disk: faulty })
  const incoming = async (): Promise<string[]> => readdir(join(dir, 'a', 'incoming'))
  const begun = await Promise.all([1, 2].map(id => store.receive(blockId(id), 10)))
  faulty.add({ kind: 'readOnly', at: join(dir, 'a') })
  for (const half of begun) await half.abort()
  await store.tend()
  expect((await incoming()).filter(name => name !== 'probe').sort()).toEqual([blockName(blockId(1)), blockName(blockId(2))])
  faulty.heal()
  // The second block is sent again before the disk is checked.
  const again = await store.receive(blockId(2), 10)
  await Promise.all([store.tend(), store.tend()])
  expect(await incoming()).toEqual([blockName(blockId(2))])
  await again.abort()
  expect(await incoming()).toEqual([])
})

test('if a disk refuses a new block, the block goes to the next disk', async () => {
  const faulty = new FaultyDisk(roomy(localDisk))
  const { store, added } = await openStore(two(), { disk: faulty })
  faulty.add({ kind: 'readOnly', at: join(dir, 'a') })
  await write(store, 1, noise(10))
  expect(added.map(({ storage }) => storage)).toEqual(['b'])
  // Nor does it block another try, when no disk accepts the block.
  faulty.add({ kind: 'readOnly', at: join(dir, 'b') })
  await expect(write(store, 2, noise(10))).rejects.toMatchObject({ code: 'ENOSPC' })
  faulty.heal()
  await store.tend()
  await write(store, 2, noise(10))
})

test('a disk that is removed while the node runs is noticed by the next check or by a reader', async () => {
  for (const look of ['tend', 'check'] as const) {
    const dirs = ['a', 'b'].map(name => join(dir, look, name))
    const { store, removed, bad, failed } = await openStore(dirs, { disk: roomy(localDisk) })
    await write(store, 1, noise(10))
    renameSync(dirs[0]!, `${dirs[0]!}-elsewhere`)
    mkdirSync(dirs[0]!)
    if (look === 'tend') await store.tend()
    else await store.check(blockId(1))
    expect(failed).toEqual([{ dir: dirs[0], last: false }])
    expect([removed, bad]).toEqual([[1], []])
  }
})

// Once, its old files on the failed disk had to be moved first, which that disk refused.
test('a block that was damaged on a disk which has failed since is taken by another disk of the node', async () => {
  const faulty = new FaultyDisk(roomy(localDisk))
  const { store, failed, added } = await openStore(two(), { disk: faulty })
  await write(store, 1, noise(10))
  await store.damaged(blockId(1), new Error('bad'))
  faulty.add({ kind: 'readOnly', at: join(dir, 'a') })
  store.refused(join(dir, 'a'), refusal('EIO'))
  expect(failed).toEqual([{ dir: join(dir, 'a'), last: false }])
  await write(store, 1, noise(10))
  expect(added.map(({ id, storage }) => [id, storage])).toEqual([[1, 'a'], [1, 'b']])
  await store.acknowledged([blockId(1)], new Set())
  expect(await store.check(blockId(1))).toBe('sound')
})

test('a disk that cannot be read when the node starts is left out; without any other the node does not start', async () => {
  const before = await openStore(two(), { disk: roomy(localDisk) })
  await write(before.store, 1, noise(10))
  const disk = {
    ...localDisk,
    list: async (path: string) => {
      if (path.includes('/a/')) throw refusal('EIO')
      return localDisk.list(path)
    },
  }
  const { store } = await openStore(two(), { disk })
  expect(store.blocks).toBe(0)
  expect((await store.state()).map(state => state.failed)).toEqual([true, false])
  await write(store, 2, noise(10))
  await expect(openStore([join(dir, 'a')], { disk })).rejects.toMatchObject({ code: 'EIO' })
})

test('too many open files are no damage: nothing is reported bad, now or at the start', async () => {
  const { store, bad } = await openStore([join(dir, 'a')], { disk: { ...localDisk, openRead: async () => { throw refusal('EMFILE') } } })
  await write(store, 1, noise(10))
  await expect(store.open(blockId(1))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  await expect(store.check(blockId(1))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  expect([bad, store.has(blockId(1))]).toEqual([[], true])
  await expect(
    openStore([join(dir, 'a')], {
      disk: {
        ...localDisk,
        openReadSync: () => {
          throw refusal('EMFILE')
        },
      },
    }),
  ).rejects.toMatchObject({ code: 'EMFILE' })
})

test.each(['EMFILE', 'ENFILE', 'ENOMEM'])(
  "%s is no disk's fault: a write or the sync of a directory that fails with it costs that block, and the writer learns why",
  async code => {
    let exhausted = false
    const refuse = (): void => {
      if (exhausted) throw Object.assign(refusal(code), { syscall: 'open' })
    }
    const disk: Disk = {
      ...spoiltDisk({ syncDir: refuse }),
      stat: async (path, options) => {
        refuse()
        return localDisk.stat(path, options)
      },
    }
    const { store, failed, added } = await openStore([join(dir, 'a')], { disk })
    await write(store, 1, noise(10))
    exhausted = true
    await expect(write(store, 2, noise(10))).rejects.toMatchObject({
      code: 'UNAVAILABLE', message: expect.stringContaining(code) as string,
    })
    await store.tend()
    expect(failed).toEqual([])
    exhausted = false
    await write(store, 3, noise(10))
    expect(added.map(({ id }) => id)).toEqual([1, 3])
  },
)

test("a block for whose file there is no descriptor is UNAVAILABLE, not a lack of room; a sync that the system refuses is the disk's failure, whatever it says", async () => {
  let code = 'EMFILE'
  const disk = {
    ...spoiltDisk({
      sync: () => {
        if (code === 'ENOMEM') throw Object.assign(refusal(code), { syscall: 'fdatasync' })
      },
    }),
  }
  const { store, failed } = await openStore([join(dir, 'a')], {
    disk: {
      ...disk,
      create: async (...args) => {
        if (code === 'EMFILE') throw refusal(code)
        return disk.create(...args)
      },
    },
  })
  await expect(write(store, 1, noise(10))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  expect(failed).toEqual([])
  // The space reserved for it is free again.
  expect(store.storages[0]!.reservedBytes).toBe(0)
  code = 'ENOMEM'
  await expect(write(store, 2, noise(10))).rejects.toMatchObject({ code: 'ENOSPC' })
  expect(failed).toHaveLength(1)
})

test('a node that has too few descriptors to look at one of its disks does not go on without it', async () => {
  const disk: Disk = {
    ...roomy(localDisk),
    list: async path => {
      if (path.startsWith(join(dir, 'b'))) throw refusal('EMFILE')
      return localDisk.list(path)
    },
  }
  await expect(openStore(two(), { disk })).rejects.toMatchObject({ code: 'EMFILE' })
})

test('a block that may not be read, or whose sectors are bad, is damaged', async () => {
  for (const code of ['EACCES', 'EIO']) {
    let refuse = false
    const { store, bad } = await openStore([join(dir, code)], {
      disk: {
        ...localDisk,
        openRead: async path => {
          if (refuse) throw refusal(code)
          return localDisk.openRead(path)
        },
      },
    })
    await write(store, 1, noise(10))
    refuse = true
    expect(await store.check(blockId(1))).toBe('damaged')
    expect(bad).toEqual([1])
  }
})

test('a file with a second name elsewhere, where a block is about to be written, is not written into', async () => {
  const { store } = await openStore([join(dir, 'a')])
  const theirs = join(dir, 'letters')
  writeFileSync(theirs, 'not ours')
  linkSync(theirs, join(dir, 'a/incoming', blockName(blockId(1))))
  await write(store, 1, noise(1000))
  expect(readFileSync(theirs, 'utf8')).toBe('not ours')
  expect(readFileSync(join(dir, 'a', placeOf(1))).length).toBe(1000)
})

test('directories that are removed from outside while the node runs are made again, for new blocks and for the trash', async () => {
  const { store, failed } = await openStore([join(dir, 'a')], { trashKeepMs: 1e9 })
  await write(store, 1, noise(10))
  await write(store, 2, noise(10))
  for (const name of ['incoming', 'trash', `blocks/${blockName(blockId(3)).slice(-2)}`])
    rmSync(join(dir, 'a', name), { recursive: true, force: true })
  await store.remove([blockId(1)])
  expect(await readdir(join(dir, 'a/trash'))).toEqual([blockName(blockId(1)), `${blockName(blockId(1))}.meta`])
  await write(store, 3, noise(10))
  rmSync(join(dir, 'a', `blocks/${blockName(blockId(3)).slice(-2)}`), { recursive: true })
  await write(store, 3 + 256, noise(10))
  expect(await store.check(blockId(3 + 256))).toBe('sound')
  expect(failed).toEqual([])
  // If the whole disk is missing, no directory is created in its place.
  rmSync(join(dir, 'a'), { recursive: true })
  mkdirSync(join(dir, 'a'))
  await expect(write(store, 4, noise(10))).rejects.toThrow()
  expect(await readdir(join(dir, 'a'))).toEqual([])
})

test('block files that are pipes block nothing: they count as damaged, and everything else works', async () => {
  const { store, bad } = await openStore([join(dir, 'a')])
  for (let id = 1; id <= 6; id++) await write(store, id, noise(1000))
  for (let id = 1; id <= 5; id++) {
    rmSync(join(dir, 'a', placeOf(id)))
    execFileSync('mkfifo', [join(dir, 'a', placeOf(id))])
  }
  expect(await Promise.all([1, 2, 3, 4, 5, 6].map(id => store.check(blockId(id))))).toEqual([
    'damaged', 'damaged', 'damaged', 'damaged', 'damaged', 'sound',
  ])
  expect(bad.toSorted()).toEqual([1, 2, 3, 4, 5])
})

test('a node that starts looks into every file and leaves none open, damaged ones among them', async () => {
  const { store } = await openStore([join(dir, 'a')])
  for (const id of [1, 2, 3, 4]) await write(store, id, noise(1000))
  truncateSync(join(dir, 'a', placeOf(2)), 999)
  truncateSync(join(dir, 'a', `${placeOf(3)}.meta`), 5)
  writeFileSync(join(dir, 'a', `${placeOf(4)}.meta`), Buffer.alloc(1), { flag: 'a' })
  const { disk, open } = countingDisk()
  const { store: again, bad } = await openStore([join(dir, 'a')], { disk })
  expect([again.blocks, bad.toSorted(), open()]).toEqual([1, [2, 3, 4], 0])
})

test('while another disk is tried for a block, the same block is not begun a second time', async () => {
  const held = Promise.withResolvers<void>()
  const reached = Promise.withResolvers<void>()
  const disk: Disk = {
    ...roomy(localDisk),
    async create(path, options) {
      if (path.includes('/a/')) throw refusal('ENOSPC')
      reached.resolve()
      await held.promise
      return localDisk.create(path, options)
    },
  }
  const { store } = await openStore(two(), { disk })
  const first = store.receive(blockId(1), 10)
  await reached.promise
  await expect(store.receive(blockId(1), 10)).rejects.toMatchObject({ code: 'EBUSY' })
  held.resolve()
  await (await first).abort()
  await (await store.receive(blockId(1), 10)).abort()
  expect(store.storages.map(storage => storage.reservedBytes)).toEqual([0, 0])
})

test('leftovers that a disk refuses to remove are tried one file at a time, until it accepts', async () => {
  let refused = false
  let asked = 0
  const { store } = await openStore([join(dir, 'a')], {
    disk: {
      ...localDisk,
      async remove(path) {
        if (refused) {
          asked++
          throw refusal('EROFS')
        }
        await localDisk.remove(path)
      },
    },
  })
  const begun = await Promise.all([1, 2, 3].map(id => store.receive(blockId(id), 10)))
  refused = true
  for (const half of begun) await half.abort()
  asked = 0
  await store.tend()
  expect(asked).toBe(1)
  refused = false
  await store.tend()
  expect(await readdir(join(dir, 'a/incoming'))).toEqual([])
})

test('when a disk fails only its own blocks are lost, and those of the others stay', async () => {
  let full = false
  const faulty = new FaultyDisk({
    ...localDisk,
    space: async path => ({ capacityBytes: 1e9, freeBytes: path.endsWith('/a') === full ? 1e8 : 9e8 }),
  })
  const { store, removed } = await openStore(two(), { disk: faulty })
  for (const id of [1, 2, 3, 4]) {
    full = id % 2 === 0
    await store.state()
    await write(store, id, noise(10))
  }
  expect([1, 2, 3, 4].map(id => store.find(blockId(id))!.storage)).toEqual(['a', 'b', 'a', 'b'])
  renameSync(join(dir, 'a'), join(dir, 'elsewhere'))
  await store.tend()
  expect([removed.toSorted(), [...store.ids()]]).toEqual([[1, 3], [2, 4]])
  expect(await store.check(blockId(4))).toBe('sound')
})

test('a directory that could not be opened is reported as a failed disk and not touched', async () => {
  const unusable = join(dir, 'theirs')
  const failed: string[] = []
  const store = await BlockStore.open({
    disk: localDisk, clock: systemClock, log: silent, dirs: [{ dir: join(dir, 'a'), id: storageId('a') }], unusable: [unusable],
    listener: { added() {}, removed() {}, bad() {}, failed: storage => failed.push(storage.dir) },
  })
  await write(store, 1, noise(10))
  await store.tend()
  expect((await store.state()).map(({ dir: at, failed: has, freeBytes }) => [at, has, freeBytes > 0])).toEqual([
    [join(dir, 'a'), false, true], [unusable, true, false],
  ])
  expect([await readdir(dir), failed]).toEqual([['a'], []])
})

test('an index of thousands of blocks keeps the entry of each, and reuses slots', () => {
  const index = new ReplicaIndex()
  const entry = (id: number) => ({ length: id * 3, crc: (id * 2_654_435_761) >>> 0, storage: id % 7 })
  const gone = new Set<number>()
  for (let id = 1; id <= 5000; id++) {
    index.set(blockId(id), entry(id))
    if (id % 3 !== 0) continue
    expect(index.delete(blockId(id - 1))).toEqual(entry(id - 1))
    gone.add(id - 1)
  }
  for (let id = 1; id <= 5000; id++) expect(index.get(blockId(id)), String(id)).toEqual(gone.has(id) ? undefined : entry(id))
  expect([index.count, index.delete(blockId(2)), index.has(blockId(2)), index.has(blockId(3))]).toEqual([
    5000 - gone.size, undefined, false, true,
  ])
  // A block written again has its new entry.
  index.set(blockId(3), entry(4))
  expect([index.get(blockId(3)), index.count]).toEqual([entry(4), 5000 - gone.size])
  const ids = [...index.ids()]
  expect([ids.length, ids.every((id, i) => i === 0 || id > ids[i - 1]!)]).toEqual([index.count, true])
})
