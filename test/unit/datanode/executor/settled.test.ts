// Work that setup, map or reduce leaves running and that fills what the next function of the task reads: it is waited for, or fails the
// attempt. In executor processes, as datanodes run them.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { Bench } from './kit.ts'

let bench: Bench
beforeAll(async () => {
  bench = await Bench.start({ datanodes: 1, prestart: true })
  await bench.file('/in', 'a\nb\nb\n')
})
afterAll(() => bench[Symbol.asyncDispose]())

const program = (parts: string): string => `import { mapReduce } from 'gristmill'
import { exec, spawn } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import { Worker } from 'node:worker_threads'
let counts = new Map<string, number>()
const add = (line: string) => counts.set(line, (counts.get(line) ?? 0) + 1)
export default mapReduce({
  ${parts}
})
`
const emitting = 'teardown() { return [...counts].map(([line, count]) => [null, `${line} ${count}`]) },'

test.each<[string, string]>([
  ['a request that is not awaited', '[1].forEach(async () => { await fs.promises.readFile("/proc/version"); add(line) })'],
  ['a short timer', 'setTimeout(() => add(line), 200)'],
  ['a chain of requests and timers', 'setTimeout(() => fs.stat("/", () => setTimeout(() => setImmediate(() => add(line)), 50)), 50)'],
  ['a process', 'exec("sleep 0.3; echo " + line, (_, text) => add(text.trim()))'],
  ['a connection', `const server = net.createServer(socket => socket.on('data', bytes => setTimeout(() => socket.end(bytes), 200))).listen(0, '127.0.0.1', () => {
    net.connect(server.address().port, '127.0.0.1').on('data', bytes => { add(String(bytes)); server.close() }).write(line)
  })`],
])('what map has started is counted by teardown: %s', async (_, body) => {
  const done = await bench.done(program(`setup() { counts = new Map() },\nmap(line: string) { ${body} },\n${emitting}`), '/in')
  expect((await bench.outputOf(done)).split('\n').sort()).toEqual(['', 'a 1', 'b 2'])
})

test('what setup has started is there before the first record', async () => {
  const done = await bench.done(program(
    'setup() { fs.readFile("/proc/version", () => { setTimeout(() => add("b"), 100) }) },\nmap(line: string, emit) { if (!counts.has(line)) emit(null, line) },',
  ), '/in')
  expect(await bench.outputOf(done)).toBe('a\n')
})

test.each<[string, string]>([
  ['a timer', 'setTimeout(() => add("b"), 300)'], ['a request', 'fs.readFile("/proc/version", () => fs.stat("/", () => add("b")))'],
  ['a timer of an asynchronous function', '(async () => { await new Promise(go => setTimeout(go, 300)); add("b") })()'],
])('what the module has started is there before the first record: %s', async (_, top) => {
  const done = await bench.done(`${program('map(line: string, emit) { if (!counts.has(line)) emit(null, line) },')}\n;${top}\n`, '/in')
  expect(await bench.outputOf(done)).toBe('a\n')
})

test('a chain of callbacks without delay is followed to its end', async () => {
  const done = await bench.done(program(`map(line: string) {
    let left = 2_000
    const step = () => { if (left-- > 0) setImmediate(step); else add(line) }
    step()
  },\n${emitting}`), '/in')
  expect((await bench.outputOf(done)).split('\n').sort()).toEqual(['', 'a 1', 'b 2'])
})

test('what serves the whole task is not waited for; what may not is named in the log', async () => {
  const done = await bench.done(program(`
    setup() {
      counts = new Map()
      const helper = spawn('cat')
      const worker = new Worker('require("node:worker_threads").parentPort.on("message", () => {})', { eval: true })
      const ticks = setInterval(() => {}, 100)
      setTimeout(() => {}, 50_000)
      this.stop = () => { helper.kill(); clearInterval(ticks); return worker.terminate() }
    },
    map(line: string) { add(line); setTimeout(() => {}, 60_000) },
    async teardown(emit) { await this.stop(); for (const [line, count] of counts) emit(null, line + ' ' + count) },
  `), '/in')
  expect(await bench.outputOf(done)).toBe('a 1\nb 2\n')
  const told = (await bench.log(done.work.attempt)).match(/the task did not wait for .*?;/g)
  expect(told).toEqual([
    'the task did not wait for a process that setup has started;', 'the task did not wait for a worker thread that setup has started;',
    'the task did not wait for a timer of 50.0 s that setup has started;', 'the task did not wait for a timer of 1m 00s that map has started;',
  ])
})

test('a request that does not end fails the attempt, with the line that has started it', async () => {
  const { cause, failure } = await bench.fails(program(`map(line: string) {
    if (line === 'a') fs.open(process.env.TMPDIR + '/pipe', () => add(line))
  },\nasync setup() { const { execFileSync } = await import('node:child_process'); execFileSync('mkfifo', [process.env.TMPDIR + '/pipe']) },\n${emitting}`), '/in')
  expect([cause, failure.message]).toEqual(['program', expect.stringMatching(
    /^a request to the disk that map has started has not ended 10\.0 s after map had returned, and teardown may read what it leaves; await it/,
  )])
  expect(failure.stack).toMatch(/program\.ts:\d+:/)
})
