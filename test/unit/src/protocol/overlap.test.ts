// Overlap of job outputs and inputs, compared with a plain oracle on random paths.

import { expect, test } from 'vitest'
import { isWithin, namesOf } from '../../../../src/base/paths.ts'
import { checkApart, meets } from '../../../../src/protocol/overlap.ts'
import { dice } from '../../../kit/dice.ts'

/** Plain oracle: compares name by name. */
const slow = (output: string, input: string): boolean => isWithin(input, output)
  || (isWithin(output, input) && !namesOf(output).slice(namesOf(input).length).some(name => name.startsWith('.') || name.startsWith('_')))

test('an output meets an input that it contains, and one in which it is read', () => {
  const { below, pick } = dice(20_261_128)
  const names = ['a', 'b', 'ab', '_a', '.b', 'a_', 'b.']
  const path = (): string => `/${Array.from({ length: below(5) }, () => pick(names)).join('/')}`
  let met = 0
  for (let i = 0; i < 5000; i++) {
    const [output, input] = [path(), path()]
    const expected = slow(output, input)
    expect([output, input, meets(output, input)]).toEqual([output, input, expected])
    if (expected) met++
    if (expected) expect(() => checkApart(output, [input])).toThrow(expect.objectContaining({ code: 'EINVAL', details: { output, input } }))
    else checkApart(output, [input])
  }
  expect(met).toBeGreaterThan(500)
})
