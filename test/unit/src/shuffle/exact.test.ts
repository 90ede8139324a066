// Off-by-one errors in the shuffle: bytes left by a refused emission, long keys of other scripts, values of many megabytes, counts of
// combined records, and the number of spills.

import fs from 'node:fs/promises'
import { expect, test } from 'vitest'
import type { Combine } from '../../../../src/shuffle/combiner.ts'
import { MapOutput } from '../../../../src/shuffle/mapoutput.ts'
import { askPartitioner } from '../../../../src/shuffle/partition.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { groupsOf, oracle, scratch, segmentsOf, writeOutput } from './kit.ts'

// Files are written, on a machine that may have other load.
const add = (_key: unknown, values: number[]): number => values.reduce((sum, value) => sum + value, 0)

test('an emission that is refused leaves no byte in the one before it, nor in the next', async () => {
  const directory = await scratch()
  const output = await MapOutput.open({ partitions: 1, disk: localDisk, directory, name: 'm', memoryBytes: 1 << 20 })
  output.emit('a', 'first')
  expect(() => output.emit('b', { fine: 'text', wrong: () => 1 })).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  expect(() => output.emit(undefined as never, 1)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  output.emit('c', 'last')
  expect(() => output.emit('d', { wrong: () => 1 })).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  const result = await output.finish()
  expect(await groupsOf(await segmentsOf([result], 0), directory)).toEqual([['a', ['first']], ['c', ['last']]])
  expect(
    (
      await writeOutput(
        directory,
        [
          ['a', 'first'], ['c', 'last'],
        ],
        { name: 'plain' },
      )
    ).counters.rawBytes,
  ).toBe(result.counters.rawBytes)
})

test('long keys of any script are the same keys with combine and without', async () => {
  const directory = await scratch()
  const keys = ['größer als dreizehn', 'мельница на реке', '磨磨磨磨磨磨磨磨磨磨磨磨磨磨', '😀'.repeat(10), 'plain and long enough', 'kürzer']
  const pairs = keys.flatMap(key => [[`xx${key}`.slice(2), 1], [key, 2]] as Array<[string, number]>)
  const combined = await writeOutput(directory, pairs, { name: 'c', combine: add as never })
  const found = await groupsOf(await segmentsOf([combined], 0), directory)
  expect(new Map(found.map(([key, values]) => [key, values]))).toEqual(new Map(keys.map(key => [key, [3]])))
})

test('a value of several megabytes comes through', async () => {
  const directory = await scratch()
  const result = await writeOutput(directory, [['k', 'y'.repeat(5_000_000)], ['k', 'z']], { name: 'm' })
  const [[, values]] = await groupsOf(await segmentsOf([result], 0), directory) as [[unknown, string[]]]
  expect(values.map(value => [value.length, value[0]])).toEqual([[5_000_000, 'y'], [1, 'z']])
})

test('counters say how many values combine was given, in memory and while spills are merged', async () => {
  const directory = await scratch()
  const five = await writeOutput(directory, Array.from({ length: 5 }, () => ['k', 1] as const), { name: 'a', combine: add as never })
  expect(five.counters).toMatchObject({ emittedRecords: 5, combinedRecords: 6, outputRecords: 1, spills: 0, spilledRecords: 0 })
  const output = await MapOutput.open({ partitions: 1, disk: localDisk, directory, name: 'b', memoryBytes: 1, combine: add as never })
  for (let i = 0; i < 3; i++) output.emit('k', 1) // each is spilled at once, and the merge combines three
  const { counters } = await output.finish()
  expect(counters).toMatchObject({ emittedRecords: 3, combinedRecords: 3, outputRecords: 1, spills: 3, spilledRecords: 3 })
})

test('memory that was spilled counts as free again, so that the next spill comes when it is full again', async () => {
  const directory = await scratch()
  for (const combine of [undefined, add as unknown as Combine]) {
    const output = await MapOutput.open({
      partitions: 1, disk: localDisk, directory, name: `m${combine ? 'c' : ''}`, memoryBytes: 20_000, ...(combine && { combine }),
    })
    let spilled = 0
    let before = 0
    for (let i = 0; i < 2_000; i++) {
      output.emit([`key ${i}`], i)
      if (output.usedBytes < before) spilled++
      before = output.usedBytes
    }
    const { counters } = await output.finish()
    // At some 30 to 200 bytes a record, hundreds of records fit into each.
    expect(counters.spills).toBeLessThan(40)
    expect(counters.spills).toBeGreaterThan(1)
    expect(spilled).toBeGreaterThan(0)
  }
})

test('a partition function may choose any partition, the last one included; another result is an error', () => {
  expect([0, 3].map(chosen => askPartitioner(() => chosen, 'k', 4))).toEqual([0, 3])
  for (const wrong of [4, -1, 1.5, NaN, undefined])
    expect(() => askPartitioner(() => wrong as never, 'k', 4), String(wrong)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
})

test('combine is given at most 256 values at a time while spills are merged, and its last result is the value', async () => {
  const directory = await scratch()
  const given: number[] = []
  const combine = ((_key: unknown, values: number[]) => { given.push(values.length); return add(_key, values) }) as never
  const output = await MapOutput.open({ partitions: 1, disk: localDisk, directory, name: 'm', memoryBytes: 1, combine })
  for (let i = 0; i < 600; i++) output.emit('k', i)
  for (let i = 0; i < 256; i++) output.emit('l', 1)
  const result = await output.finish()
  // 256, the result with 255 more, the result with the remaining 89.
  expect(given).toEqual([256, 256, 90, 256])
  expect(result.counters.combinedRecords).toBe(256 + 256 + 90 + 256)
  expect(await groupsOf(await segmentsOf([result], 0), directory)).toEqual([['k', [600 * 599 / 2]], ['l', [256]]])
})

test('raw bytes are those of the entries, over all frames and partitions, compressed or not, spilled or not', async () => {
  const directory = await scratch()
  // Head, length and value of an entry take a byte each, its key (once for equal ones) five; a text has a tag and its length.
  const small = Array.from({ length: 9000 }, (_, i) => [String(1000 + i % 9), i % 100] as const)
  const large = Array.from({ length: 30 }, (_, i) => [String(2000 + i), 'x'.repeat(10_000)] as const)
  const rawBytes = 9000 * 3 + 9 * 5 + 30 * (1 + 5 + 2 + 1 + 2 + 10_000)
  for (const compress of [false, true]) {
    const result = await writeOutput(directory, [...small, ...large], { name: 'm', compress })
    expect(result.counters).toMatchObject({ rawBytes, outputRecords: 9030 })
    const spilled = await writeOutput(directory, [...small, ...large], { name: 's', compress, memoryBytes: 50_000 })
    expect(spilled.counters).toMatchObject({ rawBytes, outputRecords: 9030, spilledRecords: 9030 })
  }
  const split = await writeOutput(directory, small, { name: 'p', partitions: 9, partitioner: ((key: string) => Number(key) % 9) as never })
  expect(split.counters.rawBytes).toBe(9000 * 3 + 9 * 5)
  expect(split.partitions.map(({ records }) => records)).toEqual(Array.from({ length: 9 }, () => 1000))
})

test('what is combined in memory is counted by about what it takes, so that it is spilled in time, and is free when it was folded', async () => {
  const directory = await scratch()
  const numbers = Array.from({ length: 1000 }, (_, i) => i)
  const values: Array<[string, () => unknown, number]> = [
    ['a text', () => 'x'.repeat(10_000), 10_000], ['bytes', () => Buffer.alloc(10_000), 10_000], ['an array', () => numbers, 16_000],
    ['an object', () => Object.fromEntries(numbers.map(i => [`k${i}`, i])), 16_000],
    ['a map', () => new Map(numbers.map(i => [i, i])), 24_000],
    ['a set', () => new Set(numbers), 24_000],
    ['texts within', () => numbers.map(() => 'x'.repeat(90)), 122_000],
    ['null', () => null, 8], ['a number', () => 5, 0],
    ['much within little', () => [[[['x'.repeat(5_000)]]]], 5_000],
  ]
  for (const [what, make, bytes] of values) {
    const output = await MapOutput.open({
      partitions: 1, disk: localDisk, directory, name: 'm', memoryBytes: 1 << 30,
      combine: ((_: unknown, all: unknown[]) => all[0]) as never,
    })
    const used = (key: string): number => {
      const before = output.usedBytes
      output.emit(key, make())
      return output.usedBytes - before
    }
    const first = used('k')
    expect(first, what).toBeGreaterThanOrEqual(bytes)
    expect(first, what).toBeLessThan(bytes * 2 + 400)
    // More values of the key add no entry.
    const second = used('k')
    expect(first - second, what).toBeGreaterThanOrEqual(150)
    expect(used('k'), what).toBe(second)
    // The fourth merges them into one.
    output.emit('k', make())
    expect(output.usedBytes, what).toBe(first)
    await output.discard()
  }
})

test('files that an earlier try of the attempt has left are written over', async () => {
  const directory = await scratch()
  for (const kind of ['spill', 'data', 'index', 'merge0']) await fs.writeFile(`${directory}/m.${kind}`, 'x'.repeat(10_000))
  const pairs = Array.from({ length: 300 }, (_, i) => [`k${i % 9}`, i] as const)
  const result = await writeOutput(directory, pairs, { name: 'm', memoryBytes: 1000, fanIn: 3 })
  expect(result.counters.spills).toBeGreaterThan(3)
  expect(await groupsOf(await segmentsOf([result], 0), directory)).toEqual(oracle(pairs))
  expect((await fs.readdir(directory)).sort()).toEqual(['m.data', 'm.index'])
})
