// Epoch fence of a datanode. Once, an older epoch was accepted when its reply came while a newer one was being written to disk.

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { EpochFence } from '../../../../datanode/heartbeat/epoch.ts'
import type { Disk } from '../../../../src/ports/disk.ts'
import type { Position } from '../../../../src/protocol/position.ts'
import { systemClock } from '../../../../src/world/clock.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'

let dir: string
const refused: string[] = []
const options = { clock: systemClock, refused: (at: string) => void refused.push(at) }
beforeEach(() => { refused.length = 0 })
beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), 'gristmill-epoch-')) })
afterEach(async () => { await rm(dir, { recursive: true, force: true }) })

const kept = async (): Promise<unknown> => JSON.parse(await readFile(join(dir, 'epoch.json'), 'utf8'))

test('an older epoch is refused while a newer one is still being written', async () => {
  let go = (): void => {}
  const gate = new Promise<void>(resolve => { go = resolve })
  const slow: Disk = { ...localDisk, writeFileDurable: async (...args) => { await gate; return localDisk.writeFileDurable(...args) } }
  const fence = await EpochFence.open(slow, [dir], options)
  const newer = fence.pass({ epoch: 5 })
  const older = expect(fence.pass({ epoch: 4 })).rejects.toMatchObject({ code: 'STALE_EPOCH' })
  go()
  await newer
  await older
  expect(await kept()).toEqual({ epoch: 5 })
})

test('epochs that come together all wait until the newest is on disk', async () => {
  const fence = await EpochFence.open(localDisk, [dir], options)
  await Promise.all([fence.pass({ epoch: 2 }), fence.pass({ epoch: 3 }), fence.pass({ epoch: 7 })])
  expect(await kept()).toEqual({ epoch: 7 })
  expect((await EpochFence.open(localDisk, [dir], options)).highest).toBe(7)
})

test('a write that fails is an error for the waiting caller, and the next command tries again', async () => {
  let broken = true
  const disk: Disk = {
    ...localDisk,
    writeFileDurable: async (...args) => {
      if (broken) throw new Error('EIO')
      return localDisk.writeFileDurable(...args)
    },
  }
  const fence = await EpochFence.open(disk, [dir], options)
  await expect(fence.pass({ epoch: 2 })).rejects.toThrow('EIO')
  broken = false
  await fence.pass({ epoch: 2 })
  expect(await kept()).toEqual({ epoch: 2 })
})

test('an epoch is stored if at least one disk accepts it', async () => {
  let broken = 'a'
  const disk: Disk = { ...localDisk, writeFileDurable: async (path, ...rest) => {
    if (path.startsWith(join(dir, broken))) throw new Error('EIO')
    return localDisk.writeFileDurable(path, ...rest)
  } }
  const dirs = [join(dir, 'a'), join(dir, 'b')]
  for (const each of dirs) await mkdir(each)
  await (await EpochFence.open(disk, dirs, options)).pass({ epoch: 3 })
  broken = 'none'
  // Each remaining disk has the epoch after the next start, and a disk that missed it is updated.
  const again = await EpochFence.open(disk, dirs, options)
  expect(again.highest).toBe(3)
  await expect(again.pass({ epoch: 2 })).rejects.toMatchObject({ code: 'STALE_EPOCH' })
  expect((await EpochFence.open(disk, [dirs[0]!], options)).highest).toBe(3)
})

test('an invalid file is an error only if no disk has a valid one', async () => {
  const dirs = [join(dir, 'a'), join(dir, 'b')]
  for (const each of dirs) await mkdir(each)
  for (const text of ['', '{', '{"epoch":"x"}', '{}']) {
    await writeFile(join(dirs[0]!, 'epoch.json'), text)
    await rm(join(dirs[1]!, 'epoch.json'), { force: true })
    await expect(EpochFence.open(localDisk, dirs, options), text).rejects.toMatchObject({ code: 'CORRUPT' })
    await writeFile(join(dirs[1]!, 'epoch.json'), '{"epoch":4}')
    expect((await EpochFence.open(localDisk, dirs, options)).highest).toBe(4)
    expect(JSON.parse(await readFile(join(dirs[0]!, 'epoch.json'), 'utf8'))).toEqual({ epoch: 4 })
  }
})

const at = (seq: number, more: Partial<Position> = {}): Position => ({
  incarnation: 'a', from: 1, seq, nextBlock: seq * 10, rebuilt: 0, ...more,
})

test('a new incarnation is durable before it is obeyed, its operations are a moment later, and all of it at the end', async () => {
  const clock = new ManualClock()
  const fence = await EpochFence.open(localDisk, [dir], { ...options, clock })
  await fence.pass({ epoch: 5, at: at(3) })
  expect(await kept()).toEqual({ epoch: 5, incarnation: 'a', seq: 3, nextBlock: 30 })
  for (const seq of [7, 9, 8]) await fence.pass({ epoch: 5, at: at(seq) })
  expect(fence.seen).toMatchObject({ seq: 9, nextBlock: 90 })
  expect(await kept()).toMatchObject({ seq: 3 })
  clock.pass(1_000)
  await vi.waitFor(async () => { expect(await kept()).toMatchObject({ seq: 9, nextBlock: 90 }) }, 60_000)
  await fence.pass({ epoch: 5, at: at(12) })
  await fence.stop()
  expect((await EpochFence.open(localDisk, [dir], options)).seen).toEqual({ epoch: 5, incarnation: 'a', seq: 12, nextBlock: 120 })
})

test('a position that arrives while an earlier one is being written is written at the end too', async () => {
  const clock = new ManualClock()
  let open = (): void => {}
  let gate: Promise<void> | undefined
  let begun = false
  const disk: Disk = {
    ...localDisk,
    writeFileDurable: async (path, bytes) => {
      begun = true
      await gate
      await localDisk.writeFileDurable(path, bytes)
    },
  }
  const fence = await EpochFence.open(disk, [dir], { ...options, clock })
  await fence.pass({ epoch: 5, at: at(3) })
  await fence.pass({ epoch: 5, at: at(9) })
  gate = new Promise(resolve => { open = resolve })
  begun = false
  clock.pass(1_000)
  await vi.waitFor(() => { expect(begun).toBe(true) }, 60_000)
  await fence.pass({ epoch: 5, at: at(12) })
  const stopped = fence.stop()
  open()
  await stopped
  expect(await kept()).toMatchObject({ seq: 12, nextBlock: 120 })
})

test('a position behind the stored one is refused, before and after a restart: an earlier epoch, another incarnation, a state that ends too early', async () => {
  const fence = await EpochFence.open(localDisk, [dir], options)
  await fence.pass({ epoch: 5, at: at(9) })
  await fence.stop()
  for (const each of [fence, await EpochFence.open(localDisk, [dir], options)]) {
    await expect(each.pass({ epoch: 4, at: at(20) })).rejects.toMatchObject({ code: 'STALE_EPOCH' })
    await expect(each.pass({ epoch: 5, at: at(20, { incarnation: 'b' }) })).rejects.toMatchObject({ code: 'STALE_EPOCH' })
    await expect(each.pass({ epoch: 6, at: at(20, { incarnation: 'b', from: 9 }) })).rejects.toMatchObject({ code: 'STALE_EPOCH' })
    expect(each.seen).toMatchObject({ epoch: 5, incarnation: 'a', seq: 9 })
  }
  // A recovery that may have lost operations is accepted, and its position counts from then on.
  await fence.pass({ epoch: 6, at: at(4, { incarnation: 'b', from: 3, rebuilt: 6 }) })
  expect(fence.seen).toEqual({ epoch: 6, incarnation: 'b', seq: 4, nextBlock: 40 })
})

test('a namenode whose succession check is open (provisional) is checked, and nothing of it is stored', async () => {
  const fence = await EpochFence.open(localDisk, [dir], options)
  await fence.pass({ epoch: 5, at: at(9) })
  await fence.pass({ epoch: 6, at: at(12, { incarnation: 'copy', from: 11 }), provisional: true })
  await expect(fence.pass({ epoch: 6, at: at(12, { incarnation: 'copy', from: 8 }), provisional: true })).rejects.toMatchObject({
    code: 'STALE_EPOCH',
  })
  expect(fence.seen).toEqual({ epoch: 5, incarnation: 'a', seq: 9, nextBlock: 90 })
  // The namenode in use before starts with the same epoch.
  await fence.pass({ epoch: 6, at: at(12, { incarnation: 'b', from: 11 }) })
  await fence.stop()
  expect(await kept()).toEqual({ epoch: 6, incarnation: 'b', seq: 12, nextBlock: 120 })
})

test('a disk that refuses to store operations is reported, although no caller waits for the write', async () => {
  let broken = false
  const disk: Disk = {
    ...localDisk,
    writeFileDurable: async (...args) => {
      if (broken) throw new Error('EIO')
      return localDisk.writeFileDurable(...args)
    },
  }
  const fence = await EpochFence.open(disk, [dir], options)
  await fence.pass({ epoch: 2, at: at(1) })
  broken = true
  await fence.pass({ epoch: 2, at: at(2) })
  await fence.stop()
  expect(refused).toEqual([dir])
})
