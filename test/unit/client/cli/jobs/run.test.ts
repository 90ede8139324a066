// Parameters and environment variables of `run`, as words of the command line.

import { expect, test } from 'vitest'
import { parseParam } from '../../../../../client/cli/jobs/params.ts'
import { onceEach } from '../../../../../client/cli/jobs/params.ts'
import { environmentOf } from '../../../../../client/cli/jobs/run.ts'

test('a parameter is a name and a text', () => {
  expect(parseParam('k=5')).toEqual(['k', '5'])
  expect(parseParam('name=a=b')).toEqual(['name', 'a=b'])
  expect(parseParam('empty=')).toEqual(['empty', ''])
  for (const text of ['__proto__=5', '__proto__={}', '__proto__=text'])
    expect(() => parseParam(text)).toThrow(/the parameter "__proto__" cannot have this name/)
  expect(() => parseParam('=5')).toThrow('name=value')
  expect(() => parseParam('k')).toThrow('name=value')
})

test('a parameter and a variable are given once', () => {
  expect(onceEach('--param', [['a', 1], ['b', 2]])).toEqual({ a: 1, b: 2 })
  expect(() => onceEach('--param', [['a', 1], ['b', 2], ['a', 1]])).toThrow('--param a is given twice')
  expect(() => environmentOf(['A=1', 'A'], { A: '1' })).toThrow('--env A is given twice')
})
