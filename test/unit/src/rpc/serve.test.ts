// Server of messages on loopback sockets, called by members of the cluster: handlers, schemas, limits, overload, draining, health, metrics
// and audit.

import Type from 'typebox'
import { describe, expect, test } from 'vitest'
import { GristmillError } from '../../../../src/base/errors.ts'
import { address, requestId as id } from '../../../../src/base/ids.ts'
import { requestId } from '../../../../src/protocol/fields.ts'
import { message } from '../../../../src/protocol/message.ts'
import type { Log, LogFields } from '../../../../src/ports/log.ts'
import { silent } from '../../../../src/ports/log.ts'
import { Authenticator, Credentials } from '../../../../src/rpc/auth.ts'
import type { AuditEntry } from '../../../../src/ports/audit.ts'
import { Registry } from '../../../../src/rpc/metrics.ts'
import { scopedId } from '../../../../src/rpc/repeats.ts'
import { route, serve } from '../../../../src/rpc/serve.ts'
import { systemClock } from '../../../../src/world/clock.ts'
import { systemRandom } from '../../../../src/world/random.ts'
import { onAbort } from '../../../kit/abort.ts'
import { eachClosesItsServers, echo, echoRoute, here, secret, small, start, wait, work } from './serverkit.ts'

eachClosesItsServers()

test('a message is answered by its handler, synchronous or not, on behalf of its user', async () => {
  const { caller, at } = await start([echoRoute, route(work, async (_, context) => ({ requestId: String(context.requestId) }))])
  expect(await caller.call(at, echo, { text: 'grüße' })).toEqual({ text: 'grüße', user: 'ann' })
  expect(await caller.call(at, work, { requestId: id('c:1') })).toEqual({ requestId: scopedId(work.name, 'ann', id('c:1')) })
})

test('a repeat of a mutation that is under way is answered with it, and the same id of another user or message is another request', async () => {
  const rooms = Promise.withResolvers<void>()
  const asked: string[] = []
  const more = message('test.more', {
    callers: 'node',
    request: Type.Object({ requestId }), reply: Type.Object({ requestId: Type.String() }), mutation: true, paths: 'unchecked',
  })
  const answer = async ({ requestId: own }: { requestId: string }): Promise<{ requestId: string }> => {
    asked.push(own)
    if (asked.length === 3) rooms.resolve()
    await rooms.promise
    return { requestId: own }
  }
  const { post } = await start([route(work, answer), route(more, answer)])
  const body = JSON.stringify({ requestId: 'c:1' })
  const bob = new Credentials({ secret, user: 'bob', cluster: 'c1', clock: systemClock, random: systemRandom() })
  const answers = await Promise.all([
    post(work.path, body), post(work.path, body), post(more.path, body), post(work.path, body, bob.bearer()),
  ])
  expect(new Set(asked).size).toBe(asked.length)
  const ids = answers.map(each => each.body['requestId'])
  expect(ids[1]).toBe(ids[0])
  expect(new Set(ids).size).toBe(3)
})

test('replies hold what their schema says and nothing else', async () => {
  const { caller, at } = await start([route(echo, () => ({ text: 'a', user: 'b', password: 'secret' }) as never)])
  expect(await caller.call(at, echo, { text: '' })).toEqual({ text: 'a', user: 'b' })
})

test('an error of a handler comes out of the call as it was thrown', async () => {
  const { caller, at } = await start([route(echo, ({ text }) => {
    const error = new GristmillError('ENOENT', 'no file /a', { details: { path: '/a' }, cause: new Error('inner') })
    if (text === 'sync') throw error
    return Promise.reject(error)
  })])
  for (const text of ['sync', 'async']) {
    const error = await caller.call(at, echo, { text }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(GristmillError)
    expect(error).toMatchObject({ code: 'ENOENT', message: 'no file /a', details: { path: '/a' }, status: 404 })
  }
})

test('a bug of a handler is INTERNAL: the caller learns nothing, the log everything', async () => {
  const lines: Array<{ message: string; fields: LogFields | undefined }> = []
  const log: Log = { ...silent, error: (text, fields) => { lines.push({ message: text, fields }) } }
  const bug = new TypeError('undefined is not a secret')
  const { caller, at, post } = await start([route(echo, () => { throw bug })], { log })
  await expect(caller.call(at, echo, { text: '' })).rejects.toMatchObject({
    code: 'INTERNAL',
    message: expect.not.stringContaining('secret') as string,
  })
  const raw = JSON.stringify((await post(echo.path, '{"text":""}')).body)
  expect(raw).not.toContain('secret')
  expect(raw).not.toContain('serve.test')
  expect(lines[0]?.fields?.error).toBe(bug)
  const thrownText = await start([route(echo, () => { throw 'text' as never })])
  await expect(thrownText.caller.call(thrownText.at, echo, { text: '' })).rejects.toMatchObject({ code: 'INTERNAL' })
})

describe('requests that do not fit the schema or limits are refused', () => {
  test.each([
    ['a missing field', '{}', 'EINVAL', 400],
    ['a number for a string, which is not turned into one', '{"text":7}', 'EINVAL', 400],
    ['a string for a number, which is not turned into one', '{"text":"","count":"7"}', 'EINVAL', 400],
    ['no JSON', '{"text":', 'EINVAL', 400],
    ['an empty body', '', 'EINVAL', 400],
    ['a poisoned key', '{"text":"","__proto__":{"a":1}}', 'EINVAL', 400],
    ['deep nesting', `{"text":"","x":${'['.repeat(20_000)}${']'.repeat(20_000)}}`, 'EINVAL', 400],
    ['a body over the limit', JSON.stringify({ text: 'x'.repeat(5 << 20) }), 'TOO_LARGE', 413],
  ])('%s', async (_, body, code, status) => {
    const { post } = await start([echoRoute])
    const answer = await post(echo.path, body)
    expect(answer.status).toBe(status)
    expect(answer.body.error?.code).toBe(code)
  })

  test('a body over the limit of its own message', async () => {
    const { post } = await start([route(small, () => ({}))])
    expect((await post(small.path, JSON.stringify({ text: 'x'.repeat(50) }))).status).toBe(200)
    expect((await post(small.path, JSON.stringify({ text: 'x'.repeat(100) }))).body.error?.code).toBe('TOO_LARGE')
  })

  test('another content type, so that no web page can send one without asking', async () => {
    const { post } = await start([echoRoute])
    expect((await post(echo.path, '{"text":""}', { 'content-type': 'text/plain' })).body.error?.code).toBe('EINVAL')
  })

  test('a path that is not served is EINVAL: it never looks like a missing file', async () => {
    const { post } = await start([echoRoute])
    expect(await post('/v1/nothing', '{}')).toMatchObject({ status: 400, body: { error: { code: 'EINVAL' } } })
  })
})

test('bodies that wait for their answers are bounded together, in bytes; small ones and the first one are always taken', async () => {
  const gate = Promise.withResolvers<void>()
  const { caller, at, server } = await start(
    [
      route(echo, async ({ text }, { user }) => {
        await gate.promise
        return { text: text.slice(0, 3), user }
      }),
    ],
    { bodiesBytesMax: 50_000 },
  )
  const ask = (text: string): Promise<{ text: string }> => caller.call(at, echo, { text }, { retry: false })
  const first = ask('1'.repeat(60_000))
  while (server.inFlight() < 1) await systemClock.sleep(2)
  const second = ask('2'.repeat(20_000))
  await expect(second).rejects.toMatchObject({ code: 'OVERLOADED', message: expect.stringContaining('try again') as string })
  const small = ask('3'.repeat(1000))
  while (server.inFlight() < 2) await systemClock.sleep(2)
  gate.resolve()
  expect(await Promise.all([first, small])).toMatchObject([{ text: '111' }, { text: '333' }])
  for (;;) {
    // The space is free once the connection has the reply.
    const again = await ask('4'.repeat(40_000)).catch((error: unknown) => error)
    if (again instanceof GristmillError && again.code === 'OVERLOADED') continue
    expect(again).toMatchObject({ text: '444' })
    break
  }
})

test('more calls than the bound are OVERLOADED; when some are done there is room again', async () => {
  const gate = Promise.withResolvers<void>()
  const { caller, at, server } = await start(
    [
      route(echo, async ({ text }, { user }) => {
        await gate.promise
        return { text, user }
      }),
    ],
    { callsInFlightMax: 2 },
  )
  const first = [caller.call(at, echo, { text: '1' }), caller.call(at, echo, { text: '2' })]
  while (server.inFlight() < 2) await systemClock.sleep(2)
  await expect(caller.call(at, echo, { text: '3' }, { retry: false })).rejects.toMatchObject({ code: 'OVERLOADED' })
  gate.resolve()
  await Promise.all(first)
  expect(server.inFlight()).toBe(0)
  expect(await caller.call(at, echo, { text: '4' })).toMatchObject({ text: '4' })
})

test('a handler that looks at its signal learns that its caller went away, and is no longer counted', async () => {
  const seen = Promise.withResolvers<unknown>()
  const { caller, at, server } = await start([route(echo, (_, context) => new Promise((__, reject) => {
    onAbort(context.signal, () => { seen.resolve(context.signal.reason); reject(context.signal.reason as Error) })
  }))])
  const controller = new AbortController()
  const calling = caller.call(at, echo, { text: '' }, { signal: controller.signal })
  while (server.inFlight() < 1) await systemClock.sleep(2)
  controller.abort()
  await expect(calling).rejects.toMatchObject({ code: 'ABORTED' })
  expect(await seen.promise).toMatchObject({ code: 'ABORTED' })
  while (server.inFlight() > 0) await systemClock.sleep(2)
})

test('a draining server finishes what it has begun, ends waiting calls, and refuses new ones as UNAVAILABLE', async () => {
  const gate = Promise.withResolvers<void>()
  const { caller, at, server, listening, post } = await start([
    route(echo, async ({ text }, { user }) => { await gate.promise; return { text, user } }),
    route(wait, (_, { signal }) => new Promise((__, reject) => { onAbort(signal, () => reject(signal.reason as Error)) })),
  ])
  const begun = caller.call(at, echo, { text: 'begun' })
  const waiting = caller.call(at, wait, {}, { retry: false })
  waiting.catch(() => {})
  while (server.inFlight() < 2) await systemClock.sleep(2)
  server.drain()
  await expect(waiting).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  await expect(caller.call(at, echo, { text: 'new' }, { retry: false })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  expect((await post(echo.path, '{"text":""}')).headers.get('connection')).toBe('close')
  const health = await fetch(`http://${at}/healthz`)
  expect([health.status, await health.json()]).toEqual([503, { status: 'draining' }])
  const closing = listening.close(5_000)
  gate.resolve()
  expect(await begun).toMatchObject({ text: 'begun' })
  await closing
})

test('closing drains: waiting calls are ended at once, long before its grace is over', async () => {
  const { caller, at, server, listening } = await start([
    route(wait, (_, { signal }) => new Promise((__, reject) => { onAbort(signal, () => reject(signal.reason as Error)) })),
  ])
  const waiting = caller.call(at, wait, {}, { retry: false })
  waiting.catch(() => {})
  while (server.inFlight() < 1) await systemClock.sleep(2)
  await listening.close(60_000)
  await expect(waiting).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('going away') as string })
})

test('closing does not wait longer than its grace for a call that never ends', async () => {
  const { caller, at, server, listening } = await start([route(echo, () => new Promise(() => {}))])
  const calling = caller.call(at, echo, { text: '' }, { retry: false })
  calling.catch(() => {})
  while (server.inFlight() < 1) await systemClock.sleep(2)
  await listening.close(30)
  await expect(calling).rejects.toMatchObject({ code: 'UNAVAILABLE' })
})

test('a browser that opens the address is told in one line where the console is', async () => {
  const { at } = await start([])
  const reply = await fetch(`http://${at}/`)
  expect([reply.status, reply.headers.get('content-type')]).toEqual([200, 'text/plain; charset=utf-8'])
  expect(await reply.text()).toMatch(/^[^\n]*"gristmill console"[^\n]*\n$/)
})

test('health tells starting from ready, without a token', async () => {
  let ready = false
  const { at } = await start([], { health: () => (ready ? 'ok' : 'starting') })
  const health = async () => { const answer = await fetch(`http://${at}/healthz`); return [answer.status, await answer.json()] }
  expect(await health()).toEqual([503, { status: 'starting' }])
  ready = true
  expect(await health()).toEqual([200, { status: 'ok' }])
})

test('readiness is told apart from health, and is the same by default', async () => {
  const of = async (at: string, path: string): Promise<unknown[]> => {
    const answer = await fetch(`http://${at}${path}`)
    return [answer.status, await answer.json()]
  }
  const apart = await start([], { ready: () => 'safe mode' })
  expect([await of(apart.at, '/healthz'), await of(apart.at, '/readyz')]).toEqual([[200, { status: 'ok' }], [503, { status: 'safe mode' }]])
  const same = await start([], { health: () => 'starting' })
  expect(await of(same.at, '/readyz')).toEqual([503, { status: 'starting' }])
})

test('metrics count calls by message and code, with their latencies', async () => {
  const { caller, at } = await start([route(echo, ({ text }, { user }) => {
    if (text === 'bad') throw new GristmillError('ENOENT', 'no')
    return { text, user }
  })])
  for (const text of ['a', 'b', 'bad']) await caller.call(at, echo, { text }).catch(() => {})
  const text = await (await fetch(`http://${at}/metrics`)).text()
  expect(text).toContain('gristmill_calls_total{message="test.echo",code="ok"} 2')
  expect(text).toContain('gristmill_calls_total{message="test.echo",code="ENOENT"} 1')
  expect(text).toContain('gristmill_call_seconds_count{message="test.echo"} 3')
  expect(text).toContain('gristmill_call_seconds_bucket{message="test.echo",le="+Inf"} 3')
  expect(text).toContain('gristmill_calls_in_flight 0')
})

test('the audit has an entry for each answered call whose message declares one, also for a failed one', async () => {
  const entries: AuditEntry[] = []
  const shout = message('test.shout', {
    callers: 'user',
    request: Type.Object({ text: Type.String() }), reply: Type.Object({ loud: Type.String() }),
    audit: ({ text }, reply) => ({ text, loud: reply?.loud }),
  })
  const ask = message('test.ask', {
    callers: 'user',
    request: Type.Object({ text: Type.String() }), reply: Type.Object({}), auditRead: ({ text }) => ({ text }),
  })
  const { caller, at } = await start([
    echoRoute,
    route(shout, ({ text }) => {
      if (text === 'bad') throw new GristmillError('EACCES', 'no')
      return { loud: text.toUpperCase() }
    }),
    route(ask, () => ({})),
  ], { audit: entry => entries.push(entry) })
  await caller.call(at, echo, { text: 'unseen' })
  await caller.call(at, shout, { text: 'a' })
  await caller.call(at, shout, { text: 'bad' }).catch(() => {})
  await caller.call(at, ask, { text: 'b' })
  const common = { user: 'ann', address: '127.0.0.1', atMs: expect.any(Number) as number }
  expect(entries).toEqual([
    { ...common, action: 'test.shout', read: false, outcome: 'ok', fields: { text: 'a', loud: 'A' } },
    { ...common, action: 'test.shout', read: false, outcome: 'EACCES', fields: { text: 'bad', loud: undefined } },
    { ...common, action: 'test.ask', read: true, outcome: 'ok', fields: { text: 'b' } },
  ])
})

test('a port that is taken, and an address that is not this machine\'s, are reported as such', async () => {
  const { at, server } = await start([])
  expect(server.http).toBeDefined()
  const auth = new Authenticator({ secret, cluster: 'c1', loopback: true, clock: systemClock })
  const other = () => serve({ routes: [], auth, clock: systemClock, log: silent, registry: new Registry() })
  await expect(here.listen({ http: other().http }, { host: '127.0.0.1', port: Number(at.split(':')[1]) })).rejects.toMatchObject({
    code: 'EADDRINUSE', message: expect.stringContaining(at) as string,
  })
  await expect(here.listen({ http: other().http }, { host: '192.0.2.1', port: 0 })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
})

test('every message of the protocol can be served', async () => {
  const files = ['admin', 'heartbeat', 'job', 'namespace', 'order', 'report', 'task', 'transfer', 'writing']
  const messages = (await Promise.all(files.map(file => import(`../../../../src/protocol/${file}.ts`))))
    .flatMap(module => Object.values(module as object))
    .filter((value): value is typeof echo => typeof value === 'object' && value !== null && 'path' in value && 'reply' in value)
  expect(messages.length).toBeGreaterThan(15)
  await start(messages.map(each => route(each, () => { throw new GristmillError('EINVAL', 'no') })))
  expect(new Set(messages.map(each => each.path)).size).toBe(messages.length)
  expect(address('x')).toBe('x')
})

test('draining does not end a call that changes something, even if its handler looks at its signal', async () => {
  const { server, caller, at } = await start([route(work, async (_, context) => {
    const { signal } = context
    server.drain()
    await new Promise(setImmediate)
    return { requestId: String(signal.aborted) }
  })])
  expect(await caller.call(at, work, { requestId: id('c:9') })).toEqual({ requestId: 'false' })
})
