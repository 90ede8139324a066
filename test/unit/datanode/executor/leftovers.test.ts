// Asynchronous work that functions of a program leave behind, in real executor processes: no record of it is lost in silence. The task
// waits for the work or fails with its place, and later tasks do not fail for it.

import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { expect, test, vi } from 'vitest'
import { Executor } from '../../../../datanode/executor/executor.ts'
import { program, type Done } from './kit.ts'
import { bench, eachLeavesTheNodeWell } from './misbehaviourkit.ts'

eachLeavesTheNodeWell()

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
    `setup() { setTimeout(() => this.flush?.(), 6_000) }, map(line: string, emit) { this.flush = () => emit(line, 1) }`,
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
    /^Note: the task did not wait for a timer of 40.0 s with unref\(\) that the program has started at the top of its module, .*\n {4}at program\.ts:1:\d+$/m,
  )
})

test('work of the module that cannot emit is not waited for', async () => {
  const quiet: [string, string][] = [
    [asking(''), `map(line: string, emit) { emit(null, line); void ask }`],
    [asking(''), `async map(line: string, emit) { emit(null, await ask(line)) }`],
    [buffering('setInterval(flush, 100)'), `map(line: string, emit) { emit(null, line) }`],
    [`const tick = () => { setTimeout(tick, 100).unref() }\ntick()\n`, `map(line: string, emit) { emit(null, line) }`],
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
    await expect.poll(() => given.mock.contexts.map(executor => (executor as Executor).pid), { timeout: 120_000 }).toEqual([pid])
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
    // A global variable would keep the other job out of this process.
    const state = ((process as any).state ??= {})
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
    `map(line: string, emit, { counter }) { setInterval(() => counter('ticks'), 5_000_000); emit(null, line) }`,
    // Timers, an idle thread and a helper process of a library, all with unref().
    `map(line: string, emit, { counter }) { setInterval(() => counter('ticks'), 5_000_000).unref(); setTimeout(() => counter('ticks'), 5_000_000).unref(); emit(null, line) }`,
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
