// init: files of a project in a local directory. A directory that is in use is left alone.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { templates, tools } from '../../../../../client/cli/jobs/init.ts'
import { shellWord } from '../../../../../client/cli/target.ts'
import { version } from '../../../../../src/base/version.ts'
import { MemoryDisk } from '../../../../kit/memory-disk.ts'
import { root } from '../../../../tidy/source.ts'
import { runFake, someFiles } from '../fake.ts'

const init = (words: readonly string[], disk = new MemoryDisk()) => runFake(someFiles(), ['init', ...words], { disk })

const textIn = (disk: MemoryDisk, path: string): string => disk.files.get(path)!.bytes.toString()

test('a new directory gets a project with its dependency, and the next step is printed', async () => {
  const disk = new MemoryDisk()
  const seen = await init(['My Mill'], disk)
  const packed = join(root, `gristmill-${version}.tgz`)
  const pack = existsSync(packed) ? '' : `(cd ${shellWord(`${root}/`)} && npm run build && npm pack ./dist) && `
  const steps = `${pack}cd 'My Mill' && npm install`
  expect(seen).toMatchObject({ code: 0, err: `gristmill: init: go on with: ${steps}. README.md has the commands that run it\n` })
  expect(seen.out).toBe('My Mill/words.ts\nMy Mill/harvest.txt\nMy Mill/package.json\nMy Mill/tsconfig.json\nMy Mill/.gitignore\nMy Mill/README.md\n')
  const manifest = JSON.parse(textIn(disk, '/My Mill/package.json')) as { name: string; dependencies: Record<string, string> }
  expect(manifest.name).toBe('my-mill')
  // In a checkout, the package that it packs: a compiler would check sources in place of declarations.
  expect(join('/My Mill', manifest.dependencies['gristmill']!.replace('file:', ''))).toBe(packed)
  expect(textIn(disk, '/My Mill/words.ts')).toBe(readFileSync(join(root, 'docs/examples/projects/wordcount/words.ts'), 'utf8'))
})

test('a directory whose name begins with a dash is entered by a path', async () => {
  expect((await init(['--', '-weird'])).err).toContain('cd ./-weird && npm install')
})

test.each(Object.entries(templates))('the README of the template %s names its own files', async (name, { program, data, input }) => {
  const disk = new MemoryDisk()
  const { code, out } = await init(['/p', '--template', name, '--json'], disk)
  expect(code).toBe(0)
  const files = [program, ...data, 'package.json', 'tsconfig.json', '.gitignore', 'README.md']
  expect(JSON.parse(out)).toEqual({ directory: '/p', template: name, files })
  const readme = textIn(disk, '/p/README.md')
  expect(readme).toContain(`npx gristmill put ${data.join(' ')} ${input}/\nnpx gristmill run ${program} --input ${input}`)
})

test('a directory with files is refused, and written to with --force; other files stay', async () => {
  const disk = new MemoryDisk()
  await disk.mkdir('/p')
  await disk.writeFileDurable('/p/words.ts', Buffer.from('mine'))
  await disk.writeFileDurable('/p/notes', Buffer.from('mine'))
  const refused = await init(['/p'], disk)
  expect([refused.code, refused.out]).toEqual([1, ''])
  expect(refused.err).toMatch(/^gristmill: init: \/p: the directory is not empty \(it has \w+.*add --force/)
  expect(textIn(disk, '/p/words.ts')).toBe('mine')
  expect(disk.files.size).toBe(2)
  expect((await init(['/p', '--force'], disk)).code).toBe(0)
  expect(textIn(disk, '/p/words.ts')).toContain('mapReduce')
  expect(textIn(disk, '/p/notes')).toBe('mine')
})

test('a file in the directory\'s place, and a template that does not exist, are refused', async () => {
  const disk = new MemoryDisk()
  await disk.writeFileDurable('/p', Buffer.from('mine'))
  expect(await init(['/p', '--force'], disk)).toMatchObject({ code: 1, err: 'gristmill: init: /p: is a file, not a directory\n' })
  const seen = await init(['/q', '--template', 'top'], disk)
  expect(seen.code).toBe(2)
  expect(seen.err).toContain('there is no template "top" (did you mean topn?); there are wordcount, csv, jsonl, join, topn')
})

test('a new git repository counts as empty', async () => {
  const disk = new MemoryDisk()
  await disk.mkdir('/p')
  await disk.writeFileDurable('/p/.git', Buffer.from('gitdir: elsewhere'))
  expect((await init(['/p'], disk)).code).toBe(0)
})

test('projects get the compiler that the examples are checked with', () => {
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { devDependencies: Record<string, string> }
  expect(devDependencies).toMatchObject(tools)
})
