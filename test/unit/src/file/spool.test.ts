// Spool: bytes kept until the cluster has them, in memory while they are few, else in an unlinked temporary file.

import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Spool } from '../../../../src/file/spool.ts'
import type { BlockSource } from '../../../../src/file/source.ts'
import type { Disk } from '../../../../src/ports/disk.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { noise } from '../block/kit.ts'
import { countingDisk, refusal } from '../../datanode/store/storekit.ts'
import { checked } from '../../checked.ts'

const MiB = 1 << 20
const bytes = noise(5 * MiB + 17)
let dir: string
beforeEach(() => { dir = join(mkdtempSync(join(tmpdir(), 'gristmill-spool-')), 'spool') })
afterEach(() => { rmSync(join(dir, '..'), { recursive: true, force: true }) })

const place = (disk: Disk = localDisk) => ({ disk, dir, random: { id: () => 'r' } as never })
const files = (): string[] => (existsSync(dir) ? readdirSync(dir) : [])
const all = (source: BlockSource): Buffer => { const target = Buffer.alloc(source.bytes); source.fill(target, 0); return target }

test.each([
  [0, 1], [1, 1], [256 * 1024, 100_000], [2 * MiB - 1, 300_000], [2 * MiB, 300_000], [3 * MiB, 2 * MiB + 5], [5 * MiB + 17, 700_001],
])('of %i bytes, appended %i at a time, every beginning comes back, and every end', async (length, size) => {
  const spool = checked(new Spool(place()))
  for (let at = 0; at < length; at += size) await spool.append(bytes.subarray(at, Math.min(at + size, length)))
  expect(spool.bytes).toBe(length)
  // A file is needed from two MiB on.
  expect(files()).toEqual(length >= 2 * MiB ? ['gristmill-r.spool'] : [])
  for (const part of [0, Math.floor(length / 3), length]) expect(all(await spool.source(part)).equals(bytes.subarray(0, part))).toBe(true)
  for (const start of [0, Math.floor(length / 2), Math.max(0, length - 1), length]) {
    const pieces: Buffer[] = []
    for await (const piece of spool.from(start)) pieces.push(Buffer.from(piece))
    expect(Buffer.concat(pieces).equals(bytes.subarray(start, length))).toBe(true)
    expect(Math.max(0, ...pieces.map(piece => piece.length))).toBeLessThanOrEqual(256 * 1024)
  }
  // The name is removed at the first read; the bytes stay.
  expect(files()).toEqual([])
  await spool.close()
  await spool.close()
})

test('a closed spool takes nothing more', async () => {
  const spool = checked(new Spool(place()))
  await spool.append(bytes.subarray(0, 10))
  await spool.close()
  await expect(spool.append(bytes.subarray(0, 1))).rejects.toThrow('a spool is written, then read, then closed')
})

test('appended bytes are copied, and written to the file a MiB at a time', async () => {
  const written: number[] = []
  const disk: Disk = { ...localDisk, async create(path, options) {
    const writer = await localDisk.create(path, options)
    return {
      get bytes() {
        return writer.bytes
      },
      writeSync(part) {
        written.push(part.length)
        writer.writeSync(part)
      },
      sync: writer.sync.bind(writer), syncSync: writer.syncSync.bind(writer), close: writer.close.bind(writer),
    }
  } }
  const spool = checked(new Spool(place(disk)))
  const given = Buffer.alloc(512 * 1024, 1)
  const sums: number[] = []
  for (let i = 0; i < 10; i++) {
    await spool.append(given)
    given.fill(i + 2)
    sums.push(written.reduce((sum, count) => sum + count, 0) / MiB)
  }
  expect(sums).toEqual([0, 0, 0, 2, 2, 3, 3, 4, 4, 5])
  const found = all(await spool.source(spool.bytes))
  for (let i = 0; i < 10; i++) expect([found[i * given.length], found[(i + 1) * given.length - 1]]).toEqual([i + 1, i + 1])
  await spool.close()
})

test('what was written to the file makes room for what comes, without new memory', async () => {
  const used = new Set<ArrayBufferLike>()
  const disk: Disk = { ...localDisk, async create(path, options) {
    const writer = await localDisk.create(path, options)
    const writeSync = writer.writeSync.bind(writer)
    writer.writeSync = part => {
      used.add(part.buffer)
      writeSync(part)
    }
    return writer
  } }
  const spool = checked(new Spool(place(disk)))
  for (let i = 0; i < 10; i++) await spool.append(bytes)
  // Eight parts that were in memory before there was a file, and four that are filled again and again.
  expect(used.size).toBeLessThanOrEqual(12)
  await spool.close()
})

test('a spool that is given up leaves no file, whether it was read or not', async () => {
  const { disk, open } = countingDisk()
  for (const length of [10, 3 * MiB]) {
    for (const read of [false, true]) {
      const spool = checked(new Spool(place(disk)))
      await spool.append(bytes.subarray(0, length))
      if (read) await spool.source(5)
      await spool.close()
      expect([files(), open()]).toEqual([[], 0])
    }
  }
})

test('a directory without room, or that cannot be written to, is named, each with its own code', async () => {
  for (const [code, told] of [['ENOSPC', 'ENOSPC'], ['EACCES', 'INTERNAL']] as const) {
    const spool = checked(new Spool(place({ ...localDisk, create: async () => { throw refusal(code) } })))
    await expect(spool.append(bytes)).rejects.toMatchObject({
      code: told,
      message: expect.stringContaining(`${dir} until the cluster has it (${code})`) as string,
      details: { dir },
    })
    await spool.close()
  }
})
