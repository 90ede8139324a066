import { expect, test } from 'vitest'
import { applied, mutantsOf } from '../../mutation/mutators.ts'
import { recording } from '../../mutation/plant.ts'

const textsOf = (text: string): string[] => mutantsOf('a.ts', text).mutants.map(mutant => applied(text, mutant))

test('operators, constants, conditions, awaits and calls are changed one at a time', () => {
  expect(textsOf('const a = (x) < y')).toEqual(['const a = (x) <= y'])
  expect(textsOf('if (a) b()')).toEqual(['if (true) b()', 'if (false) b()', 'if (a) ;'])
  expect(textsOf('const f = async () => { await sync(1) }')).toEqual([
    'const f = async () => { ; }', 'const f = async () => { sync(1) }', 'const f = async () => { await sync(2) }',
  ])
  expect(textsOf('const a = !b ?? list.some(each)')).toEqual(['const a = b ?? list.some(each)', 'const a = !b', 'const a = !b ?? list.every(each)'])
})

test('types, texts of errors, log lines, assertions and joined strings are left alone', () => {
  expect(textsOf('const a: 1 | 2 = b as 3')).toEqual([])
  expect(textsOf('throw new Error(`${a + 1} left`)')).toEqual([])
  expect(textsOf('log.debug(a + 1); assert(a < 1); this.#log.warn(1)')).toEqual([])
  expect(textsOf(`const a = 'x' + y`)).toEqual([])
})

test('a name that every object inherits is no method to be swapped', () => {
  expect(textsOf('const a = b.toString()')).toEqual([])
})

test('a recording calls out where each function begins, and changes nothing else', () => {
  const entered = new Set<string>()
  const run = new Function('globalThis', `${recording('a.ts', 'const outer = x => y => ({ sum: x + y }); function block() { return outer(1)(2) }')}; return block()`)
  expect(run({ entered })).toEqual({ sum: 3 })
  expect([...entered].sort()).toEqual(['a.ts#0', 'a.ts#1', 'a.ts#2'])
})

test('a mutant knows its line and the function it is in', () => {
  const { mutants } = mutantsOf('a.ts', 'const a = 1\nfunction f() {\n  return 2\n}')
  expect(mutants.map(({ line, inside }) => [line, inside])).toEqual([[1, -1], [3, 0]])
})
