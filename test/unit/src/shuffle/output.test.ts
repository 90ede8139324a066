// Map outputs and their merge, in temporary directories, compared with an oracle on random pairs: every pair once and in order, with
// combine, spills, compression and refused values.

import type { Key } from '../../../../src/base/pair.ts'
import fs from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { MapOutput } from '../../../../src/shuffle/mapoutput.ts'
import { hashKey } from '../../../../src/shuffle/partition.ts'
import { SpareArena } from '../../../../src/shuffle/spare.ts'
import { decodeIndex, digestOf } from '../../../../src/shuffle/segment.ts'
import { encodeKey } from '../../../../src/shuffle/key.ts'
import { GrowingBuffer } from '../../../../src/shuffle/buffer.ts'
import { decodeValue } from '../../../../src/shuffle/decode.ts'
import { copyValue, encodeValue } from '../../../../src/shuffle/value.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { dice, type Dice } from '../../../kit/dice.ts'
import { fileSegment, groupsOf, oracle, plainZero, randomKey, scratch, segmentsOf, writeOutput, type Pair } from './kit.ts'

function partitionOf(key: Key, partitions: number): number {
  const sink = new GrowingBuffer()
  encodeKey(plainZero(key), sink)
  return hashKey(sink.bytes, 0, sink.length) % partitions
}

const randomValue = (random: Dice, i: number): unknown =>
  random.pick<unknown>([i, i, `v${i}`, { i }, [i, 'x'.repeat(random.below(50))], null, -i / 3])

const randomPairs = (random: Dice, count: number): Pair[] =>
  Array.from({ length: count }, (_, i): Pair => [randomKey(random), randomValue(random, i)])

describe('map outputs and their merge', () => {
  test.each([
    ['in memory', 1 << 24, 64], ['with many spills', 4096, 64], ['with spills merged in passes', 4096, 3],
  ])('every pair comes out once, keys in order and values in order of task and emission: %s', async (_, memoryBytes, fanIn) => {
    const seed = Number(process.env['SEED'] ?? 77)
    console.info(`seed ${seed}`)
    const random = dice(seed)
    const directory = await scratch()
    for (const partitions of [1, 4]) {
      const tasks = Array.from({ length: 5 }, (_, task) => randomPairs(random, task === 2 ? 0 : 300 + random.below(400)))
      const results = []
      for (const [task, pairs] of tasks.entries())
        results.push(await writeOutput(directory, pairs, { name: `m${task}.${partitions}`, partitions, memoryBytes, fanIn }))
      if (memoryBytes === 4096) expect(results.reduce((sum, { counters }) => sum + counters.spills, 0)).toBeGreaterThan(8)
      for (let p = 0; p < partitions; p++) {
        const found = await groupsOf(await segmentsOf(results, p), directory, fanIn)
        expect(found).toEqual(oracle(tasks.flat().filter(([key]) => partitionOf(key, partitions) === p)))
      }
    }
    const left = await fs.readdir(directory)
    expect(left.filter(name => !/\.(data|index)$/.test(name))).toEqual([])
  })

  test.each([['in memory', 1 << 26], ['with spills', 200_000]])('keys and values of lengths at which the varint before them grows: %s', async (_, memoryBytes) => {
    const random = dice(11)
    const directory = await scratch()
    const lengths = [0, 1, 100, 124, 125, 126, 127, 128, 129, 16_379, 16_380, 16_381, 16_382, 16_383, 16_384, 16_385]
    const letters = (most: number): string => random.pick(['a', 'b', 'é']).repeat(random.pick(lengths.filter(length => length <= most)))
    const pairs = Array.from({ length: 600 }, (): Pair => [letters(random.pick([129, 16_385])), letters(random.pick([129, 129, 16_385]))])
    const output = await MapOutput.open({ partitions: 1, disk: localDisk, directory, name: 'lengths', memoryBytes })
    for (const [key, value] of pairs) {
      output.emit(key, value)
      // A refused record leaves no trace, also if its key was written already.
      if (random.below(4) === 0) expect(() => output.emit(letters(129), Symbol('refused'))).toThrow(/symbol/)
    }
    const groups = await groupsOf([await fileSegment(await output.finish(), 0)], directory)
    expect(groups).toEqual(oracle(pairs))
  })

  test('outputs that take their memory from one place are what they are without it, whatever keys come one after the other', async () => {
    const random = dice(12)
    const directory = await scratch()
    const spare = new SpareArena()
    const makers: Array<() => Key> = [
      () => `k${random.below(900)}`, () => random.below(900), () => randomKey(random), () => `k${random.below(5)}`,
    ]
    for (const [i, key] of [...makers, ...makers].entries()) {
      const pairs = Array.from({ length: 5000 }, (): Pair => [key(), random.pick(['a', 'b'.repeat(random.below(200)), 7])])
      const partitions = 1 + random.below(3)
      const memoryBytes = random.pick([1 << 24, 90_000])
      // One that is given up, and one that is open meanwhile.
      const left = await MapOutput.open({ partitions, disk: localDisk, directory, name: `left${i}`, memoryBytes, spare })
      left.emit('left', i)
      const name = `m${i}`
      const own = await fs.readFile((await writeOutput(directory, pairs, { name, partitions, memoryBytes })).file)
      await left.discard()
      const result = await writeOutput(directory, pairs, { name, partitions, memoryBytes, spare })
      expect((await fs.readFile(result.file)).equals(own)).toBe(true)
      for (let p = 0; p < partitions; p++) {
        expect(await groupsOf([await fileSegment(result, p)], directory))
          .toEqual(oracle(pairs.filter(([each]) => partitionOf(each, partitions) === p)))
      }
    }
  })

  test('memory that one output has used is kept for others that may use as much', () => {
    const spare = new SpareArena()
    const arena = spare.take({ partitions: 1 }, 1 << 20)
    for (let i = 0; i < 1000; i++) arena.add(`k${i}`, 'x'.repeat(100))
    const used = arena.usedBytes
    spare.give(arena)
    expect(spare.take({ partitions: 2 }, used)).toBe(arena)
    expect(arena.count).toBe(0)
    spare.give(arena)
    expect(spare.take({ partitions: 1 }, used - 1)).not.toBe(arena)
    spare.give(arena)
    spare.drop()
    expect(spare.take({ partitions: 1 }, used)).not.toBe(arena)
  })

  test('combining gives the same totals whatever the memory, and one value a key in each output', async () => {
    const random = dice(5)
    const directory = await scratch()
    const pairs = Array.from({ length: 20_000 }, (): Pair => [
      random.below(3) === 0 ? [random.pick(['x', 'y']), random.below(40)] : `word${random.below(900)} with a long tail`,
      1 + random.below(9),
    ])
    const totals = oracle(pairs).map(([key, values]) => [key, [(values as number[]).reduce((a, b) => a + b, 0)]])
    for (const memoryBytes of [1 << 24, 60_000, 9_000]) {
      const seen: number[] = []
      const combine = (_: Key, values: number[]) => { seen.push(values.length); return values.reduce((a, b) => a + b, 0) }
      const result = await writeOutput(directory, pairs, { name: `c${memoryBytes}`, memoryBytes, combine: combine as never, fanIn: 4 })
      expect(await groupsOf([await fileSegment(result, 0)], directory)).toEqual(totals)
      expect(result.counters).toMatchObject({ emittedRecords: 20_000, outputRecords: totals.length })
      expect(result.counters.spills > 0).toBe(memoryBytes < 1 << 24)
      expect(Math.min(...seen)).toBeGreaterThan(1)
    }
  })

  test('combine may return an array that it changes, or even the array of values itself', async () => {
    const directory = await scratch()
    const make = () => Array.from({ length: 3000 }, (_, i): Pair => [`k${i % 7}`, [i]])
    const pairs = make()
    const result = await writeOutput(directory, pairs, {
      name: 'lists', memoryBytes: 20_000,
      combine: ((_: Key, lists: number[][]) => {
        const [first, ...rest] = lists
        for (const list of rest) first!.push(...list)
        return first
      }) as never,
    })
    const groups = await groupsOf(await segmentsOf([result], 0), directory)
    expect(groups.map(([key, [list]]) => [key, (list as number[]).toSorted((a, b) => a - b)])).toEqual(
      oracle(make()).map(([key, lists]) => [key, (lists as number[][]).flat()]),
    )
    const nested = await writeOutput(directory, make().slice(0, 300), {
      name: 'nested',
      combine: ((_: Key, values: unknown[]) => values) as never,
    })
    const flat = (await groupsOf(await segmentsOf([nested], 0), directory)).map(([, [tree]]) => (tree as unknown[]).flat(Infinity).length)
    expect(flat.reduce((a, b) => a + b, 0)).toBe(300)
  })

  test('what emit and combine are given counts at that moment, with combine and without, whatever the program does with its objects afterwards', async () => {
    const directory = await scratch()
    type Total = { n: number; parts: number[] }
    const add = (values: Iterable<Total>, into: Total = { n: 0, parts: [] }): Total => {
      for (const { n, parts } of values) {
        into.n += n
        into.parts.push(...parts)
      }
      return into
    }
    const kept: Total = { n: 0, parts: [] }
    const combines: Record<string, ((key: Key, values: Total[]) => Total) | undefined> = {
      'no combine': undefined, 'a new object': (_, values) => add(values),
      'the first value, changed': (_, values) => {
        const [first, ...rest] = values
        return add(rest, first!)
      },
      'one object for all calls': (_, values) => {
        const parts = values.flatMap(value => value.parts)
        const n = values.reduce((sum, value) => sum + value.n, 0)
        kept.parts.length = 0
        kept.parts.push(...parts)
        kept.n = n
        return kept
      },
      'values that are changed afterwards': (_, values) => {
        const sum = add(values)
        for (const value of values) {
          value.n = -1000
          value.parts.length = 0
        }
        return sum
      },
      'a key that is changed': (key, values) => {
        ;(key as unknown[]).length = 0
        return add(values)
      },
    }
    const emissions: Record<string, (emit: (key: Key, value: unknown) => void) => void> = {
      'new objects': emit => {
        for (let i = 1; i <= 700; i++) emit(['k', i % 3], { n: i, parts: [i] })
      },
      'one object, changed between': emit => {
        const total: Total = { n: 0, parts: [0] }
        for (let i = 1; i <= 700; i++) {
          total.n = i
          total.parts[0] = i
          emit(['k', i % 3], total)
        }
      },
      'objects changed after': emit => {
        const all: Total[] = []
        for (let i = 1; i <= 700; i++) {
          const one = { n: i, parts: [i] }
          all.push(one)
          emit(['k', i % 3], one)
        }
        for (const one of all) {
          one.n = 1e9
          one.parts.push(1e9)
        }
      },
      'one key, changed after': emit => {
        const key: [string, number] = ['k', 0]
        for (let i = 1; i <= 700; i++) {
          key[1] = i % 3
          emit(key, { n: i, parts: [i] })
          key[1] = 99
        }
      },
    }
    const numbers = Array.from({ length: 700 }, (_, i) => i + 1)
    const expected = [0, 1, 2].map(k => {
      const parts = numbers.filter(i => i % 3 === k)
      return [['k', k], { n: parts.reduce((a, b) => a + b, 0), parts }]
    })
    for (const [how, combine] of Object.entries(combines)) {
      for (const [what, emitAll] of Object.entries(emissions)) {
        // With much memory, values are combined in the table; with little, they are spilled and combined while runs are merged.
        for (const memoryBytes of [1 << 24, 3000]) {
          const output = await MapOutput.open({
            partitions: 1, disk: localDisk, directory, name: 'moment', memoryBytes, combine: combine as never,
          })
          emitAll((key, value) => output.emit(key, value))
          const result = await output.finish()
          const found = (await groupsOf(await segmentsOf([result], 0), directory)).map(([key, values]) => {
            const { n, parts } = add(values as Total[])
            return [key, { n, parts: parts.toSorted((a, b) => a - b) }]
          })
          expect(found, `${what}, combine: ${how}, ${memoryBytes} bytes`).toEqual(expected)
          if (memoryBytes === 3000) expect(result.counters.spills).toBeGreaterThan(3)
        }
      }
    }
  })

  test('a copy of a value is what a reducer would decode', () => {
    class Odd { readonly x = 1 }
    const values = [
      null, true, 5, -0, NaN, 'text', '\ud83d', 12n, [1, [2, { a: undefined }]], Array(2), { b: 1, __x: [null] },
      Object.assign(Object.create(null) as object, { n: 1 }),
      JSON.parse('{"__proto__": {"x": 1}, "y": [{"__proto__": 2}]}'),
      Buffer.from('abc'), Uint8Array.of(1, 2), new Date(5), new Date(NaN),
      new Map<unknown, unknown>([
        ['a', { b: 1 }], [{ k: 1 }, new Set([1, 'x'])],
      ]),
      new Set([[1]]), /(\d)(x)?/.exec('1'),
      {
        get double() {
          return 2
        },
      },
      Object.defineProperty({ a: 1 }, 'hidden', { value: 1, enumerable: false }),
      Object.assign([1], { name: 'n' }),
    ]
    for (const value of values) {
      const sink = new GrowingBuffer()
      encodeValue(value, sink)
      const decoded = decodeValue(sink.bytes, 0, sink.length)
      const copy = copyValue(value, 'emit was given')
      expect(copy).toStrictEqual(decoded)
      if (typeof value === 'object' && value !== null) expect(copy).not.toBe(value)
    }
    const itself: unknown[] = []
    itself.push(itself)
    const lossy = [
      /(?<n>\d)/.exec('1'), { m: [/(?<n>\d)/.exec('1')] }, { [Symbol('s')]: 1 }, [{ [Symbol('s')]: 1 }], new (class Row extends Array {})(),
      new (class Tags extends Set {})(), new (class Day extends Date {})(), new (class Bytes extends Uint8Array {})(2),
      Object.assign(new Map(), { name: 'm' }), Object.assign(new Date(0), { zone: 'UTC' }), Object.assign(new Set(), { [Symbol('s')]: 1 }),
      new (class {
        get x() {
          return 1
        }
      })(),
      Object.create({ inherited: 1 }),
    ]
    for (const bad of [
      ...lossy, () => 1, Symbol('s'), { f() {} }, new Odd(), [new Error('e')], /r/, Promise.resolve(1), itself, [Symbol('s')],
    ]) {
      expect(() => {
        encodeValue(bad, new GrowingBuffer())
      }).toThrow(/^emit was given/)
      expect(() => copyValue(bad, 'combine returned')).toThrow(/^combine returned/)
    }
  })

  test.each([
    [() => undefined, /returned undefined/], [async () => 1, /returned a promise/],
    [
      function* () {
        yield 1
      },
      /returned a generator/,
    ],
    [() => new RegExp('x'), /combine returned an instance of RegExp/],
  ])('a combine function that returns no value is told so', async (combine, message) => {
    const directory = await scratch()
    await expect(
      writeOutput(
        directory,
        [
          ['a', 1], ['a', 2],
        ],
        { name: 'bad', combine: combine as never },
      ),
    ).rejects.toThrow(message)
  })

  test('a bad key or value is refused by emit itself, with and without combine, and what came before stands', async () => {
    const directory = await scratch()
    for (const combine of [undefined, ((_: Key, values: number[]) => values.length) as never]) {
      const output = await MapOutput.open({
        partitions: 3, disk: localDisk, directory, name: `e${combine ? 1 : 0}`, memoryBytes: 1 << 20, combine,
      })
      output.emit('good', 1)
      expect(() => output.emit(undefined as unknown as Key, 1)).toThrow(/use null/i)
      expect(() => output.emit('\udc00', 1)).toThrow(/toWellFormed/)
      expect(() => output.emit(/(?<n>\d)/.exec('1') as never, 1)).toThrow(/as a key.*\[\.\.\.match\]/)
      expect(() => output.emit('good', undefined)).toThrow(/undefined/)
      expect(() => output.emit('other', undefined)).toThrow(/undefined/)
      expect(() => output.emit('other', { key: [1, () => 2] })).toThrow(/function/)
      output.emit('after', 2)
      const result = await output.finish()
      expect(result.counters.outputRecords).toBe(2)
      const found = (await Promise.all([0, 1, 2].map(async p => groupsOf(await segmentsOf([result], p), directory)))).flat()
      expect(found.sort(([a], [b]) => (a! < b! ? -1 : 1))).toEqual([['after', [2]], ['good', [1]]])
    }
  })

  test('a key array that the caller changes afterwards does not change the key', async () => {
    const directory = await scratch()
    const key = ['a', 1]
    const output = await MapOutput.open({
      partitions: 1, disk: localDisk, directory, name: 'k', memoryBytes: 1 << 20,
      combine: ((_: Key, v: number[]) => v.length) as never,
    })
    output.emit(key, 1)
    key[1] = 2
    output.emit(key, 1)
    expect((await groupsOf(await segmentsOf([await output.finish()], 0), directory)).map(([k]) => k)).toEqual([['a', 1], ['a', 2]])
  })

  test('a partition function decides, over a thousand partitions as well, and empty ones are empty', async () => {
    const directory = await scratch()
    const result = await writeOutput(
      directory,
      Array.from({ length: 500 }, (_, i): Pair => [i, 'v']),
      { name: 'p', partitions: 1000, partitioner: ((key: number, n: number) => (key * 7) % n) as never },
    )
    expect(result.partitions).toHaveLength(1000)
    for (const p of [0, 1, 7, 999]) {
      const expected = Array.from({ length: 500 }, (_, i) => i).filter(i => (i * 7) % 1000 === p).map(i => [i, ['v']])
      expect(await groupsOf(await segmentsOf([result], p), directory)).toEqual(expected)
    }
    await expect(writeOutput(directory, [['a', 1]], { name: 'q', partitions: 2, partitioner: (() => 2) as never })).rejects.toThrow(
      /must return an integer from 0 to 1/,
    )
  })

  test('nothing emitted leaves a valid output, with an index that can be read back', async () => {
    const directory = await scratch()
    const result = await writeOutput(directory, [], { name: 'none', partitions: 3 })
    expect(result.partitions.map(({ bytes, records, crc }) => [bytes, records, crc])).toEqual([[0, 0, 0], [0, 0, 0], [0, 0, 0]])
    expect(decodeIndex(await fs.readFile(result.indexFile), 'index')).toEqual(result.partitions)
    expect(await groupsOf(await segmentsOf([result], 1), directory)).toEqual([])
  })

  test('values larger than a frame, keys too, and groups over many frames come through', async () => {
    const directory = await scratch()
    const large = 'x'.repeat(700_000)
    const pairs: Pair[] = [
      ['b', large], ['b', 1], [large, 'key'],
      ...Array.from({ length: 60_000 }, (_, i): Pair => ['many', i]),
      ['b', Buffer.alloc(400_000, 7)],
    ]
    for (const [name, memoryBytes, compress] of [['l1', 1 << 24, false], ['l2', 300_000, true]] as const) {
      const result = await writeOutput(directory, pairs, { name, memoryBytes, compress })
      expect(await groupsOf([await fileSegment(result, 0)], directory)).toEqual(oracle(pairs))
    }
  })

  test('compression is used where it pays and left alone where it does not', async () => {
    const directory = await scratch()
    const random = dice(2)
    const text = Array.from({ length: 20_000 }, (_, i): Pair => [`the same beginning ${i}`, 'and the same value'])
    const noise = Array.from({ length: 3000 }, (_, i): Pair => [i, Buffer.from(Array.from({ length: 100 }, () => random.below(256)))])
    const size = async (pairs: Pair[], compress: boolean) => (await writeOutput(directory, pairs, { name: 'z', compress })).bytes
    expect(await size(text, true) * 3).toBeLessThan(await size(text, false))
    expect(await size(noise, true)).toBe(await size(noise, false))
    const result = await writeOutput(directory, text, { name: 'zz', compress: true })
    expect(await groupsOf(await segmentsOf([result], 0), directory)).toEqual(oracle(text))
  })

  test('the same emissions give the same bytes, and the digest tells other ones apart', async () => {
    const directory = await scratch()
    const pairs = randomPairs(dice(9), 2000)
    const [a, b] = [
      await writeOutput(directory, pairs, { name: 'a', memoryBytes: 20_000 }),
      await writeOutput(directory, pairs, { name: 'b', memoryBytes: 1 << 24 }),
    ]
    expect((await fs.readFile(a.file)).equals(await fs.readFile(b.file))).toBe(true)
    expect(digestOf(a.partitions)).toBe(digestOf(b.partitions))
    const c = await writeOutput(directory, [...pairs.slice(1), ['other', 1]], { name: 'c' })
    expect(digestOf(c.partitions)).not.toBe(digestOf(a.partitions))
  })

  test('discard leaves no file, before or after the end', async () => {
    const directory = await scratch()
    const output = await MapOutput.open({ partitions: 1, disk: localDisk, directory, name: 'd', memoryBytes: 1000 })
    for (let i = 0; i < 200; i++) output.emit(i, 'value')
    await output.discard()
    expect(await fs.readdir(directory)).toEqual([])
    const done = await MapOutput.open({ partitions: 1, disk: localDisk, directory, name: 'd', memoryBytes: 1000 })
    done.emit('a', 1)
    await done.finish()
    await done.discard()
    expect(await fs.readdir(directory)).toEqual([])
  })
})
