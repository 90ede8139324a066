// Bundles that are kept: one is given again only while the compiler would make the same one.

import { mkdir, mkdtemp, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { bundleProgram } from '../../../../src/program/bundle.ts'
import { Bundles } from '../../../../src/program/bundles.ts'
import { localDisk as disk } from '../../../../src/world/disk.ts'

let dir: string
let bundles: Bundles
beforeEach(async () => {
  dir = await realpath(await mkdtemp(join(tmpdir(), 'gristmill-bundles-')))
  bundles = new Bundles()
})
afterEach(() => rm(dir, { recursive: true, force: true }))

async function write(name: string, text: string): Promise<string> {
  await mkdir(join(dir, name, '..'), { recursive: true })
  await writeFile(join(dir, name), text)
  return join(dir, name)
}

const job = (body: string) => `import { mapReduce } from 'gristmill'\nexport default mapReduce({ map(line: string, emit) { ${body} } })\n`

const bundle = (file: string) => bundles.bundle({ disk }, file)

/** The bundle was not made again; and it is the one that the compiler makes. */
async function isKept(file: string): Promise<boolean> {
  const [one, other] = [await bundle(file), await bundle(file)]
  expect(other.id).toBe((await bundleProgram({ disk }, file)).id)
  return one === other
}

test('a program of one file that has not changed is compiled once, and again when its text is another one of the same length', async () => {
  const file = await write('job.ts', job('emit(line, 1)'))
  expect(await isKept(file)).toBe(true)
  const before = await bundle(file)
  await write('job.ts', job('emit(line, 2)'))
  expect((await bundle(file)).id).not.toBe(before.id)
  expect(await isKept(file)).toBe(true)
})

test('a program that imports a file or a package, or imports by a computed name, is compiled each time', async () => {
  await write('twice.ts', 'export const twice = (n: number) => n * 2')
  await write('node_modules/old/index.js', 'module.exports = 1')
  const bodies = {
    file: `import { twice } from './twice.ts'\n${job('emit(line, twice(1))')}`,
    package: `import old from 'old'\n${job('emit(line, old)')}`,
    computed: job('void import(line)'),
  }
  for (const [name, text] of Object.entries(bodies)) expect(await isKept(await write(`${name}.ts`, text)), name).toBe(false)
  const file = join(dir, 'file.ts')
  const before = await bundle(file)
  await write('twice.ts', 'export const twice = (n: number) => n * 3')
  expect((await bundle(file)).id).not.toBe(before.id)
})

test('the configuration of the compiler counts, wherever it lies above the program', async () => {
  const file = await write('deep/down/job.ts', job('class Row { line = line }; emit(new Row().line, 1)'))
  const before = await bundle(file)
  expect(await isKept(file)).toBe(true)
  await write('tsconfig.json', '{ "compilerOptions": { "useDefineForClassFields": false } }')
  const after = await bundle(file)
  expect(after).not.toBe(before)
  expect(await isKept(file)).toBe(true)
  await write('deep/tsconfig.json', '{ "extends": "../other.json" }')
  await write('other.json', '{}')
  expect(await isKept(file)).toBe(false)
})

test('a link that leads elsewhere, and a program that is gone or does not compile, are seen', async () => {
  await write('a/job.ts', job('emit(line, 1)'))
  await write('b/job.ts', job('emit(line, 2)'))
  await symlink(join(dir, 'a'), join(dir, 'now'))
  const file = join(dir, 'now/job.ts')
  const before = await bundle(file)
  expect(await isKept(file)).toBe(true)
  await symlink(join(dir, 'b'), join(dir, 'next'))
  await rename(join(dir, 'next'), join(dir, 'now'))
  expect((await bundle(file)).id).not.toBe(before.id)
  await write('b/job.ts', 'export default {')
  await expect(bundle(file)).rejects.toMatchObject({ code: 'PROGRAM_INVALID' })
  await rm(join(dir, 'b/job.ts'))
  await expect(bundle(file)).rejects.toMatchObject({ code: 'ENOENT' })
})
