// Format of `stat --printf`, from a fixed status: directives and escapes give the documented text.

import { expect, test } from 'vitest'
import { printf } from '../../../../../client/cli/files/stat.ts'
import { inodeId } from '../../../../../src/base/ids.ts'

test('stat --printf fills in facts and escapes', () => {
  const status = {
    path: '/a b', id: inodeId(7), type: 'file', length: 12, replication: 3, blockBytes: 4096, blocks: 1, format: 'lines', owner: 'ada',
    group: 'staff', mode: 0o640, mtimeMs: 1_000_999,
  } as const
  expect(printf('%n %s %F %a %A %U:%G %r %b %o %Y %%', status)).toBe('/a b 12 file 640 -rw-r----- ada:staff 3 1 4096 1000 %\n')
  expect(printf('%s\\t%q\\0', status)).toBe('12\t%q\0')
})
