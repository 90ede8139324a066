import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { groups } from '../../client/cli/catalog/globals.ts'
import { cliPage, pagePath } from './clipage.ts'
import { root } from './source.ts'

test('the page of the command line is what the command line says of itself', () => {
  expect(readFileSync(join(root, pagePath), 'utf8'), 'write it again with npm run docs').toBe(cliPage())
})

test('every command has a file, an example that uses it, and options with a word on each', async () => {
  for (const spec of groups.flatMap(group => group.commands)) {
    expect(existsSync(join(root, `client/cli/commands/${spec.name}.ts`)), spec.name).toBe(true)
    expect(spec.examples.length, spec.name).toBeGreaterThan(0)
    for (const [line] of spec.examples.slice(0, 1)) expect(line).toContain(`gristmill ${spec.name}`)
    for (const option of spec.options) expect(option.about.length, `${spec.name} ${option.flags}`).toBeGreaterThan(5)
    expect(typeof (await spec.load()).run, spec.name).toBe('function')
  }
})
