// Replies that functions of a program do not await, over connections that another function, another task or the module has opened, and
// counts that come late. In executor processes, with a server of this process.

import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import net, { type AddressInfo } from 'node:net'
import tls from 'node:tls'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { Bench } from './kit.ts'

// Tests that wait for the time limits of the executor wait together.
vi.setConfig({ maxConcurrency: 6 })

let bench: Bench
/** Replies after `ms` with `bytes` bytes, the head at once if `early`; never if `ms` is 0. */
const web = http.createServer((request, response) => {
  const query = new URL(request.url!, 'http://x').searchParams
  if (query.has('early')) response.flushHeaders()
  const ms = Number(query.get('ms'))
  if (ms > 0) setTimeout(() => response.end(query.get('say')!.padEnd(Number(query.get('bytes')))), ms)
})
/** Replies to each line `<ms> <word>` with the word, after that time. */
const answer = (socket: net.Socket): void => {
  socket.on('error', () => {}).on('data', bytes => {
    for (const line of String(bytes).trim().split('\n')) {
      const [ms, word] = line.split(' ')
      if (ms !== '0') setTimeout(() => socket.write(`${word}\n`), Number(ms))
    }
  })
}
const lines = net.createServer(answer)
/** The same over TLS, with a shared key: no certificate is needed. */
const secure = tls.createServer({ pskCallback: () => Buffer.alloc(16, 1), ciphers: 'PSK', maxVersion: 'TLSv1.2' }, answer)
const second = http2.createServer((request, response) => { response.end(request.headers[':path'] ?? '') })

beforeAll(async () => {
  for (const server of [web, lines, secure, second]) await once(server.listen(0, '127.0.0.1'), 'listening')
  bench = await Bench.start({ datanodes: 1, prestart: true, slots: 6 })
  await bench.file('/in', 'a\nb\n')
  // A connection that is kept has to be the one that serves it.
  await bench.file('/one', 'a\n')
})
afterAll(async () => {
  await bench[Symbol.asyncDispose]()
  web.closeAllConnections()
  for (const server of [web, lines, secure, second]) server.close()
})

const portOf = (server: net.Server): number => (server.address() as AddressInfo).port

const program = (parts: string, top = ''): string => `import { mapReduce } from 'gristmill'
import { exec, spawn } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import http2 from 'node:http2'
import net from 'node:net'
import tls from 'node:tls'
import { Worker } from 'node:worker_threads'
let got: string[] = []
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
const url = (ms: number, say: string, more = '') => 'http://' + '127.0.0.1:${portOf(web)}/?ms=' + ms + '&say=' + say + more
const get = (ms: number, say: string, done: (said: string) => void) =>
  http.get(url(ms, say), { agent }, reply => { let said = ''; reply.on('data', part => said += part).on('end', () => done(said)) })
/** A client of a server of lines, as those of databases: its callbacks run in the callback of its connection. */
const client = (socket: net.Socket = net.connect(${portOf(lines)}, '127.0.0.1')) => {
  const waiting: ((word: string) => void)[] = []
  socket.on('data', bytes => { for (const word of String(bytes).trim().split('\\n')) waiting.shift()!(word) })
  return { socket, ask: (ms: number, word: string, done: (said: string) => void) => { waiting.push(done); socket.write(ms + ' ' + word + '\\n') } }
}
const secure = () => tls.connect({
  port: ${portOf(secure)}, host: '127.0.0.1', ciphers: 'PSK', maxVersion: 'TLSv1.2', checkServerIdentity: () => undefined,
  pskCallback: () => ({ psk: Buffer.alloc(16, 1), identity: 'x' }),
})
const session = () => http2.connect('http://' + '127.0.0.1:${portOf(second)}')
const echo = (ms: number) => new Worker(
  'const p = require("node:worker_threads").parentPort; p.on("message", m => setTimeout(() => p.postMessage(m), ' + ms + '))', { eval: true },
)
${top}
export default mapReduce({
  ${parts}
})
`
const emitting = 'teardown(emit) { for (const word of got.sort()) emit(null, word) },'

test.each<[string, string, string, string]>([
  [
    'fetch, with a connection that setup has opened', '', 'async setup() { got = []; await (await fetch(url(1, "x"))).text() },',
    'fetch(url(700, line)).then(r => r.text()).then(said => got.push(said))',
  ],
  [
    'fetch, whose reply begins at once and ends later', '', 'async setup() { got = []; await (await fetch(url(1, "x"))).text() },',
    'fetch(url(2_500, line, "&early")).then(r => r.text()).then(said => got.push(said))',
  ],
  [
    'requests that wait for the connection of an agent of the module', '', 'setup() { got = [] },',
    'get(700, line, said => got.push(said))',
  ],
  [
    'a client of the module', 'const db = client()', 'setup() { got = [] },', 'db.ask(300, line, said => got.push(said))',
  ],
  [
    'a client over TLS', 'let db: any',
    'setup() { got = []; db = client(secure()); return new Promise(done => db.ask(1, "x", done)) },',
    'db.ask(300, line, (said: string) => got.push(said))',
  ],
  [
    'a stream of HTTP/2', 'const two = session()', 'setup() { got = [] },',
    'two.request({ ":path": "/" + line }).on("data", part => got.push(String(part).slice(1)))',
  ],
  [
    'a client of setup whose callbacks read files', 'let db: any',
    'setup() { got = []; db = client(); return new Promise(done => db.ask(1, "x", done)) },',
    'db.ask(200, line, (said: string) => fs.readFile("/proc/version", () => setTimeout(() => fs.stat("/", () => got.push(said)), 50)))',
  ],
  [
    'a queue that an interval of setup works off', 'const queue: (() => void)[] = []',
    'setup() { got = []; setInterval(() => { for (const go of queue.splice(0)) go() }, 10) },',
    'queue.push(() => setTimeout(() => got.push(line), 200)); return new Promise<void>(done => setTimeout(done, 60))',
  ],
  [
    'a process that leaves another one behind, which goes on writing', '', 'setup() { got = [] },',
    'exec("(sleep 1; echo " + line + ") &", (_, text) => { got.push(text.trim()) })',
  ],
  ['a pause between two tries', '', 'setup() { got = [] },', 'setTimeout(() => got.push(line), 1_200)'],
  [
    'a thread', '', 'setup() { got = [] },',
    'const worker = echo(200); worker.on("message", said => { got.push(said); worker.terminate() }); worker.postMessage(line)',
  ],
])('what map asks for and does not await is counted by teardown: %s', async (_, top, setup, body) => {
  const [path, said] = body.startsWith('fetch') ? ['/one', 'a\n'] : ['/in', 'a\nb\n']
  const done = await bench.done(program(`${setup}\nmap(line: string) { ${body} },\n${emitting}`, top), path)
  expect(await bench.outputOf(done)).toBe(said)
  expect(await bench.log(done.work.attempt)).toBe('')
})

test.concurrent.each<[string, string, RegExp]>([
  ['map', 'map: () => new Promise<void>(() => {}),', /at map \(program\.ts:\d+:\d+\)/],
  ['setup', 'setup: () => new Promise<void>(() => {}), map() {},', /at setup \(program\.ts:\d+:\d+\)/],
])('a promise of %s that nothing can settle is named in the log, with the line of the function', async (name, parts, place) => {
  const work = await bench.work(program(parts), '/one')
  const ended = bench.run(work)
  await expect.poll(() => bench.log(work.attempt), { timeout: 240_000, interval: 500 })
    .toMatch(new RegExp(`^Note: ${name} has waited for 10\\.0 s for a promise, and .*\\n {4}${place.source}\\n$`))
  bench.runner().kill(work.attempt)
  expect(await ended).toMatchObject({ kind: 'failed', cause: 'killed' })
})

test('a connection of an earlier task serves a later one, which waits for its replies', async () => {
  const text = program(`async setup() { got = []; if (!(globalThis as any).warm) { (globalThis as any).warm = true; await (await fetch(url(1, "x"))).text() } },
    map(line: string) { fetch(url(400, line)).then(r => r.text()).then(said => got.push(said)) },\n${emitting}`)
  for (const job of ['once', 'once']) expect(await bench.outputOf(await bench.done(text, '/one', { job }))).toBe('a\n')
  await bench.runner().forget('once' as never)
})

test.concurrent('a reply that setup does not await is there before the first record, also after more than five seconds', async () => {
  const done = await bench.done(program(`setup() { fetch(url(6_000, 'x')).then(r => r.text()).then(said => { got = [said] }) },
    map(line: string, emit) { emit(null, line + got) },`), '/in')
  expect(await bench.outputOf(done)).toBe('ax\nbx\n')
})

test.concurrent.each<[string, string, RegExp]>([
  ['a request', 'fetch(url(0, line)).catch(() => {})', /^an HTTP request that map has started has not ended 10\.0 s after map had returned/],
  ['a line', 'db.ask(0, line, (said: string) => got.push(said))', /^no reply has come over a connection that the program has written to 10\.0 s after map/],
  ['a chain of timers', 'const next = () => { setTimeout(next, 500) }; next()', /^a timer of 500 ms that map has started has not ended 10\.0 s after/],
  ['a thread', 'echo(1)', /^a worker thread that map has started has not ended 10\.0 s after map had returned.*unref\(\)/],
  ['a process', 'spawn("sleep", ["600"])', /^a process that map has started has not ended 10\.0 s after map had returned.*unref\(\)/],
])('what map has started fails the attempt if it does not end, with its line: %s', async (_, body, message) => {
  const before = body.includes('db.') ? 'setup() { return new Promise(done => db.ask(1, "x", done)) },' : ''
  const text = program(`${before}\nmap(line: string) { ${body} },\n${emitting}`, 'const db = client()')
  const { cause, failure } = await bench.fails(text, '/in')
  expect([cause, failure.message]).toEqual(['program', expect.stringMatching(message)])
  expect(failure.stack).toMatch(/program\.ts:\d+:/)
})

test.concurrent('a connection that only sends is waited for once, named, and fails nothing', async () => {
  const done = await bench.done(program('map(line: string, emit) { socket.write("0 " + line + "\\n"); emit(null, line) },', `const socket = net.connect(${portOf(lines)}, '127.0.0.1')`), '/in')
  expect(await bench.outputOf(done)).toBe('a\nb\n')
  expect(await bench.log(done.work.attempt)).toMatch(/^Note: .* connection/)
})

test('processes and threads that setup has started and that run on are named in the log when the first record is read', async () => {
  const done = await bench.done(program(`
    setup() { exec('sleep 600', (_, text) => { got = [text] }); echo(1) },
    map(line: string, emit) { emit(null, line + got) },
  `), '/in')
  expect(await bench.outputOf(done)).toBe('a\nb\n')
  expect(await bench.log(done.work.attempt)).toMatch(new RegExp(
    '^Note: the task did not wait for a process that setup has started; if map needs what it leaves, await it\\n {4}at setup \\(program\\.ts:\\d+:\\d+\\)\\n'
    + 'Note: the task did not wait for a worker thread that setup has started; if map needs what it leaves, await it\\n(?: {4}at .*\\n)*'
    + ' {4}at setup \\(program\\.ts:\\d+:\\d+\\)\\n$',
  ))
})

test('connections that are kept and threads that serve all tasks are neither waited for nor named', async () => {
  const text = program(`
    async setup() {
      got = []
      await (await fetch(url(1, 'x'))).text()
      await Promise.all([db, safe].map(each => new Promise(done => each.ask(1, 'x', done))))
    },
    async map(line: string) {
      const head = await fetch(url(1, line, '&bytes=5000000'))
      if (!head.ok) throw new Error('no')
      await Promise.all([db, safe].map(each => new Promise(done => each.ask(1, line, done))))
      await new Promise(done => get(1, line, done))
      await new Promise(done => two.request({ ':path': '/' + line }).on('data', () => {}).on('end', done))
      got.push(await new Promise<string>(done => { worker.once('message', done); worker.postMessage(line) }))
    },\n${emitting}`, 'const db = client()\nclient()\nconst safe = client(secure())\nconst two = session()\nconst worker = echo(1)\nworker.unref()\nnew WebSocket("ws://127.0.0.1:1").onerror = () => {}')
  for (const job of ['kept', 'kept']) {
    const done = await bench.done(text, '/in', { job })
    expect(await bench.outputOf(done)).toBe('a\nb\n')
    expect(await bench.log(done.work.attempt)).not.toMatch(/connection|request|reply/)
  }
  await bench.runner().forget('kept' as never)
})

test.each<[string, string, string]>([
  ['a request over a connection that is kept', '', 'get(300, line, () => counter("seen"))'],
  ['a line of a client of the module', 'const db = client()', 'db.ask(300, line, () => counter("seen"))'],
  ['a thread of the module', 'const worker = echo(300)\nconst queue: (() => void)[] = []\nworker.on("message", () => queue.shift()!())', 'queue.push(() => counter("seen")); worker.postMessage(line)'],
  ['an unref timer', '', 'setTimeout(() => counter("seen"), 300).unref()'],
])('a count that map does not await is waited for: %s', async (_, top, body) => {
  const done = await bench.done(program(`map(line: string, emit, { counter }) { emit(null, line); ${body} },`, top), '/in')
  expect(done.counters).toMatchObject({ 'user.seen': 2 })
})

test('a count after the end of its task fails the task that runs then, with the line, even if the program catches the error', async () => {
  const job = 'counts'
  const text = program(`async map(line: string, emit, context) {
    if (kept) { try { kept.counter('late') } catch {} await new Promise(resolve => setTimeout(resolve, 600_000)) }
    kept ??= context
    emit(null, line)
  },`, 'let kept: any')
  await bench.file('/one', 'a\n')
  await bench.done(text, '/one', { job })
  const { cause, failure } = await bench.fails(text, '/one', { job })
  await bench.runner().forget(job as never)
  expect([cause, failure.message]).toEqual(['program', expect.stringMatching(/^the counter "late" was raised after the task had ended; await/)])
  expect(failure.stack).toMatch(/program\.ts:\d+:/)
})
