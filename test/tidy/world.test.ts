// Ports: clock, randomness, disk, sockets, processes and console are used in src/world and the main files only. Reads the sources; planted
// uses are found, and mentions in comments and strings are not.

import { expect, test } from 'vitest'
import { blank, importsOf, lineOf, readSources, type Source } from './source.ts'

/** Globals that reach the outside world without a port. */
const globals: readonly (readonly [RegExp, string])[] = [
  [/(?<![.\w$])Date\.now\b/g, 'clock.now()'],
  [/(?<![.\w$])(?:new\s+)?Date\(\s*\)/g, 'clock.now()'],
  [/(?<![.\w$])performance\s*\./g, 'clock.mono()'],
  [/(?<![.\w$])(?:setTimeout|setInterval|setImmediate)\b/g, 'clock.after, clock.sleep or clock.yield'],
  [/(?<![.\w$])AbortSignal\.timeout\b/g, 'clock.deadline'],
  [/(?<![.\w$])Math\.random\b/g, 'the random port'],
  [/(?<![\w$])(?:randomBytes|randomUUID|randomInt|getRandomValues|randomFillSync)\b/g, 'the random port'],
  [/(?<![.\w$])console\s*\./g, 'the log port'],
  [/(?<![.\w$])process\s*\.\s*\w+/g, 'a port'],
  [/(?<![.\w$])fetch\s*\(/g, 'the net port'],
  [/(?<![.\w$])globalThis\b/g, 'a port'],
]

const modules = new Set([
  'fs', 'fs/promises', 'net', 'http', 'https', 'http2', 'tls', 'dgram', 'dns', 'dns/promises', 'child_process', 'os', 'worker_threads',
  'cluster', 'timers', 'timers/promises', 'perf_hooks', 'process', 'console', 'readline', 'readline/promises', 'tty', 'repl', 'inspector',
])

/** Exceptions, with reasons. Keep it short. */
const allowed: readonly (readonly [RegExp, string])[] = [
  [/^src\/world\//, 'the real ports'],
  [/^(namenode|datanode|client\/load|client\/driving)\/([a-z]+\/)?main\.ts$/, 'main files: where a process begins'],
  [
    /^client\/cli\/(gristmill\.js|codecache\.js|stacks\.js|main\.ts|printer\.ts)$/,
    'the bin, its loaders, the main file and the printer of the command line',
  ],
  [/^src\/ml\/onnx\.ts$/, 'part of programs, whose process loads a package that is installed beside it'],
  [/^client\/console\/page\//, 'runs in browsers, whose world has no ports'],
]

/** A file may declare its own `process` or `fetch`: a parameter, a constant, a destructured field. */
const bindsItself = (name: string, code: string): boolean =>
  new RegExp(
    `\\b(?:const|let)\\s+${name}\\b|\\b(?:const|let)\\s*[{[][^=;]*\\b${name}\\b[^=;]*[}\\]]\\s*(?:=|of\\b)|[({,]\\s*(?:\\w+:\\s*)?${name}\\s*[,:})][^=;]*(?:=>|\\{\\s*$)|\\b${name}\\s*=>`,
    'm',
  ).test(code)

const taken = (source: Source): string[] => [
  ...globals.flatMap(([pattern, instead]) =>
    [...source.code.matchAll(pattern)]
      .filter(match => !bindsItself(/^\w+/.exec(match[0])![0], source.code))
      .map(match => `${source.path}:${lineOf(source.text, match.index)} uses ${match[0].trim()}; take ${instead}`)),
  ...importsOf(source)
    .filter(entry => !entry.typeOnly && modules.has(entry.specifier.replace(/^node:/, '')))
    .map(entry => `${source.path}:${entry.line} imports ${entry.specifier}; take a port`),
]

test('clock, randomness, disk, sockets, processes and console are touched in src/world, main files and the printer only', () => {
  const sources = readSources(['src', 'namenode', 'datanode', 'client'])
  expect(sources.length).toBeGreaterThan(30)
  expect(sources.filter(source => !allowed.some(([path]) => path.test(source.path))).flatMap(taken)).toEqual([])
})

/** Node's recursive form never returns where `mkdir` answers ENOENT below a parent that exists. */
const recursive = ({ path, text, code }: Source): string[] =>
  [...code.matchAll(/(?<!mill\.)\bmkdir(?:Sync)?\s*\((?:[^()]|\([^()]*\))*\brecursive\b/g)]
    .map(match => `${path}:${lineOf(text, match.index)} makes directories with \`recursive\`; take src/world/directories.ts`)

test('directories of the local disk are made level by level, without the recursive form of Node', () => {
  const source = (text: string): Source => ({ path: 'src/world/x.ts', text, code: blank(text) })
  for (const bad of ['fs.mkdirSync(a, { recursive: true })', 'await mkdir(path.dirname(a), {\n  mode: 1, recursive: true })'])
    expect(recursive(source(bad)), bad).toHaveLength(1)
  expect(recursive(source('fs.mkdirSync(a, { mode })\nfs.rmSync(a, { recursive: true })'))).toEqual([])
  const local = readSources(['src', 'namenode', 'datanode', 'client']).filter(source => allowed.some(([path]) => path.test(source.path)))
  expect(local.flatMap(recursive)).toEqual([])
})

test('processes and embedded clusters are polled by `waitUntil`, not by loops of their own', () => {
  const sources = readSources(['client/process', 'client/embedded'])
  expect(sources.length).toBeGreaterThan(10)
  expect(sources.filter(({ code }) => /\.sleep\(/.test(code)).map(({ path }) => path)).toEqual([])
})

test('no exception outlives the files it was made for', () => {
  const paths = readSources(['src', 'namenode', 'datanode', 'client']).map(source => source.path)
  for (const [path, why] of allowed) expect(paths.some(name => path.test(name)), why).toBe(true)
})

test('planted uses are found, and mentions in comments, strings and other names are not', () => {
  const source = (text: string): Source => ({ path: 'src/x.ts', text, code: blank(text) })
  for (const bad of [
    'const t = Date.now()', 'new Date( )', 'setTimeout(f, 1)', 'const later = setTimeout', 'AbortSignal.timeout(5)', 'Math.random()',
    'performance.now()', 'console.log(1)', 'process.env.HOME', 'if (a) process.exit(1)', 'fetch(url)', '`${Math.random()}`',
    '`${ {a: `${Date.now()}`} }`', `import { readFileSync } from 'node:fs'`, `import os from 'os'`, `await import('node:child_process')`,
    'const a = b / Math.random() / c', `import { randomBytes } from 'node:crypto'`,
  ])
    expect(taken(source(bad)), bad).toHaveLength(1)
  for (const good of [
    '// Date.now()', '/* process.env */', `'Math.random()'`, '`setTimeout(${a})`', '/console.log(/.test(x)', 'clock.setTimeout(1)',
    'new Date(ms)', 'world.processes.start()', `import type { Stats } from 'node:fs'`, `import { createHash } from 'node:crypto'`,
    'this.process.kill()', 'child.process.pid', 'if (/[/]Date.now/.test(a)) b()', 'const a = 1 / 2 // Math.random()',
    'await caller.fetch(x)', 'for (const process of all) signal(process.pid)', 'stop(({ process: { pid } }) => pid)',
    'const gone = all.filter(process => !alive(process.pid))',
    'const load = async ({ id, fetch }: Parts) => fetch(id)',
    'async function stop({ clock }: World, process: Running): Promise<void> {\n  signal(process.pid)\n}',
  ])
    expect(taken(source(good)), good).toEqual([])
})
