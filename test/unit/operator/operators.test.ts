import { expect, test } from 'vitest'
import { drive } from '../../../src/operator/drive.ts'
import { MapOperator } from '../../../src/operator/map.ts'
import { FunctionFailed, type Emit, type Key } from '../../../src/operator/operator.ts'
import { ReduceOperator } from '../../../src/operator/reduce.ts'
import { batchOf, MemorySink } from './kit.ts'

const never = () => undefined

test('map is called for each record in order, and nothing waits while it does not', () => {
  const sink = new MemorySink()
  const context = { a: 'context' }
  const operator = new MapOperator((record, emit, given) => {
    expect(given).toBe(context)
    emit(record as string, 1)
    emit(record as string, 2)
  }, sink.emit, context)
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
  await drive([batchOf([0, 1, 2, 3]), batchOf([4, 6])], new MapOperator(map, sink.emit, undefined), sink, never)
  expect(sink.got).toEqual([[0, 'at once'], [1, 'later'], [2, 'later'], [3, 'at once'], [4, 'later'], [6, 'at once']])
})

test.each([
  ['throws', (record: unknown) => { if (record === 'bad') throw new RangeError('no') }],
  ['rejects', async (record: unknown) => { await null; if (record === 'bad') throw new RangeError('no') }],
  ['rejects after others did not wait', (record: unknown) => (record === 'bad' ? Promise.reject(new RangeError('no')) : undefined)],
])('a map that %s is reported with the file and offset of its record', async (_, map) => {
  const sink = new MemorySink()
  const failure = await drive([batchOf(['a']), batchOf(['b', 'c', 'bad', 'd'], '/second')], new MapOperator(map, sink.emit, undefined), sink, never).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(FunctionFailed)
  expect(failure).toMatchObject({ place: { path: '/second', offset: 20 }, cause: { message: 'no' } })
})

test('a reduce that fails is reported with its key, cut where it is long', async () => {
  const sink = new MemorySink()
  const failing = (fail: () => unknown, key: Key) =>
    drive([{ key, values: [1] }], new ReduceOperator(fail, sink.emit, undefined), sink, never).catch((error: unknown) => error)
  expect(await failing(() => { throw new Error('no') }, ['a', 1])).toMatchObject({ key: '["a",1]', place: undefined, cause: { message: 'no' } })
  expect(await failing(async () => { throw new Error('no') }, 'x'.repeat(1000))).toMatchObject({ key: expect.stringMatching(/^"x{199}…$/) })
})

test('reduce gets keys, values and context, and what it emits goes on in order', async () => {
  const sink = new MemorySink()
  const reduce = (key: Key, values: Iterable<unknown>, emit: Emit, context: unknown) => { for (const value of values) emit(key, [value, context]) }
  await drive([{ key: 'a', values: [1, 2] }, { key: 'b', values: [] }, { key: 'c', values: [3] }], new ReduceOperator(reduce, sink.emit, 'c'), sink, never)
  expect(sink.got).toEqual([['a', [1, 'c']], ['a', [2, 'c']], ['c', [3, 'c']]])
})

test('the sink settles after every batch and the process gets its pauses', async () => {
  const sink = new MemorySink()
  let pauses = 0
  await drive([batchOf([1]), batchOf([2, 3])], new MapOperator((record, emit) => emit(record as Key, 0), sink.emit, undefined), sink, () => undefined)
  expect(sink.events).toEqual(['settle 1', 'settle 3'])
  const groups = Array.from({ length: 100 }, (_, key) => ({ key, values: [] }))
  await drive(groups, new ReduceOperator(() => {}, sink.emit, undefined), sink, () => { pauses++; return Promise.resolve() })
  expect(pauses).toBe(3)
})

test('a source is closed when a function fails', async () => {
  let closed = false
  async function* source() { try { yield batchOf([1]); yield batchOf([2]) } finally { closed = true } }
  const sink = new MemorySink()
  await expect(drive(source(), new MapOperator(() => { throw new Error('no') }, sink.emit, undefined), sink, never)).rejects.toThrow(FunctionFailed)
  expect(closed).toBe(true)
})
