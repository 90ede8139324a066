// Meta files of blocks: the documented bytes, round trips, and detection of every flipped bit, cut or swapped file.

import { expect, test } from 'vitest'
import { blockId } from '../../../../src/base/ids.ts'
import { ChunkTable, crcOf } from '../../../../src/block/checksum.ts'
import { decodeMeta, decodeMetaHeader, encodeMeta, metaBytes, metaHeaderBytes } from '../../../../src/block/meta.ts'
import { exampleOf, noise } from './kit.ts'

function metaOf(id: number, bytes: Buffer): Buffer {
  const table = new ChunkTable()
  for (let at = 0; at < bytes.length; at += 65_536) table.add(crcOf(bytes.subarray(at, at + 65_536)), Math.min(65_536, bytes.length - at))
  return encodeMeta({ id: blockId(id), length: bytes.length, crc: table.crc, crcs: table.crcs })
}

test('the example in docs/format/meta.md is what the code writes', () => {
  expect(metaOf(0x2a, Buffer.from('grain\n')).toString('hex')).toBe(exampleOf('meta.md').toString('hex'))
})

test('a meta file reads back, its header alone too', () => {
  const bytes = noise(200_000)
  const file = metaOf(7, bytes)
  expect(file.length).toBe(metaBytes(200_000))
  const meta = decodeMeta(file, blockId(7))
  expect(meta).toMatchObject({ id: 7, length: 200_000, crc: crcOf(bytes) })
  expect([...meta.crcs]).toEqual([0, 1, 2, 3].map(i => crcOf(bytes.subarray(i * 65_536, (i + 1) * 65_536))))
  expect(decodeMetaHeader(file.subarray(0, metaHeaderBytes), blockId(7))).toEqual({ id: 7, length: 200_000, crc: crcOf(bytes) })
})

test('every flipped bit is noticed', () => {
  const clean = metaOf(7, noise(100_000))
  for (let bit = 0; bit < clean.length * 8; bit++) {
    const file = Buffer.from(clean)
    file[bit >> 3]! ^= 1 << (bit & 7)
    expect(() => decodeMeta(file, blockId(7)), `bit ${bit}`).toThrow(expect.objectContaining({ code: 'CORRUPT' }))
  }
})

test('a torn, a grown and a swapped meta file are noticed', () => {
  const clean = metaOf(7, noise(100_000))
  for (let length = 0; length < clean.length; length++)
    expect(() => decodeMeta(clean.subarray(0, length), blockId(7)), `${length} bytes`).toThrow()
  expect(() => decodeMeta(Buffer.concat([clean, Buffer.alloc(4)]), blockId(7))).toThrow('it has 56 bytes, a block of 100000 bytes needs 52')
  expect(() => decodeMeta(clean, blockId(8))).toThrow('it belongs to block 0000000000000007')
})

test('chunk checksums that do not add up to the block are noticed even under a right checksum of the file', () => {
  const bytes = encodeMeta({ id: blockId(7), length: 100_000, crc: 1, crcs: Uint32Array.of(2, 3) })
  expect(() => decodeMeta(bytes, blockId(7))).toThrow('do not add up')
})

test('the header alone shows every damage, and says what is wrong under a right checksum', () => {
  const clean = metaOf(7, noise(100_000)).subarray(0, metaHeaderBytes)
  for (let bit = 0; bit < clean.length * 8; bit++) {
    const header = Buffer.from(clean)
    header[bit >> 3]! ^= 1 << (bit & 7)
    expect(() => decodeMetaHeader(header, blockId(7)), `bit ${bit}`).toThrow(expect.objectContaining({ code: 'CORRUPT' }))
  }
  for (let length = 0; length < metaHeaderBytes; length++) {
    expect(() => decodeMetaHeader(clean.subarray(0, length), blockId(7))).toThrow(
      expect.objectContaining({ code: 'CORRUPT', message: expect.stringContaining('too few for a header') }),
    )
  }
  for (const [change, words] of [
    [(header: Buffer) => header.write('GRM_DATA'), 'does not begin with GRM_META'],
    [(header: Buffer) => header.writeUInt16LE(2, 8), 'format version 2, this program reads version 1'],
    [(header: Buffer) => header.writeUInt32LE(4096, 12), 'its chunks have 4096 bytes'],
  ] as const) {
    const header = Buffer.from(clean)
    change(header)
    header.writeUInt32LE(crcOf(header.subarray(0, metaHeaderBytes - 4)), metaHeaderBytes - 4)
    expect(() => decodeMetaHeader(header, blockId(7))).toThrow(
      expect.objectContaining({ code: 'CORRUPT', message: expect.stringContaining(words) }),
    )
  }
})
