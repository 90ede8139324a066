// Reception of a block: early writes and syncs to the disk, and their failures.

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { GristmillError } from '../../../../src/base/errors.ts'
import { blockId } from '../../../../src/base/ids.ts'
import { ChunkTable } from '../../../../src/block/checksum.ts'
import type { Disk } from '../../../../src/ports/disk.ts'
import type { Failpoints } from '../../../../src/ports/failpoints.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { openStore, placeOf, refusal, tableOf, write } from './storekit.ts'
import { noise } from '../../src/block/kit.ts'

let dir: string
beforeEach(() => { dir = mkdtempSync(join(tmpdir(), 'gristmill-incoming-')) })
afterEach(() => { rmSync(dir, { recursive: true, force: true }) })

const MiB = 1 << 20
const piece = Buffer.alloc(16 * MiB)

/** A disk that counts bytes and discards them. The test answers each sync of a block's data; syncs of meta files succeed at once. */
class SlowDisk {
  readonly events: string[] = []
  readonly syncs: Array<PromiseWithResolvers<void>> = []
  readonly disk: Disk = {
    ...localDisk,
    create: async (path, options) => {
      const writer = await localDisk.create(path, options)
      const isMeta = path.endsWith('.meta')
      let bytes = 0
      return {
        get bytes() { return bytes },
        writeSync: part => { bytes += part.length },
        sync: async () => {
          if (isMeta) return
          const sync = Promise.withResolvers<void>()
          this.syncs.push(sync)
          await sync.promise.finally(() => { this.events.push('synced') })
        },
        syncSync: () => {},
        close: async () => {
          if (!isMeta) this.events.push('closed')
          await writer.close()
        },
      }
    },
  }
}

function tableOfPieces(count: number): ChunkTable {
  const table = new ChunkTable()
  for (let i = 0; i < count * piece.length / 65_536; i++) table.add(0, 65_536)
  return table
}

/** Runs everything that is ready. */
const turn = (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })

test('a block is synced every 32 MiB while more of it arrives, one sync at a time', async () => {
  const { disk, syncs } = new SlowDisk()
  const { store, added } = await openStore([dir], { disk })
  const incoming = await store.receive(blockId(1), 10 * piece.length)
  const counts: number[] = []
  const writeOne = (): void => { incoming.write(piece); counts.push(syncs.length) }
  for (let i = 0; i < 4; i++) writeOne()
  syncs[0]!.resolve()
  await turn()
  // 80 MiB are written, 32 of them synced: the next sync covers all 80, and the one after it waits for 32 MiB more.
  writeOne()
  syncs[1]!.resolve()
  await turn()
  for (let i = 0; i < 3; i++) writeOne()
  expect(counts).toEqual([0, 1, 1, 1, 2, 2, 3, 3])
  const sealed = incoming.seal(tableOfPieces(8))
  await turn()
  // The running sync is awaited before the last one starts.
  expect(syncs).toHaveLength(3)
  syncs[2]!.resolve()
  await expect.poll(() => syncs.length, { timeout: 120_000 }).toBe(4)
  expect(added).toEqual([])
  syncs[3]!.resolve()
  await sealed
  expect(added.map(({ id, length }) => [id, length])).toEqual([[1, 8 * piece.length]])
})

for (const when of ['before the end', 'when the end has come already'] as const) {
  test(`a sync that fails ${when} is never forgotten, though the last sync succeeds`, async () => {
    const { disk, syncs } = new SlowDisk()
    const { store, added, failed } = await openStore([dir], { disk })
    const incoming = await store.receive(blockId(1), 10 * piece.length)
    for (let i = 0; i < 2; i++) incoming.write(piece)
    if (when === 'before the end') {
      syncs[0]!.reject(refusal('EIO'))
      await turn()
    }
    const sealed = incoming.seal(tableOfPieces(2)).then(() => 'sealed', (error: unknown) => error)
    await turn()
    for (const sync of syncs.slice(1)) sync.resolve()
    syncs[0]!.reject(refusal('EIO'))
    expect(await sealed).toMatchObject({ code: 'ENOSPC' })
    expect([added, failed]).toEqual([[], [{ dir, last: true }]])
    expect(readdirSync(join(dir, 'incoming'))).toEqual([])
  })
}

test('a block that is given up while a sync is on its way is closed after it, and is then out of the way', async () => {
  const { disk, syncs, events } = new SlowDisk()
  const { store } = await openStore([dir], { disk })
  const incoming = await store.receive(blockId(1), 10 * piece.length)
  for (let i = 0; i < 2; i++) incoming.write(piece)
  const aborted = incoming.abort()
  await turn()
  await expect(store.receive(blockId(1), 10)).rejects.toMatchObject({ code: 'EBUSY' })
  syncs[0]!.resolve()
  await aborted
  expect(events).toEqual(['synced', 'closed'])
  expect(readdirSync(join(dir, 'incoming'))).toEqual([])
  await incoming.abort()
  await (await store.receive(blockId(1), 10)).abort()
})

test('a block is not received again while its aborted files are being removed: the removal would hit the new files', async () => {
  const removing = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  const events: string[] = []
  let refused = false
  let held = false
  const disk: Disk = {
    ...localDisk,
    async remove(path) {
      if (!path.includes('/incoming/0')) return localDisk.remove(path)
      if (refused) throw refusal('EROFS')
      if (held) {
        held = false
        removing.resolve()
        await release.promise
        await localDisk.remove(path)
        events.push('the old half is gone')
        return
      }
      await localDisk.remove(path)
    },
    async create(path, options) {
      const writer = await localDisk.create(path, options)
      if (path.includes('/incoming/0')) {
        events.push('the new one is begun')
        if (events.length > 1) release.resolve()
      }
      return writer
    },
  }
  const { store } = await openStore([dir], { disk })
  const half = await store.receive(blockId(1), 10)
  refused = true
  await half.abort()
  refused = false
  held = true
  const tending = store.tend()
  await removing.promise
  const bytes = noise(10)
  const again = store.receive(blockId(1), 10)
  setTimeout(() => { release.resolve() }, 100)
  const incoming = await again
  await tending
  expect(events).toEqual(['the new one is begun', 'the old half is gone', 'the new one is begun'])
  incoming.write(bytes)
  await incoming.seal(tableOf(bytes))
  expect(await store.check(blockId(1))).toBe('sound')
})

test('files left by a failed seal are remembered as long as the disk refuses to remove them, and are removed when it accepts', async () => {
  let failing = true
  let refused = false
  const disk: Disk = {
    ...localDisk,
    async syncDir(path) { if (failing && path.endsWith('/01')) { refused = true; throw refusal('EROFS') } await localDisk.syncDir(path) },
    async remove(path) { if (refused && path.includes('/01/')) throw refusal('EROFS'); await localDisk.remove(path) },
  }
  const { store } = await openStore([dir], { disk })
  const sealedNames = (): string[] => readdirSync(join(dir, 'blocks/01')).sort()
  await expect(write(store, 1, noise(10))).rejects.toMatchObject({ code: 'ENOSPC' })
  const name = placeOf(1).split('/').at(-1)!
  expect(sealedNames()).toEqual([name, `${name}.meta`])
  // The disk accepts files again, but cannot remove these; a failed attempt does not drop them from the list.
  for (let i = 0; i < 2; i++) {
    await store.tend()
    expect((await store.state())[0]!.closed).toBeUndefined()
    await expect(store.receive(blockId(1), 10)).rejects.toMatchObject({ code: 'ENOSPC', details: { code: 'EROFS' } })
  }
  failing = refused = false
  await store.tend()
  expect(sealedNames()).toEqual([])
  await write(store, 1, noise(10))
  expect(sealedNames()).toEqual([name, `${name}.meta`])
  await store.tend()
  expect(await store.check(blockId(1))).toBe('sound')
})

test('the files of a block are closed before they get their names, the meta file first, and the directory is synced last', async () => {
  const events: string[] = []
  const last = (path: string): string => path.replace(dir, '').replace(/[0-9a-f]{16}/, 'block')
  const disk: Disk = {
    ...localDisk,
    async create(path, options) {
      const writer = await localDisk.create(path, options)
      return {
        get bytes() {
          return writer.bytes
        },
        writeSync: writer.writeSync.bind(writer), syncSync: writer.syncSync.bind(writer),
        async sync() {
          await writer.sync()
          events.push(`${last(path)} synced`)
        },
        async close() {
          for (let i = 0; i < (path.endsWith('.meta') ? 9 : 1); i++) await turn()
          await writer.close()
          events.push(`${last(path)} closed`)
        },
      }
    },
    async rename(from, to) { events.push(`${last(from)} to ${last(to)}`); await localDisk.rename(from, to) },
    async mkdir(path, options) { await localDisk.mkdir(path, options); events.push(`${last(path)} made`) },
    async syncDir(path) { await localDisk.syncDir(path); events.push(`${last(path)} synced`) },
  }
  const { store } = await openStore([dir], { disk })
  for (const id of [1, 257]) {
    events.length = 0
    await write(store, id, noise(10))
    const written = events.splice(0, 4)
    expect(written.toSorted()).toEqual([
      '/incoming/block closed', '/incoming/block synced', '/incoming/block.meta closed', '/incoming/block.meta synced',
    ])
    expect([
      written.indexOf('/incoming/block synced') < written.indexOf('/incoming/block closed'),
      written.indexOf('/incoming/block.meta synced') < written.indexOf('/incoming/block.meta closed'),
    ]).toEqual([true, true])
    // The first block of a directory creates it, durably.
    expect(events).toEqual([
      ...(id === 1 ? ['/blocks/01 made', '/blocks synced'] : []),
      '/incoming/block.meta to /blocks/01/block.meta', '/incoming/block to /blocks/01/block', '/blocks/01 synced',
    ])
  }
})

test('a failure at any step of receiving and sealing ends that block, is reported to its writer, and leaves no file', async () => {
  const steps = [
    'block.receive', 'block.finalise.before', 'block.rename.before', 'block.rename.between', 'block.rename.after', 'block.syncdir.after',
  ] as const
  const reached: string[] = []
  let armed: string | undefined
  const failpoints: Failpoints = {
    pass() {},
    async reach(name) {
      reached.push(name)
      await turn()
      if (name === armed) throw new GristmillError('INTERNAL', `at ${name}`)
    },
  }
  const { store, added, failed } = await openStore([dir], { failpoints })
  for (const step of steps) {
    armed = step
    await expect(write(store, 1, noise(10)), step).rejects.toMatchObject({ code: 'INTERNAL', message: `at ${step}` })
    expect([added, failed, store.has(blockId(1)), store.storages[0]!.reservedBytes]).toEqual([[], [], false, 0])
    const left = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter(name => /[0-9a-f]{16}/.test(name))
    expect(left, step).toEqual([])
  }
  armed = undefined
  reached.length = 0
  await write(store, 1, noise(10))
  expect(reached).toEqual(steps)
  // A failed removal affects only its own block.
  armed = 'block.delete.before'
  await store.remove([blockId(1)])
  expect([store.has(blockId(1)), readdirSync(join(dir, 'blocks/01')).length]).toEqual([false, 2])
})

test('giving up a block that is sealed, or whose seal failed, changes nothing', async () => {
  let failing = false
  const { store } = await openStore([dir], {
    disk: {
      ...localDisk,
      async rename(from, to) {
        if (failing) throw refusal('ENOSPC')
        await localDisk.rename(from, to)
      },
    },
  })
  const bytes = noise(10)
  for (const id of [1, 2]) {
    const incoming = await store.receive(blockId(id), 10)
    incoming.write(bytes)
    failing = id === 2
    await incoming.seal(tableOf(bytes)).catch(() => {})
    await incoming.abort()
    expect([store.has(blockId(id)), store.storages[0]!.reservedBytes]).toEqual([id === 1, 0])
  }
  expect(await store.check(blockId(1))).toBe('sound')
})

test.each(['incoming', 'blocks'] as const)('a directory of that name in %s is put aside, and the block is taken', async place => {
  const { store, added } = await openStore([dir])
  const bytes = noise(1000)
  const data = `${dir}/${placeOf(1)}`
  const name = data.slice(data.lastIndexOf('/') + 1)
  const inTheWay = place === 'blocks' ? `${data}.meta` : `${dir}/incoming/${name}`
  mkdirSync(inTheWay, { recursive: true })
  writeFileSync(`${inTheWay}/of somebody`, 'x')
  // The first try finds out.
  await write(store, 1, bytes).catch(() => write(store, 1, bytes))
  expect(added.length).toBe(1)
  const [aside] = readdirSync(`${dir}/quarantine`).filter(each => each.includes('.directory-'))
  expect(readdirSync(`${dir}/quarantine/${aside}`)).toEqual(['of somebody'])
})
