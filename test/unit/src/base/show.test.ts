// Printing of values in error messages. Once, a key that JSON cannot represent hid the error of the function that failed on it.

import { expect, test } from 'vitest'
import { showValue } from '../../../../src/base/show.ts'

test('every value can be shown', () => {
  expect([9007199254740993n, [1n, 'a', 2], 'text', { a: 1n }, null].map(value => showValue(value))).toEqual([
    '9007199254740993', '[1,"a",2]', '"text"', '{"a":1}', 'null',
  ])
  const round: unknown[] = []
  round.push(round)
  const thrower = { toJSON() { throw new Error('no') } }
  expect([undefined, () => 1, Symbol('s'), round, thrower].map(value => showValue(value))).toEqual([
    'undefined', 'a function', 'Symbol(s)', 'an object', 'an object',
  ])
  expect(showValue('x'.repeat(100), 10)).toBe(`"${'x'.repeat(9)}…`)
})
