// Recovery of a namenode's state after disk damage: rebuilt from backups and journal, on real files. Acknowledged operations are present,
// or reported as lost; nothing is deleted; and namenodes with the old state are refused from then on.

import fs from 'node:fs/promises'
import { createHash } from 'node:crypto'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Backups } from '../../../../namenode/backup/backups.ts'
import { factsOf } from '../../../../namenode/backup/digest.ts'
import { recover } from '../../../../namenode/backup/recover.ts'
import { backupsIn, verifyBackup } from '../../../../namenode/backup/backupdir.ts'
import { tables } from '../../../../namenode/journal/keys.ts'
import { LocalJournal } from '../../../../namenode/journal/local.ts'
import { MutationRegistry } from '../../../../namenode/journal/operation.ts'
import { lostBlocks } from '../../../../namenode/succession/recovered.ts'
import type { SegmentLimits } from '../../../../namenode/journal/segments.ts'
import { allMutations } from '../../../../namenode/rooms.ts'
import { format } from '../../../../namenode/namespace/format.ts'
import { mkdir, remove, touch } from '../../../../namenode/namespace/names.ts'
import { locate } from '../../../../namenode/namespace/locate.ts'
import { list } from '../../../../namenode/namespace/read.ts'
import { complete, create } from '../../../../namenode/writing/mutations.ts'
import { put } from '../../../../namenode/writing/put.ts'
import { clusterId } from '../../../../src/base/ids.ts'
import { bytesOf, contentOf } from '../../../../src/file/small.ts'
import { openHome } from '../../../../src/home/home.ts'
import type { World } from '../../../../src/ports/world.ts'
import { seeded } from '../../../../src/world/random.ts'
import { realWorld } from '../../../../src/world/world.ts'
import { root } from '../kit.ts'

const world: World = realWorld({ name: 'test', logLevel: 'silent' })
const cluster = clusterId('cluster-test')
const small: SegmentLimits = { segmentBytes: 3_000, keptBytes: 1e9, keptFiles: 1e6, heldBytes: 1e9 }
let dir = ''

beforeEach(async () => { dir = await fs.mkdtemp(path.join(os.tmpdir(), 'gristmill-recover-')) })
afterEach(() => fs.rm(dir, { recursive: true, force: true }))

interface Life {
  readonly journal: LocalJournal
  readonly backups: Backups
  names(path?: string): string[]
  make(path: string): Promise<unknown>
  file(path: string): Promise<unknown>
  end(): Promise<void>
}

/** One life of a namenode's state in `at`, without the rest of the namenode. */
async function live(at = `${dir}/nn`, segmentLimits = small): Promise<Life> {
  const home = await openHome(world, at, { role: 'namenode' })
  const store = await world.openStore(`${at}/store`, { sync: false })
  const { disk, clock, log } = world
  try {
    const journal = await LocalJournal.open({
      store, disk, clock, log, dir: `${at}/journal`, registry: new MutationRegistry(allMutations), sync: false, segmentLimits,
      onFatal: () => {},
    })
    if (journal.view.counters.appliedSeq === 0) {
      await journal.submit(format, { cluster, owner: 'grace', nowMs: 1 })
      await home.stamp(cluster)
    }
    const backups = new Backups({ world, store, journal, cluster, namenode: home.id, dir: at, plan: undefined })
    await backups.start()
    const nowMs = 1_700_000_000_000
    return {
      journal, backups,
      names: (where = '/') => list(journal.view, root, { path: where }).entries.map(entry => entry.path),
      make: where => journal.submit(mkdir, { ...root, path: where, nowMs } as never),
      file: async where => {
        const { lease, blocks } = await journal.submit(create, {
          ...root, path: where, replication: 2, blockBytes: 4096, blocks: 1, nowMs,
        } as never)
        return journal.submit(complete, { ...root, lease, blocks: [{ id: blocks[0], length: 10, crc: 1, aligned: true }], nowMs } as never)
      },
      async end() {
        await journal.close()
        await store.close()
        await home.release()
      },
    }
  } catch (error) {
    await store.close()
    await home.release()
    throw error
  }
}

const files = async (at: string): Promise<string[]> => (await fs.readdir(at)).sort()
const segments = async (): Promise<string[]> => (await files(`${dir}/nn/journal`)).map(name => `${dir}/nn/journal/${name}`)

async function flip(file: string, at?: number): Promise<void> {
  const bytes = await fs.readFile(file)
  bytes[at ?? Math.floor(bytes.length / 2)]! ^= 0x10
  await fs.writeFile(file, bytes)
}

/** Damage that is noticed whichever page it hits. */
const spoilStore = (at = `${dir}/nn`): Promise<void> => fs.truncate(`${at}/store/data.mdb`, 10_000)

async function history({ backup = 0, count = 30 }: { backup?: number; count?: number } = {}): Promise<string[]> {
  const life = await live()
  for (let i = 0; i < count; i++) {
    if (backup > 0 && i === backup) await life.backups.take(`${dir}/backups`)
    await life.make(`/d${i}`)
    await life.file(`/d${i}/f`)
  }
  const names = life.names()
  await life.end()
  return names
}

test('a backup is a store that was looked at, and says what it holds', async () => {
  const life = await live()
  for (let i = 0; i < 20; i++) await life.file(`/f${i}`)
  const made = await life.backups.take(`${dir}/backups`)
  const { counters } = life.journal.view
  expect(made).toMatchObject({ cluster, seq: counters.appliedSeq, epoch: 1, files: counters.files, blocks: 20 })
  expect(await verifyBackup(world, made)).toMatchObject({ digest: made.digest })
  // No operation since: the same backup.
  expect(await life.backups.take(`${dir}/backups`)).toEqual(made)
  await life.file('/more')
  const next = await life.backups.take(`${dir}/backups`)
  expect((await backupsIn(world.disk, `${dir}/backups`)).map(({ seq }) => seq)).toEqual([next.seq, made.seq])
  await life.end()
  // The copy equals the state, wherever its pages are.
  expect((await factsOf(world, `${dir}/nn/store`)).digest).toBe(next.digest)
  await flip(`${made.path}/data.mdb`, 3 * 4096 - 9)
  await expect(verifyBackup(world, made)).rejects.toMatchObject({ code: 'CORRUPT' })
})

test('the digest of a state is what the page on backups says, and one changed bit changes it', async () => {
  const life = await live()
  for (let i = 0; i < 40; i++) await life.file(`/${'f'.repeat(i + 1)}`)
  const { digest, path: at } = await life.backups.take(`${dir}/backups`)
  await life.end()
  const sum = (flip = -1): string => {
    const hash = createHash('sha256')
    let rows = 0
    for (const name of [...tables].sort()) {
      const found = [...copy.table(name).range({})]
      if (found.length > 0) hash.update(`\n${name}\n`)
      for (const { key, value } of found) {
        const head = Buffer.alloc(8)
        head.writeUInt32LE(key.length, 0)
        head.writeUInt32LE(value.length, 4)
        if (rows++ === flip) value[0]! ^= 1
        hash.update(head).update(key).update(value)
      }
    }
    return hash.digest('hex')
  }
  const copy = await world.openStore(at, { sync: false })
  for (const name of tables) copy.table(name)
  expect(sum()).toBe(digest)
  expect(sum(50)).not.toBe(digest)
  await copy.close()
})

test('a directory with foreign files is not written to', async () => {
  const life = await live()
  await fs.mkdir(`${dir}/mine`)
  await fs.writeFile(`${dir}/mine/thesis.txt`, 'x')
  await expect(life.backups.take(`${dir}/mine`)).rejects.toMatchObject({
    code: 'DIR_FOREIGN', message: expect.stringContaining('thesis.txt'),
  })
  await fs.mkdir(`${dir}/other`)
  await fs.writeFile(`${dir}/other/gristmill-backups.json`, '{"format":1,"cluster":"cluster-other"}')
  await expect(life.backups.take(`${dir}/other`)).rejects.toMatchObject({
    code: 'DIR_FOREIGN', message: expect.stringContaining('cluster-other'),
  })
  expect(await files(`${dir}/mine`)).toEqual(['thesis.txt'])
  await life.end()
})

test('the journal is kept from the oldest kept backup on, whatever the limits say', async () => {
  const life = await live(`${dir}/nn`, { ...small, keptFiles: 2 })
  for (let i = 0; i < 40; i++) await life.make(`/a${i}`)
  expect((await segments()).length).toBeLessThanOrEqual(4)
  const { seq } = await life.backups.take(`${dir}/backups`)
  for (let i = 0; i < 200; i++) await life.make(`/b${i}`)
  expect(life.journal.firstSeq).toBeLessThanOrEqual(seq + 1)
  expect((await segments()).length).toBeGreaterThan(4)
  await life.end()
  await spoilStore()
  expect(await recover(world, { dir: `${dir}/nn`, backup: `${dir}/backups` })).toMatchObject({
    outcome: 'recovered', base: 'backup', lost: 0, uncertain: false,
  })
})

test('a store and journal that are sound need nothing, and nothing is touched', async () => {
  await history({ backup: 10 })
  const before = await files(`${dir}/nn`)
  expect(await recover(world, { dir: `${dir}/nn` })).toMatchObject({
    outcome: 'nothing', lost: 0, uncertain: false, damage: [], aside: undefined,
  })
  expect(await files(`${dir}/nn`)).toEqual(before)
})

test('a damaged store is rebuilt from a backup and the journal: everything acknowledged is there, and two ways agree', async () => {
  const names = await history({ backup: 10 })
  const digest = (await factsOf(world, `${dir}/nn/store`)).digest
  await spoilStore()
  await expect(factsOf(world, `${dir}/nn/store`)).rejects.toMatchObject({ code: 'CORRUPT' })
  const before = await files(`${dir}/nn`)
  const planned = await recover(world, { dir: `${dir}/nn`, dryRun: true })
  expect(planned).toMatchObject({
    outcome: 'planned', base: 'backup', lost: 0, uncertain: false, damage: [expect.stringContaining('data.mdb')],
  })
  expect(await files(`${dir}/nn`)).toEqual(before)
  // The namenode has recorded the location of its backups.
  const done = await recover(world, { dir: `${dir}/nn` })
  expect(done).toMatchObject({
    outcome: 'recovered', seq: planned.seq, baseSeq: planned.baseSeq, backup: planned.backup, damage: planned.damage, lost: 0,
    uncertain: false, epoch: 2, digest, confirmed: true, files: 30, blocks: 30, aside: `${dir}/nn/damaged-1`,
  })
  expect(await files(`${dir}/nn/damaged-1`)).toEqual(['journal', 'store'])
  const life = await live()
  expect(life.names()).toEqual(names)
  expect(life.journal.view.counters).toMatchObject({ epoch: 2, appliedSeq: done.seq + 1 })
  expect(lostBlocks(life.journal.view)).toEqual([])
  await life.make('/after')
  await life.end()
  expect(await recover(world, { dir: `${dir}/nn` })).toMatchObject({ outcome: 'nothing' })
})

test('without a backup, a journal that reaches back to the beginning is enough', async () => {
  const names = await history()
  const { digest } = await factsOf(world, `${dir}/nn/store`)
  await fs.rm(`${dir}/nn/store`, { recursive: true })
  expect(await recover(world, { dir: `${dir}/nn` })).toMatchObject({ outcome: 'recovered', base: 'journal', lost: 0, digest })
  const life = await live()
  expect(life.names()).toEqual(names)
  await life.end()
})

test('a backup that is damaged too is passed over for an older one', async () => {
  const life = await live()
  for (let i = 0; i < 40; i++) await life.make(`/a${i}`)
  const old = await life.backups.take(`${dir}/backups`)
  for (let i = 0; i < 10; i++) await life.make(`/b${i}`)
  const newer = await life.backups.take(`${dir}/backups`)
  for (let i = 0; i < 10; i++) await life.make(`/c${i}`)
  await life.end()
  await spoilStore()
  await fs.truncate(`${newer.path}/data.mdb`, 9000)
  // The beginning of the journal is lost as well.
  await fs.rm((await segments())[0]!)
  const done = await recover(world, { dir: `${dir}/nn` })
  expect(done).toMatchObject({
    outcome: 'recovered', base: 'backup', backup: old.path, lost: 0, passedOver: [expect.stringContaining(newer.path)],
  })
  const again = await live()
  expect(again.names()).toHaveLength(60)
  await again.end()
})

test('a journal that is damaged where the store has its operations costs nothing', async () => {
  const names = await history()
  const [, second] = await segments()
  await flip(second!)
  const done = await recover(world, { dir: `${dir}/nn` })
  expect(done).toMatchObject({ outcome: 'recovered', base: 'store', lost: 0, damage: [expect.stringContaining(second!)] })
  expect(await files(`${dir}/nn/damaged-1/journal`)).toEqual([path.basename(second!)])
  const life = await live()
  expect(life.names()).toEqual(names)
  await life.end()
})

test('operations that cannot be read are counted, and their ids are never given out again', async () => {
  await history({ backup: 10 })
  await spoilStore()
  const all = await segments()
  const broken = all[all.length - 3]!
  await flip(broken)
  const done = await recover(world, { dir: `${dir}/nn` })
  expect(done.outcome).toBe('recovered')
  expect(done.uncertain).toBe(true)
  expect(done.lost).toBeGreaterThan(0)
  expect(done.damage.join()).toContain(`nothing leads from operation ${done.seq} to ${done.seq + done.lost}`)
  // Everything from the damage on is set aside unchanged; the valid part of the damaged file is back in its place.
  expect(await files(`${dir}/nn/damaged-1/journal`)).toEqual(all.slice(-3).map(file => path.basename(file)))
  const life = await live()
  const { nextBlock } = life.journal.view.counters
  const [lost] = lostBlocks(life.journal.view)
  expect(lost!.to).toBe(nextBlock)
  expect(lost!.to - lost!.from).toBeGreaterThan(1e9)
  await life.file('/after')
  expect(life.names().length).toBeGreaterThan(10)
  await life.end()
  // The next life's journal follows on, and a second accident is survived.
  await spoilStore()
  expect(await recover(world, { dir: `${dir}/nn` })).toMatchObject({ outcome: 'recovered', lost: 0, epoch: done.epoch + 1 })
  expect(done.epoch).toBeGreaterThan(2 ** 30)
})

test('a backup is restored on other hardware, and its namenode outranks the old one', async () => {
  await history({ backup: 20 })
  const [backup] = await backupsIn(world.disk, `${dir}/backups`)
  const done = await recover(world, { dir: `${dir}/elsewhere`, backup: backup!.path, epoch: 7 })
  expect(done).toMatchObject({ outcome: 'recovered', base: 'backup', seq: backup!.seq, uncertain: true, epoch: 7, cluster })
  const life = await live(`${dir}/elsewhere`)
  expect(life.names()).toHaveLength(20)
  expect(lostBlocks(life.journal.view)).toHaveLength(1)
  await life.end()
})

test('without any usable base, recovery fails and touches nothing', async () => {
  await history()
  await spoilStore()
  for (const segment of await segments()) await flip(segment, 10)
  await fs.rm((await segments())[0]!)
  const before = await files(`${dir}/nn`)
  await expect(recover(world, { dir: `${dir}/nn` })).rejects.toMatchObject({
    code: 'CORRUPT',
    message: expect.stringMatching(/nothing .* can be rebuilt.*--backup/s),
  })
  expect(await files(`${dir}/nn`)).toEqual(before)
  await expect(recover(world, { dir: `${dir}/nn`, backup: `${dir}/nowhere` })).rejects.toMatchObject({ code: 'ENOENT' })
})

test('a recovery that is cut off at any step is done by the next one, which knows what the first one knew', async () => {
  await history({ backup: 10 })
  await spoilStore()
  await flip((await segments()).at(-3)!)
  await fs.cp(`${dir}/nn`, `${dir}/kept`, { recursive: true })
  const { disk } = world
  let steps = Infinity
  let digest: string | undefined
  for (let stopAt = 0; stopAt < steps; stopAt++) {
    await fs.rm(`${dir}/nn`, { recursive: true })
    await fs.cp(`${dir}/kept`, `${dir}/nn`, { recursive: true })
    let step = 0
    const cutting = { ...disk }
    for (const name of ['rename', 'writeFileDurable', 'create', 'mkdir', 'remove', 'removeTree'] as const) {
      const real = disk[name] as (...args: never[]) => unknown
      Object.assign(cutting, { [name]: async (...args: never[]) => {
        if (step++ === stopAt) throw Object.assign(new Error('cut'), { code: 'CUT' })
        return real(...args)
      } })
    }
    const done = await recover({ ...world, disk: cutting }, { dir: `${dir}/nn` }).catch((error: Error) => {
      expect(error.message).toMatch(/cut|CUT/)
    })
    if (done) steps = step
    const again = await recover(world, { dir: `${dir}/nn` })
    expect(again, `cut at step ${stopAt}`).toMatchObject({ uncertain: again.outcome !== 'nothing' })
    const life = await live()
    digest ??= life.names().join()
    expect(life.names().join(), `cut at step ${stopAt}`).toBe(digest)
    expect(lostBlocks(life.journal.view).length, `cut at step ${stopAt}`).toBeGreaterThan(0)
    expect(life.journal.view.counters.epoch).toBeGreaterThan(1)
    await life.end()
  }
  expect(steps).toBeGreaterThan(10)
})

test('a state at operation n is the fold of the first n operations, for random histories', async () => {
  const seed = 977
  const random = seeded(seed)
  for (let round = 0; round < 4; round++) {
    const at = `${dir}/r${round}`
    const life = await live(at)
    for (let i = 0; i < 150; i++) {
      const name = `/n${random.below(30)}`
      const what = random.below(4)
      const done = what === 0 ? life.make(name) : what === 1 ? life.file(name) : what === 2
        ? life.journal.submit(touch, { ...root, path: name, replication: 1, blockBytes: 4096, nowMs: i } as never)
        : life.journal.submit(remove, { ...root, path: name, recursive: true, nowMs: i } as never)
      await done.catch(() => {})
      if (i === 70) await life.backups.take(`${at}-backups`)
    }
    await life.end()
    const { digest } = await factsOf(world, `${at}/store`)
    await spoilStore(at)
    // From the backup and from the beginning; `confirmed` means that both gave the same state.
    expect(await recover(world, { dir: at }), `seed ${seed}, round ${round}`).toMatchObject({
      outcome: 'recovered', confirmed: true, digest, lost: 0,
    })
  }
})

test('the base that reaches furthest is chosen: a damaged journal leads from a backup less far than the store does', async () => {
  const names = await history({ backup: 10 })
  await flip((await segments()).at(-3)!)
  expect(await recover(world, { dir: `${dir}/nn` })).toMatchObject({ outcome: 'recovered', base: 'store', lost: 0 })
  const life = await live()
  expect(life.names()).toEqual(names)
  await life.end()
})

test('a backup whose values are sound and are not those of its manifest is not used', async () => {
  await history({ backup: 10 })
  const [backup] = await backupsIn(world.disk, `${dir}/backups`)
  await expect(verifyBackup(world, { ...backup!, digest: '0'.repeat(64) })).rejects.toMatchObject({ code: 'CORRUPT' })
  await expect(verifyBackup(world, { ...backup!, rows: backup!.rows + 1 })).rejects.toMatchObject({ code: 'CORRUPT' })
  await expect(verifyBackup(world, { ...backup!, seq: backup!.seq + 1 })).rejects.toMatchObject({ code: 'CORRUPT' })
  expect((await verifyBackup(world, backup!)).digest).toBe(backup!.digest)
})

/** Writes a file whose bytes are in the store. */
const inline = (life: Life, where: string, text: string): Promise<unknown> => life.journal.submit(put, {
  ...root, path: where, content: contentOf(Buffer.from(text)), replication: 3, blockBytes: 4096, nowMs: 1_700_000_000_000,
} as never)
const nowhere = { map: {} as never, registry: { all: [] } as never, tokens: {} as never, random: {} as never, continues: () => false }
const textOf = ({ journal: { view } }: Life, where: string): string => {
  const { status, content } = locate({ view, ...nowhere }, root, { path: where })
  return bytesOf(content!, status).toString()
}

test('the bytes of inlined files come back from a backup and the journal, and from the journal alone', async () => {
  const life = await live()
  await inline(life, '/before', 'in the backup')
  await inline(life, '/replaced', 'old')
  await life.backups.take(`${dir}/backups`)
  await inline(life, '/after', 'in the journal')
  await life.journal.submit(remove, { ...root, path: '/replaced', nowMs: 1_700_000_000_001 } as never)
  await inline(life, '/replaced', 'new')
  await life.end()
  for (const base of ['backup', 'journal']) {
    if (base === 'journal') await fs.rm(`${dir}/backups`, { recursive: true })
    await spoilStore()
    expect(await recover(world, { dir: `${dir}/nn` })).toMatchObject({ outcome: 'recovered', base, lost: 0, uncertain: false, files: 3 })
    const again = await live()
    expect(['/before', '/replaced', '/after'].map(each => textOf(again, each))).toEqual(['in the backup', 'new', 'in the journal'])
    await again.end()
  }
})

test('a version that does not know inlined files refuses a journal with them instead of showing less', async () => {
  const life = await live()
  const backup = await life.backups.take(`${dir}/backups`)
  await inline(life, '/small', 'rye')
  await life.end()
  // The store of before, so that the operations of the journal have to be applied.
  await fs.cp(`${backup.path}/data.mdb`, `${dir}/nn/store/data.mdb`)
  const store = await world.openStore(`${dir}/nn/store`, { sync: false })
  const registry = new MutationRegistry(allMutations.filter(each => each !== put))
  const { disk, clock, log } = world
  const opening = LocalJournal.open({ store, disk, clock, log, dir: `${dir}/nn/journal`, registry, sync: false, onFatal: () => {} })
  await expect(opening).rejects.toThrow('writing.put')
  await store.close()
  const again = await live()
  expect(textOf(again, '/small')).toBe('rye')
  await again.end()
})
