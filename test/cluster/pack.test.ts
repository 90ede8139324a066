// Package as a user gets it: built, packed, installed into an empty folder, started through its bin. It runs no TypeScript, works in plain
// Node, and its library, test kit and bin do their work.

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readdir, readFile, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { templates } from '../../client/cli/jobs/init.ts'
import { version } from '../../src/base/version.ts'
import { until } from '../kit/cluster.ts'
import { build, copied } from '../tidy/build.ts'
import { root } from '../tidy/source.ts'

const exec = promisify(execFile)

let dir: string
let app: string
let env: Record<string, string>
let readme: string

const npm = (args: string[], cwd: string) =>
  exec('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], { cwd, env: { ...process.env, PATH: env['PATH']! } })
/** Runs a script in the project, as a user does; with the cache of packages of this machine. */
const bash = (script: string) => exec('bash', ['-euo', 'pipefail', '-c', script], {
  cwd: app,
  env: {
    ...env, npm_config_cache: process.env['npm_config_cache'] ?? join(homedir(), '.npm'), npm_config_userconfig: join(homedir(), '.npmrc'),
    npm_config_prefer_offline: 'true', npm_config_audit: 'false', npm_config_ignore_scripts: 'true',
  },
})
const mill = (...args: string[]) => exec(process.execPath, [join(app, 'node_modules/.bin/gristmill'), ...args], { cwd: app, env })

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-pack-'))
  env = {
    PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
    HOME: join(dir, 'home'), GRISTMILL_HOME: join(dir, 'home'), NO_COLOR: '1',
  }
  // `npm test` checks the types of these files, and of all others, with the same options and stricter ones.
  await build(join(dir, 'dist'), { isChecked: true })
  await npm(['pack', '--pack-destination', dir], join(dir, 'dist'))
  readme = await readFile(join(root, 'README.md'), 'utf8')
  app = join(dir, 'app')
  await mkdir(app)
  // The commands of the README, but those in the checkout, and the one that fetches a Node.
  const [, commands] = /^Use it in a project of your own:\n\n((?: {4}.*\n)+)/m.exec(readme)!
  const own = commands!.replaceAll('PATH/TO', dir).split('\n').filter(line => !/^ *npm (run|install node-)/.test(line))
  expect(own.map(line => line.trim().split(' ').slice(0, 2).join(' '))).toEqual(['npm init', 'npm install', 'npx gristmill', ''])
  expect((await bash(own.join('\n'))).stdout).toContain(`\n${version}\n`)
})

afterAll(async () => {
  if (app) await mill('down').catch(() => {})
  await rm(dir, { recursive: true, force: true })
})

test('the packed package has no TypeScript but declarations, examples and sources, no tests but the kit, nothing for development', async () => {
  const { stdout } = await exec('tar', ['-tzf', join(dir, `gristmill-${(await mill('--version')).stdout.trim()}.tgz`)])
  const files = stdout.trim().split('\n').map(path => path.replace(/^package\//, ''))
  expect(files).toEqual(
    expect.arrayContaining([
      'package.json', 'README.md', 'LICENSE', 'client/cli/gristmill.js', 'bundle/cli.cjs', 'bundle/executor.cjs', 'bundle/loader.cjs',
      'bundle/driver.cjs', 'bundle/LICENSES.txt', 'docs/reference/cli.md', 'docs/guide/programs.md', 'docs/examples/wordcount.ts',
      'docs/examples/programs/join.ts', 'docs/monitoring/alerts.yml',
      'client/index.js', 'client/index.d.ts', 'test/kit/index.js', 'test/kit/index.d.ts',
    ]),
  )
  expect(
    files.filter(path =>
      /^((sources\/)?test\/(?!kit\/)|node_modules\/)/.test(path)
      || (/(?<!\.d)\.ts$/.test(path) && !/^(docs\/examples|sources)\//.test(path)),
    ),
  ).toEqual([])
  const manifest = JSON.parse(await readFile(join(app, 'node_modules/gristmill/package.json'), 'utf8')) as Record<string, unknown>
  expect(Object.keys(manifest)).not.toEqual(expect.arrayContaining(['devDependencies']))
  expect(Object.keys(manifest)).not.toEqual(expect.arrayContaining(['scripts']))
  expect(manifest['keywords']).toContain('mapreduce')
  expect(manifest['peerDependenciesMeta']).toEqual({ 'onnxruntime-node': { optional: true } })
  expect(manifest['optionalDependencies']).toEqual({ '@duckdb/node-api': expect.stringMatching(/^1\.5\.5-r\.\d+$/) })
})

interface Sourced { readonly sources?: readonly string[]; readonly sections?: ReadonlyArray<{ readonly map: Sourced }> }

test('each source map of the package names files of the package', async () => {
  const at = join(app, 'node_modules/gristmill')
  const files = (await readdir(at, { recursive: true })).filter(path => !path.startsWith('node_modules/'))
  const found = new Set(files)
  const named = new Map<string, string>()
  const noteSources = (file: string, { sources = [], sections = [] }: Sourced): void => {
    for (const source of sources) named.set(join(dirname(file), source), file)
    for (const { map } of sections) noteSources(file, map)
  }
  const maps = files.filter(path => path.endsWith('.map'))
  for (const file of maps) noteSources(file, JSON.parse(await readFile(join(at, file), 'utf8')) as Sourced)
  const bundles = ['cli', 'executor', 'loader', 'driver'].map(name => `bundle/${name}.cjs.map`)
  expect(maps).toEqual(expect.arrayContaining(['client/index.js.map', ...bundles]))
  expect([...named].filter(([source]) => !found.has(source)).map(([source, file]) => `${file}: ${source}`)).toEqual([])
  expect([...named.keys()].filter(source => !/^sources\/.*\.ts$/.test(source))).toEqual([])
  // No more are in it than maps name.
  expect(files.filter(path => /^sources\/.*\.ts$/.test(path) && !named.has(path))).toEqual([])
})

test('a stack of the installed command names a line of a file that is there', async () => {
  const secret = join(dir, 'secret')
  await writeFile(secret, 's'.repeat(64), { mode: 0o600 })
  const debug = { ...env, GRISTMILL_CLUSTER: '127.0.0.1:1', GRISTMILL_DEBUG: '1', GRISTMILL_SECRET_FILE: secret }
  const failed = await exec(process.execPath, [join(app, 'node_modules/.bin/gristmill'), 'ls', '/'], { cwd: app, env: debug })
    .catch((error: unknown) => error as { stderr: string })
  const [, file, line] = /((?:\/[^/\s()]+)+\/src\/rpc\/call\.ts):(\d+):\d+/.exec(failed.stderr) ?? []
  expect(file, failed.stderr).toBe(join(await realpath(app), 'node_modules/gristmill/sources/src/rpc/call.ts'))
  expect((await readFile(file!, 'utf8')).split('\n')[Number(line) - 1]).toMatch(/new GristmillError\(/)
})

test('the image is made from all that the build reads', async () => {
  const text = await readFile(join(root, 'Dockerfile'), 'utf8')
  const copies = [...text.matchAll(/^COPY (?!--)(.*) \S+$/gm)].flatMap(([, paths]) => paths!.split(' '))
  const { include } = JSON.parse(await readFile(join(root, 'tsconfig.build.json'), 'utf8')) as { include: string[] }
  expect(copies).toEqual(expect.arrayContaining([...copied, ...include.map(path => path.split('/')[0]), 'package.json', 'tsconfig*.json']))
})

test('the first commands and the samples of the README run as they are printed', async () => {
  const [commands, , library, , dying] = [...readme.matchAll(/^```\w+\n([\s\S]*?)^```$/gm)].map(([, text]) => text!)
  const { stdout } = await bash(commands!)
  expect(stdout).toMatch(/(^\p{L}+\t\d+\n){5}/mu)
  expect(stdout).toMatch(/state +succeeded/)
  await writeFile(join(app, 'library.ts'), library!)
  for (let i = 0; i < 2; i++) expect((await bash('node library.ts')).stdout).toMatch(/recordsOut: 5\b/)
  await writeFile(join(app, 'dying.test.ts'), dying!)
  expect((await bash('node --test dying.test.ts')).stdout).toMatch(/pass 1\b/)
})

test('the README has the size of the installed package', async () => {
  const [, said = ''] = /It takes (\d+) MiB of disk in `node_modules` \(`du -sm`/.exec(readme) ?? []
  const { stdout } = await exec('du', ['-sm', join(app, 'node_modules')])
  expect(Number(stdout.split('\t')[0]) / Number(said)).toBeGreaterThan(0.9)
  expect(Number(stdout.split('\t')[0]) / Number(said)).toBeLessThan(1.1)
})

test('the checkout itself is not packed, with scripts or without', async () => {
  const to = join(dir, 'packed')
  await mkdir(to)
  for (const scripts of [[], ['--ignore-scripts=false']]) {
    const packing = npm(['pack', ...scripts, '--pack-destination', to], root)
    await expect(packing).rejects.toMatchObject({ stderr: expect.stringContaining('Invalid package, must have name and version') })
  }
  expect(await readdir(to)).toEqual([])
})

test('its library loads in plain Node and type-checks in a stranger\'s project', async () => {
  await writeFile(join(app, 'use.ts'), [
    `import { open, mapReduce, sum, GristmillError, type Emit } from 'gristmill'`,
    `export const job = mapReduce({`,
    `  map(line: string, emit: Emit<string, number>) { emit(line, 1) },`,
    `  combine: (_word, counts) => sum(counts),`,
    `  reduce(word, counts, emit) { emit(word, sum(counts)) },`,
    `})`,
    `await using mill = await open()`,
    `await mill.writeFile('/from-library.txt', 'as it is')`,
    `const text: string = await mill.readFile('/from-library.txt', 'utf8')`,
    `try { await mill.readFile('/nope') } catch (error) { if (error instanceof GristmillError) process.stdout.write(text + ' ' + error.code) }`,
  ].join('\n'))
  const flags = [
    '--noEmit', '--strict', '--target', 'es2024', '--lib', 'es2024,esnext.disposable', '--module', 'nodenext', '--skipLibCheck', '--types',
    'node', '--typeRoots', join(root, 'node_modules/@types'),
  ]
  const { stdout } = await exec(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), ...flags, 'use.ts'], { cwd: app }).catch(
    error => error as { stdout: string },
  )
  expect(stdout).toBe('')
  expect((await exec(process.execPath, ['use.ts'], { cwd: app, env })).stdout).toBe('as it is ENOENT')
})

test('projects of init depend on the installed package, and are well typed', async () => {
  for (const template of Object.keys(templates)) await mill('init', '--template', template, `projects/${template}`)
  const { dependencies } = JSON.parse(await readFile(join(app, 'projects/csv/package.json'), 'utf8')) as { dependencies: object }
  expect(dependencies).toEqual({ gristmill: expect.stringMatching(/^file:(\.\.\/){3}gristmill-[\d.]+\.tgz$/) })
  // Of a package that is installed globally npm has no list: it may be from a file.
  await rename(join(app, 'node_modules/.package-lock.json'), join(app, 'list.json'))
  try {
    await mill('init', 'projects/global')
  } finally {
    await rename(join(app, 'list.json'), join(app, 'node_modules/.package-lock.json'))
  }
  expect(JSON.parse(await readFile(join(app, 'projects/global/package.json'), 'utf8')))
    .toMatchObject({ dependencies: { gristmill: 'file:../../node_modules/gristmill' } })
  await mkdir(join(app, 'projects/node_modules'))
  await symlink(join(root, 'node_modules/@types'), join(app, 'projects/node_modules/@types'))
  await writeFile(join(app, 'projects/tsconfig.json'), '{ "extends": "./csv/tsconfig.json", "include": ["*/*.ts"] }')
  const { stdout } = await exec(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'projects'], { cwd: app })
    .catch((error: unknown) => error as { stdout: string })
  expect(stdout).toBe('')
})

test('its test kit starts a cluster of processes, and a simulated one, in plain Node', async () => {
  await writeFile(join(app, 'kit.ts'), [
    `import { Cluster } from 'gristmill/testing'`,
    `for (const mode of ['process', 'sim'] as const) {`,
    `  await using cluster = await Cluster.start({ datanodes: 2, mode, settings: { replication: '2' } })`,
    `  await cluster.mill.writeFile('/grain.txt', 'rye oats rye\\n')`,
    `  await cluster.datanodes[0]!.kill()`,
    `  process.stdout.write(mode + ' ' + await cluster.mill.readFile('/grain.txt', 'utf8'))`,
    `}`,
  ].join('\n'))
  expect((await exec(process.execPath, ['kit.ts'], { cwd: app, env })).stdout).toBe('process rye oats rye\nsim rye oats rye\n')
})

test('its console is built ahead: it is served without the packages that it is made of', async () => {
  const args = [join(app, 'node_modules/.bin/gristmill'), 'console', '--json', '--port', '0']
  const child = spawn(process.execPath, args, { cwd: app, env, stdio: ['ignore', 'pipe', 'inherit'] })
  const closed = once(child, 'close')
  try {
    const lines = createInterface(child.stdout)
    const first = await Promise.race([once(lines, 'line'), closed.then(() => { throw new Error('the console has ended') })])
    const { url } = JSON.parse(first[0] as string) as { url: string }
    const html = await (await fetch(url)).text()
    for (const [ending, kind] of [['js', 'script'], ['css', 'styles']] as const) {
      const path = new RegExp(`"(/assets/console-[0-9a-f]+\\.${ending})"`).exec(html)![1]!
      const served = await (await fetch(url + path)).text()
      const packed = await readFile(join(app, 'node_modules/gristmill/client/console/assets', `console.${ending}`), 'utf8')
      expect(served === packed, kind).toBe(true)
    }
    await expect(readFile(join(app, 'node_modules/preact/package.json'))).rejects.toThrow('ENOENT')
  } finally {
    child.kill()
    await closed
  }
})

test('its bin brings a cluster up, stores, runs a job, and takes it down', async () => {
  const up = await mill('up', '--datanodes', '2', '--detach', '--json')
  const { processes } = JSON.parse(up.stdout) as { processes: { role: string; pid: number }[] }
  expect(processes.map(one => one.role).sort()).toEqual(['datanode', 'datanode', 'namenode'])
  await writeFile(join(app, 'grain.txt'), 'rye oats rye\nwheat rye\n')
  await writeFile(join(app, 'words.ts'), await readFile(join(root, 'docs/examples/wordcount.ts')))
  await mill('put', 'grain.txt', '/in/')
  expect((await mill('ls', '/in')).stdout).toBe('grain.txt\n')
  await mill('run', 'words.ts', '--input', '/in', '--output', '/out')
  expect((await mill('cat', '/out/part-*')).stdout.trim().split('\n').sort()).toEqual(['oats\t1', 'rye\t3', 'wheat\t1'])
  await mill('run', 'gristmill:wordcount', '--input', '/in', '--output', '/counted')
  expect((await mill('cat', '/counted/part-*')).stdout).toBe('oats\t1\nrye\t3\nwheat\t1\n')
  await mill('down')
  // Their parent `up` has ended: the init process reaps them after a while.
  for (const { pid } of processes) await until(`process ${pid} is gone`, async () => !exists(pid))
})

const exists = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

test('an older Node is refused in one line that has the command to use, with exit code 1', async () => {
  const node = `${process.platform === 'darwin' && process.arch === 'arm64' ? 'node-bin' : 'node'}-${process.platform}-${process.arch}@24`
  const pretend = `data:text/javascript,Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.11.1' } })`
  const told = async (at = app): Promise<string> => {
    const bin = join(at, 'node_modules/gristmill/client/cli/gristmill.js')
    const failed = await exec(process.execPath, ['--import', pretend, bin, 'ls', '/my words'], { env })
      .catch((error: unknown) => error as { code: number; stdout: string; stderr: string })
    expect(failed).toMatchObject({ code: 1, stdout: '' })
    expect(failed.stderr).toMatch(/^gristmill: needs Node 24 or newer, this is 20\.11\.1 .*\n$/)
    return failed.stderr
  }
  expect(await told()).toContain(`: npm install ${node} && npx gristmill ls '/my words'`)
  // What `npm install node@24` leaves without scripts.
  await mkdir(join(app, 'node_modules/node'))
  expect(await told()).toContain(`: npm uninstall node && npm install ${node} && npx gristmill ls '/my words'`)
  await rm(join(app, 'node_modules/node'), { recursive: true })

  const linked = join(app, 'node_modules/.bin/node')
  await symlink(process.execPath, linked)
  expect(await told(), 'the Node that is too old itself').toContain(`: npm install ${node} && npx gristmill`)
  await rm(linked)
  await writeFile(linked, '')
  expect(await told()).toContain(`installed in ${app}, and npx takes it there: npx gristmill ls '/my words'`)
  await rm(linked)

  const global = join(dir, 'global/lib')
  await cp(join(app, 'node_modules/gristmill/client/cli'), join(global, 'node_modules/gristmill/client/cli'), { recursive: true })
  await writeFile(join(global, 'node_modules/gristmill/package.json'), '{ "type": "module" }')
  expect(await told(global)).toContain(`: npx --yes --package ${node} -- gristmill ls '/my words' (or put a Node 24 first in PATH)`)
})
