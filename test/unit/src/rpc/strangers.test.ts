// Connections from outside the cluster to a server on loopback sockets: calls without the secret are refused before they cost memory or
// time, and idle or greedy connections are closed.

import net from 'node:net'
import { describe, expect, test } from 'vitest'
import type { Address } from '../../../../src/base/ids.ts'
import { bearerOf, Credentials } from '../../../../src/rpc/auth.ts'
import { Caller } from '../../../../src/rpc/call.ts'
import { Registry } from '../../../../src/rpc/metrics.ts'
import { route } from '../../../../src/rpc/serve.ts'
import { systemClock } from '../../../../src/world/clock.ts'
import { systemRandom } from '../../../../src/world/random.ts'
import { cleanup, eachClosesItsServers, echo, echoRoute, here, secret, start } from './serverkit.ts'

eachClosesItsServers()

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
