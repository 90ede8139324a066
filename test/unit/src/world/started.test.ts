// Tracking of asynchronous work that a program starts, in this process: every type of Node's resources is tracked or known not to need it,
// with the stack and job that started it.

import { AsyncLocalStorage } from 'node:async_hooks'
import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { trackedTypes, watchStarted } from '../../../../src/world/started.ts'

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
      what: 'a timer', kind: 'timer', afterMs: 80_000, repeats: false, fired: false, idle: false, unref: false, earlier: false,
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

test('live work of an earlier task stays tracked, and what it starts in a later task is earlier work as well', async () => {
  started.begin('first')
  let made: NodeJS.Timeout | undefined
  const first = started.call(() => setInterval(() => { made ??= setTimeout(() => {}, 90_000) }, 5))
  started.begin('second')
  const second = started.call(() => setTimeout(() => {}, 60_000))
  await expect.poll(() => made).toBeDefined()
  expect(started.pending().map(({ afterMs, earlier }) => [afterMs, earlier])).toEqual([[5, true], [60_000, false], [90_000, true]])
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
