// Tracking of asynchronous work that a program starts, in this process: every type of Node's resources is tracked or known not to need it,
// with the stack and job that started it.

import { AsyncLocalStorage } from 'node:async_hooks'
import { execFileSync, spawn } from 'node:child_process'
import { pbkdf2, randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import net, { type AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import type { StartedWork } from '../../../../src/ports/started.ts'
import { trackedTypes, watchStarted } from '../../../../src/world/started.ts'

// As in executors.
Error.stackTraceLimit = 50
const started = watchStarted()
started.begin('job')
const later = (ms: number): Promise<void> => new Promise(resolve => { setTimeout(resolve, ms) })

/** Types of Node's asynchronous resources that are not tracked, by the reason. */
const untracked = {
  'seen through a tracked resource that they belong to': [
    'HTTP2SESSION', 'HTTP2STREAM', 'HTTP2PING', 'HTTP2SETTINGS', 'HTTPINCOMINGMESSAGE', 'HTTPCLIENTREQUEST', 'TLSWRAP', 'WRITEWRAP',
    'SHUTDOWNWRAP', 'STREAMPIPE', 'JSSTREAM', 'JSUDPWRAP', 'DIRHANDLE', 'DNSCHANNEL', 'FILEHANDLE', 'HEAPSNAPSHOT', 'WORKERCPUPROFILE',
    'WORKERCPUUSAGE', 'WORKERHEAPPROFILE', 'WORKERHEAPSNAPSHOT', 'WORKERHEAPSTATISTICS',
  ],
  'their callbacks come from outside of the process': ['SIGNALWRAP', 'SIGINTWATCHDOG', 'TTYWRAP'],
  'not tracked, or without callbacks': ['NONE', 'PROMISE', 'ELDHISTOGRAM'],
  'a lock waits for its holder, whose work is tracked': ['LOCKS'],
  'behind a flag of Node that executors are started without': [
    'QUIC_ENDPOINT', 'QUIC_LOGSTREAM', 'QUIC_SESSION', 'QUIC_STREAM', 'QUIC_UDP',
  ],
}

test('every type of asynchronous resource that this Node has is tracked, or is known not to need it', () => {
  const print = `Object.keys(require('internal/test/binding').internalBinding('async_wrap').Providers).join()`
  const types = execFileSync(process.execPath, ['--no-warnings', '--expose-internals', '-p', print], { encoding: 'utf8' }).trim().split(',')
  expect(types).toContain('WORKER')
  const known = new Set([...trackedTypes, ...Object.values(untracked).flat()])
  expect(types.filter(type => !known.has(type))).toEqual([])
})

test('work that a call starts is listed with its stack, and so is what its callbacks start; other work is not', async () => {
  const other = setTimeout(() => {}, 70_000)
  let timer: NodeJS.Timeout | undefined
  started.call(() => setTimeout(function begun() { timer = setTimeout(() => {}, 80_000) }, 1))
  await expect.poll(() => timer).toBeDefined()
  expect(started.pending().filter(({ afterMs }) => afterMs >= 70_000)).toEqual([
    {
      what: 'a timer', kind: 'timer', afterMs: 80_000, repeats: false, fired: false, asked: false, heard: false, idle: false, unref: false,
      earlier: false,
      begun: expect.any(Error),
    },
  ])
  expect(started.pending().find(({ afterMs }) => afterMs === 80_000)?.begun.stack).toContain('started.test.ts')
  for (const each of [other, timer]) clearTimeout(each)
  await later(0)
  expect(started.pending()).toEqual([])
})

test('an interval has fired when it has called back since the mark, however much time has passed', async () => {
  let calls = 0
  const timer = started.call(() => setInterval(() => { calls++ }, 5))
  const until = performance.now() + 50
  while (performance.now() < until);
  expect(started.pending()).toMatchObject([{ fired: false, repeats: true }])
  await expect.poll(() => calls).toBeGreaterThan(0)
  expect(started.pending()).toMatchObject([{ fired: true }])
  started.mark()
  expect(started.pending()).toMatchObject([{ fired: false }])
  clearInterval(timer)
})

test('live work of an earlier task stays tracked, and what its callbacks start in a later task is work of the later one', async () => {
  started.begin('first')
  let made: NodeJS.Timeout | undefined
  const first = started.call(() => setInterval(() => { made ??= setTimeout(() => {}, 90_000) }, 5))
  started.begin('second')
  const second = started.call(() => setTimeout(() => {}, 60_000))
  await expect.poll(() => made).toBeDefined()
  expect(started.pending().map(({ afterMs, earlier }) => [afterMs, earlier])).toEqual([[5, true], [60_000, false], [90_000, false]])
  for (const each of [first, second, made]) clearTimeout(each)
})

test('the job whose code runs is known in its functions and callbacks, and nowhere else', async () => {
  started.begin('first')
  const seen: unknown[] = []
  started.call(() => { setTimeout(() => seen.push(started.job), 10) })
  started.begin('second')
  started.call(() => seen.push(started.job))
  seen.push(started.job)
  await expect.poll(() => seen).toEqual(['second', undefined, 'first'])
})

test('ports are seen until they are closed', async () => {
  expect(started.unseen).toBe(false)
  const { port1 } = started.call(() => new MessageChannel())
  expect(started.unseen).toBe(true)
  started.begin('next')
  expect(started.unseen).toBe(true)
  port1.close()
  await expect.poll(() => started.unseen).toBe(false)
})

test('an asynchronous context of the program itself does not hide its work', () => {
  const own = new AsyncLocalStorage<number>()
  const timer = started.call(() => own.run(1, () => setTimeout(() => {}, 50_000)))
  expect(started.pending()).toMatchObject([{ afterMs: 50_000 }])
  clearTimeout(timer)
})

const told = (): string[] => started.pending().map(({ what, kind, asked, idle, unref }: StartedWork) =>
  [what, kind === 'stream' && (asked ? 'asked' : idle ? 'idle' : 'lately read'), unref && 'unref'].filter(Boolean).join(' '))

/** A server that replies to each `data` when the test says so. */
async function lateServer() {
  const replies: ((text: string) => void)[] = []
  const server = net.createServer(socket => {
    socket.on('error', () => {}).on('data', () => { replies.push(text => { socket.write(text) }) })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async reply(text: string) {
      await expect.poll(() => replies.length).toBe(1)
      replies.pop()!(text)
    },
    close: () => { server.close() },
  }
}

const urlOf = (port: number): string => Object.assign(new URL('http://localhost'), { hostname: '127.0.0.1', port }).href
const page = (body: string): string => `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`

test('a connection is asked from the first byte that is written until its reply, in the part that has written, also if an earlier one opened it', async () => {
  const server = await lateServer()
  started.begin('opens')
  const socket = started.call(() => net.connect(server.port, '127.0.0.1'))
  await once(socket, 'connect')
  expect(told()).toEqual(['a connection idle'])
  started.begin('asks')
  socket.write('?')
  expect(told()).toEqual(['a connection asked'])
  started.mark()
  const read = once(socket, 'data')
  await server.reply('!')
  await read
  expect(told()).toEqual(['a connection lately read'])
  for (let look = 0; look < 50; look++) started.pending()
  expect(told()).toEqual(['a connection idle'])
  socket.write('?')
  expect(told()).toEqual(['a connection asked'])
  started.begin('next')
  expect(told()).toEqual(['a connection idle'])
  const closed = once(socket, 'close')
  socket.destroy()
  await closed
  server.close()
})

test('a connection of an agent that is used again is busy until its reply, and idle afterwards', async () => {
  const server = await lateServer()
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  started.begin('agent')
  const ask = (): Promise<void> => started.call(() => new Promise(done => {
    http.get({ port: server.port, host: '127.0.0.1', agent }, reply => { reply.resume().on('end', done) })
  }))
  for (let time = 0; time < 2; time++) {
    const asked = [ask(), ask()]
    await expect.poll(told).toEqual(['an HTTP request', 'an HTTP request', 'a connection asked'])
    for (let each = 0; each < 2; each++) await server.reply(page('x'))
    await Promise.all(asked)
    // It is unref'd by the agent, and idle after some looks.
    for (let look = 0; look < 50; look++) started.pending()
    await expect.poll(told).toEqual([])
    started.begin('agent')
  }
  agent.destroy()
  server.close()
})

test('fetch is a request until the head of its reply, then a reply; a body that is not read is neither', async () => {
  const server = await lateServer()
  started.begin('fetch')
  const asked = started.call(async () => fetch(urlOf(server.port)))
  expect(told()[0]).toBe('an HTTP request')
  expect(started.pending()[0]!.begun.stack).toContain('started.test.ts')
  await server.reply('HTTP/1.1 200 OK\r\ncontent-length: 5000000\r\n\r\n' + 'x'.repeat(10))
  const head = await asked
  expect(told()).toContain('a reply over HTTP')
  await head.body!.cancel()
  await expect.poll(told).toEqual([])
  server.close()
})

test('a request over HTTP/2 is told until its stream ends, also when its session has replied to something else', async () => {
  const waiting: http2.ServerHttp2Stream[] = []
  const server = http2.createServer().on('stream', stream => { waiting.push(stream) }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  started.begin('http2')
  const session = started.call(() => http2.connect(urlOf((server.address() as AddressInfo).port)))
  await new Promise(done => { session.ping(done) })
  const stream = started.call(() => session.request({ ':path': '/' }))
  await expect.poll(() => waiting.length).toBe(1)
  await new Promise(done => { session.ping(done) })
  expect(told()[0]).toBe('an HTTP request')
  const replied = once(stream, 'response')
  waiting[0]!.respond()
  await replied
  expect(told()[0]).toBe('a reply over HTTP')
  waiting[0]!.end()
  stream.resume()
  await once(stream, 'close')
  expect(told().join()).not.toContain('HTTP')
  const closed = once(session, 'close')
  session.destroy()
  await closed
  server.close()
  await expect.poll(told).toEqual([])
})

test('cryptography that calls back is work; that which has returned its result is not', async () => {
  started.begin('cryptography')
  started.call(() => { randomBytes(8); randomUUID({ disableEntropyCache: true }) })
  expect(told()).toEqual([])
  let hashed = 0
  started.call(() => {
    pbkdf2('a', 'b', 1, 8, 'sha1', () => { hashed++ })
    void crypto.subtle.digest('SHA-1', new Uint8Array(3)).then(() => { hashed++ })
  })
  expect(told()).toEqual(['cryptography', 'cryptography'])
  await expect.poll(() => hashed).toBe(2)
  expect(told()).toEqual([])
})

test('the input of a child that has been written to is not asked: what it replies comes in another way', async () => {
  started.begin('child')
  const child = started.call(() => spawn('sleep', ['600']))
  child.stdin.write('a line')
  expect(told().toSorted()).toEqual(['a pipe idle', 'a pipe idle', 'a pipe idle', 'a process'])
  child.kill()
  await once(child, 'close')
  await expect.poll(told).toEqual([])
})
