// Files in chunks, as programs of a few modules: what runs when, and once; what stacks say.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire, SourceMap, type SourceMapping, type SourceMapPayload } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { chunked } from './chunks.ts'

let dir = ''
beforeEach(() => { dir = mkdtempSync(join(tmpdir(), 'gristmill-chunks-')) })
afterEach(() => { rmSync(dir, { recursive: true, force: true }) })

async function made(sources: Readonly<Record<string, string>>) {
  for (const [name, text] of Object.entries(sources)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true })
    writeFileSync(join(dir, name), text)
  }
  return chunked('main', {
    absWorkingDir: dir, outdir: join(dir, 'out'), entryPoints: { main: join(dir, 'main.ts') }, bundle: true, platform: 'node',
    target: 'node24', metafile: true, logLevel: 'silent', sourcesContent: false,
  })
}

async function started(sources: Readonly<Record<string, string>>): Promise<Record<string, (...given: unknown[]) => unknown>> {
  const { code } = await made(sources)
  writeFileSync(join(dir, 'out.cjs'), code)
  return createRequire(import.meta.url)(join(dir, 'out.cjs')) as Record<string, (...given: unknown[]) => unknown>
}

const order = "export const order: string[] = []; export const note = (word: string): void => { order.push(word) }"

test('a module runs when it is first imported, after what it imports, and once', async () => {
  const { run, words, order: ran } = await started({
    'main.ts': `export { order } from './order.ts'; import { note } from './order.ts'; note('main')
export const run = async () => [(await import('./one.ts')).made, (await import('./two.ts')).made, (await import('./one.ts')).default]
export const words = async () => (await import('./two.ts')).words`,
    'order.ts': order,
    'shared.ts': `import { note as say } from './order.ts'; import path, { join } from 'node:path'; say('shared'); export class Made {}
export const text = \`
import { join } from "node:url";
\` + path.sep + join('a', 'b'); export { text as words }`,
    'one.ts': `import { Made as Shared } from './shared.ts'; import { note } from './order.ts'; note('one')
export const made = new Shared() instanceof Shared; export default 'of one'`,
    'two.ts': `import { Made } from './shared.ts'; import { note } from './order.ts'; note('two'); export const made = Made.name
export { words } from './shared.ts'`,
  })
  expect(ran).toEqual(['main'])
  expect(await run!()).toEqual([true, 'Made', 'of one'])
  expect(ran).toEqual(['main', 'shared', 'one', 'two'])
  expect(await words!()).toBe('\nimport { join } from "node:url";\n/a/b')
})

test('a module that throws fails each import with the same error, and does not run again', async () => {
  const { run } = await started({
    'main.ts': `export const run = () => import('./fails.ts')`,
    'fails.ts': `globalThis.chunkTimes = (globalThis.chunkTimes ?? 0) + 1; throw new Error('run ' + globalThis.chunkTimes)`,
  })
  await expect(run!()).rejects.toThrow('run 1')
  await expect(run!()).rejects.toThrow('run 1')
})

test('the source map names the lines of the sources', async () => {
  const { code, map } = await made({
    'main.ts': `\n\nexport const run = async () => (await import('./deep/other.ts')).other()`,
    'deep/other.ts': `// a comment\n\n\nexport const other = (): string => 'the text of line 4'`,
  })
  const lines = code.split('\n')
  const line = lines.findIndex(each => each.includes('the text of line 4'))
  const found = new SourceMap(JSON.parse(map) as SourceMapPayload).findEntry(line, lines[line]!.indexOf('the text')) as SourceMapping
  expect(resolve(dir, 'out', found.originalSource)).toBe(join(dir, 'deep/other.ts'))
  expect(found.originalLine).toBe(3)
})

test('an exported variable is refused, since other chunks would keep its first value', async () => {
  await expect(made({ 'main.ts': `export * from './count.ts'`, 'count.ts': 'export let count = 0' })).rejects.toThrow(
    /count\.ts exports the variable count/,
  )
})
