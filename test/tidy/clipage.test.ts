import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { catalog, loadAll } from '../../client/cli/catalog.ts'
import type { CommandSpec } from '../../client/cli/spec.ts'
import { cliPage, pagePath } from './clipage.ts'
import { root } from './source.ts'

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
