// Segments, merged groups and the inbox of a reduce, in temporary directories: values come complete and in order within bounded memory and
// open files, and any changed byte is detected.

import fs from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { GristmillError } from '../../../../src/base/errors.ts'
import { createWriter } from '../../../../src/record/writer.ts'
import { mergeSegments } from '../../../../src/shuffle/groups.ts'
import { Inbox } from '../../../../src/shuffle/inbox.ts'
import { decodeIndex, encodeIndex, segmentInMemory, type Extent, type Segment } from '../../../../src/shuffle/segment.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { dice } from '../../../kit/dice.ts'
import { groupsOf, oracle, scratch, segmentsOf, writeOutput, type Pair } from './kit.ts'

async function readThrough(segments: Segment[], directory: string): Promise<unknown> {
  try {
    return await groupsOf(segments, directory)
  } catch (error) {
    return error
  }
}

describe('segments', () => {
  test.each([false, true])('a changed byte anywhere is detected before anything of its frame is seen (compressed: %s)', async compress => {
    const directory = await scratch()
    const pairs = Array.from({ length: 3000 }, (_, i): Pair => [`key ${i % 500}`, `value ${i} ${'.'.repeat(i % 40)}`])
    const result = await writeOutput(directory, pairs, { name: 'm', compress })
    const extent = result.partitions[0]!
    const whole = (await fs.readFile(result.file)).subarray(extent.offset)
    const good = oracle(pairs)
    const random = dice(3)
    const places = [
      ...Array.from({ length: 24 }, (_, i) => i),
      ...Array.from({ length: 150 }, () => random.below(whole.length)),
      whole.length - 1,
    ]
    for (const place of places) {
      const bad = Buffer.from(whole)
      bad[place]! ^= 1 << random.below(8)
      const merged = await mergeSegments({ segments: [segmentInMemory('m', bad, extent)], disk: localDisk, directory, name: 'r' }).catch(
        (error: unknown) => error as GristmillError,
      )
      if (merged instanceof GristmillError) { expect(merged).toMatchObject({ code: 'CORRUPT', details: { segment: 'm' } }); continue }
      let seen = 0
      expect(() => {
        for (const { key, values } of merged) expect([key, [...values]]).toEqual(good[seen++])
      }, `byte ${place}`).toThrow(/fetched or computed again/)
    }
  })

  test('a segment that is cut, has a frame too few, or another digest is detected', async () => {
    const directory = await scratch()
    const pairs = Array.from({ length: 20_000 }, (_, i): Pair => [`key ${i}`, 'some value of a certain length'])
    const result = await writeOutput(directory, pairs, { name: 'm' })
    const extent = result.partitions[0]!
    const whole = (await fs.readFile(result.file)).subarray(extent.offset)
    const firstFrame = 20 + whole.readUInt32LE(0)
    const of = (bytes: Buffer, facts: Partial<Extent>) => segmentInMemory('m', bytes, { ...extent, ...facts })
    const bad: Segment[] = [
      of(whole.subarray(0, whole.length - 1), {}),
      of(whole.subarray(0, 100), {}),
      of(whole.subarray(0, whole.length - 1), { bytes: whole.length - 1 }),
      of(whole.subarray(0, firstFrame + 7), { bytes: firstFrame + 7 }),
      of(whole.subarray(firstFrame), { bytes: whole.length - firstFrame }),
      of(whole, { crc: extent.crc ^ 1 }),
      of(whole, { records: extent.records - 1 }),
    ]
    for (const segment of bad) expect(await readThrough([segment], directory)).toMatchObject({ code: 'CORRUPT' })
    expect(await readThrough([of(whole, {})], directory)).toHaveLength(20_000)
  })

  test('an index with any changed byte, or of another length, is refused', () => {
    const extents = [{ offset: 8, bytes: 2 ** 33, records: 5, crc: 7 }, { offset: 8 + 2 ** 33, bytes: 0, records: 0, crc: 0 }]
    const bytes = encodeIndex(extents)
    expect(decodeIndex(bytes, 'i')).toEqual(extents)
    for (let i = 0; i < bytes.length; i++) {
      const bad = Buffer.from(bytes)
      bad[i]! ^= 0x10
      expect(() => decodeIndex(bad, 'i'), `byte ${i}`).toThrow(/it must be fetched or computed again/)
    }
    for (const length of [0, 15, 16, bytes.length - 1]) expect(() => decodeIndex(bytes.subarray(0, length), 'i')).toThrow(/index/)
  })
})

describe('groups', () => {
  test('values that are not read are passed over, wherever the reading stops', async () => {
    const directory = await scratch()
    const random = dice(4)
    const tasks = Array.from({ length: 4 }, (_, t) => Array.from({ length: 15_000 }, (_, i): Pair => [`k${i % 20}`, t * 100_000 + i]))
    const results = []
    for (const [t, pairs] of tasks.entries()) results.push(await writeOutput(directory, pairs, { name: `m${t}` }))
    const merged = await mergeSegments({ segments: await segmentsOf(results, 0), disk: localDisk, directory, name: 'r' })
    const expected = oracle(tasks.flat())
    let group = 0
    for (const { key, values } of merged) {
      const [wantedKey, wanted] = expected[group++]!
      expect(key).toBe(wantedKey)
      let left = random.pick([0, 1, 2500, 2999, 3000])
      const read: unknown[] = []
      if (left > 0) for (const value of values) { read.push(value); if (--left === 0) break }
      expect(read).toEqual(wanted.slice(0, read.length))
    }
    expect(merged).toMatchObject({ groups: 20, records: 60_000, recordsTotal: 60_000 })
    await merged.close()
  })

  test('values can be gone through once, and only while their group is current', async () => {
    const directory = await scratch()
    const result = await writeOutput(directory, [['a', 1], ['a', 2], ['b', 3]], { name: 'm' })
    const merged = await mergeSegments({ segments: await segmentsOf([result], 0), disk: localDisk, directory, name: 'r' })
    // The last key is no exception.
    for (const { values } of [...merged]) {
      expect(() => [...values]).toThrow(/after its reduce had returned/)
      expect(() => [...values]).toThrow(/only once/)
    }
    const again = await mergeSegments({ segments: await segmentsOf([result], 0), disk: localDisk, directory, name: 'r' })
    for (const group of again) {
      const values = group.values[Symbol.iterator]()
      expect(values.next()).toMatchObject({ done: false })
      group.end()
      expect(() => values.next()).toThrow(/after its reduce had returned/)
    }
  })

  // Of large texts a frame holds a few, so that the bytes of a text that is kept are often gone.
  test.each(['ascii', 'any', 'large'])('texts that are written again come out as they are, at once or later than others are read (%s)', async kind => {
    const directory = await scratch()
    const random = dice(6)
    const isLarge = kind === 'large'
    const count = isLarge ? 200 : 6000
    const any = ['é', '磨', '\ufeffm', '😀', 'x'.repeat(130), 'long '.repeat(2000)]
    const more = isLarge ? ['large '.repeat(10_000)] : kind === 'any' ? any : ['x', '']
    const textOf = (): string => `${random.below(1e9)} ${random.pick(more)} ${'.'.repeat(random.below(60))}`
    const tasks = Array.from({ length: 3 }, () => Array.from({ length: count }, (): Pair =>
      [
        random.pick([`k${random.below(count)}`, random.below(9), `k${random.pick(more).slice(0, 300)}`]),
        random.pick([textOf(), textOf(), random.below(9)]),
      ]))
    const results = []
    for (const [t, pairs] of tasks.entries()) results.push(await writeOutput(directory, pairs, { name: `m${t}` }))
    const [writer, plain] = [createWriter({ format: 'text' }), createWriter({ format: 'text' })]
    const put = (key: unknown, value: unknown): void => {
      writer.write(key, value)
      plain.write(key, value)
    }
    const merged = await mergeSegments({
      segments: await segmentsOf(results, 0), disk: localDisk, directory, name: 'r', origins: writer.origins,
    })
    let kept: Pair = [null, 'first']
    for (const { key, values } of merged) {
      put(...kept)
      for (const value of values) {
        put(key, random.pick([value, value, kept[1], `${String(value)}`]))
        if (isLarge || random.below(4) === 0) kept = [key, value]
        if (random.below(6) === 0) break
      }
      put(...kept)
    }
    const [found, wanted] = [writer, plain].map(each => each.take())
    expect(found!.equals(wanted!)).toBe(true)
    expect(merged).toMatchObject({ records: 3 * count })
    await merged.close()
  })

  test('hundreds of segments merge in passes over the disk, in the same order, and leave nothing behind', async () => {
    const directory = await scratch()
    const tasks = Array.from({ length: 150 }, (_, t) => Array.from({ length: 20 }, (_, i): Pair => [`k${(i * 7 + t) % 30}`, `${t}.${i}`]))
    const results = []
    for (const [t, pairs] of tasks.entries()) results.push(await writeOutput(directory, pairs, { name: `m${t}` }))
    const merged = await mergeSegments({ segments: await segmentsOf(results, 0), disk: localDisk, directory, name: 'r', fanIn: 4 })
    expect(merged.passes).toBeGreaterThan(40)
    expect(Array.from(merged, ({ key, values }) => [key, [...values]])).toEqual(oracle(tasks.flat()))
    await merged.close()
    expect((await fs.readdir(directory)).filter(name => name.startsWith('r'))).toEqual([])
  })
})

describe('an inbox', () => {
  async function* pieces(bytes: Buffer) { for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000) }

  test('receives what memory holds and puts the rest into files, and few files are open at once', async () => {
    const directory = await scratch()
    const tasks = Array.from({ length: 20 }, (_, t) => Array.from({ length: 300 }, (_, i): Pair => [`k${(i * 11 + t) % 97}`, t * 1000 + i]))
    const inbox = new Inbox({ disk: localDisk, directory, name: 'r', memoryBytes: 20_000, openMax: 3 })
    const segments = await Promise.all(tasks.map(async (pairs, t) => {
      const result = await writeOutput(directory, pairs, { name: `m${t}` })
      const extent = result.partitions[0]!
      if (t % 3 === 0) return inbox.local(result.file, result.file, extent)
      return inbox.receive(`m${t}`, extent, pieces((await fs.readFile(result.file)).subarray(extent.offset)))
    }))
    expect(inbox.memoryBytes).toBeGreaterThan(10_000)
    expect((await fs.readdir(directory)).filter(name => name.includes('.fetch')).length).toBeGreaterThan(1)
    expect(await groupsOf(segments, directory)).toEqual(oracle(tasks.flat()))
    await inbox.close()
    expect((await fs.readdir(directory)).filter(name => name.includes('.fetch'))).toEqual([])
  })

  test('a stream with more or fewer bytes than announced is refused, and its memory is free again', async () => {
    const directory = await scratch()
    for (const memoryBytes of [0, 1 << 20]) {
      const inbox = new Inbox({ disk: localDisk, directory, name: 'r', memoryBytes })
      for (const length of [0, 4999, 5001, 9000]) {
        await expect(
          inbox.receive('m3', { offset: 0, bytes: 5000, records: 1, crc: 1 }, pieces(Buffer.alloc(length))),
        ).rejects.toMatchObject({ code: 'CORRUPT', details: { segment: 'm3' } })
      }
      expect(inbox.memoryBytes).toBe(0)
      await inbox.close()
    }
    expect(await fs.readdir(directory)).toEqual([])
  })
})
