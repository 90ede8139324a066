// Guides to the library and to job input: every code block, run as a reader would run it, in a process of its own with an empty home. Each
// prints the documented output.

import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { bundled, compiledIn } from '../tidy/bundle.ts'
import { root } from '../tidy/source.ts'

const library: readonly RegExp[] = [
  /^rye\nrye\noats\n\n\[ '2026', '2026\/rye.txt' \]\n$/,
  /^13\n$/,
  /^0,0\n1,1\n\n999,998001\n$/,
  /\ntrue 13\n\/copies\/notes.txt 13\n\/copies\/third.txt 13\n$/,
  /^ENOENT \{ path: '\/no\/such\/file', missing: '\/no', syscall: 'open' \}\n$/,
  /^[\s\S]*succeeded \[ '1\/1', '1\/1' \]\nlines read: 3\noats\t1\nrye\t2\n\n$/,
]

test.each([
  ['library', library], ['input', [/^Zürich\t1\n\n$/, /^1 Bern\t3\.5\n\n$/]],
] as const)('every sample of the %s guide does what it says', async (name, expected) => {
  const guide = await readFile(join(root, `docs/guide/${name}.md`), 'utf8')
  const blocks = [...guide.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(match => match[1]!)
  expect(blocks).toHaveLength(expected.length)
  const dir = await mkdtemp(join(tmpdir(), 'gristmill-guide-'))
  // A package that a program of the guide imports.
  await mkdir(join(dir, 'node_modules'))
  await symlink(join(root, 'node_modules/zod'), join(dir, 'node_modules/zod'))
  try {
    const env = {
      PATH: process.env['PATH'] ?? '', HOME: dir, GRISTMILL_HOME: join(dir, 'home'), NO_COLOR: '1', NODE_COMPILE_CACHE: compiledIn,
    }
    for (const [i, block] of blocks.entries()) {
      const file = join(dir, `sample${i}.ts`)
      // Beside an installed package the package name would do.
      await writeFile(
        file,
        block.replace(/^(import .*)'gristmill'$/m, (_, start: string) => `${start}'${pathToFileURL(bundled('library')).href}'`),
      )
      const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: dir, env })
      expect(stdout, `block ${i + 1}`).toMatch(expected[i] as RegExp)
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})

test('the samples of the DataFrame guide print what it shows, in one process', async () => {
  const guide = await readFile(join(root, 'docs/guide/dataframe.md'), 'utf8')
  const fences = (language: string): string[] =>
    [...guide.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(match => match[1]!)
  const dir = await mkdtemp(join(tmpdir(), 'gristmill-guide-'))
  const modules = { gristmill: 'client/index.ts', 'gristmill/frame': 'client/frame/index.ts' }
  try {
    // A program has its name in the first line, and is run by another sample.
    const programs = fences('ts').filter(block => block.startsWith('// '))
    const samples = fences('ts').filter(block => !programs.includes(block))
    for (const block of programs) await writeFile(join(dir, /^\/\/ (\S+)\n/.exec(block)![1]!), block)
    for (const [i, block] of samples.entries())
      await writeFile(join(dir, `sample${i}.ts`), block.replaceAll(/ from '(gristmill(?:\/frame)?)'$/gm, (_, name: keyof typeof modules) =>
        ` from '${pathToFileURL(join(root, modules[name])).href}'`))
    await writeFile(join(dir, 'all.ts'), samples.map((_, i) => `await import('./sample${i}.ts')\n`).join(''))
    const env = {
      PATH: process.env['PATH'] ?? '', HOME: dir, GRISTMILL_HOME: join(dir, 'home'), NO_COLOR: '1', NODE_COMPILE_CACHE: compiledIn,
    }
    const { stdout } = await promisify(execFile)(process.execPath, [join(dir, 'all.ts')], { cwd: dir, env })
    expect(stdout).toBe(fences('text').join(''))
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})
