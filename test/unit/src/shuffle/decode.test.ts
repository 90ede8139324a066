// Decoding of objects: what is decoded depends on the bytes alone, whatever objects came before.

import { expect, test } from 'vitest'
import { GrowingBuffer } from '../../../../src/shuffle/buffer.ts'
import { decodeValue, textStart } from '../../../../src/shuffle/decode.ts'
import { encodeValue } from '../../../../src/shuffle/value.ts'
import { dice } from '../../../kit/dice.ts'

function encoded(value: unknown): Buffer {
  const to = new GrowingBuffer(64)
  encodeValue(value, to)
  return Buffer.from(to.bytes.subarray(0, to.length))
}
const decoded = (bytes: Buffer): unknown => decodeValue(bytes, 0, bytes.length)

/** Names that begin as others do, are empty, have several bytes a character, are no text, or mean something to JavaScript. */
const names = ['a', 'ab', 'abc', 'b', '', '0', '17', 'é', '日本', '\ud800', '__proto__', 'constructor', 'length', 'x'.repeat(300)]

function valueFrom(below: (n: number) => number, depth = 0): unknown {
  switch (below(depth > 3 ? 4 : 8)) {
    case 0: return below(1000)
    case 1: return names[below(names.length)]
    case 2: return null
    case 3: return below(2) === 0
    case 4: return Array.from({ length: below(3) }, () => valueFrom(below, depth + 1))
    case 5: return new Map([[valueFrom(below, depth + 1), valueFrom(below, depth + 1)]])
    default: {
      const made: Record<string, unknown> = {}
      for (let i = below(4); i > 0; i--) {
        const value = valueFrom(below, depth + 1)
        Object.defineProperty(made, names[below(names.length)]!, { value, enumerable: true, configurable: true, writable: true })
      }
      return made
    }
  }
}

test('random values, with names that resemble each other, come back as they were, in the same order of fields', () => {
  const random = dice(7)
  const below = (n: number): number => random.below(n)
  for (let i = 0; i < 20_000; i++) {
    const value = valueFrom(below)
    const bytes = encoded(value)
    const found = decoded(bytes)
    expect(found).toEqual(value)
    expect(encoded(found).equals(bytes)).toBe(true)
  }
})

test('rows of two kinds in turn, nested ones, and ones with more fields than are remembered', () => {
  const wide = Object.fromEntries(Array.from({ length: 30_000 }, (_, i) => [`field ${i}`, i]))
  const values = [
    { from: 'x', to: 'y', weight: 1 }, { from: 'x', till: 'y' }, { a: { from: 1, b: { from: 2 } }, b: { from: 3 } }, wide, { from: 1 }, {},
    [{ a: 1 }, { b: 2 }, [{ a: 3 }]], { ...wide, from: 0 },
  ]
  const bytes = values.map(encoded)
  for (let i = 0; i < 500; i++) {
    const at = (i * i + (i >> 3)) % values.length
    if (at !== 3 && at !== 7 || i < 40) expect(Object.is(JSON.stringify(decoded(bytes[at]!)), JSON.stringify(values[at]))).toBe(true)
  }
})

test('names that are other ones in each object', () => {
  for (let i = 0; i < 30_000; i++) {
    const value = { [`name ${i}`]: i, [`${i} other`]: { [`inner ${i % 7}`]: i } }
    if (JSON.stringify(decoded(encoded(value))) !== JSON.stringify(value)) expect(decoded(encoded(value))).toEqual(value)
  }
})

test('a damaged value is an error, and the next one is read as if there had been none', () => {
  const bytes = encoded({ first: { inner: 'text' }, second: [1, 2, 3] })
  for (let length = 1; length < bytes.length; length++) {
    expect(() => decodeValue(bytes.subarray(0, length), 0, length), `${length} bytes`).toThrow()
    expect(() => decodeValue(bytes, 0, length), `the first ${length} of more bytes`).toThrow()
    expect(decoded(bytes)).toEqual({ first: { inner: 'text' }, second: [1, 2, 3] })
  }
})

test('only a text whose length fits is found to be one, and where it starts', () => {
  for (const text of ['', 'a', 'x'.repeat(127), 'x'.repeat(128), 'é'.repeat(9000), 'x'.repeat(3_000_000)]) {
    const bytes = encoded(text)
    const start = textStart(bytes, 0, bytes.length)
    expect(bytes.toString('utf8', start)).toBe(text)
    expect(textStart(bytes, 0, bytes.length - 1)).toBe(-1)
    expect(textStart(Buffer.concat([bytes, bytes]), 0, bytes.length + 1)).toBe(-1)
  }
  for (const value of ['\ud800', 7, ['a'], null, Buffer.from('a')]) expect(textStart(encoded(value), 0, encoded(value).length)).toBe(-1)
  expect(textStart(Buffer.from([7, 0xff, 0xff]), 0, 3)).toBe(-1)
})
