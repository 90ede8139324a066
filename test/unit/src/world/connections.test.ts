// Limit of connections, as a rule over fake connections and on real sockets: connections without a request of a member are closed first,
// members at work never.

import net from 'node:net'
import { createServer } from 'node:http'
import Fastify from 'fastify'
import { afterEach, expect, test } from 'vitest'
import { silent } from '../../../../src/ports/log.ts'
import type { Listening, Wire } from '../../../../src/ports/net.ts'
import { Connections, wireCost, type Guest, type Ticket } from '../../../../src/world/connections.ts'
import { connectWire } from '../../../../src/world/connect.ts'
import { descriptorLimit } from '../../../../src/world/descriptors.ts'
import { listen } from '../../../../src/world/listen.ts'
import { listenStreams } from '../../../../src/world/streams.ts'
import { checked } from '../../checked.ts'

const cleanup: Array<() => unknown> = []
afterEach(async () => { for (const work of cleanup.splice(0).reverse()) await work() })

// These sockets are not connected.
const server = createServer()

interface Person extends Guest { known: () => boolean; readonly gone: () => boolean }

function person(known = false): Person {
  const socket = new net.Socket()
  return { socket, server, log: silent, known: () => known, gone: () => socket.destroyed }
}

/** A limit of 160 leaves 56 for connections. */
const limit = 160
const max = 56

function full(known: (i: number) => boolean): { connections: Connections; people: Person[]; tickets: Ticket[] } {
  const connections = checked(new Connections(limit))
  expect(connections.max).toBe(max)
  const people = Array.from({ length: max }, (_, i) => person(known(i)))
  const tickets = people.map(one => connections.enter(one)!)
  expect(connections.taken).toBe(max)
  return { connections, people, tickets }
}

test('at the bound, the oldest connection without a request of a member goes for the new one', () => {
  const { connections, people } = full(i => i < 10)
  const newcomer = person()
  expect(connections.enter(newcomer)).toBeDefined()
  expect(people.map((one, i) => (one.gone() ? i : -1)).filter(i => i >= 0)).toEqual([10])
  expect(newcomer.gone()).toBe(false)
  expect(connections.taken).toBe(max)
})

test('among members that are all at work, a new one is refused', () => {
  const { connections, people, tickets } = full(() => true)
  const newcomer = person()
  expect(connections.enter(newcomer)).toBeUndefined()
  expect(newcomer.gone()).toBe(true)
  expect(people.some(one => one.gone())).toBe(false)
  tickets[3]!.leave()
  tickets[3]!.leave()
  expect(connections.taken).toBe(max - 1)
  expect(connections.enter(person())).toBeDefined()
})

test('a wire takes as many places as it may need descriptors; strangers go for it, members do not', () => {
  const { connections, people, tickets } = full(i => i > 0 && i < max - 1)
  expect(tickets[5]!.becomeWire()).toBe(false)
  expect(people.map((one, i) => (one.gone() ? i : -1)).filter(i => i >= 0)).toEqual([0, max - 1])
  tickets[6]!.leave()
  expect(tickets[5]!.becomeWire()).toBe(true)
  expect(connections.taken).toBe(max - 4 + wireCost)
  tickets[5]!.leave()
  expect(connections.taken).toBe(max - 4)
})

test('the limit of this process is known', () => {
  expect(descriptorLimit()).toBeGreaterThan(20)
})

async function serving(
  connections: Connections, known?: { has(connection: object): boolean },
): Promise<{ at: Listening; wires: Wire[]; asked: string[]; dial(): net.Socket }> {
  const http = Fastify({ http: { headersTimeout: 10_000, connectionsCheckingInterval: 5_000 } })
  http.get('/', () => 'ok')
  http.post('/late', () => 'late')
  const asked: string[] = []
  http.addHook('onRequest', ({ url }, _, done) => {
    asked.push(url)
    done()
  })
  const wires: Wire[] = []
  const at = await listen(
    {
      http, ...(known && { known }),
      upgrade: () => ({
        run: async wire => {
          wires.push(wire)
          await wire.read(Buffer.alloc(1))
          wire.destroy()
        },
      }),
    },
    { host: '127.0.0.1', port: 0 }, silent, connections,
  )
  cleanup.push(() => at.close(0))
  return {
    at, wires, asked,
    dial() {
      const socket = net.connect({ host: '127.0.0.1', port: Number(at.address.split(':')[1]) })
      socket.on('error', () => {})
      cleanup.push(() => socket.destroy())
      return socket
    },
  }
}

const seen = async (what: () => boolean): Promise<void> => { while (!what()) await new Promise(resolve => { setTimeout(resolve, 5) }) }

test('a listener counts connections, wires, and their ends', async () => {
  const connections = checked(new Connections(limit))
  const { at, wires, dial } = await serving(connections)
  const one = dial()
  await seen(() => connections.taken === 1)
  const wire = await connectWire(at.address, { path: '/', headers: {} })
  await seen(() => connections.taken === 1 + wireCost)
  one.destroy()
  await seen(() => connections.taken === wireCost)
  wire.destroy()
  await seen(() => connections.taken === 0)
  expect(wires).toHaveLength(1)
})

test('idle connections of members go before a new one is refused', async () => {
  const connections = checked(new Connections(limit))
  const { dial } = await serving(connections, { has: () => true })
  const idle = Array.from({ length: max }, dial)
  let answers = 0
  for (const socket of idle) {
    socket.on('data', () => { answers++ })
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  }
  await seen(() => answers >= max && connections.taken === max)
  const newcomer = dial()
  newcomer.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  await new Promise(resolve => { newcomer.once('data', resolve) })
  expect(connections.taken).toBeLessThanOrEqual(max)
})

test('a listener that closes waits for requests that have arrived, and not for connections without one', async () => {
  const { at, asked, dial } = await serving(checked(new Connections(limit)))
  const [silent, half, idle, late] = [dial(), dial(), dial(), dial()]
  half.write('GET / HTT')
  idle.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  await new Promise(resolve => { idle.once('data', resolve) })
  let text = ''
  late.on('data', bytes => { text += bytes.toString() })
  late.write('POST /late HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nx')
  await seen(() => asked.includes('/late'))
  // It would wait for all of them for as long as it may.
  const closed = at.close(600_000)
  await seen(() => silent.closed && half.closed && idle.closed)
  late.write('x')
  await closed
  await seen(() => late.closed)
  expect(text).toMatch(/^HTTP\/1\.1 200 [^]*late$/)
})

test('a wire for which there are no descriptors is refused as OVERLOADED', async () => {
  const connections = checked(new Connections(limit))
  const { at } = await serving(connections, { has: () => true })
  const wires: Wire[] = []
  for (let i = 0; i < max / wireCost; i++) wires.push(await connectWire(at.address, { path: '/', headers: {} }))
  cleanup.push(() => { for (const wire of wires) wire.destroy() })
  expect(connections.taken).toBe(max)
  wires.pop()!.destroy()
  await seen(() => connections.taken === max - wireCost)
  const half = Array.from({ length: 2 }, () => connectWire(at.address, { path: '/', headers: {} }))
  const results = await Promise.allSettled(half)
  for (const result of results) if (result.status === 'fulfilled') wires.push(result.value)
  expect(results.map(result => (result.status === 'fulfilled' ? 'ok' : (result.reason as { code: string }).code)).sort()).toContain(
    'OVERLOADED',
  )
})

test('connections of another protocol count too: those whose users are not known go first', async () => {
  const connections = checked(new Connections(limit))
  const known = new Set<object>()
  let accepted = 0
  const at = await listenStreams({
    accept: ({ stream }) => {
      if (accepted++ === 3) known.add(stream)
    },
    known,
  }, { host: '127.0.0.1', port: 0 }, silent, connections)
  cleanup.push(() => at.close())
  const dial = (): net.Socket => {
    const socket = net.connect({ host: '127.0.0.1', port: Number(at.address.split(':')[1]) })
    socket.on('error', () => {})
    cleanup.push(() => socket.destroy())
    return socket
  }
  const people: net.Socket[] = []
  for (let i = 0; i < max; i++) {
    people.push(dial())
    await seen(() => accepted === i + 1)
  }
  expect(connections.taken).toBe(max)
  for (let i = 0; i < 5; i++) dial()
  await seen(() => accepted === max + 5)
  await seen(() => people.filter(socket => socket.closed).length === 5)
  expect(people.slice(0, 7).map(socket => socket.closed)).toEqual([true, true, true, false, true, true, false])
  expect(connections.taken).toBe(max)
  for (const socket of people) socket.destroy()
  await seen(() => connections.taken === 5)
})
