// Catalogue of commands against its sources: docs/reference/cli.md is the generated page, each command has help and examples, and a start
// loads no command and no server that it does not need.

import { readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { expect, test } from 'vitest'
import { catalog, loadAll } from '../../client/cli/catalog.ts'
import type { CommandSpec } from '../../client/cli/spec.ts'
import { cliPage, pagePath } from './clipage.ts'
import { importsOf, readSources, root } from './source.ts'

test('the page of the command line is what the command line says of itself', async () => {
  expect(readFileSync(join(root, pagePath), 'utf8'), 'write it again with npm run docs').toBe(await cliPage())
})

test('every command and verb has a function or verbs, an example that uses it, and options with a word on each', async () => {
  const check = (spec: CommandSpec, path: string): void => {
    expect(spec.run ?? spec.verbs, path).toBeDefined()
    expect(spec.examples[0]?.[0], path).toContain(path)
    for (const option of spec.options) expect(option.about.length, `${path} ${option.flags}`).toBeGreaterThan(5)
    for (const verb of spec.verbs ?? []) check(verb, `${path} ${verb.name}`)
  }
  for (const { spec } of await loadAll()) check(spec, `gristmill ${spec.name}`)
})

test('the catalog calls each command by its own name', async () => {
  for (const { commands } of catalog) for (const [name, load] of Object.entries(commands)) expect((await load()).name).toBe(name)
})

const sources = new Map(readSources(['client', 'src', 'namenode', 'datanode']).map(source => [source.path, source]))

/** Files that these load before their first call. */
function loadedBy(paths: readonly string[]): Set<string> {
  const seen = new Set<string>()
  const visit = (path: string): void => {
    const source = sources.get(path)
    if (!source || seen.has(path)) return
    seen.add(path)
    for (const { specifier, typeOnly, dynamic } of importsOf(source))
      if (!typeOnly && !dynamic && specifier.startsWith('.')) visit(posix.join(posix.dirname(path), specifier))
  }
  paths.forEach(visit)
  return seen
}

test('a start loads no command, and the help of all commands loads no server', () => {
  const isCommand = (path: string): boolean => /^client\/cli\/(files|jobs|cluster)\//.test(path)
  const start = loadedBy(['client/cli/main.ts'])
  expect([...start].filter(isCommand)).toEqual([])
  expect(start).toContain('client/cli/catalog.ts')
  const help = loadedBy([...sources.keys()].filter(isCommand))
  expect([...help].filter(path => /^(namenode|datanode|client\/(process|embedded|mill))\b/.test(path))).toEqual([])
  expect(help.size).toBeGreaterThan(40)
})

test('a process that serves no console loads nothing of it', () => {
  const isConsole = (path: string): boolean => path.startsWith('client/console/')
  const servesIt = 'client/process/console.ts'
  const processes = [...sources.keys()].filter(path => /^(namenode|datanode|client\/(process|embedded|cli|index))\b/.test(path))
    .filter(path => path !== servesIt)
  expect([...loadedBy(processes)].filter(isConsole)).toEqual([])
  expect(processes.length).toBeGreaterThan(100)
  expect([...loadedBy([servesIt])].filter(isConsole)).not.toEqual([])
})
