// What a machine's memory gives to the tasks of a datanode, and to the programs that it drives.

import { expect, test } from 'vitest'
import { drivesOf, tasksMemory } from '../../../datanode/usersettings.ts'
import { limits } from '../../../src/base/limits.ts'
import { GiB } from '../../../src/base/units.ts'

test('a datanode drives a program for each 256 MiB of an eighth of the memory, by its share of the cores; at least a few', () => {
  const machine = { cores: 8, memoryBytes: 64 * GiB }
  expect([drivesOf(machine), drivesOf(machine, 4), drivesOf(machine, 16)]).toEqual([32, 16, 32])
  expect(drivesOf({ cores: 2, memoryBytes: GiB })).toBe(limits.nodeDrivesMin)
  expect(drivesOf({ cores: 2, memoryBytes: 4096 * GiB })).toBe(limits.jobsRunningMax)
})

test('tasks have three quarters of the memory, by the share of the slots in the cores', () => {
  const machine = { cores: 8, memoryBytes: 64 * GiB }
  expect([tasksMemory(machine), tasksMemory(machine, 2)]).toEqual([48 * GiB, 12 * GiB])
})
