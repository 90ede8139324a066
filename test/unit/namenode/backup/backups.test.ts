// Automatic backups of a namenode: schedule, number kept, and failures of their disk. Real files, time moved by
// hand.

import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Backups, knownDirs, type BackupPlan } from '../../../../namenode/backup/backups.ts'
import { backupsIn, verifyBackup } from '../../../../namenode/backup/backupdir.ts'
import { LocalJournal } from '../../../../namenode/journal/local.ts'
import { MutationRegistry } from '../../../../namenode/journal/operation.ts'
import { allMutations } from '../../../../namenode/rooms.ts'
import { format } from '../../../../namenode/namespace/format.ts'
import { touch } from '../../../../namenode/namespace/names.ts'
import { clusterId } from '../../../../src/base/ids.ts'
import type { Store } from '../../../../src/ports/store.ts'
import { realWorld } from '../../../../src/world/world.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'
import { root } from '../kit.ts'

const world = realWorld({ name: 'test', logLevel: 'silent' })
const cluster = clusterId('cluster-test')
const hour = 3_600_000
let dir = ''
let clock: ManualClock
let store: Store
let journal: LocalJournal
let made = 0
const errors: string[] = []
const log = { ...world.log, info: () => {}, error: (message: string) => void errors.push(message) }

beforeEach(async () => {
  dir = await fs.mkdtemp(path.join(os.tmpdir(), 'gristmill-backups-'))
  clock = new ManualClock()
  errors.length = 0
  store = await world.openStore(`${dir}/store`, { sync: false })
  journal = await LocalJournal.open({
    store, disk: world.disk, clock, log: world.log, dir: `${dir}/journal`, registry: new MutationRegistry(allMutations), sync: false,
    onFatal: () => {},
  })
  await journal.submit(format, { cluster, owner: 'grace', nowMs: 1 })
})
afterEach(async () => {
  await journal.close()
  await store.close()
  await fs.rm(dir, { recursive: true, force: true })
})

const change = (): Promise<unknown> =>
  journal.submit(touch, { ...root, path: `/f${made++}`, replication: 1, blockBytes: 4096, nowMs: 1 } as never)

async function open(plan: Partial<BackupPlan> = {}): Promise<Backups> {
  const backups = new Backups({
    world: { ...world, clock, log }, store, journal, cluster, namenode: 'nn', dir,
    plan: { dir: `${dir}/backups`, everyMs: 6 * hour, keep: 2, ...plan },
  })
  await backups.start()
  return backups
}

/** Moves time, with a check every ten minutes. */
async function pass(backups: Backups, ms: number): Promise<void> {
  for (let at = 0; at < ms; at += hour / 6) {
    clock.pass(hour / 6)
    await backups.chore.work()
  }
}

const there = async (): Promise<number[]> => (await backupsIn(world.disk, `${dir}/backups`)).map(({ seq }) => seq)
const seq = (): number => journal.view.counters.appliedSeq

test('the first comes soon after the start, the others in their time, if anything has changed; old ones go', async () => {
  const backups = await open()
  await backups.chore.work()
  expect(await there()).toEqual([])
  await pass(backups, hour / 6)
  const first = seq()
  expect(await there()).toEqual([first])
  await pass(backups, 24 * hour)
  expect(await there()).toEqual([first])
  await change()
  await pass(backups, hour / 6)
  const second = seq()
  expect(await there()).toEqual([second, first])
  await change()
  await pass(backups, 5 * hour)
  expect(await there()).toEqual([second, first])
  await pass(backups, hour)
  expect(await there()).toEqual([seq(), second])
  for (const backup of await backupsIn(world.disk, `${dir}/backups`)) await verifyBackup(world, backup)
  expect(errors).toEqual([])
})

test('a namenode that was started again goes on with the backups that are there', async () => {
  await pass(await open(), hour)
  await change()
  const again = await open()
  expect(again.known).toHaveLength(1)
  await pass(again, 4 * hour)
  expect(await there()).toHaveLength(1)
  await pass(again, 2 * hour)
  expect(await there()).toHaveLength(2)
})

test('a backup that was requested in another directory is known, and is not removed', async () => {
  const backups = await open()
  const mine = await backups.take(`${dir}/mine`)
  for (let i = 0; i < 5; i++) {
    await change()
    await pass(backups, 7 * hour)
  }
  expect(await there()).toHaveLength(2)
  await verifyBackup(world, mine)
  expect(new Set(await knownDirs(world.disk, dir))).toEqual(new Set([`${dir}/mine`, `${dir}/backups`]))
})

test('a disk that takes no backup is tried again later, and what was half made does not count', async () => {
  const backups = await open()
  const real = store.backup.bind(store)
  store.backup = async to => {
    await real(to)
    await fs.truncate(`${to}/data.mdb`, 5000)
  }
  await pass(backups, hour)
  expect(errors.length).toBeGreaterThan(1)
  expect(errors.length).toBeLessThan(7)
  expect(await there()).toEqual([])
  expect((await fs.readdir(`${dir}/backups`)).sort()).toEqual(['gristmill-backups.json'])
  store.backup = real
  await pass(backups, hour)
  expect(await there()).toEqual([seq()])
})

test('a row that is bad in the copy is looked at in the store: if it is bad there, the namenode ends', async () => {
  const backups = await open()
  for (let i = 0; i < 5; i++) await change()
  const children = store.table('children')
  const [row] = [...children.range({ limit: 1, reverse: true })]
  const bad = Buffer.from(row!.value)
  bad[0]! ^= 1
  const real = store.backup.bind(store)
  store.backup = async to => {
    await real(to)
    const copy = await world.openStore(to, { sync: false })
    const table = copy.table('children')
    copy.transact(() => table.put(row!.key, bad))
    await copy.close()
  }
  await expect(backups.take(`${dir}/a`)).rejects.toMatchObject({ code: 'CORRUPT', message: expect.stringContaining('only the copy is') })
  await change()
  store.backup = real
  store.transact(() => children.put(row!.key, bad))
  await expect(backups.take(`${dir}/a`)).rejects.toMatchObject({ code: 'CORRUPT', message: expect.stringContaining('namenode recover') })
  await expect(change()).rejects.toMatchObject({ code: 'CORRUPT' })
})

test('two at a time are not made, and none by itself where that was not wanted', async () => {
  const backups = await open({ everyMs: 0 })
  await change()
  await pass(backups, 48 * hour)
  expect(await there()).toEqual([])
  const [one, other] = await Promise.allSettled([backups.take(`${dir}/a`), backups.take(`${dir}/b`)])
  expect([one.status, other.status]).toEqual(['fulfilled', 'rejected'])
  expect(other).toMatchObject({ reason: { code: 'EBUSY' } })
})

test('all clients are served while a backup is made, and it is of one moment', async () => {
  for (let i = 0; i < 300; i++) await change()
  const backups = await open()
  const taking = backups.take(`${dir}/a`)
  let during = 0
  let done = false
  void taking.finally(() => { done = true })
  while (!done) {
    await change()
    during++
  }
  const backup = await taking
  expect(during).toBeGreaterThan(1)
  expect(backup.seq).toBeLessThanOrEqual(seq())
  expect(await verifyBackup(world, backup)).toMatchObject({ counters: { appliedSeq: backup.seq, files: backup.files } })
})

test('a process that is short-lived makes one at its end, when its journal does not reach back to the beginning and a day has passed', async () => {
  const ended = async (): Promise<number[]> => {
    const backups = await open({ atEnd: true, everyMs: 24 * hour })
    await backups.stop()
    return there()
  }
  await change()
  // The journal alone suffices, for now.
  expect(await ended()).toEqual([])
  for (let life = 0; life < 4; life++) {
    await journal.close()
    journal = await LocalJournal.open({
      store, disk: world.disk, clock, log: world.log, dir: `${dir}/journal`, registry: new MutationRegistry(allMutations), sync: false,
      onFatal: () => {},
      segmentLimits: { segmentBytes: 1 << 20, keptBytes: 1, keptFiles: 1, heldBytes: 1 << 30 },
    })
    await change()
  }
  expect(journal.firstSeq).toBeGreaterThan(1)
  const first = seq()
  expect(await ended()).toEqual([first])
  await change()
  clock.pass(hour)
  expect(await ended()).toEqual([first])
  clock.pass(24 * hour)
  expect(await ended()).toEqual([seq(), first])
  const other = await open()
  await change()
  clock.pass(24 * hour)
  await other.stop()
  expect(await there()).toHaveLength(2)
  expect(errors).toEqual([])
})

test('a backup that is found at a start lets go of the journal only when its name is durable', async () => {
  await change()
  await (await open()).take(`${dir}/elsewhere`)
  let refuse = false
  const synced: string[] = []
  const disk = { ...world.disk, async syncDir(at: string) {
    if (refuse && at === `${dir}/elsewhere`) throw Object.assign(new Error('EIO'), { code: 'EIO' })
    synced.push(at)
    return world.disk.syncDir(at)
  } }
  const again = async (): Promise<Backups> => {
    const backups = new Backups({ world: { ...world, disk, clock, log }, store, journal, cluster, namenode: 'nn', dir, plan: undefined })
    await backups.start()
    return backups
  }
  expect((await again()).known).toHaveLength(1)
  expect(synced).toContain(`${dir}/elsewhere`)
  refuse = true
  expect((await again()).known).toEqual([])
})

test('a directory with any foreign file is refused, and the name of a new backup is durable before it counts', async () => {
  const backups = await open()
  await fs.mkdir(`${dir}/theirs`)
  await fs.writeFile(`${dir}/theirs/letter.txt`, '')
  await expect(backups.take(`${dir}/theirs`)).rejects.toMatchObject({ code: 'DIR_FOREIGN', message: expect.stringContaining('letter.txt') })
  await change()
  const steps: string[] = []
  const disk = { ...world.disk,
    async rename(from: string, to: string) { await world.disk.rename(from, to); if (to.startsWith(`${dir}/mine/`)) steps.push('rename') },
    async syncDir(at: string) { await world.disk.syncDir(at); if (at === `${dir}/mine`) steps.push('sync') } }
  const watched = new Backups({
    world: { ...world, disk, clock, log: { ...log, info: () => void steps.push('told') } },
    store, journal, cluster, namenode: 'nn', dir, plan: undefined,
  })
  await watched.take(`${dir}/mine`)
  expect(steps.slice(steps.indexOf('rename'))).toEqual(['rename', 'sync', 'told'])
})

test('a clock that was set back by more than the time between two backups makes the next one due', async () => {
  const backups = await open()
  await pass(backups, hour / 2)
  const first = await there()
  expect(first).toHaveLength(1)
  await change()
  await backups.chore.work()
  expect(await there()).toEqual(first)
  const { now } = clock
  clock.now = () => now.call(clock) - 7 * hour
  await backups.chore.work()
  expect(await there()).toHaveLength(2)
})
