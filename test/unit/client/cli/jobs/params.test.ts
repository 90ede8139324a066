// Parameters and variables of `run`, as typed on the command line: values keep their text unless JSON can hold them exactly, and duplicates
// are refused.

import { expect, test } from 'vitest'
import { parseParam } from '../../../../../client/cli/jobs/params.ts'
import { environmentOf, onceEach } from '../../../../../client/cli/jobs/run.ts'

test('parameters keep their text unless it is JSON', () => {
  expect(parseParam('k=5')).toEqual(['k', 5])
  expect(parseParam('name=a=b')).toEqual(['name', 'a=b'])
  for (const text of ['__proto__=5', '__proto__={}', '__proto__=text'])
    expect(() => parseParam(text)).toThrow(/the parameter "__proto__" cannot have this name/)
  for (const text of ['a={"__proto__":1}', 'a=[{"constructor":{"prototype":1}}]'])
    expect(() => parseParam(text)).toThrow(/the parameter a has an object with the key "(__proto__|constructor)".*rename the key/)
  expect(parseParam('list=[1,"x"]')).toEqual(['list', [1, 'x']])
  expect(parseParam('empty=')).toEqual(['empty', ''])
  // A number that would print differently stays the text that was typed.
  for (const kept of ['12345678901234567890', '9007199254740993', '1.10', '1.0', '1e999', '1e3', '-0', '007', '0.10000000000000000001'])
    expect(parseParam(`v=${kept}`)).toEqual(['v', kept])
  for (const number of [0, -5, 1.1, 9_007_199_254_740_991, 1e21, 5e-324]) expect(parseParam(`v=${number}`)).toEqual(['v', number])
  expect(parseParam('ids=["12345678901234567890"]')).toEqual(['ids', ['12345678901234567890']])
  expect(() => parseParam('ids=[1,12345678901234567890]')).toThrow(
    /12345678901234567890 of the parameter ids would be changed to 12345678901234567000; put it in quotes/,
  )
  expect(() => parseParam('o={"a":{"b":1e999}}')).toThrow(/1e999 of the parameter o/)
  // Within lists and objects the notation of a number does not matter, as long as a double holds it.
  expect(parseParam('o={"a":0.50,"b":[1.0,1e3,-0.0],"c":1E20}')).toEqual(['o', { a: 0.5, b: [1, 1000, -0], c: 1e20 }])
  expect(() => parseParam('o=[0.10000000000000000001]')).toThrow(/would be changed to 0\.1/)
  for (const twice of ['{"a":1,"a":2}', '{"a":1,"\\u0061":1}', '[{"b":{"c":"{","x":":","c":[]}}]'])
    expect(() => parseParam(`o=${twice}`), twice).toThrow(/the parameter o has an object with the name ".*" twice/)
  expect(parseParam('o={"a":{"a":[{"a":1},{"a":":"}]},"b":"a"}')).toEqual(['o', { a: { a: [{ a: 1 }, { a: ':' }] }, b: 'a' }])
  expect(onceEach('--param', [['a', 1], ['b', 2]])).toEqual({ a: 1, b: 2 })
  expect(() => onceEach('--param', [['a', 1], ['b', 2], ['a', 1]])).toThrow('--param a is given twice')
  expect(() => environmentOf(['A=1', 'A'], { A: '1' })).toThrow('--env A is given twice')
  expect(() => parseParam('=5')).toThrow('name=value')
})
