// Misbehaving programs in real executor processes: errors, endless loops, memory, child processes and files. The attempt fails with a
// reason that the program's author understands, and the node continues.

import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { program, type Failed } from './kit.ts'
import { alive, bench, eachLeavesTheNodeWell } from './misbehaviourkit.ts'

const shuffling = (map: string) => program(`${map},\n  reduce(key, values, emit) { for (const value of values) emit(key, value) },`)
eachLeavesTheNodeWell()

test('a map that throws: the author\'s message and stack, the file and the offset of the record', async () => {
  const { cause, failure, counters } = await bench.fails([
    `import { mapReduce } from 'gristmill'`,
    `function check(line: string): void {`,
    `  if (line === 'bad') throw new RangeError('cannot grind ' + line)`,
    `}`,
    `export default mapReduce({`,
    `  map(line: string, emit, { counter }) { counter('seen'); emit(line, 1); check(line) },`,
    `})`,
  ].join('\n'), '/in')
  expect({ cause, failure }).toEqual({
    cause: 'program',
    failure: {
      code: 'TASK_FAILED', message: 'RangeError: cannot grind bad', record: { path: '/in', offset: 5 },
      stack: expect.stringMatching(/^RangeError: cannot grind bad\n {4}at check \(program\.ts:3:\d+\)\n {4}at map \(program\.ts:6:\d+\)$/),
    },
  })
  expect(counters).toMatchObject({ 'user.seen': 2, recordsIn: 3 })
})

test('a map that rejects, and a reduce that throws', async () => {
  expect(
    (await bench.fails(program(`async map(line: string) { await null; if (line === 'last') throw new Error('late') },`), '/in')).failure,
  ).toMatchObject({ message: 'Error: late', record: { path: '/in', offset: 9 }, stack: expect.stringContaining('program.ts:3:') })
  const failing = shuffling(`map(line: string, emit) { emit(line, 1) }`).replace(
    'for (const value of values) emit(key, value)',
    `if (key === 'good') throw new Error('no ' + key)`,
  )
  const map = await bench.done(failing, '/in', { job: 'r' })
  bench.scheduler.maps.splice(0, Infinity, { attempt: map.work.attempt, node: bench.mill.datanodes[0]!.node })
  const { failure } = await bench.fails(failing, '/in', { job: 'r', stage: 1 })
  expect(failure).toMatchObject({
    message: 'Error: no good (in reduce, for the key "good")',
    stack: expect.stringContaining('program.ts:4:'),
  })
  expect(failure.record).toBe(undefined)
  await bench.runner().forget('r' as never)
})

test('a combine that throws, and values that cannot travel', async () => {
  const combining = shuffling(
    `map(line: string, emit) { for (let i = 0; i < 9; i++) emit('k', 1) },\n  combine() { throw new Error('not now') }`,
  )
  expect((await bench.fails(combining, '/in')).failure).toMatchObject({
    message: 'Error: not now', record: { path: '/in', offset: 0 },
    stack: expect.stringContaining('at combine (program.ts:4:'),
  })
  const odd = await bench.fails(shuffling(`map(line: string, emit) { emit(line, () => 1) }`), '/in')
  expect(odd).toMatchObject({
    cause: 'program',
    failure: { message: expect.stringContaining('emit was given'), record: { offset: 0 }, stack: expect.stringContaining('program.ts:3:') },
  })
})

test('a record that does not parse is the input\'s fault, with its place', async () => {
  expect(await bench.fails(program(`input: { format: 'jsonl' }, map() {}`), '/in')).toMatchObject({
    cause: 'program',
    failure: { message: expect.stringContaining('not JSON'), record: { path: '/in', offset: 0 } },
  })
})

test('a program that ends its process', async () => {
  const { cause, failure } = await bench.fails(program(`map(line: string) { if (line === 'bad') process.exit(0) }`), '/in')
  expect([cause, failure.message]).toEqual(['program', expect.stringContaining('process.exit(0) was called')])
  expect(failure.stack).toContain('program.ts:3:')
  expect((await bench.fails(program(`map() { process.kill(process.pid, 'SIGKILL') }`), '/in')).failure.message).toContain('killed')
  expect((await bench.fails(program(`map() { process.abort() }`), '/in')).failure.message).toContain('SIGABRT')
  expect((await bench.fails(program(`map() { process.reallyExit(3) }`), '/in')).failure.message).toContain('exit code 3')
})

test('a crash in native code names what the step has told of itself, which is the batch once an attempt has failed', async () => {
  const crashing = program(`map(line: string, emit, context) {
    context[Symbol.for('gristmill.doing')]('task', () => 'the model a.onnx is applied')
    context[Symbol.for('gristmill.doing')]('batch', () => 'the model a.onnx has been given batch 1')
    process.abort()
  }`)
  expect((await bench.fails(crashing, '/in', { attempt: 0 })).failure.message).toMatch(/SIGABRT.*; the model a\.onnx is applied$/)
  expect((await bench.fails(crashing, '/in', { attempt: 1 })).failure.message).toMatch(/SIGABRT.*; the model a\.onnx has been given batch 1$/)
})

test('a promise that is not awaited and rejects, and an error thrown where no caller can catch it', async () => {
  const forgotten = await bench.fails(
    program(`map(line: string) { if (line === 'last') void Promise.reject(new Error('forgotten')) }`),
    '/in',
  )
  expect(forgotten).toMatchObject({
    cause: 'program',
    failure: { message: 'Error: forgotten', stack: expect.stringContaining('program.ts:3:') },
  })
  const thrown = await bench.fails(
    program(
      `async map() { setTimeout(() => { throw new TypeError('from a timer') }, 1); await new Promise(resolve => setTimeout(resolve, 5000)) }`,
    ),
    '/in',
  )
  expect(thrown).toMatchObject({
    cause: 'program',
    failure: { message: 'TypeError: from a timer', stack: expect.stringContaining('program.ts:3:') },
  })
  expect(await bench.fails(program(`map() { void Promise.reject('a text') }`), '/in')).toMatchObject({
    cause: 'program',
    failure: { message: expect.stringContaining('a text') },
  })
})

test('a loop that never ends is ended by its time limit', async () => {
  const { cause, failure } = await bench.fails(program(`map() { for (;;) {} }`), '/in', { deadlineMs: 1000 })
  expect([cause, failure.message]).toEqual(['program', expect.stringContaining('longer than its time limit of 1.0 s')])
})

test('a loop that never ends is ended by an order, and by the namenode\'s answer to progress', async () => {
  const work = await bench.work(program(`map() { console.log('looping'); for (;;) {} }`), '/in')
  const ended = bench.run(work)
  await expect.poll(() => bench.log(work.attempt), { timeout: 120_000 }).toBe('looping\n')
  expect(bench.runner().running()).toEqual([work.attempt])
  expect(bench.runner().freeSlots()).toBe(0)
  bench.mill.namenode.give(bench.mill.datanodes[0]!.node, { kind: 'kill', attempt: work.attempt })
  expect(await ended).toMatchObject({ kind: 'failed', cause: 'killed' })
  expect(await bench.log(work.attempt)).toBe('looping\n')

  const again = await bench.work(program(`map() { for (;;) {} }`), '/in')
  const over = bench.run(again)
  await expect.poll(() => bench.scheduler.progress.some(({ attempt }) => attempt === again.attempt), { timeout: 120_000 }).toBe(true)
  bench.scheduler.kill.push(again.attempt)
  expect(await over).toMatchObject({ kind: 'failed', cause: 'killed' })
})

test('a heap that overflows, and memory beside it', async () => {
  const heap = await bench.fails(program(`map() { const kept: unknown[] = []; for (;;) kept.push(new Array(1000).fill({})) }`), '/in', {
    memoryBytes: 64 << 20,
  })
  const told = { kind: 'failed', cause: 'program', outOfMemory: true }
  expect(heap).toMatchObject({ ...told, failure: { message: expect.stringMatching(/used more than 64(\.0)? MiB of memory/) } })
  const buffers = await bench.fails(
    program(
      `async map() { const kept: Buffer[] = []; for (;;) { kept.push(Buffer.alloc(8 << 20, 1)); await new Promise(resolve => setTimeout(resolve, 5)) } }`,
    ),
    '/in', { memoryBytes: 64 << 20 },
  )
  expect(buffers).toMatchObject({ ...told, failure: { message: expect.stringMatching(/used more than 64(\.0)? MiB of memory/) } })
})

test('processes that a program has started do not outlive it', async () => {
  const spawning =
    `import { spawn } from 'node:child_process'\n`
    + program(`async map(line: string) { console.log(spawn('sleep', ['1000']).pid); if (line === 'bad') throw new Error('stop') }`)
  const { work } = await bench.fails(spawning, '/in')
  const pids = (await bench.log(work.attempt)).trim().split('\n').map(Number)
  expect(pids).toHaveLength(2)
  for (const pid of pids) await expect.poll(() => alive(pid), { timeout: 120_000 }).toBe(false)
})

/** Starts a process whose parent ends; returns its id. */
const daemon = (start: string): string =>
  `${start} sh -c 'echo $$; exec sleep 1000 > /dev/null 2>&1' > pid & while ! [ -s pid ]; do sleep 0.05; done; cat pid`

test.each<[string, string]>([
  ['exits', 'process.exit(3)'], ['crashes', 'process.abort()'], ['throws', 'throw new Error(\'stop\')'],
])('a process in a session of its own ends with the task\'s process, which %s', async (_, end) => {
  const spawning = `import { spawn } from 'node:child_process'\n` + program(`async map(line: string) {
    console.log(spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' }).pid)
    ${end}
  }`)
  const { work } = await bench.fails(spawning, '/in')
  const pid = Number((await bench.log(work.attempt)).trim().split('\n')[0])
  expect(pid).toBeGreaterThan(0)
  await expect.poll(() => alive(pid), { timeout: 120_000 }).toBe(false)
})

test.each<[string, string]>([
  ['a process that the program does not wait for', `spawn('sleep', ['1000']).unref()`],
  ['one in a group of its own', `spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' }).unref()`],
  ['one that a shell leaves behind', `execSync('sleep 1000 > /dev/null 2>&1 & echo $!').toString()`],
  ['one that a shell leaves behind in a session of its own', `execSync(${JSON.stringify(daemon('setsid'))}).toString()`],
  ['one in a session of its own, with another environment', `execSync(${JSON.stringify(daemon('env -i setsid'))}).toString()`],
  ['one in a session of its own, in another directory', `execSync(${JSON.stringify(daemon('env -C / setsid'))}).toString()`],
  ['one that another one has started', `spawn('sh', ['-c', 'sleep 1000 & wait'], { stdio: 'ignore' }).unref()`],
])('processes that a program has started end with its job, even if its executor was kept for the next task: %s', async (_, start) => {
  const spawning = `import { spawn, execSync } from 'node:child_process'\nvoid [spawn, execSync]\n` +
    program(`map(line: string, emit) { if (line !== 'bad') return; const made: any = ${start.replace('.unref()', '')}; made.unref?.(); console.log(typeof made === 'string' ? made.trim() : made.pid); emit(process.pid, 1) }`)
  const job = `children-${start.length}`
  const done = await bench.done(spawning, '/in', { job })
  const pid = Number((await bench.log(done.work.attempt)).split('\n')[0])
  const executor = Number((await bench.outputOf(done)).split('\t')[0])
  expect([alive(pid), alive(executor)]).toEqual([true, true])
  await bench.runner().forget(job as never)
  await expect.poll(() => [alive(pid), alive(executor)], { timeout: 120_000 }).toEqual([false, false])
  expect(bench.runner().pids).not.toContain(executor)
})

test('a loop that prints without end fills neither memory nor disk', async () => {
  const done = await bench.done(
    program(
      `map(line: string, emit, { counter }) { if (line !== 'good') return; const before = process.memoryUsage().rss; for (let i = 0; i < 3_000_000; i++) console.log('a line that is printed again and again'); counter('MiB', Math.round((process.memoryUsage().rss - before) / 2 ** 20)) }`,
    ),
    '/in',
  )
  expect(done.counters['user.MiB']).toBeLessThan(100)
  expect(await bench.log(done.work.attempt)).toMatch(/what follows is left out\]\n$/)
})

test('a program that does not load, or is not the one that was submitted', async () => {
  const message = async (text: string, options = {}): Promise<Failed['failure']> => (await bench.fails(text, '/in', options)).failure
  expect(await message(`throw new Error('at load')\nexport default 1`)).toMatchObject({
    code: 'PROGRAM_INVALID', message: expect.stringContaining('at load'), stack: expect.stringContaining('program.ts:1:'),
  })
  expect(await message(`export const nothing = 1`)).toMatchObject({
    code: 'PROGRAM_INVALID',
    message: expect.stringContaining('default export'),
  })
  expect(await message(program(`map() {}`), { fingerprint: 'f'.repeat(64) })).toMatchObject({
    code: 'PROGRAM_INVALID', message: expect.stringContaining('another plan'),
  })
})

test('a program cannot lose its scratch files by changing the working directory', async () => {
  const done = await bench.done(
    program(`map(line: string, emit) { process.chdir('/'); for (let i = 0; i < 20000; i++) emit(null, line.padEnd(400, '-')) }`),
    '/in',
  )
  expect(done.counters.bytesOut).toBe(3 * 20_000 * 401)
})

test('a map output that was damaged or lost is named, so that its map runs again', async () => {
  const keys = shuffling(`map(line: string, emit) { emit(line, 'x'.repeat(100)) }`)
  const job = 'damaged'
  const maps = [await bench.done(keys, '/in', { job }), await bench.done(keys, '/in', { job, task: 1 })]
  const node = bench.mill.datanodes[0]!.node
  bench.scheduler.maps.splice(0, Infinity, ...maps.map(({ work }) => ({ attempt: work.attempt, node })))
  const directory = `${bench.mill.dirOf(0)}/shuffle/${job}`
  const file = `${directory}/${maps[1]!.work.attempt}.data`
  const bytes = await readFile(file)
  bytes[bytes.length - 5]! ^= 1
  await writeFile(file, bytes)
  const fail = () => bench.fails(keys, '/in', { job, stage: 1 })
  expect(await fail()).toMatchObject({ cause: 'fetch', missing: [maps[1]!.work.attempt] })
  await bench.runner().forget(job as never)
  expect(await fail()).toMatchObject({ cause: 'fetch', missing: maps.map(({ work }) => work.attempt) })
  await mkdir(directory, { recursive: true })
  await bench.runner().forget(job as never)
})

test('a program cannot write over the blocks of its node by mistake, and may use its own directory', async () => {
  const blocks = `${bench.mill.dirOf(0)}/blocks`
  const writing =
    `import { writeFileSync } from 'node:fs'\n`
    + program(`params: { path: '' }, map(_line: string, _emit, { params }) { writeFileSync(params.path, 'oops') }`)
  expect((await bench.fails(writing, '/in', { params: { path: `${blocks}/oops` } })).failure.message).toMatch(
    /^Error: Access to this API has been restricted; a task may write only below TMPDIR \(its scratch\); give results to emit$/,
  )
  expect(await readdir(blocks)).not.toContain('oops')
  await bench.done(writing, '/in', { params: { path: 'mine' } })
  const reading = `import { readFileSync } from 'node:fs'\n` + program(`map() { readFileSync('no-stop.txt') }`)
  expect((await bench.fails(reading, '/in')).failure.message).toContain('read it at context.asset("no-stop.txt")')
})
