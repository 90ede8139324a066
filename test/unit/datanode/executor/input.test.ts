// Bytes that a task reads beyond its own range, in real executor processes over real blocks: as much as its last record needs, never the
// whole next block.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { Bench, program } from './kit.ts'

// A process takes a while to start on a machine that is busy with other tests.
let bench: Bench
beforeAll(async () => { bench = await Bench.start({ blockBytes: 1 << 20 }) })
afterAll(async () => { await bench?.[Symbol.asyncDispose]() })

const lengths = program('map(line: string, emit) { emit(null, line.length) }')

test('a range that ends inside of a line reads a little of the next block, not all of it', async () => {
  const line = `${'x'.repeat(99)}\n`
  await bench.file('/lines', line.repeat(30_000), 'bytes')
  const { counters } = await bench.done(lengths, '/lines', { ranges: [{ start: 0, end: 1 << 20, aligned: false }] })
  expect(counters['recordsIn']).toBe(Math.ceil((1 << 20) / 100))
  expect(counters['bytesIn']).toBe((1 << 20) + 64 * 1024)
})

test('a line that goes on for megabytes is read to its end', async () => {
  await bench.file('/long', `${'a'.repeat(100)}\n${'b'.repeat(3_500_000)}\nlast\n`, 'bytes')
  const done = await bench.done(lengths, '/long', { ranges: [{ start: 0, end: 1 << 20, aligned: false }] })
  expect(await bench.outputOf(done)).toBe('100\n3500000\n')
  const rest = await bench.done(lengths, '/long', { ranges: [{ start: 1 << 20, end: 3_500_107, aligned: false }] })
  expect(await bench.outputOf(rest)).toBe('4\n')
})

test('a range that ends with its line reads nothing beyond', async () => {
  await bench.file('/even', `${'x'.repeat(1023)}\n`.repeat(2048), 'bytes')
  const { counters } = await bench.done(lengths, '/even', { ranges: [{ start: 0, end: 1 << 20, aligned: false }] })
  expect([counters['recordsIn'], counters['bytesIn']]).toEqual([1024, 1 << 20])
})

test('blocks whose locations are not in the task are read all the same, with one question for all of them', async () => {
  const text = Array.from({ length: 40_000 }, (_, i) => `${String(i).padStart(99, '0')}\n`).join('')
  await bench.file('/many', text, 'bytes')
  const work = await bench.work(program('map(line: string, emit) { emit(null, Number(line)) }'), '/many')
  if (work.input.kind !== 'split') throw new Error('a map task reads a split')
  const { input } = work
  expect(input.places.length).toBeGreaterThan(3)
  const asked = (): number => bench.mill.namenode.calls.filter(call => call === 'locate').length
  const before = asked()
  const less = { ...work, input: { ...input, places: input.places.slice(0, 1) } }
  const done = await bench.run(less)
  const questions = asked() - before
  if (done.kind === 'failed') throw new Error(done.failure.message)
  expect(await bench.outputOf({ ...done, work: less })).toBe(Array.from({ length: 40_000 }, (_, i) => `${i}\n`).join(''))
  expect(done.counters['bytesIn']).toBe(text.length)
  expect(questions, 'one for the program, one that the file is the same, one for the blocks').toBeLessThanOrEqual(3)
})
