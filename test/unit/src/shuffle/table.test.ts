// Tables for joins: every key is found with its values, and no other one, in memory and on disk, with groups larger than a block, and with
// values larger than what is read at a time.

import { mkdirSync, readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Key } from '../../../../src/base/pair.ts'
import { JoinTable } from '../../../../src/shuffle/table.ts'
import { MapOutput } from '../../../../src/shuffle/mapoutput.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { dice } from '../../../kit/dice.ts'
import { compare, randomKey, scratch, segmentsOf } from './kit.ts'

type Pairs = ReadonlyArray<readonly [Key, unknown]>

async function tableOf(outputs: readonly Pairs[], memoryBytes: number, keysOnly = false): Promise<{ table: JoinTable; directory: string }> {
  const directory = await scratch()
  mkdirSync(directory, { recursive: true })
  const results = []
  for (const [i, pairs] of outputs.entries()) {
    const output = await MapOutput.open({ partitions: 1, disk: localDisk, directory, name: `m${i}`, memoryBytes: 8 << 20 })
    for (const [key, value] of pairs) output.emit(key, value)
    results.push(await output.finish())
  }
  const table = await JoinTable.open({
    disk: localDisk, directory, name: 't', segments: await segmentsOf(results, 0), memoryBytes, keysOnly, fanIn: 3,
  })
  return { table, directory }
}

const text = (key: Key): string => JSON.stringify(key, (_, each: unknown) =>
  (typeof each === 'bigint' ? `${each}n` : typeof each === 'number' ? `#${each}` : each))

const sizes = [['in memory', 64 << 20], ['on disk', 1000], ['on disk, with one block kept', 1]] as const

test.each(sizes)('each key is found with its values, and no other one: %s', async (_, memoryBytes) => {
  for (let seed = 1; seed <= 2; seed++) {
    const random = dice(seed)
    // Blocks of 64 KiB: some 13 of them.
    const outputs = Array.from({ length: 4 }, (_out, o) => Array.from({ length: 700 }, (_pair, i): [Key, unknown] =>
      [randomKey(random), { o, i, text: 'x'.repeat(random.below(600)) }]))
    const expected = new Map<string, { key: Key; values: unknown[] }>()
    for (const [key, value] of outputs.flat()) {
      const group = expected.get(text(key)) ?? { key, values: [] }
      group.values.push(value)
      expected.set(text(key), group)
    }
    const { table, directory } = await tableOf(outputs, memoryBytes)
    expect(table.isSpilled).toBe(memoryBytes < 1 << 20)
    expect(table.records).toBe(2800)
    const found = new Set<number>()
    for (const { key, values } of expected.values()) {
      const group = table.find(key)
      expect([...group!.values], `seed ${seed}, ${text(key)}`).toEqual(values)
      expect([...group!.values]).toEqual(values)
      found.add(group!.at)
    }
    expect(found.size).toBe(expected.size)
    for (let i = 0; i < 300; i++) {
      const key = randomKey(random)
      if (!expected.has(text(key))) expect(table.find(key), text(key)).toBeUndefined()
    }
    const some = [...expected.values()].filter((_each, i) => i % 3 === 0)
    const others = [...table.others(new Set(some.map(({ key }) => table.find(key)!.at)))].map(([key, values]) => [text(key), [...values]])
    expect(others).toEqual(
      [...expected.values()].filter((_each, i) => i % 3 !== 0)
        .sort((a, b) => compare(a.key, b.key)).map(({ key, values }) => [text(key), values]),
    )
    await table.close()
    expect(readdirSync(directory).filter(name => name.startsWith('t.'))).toEqual([])
  }
})

test('a key with more values than a block, and a value larger than a window, are read whole; keys beside it are found', async () => {
  const big = 'b'.repeat(3 << 20)
  const pairs: Array<[Key, unknown]> = [
    ['a', 1], ...Array.from({ length: 3000 }, (_, i): [Key, unknown] => ['hot', `${i} ${'v'.repeat(100)}`]), ['hot', big], ['hot', 'last'],
    ['i', 2], ['z', big],
    ['zz', 3],
  ]
  for (const memoryBytes of [64 << 20, 1 << 10]) {
    const { table } = await tableOf([pairs], memoryBytes)
    expect([...table.find('hot')!.values]).toEqual(pairs.filter(([key]) => key === 'hot').map(([, value]) => value))
    expect(['a', 'i', 'z', 'zz'].map(key => [...table.find(key)!.values])).toEqual([[1], [2], [big], [3]])
    expect(['', 'b', 'hos', 'hot ', 'zzz', 1].map(key => table.find(key))).toEqual(Array.from({ length: 6 }))
    expect([...table.others(new Set([table.find('hot')!.at]))].map(([key]) => key)).toEqual(['a', 'i', 'z', 'zz'])
    await table.close()
  }
})

test('a table of keys only says which keys there are, and an empty one has none', async () => {
  for (const memoryBytes of [1 << 20, 1]) {
    const { table } = await tableOf([[['a', 1], ['a', 2], [['b', 1], 3]]], memoryBytes, true)
    expect([['a'], [['b', 1]], ['b'], [['b', 2]]].map(([key]) => table.find(key as Key) !== undefined)).toEqual([true, true, false, false])
    expect([...table.find('a')!.values]).toEqual([])
    await table.close()
    const { table: empty } = await tableOf([[]], memoryBytes)
    expect(empty.find('a')).toBeUndefined()
    expect([...empty.others(new Set())]).toEqual([])
    await empty.close()
  }
})
