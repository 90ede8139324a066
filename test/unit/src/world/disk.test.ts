// Local disk, on a temporary directory: reads, appends, atomic replacement, links, private files, locks across processes, and prompt
// refusal of pipes and devices.

import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { holderIn } from '../../../../src/world/lock.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { FileWriter } from '../../../../src/world/file.ts'

let directory = ''
const at = (name: string): string => path.join(directory, name)
beforeEach(() => { directory = fs.mkdtempSync(path.join(os.tmpdir(), 'gristmill-disk-')) })
afterEach(() => { fs.rmSync(directory, { recursive: true, force: true }) })

test('a reader finds the appended bytes, at any position and past the end', async () => {
  const writer = await localDisk.create(at('a'))
  writer.writeSync(Buffer.from('hello '))
  writer.writeSync(Buffer.from('world'))
  expect(writer.bytes).toBe(11)
  await writer.sync()
  writer.syncSync()
  await writer.close()
  for (const reader of [await localDisk.openRead(at('a')), localDisk.openReadSync(at('a'))]) {
    expect(reader.bytes).toBe(11)
    const target = Buffer.alloc(8)
    expect(reader.readSync(target, 6)).toBe(5)
    expect(target.toString('latin1', 0, 5)).toBe('world')
    expect(await reader.read(target, 4)).toBe(7)
    expect(target.toString('latin1', 0, 7)).toBe('o world')
    expect(reader.readSync(target, 11)).toBe(0)
    await reader.close()
  }
})

test('appending goes on at the end of what is there', async () => {
  for (const text of ['one', 'two']) {
    const writer = await localDisk.openAppend(at('log'))
    writer.writeSync(Buffer.from(text))
    expect(writer.bytes).toBe(text === 'one' ? 3 : 6)
    await writer.close()
  }
  expect((await localDisk.readFile(at('log'))).toString()).toBe('onetwo')
})

test('creating is exclusive by default, and new files are accessible to their owner only', async () => {
  await (await localDisk.create(at('a'))).close()
  expect(fs.statSync(at('a')).mode & 0o777).toBe(0o600)
  await expect(localDisk.create(at('a'))).rejects.toMatchObject({ code: 'EEXIST' })
  fs.writeFileSync(at('a'), 'old content')
  const writer = await localDisk.create(at('a'), { exclusive: false })
  expect(writer.bytes).toBe(0)
  await writer.close()
})

test('no symbolic link is followed at the last part of a name', async () => {
  fs.writeFileSync(at('real'), 'x')
  fs.symlinkSync(at('real'), at('link'))
  await expect(localDisk.openRead(at('link'))).rejects.toMatchObject({ code: 'ELOOP' })
  expect(() => localDisk.openReadSync(at('link'))).toThrow(/ELOOP/)
  await expect(localDisk.readFile(at('link'))).rejects.toMatchObject({ code: 'ELOOP' })
  await expect(localDisk.openAppend(at('link'))).rejects.toMatchObject({ code: 'ELOOP' })
  await expect(localDisk.create(at('link'), { exclusive: false })).rejects.toMatchObject({ code: 'ELOOP' })
  expect(await localDisk.stat(at('link'))).toMatchObject({ kind: 'other' })
})

test('links are followed for a caller who asks for it, and their target is returned', async () => {
  fs.mkdirSync(at('d'))
  fs.writeFileSync(at('d/real'), 'abc')
  fs.symlinkSync('d/real', at('link'))
  fs.symlinkSync('d', at('linked'))
  fs.symlinkSync('nowhere', at('dangling'))
  expect(await localDisk.stat(at('link'), { follow: true })).toMatchObject({ kind: 'file', bytes: 3, path: fs.realpathSync(at('d/real')) })
  expect(await localDisk.stat(at('linked'), { follow: true })).toMatchObject({ kind: 'directory', path: fs.realpathSync(at('d')) })
  expect(await localDisk.stat(at('dangling'), { follow: true })).toBeUndefined()
  const stream = await localDisk.openStream!(at('link'))
  await stream.write(Buffer.from('through'))
  await stream.close()
  expect([fs.readFileSync(at('d/real'), 'utf8'), fs.lstatSync(at('link')).isSymbolicLink()]).toEqual(['through', true])
})

test.skipIf(!fs.existsSync('/dev/full'))('an error of a descriptor names the file', async () => {
  // because Linux alone has this device
  const writer = new FileWriter(fs.openSync('/dev/full', 'w'), '/dev/full')
  for (let i = 0; i < 2; i++) {
    expect(() => writer.writeSync(Buffer.from('x'))).toThrow(expect.objectContaining({
      code: 'ENOSPC', path: '/dev/full', message: "ENOSPC: no space left on device, write '/dev/full'",
    }))
  }
  // A device has nothing to sync.
  await expect(writer.sync()).rejects.toMatchObject({ code: 'EINVAL', path: '/dev/full' })
  await expect(writer.sync()).rejects.toMatchObject({ message: expect.stringMatching(/^[^']*'\/dev\/full'$/) })
  expect(() => writer.syncSync()).toThrow(expect.objectContaining({ path: '/dev/full' }))
  await writer.close()
})

test('a small file is replaced whole, and a failed replacement leaves the old one and no temporary file', async () => {
  await localDisk.writeFileDurable(at('token'), Buffer.from('one'), { mode: 0o600 })
  await localDisk.writeFileDurable(at('token'), Buffer.from('two'), { mode: 0o600 })
  expect(fs.readFileSync(at('token'), 'utf8')).toBe('two')
  expect(fs.statSync(at('token')).mode & 0o777).toBe(0o600)
  fs.mkdirSync(at('taken'))
  fs.writeFileSync(at('taken/child'), '')
  await expect(localDisk.writeFileDurable(at('taken'), Buffer.from('x'))).rejects.toThrow()
  expect(fs.readdirSync(directory).sort()).toEqual(['taken', 'token'])
})

test('names: listing, status, renaming, removing; what is missing is no error to remove', async () => {
  await localDisk.mkdir(at('d/e/f'))
  await localDisk.mkdir(at('d/e/f'))
  expect(fs.statSync(at('d')).mode & 0o777).toBe(0o700)
  await localDisk.mkdir(at('d/open'), { mode: 0o777 })
  expect(fs.statSync(at('d/open')).mode & 0o777).toBe(0o777 & ~process.umask())
  fs.writeFileSync(at('d/file'), 'abc')
  expect((await localDisk.list(at('d'))).sort((a, b) => (a.name < b.name ? -1 : 1))).toEqual([
    { name: 'e', kind: 'directory' }, { name: 'file', kind: 'file' }, { name: 'open', kind: 'directory' },
  ])
  expect(await localDisk.stat(at('d/file'))).toMatchObject({ kind: 'file', bytes: 3 })
  expect(await localDisk.stat(at('nothing'))).toBeUndefined()
  expect(await localDisk.stat(at('d/file/below'))).toBeUndefined()
  await expect(localDisk.list(at('nothing'))).rejects.toMatchObject({ code: 'ENOENT' })
  await localDisk.rename(at('d/file'), at('moved'))
  await localDisk.syncDir(directory)
  await localDisk.remove(at('moved'))
  await localDisk.remove(at('moved'))
  await localDisk.removeTree(at('d'))
  await localDisk.removeTree(at('d'))
  expect(fs.readdirSync(directory)).toEqual([])
})

test('space tells what the filesystem has', async () => {
  const { capacityBytes, freeBytes } = await localDisk.space(directory)
  expect(freeBytes).toBeGreaterThan(0)
  expect(capacityBytes).toBeGreaterThanOrEqual(freeBytes)
})

test('a close waits for reads of the thread pool, and a closed file refuses to be used', async () => {
  const bytes = 64 << 20
  fs.writeFileSync(at('big'), Buffer.alloc(bytes, 7))
  const reader = await localDisk.openRead(at('big'))
  const target = Buffer.alloc(bytes)
  const order: string[] = []
  const reading = reader.read(target, 0).then(count => { order.push('read'); return count })
  const closing = reader.close().then(() => { order.push('closed') })
  expect(await reading).toBe(bytes)
  expect(target.at(-1)).toBe(7)
  await closing
  expect(order).toEqual(['read', 'closed'])
  await reader.close()
  expect(() => reader.readSync(target, 0)).toThrow('closed')
})

describe('a locked directory', () => {
  const disk = new URL('../../../../src/world/disk.ts', import.meta.url).href
  const children: ChildProcess[] = []
  afterEach(() => { for (const child of children.splice(0)) child.kill('SIGKILL') })

  /** A process that takes the lock, prints whether it got it, and stays. */
  async function holder(): Promise<{ got: boolean; child: ChildProcess; gone: Promise<unknown> }> {
    const script = `const { localDisk } = await import(${JSON.stringify(disk)})
      console.log(await localDisk.lock(${JSON.stringify(directory)}) ? 'got' : 'taken'); setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    children.push(child)
    const gone = new Promise(resolve => child.once('exit', resolve))
    const line = await new Promise<string>(resolve => child.stdout!.once('data', (bytes: Buffer) => resolve(bytes.toString().trim())))
    return { got: line === 'got', child, gone }
  }

  test('has one holder; a released one may be taken again', async () => {
    const lock = await localDisk.lock(directory)
    expect(lock).toBeDefined()
    expect(await localDisk.lock(directory)).toBeUndefined()
    // A second try of the same process must not have released the first lock.
    expect((await holder()).got).toBe(false)
    await lock!.release()
    await lock!.release()
    expect((await holder()).got).toBe(true)
  })

  test('is not refused by another process that is refused at the same moment', async () => {
    const lock = await localDisk.lock(directory)
    await lock!.release()
    // A process between the two steps of taking the lock, which gives up when it has refused this one.
    const rival = new DatabaseSync(at('lock'))
    rival.exec('BEGIN IMMEDIATE')
    const { exec } = DatabaseSync.prototype
    let refused = 0
    vi.spyOn(DatabaseSync.prototype, 'exec').mockImplementation(function (this: DatabaseSync, sql) {
      try {
        exec.call(this, sql)
      } catch (error) {
        if (refused++ === 0) rival.close()
        throw error
      }
    })
    try {
      const got = await localDisk.lock(directory)
      expect([refused, got !== undefined]).toEqual([1, true])
      await got!.release()
    } finally {
      vi.restoreAllMocks()
    }
  })

  test('is free at once when its holder is killed; until then its pid is known', async () => {
    expect(await localDisk.lockHolder!(directory)).toBeUndefined()
    const { got, child, gone } = await holder()
    expect(got).toBe(true)
    expect(await localDisk.lock(directory)).toBeUndefined()
    expect(await localDisk.lockHolder!(directory)).toBe(child.pid)
    child.kill('SIGKILL')
    await gone
    expect(await localDisk.lockHolder!(directory)).toBeUndefined()
    const lock = await localDisk.lock(directory)
    expect(lock).toBeDefined()
    await lock!.release()
  })

  test('goes to exactly one of several that ask together', async () => {
    const asked = await Promise.all([holder(), holder(), holder()])
    expect(asked.filter(({ got }) => got)).toHaveLength(1)
  })

  test('is found in the list of the kernel by device and inode; a process of another container has no pid there', () => {
    const list = [
      '1: FLOCK  ADVISORY  WRITE 7 fe:00:42 0 EOF',
      '1: -> FLOCK  ADVISORY  WRITE 8 fe:00:42 0 EOF',
      '2: POSIX  ADVISORY  WRITE 0 fe:00:43 1073741824 1073742335',
      '3: POSIX  ADVISORY  READ 9 fe:00:42 0 EOF',
      '4: POSIX  ADVISORY  WRITE 10 fd:101:42 1073741824 1073742335',
      '5: POSIX  ADVISORY  WRITE 11 fe:00:42 1073741824 1073742335',
      '',
    ].join('\n')
    expect(holderIn(list, { ino: 42, dev: 0xfe00 })).toBe(11)
    expect(holderIn(list, { ino: 42, dev: 0x10fd01 })).toBe(10)
    expect(holderIn(list, { ino: 43, dev: 0xfe00 })).toBeUndefined()
    expect(holderIn('', { ino: 42, dev: 0xfe00 })).toBeUndefined()
  })

  test('must be there', async () => {
    await expect(localDisk.lock(at('nothing'))).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

test('what is no file is refused at once, however it is opened: a pipe holds no thread, and a link is not followed', async () => {
  execFileSync('mkfifo', [at('pipe')])
  const server = net.createServer()
  await new Promise<void>(resolve => { server.listen(at('socket'), resolve) })
  try {
    for (const name of ['pipe', 'socket']) {
      // More concurrent calls than the pool has threads.
      const opened = await Promise.allSettled(Array.from({ length: 8 }, () => localDisk.openRead(at(name))))
      for (const each of opened) expect(each).toMatchObject({ status: 'rejected' })
      expect(() => localDisk.openReadSync(at(name))).toThrow()
      await expect(localDisk.readFile(at(name))).rejects.toThrow()
      await expect(localDisk.openAppend(at(name))).rejects.toThrow()
      await expect(localDisk.create(at(name), { exclusive: false })).rejects.toThrow()
      await expect(localDisk.create(at(name))).rejects.toMatchObject({ code: 'EEXIST' })
    }
    for (const open of [
      localDisk.openRead, localDisk.readFile, localDisk.openAppend,
      (file: string) => localDisk.create(file, { exclusive: false }),
    ]) {
      await expect(open(at('pipe'))).rejects.toMatchObject({ code: 'EFTYPE', message: expect.stringContaining(at('pipe')) as string })
    }
    await expect(localDisk.openRead(directory)).rejects.toMatchObject({ code: 'EISDIR' })
    const held = fs.readdirSync('/proc/self/fd').length
    for (let i = 0; i < 20; i++) await localDisk.openRead(at('pipe')).catch(() => {})
    expect(fs.readdirSync('/proc/self/fd').length).toBeLessThan(held + 10)
  } finally {
    server.close()
  }
})

test('a second name leads to a file also when the first one is gone, and replaces none', async () => {
  fs.writeFileSync(at('a'), 'bytes')
  await localDisk.link!(at('a'), at('b'))
  await localDisk.rename(at('a'), at('c'))
  expect(fs.readFileSync(at('b'), 'utf8')).toBe('bytes')
  await expect(localDisk.link!(at('c'), at('b'))).rejects.toMatchObject({ code: 'EEXIST' })
})
