// Stacks of errors thrown by bundled programs: they show the author's functions, files and lines, and no frames of the engine.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { bundleProgram } from '../../../../src/program/bundle.ts'
import { loadProgram, type Program } from '../../../../src/program/load.ts'
import { localDisk as disk } from '../../../../src/world/disk.ts'
import { definitionOf } from './kit.ts'

let dir: string
beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), 'gristmill-stack-')) })
afterEach(() => rm(dir, { recursive: true, force: true }))

async function thrownBy(text: string): Promise<{ program: Program; thrown: unknown }> {
  const file = join(dir, 'mill.ts')
  await writeFile(file, text)
  const bundle = await bundleProgram({ disk }, file)
  const program = await loadProgram({ disk }, { id: bundle.id, dir, params: {}, instance: 'job', fetch: async () => bundle.bytes })
  try {
    await definitionOf(program).map('x', () => {}, undefined as never)
  } catch (thrown) {
    return { program, thrown }
  }
  throw new Error('nothing was thrown')
}

test('a stack shows the author\'s functions and lines, and nothing of what calls them', async () => {
  const { program, thrown } = await thrownBy([
    `import { mapReduce, sum } from 'gristmill'`,
    `type Grain = { weight: number }`,
    ``,
    `function grind(grain: Grain): void {`,
    `  if (grain.weight > 0) throw new RangeError('too heavy')`,
    `}`,
    `export default mapReduce({`,
    `  map(line: string, emit) {`,
    `    sum((function* () { grind({ weight: line.length }) })())`,
    `  },`,
    `})`,
  ].join('\n'))
  expect(program.stacks.describe(thrown)).toEqual({
    message: 'RangeError: too heavy',
    stack: [
      'RangeError: too heavy',
      '    at grind (mill.ts:5:31)',
      '    at mill.ts:9:25',
      '    at map (mill.ts:9:5)',
    ].join('\n'),
  })
})

test('an asynchronous stack and a cause are shown', async () => {
  const { program, thrown } = await thrownBy([
    `import { mapReduce } from 'gristmill'`,
    `async function read(): Promise<void> {`,
    `  await null`,
    `  try { throw new Error('inner') } catch (cause) { throw new Error('outer', { cause }) }`,
    `}`,
    `export default mapReduce({ async map() { await read() } })`,
  ].join('\n'))
  const { stack } = program.stacks.describe(thrown)
  expect(stack).toMatch(
    /^Error: outer\n {4}at read \(mill\.ts:4:\d+\)\n {4}at (?:async )?map \(mill\.ts:6:\d+\)\n {2}caused by Error: inner\n {4}at read \(mill\.ts:4:\d+\)/,
  )
})

test('a function that the bundler had to rename keeps its author\'s name', async () => {
  const { program, thrown } = await thrownBy([
    `import { mapReduce, sum } from 'gristmill'`,
    `import * as other from 'node:path'`,
    `function check(line: string): number { throw new Error(line + other.sep) }`,
    `function outer2(line: string): void { check(line) }`,
    `export default mapReduce({ map(line: string) { outer2(line); sum([]) } })`,
  ].join('\n'))
  expect(
    program.stacks
      .describe(thrown)
      .stack?.split('\n')
      .slice(1)
      .map(line => line.trim().replace(/:\d+\)/, ')')),
  ).toEqual(['at check (mill.ts:3)', 'at outer2 (mill.ts:4)', 'at map (mill.ts:5)'])
})

test.each([
  [`throw 'just text'`, 'the program threw "just text"'],
  [`throw { code: 5 }`, 'the program threw {"code":5}'],
  [`throw undefined`, 'the program threw undefined'],
  [`const a: any = {}; a.a = a; throw a`, 'the program threw an object'],
  [`const e = new Error('odd'); Object.defineProperty(e, 'stack', { get() { throw new Error('trap') } }); throw e`, 'Error: odd'],
])('whatever is thrown is shown: %s', async (statement, message) => {
  const { program, thrown } = await thrownBy(`import { mapReduce } from 'gristmill'\nexport default mapReduce({ map() { ${statement} } })`)
  expect(program.stacks.describe(thrown)).toEqual({ message, stack: undefined })
})

test('an endless message is cut', async () => {
  const { program, thrown } = await thrownBy(
    `import { mapReduce } from 'gristmill'\nexport default mapReduce({ map() { throw new Error('x'.repeat(1e6)) } })`,
  )
  expect(program.stacks.describe(thrown).message.length).toBeLessThan(10_000)
})

test('a refused write says where a task may write, and not which option Node would need', async () => {
  const code = (permission: string): string => `import { mapReduce } from 'gristmill'
    export default mapReduce({ map() {
      const message = 'Access to this API has been restricted. Use --allow-fs-write to manage permissions.'
      throw Object.assign(new Error(message), { code: 'ERR_ACCESS_DENIED', permission: '${permission}', resource: '/out.txt' })
    } })`
  const write = await thrownBy(code('FileSystemWrite'))
  const { message, stack } = write.program.stacks.describe(write.thrown)
  expect(message).toBe(
    'Error: Access to this API has been restricted; a task may write only below TMPDIR (its scratch); give results to emit')
  expect(stack).toContain(`${message}\n    at map (mill.ts:`)
  const other = await thrownBy(code('Inspector'))
  expect(other.program.stacks.describe(other.thrown).message).toContain('Use --allow-fs-write')
})
