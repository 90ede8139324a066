// Simulated disk: after a power cut unsynced bytes and names may be lost, and never before.

import { expect, test } from 'vitest'
import { SimDisk } from '../../../kit/sim/disk.ts'
import { Host } from '../../../kit/sim/host.ts'
import { Kernel } from '../../../kit/sim/kernel.ts'
import { Process } from '../../../kit/sim/process.ts'
import { seeded } from '../../../../src/world/random.ts'

interface Machine { readonly host: Host; readonly disk: SimDisk; readonly process: Process; again(): SimDisk }

async function on(work: (machine: Machine) => Promise<void>): Promise<void> {
  const kernel = new Kernel(1)
  const host = new Host('machine')
  const process = new Process(kernel, 'process', host)
  kernel.start()
  try {
    await work({ host, process, disk: new SimDisk(process, host), again: () => new SimDisk(new Process(kernel, 'later', host), host) })
  } finally {
    await kernel.stop()
  }
}

async function write(disk: SimDisk, path: string, text: string, { sync = false } = {}): Promise<void> {
  const writer = await disk.create(path, { exclusive: false })
  writer.writeSync(Buffer.from(text))
  if (sync) await writer.sync()
  await writer.close()
}

test('a killed process leaves what it wrote; a power cut takes bytes and names that were not synced', () =>
  on(async ({ host, process, disk, again }) => {
    await write(disk, '/d/both', 'both', { sync: true })
    await disk.syncDir('/d')
    await write(disk, '/d/bytes', 'bytes', { sync: true })
    const open = await disk.create('/d/nameonly')
    await disk.syncDir('/d')
    await write(disk, '/e/unnamed', 'unnamed', { sync: true })
    open.writeSync(Buffer.alloc(1000, 1))
    process.end()
    const after = again()
    expect((await after.readFile('/d/nameonly')).length).toBe(1000)
    expect((await after.readFile('/e/unnamed')).toString()).toBe('unnamed')
    host.powerCut(seeded('cut'))
    const cut = again()
    expect((await cut.readFile('/d/both')).toString()).toBe('both')
    expect((await cut.readFile('/d/bytes')).toString()).toBe('bytes')
    expect((await cut.readFile('/d/nameonly')).length).toBeLessThan(1000)
    await expect(cut.readFile('/e/unnamed')).rejects.toMatchObject({ code: 'ENOENT' })
  }))

test('a rename that was not synced is undone by a power cut, and one that was is kept, of files and of directories', () =>
  on(async ({ host, disk, again }) => {
    await write(disk, '/d/a', 'a', { sync: true })
    await write(disk, '/d/b', 'b', { sync: true })
    await disk.syncDir('/d')
    for (const path of ['/d/old', '/e/old']) await disk.mkdir(path)
    await write(disk, '/d/old/x', 'x', { sync: true })
    await disk.syncDir('/d/old')
    await disk.syncDir('/d')
    await write(disk, '/e/old/x', 'x', { sync: true })
    await disk.syncDir('/e/old')
    await disk.rename('/d/a', '/d/b')
    await disk.rename('/e/old', '/e/new')
    await disk.rename('/d/old', '/d/new')
    await disk.syncDir('/e')
    host.powerCut(seeded('cut'))
    const cut = again()
    expect((await cut.readFile('/d/a')).toString()).toBe('a')
    expect((await cut.readFile('/d/b')).toString()).toBe('b')
    expect((await cut.readFile('/d/old/x')).toString()).toBe('x')
    expect(await cut.stat('/d/new/x')).toBeUndefined()
    expect((await cut.readFile('/e/new/x')).toString()).toBe('x')
    expect(await cut.stat('/e/old/x')).toBeUndefined()
  }))

test('a removal that was not synced is undone by a power cut', () => on(async ({ host, disk, again }) => {
  await write(disk, '/d/a', 'a', { sync: true })
  await disk.syncDir('/d')
  await disk.remove('/d/a')
  expect(await disk.stat('/d/a')).toBeUndefined()
  host.powerCut(seeded('cut'))
  expect((await again().readFile('/d/a')).toString()).toBe('a')
}))

test('a full disk takes no byte, a failed sync is reported once, an unreadable file gives EIO, and a lock goes with its holder', () =>
  on(async ({ host, process, disk, again }) => {
    const writer = await disk.create('/disk0/file')
    host.spoil('/disk0', { full: true })
    expect(() => writer.writeSync(Buffer.from('x'))).toThrow(expect.objectContaining({ code: 'ENOSPC' }))
    await expect(disk.create('/disk0/other')).rejects.toMatchObject({ code: 'ENOSPC' })
    expect((await disk.space('/disk0')).freeBytes).toBe(0)
    await write(disk, '/disk1/file', 'not on that disk', { sync: true })
    host.healDisks()
    host.spoil('/disk0', { failSyncIn: 2 })
    writer.writeSync(Buffer.from('x'))
    await writer.sync()
    await expect(writer.sync()).rejects.toMatchObject({ code: 'EIO' })
    await writer.sync()
    host.files.get('/disk0/file')!.unreadable = true
    await expect(disk.readFile('/disk0/file')).rejects.toMatchObject({ code: 'EIO' })
    expect(await disk.lock('/disk0')).toBeDefined()
    expect(await again().lock('/disk0')).toBeUndefined()
    process.end()
    expect(await again().lock('/disk0')).toBeDefined()
  }))

test('a disk that is read-only gives what it has and takes nothing, and one that is dead gives errors; each is healed', () =>
  on(async ({ host, disk }) => {
    await disk.mkdir('/d')
    await write(disk, '/d/grain', 'grain', { sync: true })
    const open = await disk.create('/d/open')
    host.spoil('/d', { readOnly: true })
    expect(String(await disk.readFile('/d/grain'))).toBe('grain')
    await disk.mkdir('/d')
    await disk.remove('/d/nothing')
    expect(() => open.writeSync(Buffer.alloc(1))).toThrow(/EROFS/)
    for (const change of [
      () => disk.create('/d/new'), () => disk.openAppend('/d/grain'),
      () => disk.writeFileDurable('/d/grain', Buffer.alloc(1)),
      () => disk.rename('/d/grain', '/d/flour'), () => disk.remove('/d/grain'), () => disk.mkdir('/d/e'),
      () => disk.setModified('/d/grain', 1),
    ]) {
      await expect(change()).rejects.toThrow(/EROFS/)
    }
    host.spoil('/d', { dead: true })
    for (const look of [
      () => disk.readFile('/d/grain'), () => disk.openRead('/d/grain'), () => disk.list('/d'), () => disk.stat('/d/grain'),
      () => disk.syncDir('/d'), () => disk.space('/d'),
    ])
      await expect(look()).rejects.toThrow(/EIO/)
    await write(disk, '/e/elsewhere', 'is another disk')
    host.healDisks()
    await write(disk, '/d/grain', 'flour')
    expect(String(await disk.readFile('/d/grain'))).toBe('flour')
  }))

test('a disk that is brought back as it was has what it had then, and none of what came later', () =>
  on(async ({ host, disk, process, again }) => {
    await write(disk, '/d/old', 'old', { sync: true })
    await disk.syncDir('/d')
    const image = host.image()
    await write(disk, '/d/old', 'changed', { sync: true })
    await write(disk, '/d/new', 'new', { sync: true })
    process.end()
    host.revert(image)
    const after = again()
    expect((await after.list('/d')).map(({ name }) => name)).toEqual(['old'])
    expect(String(await after.readFile('/d/old'))).toBe('old')
  }))
