// Orders of deletion against a real store: what a full report lists while their files are still being moved.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { pagesOf } from '../../../../datanode/heartbeat/fullreport.ts'
import { DeletionGuard } from '../../../../datanode/orders/guard.ts'
import { OrderRunner } from '../../../../datanode/orders/orders.ts'
import { noRunner } from '../../../../datanode/ports.ts'
import { FramePool } from '../../../../src/block/ring.ts'
import { blockId, clusterId } from '../../../../src/base/ids.ts'
import type { Disk } from '../../../../src/ports/disk.ts'
import { silent } from '../../../../src/ports/log.ts'
import { systemClock } from '../../../../src/world/clock.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { checked } from '../../checked.ts'
import { noise } from '../../src/block/kit.ts'
import { openStore, write } from '../store/storekit.ts'

let dir: string
beforeEach(() => { dir = mkdtempSync(join(tmpdir(), 'gristmill-orders-')) })
afterEach(() => { rmSync(dir, { recursive: true, force: true }) })

// The namenode takes a block that a full report lists for one that stays, and may delete its other replica.
test('a full report leaves out blocks whose deletion waits for an earlier one', async () => {
  const { promise: held, resolve: release } = Promise.withResolvers<void>()
  const moved: string[] = []
  const disk: Disk = {
    ...localDisk,
    async rename(from, to) {
      if (to.includes('/trash/')) await held
      await localDisk.rename(from, to)
      if (to.includes('/trash/')) moved.push(to)
    },
  }
  const { store } = await openStore([dir], { disk, trashKeepMs: 3_600_000 })
  for (const id of [1, 2, 3]) await write(store, id, noise(1000, id))
  const orders = checked(new OrderRunner({
    store, runner: noRunner, log: silent, pool: new FramePool(), wires: undefined as never, cluster: () => clusterId('c'), progressMs: 1000,
    guard: new DeletionGuard({ clock: systemClock, log: silent, youngMs: 0, blocks: () => store.blocks, report() {} }),
    report() {}, failed() {}, signal: new AbortController().signal,
  }))
  orders.take({ kind: 'delete', blocks: [blockId(1)] })
  orders.take({ kind: 'delete', blocks: [blockId(2)] })
  const listed = [...pagesOf(store)].flatMap(page => page.storages.flatMap(({ blocks }) => blocks.map(([id]) => id)))
  expect(listed).toEqual([3])
  release()
  await expect.poll(() => moved.filter(name => !name.endsWith('.meta')).length).toBe(2)
  expect(readdirSync(join(dir, 'trash')).length).toBe(4)
})
