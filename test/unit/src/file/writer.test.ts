// Stream cut into blocks: their ends, their claims about records, the number in flight, and leftovers of a failure.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { GristmillError } from '../../../../src/base/errors.ts'
import { limits } from '../../../../src/base/limits.ts'
import { Semaphore } from '../../../../src/base/queue.ts'
import { MiB } from '../../../../src/base/units.ts'
import type { WrittenBody, OpenFile } from '../../../../src/file/open.ts'
import type { BlockSource } from '../../../../src/file/source.ts'
import { ClusterFileWriter, type CutOptions } from '../../../../src/file/writer.ts'
import type { Disk } from '../../../../src/ports/disk.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { turns } from './reading.ts'

const dir = mkdtempSync(join(tmpdir(), 'gristmill-writer-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** A file whose blocks go to the test. */
class Target {
  readonly blocks: string[] = []
  readonly uploads: Array<PromiseWithResolvers<void>> = []
  readonly completed: unknown[] = []
  abandoned = 0
  givenUp = false
  /** Uploads wait for the test. */
  holding = false
  readonly signal = new AbortController().signal
  readonly path = '/f'
  readonly blockBytes: number
  inlineBytes = 0
  constructor(blockBytes: number) { this.blockBytes = blockBytes }

  async upload(source: BlockSource): Promise<object> {
    const target = Buffer.alloc(source.bytes)
    source.fill(target, 0)
    const at = this.blocks.push(target.toString()) - 1
    const upload = Promise.withResolvers<void>()
    this.uploads.push(upload)
    if (!this.holding) upload.resolve()
    await upload.promise
    return { id: at + 1, length: source.bytes, crc: at, nodes: [] }
  }
  async complete({ blocks, content }: WrittenBody, mtimeMs: number | undefined): Promise<object> {
    this.completed.push([content ?? blocks, mtimeMs])
    return { path: '/f' }
  }
  async abandon(): Promise<void> { this.abandoned++ }

  writer(cut: CutOptions = { format: 'bytes' }): ClusterFileWriter {
    return new ClusterFileWriter(
      this as unknown as OpenFile,
      { disk: localDisk, dir, random: { id: () => String(Math.random()) } as never },
      cut,
    )
  }
}

const cut = async (
  text: string, size: number, blockBytes: number, options: CutOptions,
): Promise<{ blocks: string[]; aligned: boolean[] }> => {
  const target = new Target(blockBytes)
  const writer = target.writer(options)
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) await writer.write(bytes.subarray(at, at + size))
  expect(writer.bytes).toBe(bytes.length)
  await writer.close()
  const [[blocks]] = target.completed as [[Array<{ id: number; aligned: boolean; length: number }>, unknown]]
  expect(blocks.map(({ id }) => id)).toEqual(target.blocks.map((_, i) => i + 1))
  expect(target.blocks.join('')).toBe(text)
  return { blocks: target.blocks, aligned: blocks.map(({ aligned }) => aligned) }
}

test('bytes are cut at the length of a block and claim nothing, unless one block is all', async () => {
  for (const size of [1, 3, 4, 9]) {
    expect(await cut('abcdefghij', size, 4, { format: 'bytes' })).toEqual({
      blocks: ['abcd', 'efgh', 'ij'], aligned: [false, false, false],
    })
    expect(await cut('abcdefgh', size, 4, { format: 'bytes' })).toEqual({ blocks: ['abcd', 'efgh'], aligned: [false, false] })
    expect(await cut('abcd', size, 4, { format: 'bytes' })).toEqual({ blocks: ['abcd'], aligned: [true] })
  }
  expect((await cut('ab\ncd\nef', 2, 4, { format: 'bytes' })).blocks).toEqual(['ab\nc', 'd\nef'])
  expect(await cut('', 1, 4, { format: 'bytes' })).toEqual({ blocks: [], aligned: [] })
})

test('text is cut behind its last line that fits; a line that is longer than a block is cut, and those that share it say so', async () => {
  for (const size of [1, 2, 5, 99]) {
    expect(await cut('a\nbb\nccc\ndd\n', size, 6, { format: 'lines' })).toEqual({
      blocks: ['a\nbb\n', 'ccc\n', 'dd\n'], aligned: [true, true, true],
    })
    expect(await cut('a\n1234567890\nb\nc\n', size, 6, { format: 'lines' })).toEqual({
      blocks: ['a\n', '123456', '7890\n', 'b\nc\n'], aligned: [true, false, false, true],
    })
    expect(await cut('a\nb', size, 2, { format: 'lines' })).toEqual({ blocks: ['a\n', 'b'], aligned: [true, true] })
  }
})

test('CSV is cut between rows, whatever stands in quotes, also where a row takes several blocks', async () => {
  for (const size of [1, 2, 7, 99]) {
    expect(await cut('a,b\n"x\ny",1\nc,d\n', size, 11, { format: 'csv' })).toEqual({
      blocks: ['a,b\n', '"x\ny",1\n', 'c,d\n'], aligned: [true, true, true],
    })
    expect(await cut('a\n"1\n2\n3\n4\n5\n6"\nb\nc\n', size, 6, { format: 'csv' })).toEqual({
      blocks: ['a\n', '"1\n2\n3', '\n4\n5\n6', '"\nb\nc\n'],
      aligned: [true, false, false, false],
    })
    expect(await cut('a;"\n;b"\nc;d\ne;f\n', size, 10, { format: 'csv', delimiter: ';' })).toEqual({
      blocks: ['a;"\n;b"\n', 'c;d\ne;f\n'], aligned: [true, true],
    })
  }
})

test('the number of blocks in flight is bounded, and a writer waits for the next place', async () => {
  const target = new Target(2)
  target.holding = true
  const writer = target.writer()
  const written = writer.write(Buffer.from('aabbccdd')).then(() => writer.close({ mtimeMs: 7 }))
  await turns()
  expect(target.blocks).toEqual(['aa', 'bb', 'cc', 'dd'].slice(0, limits.parallelBlocks))
  for (let i = 0; i < 4; i++) {
    target.uploads[i]!.resolve()
    await turns()
    expect(target.uploads).toHaveLength(Math.min(4, i + 1 + limits.parallelBlocks))
  }
  expect(await written).toEqual({ path: '/f' })
  expect(target.completed).toEqual([[[1, 2, 3, 4].map(id => ({ id, length: 2, crc: id - 1, nodes: [], aligned: false })), 7]])
})

test('the failure of a block fails the next write, a waiting write, and the end; the file is abandoned then', async () => {
  const failure = new GristmillError('UNAVAILABLE', 'no datanode')
  for (const when of ['write', 'waiting', 'close'] as const) {
    const target = new Target(2)
    target.holding = true
    const writer = target.writer()
    await writer.write(Buffer.from('aab'))
    const waiting = when === 'waiting' ? writer.write(Buffer.from('bccdd')).then(() => 'written', (error: unknown) => error) : undefined
    await turns()
    target.holding = false
    target.uploads[0]!.reject(failure)
    for (const upload of target.uploads.slice(1)) upload.resolve()
    await turns()
    if (when === 'write') await expect(writer.write(Buffer.from('b'))).rejects.toBe(failure)
    if (waiting) expect(await waiting).toBe(failure)
    await expect(writer.close()).rejects.toBe(failure)
    expect([target.completed, target.abandoned]).toEqual([[], 1])
  }
})

test('a failed completion is reported, and the file abandoned; an aborted caller does not wait for the namenode', async () => {
  for (const givenUp of [false, true]) {
    const target = new Target(2)
    target.givenUp = givenUp
    target.complete = async () => { throw new GristmillError('EACCES', 'no') }
    const told = Promise.withResolvers<void>()
    target.abandon = () => { target.abandoned++; return told.promise }
    const writer = target.writer()
    await writer.write(Buffer.from('a'))
    let ended = false
    const closed = writer.close().catch((error: unknown) => { ended = true; return error })
    await turns()
    expect([target.abandoned, ended]).toEqual([1, givenUp])
    told.resolve()
    expect(await closed).toMatchObject({ code: 'EACCES' })
  }
})

test('a writer is closed when nothing of it is left on this machine', async () => {
  let closed = false
  const disk: Disk = { ...localDisk, async openRead(path) {
    const reader = await localDisk.openRead(path)
    const slowly = async (): Promise<void> => {
      await turns()
      await reader.close()
      closed = true
    }
    return new Proxy(reader, { get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target)
      return name === 'close' ? slowly : typeof value === 'function' ? value.bind(target) as unknown : value
    } })
  } }
  const target = new Target(8 << 20)
  const place = { disk, dir, random: { id: () => 'slow' } as never }
  const writer = new ClusterFileWriter(target as unknown as OpenFile, place, { format: 'bytes' })
  await writer.write(Buffer.alloc(3 << 20))
  await writer.close()
  expect(closed).toBe(true)
})

test('a writer that is given up leaves nothing, and ends once', async () => {
  for (const how of ['abort', 'drop'] as const) {
    const target = new Target(2)
    const writer = target.writer()
    await writer.write(Buffer.from('aab'))
    await writer[how]()
    expect([target.abandoned > 0, target.completed]).toEqual([true, []])
    const before = target.abandoned
    await writer.drop()
    expect(target.abandoned).toBe(before)
  }
})

/** Takes the bytes of a block as they come. */
class Streaming extends Target {
  readonly begun: number[] = []
  readonly taken: Buffer[] = []
  failure: Error | undefined

  override async upload(source: BlockSource): Promise<object> {
    const at = this.begun.push(source.bytes) - 1
    const parts: Buffer[] = []
    for (let position = 0; position < source.bytes; position += MiB) {
      const part = Buffer.alloc(Math.min(MiB, source.bytes - position))
      await source.ready?.(position + part.length)?.catch((error: Error) => { throw error.cause })
      if (this.failure) throw this.failure
      source.fill(part, position)
      parts.push(part)
    }
    this.taken[at] = Buffer.concat(parts)
    return { id: at + 1, length: source.bytes, crc: at, nodes: [] }
  }
}

const noise = (bytes: number): Buffer => Buffer.concat(Array.from({ length: bytes / MiB }, (_, i) => Buffer.alloc(MiB, `${i} rye `)))

async function writeBy(writer: ClusterFileWriter, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; at += MiB / 2) await writer.write(bytes.subarray(at, at + MiB / 2))
}

test('a block of a file of known length is sent while it comes, and a small rest when it has come', async () => {
  const bytes = noise(19 * MiB)
  const places = new Semaphore(4)
  const target = new Streaming(8 * MiB)
  const writer = target.writer({ format: 'bytes', coming: { bytes: bytes.length, places } })
  await writeBy(writer, bytes.subarray(0, 3 * MiB))
  expect(target.begun).toEqual([8 * MiB])
  await writeBy(writer, bytes.subarray(3 * MiB))
  await writer.close()
  expect(target.begun).toEqual([8 * MiB, 8 * MiB, 3 * MiB])
  expect(Buffer.concat(target.taken).equals(bytes)).toBe(true)
  const [[blocks]] = target.completed as [[Array<{ id: number; length: number }>, unknown]]
  expect(blocks.map(({ id, length }) => [id, length])).toEqual([[1, 8 * MiB], [2, 8 * MiB], [3, 3 * MiB]])
  expect(readdirSync(dir).filter(name => name.endsWith('.spool'))).toEqual([])
  for (let i = 0; i < 4; i++) expect(places.tryAcquire()).toBeDefined()
})

test('a stream that has another length than was expected is sent again with its own', async () => {
  for (const [expected, come] of [[16, 7], [7, 10], [10, 14], [6, 24]] as const) {
    const bytes = noise(come * MiB)
    const target = new Streaming(12 * MiB)
    const writer = target.writer({ format: 'bytes', coming: { bytes: expected * MiB, places: new Semaphore(4) } })
    await writeBy(writer, bytes)
    await writer.close()
    const [[blocks]] = target.completed as [[Array<{ id: number; length: number }>, unknown]]
    expect(target.begun[0]).toBe(Math.min(12, expected) * MiB)
    expect(Buffer.concat(blocks.map(({ id }) => target.taken[id - 1]!)).equals(bytes)).toBe(true)
    expect(readdirSync(dir).filter(name => name.endsWith('.spool'))).toEqual([])
  }
})

test('a block is not sent while it comes if the length is not known, records end blocks, or no place is free', async () => {
  const coming = { bytes: 16 * MiB, places: new Semaphore(1) }
  const full = new Semaphore(1)
  full.tryAcquire()
  for (const cut of [{ format: 'bytes' }, { format: 'lines', coming }, { format: 'bytes', coming: { ...coming, places: full } }] as const) {
    const target = new Streaming(16 * MiB)
    const writer = target.writer(cut)
    await writeBy(writer, noise(6 * MiB))
    expect(target.begun).toEqual([])
    await writer.close()
    expect(target.begun).toEqual([6 * MiB])
  }
})

test('a block that fails while it comes fails the next write; one that is given up leaves nothing', async () => {
  for (const how of ['fails', 'abort', 'drop'] as const) {
    const places = new Semaphore(1)
    const target = new Streaming(16 * MiB)
    const writer = target.writer({ format: 'bytes', coming: { bytes: 16 * MiB, places } })
    await writeBy(writer, noise(3 * MiB))
    expect(target.begun).toEqual([16 * MiB])
    if (how === 'fails') {
      target.failure = new GristmillError('UNAVAILABLE', 'no datanode')
      await writer.write(noise(2 * MiB))
      await turns()
      await expect(writer.write(noise(MiB))).rejects.toBe(target.failure)
      await expect(writer.close()).rejects.toBe(target.failure)
    } else await writer[how]()
    expect([target.abandoned > 0, target.completed]).toEqual([true, []])
    expect(readdirSync(dir).filter(name => name.endsWith('.spool'))).toEqual([])
    expect(places.tryAcquire()).toBeDefined()
  }
})
