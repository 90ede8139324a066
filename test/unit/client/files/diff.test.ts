// Differences of two trees, computed from listings in memory, in as few lines as possible: a moved directory is one rename, and its entries
// are not listed.

import { expect, test } from 'vitest'
import { differences } from '../../../../client/files/diff.ts'
import { inodeId } from '../../../../src/base/ids.ts'
import type { FileStatus } from '../../../../src/protocol/namespace.ts'
import { differencesOf } from './trees.ts'

const statusOfTop: FileStatus = {
  path: '/d', id: inodeId(5), type: 'directory', length: 0, replication: 0, blockBytes: 0, blocks: 0, format: 'bytes', owner: 'a',
  group: 'a', mode: 0o755, mtimeMs: 0,
}

async function compare(before: string[], after: string[]): Promise<string[]> {
  const found = await Array.fromAsync(differencesOf(before, after))
  return found.map(({ kind, type, path, from }) => `${kind} ${from ?? ''}${from ? ' → ' : ''}${path}${type === 'directory' ? '/' : ''}`)
}

test('equal trees differ in nothing', async () => {
  expect(await compare(['a/:1', 'a/b:2', 'c:3'], ['a/:1', 'a/b:2', 'c:3'])).toEqual([])
  expect(await compare([], [])).toEqual([])
})

test('created and deleted trees are reported by their topmost name', async () => {
  expect(await compare(['a/:1', 'a/b/:2', 'a/b/c:3', 'x:4'], ['x:4', 'z/:5', 'z/y:6'])).toEqual(['deleted /a/', 'created /z/'])
  expect(await compare(['a/:1', 'a/b:2'], ['a/:1', 'a/c:3'])).toEqual(['deleted /a/b', 'created /a/c'])
})

test('a thing is renamed if it has another name or another directory, and not if its directory has', async () => {
  expect(await compare(['a/:1', 'a/b:2', 'a/c:3!'], ['z/:1', 'z/b:2', 'z/c:3'])).toEqual(['renamed /a → /z/', 'modified /z/c'])
  expect(await compare(['a/:1', 'a/b:2', 'd/:4'], ['a/:1', 'd/:4', 'd/b:2'])).toEqual(['renamed /a/b → /d/b'])
  // Renamed out of a deleted directory into a created one.
  expect(await compare(['a/:1', 'a/b:2', 'a/c:3'], ['n/:9', 'n/b:2'])).toEqual(['deleted /a/', 'created /n/', 'renamed /a/b → /n/b'])
})

test('another file under an old name, and a name that became a directory, are two differences', async () => {
  expect(await compare(['a:1'], ['a:2'])).toEqual(['deleted /a', 'created /a'])
  expect(await compare(['a:1'], ['a/:2', 'a/b:1'])).toEqual(['created /a/', 'renamed /a → /a/b'])
  expect(await compare(['a:1', 'b:2'], ['a:2', 'b:1'])).toEqual(['renamed /b → /a', 'renamed /a → /b'])
})

test('what has other attributes is modified, and names are in the order of their bytes', async () => {
  expect(await compare(['a/:1', 'a/b:2', 'ab:3', 'é:4', 'z:5'], ['a/:1!', 'a/b:2!', 'ab:3', 'é:4!', 'z:5'])).toEqual([
    'modified /a/', 'modified /a/b', 'modified /é',
  ])
})

test('another access control list is another attribute', async () => {
  expect(await compare(['a:1', 'b:2+x', 'c:3+x', 'd:4+x'], ['a:1+x', 'b:2', 'c:3+y', 'd:4+x'])).toEqual([
    'modified /a', 'modified /b', 'modified /c',
  ])
  expect(await compare(['a:1+x', 'b:2+x'], ['c:1+x', 'd:2+y'])).toEqual(['renamed /a → /c', 'renamed /b → /d', 'modified /d'])
})

test('the directory itself is modified by another mode or list, and not by the time of its snapshot', async () => {
  expect(await compare(['/:0', 'a:1'], ['/:0!', 'a:1'])).toEqual(['modified /'])
  expect(await compare(['/:0+x', 'b:2'], ['/:0+y', 'b:2!'])).toEqual(['modified /', 'modified /b'])
  expect(await compare(['/:0+x'], ['/:0+x'])).toEqual([])
  const [top] = await Array.fromAsync(differencesOf(['/:0'], ['/:0!']))
  expect(top).toEqual({ kind: 'modified', type: 'directory', path: '', id: 0, directory: 0, before: '' })
  const [old, now] = [{ mtimeMs: 1 }, { mtimeMs: 2 }].map(time => ({ ...statusOfTop, ...time }))
  expect(await Array.fromAsync(differences({ tops: [old!, now!], aclOf: () => Promise.resolve(''), async *list() {} }))).toEqual([])
})

test('a difference has ids, and the path by the names of the older version', async () => {
  const found = await Array.fromAsync(differencesOf(
    ['x/:1', 'x/in/:2', 'x/in/f:3!', 'y:4', 'gone:5'], ['z/:1', 'z/in/:2', 'z/in/f:3', 'z/in/new:6', 'n/:7', 'n/y:4', 'z/g:8'],
  ))
  expect(found).toEqual([
    { kind: 'deleted', type: 'file', path: '/gone', id: 5, directory: 0, before: '/gone' },
    { kind: 'created', type: 'directory', path: '/n', id: 7, directory: 0, before: '/n' },
    { kind: 'renamed', type: 'file', path: '/n/y', from: '/y', id: 4, directory: 7, fromDirectory: 0 },
    { kind: 'renamed', type: 'directory', path: '/z', from: '/x', id: 1, directory: 0, fromDirectory: 0, before: '/z' },
    { kind: 'created', type: 'file', path: '/z/g', id: 8, directory: 1, before: '/x/g' },
    { kind: 'modified', type: 'file', path: '/z/in/f', id: 3, directory: 2, before: '/x/in/f' },
    { kind: 'created', type: 'file', path: '/z/in/new', id: 6, directory: 2, before: '/x/in/new' },
  ])
})
