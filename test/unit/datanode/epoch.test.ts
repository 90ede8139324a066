// An older epoch was obeyed when its answer came while a newer one was being written to disk, and then replaced it there.

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { EpochFence } from '../../../datanode/heartbeat/epoch.ts'
import type { Disk } from '../../../src/ports/disk.ts'
import { localDisk } from '../../../src/world/disk.ts'

let dir: string
beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), 'gristmill-epoch-')) })
afterEach(async () => { await rm(dir, { recursive: true, force: true }) })

const kept = async (): Promise<unknown> => JSON.parse(await readFile(join(dir, 'epoch.json'), 'utf8'))

test('an older epoch is refused while a newer one is still being written', async () => {
  let go = (): void => {}
  const gate = new Promise<void>(resolve => { go = resolve })
  const slow: Disk = { ...localDisk, writeFileDurable: async (...args) => { await gate; return localDisk.writeFileDurable(...args) } }
  const fence = await EpochFence.open(slow, dir)
  const newer = fence.pass(5)
  const older = expect(fence.pass(4)).rejects.toMatchObject({ code: 'STALE_EPOCH' })
  go()
  await newer
  await older
  expect(await kept()).toEqual({ epoch: 5 })
})

test('epochs that come together all wait until the newest is on disk', async () => {
  const fence = await EpochFence.open(localDisk, dir)
  await Promise.all([fence.pass(2), fence.pass(3), fence.pass(7)])
  expect(await kept()).toEqual({ epoch: 7 })
  expect((await EpochFence.open(localDisk, dir)).highest).toBe(7)
})

test('a write that fails is an error for who waits, and is tried again by the next', async () => {
  let broken = true
  const disk: Disk = { ...localDisk, writeFileDurable: async (...args) => { if (broken) throw new Error('EIO'); return localDisk.writeFileDurable(...args) } }
  const fence = await EpochFence.open(disk, dir)
  await expect(fence.pass(2)).rejects.toThrow('EIO')
  broken = false
  await fence.pass(2)
  expect(await kept()).toEqual({ epoch: 2 })
})
