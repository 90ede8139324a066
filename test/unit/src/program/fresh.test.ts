// Copies of the beginning of a total: what a merge changes in place is never seen by the next total.

import { expect, test } from 'vitest'
import { fresh, freshZero } from '../../../../src/program/fresh.ts'

test('what a merge may change in place is copied: typed arrays of each kind, bytes, and what is inside of others', () => {
  const pool = new Float32Array([9, 1, 2, 9])
  const given = {
    f: new Float64Array([1, 2]), part: pool.subarray(1, 3), big: new BigInt64Array([1n]), clamped: new Uint8ClampedArray([300]),
    view: new DataView(new Uint8Array([0, 7]).buffer, 1), raw: new Uint8Array([1, 2]).buffer, bytes: Buffer.from('rye'),
    map: new Map([[{ k: 1 }, [new Int8Array([1])]]]), set: new Set([[1]]), date: new Date(5),
    bare: Object.assign(Object.create(null), { a: [1] }),
  }
  const copy = fresh(given)
  const { bytes, ...others } = given
  expect(copy).toEqual({ ...others, bytes: new Uint8Array(bytes) })
  copy.f[0] = copy.part[0] = 50
  copy.big[0] = 50n
  copy.clamped[0] = copy.bytes[0] = new Uint8Array(copy.raw)[0] = 50
  copy.view.setInt8(0, 50)
  copy.date.setTime(50)
  for (const [key, [held]] of copy.map) key.k = held![0] = 50
  for (const each of copy.set) each.push(50)
  copy.bare.a.push(50)
  expect(given).toEqual({
    f: new Float64Array([1, 2]), part: new Float32Array([1, 2]), big: new BigInt64Array([1n]), clamped: new Uint8ClampedArray([255]),
    view: new DataView(new Uint8Array([7]).buffer), raw: new Uint8Array([1, 2]).buffer, bytes: Buffer.from('rye'),
    map: new Map([[{ k: 1 }, [new Int8Array([1])]]]), set: new Set([[1]]), date: new Date(5),
    bare: Object.assign(Object.create(null), { a: [1] }),
  })
  expect(given.view.getInt8(0)).toBe(7)
})

test('a value that contains itself is copied with its form, and an instance of a class is kept', () => {
  const given: { list: unknown[]; self?: unknown; twice?: unknown } = { list: [] }
  given.self = given
  given.list.push(given, given.list)
  given.twice = given.list
  const copy = fresh(given)
  expect(copy).not.toBe(given)
  expect([copy.self === copy, copy.list[0] === copy, copy.list[1] === copy.list, copy.twice === copy.list]).not.toContain(false)
  const sum = new (class { n = 1 })()
  expect(fresh([sum])[0]).toBe(sum)
  expect(Object.keys(fresh(JSON.parse('{"__proto__": 1}') as object))).toEqual(['__proto__'])
})

test('a function that returns one object each time gives a copy of it each time', () => {
  const one = new Float64Array(1)
  const zero = freshZero(() => one)
  zero()[0] = 5
  expect(zero()).toEqual(new Float64Array(1))
})
