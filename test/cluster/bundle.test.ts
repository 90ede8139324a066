// Choice of the bin between sources and bundle, as a process of its own in a copy of a checkout that has two files and a bundle that prints
// its own name. A bundle runs only while it and every source are byte for byte those that it was made from.

import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createRequire, SourceMap, type SourceMapping, type SourceMapPayload } from 'node:module'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { Script } from 'node:vm'
import { decode } from '@jridgewell/sourcemap-codec'
import { build } from 'esbuild'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { freshBundle } from '../tidy/bundle.ts'
import { Member } from '../kit/cluster.ts'
import { later, laterPackages } from '../tidy/later.ts'
import { inSections } from '../tidy/sections.ts'
import { root } from '../tidy/source.ts'

const exec = promisify(execFile)

let dir: string
const kept = 'node_modules/.cache/gristmill'

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-bundle-'))
  await mkdir(join(dir, 'client/cli'), { recursive: true })
  await mkdir(join(dir, 'src'))
  for (const name of ['gristmill.js', 'codecache.js', 'stacks.js']) await cp(join(root, 'client/cli', name), join(dir, 'client/cli', name))
  await writeFile(join(dir, 'package.json'), '{ "type": "module" }')
  await writeFile(
    join(dir, 'client/cli/main.ts'),
    `import { word } from '../../src/word.ts'; export const main = (): void => console.log(word as string)`,
  )
  await writeFile(join(dir, 'src/word.ts'), `export const word = 'sources'`)
  await mkdir(join(dir, 'node_modules/.cache/gristmill/bundle-1'), { recursive: true })
  await writeFile(join(dir, 'node_modules/.cache/gristmill/bundle-1/cli.cjs'), `exports.main = () => console.log('bundle')`)
  await writeFile(join(dir, kept, 'bundle-1/loader.cjs'), 'loader')
  await listed()
})

/** Writes the list of the bundle, with every file as it is now. */
async function listed(): Promise<void> {
  const paths = ['client/cli/main.ts', 'src/word.ts', `${kept}/bundle-1/cli.cjs`, `${kept}/bundle-1/loader.cjs`]
  const files = await Promise.all(paths.map(async path => {
    const { size, mtimeMs, ctimeMs } = await stat(join(dir, path))
    return [path, size, mtimeMs, ctimeMs]
  }))
  await writeFile(join(dir, kept, 'bundle.json'), JSON.stringify({ dir: 'bundle-1', files }))
}

afterEach(() => rm(dir, { recursive: true, force: true }))

const started = async (): Promise<string> =>
  (await exec(process.execPath, [join(dir, 'client/cli/gristmill.js')], { env: {} })).stdout.trim()

test('a checkout starts its bundle while every source is as it was when the bundle was made', async () => {
  expect(await started()).toBe('bundle')
})

test('sources below node_modules, as npm packs or copies a checkout, are refused in one line that says what to install', async () => {
  const copied = join(dir, 'project/node_modules/gristmill')
  await cp(join(dir, 'client'), join(copied, 'client'), { recursive: true })
  const env = { GRISTMILL_HOME: join(dir, 'home') }
  await expect(exec(process.execPath, [join(copied, 'client/cli/gristmill.js'), 'ls'], { env })).rejects.toMatchObject({
    code: 1, stdout: '', stderr: `gristmill: ${copied} has the sources, which Node does not run below node_modules; build the package in `
      + 'the checkout, and install that one: npm run build && npm pack ./dist\n',
  })
})

test('a source with other bytes starts the sources, though its size and its time of change are the same', async () => {
  const path = join(dir, 'src/word.ts')
  const { atime, mtime } = await stat(path)
  await writeFile(path, (await readFile(path, 'utf8')).replace('sources', 'changed'))
  await utimes(path, atime, mtime)
  expect(await started()).toBe('changed')
})

test('a source that is gone, and a list that is cut off, start the sources', async () => {
  await writeFile(join(dir, 'client/cli/main.ts'), `export const main = (): void => console.log('rewritten')`)
  await rm(join(dir, 'src/word.ts'))
  expect(await started()).toBe('rewritten')
  await writeFile(join(dir, 'node_modules/.cache/gristmill/bundle.json'), '{ "dir": "bundle-1", "fi')
  expect(await started()).toBe('rewritten')
})

test('a bundle that is damaged, cut off or gone, or a list of another one, starts the sources', async () => {
  const [cli, loader, list] = ['bundle-1/cli.cjs', 'bundle-1/loader.cjs', 'bundle.json'].map(name => join(dir, kept, name))
  for (const damage of [
    () => writeFile(cli!, ''), () => rm(loader!), () => rm(join(dir, kept, 'bundle-1'), { recursive: true }),
    async () => writeFile(list!, (await readFile(list!, 'utf8')).replace('"dir":"bundle-1"', '"dir":"x"')),
    () => writeFile(list!, '{"dir":"bundle-1","files":[]}'),
  ]) {
    const save = join(dir, 'save')
    await cp(join(dir, kept), save, { recursive: true })
    await listed()
    expect(await started()).toBe('bundle')
    await damage()
    expect(await started()).toBe('sources')
    await rm(join(dir, kept), { recursive: true })
    await cp(save, join(dir, kept), { recursive: true })
  }
})

test('a process marks the bundle that it was started from, so that it is not removed as old', async () => {
  const path = join(dir, kept, 'bundle-1')
  await utimes(path, 0, 0)
  expect(await started()).toBe('bundle')
  expect((await stat(path)).mtimeMs).toBeGreaterThan(0)
})

test('without TypeScript beside it, as in a package, the bin starts the bundle of the package', async () => {
  await rm(join(dir, 'client/cli/main.ts'))
  await cp(join(dir, 'node_modules/.cache/gristmill/bundle-1'), join(dir, 'bundle'), { recursive: true })
  const { stdout } = await exec(process.execPath, [join(dir, 'client/cli/gristmill.js')], { env: { GRISTMILL_HOME: join(dir, 'home') } })
  expect(stdout).toBe('bundle\n')
})

/** Starts the bundle of a package with a command; returns its output and the file of compiled code. */
async function startedPacked(): Promise<{ stdout: string; code: string }> {
  const env = { GRISTMILL_HOME: join(dir, 'home') }
  const { stdout, stderr } = await exec(process.execPath, [join(dir, 'client/cli/gristmill.js'), 'ls'], { env })
  expect(stderr).toBe('')
  const cache = join(dir, 'home/cache')
  const names = (await readdir(cache)).filter(name => name.startsWith('code-'))
  expect(names).toEqual([expect.stringMatching(/^code-command-\d+$/)])
  return { stdout, code: join(cache, names[0]!) }
}

test('compiled code is kept, and used only whole and for the bytes that it was compiled from', async () => {
  await rm(join(dir, 'client/cli/main.ts'))
  await mkdir(join(dir, 'bundle'))
  const program = (word: string) => `exports.main = async () => console.log('${word}', (await import('./part.cjs')).default.part())
require('./part.cjs')`
  await writeFile(join(dir, 'bundle/cli.cjs'), program('first'))
  await writeFile(join(dir, 'bundle/part.cjs'), `exports.part = () => 'Zürich'`)
  const { stdout, code } = await startedPacked()
  expect(stdout).toBe('first Zürich\n')
  const kept = await readFile(code)
  const { ino } = await stat(code)
  expect((await startedPacked()).stdout).toBe('first Zürich\n')
  expect((await stat(code)).ino, 'written again').toBe(ino)
  // V8 alone takes code for a source of the same length.
  await writeFile(join(dir, 'bundle/cli.cjs'), program('other'))
  expect((await startedPacked()).stdout).toBe('other Zürich\n')
  for (const damaged of [kept.subarray(0, 5), kept.subarray(0, -1), kept.map((byte, i) => i === kept.length - 100 ? byte ^ 1 : byte)]) {
    await writeFile(join(dir, 'bundle/cli.cjs'), program('first'))
    await writeFile(code, damaged)
    expect((await startedPacked()).stdout).toBe('first Zürich\n')
    expect((await readFile(code)).equals(damaged)).toBe(false)
  }
})

test('a namenode starts with the code that an earlier one kept', async () => {
  const cache = join(dir, 'compiled')
  const env = { PATH: process.env['PATH'] ?? '', HOME: dir, GRISTMILL_HOME: join(dir, 'home'), NODE_COMPILE_CACHE: cache }
  const namenode = new Member('namenode', join(dir, 'namenode'), [], env)
  const states: Kept[][] = []
  for (let i = 0; i < 2; i++) {
    await namenode.start()
    await namenode.end()
    const names = (await readdir(cache)).filter(name => name.startsWith('code-'))
    states.push(await Promise.all(names.map(async name => {
      const code = join(cache, name)
      return { name, ino: (await stat(code)).ino, files: filesIn(await readFile(code)) }
    })))
  }
  expect(states.map(kept => kept.length)).toEqual([1, 1])
  const [first, second] = [states[0]![0]!, states[1]![0]!]
  expect(first.name).toMatch(/^code-namenode-\d+$/)
  expect(second.name).toBe(first.name)
  // On a busy machine the second one may live for longer, and load a file that the first one has not: then it adds that one.
  if (second.ino !== first.ino) expect(second.files.length).toBeGreaterThan(first.files.length)
  expect(first.files.filter(file => !second.files.includes(file))).toEqual([])
})

interface Kept { readonly name: string; readonly ino: number; readonly files: readonly string[] }

/** Names in the index of kept code. */
const filesIn = (bytes: Buffer): string[] =>
  (JSON.parse(bytes.toString('utf8', 8, bytes.readUInt32LE(0))) as [string][]).map(([name]) => name)

test('stacks name the sources and their lines, from a bundle too', async () => {
  const env = {
    HOME: dir, GRISTMILL_HOME: join(dir, 'home'), GRISTMILL_CLUSTER: '127.0.0.1:1', GRISTMILL_DEBUG: '1',
    GRISTMILL_SECRET_FILE: join(dir, 'secret'),
  }
  await writeFile(join(dir, 'secret'), 's'.repeat(64), { mode: 0o600 })
  const failed = await exec(process.execPath, [join(root, 'client/cli/gristmill.js'), 'ls', '/'], { env }).catch(
    error => error as { stderr: string },
  )
  const place = /src\/rpc\/call\.ts:(\d+):\d+/.exec(failed.stderr)
  expect(place, failed.stderr).not.toBeNull()
  expect((await readFile(join(root, 'src/rpc/call.ts'), 'utf8')).split('\n')[Number(place![1]) - 1]).toMatch(/new GristmillError\(/)
})

test('a stack decodes the parts of the source map that it names, and finds the places of the whole map in them', async () => {
  const text = await readFile(join(freshBundle()!, 'loader.cjs.map'), 'utf8')
  const file = join(dir, 'loader.cjs')
  const [first, ...others] = inSections(text).split('\n')
  const { mapStacks } = await import(join(root, 'client/cli/stacks.js')) as { mapStacks(file: string): void }
  const usual = Error.prepareStackTrace
  /** Stack of an error with one frame. */
  const stackOf = (line: number, column: number): string => {
    const text = `${file}:${line}:${column}`
    const frame = { getFileName: () => file, getLineNumber: () => line, getColumnNumber: () => column, toString: () => `call (${text})` }
    return String(Error.prepareStackTrace!(new Error('stack'), [frame as unknown as NodeJS.CallSite]))
  }
  const whole = new SourceMap(JSON.parse(text) as SourceMapPayload)
  const [found, expected]: [string[], string[]] = [[], []]
  try {
    await writeFile(`${file}.map`, [first, ...others.map((other, i) => i === 3 ? ',{"damaged' : other)].join('\n'))
    mapStacks(file)
    decode((JSON.parse(text) as SourceMapPayload).mappings).forEach((segments, i) => {
      for (const [column] of segments) {
        found.push(stackOf(i + 1, column + 1))
        const { originalSource, originalLine, originalColumn } = whole.findEntry(i, column) as SourceMapping
        const place = `${join(dir, originalSource)}:${originalLine + 1}:${originalColumn + 1}`
        expected.push(`Error: stack\n    at call (${Math.floor(i / 256) === 3 ? `${file}:${i + 1}:${column + 1}` : place})`)
      }
    })
  } finally {
    Object.assign(Error, { prepareStackTrace: usual })
  }
  expect(found.length).toBeGreaterThan(5_000)
  expect(found.filter((stack, i) => stack !== expected[i])).toEqual([])
})

/** Starts a command; returns what Node and the command had loaded when it ended. */
async function loadedBy(words: readonly string[], env: Record<string, string>) {
  const looked = join(dir, 'looked.cjs')
  await writeFile(looked, `const fs = require('fs')
const [reads, native, { readFileSync }, { dlopen }] = [[], [], fs, process]
fs.readFileSync = (path, ...rest) => { reads.push(String(path)); return readFileSync(path, ...rest) }
process.dlopen = (module, path, ...rest) => { native.push(path); return dlopen.call(process, module, path, ...rest) }
process.on('exit', () => process.stderr.write(JSON.stringify({
  builtins: process.moduleLoadList.filter(name => /^NativeModule (tls|https|http2|http|internal\\/fs\\/streams)$/.test(name)),
  maps: reads.filter(path => path.endsWith('.map')).length, native,
  packages: reads.filter(path => /(pino|fastify[\\w-]*)\\.cjs$/.test(path)),
})))`)
  const { stderr } = await exec(
    process.execPath, ['--require', looked, join(root, 'client/cli/gristmill.js'), ...words], { env: { HOME: dir, ...env } },
  ).catch(error => error as { stderr: string })
  type Loaded = Record<'builtins' | 'packages' | 'native', string[]> & { maps: number }
  return JSON.parse(stderr.slice(stderr.lastIndexOf('{"builtins'))) as Loaded
}

test('a command loads neither TLS nor HTTP/2, reads no source map, and has both when they are used', async () => {
  const { builtins, maps, packages } = await loadedBy(['ls', '/'], { GRISTMILL_HOME: join(dir, 'home') })
  expect({ builtins, maps }).toEqual({ builtins: ['NativeModule http'], maps: 0 })
  expect(packages.map(path => basename(path))).toEqual(['fastify.cjs'])

  const built = join(dir, 'built.cjs')
  const by = `const https = require('https'); const child = require('node:child_process')
module.exports = [typeof https.get, 'get' in https, Object.keys(https).includes('globalAgent'), { ...child }.spawn === child.spawn]`
  await writeFile(join(dir, 'user.cjs'), by)
  await build({ entryPoints: [join(dir, 'user.cjs')], outfile: built, bundle: true, format: 'cjs', platform: 'node', plugins: [later()] })
  expect(createRequire(import.meta.url)(built)).toEqual(['function', true, true, true])
})

test('the version, and a command that asks a cluster, load no native code, no logger, no server and no streams of files', async () => {
  expect(await loadedBy(['--version'], {})).toEqual({ builtins: [], maps: 0, packages: [], native: [] })
  let asked = 0
  const server = createServer((_, response) => {
    asked++
    response.writeHead(404).end('{}')
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  await writeFile(join(dir, 'secret'), 's'.repeat(64), { mode: 0o600 })
  try {
    const { port } = server.address() as AddressInfo
    const env = { GRISTMILL_HOME: join(dir, 'home'), GRISTMILL_CLUSTER: `127.0.0.1:${port}`, GRISTMILL_SECRET_FILE: join(dir, 'secret') }
    expect(await loadedBy(['ls', '/'], env)).toEqual({ builtins: ['NativeModule http'], maps: 0, packages: [], native: [] })
    expect(asked).toBe(1)
  } finally {
    server.close()
  }
})

test('packages of the list are loaded at the first call, and do what they do', async () => {
  const [source, built] = [join(dir, 'calls/calls.mjs'), join(dir, 'calls/calls.cjs')]
  await mkdir(dirname(source))
  await symlink(join(root, 'node_modules'), join(dir, 'calls/node_modules'))
  await writeFile(source, `import { crc32c } from '@node-rs/crc32'
import pino from 'pino'
export const native = () => Object.keys(require.cache).some(path => path.endsWith('.node'))
export const sums = () => [crc32c('123456789'), crc32c('6789', crc32c('12345'))]
export const line = write => { pino({ base: null, timestamp: pino.stdTimeFunctions.nullTime }, { write }).info('a line') }`)
  await build({
    entryPoints: [source], outfile: built, bundle: true, format: 'cjs', platform: 'node', plugins: [laterPackages()],
    external: ['@node-rs/crc32', 'pino'],
  })
  // In a process of its own: this one has loaded them.
  const asked = `const { native, sums, line } = require(process.argv[1]); const said = [native(), sums(), native()]
line(text => said.push(text)); console.log(JSON.stringify(said))`
  const { stdout } = await exec(process.execPath, ['--input-type=commonjs', '--eval', asked, built])
  expect(JSON.parse(stdout)).toEqual([false, [0xe3069283, 0xe3069283], true, '{"level":30,"msg":"a line"}\n'])
})

test('the file of the commands makes their functions when they are needed', async () => {
  const path = join(freshBundle()!, 'cli.cjs')
  const text = await readFile(path, 'latin1')
  // A function that was not compiled has no code. As one scope, the functions of all modules had 0.8 MB.
  expect(text.length).toBeGreaterThan(3_000_000)
  expect(new Script(`(function () {${text}\n})`).createCachedData().length).toBeLessThan(250_000)
})

test('the parser of responses is not optimized before a process has lived for some time', async () => {
  const server = createServer((_, response) => { response.end('{}') })
  const host = '127.0.0.1'
  await new Promise<void>(resolve => { server.listen(0, host, resolve) })
  const caller = join(dir, 'caller.cjs')
  await writeFile(caller, `const Agent = require(process.argv[2] + '/undici-lib-dispatcher-agent.cjs')
const agent = new Agent()
const call = () => new Promise((resolve, reject) => agent.dispatch({ origin: process.argv[3], path: '/', method: 'GET' }, {
  onRequestStart() {}, onResponseStart() {}, onResponseData() {}, onResponseEnd: resolve, onResponseError: (_, error) => reject(error),
}))
void (async () => { for (let i = 0; i < 30; i++) await call(); await agent.close() })()`)
  try {
    const { port } = server.address() as AddressInfo
    const flags = ['--trace-wasm-compilation-times', '--wasm-sync-tier-up']
    const { stdout } = await exec(process.execPath, [...flags, caller, freshBundle()!, `http://${host}:${port}`])
    expect(stdout).toMatch(/using Liftoff/)
    expect(stdout).not.toMatch(/using TurboFan/)
  } finally {
    server.close()
  }
})
