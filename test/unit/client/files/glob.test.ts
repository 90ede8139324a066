// Method `glob` of the library, on an in-memory tree: the documented matches, and listings only of directories that the pattern can reach.

import { expect, test } from 'vitest'
import { globPaths } from '../../../../client/files/glob.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import { parentOf } from '../../../../src/base/paths.ts'
import type { FileStatus } from '../../../../src/protocol/namespace.ts'

const files = ['/a.txt', '/b.csv', '/x/1.txt', '/x/y/2.txt', '/x/y/.3.txt', '/x/.h/4.txt', '/z[1]/5.txt']

function tree() {
  const all = new Map<string, 'file' | 'directory'>([['/', 'directory']])
  for (const file of files) {
    all.set(file, 'file')
    for (let dir = parentOf(file); dir !== '/'; dir = parentOf(dir)) all.set(dir, 'directory')
  }
  const listed: string[] = []
  const status = (path: string): FileStatus => ({ path, type: all.get(path) } as FileStatus)
  return {
    listed,
    async status(path: string): Promise<FileStatus> {
      if (!all.has(path)) throw new GristmillError('ENOENT', 'no')
      return status(path)
    },
    async *list(directory: string): AsyncGenerator<FileStatus> {
      listed.push(directory)
      for (const path of [...all.keys()].sort()) if (path !== '/' && parentOf(path) === directory) yield status(path)
    },
  }
}

const found = (pattern: string, over = tree()): Promise<string[]> => Array.fromAsync(globPaths(pattern, over))

test.each([
  ['/*.txt', ['/a.txt']],
  ['*.{txt,csv}', ['/a.txt', '/b.csv']],
  ['/x/*', ['/x/1.txt', '/x/y']],
  ['/x/.*', ['/x/.h']],
  ['/**/*.txt', ['/a.txt', '/x/1.txt', '/x/y/2.txt', '/z[1]/5.txt']],
  ['/**/**/2.txt', ['/x/y/2.txt']],
  ['/x/**', ['/x/1.txt', '/x/y', '/x/y/2.txt']],
  ['/x/y/2.txt', ['/x/y/2.txt']],
  ['/x/y/2.txt/*', []],
  ['/nope/*.txt', []],
  ['/*/nope', []],
  ['/', ['/']],
])('%s', async (pattern, expected) => {
  expect(await found(pattern)).toEqual(expected)
})

test('only directories that the pattern can reach are listed', async () => {
  const over = tree()
  await found('/x/y/*.txt', over)
  expect(over.listed).toEqual(['/x/y'])
})
