// Blocks of Snappy: each kind of element, and bytes that are no block. avro.test.ts has blocks of another implementation.

import { expect, test } from 'vitest'
import { unpackSnappy } from '../../../../src/record/snappy.ts'
import { dice } from '../../../kit/dice.ts'

const unpacked = (hex: string, bytesMax = 1 << 20): Buffer => unpackSnappy(Buffer.from(hex.replaceAll(' ', ''), 'hex'), bytesMax)

test('literals and copies are unpacked, also those that reach into themselves', () => {
  expect(unpacked('00')).toEqual(Buffer.alloc(0))
  expect(unpacked('03 08 616263').toString()).toBe('abc')
  // A copy with one byte of offset, one with two, and one with four.
  expect(unpacked('0a 08 616263 0d 03').toString()).toBe('abcabcabca')
  expect(unpacked('08 0c 61626364 0e 0400').toString()).toBe('abcdabcd')
  expect(unpacked('08 0c 61626364 0f 04000000').toString()).toBe('abcdabcd')
  const long = Buffer.alloc(70_000, 'x')
  for (const [length, tag] of [[61, 'f03c'], [300, 'f42b01'], [70_000, 'f86f1101']] as const) {
    const size = { 61: '3d', 300: 'ac02', 70_000: 'f0a204' }[length]
    const bytes = long.subarray(0, length)
    expect(unpacked(`${size}${tag}${bytes.toString('hex')}`)).toEqual(bytes)
  }
})

test('bytes that are no block are refused', () => {
  const cases: ReadonlyArray<readonly [hex: string, reason: RegExp]> = [
    ['', /end within an element/], ['ffffffffffff', /begin with no length/], ['04 08 616263', /less than the unpacked length/],
    ['02 08 616263', /more than the unpacked length/], ['03 08 6162', /end within an element/], ['03 f0', /end within an element/],
    ['08 0c 61626364 0e 0500', /begins before the first byte/], ['08 0c 61626364 0e 0000', /begins before the first byte/],
    ['05 0c 61626364 0e 0400', /more than the unpacked length/], ['ffff3f 08 616263', /fewer than the unpacked length needs/],
  ]
  for (const [hex, reason] of cases) expect(() => unpacked(hex), hex).toThrow(reason)
  let code: unknown
  try {
    unpacked('c801 08 616263', 100)
  } catch (error) {
    ({ code } = error as { code?: unknown })
  }
  expect(code).toBe('ERR_BUFFER_TOO_LARGE')
})

test('no bytes lead outside of the block, or to another error', () => {
  const seed = 20_261_128
  const random = dice(seed)
  for (let round = 0; round < 5000; round++) {
    const bytes = Buffer.from(Array.from({ length: random.below(40) }, () => random.below(256)))
    bytes[0] = random.below(128)
    try {
      expect(unpackSnappy(bytes, 1000).length).toBe(bytes[0])
    } catch (error) {
      expect((error as Error).message, `seed ${seed}, round ${round}`).toMatch(/^they are no block of Snappy/)
    }
  }
})
