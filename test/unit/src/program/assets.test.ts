// Assets of a program, bundled and loaded in temporary directories as on another machine: modules find the files beside them, assets change
// the program's id, and bundling changes no code that it must not.

import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readAssets } from '../../../../client/load/shipping.ts'
import { withAssets } from '../../../../src/program/assets.ts'
import { bundleProgram, idOf } from '../../../../src/program/bundle.ts'
import { loadProgram, type Program } from '../../../../src/program/load.ts'
import { localDisk as disk } from '../../../../src/world/disk.ts'
import { definitionOf } from './kit.ts'

let dir: string
let node: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-assets-'))
  node = join(dir, 'node')
  await mkdir(node)
})
afterEach(() => rm(dir, { recursive: true, force: true }))

async function source(name: string, text: string): Promise<string> {
  const path = join(dir, 'src', name)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text)
  return path
}

/** Bundles and sends a program as a submitter does, and loads it on another machine. */
async function load(file: string, assets: readonly string[] = [], instance = 'one'): Promise<{ program: Program; fetched: string[] }> {
  const bare = await bundleProgram({ disk }, file)
  const shipped = await readAssets(disk, dirname(file), assets)
  const bytes = withAssets(bare.bytes, shipped)
  const fetched: string[] = []
  const program = await loadProgram({ disk }, {
    id: idOf(bytes), dir: node, params: {}, instance, fetch: async () => bytes,
    fetchAsset: async ({ id, name }) => { fetched.push(name); return shipped.find(asset => asset.id === id)!.content },
  })
  return { program, fetched }
}

async function mapped(program: Program): Promise<unknown> {
  const got: unknown[] = []
  const returned = await definitionOf(program).map('x', (_key, value) => { got.push(value) }, undefined as never)
  return [...got, ...(returned ? [...returned as Iterable<unknown>] : [])]
}

const job = (body: string, top = '') => `import { mapReduce } from 'gristmill'\n${top}\nexport default mapReduce({ ${body} })\n`

test('modules find the assets beside them by __dirname, __filename and import.meta, whatever kind of module they are', async () => {
  await source('words.txt', 'rye')
  await source('lib/data/more.txt', 'oats')
  await source('node_modules/old/package.json', '{ "name": "old", "version": "1.0.0" }')
  await source('node_modules/old/table.json', '{"a":1}')
  await source(
    'node_modules/old/index.js',
    '#!/usr/bin/env node\n"use strict"; const fs = require("fs"), path = require("path"); exports.read = () => fs.readFileSync(path.join(__dirname, "table.json"), "utf8"); exports.name = path.basename(__filename)',
  )
  await source(
    'lib/own.mjs',
    `import { readFileSync } from 'node:fs'\nimport { fileURLToPath } from 'node:url'\nimport { dirname } from 'node:path'\nconst __filename = fileURLToPath(import.meta.url)\nconst __dirname = dirname(__filename)\nexport const more = () => readFileSync(__dirname + '/data/more.txt', 'utf8')`,
  )
  const file = await source('job.ts', job(`map(_line: string, emit) { emit(0, readFileSync(join(__dirname, 'words.txt'), 'utf8')); emit(0, readFileSync(new URL('./words.txt', import.meta.url), 'utf8')); emit(0, import.meta.dirname === __dirname && import.meta.filename === __filename); emit(0, more()); emit(0, old.read()); emit(0, old.name) }`,
    `import { readFileSync } from 'node:fs'\nimport { join } from 'node:path'\nimport { more } from './lib/own.mjs'\nimport old from 'old'`))
  const { program, fetched } = await load(file, ['words.txt', 'lib/data', 'node_modules/old/table.json'])
  expect(await mapped(program)).toEqual(['rye', 'rye', true, 'oats', '{"a":1}', 'index.js'])
  expect(fetched).toEqual(['words.txt', 'lib/data/more.txt', 'node_modules/old/table.json'])
  expect(await readFile(program.assets.get('lib/data/more.txt')!, 'utf8')).toBe('oats')
  expect(program.assets.get('words.txt')!.startsWith(node)).toBe(true)
})

test('a program that asks for no place is compiled once, and one that only mentions __dirname loads without assets', async () => {
  expect((await bundleProgram({ disk }, await source('plain.ts', job('map() {}')))).bytes.toString()).not.toContain('gristmillPlace')
  const { program } = await load(
    await source('asks.ts', job(`map(_line: string, emit) { emit(0, typeof __dirname) }`, 'const unused = () => __dirname\nvoid unused')),
  )
  expect(await mapped(program)).toEqual(['string'])
})

test('a file beside a program that is no asset of it is not found by a task, and the error says what to do', async () => {
  await source('words.txt', 'rye')
  await source('there.txt', 'oats')
  const read = (name: string): string => `map() { readFileSync(join(__dirname, ${JSON.stringify(name)})) }`
  const top = `import { readFileSync } from 'node:fs'\nimport { join } from 'node:path'`
  const messageOf = async (name: string, assets: readonly string[]): Promise<string> => {
    const { program } = await load(await source('reads.ts', job(read(name), top)), assets)
    const thrown: unknown = await mapped(program).catch((error: unknown) => error)
    return program.stacks.describe(thrown).message
  }
  expect(await messageOf('words.txt', ['there.txt'])).toMatch(
    /^Error: ENOENT: .*; a task has of the files beside a program only its assets: name this one there \(assets: \["words\.txt"\]\)$/,
  )
  expect(await messageOf('there.txt/below', ['there.txt'])).toContain('only its assets')
  expect(await messageOf('/gone', ['there.txt'])).toContain('(assets: ["gone"])')
  // At the top of a module, too; and of no other file.
  await expect(
    load(await source('top.ts', job('map() {}', `${top}\nreadFileSync(join(__dirname, 'data/x.bin'))`)), ['there.txt']),
  ).rejects.toMatchObject({ code: 'PROGRAM_INVALID', message: expect.stringContaining('(assets: ["data/x.bin"])') as string })
  const other = await load(await source('other.ts', job(`map() { readFileSync('/no/such/file') }`, top)), ['there.txt'])
  expect(other.program.stacks.describe(await mapped(other.program).catch((error: unknown) => error)).message).not.toContain('assets')
})

test('a file that is read by a relative path is looked for in the scratch of a task, and the error says where a file beside the program is', async () => {
  const messageOf = async (body: string): Promise<string> => {
    const top = `import { readFileSync, readdirSync, renameSync } from 'node:fs'\nimport { spawnSync } from 'node:child_process'`
    const { program } = await load(await source('reads.ts', job(`map() { ${body} }`, top)))
    const thrown: unknown = await mapped(program).catch((error: unknown) => error)
    return program.stacks.describe(thrown).message
  }
  expect(await messageOf(`readFileSync('no-stop.txt')`)).toBe(
    `Error: ENOENT: no such file or directory, open 'no-stop.txt'; the working directory of a task is its scratch (TMPDIR), which has no files `
    + 'of the program: name a file beside the program in its assets (assets: ["no-stop.txt"]) and read it at context.asset("no-stop.txt")',
  )
  expect(await messageOf(`readdirSync('../no-words')`)).toContain('read it at context.asset("../no-words")')
  for (const body of [`readFileSync('/no/such/file')`, `renameSync('no-a', 'no-b')`, `throw spawnSync('no-such-command').error`])
    expect(await messageOf(body), body).toMatch(/ENOENT(?!.*assets)/)
})

test('assets beside and above the program stay in its own directory on other machines', async () => {
  await source('shared/list.txt', 'one')
  const file = await source(
    'app/job.ts',
    job(
      `map(_line: string, emit) { emit(0, readFileSync(new URL('../../shared/list.txt', import.meta.url), 'utf8')) }`,
      `import { readFileSync } from 'node:fs'`,
    ),
  )
  const { program } = await load(file, ['../shared/list.txt'])
  expect(program.assets.get('../shared/list.txt')).toMatch(/\.assets\/_up_\/shared\/list\.txt$/)
  expect(await readFile(program.assets.get('../shared/list.txt')!, 'utf8')).toBe('one')
})

test('other assets are another program; what is on the machine is used, and fetched again if it was changed', async () => {
  const file = await source('job.ts', job('map() {}'))
  await source('a.txt', 'first')
  const first = await load(file, ['./a.txt', 'a.txt'])
  expect([...first.program.assets.keys()]).toEqual(['a.txt'])
  expect((await load(file, ['a.txt'], 'two')).fetched).toEqual([])
  await writeFile(first.program.assets.get('a.txt')!, 'other')
  expect((await load(file, ['a.txt'], 'three')).fetched).toEqual(['a.txt'])
  await source('a.txt', 'second')
  const second = await load(file, ['a.txt'])
  expect(second.program.assets.get('a.txt')).not.toBe(first.program.assets.get('a.txt'))
  expect(await readFile(second.program.assets.get('a.txt')!, 'utf8')).toBe('second')
  const bytes = withAssets(Buffer.from('x'), [{ name: 'b', id: '0'.repeat(64), bytes: 3 }])
  expect(bytes.toString()).toMatch(/^x\/\/# gristmillAssets=\S+\n$/)
})

test('an asset that is missing, absolute, or too large is refused', async () => {
  const at = dirname(await source('big/a.bin', ''))
  await expect(readAssets(disk, at, ['nope.txt'])).rejects.toMatchObject({
    code: 'ENOENT',
    message: expect.stringContaining('no asset nope.txt beside the program'),
  })
  await expect(readAssets(disk, at, ['/etc/passwd'])).rejects.toMatchObject({ code: 'EINVAL' })
  await writeFile(join(at, 'a.bin'), Buffer.alloc((64 << 20) + 1))
  await expect(readAssets(disk, at, ['a.bin'])).rejects.toMatchObject({ code: 'TOO_LARGE' })
})

test('links are followed to files; what leads nowhere, to a directory, or out of the program by way of a directory is refused with advice', async () => {
  const at = await mkdtemp(join(tmpdir(), 'gristmill-links-'))
  try {
    await mkdir(join(at, 'program/data'), { recursive: true })
    await writeFile(join(at, 'outside.txt'), 'outside')
    await writeFile(join(at, 'program/inside.txt'), 'inside')
    const program = join(at, 'program')
    for (const [name, to] of [
      ['data/near', '../inside.txt'], ['far', '../outside.txt'],
    ] as const)
      await symlink(to, join(program, name))
    expect(
      (await readAssets(disk, program, ['data', 'far'])).map(({ name, content }) => `${name}: ${Buffer.from(content).toString()}`),
    ).toEqual(['data/near: inside', 'far: outside'])
    await symlink('../../outside.txt', join(program, 'data/out'))
    await expect(readAssets(disk, program, ['data'])).rejects.toMatchObject({
      code: 'EINVAL',
      message: expect.stringMatching(/data\/out is a link that leads out of .*outside\.txt; name it itself/),
    })
    expect(await readAssets(disk, program, ['data', 'data/out'])).toHaveLength(2)
    await symlink('nowhere', join(program, 'broken'))
    await expect(readAssets(disk, program, ['broken'])).rejects.toMatchObject({
      code: 'ENOENT',
      message: expect.stringContaining('link to something that does not exist'),
    })
    await symlink('data', join(program, 'linked'))
    await expect(readAssets(disk, program, ['linked'])).rejects.toMatchObject({
      code: 'EINVAL',
      message: expect.stringContaining('link to a directory'),
    })
  } finally {
    await rm(at, { recursive: true, force: true })
  }
})

test('a package with a native module that it can do without does without it, and one that cannot says why', async () => {
  await source('node_modules/fast/package.json', '{ "name": "fast", "version": "1.0.0" }')
  await source('node_modules/fast/build/fast.node', '\x7fELF')
  await source(
    'node_modules/fast/index.js',
    'let impl; try { impl = require("./build/fast.node") } catch { impl = { kind: "slow" } } module.exports = impl',
  )
  const { program } = await load(await source('job.ts', job('map(_line: string, emit) { emit(0, fast.kind) }', `import fast from 'fast'`)))
  expect(await mapped(program)).toEqual(['slow'])
  await source('node_modules/fast/index.js', 'module.exports = require("./build/fast.node")')
  await expect(load(await source('job2.ts', job('map() {}', `import fast from 'fast'\nvoid fast`)))).rejects.toMatchObject({
    code: 'PROGRAM_INVALID',
    message: expect.stringContaining('the native module fast.node does not travel with a program'),
  })
})

test.each([
  ['declares both at once', `import { dirname } from 'node:path'\nimport { fileURLToPath } from 'node:url'\nconst __filename = fileURLToPath(import.meta.url), __dirname = dirname(__filename)`],
  ['takes them out of an object', `const { __dirname, __filename } = { __dirname: import.meta.dirname, __filename: import.meta.filename }`],
  ['imports them', `import { __dirname, __filename } from './here.ts'`],
  ['declares them as types only', `declare const __dirname: string, __filename: string`],
])('a program that %s keeps its own names for its place', async (_, top) => {
  await source('here.ts', 'export const __filename = import.meta.filename\nexport const __dirname = import.meta.dirname')
  const { program } = await load(
    await source('job.ts', job('map(_line: string, emit) { emit(0, [typeof __dirname, typeof __filename]) }', top)),
  )
  expect(await mapped(program)).toEqual([['string', 'string']])
})

test('a module whose name ends in .node.js is a module', async () => {
  await source('words.node.js', `export const kind = 'plain'`)
  const { program } = await load(
    await source('job.ts', job('map(_line: string, emit) { emit(0, kind) }', `import { kind } from './words.node'`)),
  )
  expect(await mapped(program)).toEqual(['plain'])
})

test('the CommonJS output of tsc for a program is a program', async () => {
  const { program } = await load(
    await source(
      'job.js',
      '"use strict";\nObject.defineProperty(exports, "__esModule", { value: true });\nconst gristmill_1 = require("gristmill");\nexports.default = (0, gristmill_1.mapReduce)({ map(line, emit) { emit(line, (0, gristmill_1.sum)([1, 2])); } });\n',
    ),
  )
  expect(await mapped(program)).toEqual([3])
  const { program: plain } = await load(
    await source(
      'plain.cjs',
      'const { mapReduce } = require("gristmill"); module.exports = mapReduce({ map(line, emit) { emit(line, 1) } })',
    ),
  )
  expect(await mapped(plain)).toEqual([1])
})

test('classes and functions keep their names, and a closure that map makes costs no definition of a property', async () => {
  await source(
    'other.ts',
    'export class Grain extends Error { static make() { return new Grain() } }\nexport function grind() { return 1 }',
  )
  const file = await source('job.ts', job(`map(_line: string, emit) { class Local {}; const inner = (x: number) => x + 1; emit(0, [Grain.make().constructor.name, Other.name, grind.name, other.name, arrow.name, Local.name, inner(1), Object.getOwnPropertyDescriptor(inner, 'name')?.value ?? '']) }`,
    `import { Grain as Other, grind as other } from './other.ts'\nclass Grain { static make() { return new Grain() } }\nfunction grind() {}\nconst arrow = () => 1\nvoid other`))
  const { program } = await load(file)
  expect(await mapped(program)).toEqual([['Grain', 'Grain', 'grind', 'grind', 'arrow', 'Local', 2, '']])
})
