// Differences of two trees, computed from listings in memory, in as few lines as possible: a moved directory is one rename, and its entries
// are not listed.

import { expect, test } from 'vitest'
import { differences } from '../../../../client/files/diff.ts'
import { inodeId } from '../../../../src/base/ids.ts'
import { join, parentOf } from '../../../../src/base/paths.ts'
import type { FileStatus } from '../../../../src/protocol/namespace.ts'

/** `path:id`, directories with a slash, `!` for another mode. */
function tree(top: string, ...entries: string[]): FileStatus[] {
  return entries.map(entry => {
    const [, path = '', slash, id = '', other] = /^(.*?)(\/?):(\d+)(!?)$/.exec(entry)!
    return {
      path: join(top, path), id: inodeId(Number(id)), type: slash ? 'directory' : 'file', length: 0, replication: 1, blockBytes: 1,
      blocks: 0, format: 'bytes', owner: 'a', group: 'a', mode: other ? 0o700 : 0o644, mtimeMs: 0,
    }
  })
}

async function compare(before: string[], after: string[]): Promise<string[]> {
  const all = [...tree('/old', ...before), ...tree('/new', ...after)]
  const list = async function* (path: string): AsyncGenerator<FileStatus> {
    yield* all.filter(status => parentOf(status.path) === path).sort((a, b) => Buffer.from(a.path).compare(Buffer.from(b.path)))
  }
  const found = await Array.fromAsync(differences('/old', '/new', list))
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
