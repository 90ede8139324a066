// Map and reduce operators over an in-memory sink: calls in order, synchronous or not, return values, errors with their key or record, and
// late emits refused.

import type { Emit, Key } from '../../../../src/base/pair.ts'
import { expect, test } from 'vitest'
import { limits } from '../../../../src/base/limits.ts'
import { recordPipeline } from '../../../../src/operator/build.ts'
import { drive } from '../../../../src/operator/drive.ts'
import { mapStep, type MapFunction } from '../../../../src/operator/map.ts'
import { GroupBatches, GroupsOperator, inBatches } from '../../../../src/operator/groupsoperator.ts'
import { RecordsOperator } from '../../../../src/operator/recordsoperator.ts'
import { FunctionFailed } from '../../../../src/operator/operator.ts'
import { reduceStep, type ReduceFunction } from '../../../../src/operator/reduce.ts'
import { encodeStep } from '../../../../src/operator/result.ts'
import { Turns } from '../../../../src/operator/turn.ts'
import type { PlanNode } from '../../../../src/plan/node.ts'
import { newReadCounters } from '../../../../src/record/records.ts'
import { valueOfLine } from '../../../../src/shuffle/lines.ts'
import { batchOf, groupOf, MemorySink } from './kit.ts'

const never = () => undefined

const mapOperator = (map: MapFunction, turns: Turns, context: unknown) =>
  new RecordsOperator(mapStep(map, turns, context), () => turns.end())
const reduceOperator = (reduce: ReduceFunction, turns: Turns, context: unknown) =>
  new GroupsOperator(reduceStep(reduce, turns, context), { onGroup: () => turns.end(), step: 'reduce' })

test('map is called for each record in order, and nothing waits while it does not', () => {
  const sink = new MemorySink()
  const context = { a: 'context' }
  const operator = mapOperator((record, emit, given) => {
    expect(given).toBe(context)
    emit(record as string, 1)
    emit(record as string, 2)
  }, new Turns(sink.emit), context)
  expect(operator.push(batchOf(['a', 'b']))).toBe(undefined)
  expect(sink.got).toEqual([['a', 1], ['a', 2], ['b', 1], ['b', 2]])
})

test('an asynchronous map takes one record after the other, whichever of them wait', async () => {
  const sink = new MemorySink()
  let running = 0
  const map = (record: unknown, emit: Emit): unknown => {
    expect(running).toBe(0)
    if ((record as number) % 3 === 0) return emit(record as Key, 'at once')
    running++
    return (async () => { for (let i = 0; i < 5; i++) await null; emit(record as Key, 'later'); running-- })()
  }
  await drive([batchOf([0, 1, 2, 3]), batchOf([4, 6])], mapOperator(map, new Turns(sink.emit), undefined), sink, never)
  expect(sink.got).toEqual([[0, 'at once'], [1, 'later'], [2, 'later'], [3, 'at once'], [4, 'later'], [6, 'at once']])
})

test.each([
  ['throws', (record: unknown) => { if (record === 'bad') throw new RangeError('no') }],
  ['rejects', async (record: unknown) => { await null; if (record === 'bad') throw new RangeError('no') }],
  ['rejects after others did not wait', (record: unknown) => (record === 'bad' ? Promise.reject(new RangeError('no')) : undefined)],
])('a map that %s is reported with the file and offset of its record', async (_, map) => {
  const sink = new MemorySink()
  const failure = await drive(
    [batchOf(['a']), batchOf(['b', 'c', 'bad', 'd'], '/second')],
    mapOperator(map, new Turns(sink.emit), undefined),
    sink, never,
  ).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(FunctionFailed)
  expect(failure).toMatchObject({ place: { path: '/second', offset: 20 }, cause: { message: 'no' } })
})

test('a reduce that fails is reported with its key, cut where it is long', async () => {
  const sink = new MemorySink()
  const failing = (fail: () => unknown, key: Key) =>
    drive([groupOf(key, [1])], reduceOperator(fail, new Turns(sink.emit), undefined), sink, never).catch((error: unknown) => error)
  expect(
    await failing(() => {
      throw new Error('no')
    }, ['a', 1]),
  ).toMatchObject({ key: '["a",1]', place: undefined, cause: { message: 'no' } })
  expect(await failing(async () => { throw new Error('no') }, 'x'.repeat(1000))).toMatchObject({ key: expect.stringMatching(/^"x{199}…$/) })
})

test('a group ends when its reduce is done: at its return, and at the end of its promise', async () => {
  const sink = new MemorySink()
  const seen: string[] = []
  const groups = ['now', 'later'].map(key => ({ ...groupOf(key, []), end: () => { seen.push(`${key} ended`) } }))
  const reduce = (key: Key): Promise<void> | undefined => {
    if (key === 'later') return Promise.resolve().then(() => { seen.push('later settled') })
    seen.push('now returned')
    return undefined
  }
  await drive(groups, reduceOperator(reduce, new Turns(sink.emit), undefined), sink, never)
  expect(seen).toEqual(['now returned', 'now ended', 'later settled', 'later ended'])
})

test('reduce gets keys, values and context, and what it emits goes on in order', async () => {
  const sink = new MemorySink()
  const reduce = (key: Key, values: Iterable<unknown>, emit: Emit, context: unknown) => {
    for (const value of values) emit(key, [value, context])
  }
  await drive(
    [
      groupOf('a', [1, 2]), groupOf('b', []), groupOf('c', [3]),
    ],
    reduceOperator(reduce, new Turns(sink.emit), 'c'),
    sink, never,
  )
  expect(sink.got).toEqual([['a', [1, 'c']], ['a', [2, 'c']], ['c', [3, 'c']]])
})

test('the sink settles after every batch and the process gets its pauses', async () => {
  const sink = new MemorySink()
  let pauses = 0
  await drive(
    [batchOf([1]), batchOf([2, 3])],
    mapOperator((record, emit) => emit(record as Key, 0), new Turns(sink.emit), undefined),
    sink, () => undefined,
  )
  expect(sink.events).toEqual(['settle 1', 'settle 3'])
  const groups = Array.from({ length: 100 }, (_, key) => groupOf(key, []))
  const operator = reduceOperator(() => {}, new Turns(sink.emit), undefined)
  await drive(inBatches(groups), new GroupBatches(operator, sink), sink, () => { pauses++; return Promise.resolve() })
  expect(pauses).toBe(4)
})

test('a batch of groups ends where a function is waited for, where the sink has to settle, and with the groups, which it closes', async () => {
  const sink = new MemorySink()
  let [pushed, closed] = [0, 0]
  const seen: number[] = []
  function* groups() {
    try { for (let key = 0; key < 40; key++) yield groupOf(key, []) } finally { closed++ }
  }
  const reduce = (key: Key): Promise<void> | undefined => {
    pushed++
    sink.isUnsettled = key === 5
    return key === 2 ? Promise.resolve() : undefined
  }
  await drive(inBatches(groups()), new GroupBatches(reduceOperator(reduce, new Turns(sink.emit), undefined), sink), sink, () => {
    seen.push(pushed)
    return undefined
  })
  expect([seen, closed]).toEqual([[3, 6, 38, 40], 1])
})

test('a source is closed when a function fails', async () => {
  let closed = false
  async function* source() { try { yield batchOf([1]); yield batchOf([2]) } finally { closed = true } }
  const sink = new MemorySink()
  await expect(
    drive(
      source(),
      mapOperator(
        () => {
          throw new Error('no')
        },
        new Turns(sink.emit), undefined,
      ),
      sink, never,
    ),
  ).rejects.toThrow(FunctionFailed)
  expect(closed).toBe(true)
})

/** Runs a map over one batch and a reduce over groups of the same records; return values follow the same rules in both. */
async function both(work: (record: string, emit: Emit) => unknown, records: readonly string[]): Promise<Array<[Key, unknown][]>> {
  const [mapped, reduced] = [new MemorySink(), new MemorySink()]
  await drive(
    [batchOf(records)],
    mapOperator((record, emit) => work(record as string, emit), new Turns(mapped.emit), undefined),
    mapped, never,
  )
  await drive(
    records.map(key => groupOf(key, [])),
    reduceOperator((key, _values, emit) => work(key as string, emit), new Turns(reduced.emit), undefined),
    reduced, never,
  )
  return [mapped.got, reduced.got]
}

const words = (line: string) => line.split(' ')

test.each<[string, (line: string, emit: Emit) => unknown]>([
  [
    'emits',
    (line, emit) => {
      for (const word of words(line)) emit(word, 1)
    },
  ],
  ['returns pairs', line => words(line).map(word => [word, 1])],
  [
    'returns a promise of pairs',
    async line => {
      await null
      return words(line).map(word => [word, 1])
    },
  ],
  [
    'is a generator',
    function* (line) {
      for (const word of words(line)) yield [word, 1]
    },
  ],
  [
    'is an asynchronous generator',
    async function* (line) {
      for (const word of words(line)) {
        await null
        yield [word, 1]
      }
    },
  ],
  ['returns the entries of a Map', line => [...new Map(words(line).map(word => [word, 1]))]],
  ['emits from an expression', (line, emit) => words(line).map(word => emit(word, 1))],
  [
    'emits on a condition, which is returned where it is false',
    (line, emit) => words(line).map(word => [null, false, '', 0, undefined].map(no => no && emit(word, 0)) && emit(word, 1)),
  ],
  [
    'waits for all at once',
    (line, emit) =>
      Promise.all(
        words(line).map(async word => {
          await null
          emit(word, 1)
        }),
      ),
  ],
  [
    'emits and yields',
    function* (line, emit) {
      for (const [i, word] of words(line).entries()) {
        if (i % 2 === 0) emit(word, 1)
        else yield [word, 1]
      }
    },
  ],
  [
    'is a generator for some records only',
    (line, emit) =>
      line.startsWith('a')
        ? (function* () {
            for (const word of words(line)) yield [word, 1]
          })()
        : words(line).forEach(word => emit(word, 1)),
  ],
])('a function that %s hands on the same records', async (_, work) => {
  const expected = ['a', 'b', 'f', 'c', 'd', 'e'].map(word => [word, 1])
  expect(await both(work, ['a b f', 'c', 'd e'])).toEqual([expected, expected])
})

test.each<[string, (pairs: readonly [Key, unknown][], emit: Emit) => unknown]>([
  ['emitted', (pairs, emit) => { for (const [key, value] of pairs) emit(key, value) }],
  ['returned', pairs => pairs],
  ['yielded', function* (pairs) { yield* pairs }],
  ['promised', async pairs => pairs],
  ['yielded asynchronously', async function* (pairs) { yield* pairs }],
])('pairs of false keys and values that are %s arrive', async (_, work) => {
  const empty = [0, -0, '', false, null, 0n, NaN]
  const pairs = empty.filter(key => !Number.isNaN(key)).flatMap(key => empty.map((value): [Key, unknown] => [key as Key, value]))
  for (const list of [pairs, ...pairs.map(pair => [pair])])
    for (const got of await both((_record, emit) => work(list, emit), ['x'])) expect(got).toEqual(list)
})

test('a returned array of two false items is a list of two that were skipped, and no pair', async () => {
  const skipping = (line: string): unknown => line.split(' ').map(word => word && [word, 1])
  expect(await both(skipping, [' ', 'a b'])).toEqual([[['a', 1], ['b', 1]], [['a', 1], ['b', 1]]])
  expect(await both(() => [0, 0], ['x'])).toEqual([[], []])
})

test.each<[string, () => unknown, RegExp]>([
  ['a text', () => 'abc', /returned "abc"; it must return nothing, pairs/],
  ['a number', () => 5, /returned 5/],
  ['a promise of a text', async () => 'abc', /returned "abc"/],
  ['an object', () => ({ a: 1 }), /returned \{"a":1\}/],
  ['one pair', () => ['word', 1], /returned \["word",1\]; to emit one pair, return \[\[key, value\]\]/],
  ['words', () => ['a', 'b', 'c'], /item 1 that \w+ returned or yielded is "a"; it must be a pair/],
  ['promises', () => [Promise.resolve()], /returned promises without waiting for them; return Promise\.all/],
  ['a Map', () => new Map([['a', 1]]), /returned a Map; to emit its entries return \[\.\.\.map\]/],
  ['a triple', () => [['a', 1, 2]], /must be a pair/],
  ['a generator of words', function* () { yield ['a', 1]; yield 'b' }, /item 2 .* is "b"/],
  ['an asynchronous generator of words', async function* () { yield 'b' }, /item 1 .* is "b"/],
  ['a function', () => () => 1, /returned a function/],
  ['bytes', () => Buffer.from('ab'), /item 1 .* is 97/],
])('a function that returns %s is refused with the first call, with the place of its record', async (_, work, message) => {
  const sink = new MemorySink()
  let calls = 0
  const counted = () => { calls++; return work() }
  const mapped = await drive([batchOf(['x', 'y'])], mapOperator(counted, new Turns(sink.emit), undefined), sink, never).catch(
    (error: unknown) => error,
  )
  expect(mapped).toMatchObject({
    name: 'FunctionFailed', place: { offset: 0 },
    cause: { code: 'EINVAL', message: expect.stringMatching(message) },
  })
  const reduced = await drive(
    [groupOf('k', []), groupOf('l', [])],
    reduceOperator(counted, new Turns(sink.emit), undefined),
    sink, never,
  ).catch((error: unknown) => error)
  expect(reduced).toMatchObject({ name: 'FunctionFailed', key: '"k"', cause: { code: 'EINVAL', message: expect.stringMatching(message) } })
  expect(calls).toBe(2)
})

test('an error between two yielded pairs fails the task, and the generator is closed', async () => {
  const sink = new MemorySink()
  let closed = false
  const map = function* () { try { yield ['a', 1]; yield ['bad', () => 1] } finally { closed = true } }
  const refusing: Emit = (key, value) => { if (typeof value === 'function') throw new TypeError('no function'); sink.emit(key, value) }
  await expect(drive([batchOf(['x'])], mapOperator(map, new Turns(refusing), undefined), sink, never)).rejects.toMatchObject({
    cause: { message: 'no function' },
  })
  expect([sink.got, closed]).toEqual([[['a', 1]], true])
})

test.each<[string, (record: unknown, emit: Emit) => unknown]>([
  [
    'at once',
    (record, emit) => {
      if (record === 1)
        void null_()
          .then(() => emit('late', 1))
          .catch(() => {})
    },
  ],
  [
    'after a promise',
    async (record, emit) => {
      if (record === 1)
        void ticks(50)
          .then(() => emit('late', 1))
          .catch(() => {})
      await null
    },
  ],
  [
    'after a promise of pairs',
    (record, emit) => {
      if (record === 1)
        void ticks(50)
          .then(() => emit('late', 1))
          .catch(() => {})
      return (async function* () {
        yield [record, 'ok']
      })()
    },
  ],
])('an emit that comes after its function has returned %s throws, and is remembered even if the program catches it', async (_, map) => {
  const sink = new MemorySink()
  const turns = new Turns(sink.emit)
  await drive([batchOf([1]), batchOf([2, 3])], mapOperator(map, turns, undefined), sink, () => ticks(100))
  expect(turns.late).toMatchObject({
    code: 'EINVAL',
    message: expect.stringContaining('emit was called after map had returned; await what map starts'),
    stack: expect.stringContaining('operators.test.ts'),
  })
  expect(sink.got.some(([key]) => key === 'late')).toBe(false)
})

/** Return values of the records of an `emit` that waits, each of another form; the others return nothing, or the common value. */
const waiting: Readonly<Record<string, (wait: () => Promise<void>) => unknown>> = {
  'a promise': wait => wait(),
  'a promise of pairs': wait => wait().then(() => []),
  'an asynchronous generator': async function* (wait) {
    await wait()
    yield null
  },
  'its own thenable': wait => ({
    // oxlint-disable-next-line no-thenable
    then: (done: (nothing: undefined) => void) => {
      void wait().then(() => done(undefined))
    },
  }),
}
const others: Readonly<Record<string, () => unknown>> = { nothing: () => undefined, 'a promise': async () => {}, 'empty pairs': () => [] }

test.each(Object.keys(waiting).flatMap(how => Object.keys(others).map(rest => [how, rest] as const)))(
  'an emit of an earlier record that comes while a later one waits with %s is too late, wherever both stand, when others return %s',
  async (how, rest) => {
    const batches = [
      [0, 1, 2], [3, 4],
    ]
    const count = 5
    for (let from = 0; from < count; from++) {
      for (let until = from + 1; until < count; until++) {
        for (const kind of ['map', 'reduce'] as const) {
          const sink = new MemorySink()
          const turns = new Turns(sink.emit)
          let kept: Emit = () => {}
          const work = (record: number, emit: Emit): unknown => {
            emit(record, 'own')
            if (record === from) kept = emit
            if (record !== until) return others[rest]!()
            return waiting[how]!(async () => {
              await null
              expect(() => kept('late', 1)).toThrow(`emit was called after ${kind} had returned`)
              emit(record, 'waited')
            })
          }
          if (kind === 'map')
            await drive(
              batches.map(batch => batchOf(batch)),
              mapOperator((record, emit) => work(record as number, emit), turns, undefined),
              sink, never,
            )
          else
            await drive(
              batches.flat().map(key => groupOf(key, [])),
              reduceOperator((key, _values, emit) => work(key as number, emit), turns, undefined),
              sink, never,
            )
          expect(turns.late).toMatchObject({ code: 'EINVAL', stack: expect.stringContaining('operators.test.ts') })
          expect(sink.got).toEqual(batches.flat().flatMap(record => [[record, 'own'], ...(record === until ? [[record, 'waited']] : [])]))
        }
      }
    }
  },
)

test('an emit that was kept is too late in the call for the next record, and in teardown', () => {
  const sink = new MemorySink()
  const turns = new Turns(sink.emit)
  let kept: Emit | undefined
  const operator = mapOperator((_record, emit) => { (kept ??= emit)('k', 1) }, turns, undefined)
  expect(() => operator.push(batchOf(['a', 'b']))).toThrow(FunctionFailed)
  turns.begin('teardown')
  expect(() => kept!('k', 1)).toThrow('emit was called after map had returned')
  expect(sink.got).toEqual([['k', 1]])
})

async function ticks(count: number): Promise<void> { for (let i = 0; i < count; i++) await null }
const null_ = async () => {}

test('an error for a key with bigints is reported with the key', () => {
  const operator = reduceOperator(() => { throw new TypeError('v.reduce is not a function') }, new Turns(() => {}), undefined)
  const group = { key: [9007199254740993n, 2] as Key, values: [] as unknown[] }
  let failure: unknown
  try {
    void operator.push(group as never)
  } catch (error) {
    failure = error
  }
  expect(failure).toMatchObject({ name: 'FunctionFailed', key: '[9007199254740993,2]', cause: { message: 'v.reduce is not a function' } })
})

test.each([
  ['after exactly the records that it needs', 'flatMap', [0, 1, 2], true],
  ['not before its input, behind a step that is ahead of it', 'mapAsync', [0, 1, 2, 3, 4, 5, 6, 7], false],
] as const)('a limit ends its branch %s', async (_, op, seen, isClosed) => {
  const sink = new MemorySink()
  const called: unknown[] = []
  const returned: unknown[] = []
  let isSourceClosed = false
  function* twice(value: unknown) { try { yield value; yield value } finally { returned.push(value) } }
  const fn = (value: unknown): unknown => { called.push(value); return op === 'flatMap' ? twice(value) : Promise.resolve(value) }
  const read: PlanNode = { kind: 'read', inputs: [], options: { format: 'lines' } }
  const each: PlanNode = { kind: 'each', inputs: [read], op, fn: 0, concurrency: 2 }
  const pipeline = recordPipeline({
    steps: [each, { kind: 'limit', inputs: [each], count: 5 }], functions: [fn], emit: sink.emit, turns: new Turns(sink.emit),
    contextOf: () => ({ random: () => 0 }),
  }, { badRecords: undefined, counters: newReadCounters(), placeOf: () => undefined })
  function* source() {
    try { for (const from of [0, 2, 4, 6]) yield batchOf([from, from + 1]) } finally { isSourceClosed = called.length < 8 }
  }
  await drive(source(), new RecordsOperator(pipeline.push), sink, never)
  await pipeline.finish()
  expect([called, isSourceClosed]).toEqual([seen, isClosed])
  expect(sink.got.map(([, value]) => value)).toEqual(op === 'flatMap' ? [0, 0, 1, 1, 2] : [0, 1, 2, 3, 4])
  if (op === 'flatMap') expect(returned).toEqual([0, 1, 2])
})

test('a result for the program is bounded while a task computes it; a cached one is not, and each line gives its value back', () => {
  const big = 'x'.repeat(limits.resultBytesMax / 2)
  const lines: unknown[] = []
  const next = { push: (line: unknown) => void lines.push(line), finish: never }
  expect(() => encodeStep(next, false).push([big, big])).toThrow(/a task has 1 values of .* to return/)
  lines.length = 0
  const cached = encodeStep(next, true)
  for (const value of [big, undefined, big]) void cached.push(value)
  expect(lines.map(line => valueOfLine(line as string))).toEqual([big, undefined, big])
})
