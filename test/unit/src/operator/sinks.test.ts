// File and shuffle sinks, on a real disk that fills up and an in-memory file: all emitted records arrive in order, and a full disk is
// reported as such even if the program catches the error.

import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32c } from '@node-rs/crc32'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { SinkFailed } from '../../../../src/operator/operator.ts'
import { Overflow } from '../../../../src/operator/overflow.ts'
import { ShuffleSink } from '../../../../src/operator/shufflesink.ts'
import { FileSink } from '../../../../src/operator/filesink.ts'
import type { Disk, DiskWriter } from '../../../../src/ports/disk.ts'
import { MapOutput } from '../../../../src/shuffle/mapoutput.ts'
import { localDisk as disk } from '../../../../src/world/disk.ts'
import { MemoryFile } from './kit.ts'

let dir: string
beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), 'gristmill-sinks-')) })
afterEach(() => rm(dir, { recursive: true, force: true }))

const diskError = () => Object.assign(new Error('ENOSPC: no space left on device, write'), { errno: -28, code: 'ENOSPC', syscall: 'write' })

/** A disk whose writers fail after `bytesMax` bytes. */
function fullAfter(bytesMax: number): Disk {
  const limited = (writer: DiskWriter): DiskWriter => {
    let left = bytesMax
    return { sync: () => writer.sync(), syncSync: () => writer.syncSync(), close: () => writer.close(), get bytes() { return writer.bytes },
      writeSync(bytes) { left -= bytes.length; if (left < 0) throw diskError(); writer.writeSync(bytes) } }
  }
  return {
    ...disk,
    create: async (path, options) => limited(await disk.create(path, options)),
    createSync: (path, options) => limited(disk.createSync(path, options)),
  }
}

async function fileSink(on: Disk = disk) {
  const file = new MemoryFile()
  let opened = 0
  const sink = new FileSink({
    output: { format: 'text' },
    open: async () => {
      opened++
      return file
    },
    overflow: new Overflow(on, join(dir, 'overflow')),
  })
  return { file, sink, opened: () => opened }
}

test('records become one file, and its checksum is known', async () => {
  const { sink, file } = await fileSink()
  sink.emit('key', 1)
  sink.emit(null, 'alone')
  expect(sink.settle()).toBe(undefined)
  expect(await sink.finish()).toEqual({ file: 'key\t1\nalone\n', crc: crc32c('key\t1\nalone\n') })
  expect([file.state, sink.records, sink.bytes]).toEqual(['closed', 2, 12])
  expect(await readdir(dir)).toEqual([])
})

test('a task that emits nothing opens no file', async () => {
  const { sink, opened } = await fileSink()
  expect(await sink.finish()).toBe(undefined)
  expect([opened(), await readdir(dir)]).toEqual([0, []])
})

test('a flood that is emitted without a pause waits on the disk and comes out in order', async () => {
  const { sink, file } = await fileSink()
  const expected: string[] = []
  for (let flood = 0; flood < 3; flood++) {
    for (let i = 0; i < 100_000; i++) {
      const value = `${flood}.${i}`.padEnd(120, '-')
      sink.emit(null, value)
      expected.push(`${value}\n`)
    }
    expect(file.text.length).toBeLessThan(expected.length * 121 - (8 << 20))
    await sink.settle()
  }
  await sink.finish()
  expect(file.text === expected.join('')).toBe(true)
  expect(await readdir(dir)).toEqual([])
})

test('records emitted while earlier ones are drained stay behind them', async () => {
  const overflow = new Overflow(disk, join(dir, 'overflow'))
  const piece = (n: number) => Buffer.alloc(1 << 20, n)
  for (let n = 0; n < 8; n++) overflow.push(piece(n))
  const got: number[] = []
  let next = 8
  await overflow.drain(async bytes => {
    got.push(bytes[0]!)
    await null
    if (next < 40) overflow.push(piece(next++))
    if (next < 40) overflow.push(piece(next++))
  })
  expect(got).toEqual(Array.from({ length: 40 }, (_, n) => n))
  await overflow.close()
  expect(await readdir(dir)).toEqual([])
})

test('emit after the end is refused instead of lost', async () => {
  const { sink } = await fileSink()
  sink.emit('a', 1)
  await sink.finish()
  expect(() => sink.emit('b', 2)).toThrow('when the task had ended')
  const shuffle = new ShuffleSink(await MapOutput.open({ partitions: 1, disk, directory: dir, name: 'a', memoryBytes: 1 << 20 }))
  await shuffle.finish()
  expect(() => shuffle.emit('b', 2)).toThrow('when the task had ended')
})

test('a full disk is reported as such even if the program has caught the error', async () => {
  const { sink, file } = await fileSink(fullAfter(1 << 20))
  for (let i = 0; i < 8 << 10; i++) {
    try { sink.emit(null, 'x'.repeat(1023)) } catch (error) { expect(error).toBeInstanceOf(SinkFailed) }
  }
  expect(() => sink.settle()).toThrow(/no space left/)
  await sink.discard()
  expect(file.text).toBe('')

  const shuffle = new ShuffleSink(
    await MapOutput.open({ partitions: 1, disk: fullAfter(1000), directory: dir, name: 'a', memoryBytes: 64 << 10 }),
  )
  let refused = 0
  for (let i = 0; i < 1000; i++) {
    try { shuffle.emit(`key ${i}`, 'x'.repeat(300)) } catch { refused++ }
  }
  expect(refused).toBeGreaterThan(0)
  await expect(shuffle.finish()).rejects.toThrow(SinkFailed)
  await shuffle.discard()
  expect(await readdir(dir)).toEqual([])
})

test('a value that cannot be serialised is an error of the program and not of the disk', async () => {
  const sink = new ShuffleSink(await MapOutput.open({ partitions: 1, disk, directory: dir, name: 'a', memoryBytes: 1 << 20 }))
  expect(() => sink.emit('a', undefined)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  expect(() => sink.emit(Symbol('s') as never, 1)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  sink.emit('a', 1)
  expect(sink.records).toBe(1)
  expect((await sink.finish()).counters.outputRecords).toBe(1)
})
