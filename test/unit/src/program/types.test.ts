// Types of `mapReduce`, checked by the compiler: records, keys, values and parameters are inferred, and invalid ones refused. Running the
// tests only shows that the definitions are accepted.

import { expectTypeOf, test } from 'vitest'
import { mapReduce, type Context, type Emit } from '../../../../src/program/authoring.ts'
import { sum } from '../../../../src/program/iterables.ts'

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

test('types are optional: words are counted without any', () => {
  mapReduce({
    map(line: string, emit) { for (const word of line.split(' ')) emit(word, 1) },
    combine: (_word, counts) => sum(counts),
    async reduce(word, counts, emit) { for await (const count of counts) emit(word, count) },
  })
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
    teardown(emit, { phase }) { expectTypeOf(phase).toEqualTypeOf<'map' | 'reduce'>(); emit('end', 1) },
  })
})
