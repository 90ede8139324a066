// Checksums of chunks and blocks: combined from parts of any length, they equal the checksum of the bytes.

import { expect, test } from 'vitest'
import { ChunkTable, chunkCount, combine, crcOf, crcOfChunks } from '../../../../src/block/checksum.ts'
import { noise } from './kit.ts'

test('the checksum of two parts follows from theirs, whatever the lengths', () => {
  const bytes = noise(300_000)
  for (const cut of [0, 1, 7, 4096, 65_536, 65_537, 131_072, 234_464, 299_999, 300_000]) {
    const [a, b] = [bytes.subarray(0, cut), bytes.subarray(cut)]
    expect(combine(crcOf(a), crcOf(b), b.length), `cut at ${cut}`).toBe(crcOf(bytes))
  }
})

test('joining works for second parts beyond 32 bits of length', () => {
  // crc(A 0…0): joined in one step, and in halves of the same zeros.
  const half = 2 ** 33
  const zeros = (bytes: number): number => {
    let crc = crcOf(Buffer.alloc(1024))
    for (let have = 1024; have < bytes; have *= 2) crc = combine(crc, crc, have)
    return crc
  }
  const a = crcOf(Buffer.from('grain'))
  const once = combine(a, zeros(2 * half), 2 * half)
  const twice = combine(combine(a, zeros(half), half), zeros(half), half)
  expect(once).toBe(twice)
  expect(once).not.toBe(combine(a, zeros(half), half))
})

test('a table of chunks gives the checksum of the block without a second pass', () => {
  for (const length of [1, 65_535, 65_536, 65_537, 1_500_000]) {
    const bytes = noise(length, length)
    const table = new ChunkTable()
    for (let at = 0; at < length; at += 65_536) table.add(crcOf(bytes.subarray(at, at + 65_536)), Math.min(65_536, length - at))
    expect(table.count).toBe(chunkCount(length))
    expect(table.bytes).toBe(length)
    expect(table.crc).toBe(crcOf(bytes))
    expect(crcOfChunks(table.crcs, length)).toBe(crcOf(bytes))
  }
})

test('no chunk may follow a short one', () => {
  const table = new ChunkTable()
  table.add(1, 10)
  expect(() => table.add(1, 10)).toThrow('only the last chunk')
})
