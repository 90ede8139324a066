// Whether tasks divide a query, and how many slots the only task of one takes.

import { expect, test } from 'vitest'
import { divisionOf, reasonOfBytes, slotsOfTask, type TaskNodes } from '../../../../client/sql/division.ts'
import { GiB, MiB } from '../../../../src/base/units.ts'

const two: TaskNodes = [{ slots: 4, running: 0 }, { slots: 2, running: 1 }]
const alone: TaskNodes = [{ slots: 2, running: 0 }]

test('the bytes that a query reads decide whether tasks divide it, and less of them where one datanode has all slots', () => {
  expect(reasonOfBytes({ parquet: 255 * MiB, other: 63 * MiB }, two)).toBe(
    'it reads 318 MiB of its tables, and tasks divide a query that reads 256 MiB of Parquet, or 64.0 MiB of other files',
  )
  for (const read of [{ parquet: 256 * MiB, other: 0 }, { parquet: 0, other: 64 * MiB }]) expect(reasonOfBytes(read, two)).toBeUndefined()
  expect(reasonOfBytes({ parquet: 2 * GiB - 1, other: 0 }, alone)).toMatch(/^it reads 2\.0 GiB of its tables, and one datanode has all /)
  for (const read of [{ parquet: 2 * GiB, other: 0 }, { parquet: 0, other: 64 * MiB }]) expect(reasonOfBytes(read, alone)).toBeUndefined()
})

test('a query over small tables is not divided, nor one in a cluster of one slot, unless it is asked for', () => {
  const table = (bytes: number) => [{ name: 't', columns: [], bytes }]
  const auto = (bytes: number, nodes: TaskNodes) => divisionOf({ distribute: 'auto', nodes }, table(bytes), [[]]).reason
  expect(auto(63 * MiB, two)).toMatch(/^its tables have 63\.0 MiB, and tasks divide a query that reads 256 MiB of Parquet/)
  expect(auto(64 * MiB, [{ slots: 1, running: 0 }])).toBe('the cluster runs one task at a time')
  expect(auto(64 * MiB, two)).toMatch(/^none of its tables has parts/)
  expect(divisionOf({ distribute: 'always', nodes: two }, table(1), [[]])).toEqual({ partitions: 2, splitBytes: 1 })
  expect(divisionOf({ distribute: 'never', nodes: two }, table(9 * GiB), [[]]).reason).toMatch(/never/)
})

test('the task of a query takes the slots that each datanode has, that one has free, and that its bytes are worth', () => {
  expect(slotsOfTask(alone, 200 * MiB)).toBe(2)
  expect(slotsOfTask(two, 200 * MiB)).toBe(2)
  expect(slotsOfTask([{ slots: 8, running: 5 }, { slots: 8, running: 6 }], 200 * MiB)).toBe(3)
  expect(slotsOfTask([{ slots: 8, running: 8 }], 200 * MiB)).toBe(1)
  expect(slotsOfTask([{ slots: 8, running: 0 }], 9 * MiB)).toBe(2)
  expect(slotsOfTask([{ slots: 8, running: 0 }], 0)).toBe(1)
  expect(slotsOfTask([], 200 * MiB)).toBe(1)
})
