// Ranges of keys from samples: partitions in the order of keys, of about equal sizes, for even and skewed keys; and the sampler.

import { expect, test } from 'vitest'
import type { Key } from '../../../../src/base/pair.ts'
import { GrowingBuffer } from '../../../../src/shuffle/buffer.ts'
import { encodeKey } from '../../../../src/shuffle/key.ts'
import { KeyRanges, KeySampler } from '../../../../src/shuffle/ranges.ts'
import { dice } from '../../../kit/dice.ts'
import { compare, randomKey } from './kit.ts'

function partitionsOf(keys: readonly Key[], partitions: number, tasks = 4): number[] {
  const random = dice(1)
  const samplers = Array.from({ length: tasks }, () => new KeySampler(() => random.below(1 << 30) / (1 << 30)))
  keys.forEach((key, i) => samplers[i % tasks]!.add(key))
  const ranges = KeyRanges.of(samplers.map(({ sample }) => sample), partitions)
  const sink = new GrowingBuffer()
  return keys.map(key => {
    sink.length = 0
    encodeKey(key, sink)
    return ranges.of(sink.bytes, 0, sink.length)
  })
}

const sizes = (found: readonly number[], partitions: number): number[] =>
  Array.from({ length: partitions }, (_, p) => found.filter(each => each === p).length)

test('partitions follow the order of keys of any kind', () => {
  const random = dice(2)
  const keys = Array.from({ length: 1000 }, () => randomKey(random))
  const found = partitionsOf(keys, 5)
  const byKey = keys.map((key, i) => ({ key, partition: found[i]! })).sort((a, b) => compare(a.key, b.key) || a.partition - b.partition)
  for (const [i, { partition }] of byKey.entries()) if (i > 0) expect(partition).toBeGreaterThanOrEqual(byKey[i - 1]!.partition)
})

test('partitions have about equal sizes', () => {
  const random = dice(3)
  const kinds: Array<() => Key> = [() => random.below(1e9), () => `k${random.below(1e6)}`, () => random.below(1000) ** 3]
  for (const key of kinds) {
    const all = sizes(partitionsOf(Array.from({ length: 8000 }, key), 8), 8)
    for (const size of all) expect(size).toBeGreaterThan(500)
    for (const size of all) expect(size).toBeLessThan(1600)
  }
})

test('tasks count by their records, not by their samples', () => {
  const samplers = [10_000, 100].map((count, task) => {
    const random = dice(task)
    const sampler = new KeySampler(() => random.below(1 << 30) / (1 << 30))
    for (let i = 0; i < count; i++) sampler.add(task === 0 ? random.below(1000) : 5000 + i)
    return sampler.sample
  })
  const ranges = KeyRanges.of(samplers, 2)
  const sink = new GrowingBuffer()
  encodeKey(900, sink)
  // Half of all records lie far below the keys of the small task.
  expect(ranges.of(sink.bytes, 0, sink.length)).toBe(1)
})

test('one key with most of the records gets a partition, and all of its records are in it', () => {
  const keys: Key[] = Array.from({ length: 3000 }, (_, i) => (i % 10 === 0 ? i : 'hot'))
  const found = partitionsOf(keys, 6)
  expect(new Set(keys.flatMap((key, i) => (key === 'hot' ? [found[i]] : []))).size).toBe(1)
  for (const [i, partition] of found.entries()) if (keys[i] !== 'hot') expect(partition).toBeLessThan(6)
})

test('without samples all keys are in one partition', () => {
  expect(KeyRanges.of([], 4).of(Buffer.from([5]), 0, 1)).toBe(0)
  expect(new Set(partitionsOf([1, 1, 1], 4)).size).toBe(1)
})

test('a sample is small, holds each key with about the same probability, and refuses what is no key', () => {
  const random = dice(4)
  let early = 0
  for (let run = 0; run < 50; run++) {
    const sampler = new KeySampler(() => random.below(1 << 30) / (1 << 30))
    for (let i = 0; i < 400; i++) sampler.add(i < 200)
    expect(sampler.sample).toMatchObject({ records: 400, keys: { length: 100 } })
    // The first byte of true is 3.
    early += sampler.sample.keys.filter(key => key[0] === 3).length
  }
  expect(early).toBeGreaterThan(2250)
  expect(early).toBeLessThan(2750)
  const sampler = new KeySampler(() => 0)
  sampler.add('x'.repeat(100_000))
  expect(sampler.sample.keys[0]!.length).toBe(256)
  expect(() => sampler.add(undefined as never)).toThrow('is a field missing?')
  expect(() => KeyRanges.of([{ records: 1 }], 2)).toThrow('a sample of keys has another form')
})
