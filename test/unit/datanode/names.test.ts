// Names on a disk after a power cut: every block and file that was acknowledged or relied upon exists under its name. The in-memory disk
// loses every name whose directory was not synced, that of a directory with everything in it.

import { expect, test } from 'vitest'
import { openHome } from '../../../src/home/home.ts'
import { makeDirectory } from '../../../src/home/directory.ts'
import { MiB } from '../../../src/base/units.ts'
import { blockId } from '../../../src/base/ids.ts'
import { seeded } from '../../../src/world/random.ts'
import { MemoryDisk } from '../../kit/memory-disk.ts'
import { openStore, placeOf, refusal, tableOf, write } from './store/storekit.ts'

const bytes = Buffer.from('a block of a few bytes')
const ids = async (disk: MemoryDisk): Promise<number[]> => [...(await openStore(['/disk0'], { disk })).store.ids()]

test('the first block of a directory is there after a power cut: the name of its directory is durable too', async () => {
  const disk = new MemoryDisk()
  const { store } = await openStore(['/disk0'], { disk })
  for (const id of [1, 2, 0x101]) await write(store, id, bytes)
  await makeDirectory(disk, '/disk0')
  expect(await ids(disk.cut())).toEqual([1, 2, 0x101])
})

test('a block found at a start has a durable name before it is reported: its process may have died before it synced the directory', async () => {
  for (const lastStep of [`/disk0/blocks/01`, '/disk0/blocks']) {
    const disk = new MemoryDisk()
    await makeDirectory(disk, '/disk0')
    const { store } = await openStore(['/disk0'], { disk })
    // The process dies in the last sync: both names exist, and neither is durable.
    let died = false
    disk.onSync = path => {
      if (path === lastStep) {
        died = true
        throw refusal('EIO')
      }
    }
    const incoming = await store.receive(blockId(1), bytes.length)
    incoming.write(bytes)
    const removals = disk.remove
    disk.remove = async () => {}
    await incoming.seal(tableOf(bytes)).catch(() => {})
    disk.remove = removals
    disk.onSync = undefined
    expect(died).toBe(true)
    const found = await ids(disk)
    expect(await ids(disk.cut())).toEqual(found)
    if (lastStep !== '/disk0/blocks') expect(found).toEqual([1])
    // The directory already exists; a second block in it is as safe.
    await write((await openStore(['/disk0'], { disk })).store, 0x201, bytes)
    expect(await ids(disk.cut())).toContain(0x201)
  }
})

test('a sync under way that fails is not forgotten, though the last one succeeds: the system has dropped those bytes', async () => {
  const disk = new MemoryDisk()
  await makeDirectory(disk, '/disk0')
  const { store, added, failed } = await openStore(['/disk0'], { disk })
  const incoming = await store.receive(blockId(1), 64 * MiB)
  let failures = 1
  disk.onSync = path => { if (path.includes('/incoming/') && failures-- > 0) throw refusal('EIO') }
  const piece = Buffer.alloc(33 * MiB, 7)
  incoming.write(piece)
  await new Promise(resolve => { setImmediate(resolve) })
  incoming.write(bytes)
  await expect(incoming.seal(tableOf(Buffer.concat([piece, bytes])))).rejects.toMatchObject({ code: 'ENOSPC' })
  expect(added).toEqual([])
  expect(failed).toEqual([{ dir: '/disk0', last: true }])
  expect([...disk.files.keys()].filter(path => path.endsWith(placeOf(1)))).toEqual([])
})

test('a stamp that is found has a durable name from then on, and so has its directory', async () => {
  const disk = new MemoryDisk()
  const world = { disk, random: seeded('names') }
  const first = await openHome(world, '/a/b/home', { role: 'datanode' })
  expect([...disk.cut().files.keys()]).toEqual(['/a/b/home/gristmill.json'])
  // State after a death before the last sync of the stamp: the name exists, and is not durable.
  const young = new MemoryDisk()
  await makeDirectory(young, '/a/b')
  await young.mkdir('/a/b/home')
  const writer = await young.create('/a/b/home/gristmill.json')
  writer.writeSync(await disk.readFile('/a/b/home/gristmill.json'))
  await writer.sync()
  expect((await openHome({ ...world, disk: young }, '/a/b/home', { role: 'datanode' })).id).toBe(first.id)
  expect([...young.cut().files.keys()]).toEqual(['/a/b/home/gristmill.json'])
})

test('a process that dies between the two names of a block leaves nothing that looks damaged', async () => {
  const disk = new MemoryDisk()
  const { store } = await openStore(['/disk0'], { disk })
  const incoming = await store.receive(blockId(1), bytes.length)
  incoming.write(bytes)
  const { rename, remove } = disk
  let renames = 0
  disk.rename = async (from, to) => { if (++renames === 2) throw refusal('EIO'); return rename.call(disk, from, to) }
  disk.remove = async () => {}
  await incoming.seal(tableOf(bytes)).catch(() => {})
  Object.assign(disk, { rename, remove })
  expect(renames).toBe(2)
  const again = await openStore(['/disk0'], { disk })
  expect([...again.store.ids()]).toEqual([])
  expect(again.bad).toEqual([])
})

test('of a block whose last sync failed no file is left under its name', async () => {
  const disk = new MemoryDisk()
  const { store } = await openStore(['/disk0'], { disk })
  const incoming = await store.receive(blockId(1), bytes.length)
  incoming.write(bytes)
  disk.onSync = path => { if (path === '/disk0/blocks/01') throw refusal('EIO') }
  await expect(incoming.seal(tableOf(bytes))).rejects.toMatchObject({ code: 'ENOSPC' })
  expect([...disk.files.keys()].filter(path => path.includes('/blocks/'))).toEqual([])
})
