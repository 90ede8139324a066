// Bundling and loading of programs in a temporary directory: one module with all imports, the same bytes wherever the sources lie, errors
// with the author's place, one instance per job.

import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Disk } from '../../../../src/ports/disk.ts'
import { bundleProgram, idOf } from '../../../../src/program/bundle.ts'
import { bundleFile, keepBundle, loadProgram } from '../../../../src/program/load.ts'
import { localDisk as disk } from '../../../../src/world/disk.ts'
import { definitionOf } from './kit.ts'

let dir: string
beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), 'gristmill-program-')) })
afterEach(() => rm(dir, { recursive: true, force: true }))

async function source(text: string, name = 'job.ts', at = dir): Promise<string> {
  await mkdir(join(at, name, '..'), { recursive: true })
  await writeFile(join(at, name), text)
  return join(at, name)
}

async function load(file: string, params: Record<string, unknown> = {}, instance = 'one') {
  const bundle = await bundleProgram({ disk }, file)
  return loadProgram({ disk }, { id: bundle.id, dir, params, instance, fetch: async () => bundle.bytes })
}

const job = (body: string) => `import { mapReduce } from 'gristmill'\nexport default mapReduce({ ${body} })\n`

test('a program with types, npm imports, CommonJS and built-in modules becomes one module that loads', async () => {
  await source('export const twice = (n: number): number => n * 2', 'lib/twice.ts')
  await source('const fs = require("fs"); module.exports = { exists: fs.existsSync("/") }', 'node_modules/old/index.js')
  await source('{ "name": "old", "version": "1.0.0" }', 'node_modules/old/package.json')
  const file = await source(`
    import { basename } from 'node:path'
    import { mapReduce, sum, type Emit } from 'gristmill'
    import old from 'old'
    import { twice } from './lib/twice.ts'
    export default mapReduce({
      map(line: string, emit: Emit<string, number>) { emit(basename(line), old.exists ? twice(line.length) : 0) },
      combine: (_key, values) => sum(values),
      reduce(key, values, emit) { emit(key, sum(values)) },
    })`)
  const definition = definitionOf(await load(file))
  const out: unknown[] = []
  await definition.map('/a/bcd', (key, value) => out.push([key, value]), undefined as never)
  expect(out).toEqual([['bcd', 12]])
  expect(definition.combine!('k', [1, 2])).toBe(3)
})

test('the same sources give the same bytes wherever they lie, and other sources other bytes', async () => {
  await source('export const n = 1', 'a/lib/n.ts')
  await source(`import { n } from './lib/n.ts'\n${job('map(line: string, emit) { emit(line, n) }')}`, 'a/job.ts')
  await cp(join(dir, 'a'), join(dir, 'deeper/down/b'), { recursive: true })
  const one = await bundleProgram({ disk }, join(dir, 'a/job.ts'))
  const other = await bundleProgram({ disk }, join(dir, 'deeper/down/b/job.ts'))
  expect(other.id).toBe(one.id)
  expect(one.bytes.toString()).not.toContain(dir)
  const map = Buffer.from(one.bytes.toString().split('gristmillMap=').at(-1)!, 'base64').toString()
  expect(map).not.toContain(dir)
  expect(JSON.parse(map).sources).toEqual(expect.arrayContaining(['job.ts', 'lib/n.ts', 'gristmill:authoring']))
  await source('export const n = 2', 'a/lib/n.ts')
  expect((await bundleProgram({ disk }, join(dir, 'a/job.ts'))).id).not.toBe(one.id)
})

test('the functions of gristmill/ml are part of the bundles that import them, under names without a path, and of no others', async () => {
  const learning = await bundleProgram({ disk }, await source(`
    import { program } from 'gristmill'
    import { describe } from 'gristmill/ml'
    export default program(async mill => { console.log(await describe(mill.range(3).map(n => ({ n })))) })`))
  const map = JSON.parse(Buffer.from(learning.bytes.toString().split('gristmillMap=').at(-1)!, 'base64').toString())
  expect(map.sources).toEqual(expect.arrayContaining(['gristmill:../ml/describe', 'gristmill:../base/exactsum', 'gristmill:wrongvalue']))
  expect(map.sources.filter((name: string) => !name.startsWith('gristmill:'))).toEqual(['job.ts'])
  const without = await bundleProgram({ disk }, await source(job('map() {}')))
  expect(without.bytes.toString()).not.toContain('ExactSum')
})

test('a program with DataFrames has their files, and those of gristmill once each, under names without a path', async () => {
  const { bytes } = await bundleProgram({ disk }, await source(`
    import { program } from 'gristmill'
    import { fromDataset, table } from 'gristmill/frame'
    export default program(async mill => { await fromDataset(table('/x').toDataset(mill), { n: 'INTEGER' }).toDataset(mill).save('/y') })`))
  const { sources } = JSON.parse(Buffer.from(bytes.toString().split('gristmillMap=').at(-1)!, 'base64').toString()) as { sources: string[] }
  expect(sources).toEqual(expect.arrayContaining(['gristmill:../../client/frame/dataframe', 'gristmill:../base/sql', 'gristmill:queries']))
  expect(sources.filter(name => !name.startsWith('gristmill:'))).toEqual(['job.ts'])
  expect(new Set(sources).size).toBe(sources.length)
  expect(bytes.length).toBeLessThan(500_000)
})

test('a program that does not compile is refused with place, line and mark', async () => {
  const file = await source(`import { mapReduce } from 'gristmill'\nexport default mapReduce({\n  map(line) { const = 5 },\n})\n`)
  await expect(bundleProgram({ disk }, file)).rejects.toMatchObject({
    code: 'PROGRAM_INVALID',
    message: expect.stringContaining('job.ts:3:21'),
    details: { output: expect.stringMatching(/^job\.ts:3:21: error: .*\n {4} {2}map\(line\) \{ const = 5 \},\n {24}\^/) },
  })
  await expect(bundleProgram({ disk }, await source(`import x from 'no-such-package'\nexport default x`))).rejects.toMatchObject({
    code: 'PROGRAM_INVALID',
    message: expect.stringMatching(/job\.ts:1:\d+: .*no-such-package/),
    details: { output: expect.stringMatching(/npm install/) },
  })
  await expect(bundleProgram({ disk }, await source(`import { open } from 'gristmill'\nexport default open`))).rejects.toMatchObject({
    code: 'PROGRAM_INVALID', message: expect.stringContaining('open'),
  })
})

test('the error of a missing program and of a directory differs from that of an invalid program', async () => {
  await expect(bundleProgram({ disk }, join(dir, 'nope.ts'))).rejects.toMatchObject({
    code: 'ENOENT', message: expect.stringContaining('nope.ts'),
  })
  await expect(bundleProgram({ disk }, dir)).rejects.toMatchObject({ code: 'EISDIR' })
})

test.each([
  ['export const job = 5', /default export is missing/],
  ['export default 5', /default export is something else/],
  ['throw new Error("at load")\nexport default 5', /at load/],
  [job('mapp() {}'), /does not know "mapp"/],
  [job('input: "csv", map() {}'), /input of mapReduce is an object, such as \{ format: .* not "csv"/],
  [job('input: { fromat: "csv" }, map() {}'), /input of mapReduce does not know "fromat"/],
  [job('input: { delimiter: ";" }, map() {}'), /delimiter of mapReduce's input belongs to the format csv, not to lines; say the format/],
  [
    job('input: { format: "csv", largeIntegers: "string" }, map() {}'),
    /largeIntegers of mapReduce's input belongs to the format jsonl, not to csv/,
  ],
  [job('input: { format: "csv", delimiter: ";;" }, map() {}'), /delimiter of mapReduce's input is ";;"; it is one ASCII character/],
  [job('input: { format: "csv", header: "no" }, map() {}'), /header of mapReduce's input is "no"; it is one of true, false/],
  [
    job('input: { encoding: "UTF-16" }, map() {}'),
    /encoding of mapReduce's input is "UTF-16"; it is one of 'utf8', 'latin1', 'windows1252', 'utf16le', 'utf16be'/,
  ],
  [job('input: { badRecords: "ignore" }, map() {}'), /badRecords of mapReduce's input is "ignore"; it is one of 'error', 'skip'/],
  [job('output: { header: false }, map() {}'), /header of mapReduce's output belongs to the format csv, not to text/],
  [
    job('output: { format: "csv", columns: ["a", ""] }, map() {}'),
    /columns of mapReduce's output cannot have the name "", which a header cannot say/,
  ],
  [job('output: { format: "csv", columns: ["a", "a"] }, map() {}'), /columns of mapReduce's output are different names/],
  [job('output: { format: "csv", delimiter: "\\n" }, map() {}'), /delimiter of mapReduce's output is "\\n"; it is one ASCII character/],
  [job('output: { format: "xml" }, map() {}'), /output of mapReduce has no format "xml"; there are text, jsonl, csv/],
  [job('reduce() {}'), /needs a map function/],
  [job('map() {}, combine: () => 1'), /combine .* without reduce/],
  [job('map() {}, reduce() {}, reducers: 0'), /from 1 to 65535/],
])('a program without a sound job in it says what is wrong (%#)', async (text, message) => {
  await expect(load(await source(text))).rejects.toMatchObject({ code: 'PROGRAM_INVALID', message: expect.stringMatching(message) })
})

test('an error thrown while loading shows the author\'s own line', async () => {
  const file = await source(`function check(): void {\n  throw new RangeError('at load')\n}\ncheck()\nexport default 5`)
  await expect(load(file)).rejects.toMatchObject({
    details: { stack: expect.stringMatching(/at check \(job\.ts:2:\d+\)\n {4}at job\.ts:4:1/) },
  })
})

test('a run\'s parameters go over the program\'s own, and a job may be built from them', async () => {
  const plain = await load(await source(job('params: { depth: 1, name: "a" }, map() {}')), { depth: 2 })
  expect(plain.params).toEqual({ depth: 2, name: 'a' })
  const built = await load(
    await source(
      `import { mapReduce } from 'gristmill'\nexport default ({ reducers }: { reducers: number }) => mapReduce({ map() {}, reduce() {}, reducers })`,
      'built.ts',
    ),
    { reducers: 7 },
  )
  expect(definitionOf(built).reducers).toBe(7)
})

test('each job has an instance of its module, and its tasks share it', async () => {
  const file = await source(`let seen = 0\n${job('map(_line: string, emit) { emit(++seen, 0) }')}`)
  const next = (program: Awaited<ReturnType<typeof load>>) => {
    let key: unknown
    void definitionOf(program).map(
      '',
      k => {
        key = k
      },
      undefined as never,
    )
    return key
  }
  expect(next(await load(file, {}, 'job-1'))).toBe(1)
  expect(next(await load(file, {}, 'job-1'))).toBe(2)
  expect(next(await load(file, {}, 'job-2'))).toBe(1)
})

test('a bundle that was damaged on disk is fetched again, and one with other bytes than its name says is refused', async () => {
  const bundle = await bundleProgram({ disk }, await source(job('map() {}')))
  let fetched = 0
  const get = (bytes: Uint8Array) =>
    loadProgram(
      { disk },
      {
        id: bundle.id, dir, params: {}, instance: `i${fetched}`,
        fetch: async () => {
          fetched++
          return bytes
        },
      },
    )
  await get(bundle.bytes)
  await get(bundle.bytes)
  expect(fetched).toBe(1)
  await writeFile(bundleFile(dir, bundle.id), 'export default "planted"')
  await get(bundle.bytes)
  expect(fetched).toBe(2)
  await writeFile(bundleFile(dir, bundle.id), 'export default "planted"')
  await expect(get(Buffer.from('export default "other"'))).rejects.toMatchObject({ code: 'CORRUPT' })
})

test('no part of the parameters can be changed, and the defaults of the program stay its own', async () => {
  const file = await source(`import { mapReduce } from 'gristmill'
    const params = { words: ['b', 'a'], deep: { list: [{ n: 1 }] } }
    export default (given) => {
      let refused = 0
      for (const change of [() => given.mine.push(1), () => { given.other = 1 }]) try { change() } catch { refused++ }
      return mapReduce({ params: { ...params, own: params.words.sort(), refused }, map() {} })
    }`)
  const { params } = await load(file, { mine: [0] }) as { params: Record<string, any> }
  expect(params).toEqual({ words: ['a', 'b'], deep: { list: [{ n: 1 }] }, own: ['a', 'b'], refused: 2, mine: [0] })
  for (const change of [
    () => { params['x'] = 1 }, () => params['words'].sort(), () => { params['deep'].list[0].n++ }, () => params['mine'].push(1),
  ]) expect(change).toThrow(TypeError)
})

test('a bundle is written in the directory of its process before it gets its name, so that no two processes write one file', async () => {
  const bytes = Buffer.from('export default 1')
  const id = idOf(bytes)
  const created: string[] = []
  const noting: Disk = { ...disk, create: (path, options) => { created.push(path); return disk.create(path, options) } }
  const keepIn = async (scratch: string): Promise<Buffer> => {
    await disk.mkdir(scratch)
    return keepBundle(noting, { id, dir, instance: 'job-1', scratch, fetch: async () => bytes })
  }
  // Both find no bundle, and write at the same time.
  expect(await Promise.all([keepIn(join(dir, 'a')), keepIn(join(dir, 'b'))])).toEqual([bytes, bytes])
  expect(created.map(path => dirname(path)).sort()).toEqual([join(dir, 'a'), join(dir, 'b')])
  expect((await readdir(dir)).sort()).toEqual(['a', 'b', `${id}.mjs`])
})
