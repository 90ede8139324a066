// Parameters of a program: converted to the types of its defaults, and refused before any call to the cluster if the program does not
// declare them, if their type cannot hold them, or if JSON would change them. Programs are loaded in real child processes.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { runProgram, type RunTools } from '../../../../client/jobs/run.ts'
import { typedParams } from '../../../../client/load/params.ts'
import type { FlatPlan } from '../../../../src/plan/flat.ts'
import { loadTyped, plannedJob, type Planned, type PlanRequest } from '../../../../client/load/planning.ts'
import { Plans } from '../../../../client/load/plans.ts'
import { lowerJob } from '../../../../src/plan/planof.ts'
import { bundleProgram } from '../../../../src/program/bundle.ts'
import { bundleFile } from '../../../../src/program/load.ts'
import { silent } from '../../../../src/ports/log.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { systemClock } from '../../../../src/world/clock.ts'
import { systemRandom } from '../../../../src/world/random.ts'
import { bundledProcesses } from '../../../tidy/bundled.ts'

// Programs are loaded in real processes, on a machine that may have other work.
let dir: string
beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), 'gristmill-params-')) })
afterEach(() => rm(dir, { recursive: true, force: true }))

/** A submit ends at the first call to the cluster. */
const tools = (): RunTools => ({
  cluster: {
    random: systemRandom(), clock: systemClock,
    ask: async () => {
      throw new Error('the cluster was asked')
    },
  } as never,
  files: {} as never, disk: localDisk, log: silent, processes: bundledProcesses, plans: new Plans(), workingDirectory: dir,
  programDir: join(dir, 'programs'), drivers: new Set(),
})

/** Plan of a map-reduce program, in this process. */
async function planProgram(request: Omit<PlanRequest, 'seed' | 'nowMs'>): Promise<Planned> {
  const loaded = await loadTyped({ disk: localDisk }, { ...request, seed: 0, nowMs: 0 })
  return plannedJob(loaded, lowerJob(loaded.program), { ...request, seed: 0, nowMs: 0 })
}

async function submitting(defaults: string, params: Record<string, unknown>): Promise<unknown> {
  await writeFile(
    join(dir, 'job.ts'),
    `import { mapReduce } from 'gristmill'\nexport default mapReduce({ params: ${defaults}, map() {} })\n`,
  )
  return runProgram(tools(), 'job.ts', { input: '/in', output: '/out', params }).catch((error: unknown) => error)
}

test.each<[unknown, RegExp]>([
  [JSON.parse('[{"__proto__":1}]'), /the parameter "p" has an object with the key "__proto__", which no parameter may have/],
  [new Map([['a', 1]]), /the parameter "p" holds a Map, which cannot be written as JSON/],
  [{ at: new Date(0) }, /"p" holds a Date at \.at/], [[1, NaN], /NaN at \[1\]/], [10n, /a bigint/], [Buffer.from('x'), /a Buffer/],
  [new URL('http://a.b'), /a URL/], [() => 1, /a function/],
])('a parameter that would not arrive as it is, is refused (%#)', async (value, message) => {
  expect(await submitting('{}', { p: value })).toMatchObject({ code: 'EINVAL', message: expect.stringMatching(message) })
})

test('so is one of the program\'s own; JSON values and undefined ones pass', async () => {
  expect(await submitting('{ stop: new Set(["a"]) }', {})).toMatchObject({
    code: 'EINVAL',
    message: expect.stringMatching(/the parameter of job "stop" holds a Set/),
  })
  const given = { n: undefined, list: [1, { a: null, b: undefined }], text: 'é' }
  expect(await submitting('{ n: 1, list: [], text: "" }', given)).toMatchObject({
    message: 'the cluster was asked',
  })
})

test('a name that the program does not declare is refused, with the nearest one', async () => {
  expect(await submitting('{ depth: 3, name: "x" }', { dept: 4 })).toMatchObject({
    code: 'EINVAL', message: 'job has no parameter "dept" (did you mean depth?); it has depth, name',
  })
  expect(await submitting('{}', { dept: 4 })).toMatchObject({ code: 'EINVAL', message: 'job has no parameter "dept"; it has none' })
})

test('a declaration in place of a default is refused when the program is loaded, also in a run that does not give the parameter', async () => {
  const refused = async (defaults: string, params = {}): Promise<string> => {
    const error = await submitting(defaults, params)
    expect(error).toMatchObject({ code: 'PROGRAM_INVALID' })
    return (error as Error).message
  }
  expect(await refused(`{ n: { type: 'number', default: 3 } }`, { n: 5 })).toBe(
    'job declares its parameter n as an object with type and default; params are the defaults themselves, whose type is that of the parameter: params: { n: 3 }',
  )
  expect(await refused(`{ ok: 1, n: { default: 'x' } }`)).toMatch(/n as an object with default; .*: params: \{ n: "x" \}$/)
  expect(await refused(`{ n: { type: 'string', description: 'd' } }`)).toMatch(/: params: \{ n: '' \}$/)
  expect(await refused(`{ n: { type: Number, default: 3n } }`)).toMatch(/: params: \{ n: 3 \}$/)
  for (const fine of ['{}', `{ type: 'csv' }`, `{ type: 'csv', default: 1 }`, '{ default: 1, other: 2 }', `{ description: 'd' }`])
    expect(await submitting(`{ n: ${fine} }`, {}), fine).toMatchObject({ message: 'the cluster was asked' })
})

describe('types of parameters', () => {
  const typed = (declared: unknown, value: unknown): unknown =>
    typedParams({ p: declared }, { values: { p: value }, texts: {} }, 'job')['p']
  const ofText = (declared: unknown, text: string): unknown => typedParams({ p: declared }, { values: {}, texts: { p: text } }, 'job')['p']

  test.each<[declared: unknown, text: string, value: unknown]>([
    ['', '5', '5'], ['', 'true', 'true'], ['', '[1]', '[1]'], ['', '{"a":1', '{"a":1'], ['', '', ''], ['', '007', '007'],
    ['', 'null', 'null'],
    [0, '5', 5], [0, ' 1.10 ', 1.1], [0, '1e3', 1000], [0, '+7', 7], [0, '-.5', -0.5], [0, '5.', 5], [0, '5.e1', 50],
    [0, '9007199254740991', 9_007_199_254_740_991],
    [false, 'true', true], [true, 'false', false],
    [[], '["a",1]', ['a', 1]], [{}, '{"a":1}', { a: 1 }],
    [null, '5', 5], [null, '1.10', '1.10'], [undefined, '[1]', [1]], [null, 'x', 'x'],
  ])('the default %j makes of the text %j the value %j', (declared, text, value) => { expect(ofText(declared, text)).toEqual(value) })

  test.each<[declared: unknown, text: string, message: RegExp]>([
    [0, 'five', /the parameter p is "five"; it must be a number, as its default in the program/], [0, '', /must be a number/],
    [0, '0x10', /must be a number/], [0, 'Infinity', /must be a number/], [0, '1e999', /1e999 of the parameter p would be changed to Infinity/],
    [0, '12345678901234567890', /would be changed to 12345678901234567000; a number holds 15 digits/],
    [0, '-0', /the number -0 of the parameter p would be changed to 0; give 0/], [0, '-0.0e3', /would be changed to 0/],
    [[], '[1,-0.0]', /the number -0.0 of the parameter p would be changed to 0; put it in quotes/],
    [false, '1', /must be true or false/], [false, 'yes', /must be true or false/],
    [[], 'a,b', /must be a list, such as \["a","b"\]/], [[], '{"a":1}', /must be a list/], [{}, '[1]', /must be an object/],
    [[], '[1,12345678901234567890]', /12345678901234567890 of the parameter p would be changed to 12345678901234567000; put it in quotes/],
  ])('the default %j refuses the text %j', (declared, text, message) => { expect(() => ofText(declared, text)).toThrow(message) })

  test.each<[declared: unknown, value: unknown, expected: unknown]>([
    ['', 'a', 'a'], ['', 5, '5'], ['', true, 'true'], [0, 5, 5], [0, '5', 5], [false, 'true', true], [[], [1], [1]],
    [null, { a: 1 }, { a: 1 }],
    [undefined, 5, 5],
  ])('the default %j takes the value %j as %j', (declared, value, expected) => { expect(typed(declared, value)).toEqual(expected) })

  test.each<[declared: unknown, value: unknown]>([
    ['', null], ['', ['a']], [0, null], [0, true], [0, [5]], [false, 1], [[], { a: 1 }], [{}, [1]], [{}, 5],
  ])('the default %j refuses the value %j', (declared, value) => {
    expect(() => typed(declared, value)).toThrow(/the parameter p is .*; it must be/)
  })

  test('a program without defaults gets each parameter; its texts keep what JSON would change', () => {
    const of = (text: string): unknown => typedParams(undefined, { values: {}, texts: { v: text } }, 'job')['v']
    expect(typedParams(undefined, { values: { a: [1] }, texts: { b: 'true' } }, 'job')).toEqual({ a: [1], b: true })
    const texts = [' 5', '5 ', '12345678901234567890', '9007199254740993', '1.10', '1.0', '1e999', '1e3', '-0', '007']
    for (const kept of [...texts, '0.10000000000000000001']) expect(of(kept)).toBe(kept)
    for (const number of [0, -5, 1.1, 9_007_199_254_740_991, 1e21, 5e-324]) expect(of(String(number))).toBe(number)
    expect(of('[1,"x"]')).toEqual([1, 'x'])
    expect(of('["12345678901234567890"]')).toEqual(['12345678901234567890'])
    expect(() => of('{"a":{"b":1e999}}')).toThrow(/1e999 of the parameter v/)
    // Within lists and objects the notation of a number does not matter, as long as a double holds it.
    expect(of('{"a":0.50,"b":[1.0,1e3,0.0],"c":1E20}')).toEqual({ a: 0.5, b: [1, 1000, 0], c: 1e20 })
    expect(() => of('[0.10000000000000000001]')).toThrow(/would be changed to 0\.1/)
    for (const twice of ['{"a":1,"a":2}', '{"a":1,"\\u0061":1}', '[{"b":{"c":"{","x":":","c":[]}}]'])
      expect(() => of(twice), twice).toThrow(/the parameter v has an object with the name ".*" twice/)
    expect(of('{"a":{"a":[{"a":1},{"a":":"}]},"b":"a"}')).toEqual({ a: { a: [{ a: 1 }, { a: ':' }] }, b: 'a' })
    for (const text of ['{"__proto__":1}', '[{"constructor":{"prototype":1}}]'])
      expect(() => of(text)).toThrow(/the parameter v has an object with the key "(__proto__|constructor)".*rename the key/)
  })
})

test('texts are given as texts, and a parameter once', async () => {
  const run = (options: object): Promise<unknown> =>
    writeFile(join(dir, 'job.ts'), `import { mapReduce } from 'gristmill'\nexport default mapReduce({ params: { n: 1 }, map() {} })\n`)
      .then(() => runProgram(tools(), 'job.ts', { input: '/in', output: '/out', ...options }).catch((error: unknown) => error))
  expect(await run({ paramTexts: { n: '5' } })).toMatchObject({ message: 'the cluster was asked' })
  expect(await run({ paramTexts: { n: 5 } })).toMatchObject({ code: 'EINVAL', message: expect.stringMatching(/the text of the parameter "n" is .*5.*; give it as a text/) })
  expect(await run({ params: { n: 1 }, paramTexts: { n: '5' } })).toMatchObject({
    code: 'EINVAL', message: 'the parameter "n" is in params and in paramTexts; leave one of them out',
  })
})

const shuffleOf = ({ nodes }: FlatPlan) => nodes.find(({ kind }) => kind === 'shuffle')

test('a program that is built from its parameters is planned with those that its tasks get', async () => {
  const planned: unknown[] = []
  await mkdir(join(dir, 'programs'), { recursive: true })
  const file = join(dir, 'job.ts')
  await writeFile(file, `import { mapReduce } from 'gristmill'
    export default (params: { parts: unknown }) => mapReduce({ params: { parts: '1' }, reducers: typeof params.parts === 'string' ? 3 : 4, map() {}, reduce() {} })\n`)
  const bundle = await bundleProgram({ disk: localDisk }, file)
  await writeFile(bundleFile(join(dir, 'programs'), bundle.id), bundle.bytes)
  for (const parts of ['7', '8']) {
    const { params, plan } = await planProgram({
      id: bundle.id, name: 'job', dir: join(dir, 'programs'), params: { values: {}, texts: { parts } }, instance: `planned ${parts}`,
    })
    planned.push([params, shuffleOf(plan)])
  }
  expect(planned).toMatchObject([
    [{ parts: '7' }, { partitions: 3 }], [{ parts: '8' }, { partitions: 3 }],
  ])
})

test('a program that is built from a text gets it as a text, also where it looks like a number', async () => {
  await mkdir(join(dir, 'programs'), { recursive: true })
  const file = join(dir, 'job.ts')
  await writeFile(file, `import { mapReduce } from 'gristmill'
    export default ({ version = '1.0', fast = false }) => mapReduce({ params: { version: '1.0', fast }, reducers: Number(version.split('.')[0]), map() {}, reduce() {} })\n`)
  const bundle = await bundleProgram({ disk: localDisk }, file)
  await writeFile(bundleFile(join(dir, 'programs'), bundle.id), bundle.bytes)
  const plan = (values: Record<string, unknown>, texts: Record<string, string>) => planProgram({
    id: bundle.id, name: 'job', dir: join(dir, 'programs'), params: { values, texts },
    instance: `as text ${JSON.stringify([values, texts])}`,
  })
  const planned = await plan({}, { version: '2' })
  expect([planned.params, shuffleOf(planned.plan)]).toMatchObject([{ version: '2' }, { partitions: 2 }])
  // The defaults of the others are asked for with the text, too.
  await expect(plan({}, { version: '2', fast: 'no' })).rejects.toThrow(/the parameter fast is .*; it must be true or false/)
  // The error is that of the first try: there is no other way to take the value.
  await expect(plan({ version: [2] }, {})).rejects.toMatchObject({
    code: 'PROGRAM_INVALID', message: expect.stringContaining('split is not a function'),
  })
})

test('a program that declares what it was given has the type of the default that it declares without it', async () => {
  await mkdir(join(dir, 'programs'), { recursive: true })
  const file = join(dir, 'job.ts')
  await writeFile(file, `import { mapReduce } from 'gristmill'
    export default ({ pattern, fast = false, version = '1', mode = 'a', limit = mode === 'a' ? 10 : 'none', any }) => {
      if (pattern === undefined) throw new TypeError('give a pattern')
      return mapReduce({ params: { pattern, fast, version, mode, limit, any }, map() {} })
    }\n`)
  const bundle = await bundleProgram({ disk: localDisk }, file)
  await writeFile(bundleFile(join(dir, 'programs'), bundle.id), bundle.bytes)
  const plan = async (texts: Record<string, string>, values: Record<string, unknown> = {}) => (await planProgram({
    id: bundle.id, name: 'job', dir: join(dir, 'programs'), params: { values, texts: { pattern: 'x', ...texts } }, instance: 'echo',
  })).params
  for (const fast of ['no', 'FALSE', '0', 'yes', '""']) {
    const refused = { code: 'EINVAL', message: expect.stringMatching(/^the parameter fast is .*; it must be true or false/) }
    await expect(plan({ fast }), fast).rejects.toMatchObject(refused)
    await expect(plan({}, { fast }), fast).rejects.toMatchObject(refused)
  }
  await expect(plan({}, { fast: 1 })).rejects.toThrow(/the parameter fast is 1; it must be true or false/)
  expect(await plan({ fast: 'true', version: '2' })).toMatchObject({ fast: true, version: '2' })
  expect(await plan({}, { fast: 'false' })).toMatchObject({ fast: false, version: '1' })
  // The default of one may depend on another one; no default takes any value.
  expect(await plan({ mode: 'b', limit: 'all', any: 'no' })).toMatchObject({ limit: 'all', any: 'no' })
  await expect(plan({ limit: 'all' })).rejects.toThrow(/the parameter limit is "all"; it must be a number/)
})
