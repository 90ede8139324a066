// Space of several datanodes together: directories that share a filesystem of a host share its space.

import { expect, test } from 'vitest'
import type { StorageId } from '../../../../src/base/ids.ts'
import { spaceOf } from '../../../../src/protocol/space.ts'

let last = 0
const disk = (filesystem: string | undefined, freeBytes = 40, more: object = {}) => ({
  id: `s${++last}` as StorageId, dir: '/d', capacityBytes: 100, freeBytes, usedBytes: 7, blocks: 1, failed: false,
  ...filesystem !== undefined && { filesystem }, ...more,
})

test('a filesystem counts once on its host, whichever datanodes have directories on it; blocks count in each', () => {
  expect(spaceOf([{ host: 'a', storages: [disk('1', 40), disk('1', 38)] }, { host: 'a', storages: [disk('1', 39), disk('2')] }]))
    .toEqual({ capacityBytes: 200, freeBytes: 80, usedBytes: 28 })
})

test('equal names on two hosts, and directories of datanodes that report no filesystem, are disks of their own', () => {
  expect(spaceOf([{ host: 'a', storages: [disk('1')] }, { host: 'b', storages: [disk('1')] }])).toMatchObject({ capacityBytes: 200 })
  expect(spaceOf([{ host: 'a', storages: [disk(undefined), disk(undefined)] }])).toMatchObject({ capacityBytes: 200, freeBytes: 80 })
})

test('a failed directory does not count, and one that takes no new blocks does not hide what is free beside it', () => {
  const storages = [disk('1', 0, { closed: true }), disk('1'), disk('2', 40, { failed: true })]
  expect(spaceOf([{ host: 'a', storages }])).toEqual({ capacityBytes: 100, freeBytes: 40, usedBytes: 14 })
})
