// JSON with bigints: every digit stays, and what JSON has no form for becomes a text or null.

import { expect, test } from 'vitest'
import { digits, exactJson } from '../../../../src/base/exactjson.ts'
import { parseExact } from '../../../../src/record/integers.ts'

test('bigints keep their digits, wherever they are, and are read back as they were', () => {
  const value = { id: 9007199254740993n, list: [-(2n ** 70n), 1, { deep: 0n }] }
  const text = '{"id":9007199254740993,"list":[-1180591620717411303424,1,{"deep":0}]}'
  expect(exactJson(value)).toBe(text)
  expect(JSON.stringify(value, digits)).toBe(text)
  expect(parseExact(text)).toEqual({ id: 9007199254740993n, list: [-(2n ** 70n), 1, { deep: 0 }] })
  expect(exactJson(5n)).toBe('5')
})

test('bytes are base64, times are texts, numbers that JSON has not are texts, undefined is null', () => {
  expect(exactJson(new Uint8Array([1, 2, 3]).subarray(1))).toBe('"AgM="')
  expect(exactJson({ b: Buffer.from('ü'), d: new Date(0), n: NaN, i: -Infinity, u: undefined, z: -0, l: [undefined, null] }))
    .toBe('{"b":"w7w=","d":"1970-01-01T00:00:00.000Z","n":"NaN","i":"-Infinity","u":null,"z":0,"l":[null,null]}')
  expect(exactJson(undefined)).toBe('null')
})
