// Whatever a program does to its process, its attempt fails with a reason that its author understands, and the datanode goes on.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { limits } from '../../../src/base/limits.ts'
import { Shop, type Failed } from './shop.ts'

let shop: Shop
beforeAll(async () => { shop = await Shop.start({ slots: 2, memoryBytes: 128 * 1024 * 1024 }) })
afterAll(async () => { await shop?.[Symbol.asyncDispose]() })

const program = (body: string): string => `import { mapReduce } from 'gristmill'\n${body}`

/** Runs a program over three short lines. */
async function failing(source: string, more: Parameters<Shop['map']>[2] = {}): Promise<Failed> {
  const submitted = await shop.submit(source)
  await shop.put(`/in/${submitted.job}`, 'good\nbad\ngood\n')
  return shop.failing(shop.map(submitted, `/in/${submitted.job}`, more))
}

afterEach(async () => {
  // The datanode is as healthy as before.
  expect(await shop.through(program(`export default mapReduce({ map(line: string, emit) { emit(null, line) } })`), 'well\n')).toBe('well\n')
  expect(shop.runners[0]!.freeSlots()).toBe(2)
})

test('a map that throws: the record\'s file and offset, and the stack in the author\'s own lines', async () => {
  const { cause, failure, counters } = await failing(program([
    'function grind(line: string): number {',
    `  if (line === 'bad') throw new RangeError('cannot grind ' + line)`,
    '  return line.length',
    '}',
    'export default mapReduce({ map(line: string, emit) { emit(line, grind(line)) } })',
  ].join('\n')))
  expect([cause, failure.code, failure.message]).toEqual(['program', 'TASK_FAILED', 'RangeError: cannot grind bad'])
  expect(failure.record).toEqual({ path: expect.stringMatching(/^\/in\/job\d+$/), offset: 5 })
  expect(failure.stack!.split('\n')).toEqual(['RangeError: cannot grind bad', expect.stringMatching(/^ {4}at grind \(program\.ts:3:\d+\)$/), expect.stringMatching(/^ {4}at map \(program\.ts:6:\d+\)$/)])
  expect(counters['recordsIn']).toBe(3)
})

test('a map that rejects', async () => {
  const { cause, failure } = await failing(program(`export default mapReduce({ async map(line: string) { await null; if (line === 'bad') throw new Error('later') } })`))
  expect([cause, failure.message, failure.record?.offset]).toEqual(['program', 'Error: later', 5])
  expect(failure.stack).toMatch(/program\.ts:2:\d+/)
})

test('a promise that nobody waits for and that is rejected', async () => {
  const { cause, failure } = await failing(program(`export default mapReduce({ map() { void Promise.reject(new Error('forgotten')) } })`))
  expect([cause, failure.message]).toEqual(['program', 'Error: forgotten'])
  expect(failure.stack).toMatch(/program\.ts:2:\d+/)
})

test('an error in a callback', async () => {
  const { cause, failure } = await failing(program(`export default mapReduce({ async map() { setTimeout(() => { throw new TypeError('in a timer') }, 1); await new Promise(() => {}) } })`))
  expect([cause, failure.message]).toEqual(['program', 'TypeError: in a timer'])
})

test('a combine that throws when its output is put in order', async () => {
  const { cause, failure } = await failing(program(`export default mapReduce({
  map(line: string, emit) { emit(line, 1) },
  combine() { throw new Error('will not be combined') },
  reduce() {},
})`), { output: { kind: 'shuffle', partitions: 1 } })
  expect([cause, failure.message]).toEqual(['program', 'Error: will not be combined'])
  expect(failure.stack).toMatch(/program\.ts:4:\d+/)
})

test('what cannot be emitted is refused where it is emitted', async () => {
  const { cause, failure } = await failing(program(`export default mapReduce({\n  map(line: string, emit) { emit(line, undefined) },\n  reduce() {},\n})`), { output: { kind: 'shuffle', partitions: 1 } })
  expect([cause, failure.record?.offset]).toEqual(['program', 0])
  expect(failure.message).toMatch(/undefined/)
  expect(failure.stack).toMatch(/program\.ts:3:\d+/)
})

test('something thrown that is no error', async () => {
  const { cause, failure } = await failing(program(`export default mapReduce({ map() { throw 'just words' } })`))
  expect([cause, failure.record?.offset]).toEqual(['program', 0])
  expect(failure.message).toContain('just words')
})

test('an exit is not an end, whatever its code says', async () => {
  for (const how of ['process.exit(0)', 'process.exit(3)', `process.kill(process.pid, 'SIGTERM')`, `process.kill(process.pid, 'SIGKILL')`, 'process.abort()']) {
    const { cause, failure } = await failing(program(`export default mapReduce({ async map() { ${how}; await new Promise(resolve => setTimeout(resolve, 10_000)) } })`))
    expect([how, cause]).toEqual([how, 'program'])
    expect(failure.message, how).toMatch(/process/)
  }
})

test('the place of an exit is told', async () => {
  const { failure } = await failing(program(`export default mapReduce({\n  map() { process.exit(0) },\n})`))
  expect(failure.message).toContain('process.exit(0)')
  expect(failure.stack).toMatch(/program\.ts:3:\d+/)
})

test('a loop without end is stopped by its time limit, and by a kill', async () => {
  const forever = program(`export default mapReduce({ map() { for (;;) {} } })`)
  const { cause, failure } = await failing(forever, { deadlineMs: 300 })
  expect([cause, failure.message]).toEqual(['program', expect.stringContaining('300 ms')])
  const submitted = await shop.submit(forever)
  await shop.put('/in/forever', 'x\n')
  const work = shop.map(submitted, '/in/forever')
  shop.order(work)
  await expect.poll(() => shop.runners[0]!.running(), { timeout: 10_000 }).toEqual([work.attempt])
  shop.runners[0]!.kill(work.attempt)
  expect(await shop.ended(work.attempt)).toMatchObject({ kind: 'failed', cause: 'killed' })
})

test('a namenode that does not know an attempt ends it by its answer to progress', async () => {
  const submitted = await shop.submit(program(`export default mapReduce({ map() { for (;;) {} } })`))
  await shop.put('/in/unknown', 'x\n')
  const work = shop.map(submitted, '/in/unknown')
  shop.order(work)
  shop.killing = [work.attempt]
  expect(await shop.ended(work.attempt)).toMatchObject({ kind: 'failed', cause: 'killed' })
})

test('a full heap', async () => {
  const { cause, failure } = await failing(program(`const kept: unknown[] = []\nexport default mapReduce({ map() { for (;;) kept.push(new Array(1000).fill({})) } })`))
  expect([cause, failure.message]).toEqual(['program', expect.stringMatching(/more than 128 MiB of memory/)])
}, 30_000)

test('memory outside of the heap, which only the system sees', async () => {
  const { cause, failure } = await failing(program(`const kept: Buffer[] = []\nexport default mapReduce({ map() { for (;;) kept.push(Buffer.alloc(8 << 20, 1)) } })`))
  expect([cause, failure.message]).toEqual(['program', expect.stringMatching(/more than 128 MiB of memory/)])
}, 30_000)

test('a task with more memory has more', async () => {
  const source = program(`export default mapReduce({ map(line: string, emit) { const kept: unknown[] = []; for (let i = 0; i < 12_000; i++) kept.push(new Array(1000).fill(i + 0.5)); emit(null, kept.length) } })`)
  expect((await failing(source)).cause).toBe('program')
  expect(await shop.through(source, 'x\n', { memoryBytes: 512 * 1024 * 1024 })).toBe('12000\n')
}, 30_000)

test('a flood of words is cut off in the log, says so, and harms nobody', async () => {
  const submitted = await shop.submit(program(`export default mapReduce({ map(line: string, emit) { console.log('first'); const text = 'x'.repeat(1023); for (let i = 0; i < 20_000; i++) console.log(text); emit(null, line) } })`))
  await shop.put('/in/flood', 'a\n')
  const work = shop.map(submitted, '/in/flood')
  await shop.done(work)
  let text = ''
  for (let offset: number | undefined = 0; offset !== undefined;) {
    const piece: { text: string; next?: number } = await shop.log(work.attempt, 0, offset, 1024 * 1024)
    text += piece.text
    offset = piece.next
  }
  expect(text.length).toBeLessThanOrEqual(limits.taskLogBytesMax)
  expect(text.length).toBeGreaterThan(limits.taskLogBytesMax * 0.9)
  expect([text.slice(0, 6), text.slice(-200)]).toEqual(['first\n', expect.stringMatching(/left out/)])
})

test('everything that is printed is in the log in order, whichever way it was printed', async () => {
  const submitted = await shop.submit(program(`export default mapReduce({ map(line: string, _emit, context) {
    console.log('one', { two: 2 }); console.error('three'); process.stdout.write('four\\n'); context.log('five', 6); process.stderr.write(Buffer.from('größer\\n'))
    throw new Error('and out')
  } })`))
  await shop.put('/in/printed', 'a\n')
  const work = shop.map(submitted, '/in/printed')
  await shop.failing(work)
  expect(await shop.log(work.attempt)).toEqual({ text: 'one { two: 2 }\nthree\nfour\nfive 6\ngrößer\n' })
})

test('a program that throws while it loads, is none, or builds another plan', async () => {
  const loading = await shop.submit(`throw new Error('at load')\nexport default 5`, { broken: true })
  const none = await shop.submit('export const job = 5', { broken: true })
  const other = { ...await shop.submit(program('export default mapReduce({ map() {} })')), fingerprint: 'f'.repeat(64) }
  await shop.put('/in/load', 'a\n')
  const failures = []
  for (const submitted of [loading, none, other]) failures.push(await shop.failing(shop.map(submitted, '/in/load')))
  expect(failures.map(({ cause, failure }) => [cause, failure.code, failure.message])).toEqual([
    ['program', 'PROGRAM_INVALID', expect.stringContaining('at load')],
    ['program', 'PROGRAM_INVALID', expect.stringContaining('default export')],
    ['program', 'PROGRAM_INVALID', expect.stringContaining('plan')],
  ])
  expect(failures[0]!.failure.stack).toMatch(/program\.ts:1:\d+/)
})

test('a record that does not parse: its file and offset', async () => {
  const submitted = await shop.submit(program(`export default mapReduce({ input: { format: 'jsonl' }, map(record, emit) { emit(null, record) } })`))
  await shop.put('/in/json', '{"a":1}\n{"a":\n')
  const { cause, failure } = await shop.failing(shop.map(submitted, '/in/json', { options: { format: 'jsonl' } }))
  expect([cause, failure.record]).toEqual(['program', { path: '/in/json', offset: 8 }])
})

test('what a program started ends with it', async () => {
  const submitted = await shop.submit(program(`import { spawn } from 'node:child_process'
export default mapReduce({ async map(line: string) { const child = spawn('/bin/sleep', ['60'], { stdio: 'ignore' }); console.log(child.pid); await new Promise(() => {}) } })`))
  await shop.put('/in/child', 'a\n')
  const work = shop.map(submitted, '/in/child')
  shop.order(work)
  await expect.poll(async () => (await shop.log(work.attempt)).text, { timeout: 10_000 }).toMatch(/^\d+\n$/)
  const pid = Number((await shop.log(work.attempt)).text)
  expect(() => process.kill(pid, 0)).not.toThrow()
  shop.runners[0]!.kill(work.attempt)
  await shop.ended(work.attempt)
  await expect.poll(() => { try { process.kill(pid, 0); return 'alive' } catch { return 'gone' } }).toBe('gone')
})
