// Patterns in operands, on an in-memory cluster and on in-memory trees: they match in order, an existing name means itself, and a pattern
// without a match is an error.

import { expect, test } from 'vitest'
import { expandGlob, type Tree } from '../../../../client/cli/glob.ts'
import { runFake, someFiles } from './fake.ts'

test('globs are expanded in the cluster, and one without a match is an error', async () => {
  expect((await runFake(someFiles(), ['cat', '/logs/*.log'])).out).toBe('one\ntwo\nthree\nno newline at the end')
  expect((await runFake(someFiles(), ['cat', '/logs/{a.log,deep/c.txt}'])).out).toBe('one\ntwo\nthree\nc\n')
  const seen = await runFake(someFiles(), ['ls', '/logs/*.csv'])
  expect([seen.code, seen.err]).toEqual([1, 'gristmill: ls: /logs/*.csv: no such file or directory\n'])
})

/** `{ dir: { file: null } }` */
type Nested = { [name: string]: Nested | null }

function treeOf(root: Nested): Tree {
  const at = (path: string): Nested | null | undefined =>
    path
      .split('/')
      .filter(Boolean)
      .reduce<Nested | null | undefined>((node, name) => node?.[name], root)
  return {
    async *list(directory) {
      for (const [name, node] of Object.entries(at(directory) ?? {}).sort()) yield { name, directory: node !== null }
    },
    find: async path => (at(path) === undefined ? undefined : { name: path.split('/').at(-1)!, directory: at(path) !== null }),
    join: (directory, name) => `${directory === '/' ? '' : directory}/${name}`,
    start: () => '/',
  }
}

test('globs match names in order, skip hidden ones, go deep with **, and an existing name is itself', async () => {
  const tree = treeOf({
    logs: { 'a.log': null, 'b.log': null, 'c.txt': null, '.hidden.log': null, deep: { 'd.log': null } },
    'odd[1]': null, other: { x: { 'y.log': null } },
  })
  const expand = (pattern: string) => Array.fromAsync(expandGlob(pattern, tree))
  expect(await expand('/logs/*.log')).toEqual(['/logs/a.log', '/logs/b.log'])
  expect(await expand('/logs/.*.log')).toEqual(['/logs/.hidden.log'])
  expect(await expand('/logs/[ac]*')).toEqual(['/logs/a.log', '/logs/c.txt'])
  expect(await expand('/logs/{a,c}.{log,txt}')).toEqual(['/logs/a.log', '/logs/c.txt'])
  expect(await expand('/**/*.log')).toEqual(['/logs/a.log', '/logs/b.log', '/logs/deep/d.log', '/other/x/y.log'])
  expect(await expand('/*/x/y.log')).toEqual(['/other/x/y.log'])
  expect(await expand('/odd[1]')).toEqual(['/odd[1]'])
  expect(await expand('/not/there')).toEqual(['/not/there'])
  expect(await expand('/logs/**')).toEqual(['/logs/a.log', '/logs/b.log', '/logs/c.txt', '/logs/deep', '/logs/deep/d.log'])
  await expect(expand('/logs/*.csv')).rejects.toThrow('/logs/*.csv: no such file or directory')
})

test('a slash at the end asks for a directory, with a pattern and without', async () => {
  const tree = treeOf({ d: { f: null, sub: { g: null } }, 'odd*': null })
  const expand = (pattern: string) => Array.fromAsync(expandGlob(pattern, tree))
  expect(await expand('/d/*/')).toEqual(['/d/sub'])
  expect(await expand('/**/')).toEqual(['/d', '/d/sub'])
  expect(await expand('/d/')).toEqual(['/d/'])
  await expect(expand('/d/f/')).rejects.toMatchObject({ code: 'ENOTDIR', message: '/d/f/: not a directory' })
  await expect(expand('/odd*/')).rejects.toMatchObject({ code: 'ENOTDIR' })
  await expect(expand('/d/f*/')).rejects.toMatchObject({ code: 'ENOENT' })
})
