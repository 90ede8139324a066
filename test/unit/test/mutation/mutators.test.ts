// Mutation testing on source text: one change per mutant, stable names, and the test files that each mutant is run against.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { applied, mutantsOf } from '../../../mutation/mutators.ts'
import { recording, root } from '../../../mutation/plant.ts'
import { entering, type Recording } from '../../../mutation/recording.ts'
import { filesOf, keyOf, mutantsIn, nameOf } from '../../../mutation/rooms.ts'

const textsOf = (text: string): string[] => mutantsOf('a.ts', text).mutants.map(mutant => applied(text, mutant))

test('operators, constants, conditions, awaits and calls are changed one at a time', () => {
  expect(textsOf('const a = (x) < y')).toEqual(['const a = (x) <= y'])
  expect(textsOf('if (a) b()')).toEqual(['if (true) b()', 'if (false) b()', 'if (a) ;'])
  expect(textsOf('const f = async () => { await sync(1) }')).toEqual([
    'const f = async () => { ; }', 'const f = async () => { sync(1) }', 'const f = async () => { await sync(2) }',
  ])
  expect(textsOf('const a = !b ?? list.some(each)')).toEqual([
    'const a = b ?? list.some(each)', 'const a = !b', 'const a = !b ?? list.every(each)',
  ])
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
  const run = new Function(
    'globalThis',
    `${recording('a.ts', 'const outer = x => y => ({ sum: x + y }); function block() { return outer(1)(2) }')}; return block()`,
  )
  expect(run({ entered })).toEqual({ sum: 3 })
  expect([...entered].sort()).toEqual(['a.ts#0', 'a.ts#1', 'a.ts#2'])
})

test('a mutant knows its line and the function it is in', () => {
  const { mutants } = mutantsOf('a.ts', 'const a = 1\nfunction f() {\n  return 2\n}')
  expect(mutants.map(({ line, inside }) => [line, inside])).toEqual([[1, -1], [3, 0]])
})

test('a mutant is named by its line and what becomes of it, so that two changes of one line differ', () => {
  const mutants = mutantsIn(filesOf('writing'))
  const names = new Map(mutants.map(mutant => [keyOf(nameOf(mutant)), mutant]))
  const twice = mutants.filter(
    mutant => names.get(keyOf(nameOf(mutant)))!.line === mutant.line && names.get(keyOf(nameOf(mutant))) !== mutant,
  )
  expect(mutants.length).toBeGreaterThan(200)
  expect(twice.map(({ file, line, original, replacement }) => [file, line, original, replacement])).toEqual([])
})

test('a mutant meets the test files that enter its function; when its file has changed since they were recorded, those that enter the file', () => {
  const [mutant] = mutantsIn(filesOf('writing')).filter(({ inside }) => inside >= 0)
  const { file, inside } = mutant!
  const hash = createHash('sha1')
    .update(readFileSync(join(root, file)))
    .digest('hex')
  const recorded = (name: string, number: number, sha1 = hash): Recording => ({
    file: name, ms: 1, entered: [`${file}#${number}`], hashes: { [file]: sha1 },
  })
  const all = [
    recorded('a', inside), recorded('b', inside + 1), recorded('c', inside + 1, 'of another text'),
    { file: 'd', ms: 1, entered: [], hashes: {} },
  ]
  expect(entering(all, mutant!).map(each => each.file)).toEqual(['a', 'c'])
})

test('a room has the files of the folders in it', () => {
  expect(filesOf('jobs')).toEqual(
    expect.arrayContaining(['namenode/jobs/engine.ts', 'namenode/jobs/scheduler/scheduler.ts', 'namenode/jobs/store/store.ts']),
  )
})
