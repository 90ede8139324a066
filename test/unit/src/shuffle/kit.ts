// Shared by tests of the shuffle room: random keys and values from a seed, a scratch directory, and an oracle that sorts by comparing keys
// as docs/format/key.md defines it, without their encodings.

import type { Key } from '../../../../src/base/pair.ts'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { onTestFinished } from 'vitest'
import { MapOutput, type MapOutputOptions, type MapOutputResult } from '../../../../src/shuffle/mapoutput.ts'
import { segmentInFile, segmentInMemory, type Segment } from '../../../../src/shuffle/segment.ts'
import { mergeSegments } from '../../../../src/shuffle/groups.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import type { Dice } from '../../../kit/dice.ts'

const texts = [
  '', 'a', 'b', 'ab', 'a\0', 'a\0b', '\0', '\0\0', '\u00ff', 'é', 'z', '磨', '\uffff', '😀', 'prefix/common/x', 'prefix/common/y',
  'prefix/common/', 'longer than thirteen characters',
]
const numbers = [0, -0, 1, -1, 0.5, -0.5, 255, 256, 65_536, 2 ** 53, -(2 ** 53), 1e300, -1e300, 5e-324, -5e-324, Infinity, -Infinity, NaN]
/** Values around doubles, between them, and at both limits of keys. */
const bigints = [
  0n, 2n ** 53n, -(2n ** 53n), 2n ** 64n, -(2n ** 64n), 12_345_678_901_234_567_890n, BigInt(1e300), -BigInt(1e300),
  BigInt(Number.MAX_VALUE) - 2n, 2n - BigInt(Number.MAX_VALUE), 2n ** 970n,
]

export function randomKey(random: Dice, depth = 0): Key {
  switch (random.below(depth > 2 ? 7 : 9)) {
    case 0: return random.pick([null, true, false])
    case 1: return random.pick(numbers)
    case 2: return random.below(2000) - 1000
    case 3: return `w${random.below(300)}`
    case 4: case 5: return random.pick(texts) + (random.below(3) === 0 ? random.pick(texts) : '')
    case 6: return random.below(2) === 0 ? BigInt(random.below(2000) - 1000) : random.pick(bigints) + BigInt(random.below(5) - 2)
    default: return Array.from({ length: random.below(4) }, () => randomKey(random, depth + 1))
  }
}

const rank = (key: Key) =>
  key === null
    ? 0
    : key === false
      ? 1
      : key === true
        ? 2
        : typeof key === 'number' || typeof key === 'bigint'
          ? 3
          : typeof key === 'string'
            ? 4
            : 5

const known = new Map<string, readonly number[]>()

/** Code points of a text. Sorting asks for those of each key many times. */
function pointsOf(text: string): readonly number[] {
  let points = known.get(text)
  if (points === undefined) {
    if (known.size >= 10_000) known.clear()
    known.set(text, points = Array.from(text, each => each.codePointAt(0)!))
  }
  return points
}

/** Order of keys as documented. */
export function compare(a: Key, b: Key): number {
  if (rank(a) !== rank(b)) return rank(a) - rank(b)
  if (typeof a === 'number' && typeof b === 'number') {
    if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b))
    return a < b ? -1 : a > b ? 1 : 0
  }
  if (rank(a) === 3) {
    // JavaScript compares a number with a bigint exactly; a bigint follows the number that it equals.
    if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b))
    return a! < b! ? -1 : a! > b! ? 1 : Number(typeof a === 'bigint') - Number(typeof b === 'bigint')
  }
  if (typeof a === 'string' && typeof b === 'string') {
    const [x, y] = [pointsOf(a), pointsOf(b)]
    for (let i = 0; i < Math.min(x.length, y.length); i++) if (x[i] !== y[i]) return x[i]! - y[i]!
    return x.length - y.length
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    for (let i = 0; i < Math.min(a.length, b.length); i++) {
      const difference = compare(a[i] as Key, b[i] as Key)
      if (difference !== 0) return difference
    }
    return a.length - b.length
  }
  return 0
}

export async function scratch(): Promise<string> {
  const directory = await fs.mkdtemp(path.join(os.tmpdir(), 'gristmill-shuffle-'))
  onTestFinished(() => fs.rm(directory, { recursive: true }))
  return directory
}

export type Pair = readonly [Key, unknown]

export async function writeOutput(
  directory: string, pairs: Iterable<Pair>,
  options: Partial<MapOutputOptions> & { name: string },
): Promise<MapOutputResult> {
  const output = await MapOutput.open({ partitions: 1, disk: localDisk, directory, memoryBytes: 1 << 24, ...options })
  for (const [key, value] of pairs) output.emit(key, value)
  output.checkState()
  return output.finish()
}

/** All segments of one partition, read into memory. */
export async function segmentsOf(results: readonly MapOutputResult[], partition: number): Promise<Segment[]> {
  return Promise.all(results.map(async result => {
    const bytes = await fs.readFile(result.file)
    const extent = result.partitions[partition]!
    return segmentInMemory(result.file, bytes.subarray(extent.offset, extent.offset + extent.bytes), extent)
  }))
}

export async function fileSegment(result: MapOutputResult, partition: number): Promise<Segment> {
  const reader = await localDisk.openRead(result.file)
  onTestFinished(() => reader.close())
  return segmentInFile(result.file, reader, result.partitions[partition]!)
}

export async function groupsOf(segments: readonly Segment[], directory: string, fanIn?: number): Promise<Array<[Key, unknown[]]>> {
  const merged = await mergeSegments({ segments, disk: localDisk, directory, name: 'reduce', fanIn })
  try {
    return Array.from(merged, ({ key, values }): [Key, unknown[]] => [key, [...values]])
  } finally {
    await merged.close()
  }
}

/** Expected merge of these emissions: keys in order, values in order of emission. -0 is 0. */
export function oracle(pairs: Iterable<Pair>): Array<[Key, unknown[]]> {
  const groups: Array<[Key, unknown[]]> = []
  const sorted = [...pairs].map((pair, index) => ({ pair, index })).sort((x, y) => compare(x.pair[0], y.pair[0]) || x.index - y.index)
  for (const { pair: [key, value] } of sorted) {
    const last = groups.at(-1)
    if (last && compare(last[0], key) === 0) last[1].push(value)
    else groups.push([plainZero(key), [value]])
  }
  return groups
}

export function plainZero(key: Key): Key {
  if (typeof key === 'number') return key + 0
  return Array.isArray(key) ? key.map(part => plainZero(part as Key)) : key
}
