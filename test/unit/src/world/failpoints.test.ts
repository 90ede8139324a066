// Failpoints and the faulty disk: each fires once at its n-th pass, holds or throws as armed, and healing restores normal behaviour.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ArmedFailpoints, parseFailpoints } from '../../../../src/world/failpoints.ts'
import { FaultyDisk } from '../../../../src/world/faulty.ts'
import { localDisk } from '../../../../src/world/disk.ts'

test('a failpoint fires the n-th time that it is passed, once', () => {
  const signals: string[] = []
  const points = new ArmedFailpoints(parseFailpoints('block.receive=throw@3;journal.append.after=kill'), name => { signals.push(name) })
  points.pass('block.receive')
  points.pass('block.finalise.before')
  points.pass('block.receive')
  expect(() => points.pass('block.receive')).toThrow(/block\.receive/)
  points.pass('block.receive')
  expect(signals).toEqual([])
  points.pass('journal.append.after')
  points.pass('journal.append.after')
  expect(signals).toEqual(['SIGKILL'])
})

test('a held failpoint continues when it is released, and in synchronous code the process stops', async () => {
  const signals: string[] = []
  const points = new ArmedFailpoints([], name => { signals.push(name) })
  points.arm({ name: 'block.ack.before', action: 'pause', nth: 1 })
  let gone = false
  const held = points.reach('block.ack.before')!.then(() => { gone = true })
  await Promise.resolve()
  expect(gone).toBe(false)
  expect(points.reach('block.ack.before')).toBeUndefined()
  points.heal()
  await held
  points.arm({ name: 'journal.commit.before', action: 'pause', nth: 1 })
  points.pass('journal.commit.before')
  expect(signals).toEqual(['SIGSTOP'])
})

test('healing disarms', () => {
  const points = new ArmedFailpoints(parseFailpoints('block.receive=throw'))
  points.heal()
  points.pass('block.receive')
})

test('an unknown failpoint is refused, and the error lists all names', () => {
  for (const text of ['block.recieve=kill', 'block.receive', 'block.receive=burn', 'block.receive=kill@x']) {
    expect(() => parseFailpoints(text), text).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining('block.rename.before') as string }),
    )
  }
})

test('only what was offered can be triggered', async () => {
  const points = new ArmedFailpoints()
  let beats = 0
  points.offer('heartbeat', async () => { beats++ })
  await points.trigger('heartbeat')
  expect(beats).toBe(1)
  await expect(points.trigger('scrub')).rejects.toMatchObject({ code: 'EINVAL' })
})

test('a faulty disk refuses below its directory and nowhere else, and is as good as new when it is healed', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'gristmill-faulty-'))
  try {
    const disk = new FaultyDisk(localDisk)
    await disk.mkdir(join(dir, 'a'))
    const file = await disk.create(join(dir, 'a/file'))
    disk.add({ kind: 'full', at: join(dir, 'a') })
    expect(() => file.writeSync(Buffer.from('x'))).toThrow(expect.objectContaining({ code: 'ENOSPC' }))
    expect(file.bytes).toBe(0)
    expect((await disk.space(join(dir, 'a'))).freeBytes).toBe(0)
    expect((await disk.space(dir)).freeBytes).toBeGreaterThan(0)
    await disk.writeFileDurable(join(dir, 'ab'), Buffer.from('beside'))
    disk.heal()
    file.writeSync(Buffer.from('x'))

    disk.add({ kind: 'sync', at: join(dir, 'a'), nth: 2 })
    await file.sync()
    await expect(file.sync()).rejects.toMatchObject({ code: 'EIO' })
    // The kernel may have dropped data of the failed sync: this file never syncs again, others do.
    await expect(file.sync()).rejects.toMatchObject({ code: 'EIO' })
    await disk.syncDir(join(dir, 'a'))
    await file.close()

    // No sync ends early: of a file, of a directory, of a file written at once.
    disk.add({ kind: 'slowSync', at: join(dir, 'a'), ms: 40 })
    const other = await disk.create(join(dir, 'a/other'))
    for (const sync of [
      () => other.sync(), async () => other.syncSync(), () => disk.syncDir(join(dir, 'a')),
      () => disk.writeFileDurable(join(dir, 'a/more'), Buffer.from('x')),
    ]) {
      const startedMs = performance.now()
      await sync()
      expect(performance.now() - startedMs).toBeGreaterThan(35)
    }
    await other.close()

    disk.add({ kind: 'unreadable', at: join(dir, 'a/file') })
    await expect(disk.readFile(join(dir, 'a/file'))).rejects.toMatchObject({ code: 'EIO' })
    await disk.rename(join(dir, 'a/file'), join(dir, 'moved'))
    await expect(disk.openRead(join(dir, 'moved'))).rejects.toMatchObject({ code: 'EIO' })
    await disk.writeFileDurable(join(dir, 'a/file'), Buffer.from('new'))
    expect(String(await disk.readFile(join(dir, 'a/file')))).toBe('new')

    disk.add({ kind: 'readOnly', at: dir })
    await expect(disk.remove(join(dir, 'ab'))).rejects.toMatchObject({ code: 'EROFS' })
    await expect(disk.create(join(dir, 'more'))).rejects.toMatchObject({ code: 'EROFS' })
    expect(String(await disk.readFile(join(dir, 'ab')))).toBe('beside')
  } finally {
    await rm(dir, { recursive: true })
  }
})
