// Server of messages on loopback sockets: authentication, schemas, limits, overload, draining, metrics and audit. Calls from outside the
// cluster are refused before they cost memory or time.

import net from 'node:net'
import Type from 'typebox'
import { afterEach, describe, expect, test } from 'vitest'
import { GristmillError } from '../../../../src/base/errors.ts'
import { address, requestId as id, type Address } from '../../../../src/base/ids.ts'
import { requestId } from '../../../../src/protocol/fields.ts'
import { message } from '../../../../src/protocol/message.ts'
import type { Log, LogFields } from '../../../../src/ports/log.ts'
import { silent } from '../../../../src/ports/log.ts'
import type { Listening } from '../../../../src/ports/net.ts'
import { Authenticator, bearerOf, Credentials } from '../../../../src/rpc/auth.ts'
import { Caller } from '../../../../src/rpc/call.ts'
import type { AuditEntry } from '../../../../src/ports/audit.ts'
import { Registry } from '../../../../src/rpc/metrics.ts'
import { scopedId } from '../../../../src/rpc/repeats.ts'
import { route, serve, type Route, type ServeOptions, type RpcServer } from '../../../../src/rpc/serve.ts'
import { systemClock } from '../../../../src/world/clock.ts'
import { systemNet } from '../../../../src/world/net.ts'
import { systemRandom } from '../../../../src/world/random.ts'
import { onAbort } from '../../../kit/abort.ts'

const secret = Buffer.from('0123456789abcdef0123456789abcdef')
const here = systemNet(silent)
const cleanup: Array<() => unknown> = []
afterEach(async () => { for (const work of cleanup.splice(0).reverse()) await work() })

const echo = message('test.echo', {
  request: Type.Object({ text: Type.String({ maxLength: 100_000 }), count: Type.Optional(Type.Integer()) }),
  reply: Type.Object({ text: Type.String(), user: Type.String() }),
})
const wait = message('test.wait', { request: Type.Object({}), reply: Type.Object({}), waits: true })
const work = message('test.work', { request: Type.Object({ requestId }), reply: Type.Object({ requestId: Type.String() }), mutation: true })
const small = message('test.small', { request: Type.Object({ text: Type.String() }), reply: Type.Object({}), bodyBytesMax: 100 })

interface Fixture {
  server: RpcServer
  at: Address
  listening: Listening
  caller: Caller
  post(
    path: string, body: string, headers?: Record<string, string>,
  ): Promise<{ status: number; body: { error?: { code: string; message: string } } & Record<string, unknown>; headers: Headers }>
}

async function start(routes: Route[], options: Partial<ServeOptions> & { loopback?: boolean } = {}): Promise<Fixture> {
  const { loopback = true, ...rest } = options
  const auth = new Authenticator({ secret, cluster: 'c1', loopback, clock: systemClock })
  const server = serve({ routes, auth, clock: systemClock, log: silent, registry: new Registry(), checkMs: 50, ...rest })
  const listening = await here.listen({ http: server.http }, { host: '127.0.0.1', port: 0 })
  cleanup.push(() => listening.close(0))
  const credentials = new Credentials({ secret, user: 'ann', cluster: 'c1', clock: systemClock, random: systemRandom() })
  return {
    server, listening, at: listening.address,
    caller: new Caller({ dispatcher: here.dispatcher, credentials, clock: systemClock, random: systemRandom() }),
    async post(path, body, headers = {}) {
      const answer = await fetch(`http://${listening.address}${path}`, {
        method: 'POST', body,
        headers: { 'content-type': 'application/json', ...credentials.bearer(), ...headers },
      })
      return { status: answer.status, body: await answer.json() as never, headers: answer.headers }
    },
  }
}

const echoRoute = route(echo, ({ text }, { user }) => ({ text, user }))

test('a message is answered by its handler, synchronous or not, on behalf of its user', async () => {
  const { caller, at } = await start([echoRoute, route(work, async (_, context) => ({ requestId: String(context.requestId) }))])
  expect(await caller.call(at, echo, { text: 'grüße' })).toEqual({ text: 'grüße', user: 'ann' })
  expect(await caller.call(at, work, { requestId: id('c:1') })).toEqual({ requestId: scopedId(work.name, 'ann', id('c:1')) })
})

test('a repeat of a mutation that is under way is answered with it, and the same id of another user or message is another request', async () => {
  const rooms = Promise.withResolvers<void>()
  const asked: string[] = []
  const more = message('test.more', {
    request: Type.Object({ requestId }), reply: Type.Object({ requestId: Type.String() }), mutation: true,
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

describe('callers outside of the cluster are refused', () => {
  const silentCall = route(echo, () => { throw new Error('the handler must not be reached') })

  test('without a token, with a wrong one, without a user', async () => {
    const { at } = await start([silentCall])
    for (const headers of [
      {},
      { authorization: 'Bearer x', 'x-gristmill-user': 'ann' },
      { authorization: bearerOf(secret) },
      { authorization: bearerOf(Buffer.from('other')), 'x-gristmill-user': 'ann' },
    ]) {
      const answer = await fetch(`http://${at}${echo.path}`, {
        method: 'POST', body: '{"text":""}',
        headers: { 'content-type': 'application/json', ...headers } as Record<string, string>,
      })
      expect(answer.status).toBe(401)
      expect(await answer.json()).toMatchObject({ error: { code: 'UNAUTHENTICATED' } })
    }
  })

  test('before its body is read', async () => {
    const { at } = await start([silentCall])
    const socket = net.connect({ host: '127.0.0.1', port: Number(at.split(':')[1]) })
    cleanup.push(() => socket.destroy())
    socket.write(`POST ${echo.path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n{"text":"`)
    const answer = await new Promise<string>(resolve => socket.once('data', (bytes: Buffer) => resolve(bytes.toString())))
    expect(answer).toContain('401')
  })

  test('for another cluster', async () => {
    const { at } = await start([silentCall])
    const credentials = new Credentials({ secret, user: 'ann', cluster: 'c2', clock: systemClock, random: systemRandom() })
    const stranger = new Caller({ dispatcher: here.dispatcher, credentials, clock: systemClock, random: systemRandom() })
    await expect(stranger.call(at, echo, { text: '' })).rejects.toMatchObject({ code: 'WRONG_CLUSTER' })
  })

  test('a server that other machines can reach wants signatures, and a caller on the same machine finds that out by itself', async () => {
    const { at, caller, post } = await start([echoRoute], { loopback: false })
    expect((await post(echo.path, '{"text":""}')).body.error?.code).toBe('UNAUTHENTICATED')
    // Several at once: all of them are refused before any of them is known.
    const texts = ['ä', 'b', 'c', 'd']
    expect(await Promise.all(texts.map(text => caller.call(at, echo, { text })))).toEqual(texts.map(text => ({ text, user: 'ann' })))
    expect(await caller.call(at, echo, { text: 'again' })).toEqual({ text: 'again', user: 'ann' })
  })

  test('a signed request with another body than the signed one', async () => {
    const { at } = await start([silentCall], { loopback: false })
    const credentials = new Credentials({ secret, user: 'ann', cluster: 'c1', clock: systemClock, random: systemRandom() })
    const headers = { 'content-type': 'application/json', ...credentials.sign({ method: 'POST', path: echo.path, body: '{"text":"a"}' }) }
    const answer = await fetch(`http://${at}${echo.path}`, { method: 'POST', body: '{"text":"b"}', headers })
    expect(await answer.json()).toMatchObject({ error: { code: 'UNAUTHENTICATED' } })
  })

  test('no answer invites other origins', async () => {
    const { post } = await start([echoRoute])
    const { headers } = await post(echo.path, '{"text":""}', { origin: 'http://evil.example' })
    expect([...headers.keys()].filter(name => name.startsWith('access-control'))).toEqual([])
  })
})

test('an Upgrade request is judged like a call', async () => {
  const { server } = await start([])
  const credentials = new Credentials({ secret, user: 'ann', cluster: 'c1', clock: systemClock, random: systemRandom() })
  expect(server.admit({ path: '/w', headers: credentials.sign({ method: 'GET', path: '/w', body: '' }) })).toMatchObject({
    identity: { user: 'ann' },
  })
  expect(server.admit({ path: '/w', headers: credentials.bearer() })).toMatchObject({ identity: { user: 'ann' } })
  expect(server.admit({ path: '/w', headers: credentials.sign({ method: 'GET', path: '/w', body: 'x' }) })).toMatchObject({
    refuse: { code: 'UNAUTHENTICATED' },
  })
  expect(server.admit({ path: '/w', headers: {} })).toMatchObject({ refuse: { status: 401, code: 'UNAUTHENTICATED' } })
  server.drain()
  expect(server.admit({ path: '/w', headers: credentials.bearer() })).toMatchObject({ refuse: { status: 503, code: 'UNAVAILABLE' } })
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

test('health tells starting from ready, without a token', async () => {
  let ready = false
  const { at } = await start([], { ready: () => ready })
  const health = async () => { const answer = await fetch(`http://${at}/healthz`); return [answer.status, await answer.json()] }
  expect(await health()).toEqual([503, { status: 'starting' }])
  ready = true
  expect(await health()).toEqual([200, { status: 'ok' }])
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
    request: Type.Object({ text: Type.String() }), reply: Type.Object({ loud: Type.String() }),
    audit: ({ text }, reply) => ({ text, loud: reply?.loud }),
  })
  const ask = message('test.ask', {
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

test.each([
  ['sends nothing', ''],
  ['sends half a head', `POST ${echo.path} HTTP/1.1\r\nhost: x\r\n`],
])('a connection that %s is closed after a while', async (_, text) => {
  const { at } = await start([echoRoute], { headersMs: 100, requestMs: 200 })
  const socket = net.connect({ host: '127.0.0.1', port: Number(at.split(':')[1]) })
  cleanup.push(() => socket.destroy())
  socket.on('data', () => {})
  socket.write(text)
  await new Promise(resolve => socket.once('close', resolve))
})

test('the body of a refused request is not waited for as long as one of a member', async () => {
  const { at } = await start([echoRoute], { headersMs: 100, requestMs: 600_000 })
  for (const line of [`POST ${echo.path}`, 'POST /elsewhere']) {
    const socket = net.connect({ host: '127.0.0.1', port: Number(at.split(':')[1]) })
    cleanup.push(() => socket.destroy())
    let answer = ''
    socket.on('data', bytes => { answer += bytes.toString() })
    socket.write(`${line} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{`)
    await new Promise(resolve => socket.once('close', resolve))
    expect(answer).toMatch(/^HTTP\/1.1 4\d\d/)
  }
})

test('connections over which a member has called are known, those of others are not', async () => {
  const { server, caller, at } = await start([echoRoute])
  const sockets: net.Socket[] = []
  server.http.server.on('connection', socket => sockets.push(socket))
  const known = (): number => sockets.filter(socket => server.known.has(socket)).length
  await fetch(`http://${at}/healthz`)
  await fetch(`http://${at}${echo.path}`, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } })
  expect([sockets.length > 0, known()]).toEqual([true, 0])
  await caller.call(at, echo, { text: 'a' })
  expect(known()).toBe(1)
})

/** All replies of a connection until the server closes it. */
function raw(at: Address, text: string): Promise<string> {
  const socket = net.connect({ host: '127.0.0.1', port: Number(at.split(':')[1]) })
  cleanup.push(() => socket.destroy())
  let answer = ''
  socket.on('data', bytes => { answer += bytes.toString() })
  socket.on('error', () => {})
  socket.write(text)
  return new Promise(resolve => { socket.once('close', () => resolve(answer)) })
}

const answersIn = (text: string): number => text.split('HTTP/1.1 ').length - 1

test.each(['GET /metrics', 'GET /healthz', 'POST /elsewhere', `POST ${echo.path}`])(
  'a stranger who sends many requests at once (%s) is answered one, and the connection ends',
  async line => {
    const { at } = await start([echoRoute])
    expect(answersIn(await raw(at, `${line} HTTP/1.1\r\nhost: x\r\n\r\n`.repeat(500)))).toBe(1)
  },
)

test('a stranger is answered as often as it waits for its answers, over one connection; a member does not have to wait', async () => {
  const { at } = await start([echoRoute])
  const socket = net.connect({ host: '127.0.0.1', port: Number(at.split(':')[1]) })
  cleanup.push(() => socket.destroy())
  for (let i = 0; i < 3; i++) {
    socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n')
    await new Promise<void>(resolve => {
      let text = ''
      const hear = (bytes: Buffer): void => { text += bytes.toString(); if (text.endsWith('}')) { socket.off('data', hear); resolve() } }
      socket.on('data', hear)
    })
  }
  const call = (last: boolean): string =>
    `POST ${echo.path} HTTP/1.1\r\nhost: x\r\n${last ? 'connection: close\r\n' : ''}authorization: ${bearerOf(secret)}\r\nx-gristmill-user: ann\r\ncontent-type: application/json\r\ncontent-length: 12\r\n\r\n{"text":"a"}`
  expect(answersIn(await raw(at, call(false) + call(false) + call(true)))).toBe(3)
})

test('metrics are put together once a second, however many ask', async () => {
  let nowMs = 5
  let made = 0
  const registry = new Registry()
  registry.metrics = async () => `made ${++made}`
  const { at } = await start([], { registry, clock: { ...systemClock, mono: () => nowMs } })
  const ask = async (): Promise<string> => (await fetch(`http://${at}/metrics`)).text()
  expect(await Promise.all(Array.from({ length: 20 }, ask))).toEqual(Array.from({ length: 20 }, () => 'made 1'))
  nowMs += 1_000
  expect(await ask()).toBe('made 2')
  registry.metrics = async () => Promise.reject(new Error('no'))
  nowMs += 1_000
  expect((await fetch(`http://${at}/metrics`)).status).toBe(500)
  registry.metrics = async () => 'again'
  expect(await ask()).toBe('again')
})

test('a body that does not come to its end is given up', async () => {
  const { at } = await start([echoRoute], { headersMs: 100, requestMs: 200 })
  const socket = net.connect({ host: '127.0.0.1', port: Number(at.split(':')[1]) })
  cleanup.push(() => socket.destroy())
  socket.on('data', () => {})
  socket.write(
    `POST ${echo.path} HTTP/1.1\r\nhost: x\r\nauthorization: ${bearerOf(secret)}\r\nx-gristmill-user: ann\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{`,
  )
  await new Promise(resolve => socket.once('close', resolve))
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
