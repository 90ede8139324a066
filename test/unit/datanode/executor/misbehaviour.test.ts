// Misbehaving programs in real executor processes: the attempt fails with a reason that the program's author understands, and the node
// continues.

import { once } from 'node:events'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { Executor } from '../../../../datanode/executor/executor.ts'
import { Bench, program, type Done, type Failed } from './kit.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let bench: Bench
beforeAll(async () => {
  bench = await Bench.start({ datanodes: 1, prestart: true })
  await bench.file('/in', 'good\nbad\nlast\n')
})
afterAll(() => bench[Symbol.asyncDispose]())

/** After each misbehaviour the next task runs, and nothing of the failed attempt is left. */
afterEach(async () => {
  const done = await bench.done(program(`map(line: string, emit) { emit(null, line) }`), '/in')
  expect(await bench.outputOf(done)).toBe('good\nbad\nlast\n')
  const shuffle = await readdir(`${bench.mill.dirOf(0)}/shuffle`, { recursive: true })
  expect(shuffle.filter(name => name.includes('.'))).toEqual([])
  // One that ends may still be there beside the next one.
  await expect.poll(() => bench.runner().pids.length, { timeout: 60_000 }).toBeLessThanOrEqual(2)
})

const alive = (pid: number): boolean => {
  try { process.kill(pid, 0); return true } catch { return false }
}

const shuffling = (map: string) => program(`${map},\n  reduce(key, values, emit) { for (const value of values) emit(key, value) },`)

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

test('a promise that is forgotten and rejects, and an error thrown where nobody can catch it', async () => {
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

test.each<[string, string, RegExp]>([
  [
    'forEach over asynchronous functions',
    `map(line: string, emit) { [1, 2].forEach(async n => { await new Promise(resolve => setTimeout(resolve, 20)); emit(line, n) }) }`,
    /program\.ts:3:/,
  ],
  [
    'an asynchronous call that is not returned',
    `map(line: string, emit) { void (async () => { await null; emit(line, 1) })() }`,
    /program\.ts:3:/,
  ],
  [
    'a read of a file',
    `map(line: string, emit) { import('node:fs').then(fs => fs.promises.readFile('/proc/version', 'utf8')).then(text => emit(line, text)) }`,
    /program\.ts:3:/,
  ],
  ['a callback', `map(line: string, emit) { setImmediate(() => emit(line, 1)) }`, /program\.ts:3:/],
  [
    'a process',
    `map(line: string, emit) { import('node:child_process').then(({ exec }) => exec('sleep 0.1; echo x', (_error, text) => emit(line, text))) }`,
    /program\.ts:3:/,
  ],
  [
    'a server far away',
    `map(line: string, emit) { import('node:http').then(http => { const server = http.createServer((_q, r) => setTimeout(() => r.end('x'), 50)).listen(0, '127.0.0.1', async () => { const r = await fetch('http://' + '127.0.0.1:' + (server.address() as { port: number }).port); const text = await r.text(); server.close(); emit(line, text) }) }) }`,
    /program\.ts:3:/,
  ],
  [
    'a reduce that does not wait',
    `map(line: string, emit) { emit(line, 1) },\n  reduce(key, values, emit) { setTimeout(() => emit(key, 1), 10) }`,
    /program\.ts:4:/,
  ],
  [
    'a timer that setup began',
    `setup() { setTimeout(() => this.flush?.(), 200) }, map(line: string, emit) { this.flush = () => emit(line, 1) }`,
    /program\.ts:3:/,
  ],
  ...['', `combine: (_key, values: Iterable<number>) => [...values].reduce((a, b) => a + b),\n  `].map(
    (combine): [string, string, RegExp] => [
      `an earlier record ${combine === '' ? 'without' : 'with'} combine`,
      `${combine}reduce(key, values, emit) { for (const value of values) emit(key, value) },\n`
        + `  map(line: string, emit) { emit(line, 1); if (line === 'good') setTimeout(() => { emit('late', 1) }, 1); else return new Promise<void>(resolve => setTimeout(resolve, 20)) }`,
      combine === '' ? /program\.ts:4:/ : /program\.ts:5:/,
    ],
  ),
  [
    'a batching client with an unref timer',
    `map(line: string, emit) { new Promise<string>(resolve => { setTimeout(() => resolve(line), 20).unref() }).then(text => emit(text, 1)) }`,
    /program\.ts:3:/,
  ],
  [
    'an unref interval',
    `map(line: string, emit) { const timer = setInterval(() => { clearInterval(timer); emit(line, 1) }, 300).unref() }`,
    /program\.ts:3:/,
  ],
  [
    'a chain of unref timers',
    `map(line: string, emit) { let left = 5; const again = () => { if (left-- > 0) setTimeout(again, 10).unref(); else emit(line, 1) }; again() }`,
    /program\.ts:3:/,
  ],
  [
    'an unref thread',
    `map(line: string, emit) { if (line === 'last') import('node:worker_threads').then(({ Worker }) => { const worker = new Worker('setTimeout(() => require("node:worker_threads").parentPort.postMessage(1), 50)', { eval: true }); worker.unref(); worker.on('message', () => emit(line, 1)) }) }`,
    /program\.ts:3:/,
  ],
  [
    'an unref process',
    `map(line: string, emit) { import('node:child_process').then(({ spawn }) => { const child = spawn('sleep', ['0.1'], { stdio: 'ignore' }); child.unref(); child.on('exit', () => emit(line, 1)) }) }`,
    /program\.ts:3:/,
  ],
  [
    'a time limit as a signal',
    `map(line: string, emit) { const limit = AbortSignal.timeout(20); limit.addEventListener('abort', () => emit(line, 1)) }`,
    /program\.ts:3:/,
  ],
  [
    'a time limit that another signal follows',
    `map(line: string, emit) { const limit = AbortSignal.any([AbortSignal.timeout(3_000)]); limit.addEventListener('abort', () => emit(line, 1)) }`,
    /program\.ts:3:/,
  ],
  [
    'an unref timer of seconds',
    `map(line: string, emit) { setTimeout(() => emit(line, 1), 3_000).unref() }`,
    /program\.ts:3:/,
  ],
  [
    'a timer that uses an emit of a variable',
    `map(line: string, emit) { (globalThis as any).kept = emit; setTimeout(() => (globalThis as any).kept(line, 1), 3_000) }`,
    /program\.ts:3:/,
  ],
  [
    'compression in the background',
    `map(line: string, emit) { import('node:zlib').then(({ brotliCompress }) => brotliCompress(Buffer.alloc(3_000_000, line + Math.random()), (_error, packed) => emit(line, packed.length))) }`,
    /program\.ts:3:/,
  ],
  [
    'a Blob',
    `map(line: string, emit) { new Blob([Buffer.alloc(3_000_000, line)]).arrayBuffer().then(bytes => emit(line, bytes.byteLength)) }`,
    /program\.ts:3:/,
  ],
  [
    'a channel',
    `map(line: string, emit) { const { port1, port2 } = new MessageChannel(); port1.onmessage = () => { port1.close(); emit(line, 1) }; port1.unref(); port2.postMessage(1) }`,
    /program\.ts:3:/,
  ],
  [
    'an emit whose complaint is caught',
    `map(line: string, emit) { setTimeout(() => { try { emit(line, 1) } catch {} }, 10) }`,
    /program\.ts:3:/,
  ],
])('records of what a function starts and does not wait for are never lost in silence: %s', async (_, body, place) => {
  const inReduce = body.includes('reduce(') && !body.includes('late')
  const job = `floating-${_.replaceAll(' ', '-')}`
  if (inReduce) {
    const map = await bench.done(program(body), '/in', { job })
    bench.scheduler.maps.splice(0, Infinity, { attempt: map.work.attempt, node: bench.mill.datanodes[0]!.node })
  }
  const { cause, failure } = await bench.fails(program(body), '/in', { job, stage: inReduce ? 1 : 0 })
  await bench.runner().forget(job as never)
  expect([cause, failure.message]).toEqual([
    'program',
    expect.stringMatching(/emit was called after (map|reduce) had returned; await what/),
  ])
  expect(failure.stack).toMatch(place)
})

const echo = (delayMs: number): string =>
  `const p = require('node:worker_threads').parentPort; p.on('message', line => setTimeout(() => p.postMessage(line), ${delayMs}))`

/** A module with a thread that answers each line. */
const asking = (start: string) => `import { Worker } from 'node:worker_threads'
const worker = new Worker(${JSON.stringify(echo(300))}, { eval: true })${start}
const waiting: ((line: string) => void)[] = []
worker.on('message', line => waiting.shift()!(line))
const ask = (line: string) => new Promise<string>(done => { waiting.push(done); worker.postMessage(line) })
`
/** A module with a connection to a server that answers each line. */
const connected = (start: string) => `import { connect } from 'node:net'
const socket = connect(PORT, '127.0.0.1')${start}
const waiting: ((line: string) => void)[] = []
socket.on('data', bytes => { for (const line of String(bytes).trim().split('\\n')) waiting.shift()!(line) })
const ask = (line: string) => new Promise<string>(done => { waiting.push(done); socket.write(line + '\\n') })
`
const buffering = (start: string) => `let last: any
const lines: string[] = []
${start}
function flush() { for (const line of lines.splice(0)) last(line, 1) }
`

test.each<[string, string, string]>([
  ['a thread', asking(''), `map(line: string, emit) { line.split(' ').forEach(async word => emit(await ask(word), 1)) }`],
  ['an unref thread', asking('; worker.unref()'), `map(line: string, emit) { ask(line).then(word => emit(word, 1)) }`],
  ['a connection', connected(''), `map(line: string, emit) { ask(line).then(word => emit(word, 1)) }`],
  ['an unref connection', connected('; socket.unref()'), `map(line: string, emit) { ask(line).then(word => emit(word, 1)) }`],
  [
    'a queue of promises', `const queue: (() => void)[] = []\nsetInterval(() => { for (const go of queue.splice(0)) go() }, 200)\n`,
    `map(line: string, emit) { new Promise<void>(go => queue.push(go)).then(() => emit(line, 1)) }`,
  ],
  ['an interval', buffering('setInterval(flush, 300)'), `map(line: string, emit) { last = emit; lines.push(line) }`],
  ['an unref interval', buffering('setInterval(flush, 300).unref()'), `map(line: string, emit) { last = emit; lines.push(line) }`],
  [
    'an unref interval that starts when the module has waited', buffering('await null; setInterval(flush, 300).unref()'),
    `map(line: string, emit) { last = emit; lines.push(line) }`,
  ],
  [
    'a channel', `const { port1, port2 } = new MessageChannel()\nport2.onmessage = ({ data }) => { port2.postMessage(data) }\nport2.unref()\n`,
    `map(line: string, emit) { port1.onmessage = ({ data }) => { emit(data, 1) }; port1.unref(); port2.postMessage(line); port1.postMessage(line) }`,
  ],
])('records that depend on work of the module\'s top are never lost in silence: %s', async (_, top, body) => {
  const server = createServer(socket => {
    socket.on('error', () => {}).on('data', bytes => { setTimeout(() => { socket.write(bytes) }, 300) })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const text = top.replace('PORT', String((server.address() as AddressInfo).port)) + program(body)
    const { cause, failure } = await bench.fails(text, '/in')
    expect([cause, failure.message]).toEqual(['program', expect.stringMatching(/emit was called after map had returned; await what/)])
    expect(failure.stack).toMatch(/program\.ts:\d+:/)
  } finally {
    server.close()
  }
})

test('a record that depends on a timer of an earlier task is not lost in silence', async () => {
  const job = 'earlier'
  const text = buffering('') + program(`map(line: string, emit) { if (last) { last = emit; lines.push(line) } else { last = emit; setInterval(flush, 300).unref() } }`)
  await bench.file('/one', 'one\n')
  await bench.done(text, '/one', { job })
  const { cause, failure } = await bench.fails(text, '/one', { job })
  await bench.runner().forget(job as never)
  expect([cause, failure.message]).toEqual(['program', expect.stringMatching(/emit was called after map had returned/)])
})

test('an unref interval is waited for until it has called back, also if the program computes when it is due', async () => {
  const { cause, failure } = await bench.fails(program(`map(line: string, emit) {
    if (line !== 'last') return emit(line, 1)
    setTimeout(() => { const until = Date.now() + 400; while (Date.now() < until); }, 60).unref()
    const timer = setInterval(() => { clearInterval(timer); try { emit(line, 1) } catch {} }, 200).unref()
  }`), '/in')
  expect([cause, failure.message]).toEqual(['program', expect.stringMatching(/emit was called after map had returned/)])
})

test('the log of a task that lets a timer of the module go says where the module has started it', async () => {
  const text = 'setInterval(() => {}, 40_000).unref()\nlet kept: unknown\n' + program(`map(line: string, emit) { kept = emit; emit(null, line); void kept }`)
  const done = await bench.done(text, '/in')
  expect(await bench.log(done.work.attempt)).toMatch(
    /^Note: the task did not wait for a timer of 40.0 s with unref\(\) that the program has started at the top of its module .*\n {4}at program\.ts:1:\d+$/m,
  )
})

test('work of the module that cannot emit is not waited for', async () => {
  const quiet: [string, string][] = [
    [asking(''), `map(line: string, emit) { emit(null, line); void ask }`],
    [asking(''), `async map(line: string, emit) { emit(null, await ask(line)) }`],
    [buffering('setInterval(flush, 100)'), `map(line: string, emit) { emit(null, line) }`],
    [`const tick = () => { setTimeout(tick, 100) }\ntick()\n`, `map(line: string, emit) { emit(null, line) }`],
    [
      `import { connect, createServer } from 'node:net'\nconst server = createServer(socket => socket.resume()).listen(0, '127.0.0.1', () => { connect((server.address() as { port: number }).port, '127.0.0.1') })\n`,
      `map(line: string, emit) { emit(null, line) }`,
    ],
  ]
  for (const [top, body] of quiet) {
    const done = await bench.done(top + program(body), '/in')
    expect(await bench.outputOf(done)).toBe('good\nbad\nlast\n')
  }
})

test('a process that ends between two tasks, by what the first one left running, does not fail the second one', async () => {
  const text = program(`map(line: string, emit) { emit(null, line === 'last' ? process.pid : 0) }`)
  await bench.file('/one', 'last\n')
  const pid = Number(await bench.outputOf(await bench.done(text, '/one')))
  // The process cannot take the second task, and ends when it has been given to it.
  process.kill(pid, 'SIGSTOP')
  const given = vi.spyOn(Executor.prototype, 'run')
  try {
    const work = await bench.work(text, '/one')
    const ended = bench.run(work)
    await expect.poll(() => given.mock.contexts.map(executor => (executor as Executor).pid), { timeout: 30_000 }).toEqual([pid])
    process.kill(pid, 'SIGKILL')
    const outcome = await ended
    expect(outcome.kind).toBe('done')
    expect(bench.scheduler.reports.filter(attempt => attempt === work.attempt)).toHaveLength(1)
    expect(Number(await bench.outputOf({ ...outcome as Done, work }))).not.toBe(pid)
  } finally {
    given.mockRestore()
  }
})

test.each<[string, string, string]>([
  ['throws', `setInterval(() => { if (state.go) throw new Error('left behind') }, 10).unref()`, 'left behind'],
  ['rejects', `setInterval(() => { if (state.go) void Promise.reject(new Error('left behind')) }, 10).unref()`, 'left behind'],
  ['ends the process', `setInterval(() => { if (state.go) process.exit(3) }, 10).unref()`, 'process.exit'],
])('an attempt is not failed for what another job has left running, which %s; it ends and runs elsewhere', async (_, leave, message) => {
  const text = program(`async map(line: string, emit) {
    const state = ((globalThis as any).state ??= {})
    if (state.left) { state.go = true; await new Promise(resolve => setTimeout(resolve, 600_000)) }
    state.left = true
    ${leave}
  }`)
  await bench.file('/one', 'one\n')
  await bench.done(text, '/one', { job: 'leaves' })
  const { cause, failure } = await bench.fails(text, '/one', { job: 'suffers' })
  expect([cause, failure.message]).toEqual(['killed', expect.stringContaining(message)])
  expect(failure.message).toContain('leaves')
})

test('work that cannot emit any more is not waited for, unless it ends soon', async () => {
  const quiet = [
    // A timeout that was not needed, an open connection, an interval that counts.
    `map: async (line: string, emit) => { await Promise.race([null, new Promise(resolve => setTimeout(resolve, 100_000))]); emit(null, line) }`,
    `async map(line: string, emit) { const net = await import('node:net'); const server = net.createServer(() => {}).listen(0, '127.0.0.1'); await new Promise(resolve => server.once('listening', resolve)); const socket = net.connect((server.address() as { port: number }).port, '127.0.0.1'); await new Promise(resolve => socket.once('connect', resolve)); emit(null, line) }`,
    `map(line: string, emit, { counter }) { setInterval(() => counter('ticks'), 50_000); emit(null, line) }`,
    // Timers, an idle thread and a helper process of a library, all with unref().
    `map(line: string, emit, { counter }) { setInterval(() => counter('ticks'), 50_000).unref(); setTimeout(() => counter('ticks'), 50_000).unref(); emit(null, line) }`,
    `async map(line: string, emit) { (globalThis as any).idle ??= await import('node:worker_threads').then(({ Worker }) => new Worker('require("node:worker_threads").parentPort.on("message", () => {})', { eval: true }).unref()); emit(null, line) }`,
    `async map(line: string, emit) { (globalThis as any).helper ??= await import('node:child_process').then(({ spawn }) => spawn('sleep', ['1000'], { stdio: 'ignore' }).unref()); emit(null, line) }`,
    `map(line: string, emit, { counter }) { import('node:fs').then(fs => fs.promises.readFile('/proc/version')).then(() => counter('read')); emit(null, line) }`,
  ]
  for (const body of quiet) {
    const done = await bench.done(program(body), '/in')
    expect(await bench.outputOf(done)).toBe('good\nbad\nlast\n')
    if (body.includes(`counter('read')`)) expect(done.counters).toMatchObject({ 'user.read': 3 })
  }
})

test('an emit in a variable of the module does not make the task wait for time limits, and its log says so', async () => {
  const kept = `let kept: unknown\n${program(`map(line: string, emit) { kept = emit; AbortSignal.timeout(50_000).addEventListener('abort', () => {}); setTimeout(() => {}, 40_000).unref(); emit(null, line); void kept }`)}`
  const begun = performance.now()
  const done = await bench.done(kept, '/in')
  expect(await bench.outputOf(done)).toBe('good\nbad\nlast\n')
  // It would be 40 s: the time limits are longer than any load of the machine.
  expect(performance.now() - begun).toBeLessThan(30_000)
  expect(await bench.log(done.work.attempt)).toMatch(/^Note: the task did not wait for a timer of .*\n {4}at map \(program\.ts:\d+:\d+\)$/m)
})

test('an emit after the end of its task fails the task that runs then, even if the program catches the error', async () => {
  const job = 'afterwards'
  const text = `let kept: any\n${program(`async map(line: string, emit) { if (kept) await new Promise(resolve => { setTimeout(resolve, 20_000) }); else { setTimeout(() => { try { kept(line, 1) } catch {} }, 6_000).unref() } kept ??= emit; if (line === 'last') emit(null, line) }`)}`
  await bench.file('/one', 'last\n')
  await bench.done(text, '/one', { job })
  const { cause, failure } = await bench.fails(text, '/one', { job })
  await bench.runner().forget(job as never)
  expect([cause, failure.message]).toEqual(['program', expect.stringMatching(/emit was called after map had returned/)])
})

test('a promise that is rejected while the task waits for its end fails the attempt', async () => {
  expect(
    await bench.fails(
      program(`map() { void new Promise(resolve => setTimeout(resolve, 20)).then(() => { throw new Error('afterwards') }) }`),
      '/in',
    ),
  ).toMatchObject({ cause: 'program', failure: { message: 'Error: afterwards', stack: expect.stringContaining('program.ts:3:') } })
})

test('a loop that never ends is ended by its time limit', async () => {
  const { cause, failure } = await bench.fails(program(`map() { for (;;) {} }`), '/in', { deadlineMs: 1000 })
  expect([cause, failure.message]).toEqual(['program', expect.stringContaining('longer than its time limit of 1.0 s')])
})

test('a loop that never ends is ended by an order, and by the namenode\'s answer to progress', async () => {
  const work = await bench.work(program(`map() { console.log('looping'); for (;;) {} }`), '/in')
  const ended = bench.run(work)
  await expect.poll(() => bench.log(work.attempt), { timeout: 30_000 }).toBe('looping\n')
  expect(bench.runner().running()).toEqual([work.attempt])
  expect(bench.runner().freeSlots()).toBe(0)
  bench.mill.namenode.give(bench.mill.datanodes[0]!.node, { kind: 'kill', attempt: work.attempt })
  expect(await ended).toMatchObject({ kind: 'failed', cause: 'killed' })
  expect(await bench.log(work.attempt)).toBe('looping\n')

  const again = await bench.work(program(`map() { for (;;) {} }`), '/in')
  const over = bench.run(again)
  await expect.poll(() => bench.scheduler.progress.some(({ attempt }) => attempt === again.attempt), { timeout: 30_000 }).toBe(true)
  bench.scheduler.kill.push(again.attempt)
  expect(await over).toMatchObject({ kind: 'failed', cause: 'killed' })
})

test('a heap that overflows, and memory beside it', async () => {
  const heap = await bench.fails(program(`map() { const kept: unknown[] = []; for (;;) kept.push(new Array(1000).fill({})) }`), '/in', {
    memoryBytes: 64 << 20,
  })
  expect([heap.cause, heap.failure.message]).toEqual(['program', expect.stringMatching(/used more than 64(\.0)? MiB of memory/)])
  const buffers = await bench.fails(
    program(
      `async map() { const kept: Buffer[] = []; for (;;) { kept.push(Buffer.alloc(8 << 20, 1)); await new Promise(resolve => setTimeout(resolve, 5)) } }`,
    ),
    '/in', { memoryBytes: 64 << 20 },
  )
  expect([buffers.cause, buffers.failure.message]).toEqual(['program', expect.stringMatching(/used more than 64(\.0)? MiB of memory/)])
})

test('processes that a program has started do not outlive it', async () => {
  const spawning =
    `import { spawn } from 'node:child_process'\n`
    + program(`async map(line: string) { console.log(spawn('sleep', ['1000']).pid); if (line === 'bad') throw new Error('stop') }`)
  const { work } = await bench.fails(spawning, '/in')
  const pids = (await bench.log(work.attempt)).trim().split('\n').map(Number)
  expect(pids).toHaveLength(2)
  for (const pid of pids) await expect.poll(() => alive(pid), { timeout: 10_000 }).toBe(false)
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
  await expect.poll(() => alive(pid), { timeout: 20_000 }).toBe(false)
})

test.each<[string, string]>([
  ['a process that nobody waits for', `spawn('sleep', ['1000']).unref()`],
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
  const pid = Number(await bench.log(done.work.attempt))
  const executor = Number((await bench.outputOf(done)).split('\t')[0])
  expect([alive(pid), alive(executor)]).toEqual([true, true])
  await bench.runner().forget(job as never)
  await expect.poll(() => [alive(pid), alive(executor)], { timeout: 20_000 }).toEqual([false, false])
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
    /ERR_ACCESS_DENIED|restricted|denied/i,
  )
  expect(await readdir(blocks)).not.toContain('oops')
  await bench.done(writing, '/in', { params: { path: 'mine' } })
})
