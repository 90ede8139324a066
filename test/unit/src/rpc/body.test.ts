// Parser of JSON bodies: any JSON value comes through unchanged; too much nesting, too many parts and prototype keys are refused before
// they cost anything.

import { expect, test } from 'vitest'
import { limits } from '../../../../src/base/limits.ts'
import { parseJson } from '../../../../src/rpc/body.ts'
import { seeded } from '../../../../src/world/random.ts'

const refusal = expect.objectContaining({ code: 'EINVAL' }) as Error
const nested = (depth: number): string => '['.repeat(depth) + ' '.repeat(200) + ']'.repeat(depth)

test('nesting is allowed up to 64 levels and refused beyond', () => {
  expect(() => parseJson(nested(64))).not.toThrow()
  expect(() => parseJson(nested(65))).toThrow(refusal)
  expect(() => parseJson(nested(100_000))).toThrow(refusal)
  expect(() => parseJson(`{"a":[${'{"b":['.repeat(40)}${']}'.repeat(40)}]}`)).toThrow(refusal)
})

test('brackets inside of strings are not nesting, however the strings are escaped', () => {
  for (const text of ['['.repeat(500), `\\"${'{'.repeat(500)}`, `${'\\\\'.repeat(9)}${'['.repeat(500)}`]) {
    const json = JSON.stringify({ a: text, b: [text] })
    expect(parseJson(json)).toEqual({ a: text, b: [text] })
  }
})

test('a string that ends in escaped backslashes does not hide the nesting behind it', () => {
  for (const slashes of [2, 4, 6]) expect(() => parseJson(`["${'\\'.repeat(slashes)}",${nested(70)}]`)).toThrow(/nested/)
})

test('keys that reach into prototypes are refused, in any spelling and at any depth', () => {
  for (const text of [
    '{"__proto__":{"admin":true}}', '{"a":[{"__proto__":1}]}', '{"\\u005f_proto__":1}', '{"__pr\\u006fto__":1}',
    '{"constructor":{"prototype":{"x":1}}}', '{"constr\\u0075ctor":{"prototype":1}}',
  ]) expect(() => parseJson(text), text).toThrow(refusal)
})

test('the same words are fine as values and as harmless keys', () => {
  for (const value of [{ path: '/__proto__' }, { constructor: 'x' }, { a: 'constructor', prototype: 1 }, { a: '\u0000\u001f' }]) {
    expect(parseJson(JSON.stringify(value))).toEqual(value)
  }
})

test('text that is not JSON is EINVAL', () => {
  for (const text of ['', '{', '{"a":}', 'undefined', '{"a":1}x', '"__proto__']) expect(() => parseJson(text), text).toThrow(refusal)
})

test('any JSON value comes through unchanged (seed 11)', () => {
  const random = seeded(11)
  const value = (depth: number): unknown => {
    switch (random.below(depth > 4 ? 3 : 5)) {
      case 0: return random.float() * 1e6
      case 1: return Buffer.from(random.bytes(random.below(20))).toString('latin1')
      case 2: return [null, true, false][random.below(3)]
      case 3: return Array.from({ length: random.below(6) }, () => value(depth + 1))
      default: return Object.fromEntries(Array.from({ length: random.below(6) }, () => [random.id(), value(depth + 1)]))
    }
  }
  for (let i = 0; i < 300; i++) {
    const original = value(0)
    expect(parseJson(JSON.stringify(original))).toEqual(original)
  }
})

test('a body with more parts than parsing may cost is refused before it is parsed, whatever its bytes are', () => {
  const parse = JSON.parse
  const tooLarge = expect.objectContaining({ code: 'TOO_LARGE' }) as Error
  const { jsonBracketsMax, jsonPartsMax, jsonKeysMax } = limits
  const keys = (count: number): string => `{${Array.from({ length: count }, (_, i) => `"${i}":0`).join()}}`
  JSON.parse = () => { throw new Error('it is not to be parsed') }
  try {
    expect(() => parseJson(`[${'[],'.repeat(jsonBracketsMax)}0]`)).toThrow(tooLarge)
    expect(() => parseJson(`[${'0,'.repeat(jsonPartsMax + 1)}0]`)).toThrow(tooLarge)
    expect(() => parseJson(keys(jsonKeysMax + 1))).toThrow(tooLarge)
  } finally {
    JSON.parse = parse
  }
  // Each object is counted separately, and the content of strings does not count.
  expect(parseJson(`[${keys(jsonKeysMax)},${keys(jsonKeysMax)},"${',[:{'.repeat(jsonPartsMax)}"]`)).toHaveLength(3)
})

test('nesting is counted in the shortest text that can be too deep', () => {
  expect(() => parseJson('['.repeat(65) + ']'.repeat(65))).toThrow(
    expect.objectContaining({ code: 'EINVAL', message: expect.stringContaining('nested over 64 levels') }),
  )
  expect(parseJson('['.repeat(64) + ']'.repeat(64))).toBeDefined()
})
