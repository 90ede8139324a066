// Block store over temporary directories, with disks that fail or fill: sealed blocks are whole and known after a restart, unsealed ones
// leave nothing, and damage is reported.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { blockId, blockName } from '../../../../src/base/ids.ts'
import { crcOf } from '../../../../src/block/checksum.ts'
import type { Disk } from '../../../../src/ports/disk.ts'
import { scan } from '../../../../datanode/store/scan.ts'
import { silent } from '../../../../src/ports/log.ts'
import { systemClock } from '../../../../src/world/clock.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { noise } from '../../src/block/kit.ts'
import { countingDisk, openStore, placeOf, refusal, spoiltDisk, write, type Opened } from './storekit.ts'

let dir: string
beforeEach(() => { dir = mkdtempSync(join(tmpdir(), 'gristmill-store-')) })
afterEach(() => { rmSync(dir, { recursive: true, force: true }) })

const open = (dirs = ['a'], disk: Disk = localDisk): Promise<Opened> => openStore(dirs.map(name => join(dir, name)), { disk })
const pathOf = (id: number, storage = 'a'): string => join(dir, storage, placeOf(id))

test('a sealed block is known, lies there byte for byte, and is known after a restart', async () => {
  const bytes = noise(200_000)
  const first = await open()
  await write(first.store, 7, bytes)
  expect(first.added).toEqual([{ id: 7, length: 200_000, crc: crcOf(bytes), storage: 'a' }])
  expect(readFileSync(pathOf(7)).equals(bytes)).toBe(true)
  expect(readdirSync(join(dir, 'a/incoming'))).toEqual([])
  const second = await open()
  expect(second.store.find(blockId(7))).toEqual(first.added[0])
  expect(await second.store.check(blockId(7))).toBe('sound')
  expect((await second.store.state())[0]).toMatchObject({ blocks: 1, usedBytes: 200_000 + 40 + 16 + 4 })
})

test('a block that was not sealed is unknown and leaves nothing, now and after a crash', async () => {
  const { store, added } = await open()
  const aborted = await store.receive(blockId(1), 1000)
  aborted.write(noise(500))
  expect(store.has(blockId(1))).toBe(false)
  await aborted.abort()
  expect(readdirSync(join(dir, 'a/incoming'))).toEqual([])
  const crashed = await store.receive(blockId(2), 1000)
  crashed.write(noise(500))
  mkdirSync(join(pathOf(3), '..'))
  writeFileSync(`${pathOf(3)}.meta`, 'what a crash between the two renames leaves')
  const again = await open()
  expect(again.store.blocks).toBe(0)
  expect(added).toEqual([])
  expect(readdirSync(join(dir, 'a/incoming'))).toEqual([])
  expect(existsSync(`${pathOf(3)}.meta`)).toBe(false)
})

test('the same block is not written twice, nor while it is being written', async () => {
  const { store } = await open()
  const incoming = await store.receive(blockId(1), 10)
  await expect(store.receive(blockId(1), 10)).rejects.toMatchObject({ code: 'EBUSY' })
  await incoming.abort()
  await write(store, 1, noise(10))
  await expect(store.receive(blockId(1), 10)).rejects.toMatchObject({ code: 'EEXIST' })
})

test('a block cannot grow beyond what was announced', async () => {
  const { store } = await open()
  const incoming = await store.receive(blockId(1), 10)
  expect(() => incoming.write(noise(11))).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }))
  await incoming.abort()
})

test('foreign files and links are left alone, and so are block files in the wrong directory', async () => {
  await open()
  mkdirSync(join(dir, 'a/blocks/zz'))
  mkdirSync(join(dir, 'a/blocks/07'))
  writeFileSync(join(dir, 'a/blocks/notes.txt'), 'x')
  writeFileSync(join(dir, 'a/incoming/notes.txt'), 'x')
  writeFileSync(join(dir, 'a/blocks/07/readme'), 'x')
  writeFileSync(join(dir, 'a/blocks/07/0000000000000008'), 'a block in the wrong directory')
  writeFileSync(join(dir, 'secret'), 'somebody else\'s')
  symlinkSync(join(dir, 'secret'), pathOf(7))
  const { store, bad } = await open()
  expect(store.blocks).toBe(0)
  expect(bad).toEqual([])
  for (const name of [
    'blocks/notes.txt', 'incoming/notes.txt', 'blocks/07/readme', 'blocks/07/0000000000000008', 'blocks/07/0000000000000007',
  ])
    expect(existsSync(join(dir, 'a', name)), name).toBe(true)
})

test('block files that are truncated, grown, swapped or without a meta file are found at the start, reported, and then quarantined', async () => {
  const first = await open()
  for (const id of [1, 2, 3, 4, 5]) await write(first.store, id, noise(100_000, id))
  truncateSync(pathOf(1), 99_999)
  writeFileSync(pathOf(2), noise(100_001, 2))
  truncateSync(`${pathOf(3)}.meta`, 50)
  // The files of block 4 replace those of block 5.
  for (const suffix of ['', '.meta']) writeFileSync(pathOf(5) + suffix, readFileSync(pathOf(4) + suffix))
  rmSync(`${pathOf(4)}.meta`)
  const { store, bad } = await open()
  expect(store.blocks).toBe(0)
  expect([...bad].sort()).toEqual([1, 2, 3, 4, 5])
  // Nothing is moved before the namenode is told: the next start would find it again.
  expect((await open()).bad).toHaveLength(5)
  await store.acknowledged(bad, new Set([blockId(5)]))
  for (const id of [1, 2, 3, 4, 5]) {
    expect(existsSync(pathOf(id))).toBe(false)
    expect(existsSync(join(dir, 'a/quarantine', id === 5 ? 'last' : '', blockName(blockId(id)))), String(id)).toBe(true)
  }
  await store.remove([1, 2, 3, 4, 5].map(blockId))
  expect(readdirSync(join(dir, 'a/quarantine'))).toEqual(['last'])
  expect(readdirSync(join(dir, 'a/quarantine/last'))).toEqual([])
})

for (const [what, spoil] of [
  [
    'a flipped byte',
    () => {
      const bytes = readFileSync(pathOf(7))
      bytes[150_000]! ^= 1
      writeFileSync(pathOf(7), bytes)
    },
  ],
  [
    'a flipped byte of the meta file',
    () => {
      const bytes = readFileSync(`${pathOf(7)}.meta`)
      bytes[45]! ^= 1
      writeFileSync(`${pathOf(7)}.meta`, bytes)
    },
  ],
  ['a cut', () => truncateSync(pathOf(7), 199_999)], ['a missing file', () => rmSync(pathOf(7))],
  ['a missing meta file', () => rmSync(`${pathOf(7)}.meta`)],
] as const) {
  test(`${what} is found by a check and reported`, async () => {
    const { store, bad } = await open()
    await write(store, 7, noise(200_000))
    await write(store, 8, noise(200_000))
    expect(await store.check(blockId(7))).toBe('sound')
    spoil()
    expect(await store.check(blockId(7))).toBe('damaged')
    expect(bad).toEqual([7])
    expect(store.has(blockId(7))).toBe(false)
    await expect(store.open(blockId(7))).rejects.toMatchObject({ code: 'BLOCK_MISSING' })
    expect(await store.check(blockId(8))).toBe('sound')
  })
}

test('a removed block leaves the index at once, its files are removed, and an open reader reads on', async () => {
  const bytes = noise(100_000)
  const { store, removed } = await open()
  await write(store, 1, bytes)
  const reading = await store.open(blockId(1))
  const removing = store.remove([blockId(1), blockId(99)])
  expect(store.has(blockId(1))).toBe(false)
  await removing
  expect(removed).toEqual([1, 99])
  expect(existsSync(pathOf(1))).toBe(false)
  // With a retention time of zero, it never enters the trash.
  expect(readdirSync(join(dir, 'a/trash'))).toEqual([])
  const got = Buffer.alloc(100_000)
  expect(reading.data.readSync(got, 0)).toBe(100_000)
  expect(got.equals(bytes)).toBe(true)
  await reading.close()
})

test('a disk that is full fails that block with ENOSPC, and the next one fits again', async () => {
  let full = true
  const { store, failed } = await open(['a'], spoiltDisk({ write: () => { if (full) throw refusal('ENOSPC') } }))
  const incoming = await store.receive(blockId(1), 1000)
  expect(() => incoming.write(noise(1000))).toThrow(expect.objectContaining({ code: 'ENOSPC' }))
  await incoming.abort()
  full = false
  await write(store, 1, noise(1000))
  expect(failed).toEqual([])
})

test('a block that is larger than the free space is refused before it is sent', async () => {
  const { store } = await open(['a'], { ...localDisk, space: async () => ({ capacityBytes: 10_000, freeBytes: 1_500 }) })
  const first = await store.receive(blockId(1), 1_000)
  await expect(store.receive(blockId(2), 1_000)).rejects.toMatchObject({ code: 'ENOSPC' })
  await first.abort()
  await (await store.receive(blockId(2), 1_000)).abort()
})

for (const [where, spoil] of [
  ['data', { sync: (path: string) => { if (!path.endsWith('.meta') && path.includes('/a/')) throw refusal('EIO') } }],
  ['meta', { sync: (path: string) => { if (path.endsWith('.meta') && path.includes('/a/')) throw refusal('EIO') } }],
  ['directory', { syncDir: (path: string) => { if (/\/a\/blocks\/..$/.test(path)) throw refusal('EIO') } }],
] as const) {
  test(`a disk that refuses to sync the ${where} acknowledges nothing and is not trusted any more`, async () => {
    const before = await open(['a'])
    await write(before.store, 1, noise(10))
    let broken = false
    const spoilt = spoiltDisk({
      ...'sync' in spoil && { sync: (path: string) => { if (broken) spoil.sync(path) } },
      ...'syncDir' in spoil && { syncDir: (path: string) => { if (broken) spoil.syncDir(path) } },
    })
    const disk = { ...spoilt, space: async (path: string) => ({ capacityBytes: 1e9, freeBytes: path.endsWith('/a') ? 9e8 : 1e8 }) }
    const { store, added, removed, failed } = await open(['a', 'b'], disk)
    broken = true
    await expect(write(store, 2, noise(10))).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(added).toEqual([])
    expect(failed).toEqual([{ dir: join(dir, 'a'), last: false }])
    expect(removed).toEqual([1])
    await write(store, 2, noise(10))
    expect(added).toMatchObject([{ id: 2, storage: 'b' }])
    expect((await store.state()).map(state => state.failed)).toEqual([true, false])
  })
}

test('blocks go to the directory with the most room', async () => {
  const free: Record<string, number> = { a: 5_000, b: 9_000 }
  const { store, added } = await open(['a', 'b'], {
    ...localDisk,
    space: async path => ({ capacityBytes: 10_000, freeBytes: free[path.slice(-1)]! }),
  })
  for (const id of [1, 2, 3]) await write(store, id, noise(3_000))
  expect(added.map(({ storage }) => storage)).toEqual(['b', 'b', 'a'])
})

test('a disk whose free space cannot be measured gets no blocks until it can be measured again', async () => {
  let told = false
  const { store } = await open(['a'], {
    ...localDisk,
    space: async path => {
      if (!told) throw refusal('EINTR')
      return localDisk.space(path)
    },
  })
  expect((await store.state())[0]).toMatchObject({ capacityBytes: 0, freeBytes: 0, usedBytes: 0, blocks: 0, failed: false })
  await expect(store.receive(blockId(1), 1)).rejects.toMatchObject({ code: 'ENOSPC' })
  told = true
  await write(store, 1, noise(10))
})

test('a disk that turns out to be full while a block waits for the old one to go takes that block, or says so, and is measured for the next one', async () => {
  let full = false
  const removing = Promise.withResolvers<void>()
  const gone = Promise.withResolvers<void>()
  const spoilt = spoiltDisk({
    write: () => {
      if (full) throw refusal('ENOSPC')
    },
  })
  const { store } = await open(['a'], {
    ...spoilt,
    async remove(path) {
      if (path === pathOf(1)) {
        removing.resolve()
        await gone.promise
      }
      await spoilt.remove(path)
    },
  })
  await write(store, 1, noise(10))
  const other = await store.receive(blockId(2), 10)
  const removed = store.remove([blockId(1)])
  await removing.promise
  const again = store.receive(blockId(1), 10)
  full = true
  expect(() => other.write(noise(10))).toThrow(expect.objectContaining({ code: 'ENOSPC' }))
  await other.abort()
  gone.resolve()
  await removed
  await (await again).abort()
  full = false
  await write(store, 3, noise(10))
})

test('files among the blocks that are not ours are counted in one warning, and without any there is none', async () => {
  const { store } = await open()
  await write(store, 7, noise(10))
  const counts: unknown[] = []
  const log = { ...silent, warn: (_: string, facts?: object) => { counts.push((facts as { foreign: number }).foreign) } }
  const look = async (): Promise<number> => (await scan({ disk: localDisk, clock: systemClock, log }, join(dir, 'a/blocks'))).blocks.length
  expect([await look(), counts]).toEqual([1, []])
  writeFileSync(join(dir, 'a/blocks/07/readme'), 'x')
  expect([await look(), counts]).toEqual([1, [1]])
  for (const name of ['notes', '07/0000000000000107.metal', '07/0000000000000108', '07/0000000000000108.meta'])
    writeFileSync(join(dir, 'a/blocks', name), 'x')
  mkdirSync(join(dir, 'a/blocks/0'))
  expect([await look(), counts.at(-1)]).toEqual([1, 6])
})

test('a block of several frames is read whole by a check, as fast as it may, and until it is stopped', async () => {
  const { store, bad } = await open()
  await write(store, 7, noise(600_000))
  const paced: number[] = []
  expect(await store.check(blockId(7), { pace: async bytes => { paced.push(bytes) } })).toBe('sound')
  expect(paced).toEqual([262_144, 262_144, 75_712])
  const stopping = new AbortController()
  await expect(store.check(blockId(7), { signal: stopping.signal, pace: async () => stopping.abort(new Error('enough')) })).rejects.toThrow(
    'enough',
  )
  expect(bad).toEqual([])
  const bytes = noise(600_000)
  bytes[599_999]! ^= 1
  writeFileSync(pathOf(7), bytes)
  expect([await store.check(blockId(7)), bad]).toEqual(['damaged', [7]])
})

test('a block that cannot be opened leaves no file open', async () => {
  const { disk, open: left } = countingDisk()
  const { store } = await open(['a'], disk)
  await write(store, 1, noise(10))
  rmSync(`${pathOf(1)}.meta`)
  await expect(store.open(blockId(1))).rejects.toMatchObject({ code: 'CORRUPT' })
  expect(left()).toBe(0)
})
