// Types of `mapReduce` and of Datasets, checked by the compiler: records, keys, values and parameters are inferred, and invalid ones
// refused. Running the tests only shows that the definitions are accepted.

import { expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import {
  mapReduce, program, type Check, type Context, type Dataset, type Emit, type Key, type OutputContents, type StandardSchema,
} from '../../../../src/program/authoring.ts'
import { count, sum } from '../../../../src/program/iterables.ts'

test('the record has the type that the input\'s format gives', () => {
  mapReduce({ map(record) { expectTypeOf(record).toEqualTypeOf<string>() } })
  mapReduce({ input: { format: 'lines' }, map(record) { expectTypeOf(record).toEqualTypeOf<string>() } })
  mapReduce({ input: { format: 'csv' }, map(record) { expectTypeOf(record).toEqualTypeOf<Record<string, string>>() } })
  mapReduce({ input: { format: 'csv', header: false }, map(record) { expectTypeOf(record).toEqualTypeOf<string[]>() } })
  mapReduce({ input: { format: 'jsonl' }, map(record: { id: number }) { expectTypeOf(record.id).toEqualTypeOf<number>() } })
  mapReduce({ input: { format: 'whole' }, map(record) { expectTypeOf(record).toEqualTypeOf<{ path: string; text: string }>() } })
  mapReduce({
    input: { format: 'whole', bytes: true },
    map(record) {
      expectTypeOf(record).toEqualTypeOf<{ path: string; bytes: Uint8Array }>()
    },
  })
})

test('keys and values flow from an emit that says them to combine and reduce', () => {
  mapReduce({
    map(line: string, emit: Emit<string, number>) { emit(line, 1) },
    combine(key, values) { expectTypeOf(key).toEqualTypeOf<string>(); return sum(values) },
    reduce(key, values) { expectTypeOf(key).toEqualTypeOf<string>(); expectTypeOf(values).toEqualTypeOf<Iterable<number>>() },
  })
})

test('parameters have the types of their defaults', () => {
  mapReduce({
    params: { depth: 3, name: 'x' },
    map(_line, _emit, context) {
      expectTypeOf(context).toEqualTypeOf<Context<{ depth: number; name: string }>>()
    },
  })
})

test('keys and values that no emit and no generator types are unknown, not any', () => {
  mapReduce({
    map(line: string, emit) { for (const word of line.split(' ')) emit(word, 1) },
    reduce(key, values, emit) {
      expectTypeOf(key).toEqualTypeOf<Key>()
      expectTypeOf(values).toEqualTypeOf<Iterable<unknown>>()
      emit(key, count(values))
    },
  })
  mapReduce({
    map(line: string, emit) { emit(line, 1) },
    // @ts-expect-error the values are unknown: the emit of map must say that they are numbers
    reduce(key, values, emit) { emit(key, sum(values)) },
  })
  mapReduce({
    map(_line, _emit, context) { expectTypeOf(context.params['depth']).toEqualTypeOf<unknown>() },
  })
})

test('JSON lines are unknown until the program or a schema says what they are', () => {
  mapReduce({ input: { format: 'jsonl' }, map(record) { expectTypeOf(record).toEqualTypeOf<unknown>() } })
  const user = z.object({ id: z.string(), age: z.coerce.number() })
  mapReduce({
    input: { format: 'jsonl', schema: user },
    *map(record) {
      expectTypeOf(record).toEqualTypeOf<{ id: string; age: number }>()
      yield [record.id, record.age]
    },
    reduce(key, ages) {
      expectTypeOf(key).toEqualTypeOf<string>()
      expectTypeOf(ages).toEqualTypeOf<Iterable<number>>()
    },
  })
  const day: StandardSchema<Date> = { '~standard': { version: 1, vendor: 'own', validate: value => ({ value: new Date(String(value)) }) } }
  mapReduce({ input: { schema: day }, map(record) { expectTypeOf(record).toEqualTypeOf<Date>() } })
  // @ts-expect-error no schema
  expect(() => mapReduce({ input: { schema: { validate: true } }, map() {} })).toThrow(/schema of mapReduce's input is .* ~standard/)
})

test('generators and returned pairs say what combine and reduce get', () => {
  mapReduce({
    *map(line) {
      for (const word of line.split(' ')) yield [word, 1]
    },
    combine(key, counts) {
      expectTypeOf(key).toEqualTypeOf<string>()
      expectTypeOf(counts).toEqualTypeOf<Iterable<number>>()
      return sum(counts)
    },
    *reduce(key, counts) {
      expectTypeOf(key).toEqualTypeOf<string>()
      expectTypeOf(counts).toEqualTypeOf<Iterable<number>>()
      yield [key, sum(counts)]
    },
  })
  mapReduce({
    async *map(line) {
      yield [line.length, { line }]
    },
    async *reduce(key, values) {
      expectTypeOf(key).toEqualTypeOf<number>()
      expectTypeOf(values).toEqualTypeOf<Iterable<{ line: string }>>()
      yield [key, 1]
    },
  })
  mapReduce({
    map: line => line.split(' ').map(word => [word, 1] as const),
    reduce(key, values) { expectTypeOf(key).toEqualTypeOf<string>(); expectTypeOf(values).toEqualTypeOf<Iterable<1>>() },
  })
  mapReduce({ map: (line: string, emit) => line.split(' ').map(word => emit(word, 1)) })
  mapReduce({ map: (line: string, emit) => Promise.all(line.split(' ').map(async word => emit(word, 1))) })
  mapReduce({ map: (line: string, emit) => line && emit(line, 1) })
  mapReduce({ input: { format: 'csv' }, *map(row) { expectTypeOf(row).toEqualTypeOf<Record<string, string>>(); yield [row['a']!, row] } })
})

test('invalid return types of map and reduce are refused by the compiler', () => {
  // @ts-expect-error a text is no pair
  mapReduce({ map: (line: string) => line })
  // @ts-expect-error an item is no pair
  mapReduce({ *map(line: string) { yield line } })
  // @ts-expect-error a promise of a number
  mapReduce({ map: async () => 5 })
})

test('setup and teardown have the context, and teardown may emit', () => {
  mapReduce({
    params: { depth: 3 },
    setup(context) { expectTypeOf(context.params.depth).toEqualTypeOf<number>() },
    map(line: string, emit) { emit(line, 1) },
    teardown(emit, { phase }) { expectTypeOf(phase).toEqualTypeOf<'map' | 'reduce' | 'check'>(); emit('end', 1) },
  })
})

test('functions that return promises are refused where none is called; helpers with types of their own are not', () => {
  program(async mill => {
    const numbers = mill.range(3)
    // @ts-expect-error mapAsync is for those
    numbers.map(async n => n)
    // @ts-expect-error or only sometimes
    numbers.map(n => (n > 1 ? Promise.resolve(n) : n))
    // @ts-expect-error a promise would count as true
    numbers.filter(async n => n > 1)
    // @ts-expect-error an effect that the task does not wait for
    numbers.peek(async n => { await Promise.resolve(n) })
    // @ts-expect-error groups as well
    numbers.groupBy(n => n).map(async key => key)
    expectTypeOf(numbers.mapAsync(async n => String(n))).toEqualTypeOf<Dataset<string>>()
    expectTypeOf(numbers.map(n => [n, 'a'] as const)).toEqualTypeOf<Dataset<readonly [number, 'a']>>()
    expectTypeOf(numbers.map(() => 'a')).toEqualTypeOf<Dataset<string>>()
    expectTypeOf(numbers.map(n => (n > 1 ? n : null))).toEqualTypeOf<Dataset<number | null>>()
    expectTypeOf(numbers.map((n): unknown => n)).toEqualTypeOf<Dataset<unknown>>()
    expectTypeOf(numbers.map(() => {})).toEqualTypeOf<Dataset<void>>()
    expectTypeOf(numbers.map(n => ({ n })).filter(({ n }) => n)).toEqualTypeOf<Dataset<{ n: number }>>()
    expectTypeOf(numbers.peek(n => void n)).toEqualTypeOf<Dataset<number>>()
    const pairs = <T>(rows: Dataset<T>) => rows.filter(row => row !== undefined).map(row => [row, 1] as const)
    const latest = <T extends { id: string }>(rows: Dataset<T>) => rows.keyBy(row => row.id).map(([, row]) => row)
    expectTypeOf(pairs(numbers)).toEqualTypeOf<Dataset<readonly [number, 1]>>()
    expectTypeOf(latest(numbers.map(n => ({ id: String(n), n })))).toEqualTypeOf<Dataset<{ id: string; n: number }>>()
  })
})

test('a check gets rows that it has to look at, or that a schema types, and returns nothing or a reason', () => {
  const schema = z.object({ town: z.string() })
  const check: Check = async output => {
    expectTypeOf(output.previous).toEqualTypeOf<OutputContents | undefined>()
    for await (const row of output.rows()) expectTypeOf(row).toEqualTypeOf<unknown>()
    for await (const row of output.rows(schema)) expectTypeOf(row).toEqualTypeOf<{ town: string }>()
    for await (const line of output.lines()) expectTypeOf(line).toEqualTypeOf<string>()
    return await output.count() === 0 ? 'empty' : undefined
  }
  mapReduce({ params: { least: 1 }, map() {}, check: (_, { params }) => { expectTypeOf(params.least).toEqualTypeOf<number>() } })
  // @ts-expect-error a boolean is no verdict
  mapReduce({ map() {}, check: () => true })
  program(async mill => {
    await mill.range(1).save('/o', { check })
    // @ts-expect-error a boolean is no verdict
    await mill.range(1).save('/o', { check: () => false })
  })
})

test('the types of a Dataset flow through its steps', () => {
  program(async (mill, { input, least }: { input: string; least: number }) => {
    expectTypeOf(least).toEqualTypeOf<number>()
    const lines = mill.text(input)
    expectTypeOf(lines).toEqualTypeOf<Dataset<string>>()
    expectTypeOf(mill.csv(input)).toEqualTypeOf<Dataset<Record<string, string>>>()
    expectTypeOf(mill.csv(input, { header: false })).toEqualTypeOf<Dataset<string[]>>()
    expectTypeOf(mill.jsonl(input)).toEqualTypeOf<Dataset<unknown>>()
    expectTypeOf(mill.avro(input)).toEqualTypeOf<Dataset<unknown>>()
    expectTypeOf(mill.avro(input, { schema: z.object({ id: z.number() }) })).toEqualTypeOf<Dataset<{ id: number }>>()
    expectTypeOf(mill.jsonl(input, { schema: z.object({ id: z.number() }) })).toEqualTypeOf<Dataset<{ id: number }>>()
    expectTypeOf(mill.files(input, { bytes: true })).toEqualTypeOf<Dataset<{ path: string; bytes: Uint8Array }>>()
    const words = lines.flatMap(line => line.split(' ')).filter(word => word.length > least)
    expectTypeOf(words).toEqualTypeOf<Dataset<string>>()
    expectTypeOf(words.countBy(word => word)).toEqualTypeOf<Dataset<[string, number]>>()
    expectTypeOf(words.mapAsync(async word => word.length)).toEqualTypeOf<Dataset<number>>()
    expectTypeOf(words.groupBy(word => word.length).map((key, values) => {
      expectTypeOf(key).toEqualTypeOf<number>()
      expectTypeOf(values).toEqualTypeOf<Iterable<string>>()
      return { key }
    })).toEqualTypeOf<Dataset<{ key: number }>>()
    const pairs = words.map(word => [word, word.length] as const)
    expectTypeOf(pairs.reduceByKey((a, b) => a + b)).toEqualTypeOf<Dataset<[string, number]>>()
    expectTypeOf(words.leftJoin(mill.range(3), word => word.length, n => n)).toEqualTypeOf<Dataset<[string, number | null]>>()
    expectTypeOf(words.filter((word): word is 'a' => word === 'a')).toEqualTypeOf<Dataset<'a'>>()
    // @ts-expect-error: the keys of both sides have one type.
    words.join(mill.range(3), word => word, n => n)
    // @ts-expect-error: a key is a text, a number, a boolean, null or an array of these.
    words.groupBy(word => ({ word }))
    // @ts-expect-error: only pairs have keys.
    words.reduceByKey((a: number, b: number) => a + b)
    // @ts-expect-error: objects are made distinct by a key.
    words.map(word => ({ word })).distinct()
    // @ts-expect-error: an order is ascending or descending.
    words.sortBy(word => word, 'up')
    await words.save('/out', { format: 'jsonl' })
  })
})

test('actions return promises of the values\' types', () => {
  expect(program(async mill => {
    const words = mill.text('/in')
    const pairs = words.countBy(word => word)
    expectTypeOf(await pairs.collect()).toEqualTypeOf<Array<[string, number]>>()
    expectTypeOf(await words.take(3)).toEqualTypeOf<string[]>()
    expectTypeOf(await words.first()).toEqualTypeOf<string | undefined>()
    expectTypeOf(await words.count()).toEqualTypeOf<number>()
    expectTypeOf(await words.reduce((a, b) => a + b)).toEqualTypeOf<string | undefined>()
    expectTypeOf(await words.reduce((a, b) => a + b, '')).toEqualTypeOf<string>()
    const visited = words.forEachPartition(async values => { for await (const word of values) expectTypeOf(word).toEqualTypeOf<string>() })
    expectTypeOf(await visited).toEqualTypeOf<void>()
    // @ts-expect-error the values are texts
    await words.reduce((a, b) => a + b, 0)
    expectTypeOf(mill.now).toEqualTypeOf<number>()
    expectTypeOf(mill.random()).toEqualTypeOf<number>()
    expectTypeOf(mill.broadcast(new Map([['a', 1]]))).toEqualTypeOf<Promise<Map<string, number>>>()
    expectTypeOf(mill.broadcast(async () => ({ n: 1 }))).toEqualTypeOf<Promise<{ n: number }>>()
    expectTypeOf(mill.broadcast(() => 'x')).toEqualTypeOf<Promise<string>>()
  }).kind).toBe('dataflow')
})
