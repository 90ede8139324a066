// Encodings of keys and values, on random ones: bytes order as the keys do, decode to what was encoded, never change between releases, and
// damage is detected.

import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { limits } from '../../../../src/base/limits.ts'
import type { Key } from '../../../../src/base/pair.ts'
import { compareKeys, decodeKey, descending, encodeKey, keyPrefix } from '../../../../src/shuffle/key.ts'
import { askPartitioner, hashKey } from '../../../../src/shuffle/partition.ts'
import { GrowingBuffer } from '../../../../src/shuffle/buffer.ts'
import { decodeValue } from '../../../../src/shuffle/decode.ts'
import { copyValue, encodeValue } from '../../../../src/shuffle/value.ts'
import { dice } from '../../../kit/dice.ts'
import { compare, plainZero, randomKey } from './kit.ts'

function encoded(key: Key): Buffer {
  const sink = new GrowingBuffer(1)
  encodeKey(key, sink)
  return Buffer.from(sink.bytes.subarray(0, sink.length))
}

function roundTrip(value: unknown): unknown {
  const sink = new GrowingBuffer(3)
  sink.byte(9)
  encodeValue(value, sink)
  return decodeValue(sink.bytes, 1, sink.length)
}

describe('keys', () => {
  test('encodings order as the keys do, are equal only for equal keys, and decode to the key', () => {
    const seed = Number(process.env['SEED'] ?? 11)
    console.info(`seed ${seed}`)
    const random = dice(seed)
    const keys = Array.from({ length: 600 }, () => randomKey(random))
    const bytes = keys.map(encoded)
    keys.forEach((a, i) => {
      expect(decodeKey(bytes[i]!, 0, bytes[i]!.length)).toEqual(plainZero(a))
      keys.forEach((b, j) => {
        const found = Math.sign(compareKeys(bytes[i]!, 0, bytes[i]!.length, bytes[j]!, 0, bytes[j]!.length))
        if (found !== Math.sign(compare(a, b))) expect.fail(`${inspect(a)} against ${inspect(b)}: ${found}`)
        const prefixes = keyPrefix(bytes[i]!, 0, bytes[i]!.length) - keyPrefix(bytes[j]!, 0, bytes[j]!.length)
        if (prefixes !== 0 && Math.sign(prefixes) !== found) expect.fail(`prefixes of ${inspect(a)} and ${inspect(b)}`)
      })
    })
  })

  test('keys in descending order compare the other way round, alone and among the items of an array, and decode to the key', () => {
    const random = dice(12)
    const keys = Array.from({ length: 300 }, () => randomKey(random))
    /** Forms of a key, with the place of the key in them; -1: it is the whole. */
    const forms: Array<[(key: Key, rest: Key) => Key, number]> = [
      [key => descending(key), -1], [(key, rest) => [descending(key), rest], 0], [(key, rest) => ['same', descending(key), rest], 1],
    ]
    for (const [form, at] of forms) {
      const bytes = keys.map((key, i) => encoded(form(key, i % 3)))
      keys.forEach((a, i) => {
        const decoded = decodeKey(bytes[i]!, 0, bytes[i]!.length)
        expect(at < 0 ? decoded : (decoded as Key[])[at]).toEqual(plainZero(a))
        keys.forEach((b, j) => {
          const difference = Math.sign(compare(b, a)) || (at < 0 ? 0 : Math.sign(i % 3 - j % 3))
          const found = Math.sign(compareKeys(bytes[i]!, 0, bytes[i]!.length, bytes[j]!, 0, bytes[j]!.length))
          if (found !== difference) expect.fail(`${inspect(a)} against ${inspect(b)}: ${found}`)
        })
      })
    }
  })

  test('the bytes and the hash of released encodings never change', () => {
    const table: Array<[Key, string]> = [
      [null, '01'], [false, '02'], [true, '03'], [0, '048000000000000000'], [1, '04bff0000000000000'], [-1, '04400fffffffffffff'],
      [NaN, '04fff8000000000000'], ['', '05'], ['grain', '05677261696e'], ['a\0', '056100'], [[], '0600'],
      [['de', 7], '060564650004c01c00000000000000'], [['a\0b', [null]], '06056100ff62000601 0000'.replace(' ', '')],
    ]
    table.push(
      [9_007_199_254_740_993n, '04c340000000000000070101'], [5n, '04c0140000000000000700'], [-(2n ** 53n) - 1n, '043cbffffffffffffe070101'],
    )
    table.push([descending('a'), '0608fa9effff'], [[descending(1), 'b'], '060608fb400fffffffffffffff05620000'])
    for (const [key, hex] of table) expect(encoded(key).toString('hex'), String(key)).toBe(hex)
    const hash = (key: Key) => { const bytes = encoded(key); return hashKey(bytes, 0, bytes.length) }
    expect(['', 'the', 'grain', 42].map(hash)).toEqual([92_598_572, 4_280_759_073, 1_289_812_774, 799_325_460])
  })

  test('hashes spread keys that differ little evenly over partitions', () => {
    for (const partitions of [2, 3, 7, 16]) {
      const counts = new Array<number>(partitions).fill(0)
      for (let i = 0; i < 20_000; i++) {
        const bytes = encoded(`user-${i}`)
        counts[hashKey(bytes, 0, bytes.length) % partitions]!++
      }
      for (const count of counts) expect(Math.abs(count - 20_000 / partitions)).toBeLessThan(500)
    }
  })

  test.each([
    [undefined, /undefined/], [2n ** 1024n, /309 digits/], [-(2n ** 1024n), /309 digits/], [{}, /Object/], [new Date(0), /toISOString/],
    [() => 1, /function/], ['\ud800', /toWellFormed/], [[1, undefined], /undefined inside/], [Promise.resolve(), /await/],
  ])('%s is refused with advice', (key, message) => {
    expect(() => encoded(key as unknown as Key)).toThrow(message)
  })

  test('a key may be as long as a record and nested to its limit, and not a byte or a level more', () => {
    const most = limits.recordBytesMax
    const nested = (levels: number): Key => { let key: Key = 1; for (let i = 0; i < levels; i++) key = [key]; return key }
    // The tag counts for arrays, whose encoding is measured as a whole: array, string, its end, the end of the array.
    for (const [fits, over] of [
      ['x'.repeat(most), 'x'.repeat(most + 1)],
      ['é'.repeat(most / 2), `${'é'.repeat(most / 2)}x`],
      [['x'.repeat(most - 4)], ['x'.repeat(most - 3)]],
    ] as Array<[Key, Key]>) {
      const bytes = encoded(fits)
      expect(decodeKey(bytes, 0, bytes.length)).toEqual(fits)
      expect(() => encoded(over)).toThrow(
        expect.objectContaining({ code: 'EINVAL', message: expect.stringContaining(`a key of ${most + 1} bytes`) as string }),
      )
    }
    expect(decodeKey(encoded(nested(limits.jsonDepthMax)), 0, encoded(nested(limits.jsonDepthMax)).length)).toEqual(
      nested(limits.jsonDepthMax),
    )
    expect(() => encoded(nested(limits.jsonDepthMax + 1))).toThrow(/nested over 64 levels/)
    const largest = BigInt(Number.MAX_VALUE)
    for (const key of [largest, -largest]) expect(decodeKey(encoded(key), 0, encoded(key).length)).toBe(key)
    for (const key of [largest + 1n, -largest - 1n]) expect(() => encoded(key)).toThrow(/309 digits/)
  })

  test('a partition function with an invalid result is an error', () => {
    for (const answer of [-1, 4, 0.5, NaN, undefined]) {
      expect(() => askPartitioner(() => answer as number, 'k', 4)).toThrow(/must return an integer from 0 to 3/)
    }
    expect(askPartitioner(((key: string, n: number) => key.length % n) as never, 'four!', 4)).toBe(1)
  })
})

describe('values', () => {
  const shared = { n: 1 }
  test.each([
    0, 1, 191, 192, 2 ** 32, Number.MAX_SAFE_INTEGER, 2 ** 53, -1, -(2 ** 40), -0, 0.1, NaN, Infinity, -Infinity, '', 'text',
    'é'.repeat(100), 'ü'.repeat(64), '😀\0', '\ud800 alone', null, true, false, [], [1, 'a', null, [undefined]], {},
    { a: 1, ключ: [{ b: 'x' }], u: undefined }, 10n, -(2n ** 70n), new Date(1e12), new Date(NaN), Buffer.from([1, 2, 255]),
    new Map<unknown, unknown>([
      [1, 'a'], ['k', { d: 1 }],
    ]),
    new Set([1, 'x']), { one: shared, two: shared },
    JSON.parse('{"__proto__":{"x":1},"a":2}') as unknown,
    'x'.repeat(300_000),
  ])('%o comes back as it was', value => {
    // toEqual tells -0 from 0 and NaN from anything else.
    expect(roundTrip(value)).toEqual(value)
  })

  test('a value nested up to the limit is encoded and copied, and one more level is refused', () => {
    for (const wrap of [
      (value: unknown) => [value], (value: unknown) => ({ value }), (value: unknown) => new Map([[1, value]]),
      (value: unknown) => new Map([[value, 1]]), (value: unknown) => new Set([value]),
    ]) {
      const nested = (levels: number): unknown => {
        let value: unknown = 1
        for (let i = 0; i < levels; i++) value = wrap(value)
        return value
      }
      expect(roundTrip(nested(limits.jsonDepthMax))).toEqual(nested(limits.jsonDepthMax))
      expect(copyValue(nested(limits.jsonDepthMax), 'emit was given')).toEqual(nested(limits.jsonDepthMax))
      for (const refuse of [roundTrip, (value: unknown) => copyValue(value, 'emit was given')])
        expect(() => refuse(nested(limits.jsonDepthMax + 1))).toThrow(/^emit was given a value nested over 64 levels/)
    }
  })

  test('an encoding that is cut, has a byte too many, or claims more than there is, is CORRUPT', () => {
    for (const value of [
      [1, 2], { a: 1 }, new Map([[1, 2]]), new Set([1]), Buffer.from('abc'), 'text', '\ud800', 10n, 300, -300, 2 ** 40, 0.5,
    ]) {
      const sink = new GrowingBuffer()
      encodeValue(value, sink)
      const bytes = Buffer.concat([sink.bytes.subarray(0, sink.length), Buffer.alloc(16)])
      for (const end of [sink.length - 1, sink.length + 1])
        expect(() => decodeValue(bytes, 0, end), `${inspect(value)} to ${end}`).toThrow(expect.objectContaining({ code: 'CORRUPT' }))
      expect(decodeValue(bytes, 0, sink.length)).toEqual(value)
    }
    for (const bytes of [[16], [63], [4, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]])
      expect(() => decodeValue(Buffer.from(bytes), 0, bytes.length)).toThrow(expect.objectContaining({ code: 'CORRUPT' }))
    for (const bytes of [[0], [8], [6, 5, 65]])
      expect(() => decodeKey(Buffer.from(bytes), 0, bytes.length)).toThrow(expect.objectContaining({ code: 'CORRUPT' }))
  })

  const circle: unknown[] = []
  circle.push(circle)
  test.each([
    [undefined, /use null/], [() => 1, /function/],
    [
      {
        f() {
          return 1
        },
      },
      /function inside/,
    ],
    [Symbol('x'), /symbol/], [Promise.resolve(1), /await it/], [new (class Mill {})(), /instance of Mill/], [circle, /contains itself/],
    [new Float64Array(2), /instance of Float64Array/],
  ])('%o is refused with advice', (value, message) => {
    expect(() => roundTrip(value)).toThrow(message)
  })
})
