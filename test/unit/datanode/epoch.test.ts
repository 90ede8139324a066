// An older epoch was obeyed when its answer came while a newer one was being written to disk, and then replaced it there.

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { EpochFence } from '../../../datanode/heartbeat/epoch.ts'
import type { Disk } from '../../../src/ports/disk.ts'
import { systemClock } from '../../../src/world/clock.ts'
import { localDisk } from '../../../src/world/disk.ts'

let dir: string
beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), 'gristmill-epoch-')) })
afterEach(async () => { await rm(dir, { recursive: true, force: true }) })

const kept = async (): Promise<unknown> => JSON.parse(await readFile(join(dir, 'epoch.json'), 'utf8'))

test('an older epoch is refused while a newer one is still being written', async () => {
  let go = (): void => {}
  const gate = new Promise<void>(resolve => { go = resolve })
  const slow: Disk = { ...localDisk, writeFileDurable: async (...args) => { await gate; return localDisk.writeFileDurable(...args) } }
  const fence = await EpochFence.open(slow, [dir], systemClock)
  const newer = fence.pass({ epoch: 5 })
  const older = expect(fence.pass({ epoch: 4 })).rejects.toMatchObject({ code: 'STALE_EPOCH' })
  go()
  await newer
  await older
  expect(await kept()).toEqual({ epoch: 5 })
})

test('epochs that come together all wait until the newest is on disk', async () => {
  const fence = await EpochFence.open(localDisk, [dir], systemClock)
  await Promise.all([fence.pass({ epoch: 2 }), fence.pass({ epoch: 3 }), fence.pass({ epoch: 7 })])
  expect(await kept()).toEqual({ epoch: 7 })
  expect((await EpochFence.open(localDisk, [dir], systemClock)).highest).toBe(7)
})

test('a write that fails is an error for who waits, and is tried again by the next', async () => {
  let broken = true
  const disk: Disk = { ...localDisk, writeFileDurable: async (...args) => { if (broken) throw new Error('EIO'); return localDisk.writeFileDurable(...args) } }
  const fence = await EpochFence.open(disk, [dir], systemClock)
  await expect(fence.pass({ epoch: 2 })).rejects.toThrow('EIO')
  broken = false
  await fence.pass({ epoch: 2 })
  expect(await kept()).toEqual({ epoch: 2 })
})

test('a disk that takes nothing keeps no epoch from being remembered, as long as another one takes it', async () => {
  let broken = 'a'
  const disk: Disk = { ...localDisk, writeFileDurable: async (path, ...rest) => {
    if (path.startsWith(join(dir, broken))) throw new Error('EIO')
    return localDisk.writeFileDurable(path, ...rest)
  } }
  const dirs = [join(dir, 'a'), join(dir, 'b')]
  for (const each of dirs) await mkdir(each)
  await (await EpochFence.open(disk, dirs, systemClock)).pass({ epoch: 3 })
  broken = 'none'
  // Whichever disk is left has it after the next start, and the one that had missed it is told.
  const again = await EpochFence.open(disk, dirs, systemClock)
  expect(again.highest).toBe(3)
  await expect(again.pass({ epoch: 2 })).rejects.toMatchObject({ code: 'STALE_EPOCH' })
  expect((await EpochFence.open(disk, [dirs[0]!], systemClock)).highest).toBe(3)
})

test('a file that cannot be understood is an error only where no disk has a good one', async () => {
  const dirs = [join(dir, 'a'), join(dir, 'b')]
  for (const each of dirs) await mkdir(each)
  for (const text of ['', '{', '{"epoch":"x"}', '{}']) {
    await writeFile(join(dirs[0]!, 'epoch.json'), text)
    await rm(join(dirs[1]!, 'epoch.json'), { force: true })
    await expect(EpochFence.open(localDisk, dirs, systemClock), text).rejects.toMatchObject({ code: 'CORRUPT' })
    await writeFile(join(dirs[1]!, 'epoch.json'), '{"epoch":4}')
    expect((await EpochFence.open(localDisk, dirs, systemClock)).highest).toBe(4)
    expect(JSON.parse(await readFile(join(dirs[0]!, 'epoch.json'), 'utf8'))).toEqual({ epoch: 4 })
  }
})
