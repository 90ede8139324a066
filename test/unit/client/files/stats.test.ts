// Classes `Stats` and `Dirent`: the fields and methods of node:fs, printable and comparable.

import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { Dirent, Stats } from '../../../../client/files/stats.ts'
import { inodeId } from '../../../../src/base/ids.ts'
import type { FileStatus } from '../../../../src/protocol/namespace.ts'

const status: FileStatus = {
  path: '/d/a.csv', id: inodeId(7), type: 'file', length: 9, replication: 2, blockBytes: 4096, blocks: 1, format: 'csv', delimiter: ';',
  owner: 'grace', group: 'ops', mode: 0o640, mtimeMs: 1000,
}

test('facts are fields: they print, spread and compare, as those of Node do', () => {
  const stats = new Stats(status)
  const facts = {
    path: '/d/a.csv', type: 'file', ino: 7, size: 9, mode: 0o100640, mtimeMs: 1000, mtime: new Date(1000), owner: 'grace', group: 'ops',
    replication: 2, blksize: 4096, blocks: 1, format: 'csv', delimiter: ';',
  }
  expect({ ...stats }).toEqual(facts)
  expect(inspect(stats)).toMatch(/^Stats \{[\s\S]*size: 9[\s\S]*owner: 'grace'/)
  expect(stats).toEqual(new Stats({ ...status }))
  expect(stats).not.toEqual(new Stats({ ...status, length: 10 }))
  expect([stats.isFile(), stats.isDirectory(), JSON.parse(JSON.stringify(stats))]).toEqual([true, false, status])
  const { delimiter: _, ...plain } = status
  expect(Object.keys(new Stats(plain))).not.toContain('delimiter')
  expect(inspect(new Dirent({ ...status, path: '/d', type: 'directory' }))).toBe(`Dirent { name: 'd', parentPath: '/', type: 'directory' }`)
})
