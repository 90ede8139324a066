// Proxy of the test kit between real sockets, in front of an echo server; the connecting party is read from the request's head. Cuts,
// resets, spoilt bytes and repeats hit exactly the connections that they name.

import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { seeded } from '../../../../src/world/random.ts'
import { Links } from '../../../kit/process/links.ts'
import { Proxy } from '../../../kit/process/proxy.ts'

let links: Links
let proxy: Proxy
let server: Server
let heard: string
let served: Socket[]

beforeEach(async () => {
  links = new Links()
  heard = ''
  served = []
  server = createServer(socket => {
    served.push(socket)
    socket.on('error', () => {})
    socket.on('data', piece => { heard += piece.toString('latin1'); socket.write(piece) })
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  proxy = await Proxy.open({ name: 'namenode', links, random: seeded(1), partyOf: who => (who === 'node-1' ? 'datanode1' : 'client') })
  proxy.target = { host: '127.0.0.1', port: (server.address() as { port: number }).port }
})

afterEach(async () => {
  await proxy.close()
  for (const socket of served) socket.destroy()
  server.close()
})

const head = (who: string, more = ''): string => `POST /x HTTP/1.1\r\nuser-agent: gristmill/0 (${who})\r\n${more}\r\n`

class Client {
  readonly socket: Socket
  readonly closed: Promise<void>
  got = ''
  constructor(who: string, more?: string) {
    this.socket = connect(Number(proxy.address.split(':')[1]), '127.0.0.1')
    this.socket.on('error', () => {})
    this.closed = closed(this.socket)
    this.socket.on('data', piece => { this.got += piece.toString('latin1') })
    this.socket.write(head(who, more), 'latin1')
  }
  echoed(text: string): Promise<void> { return expect.poll(() => this.got.includes(text), { timeout: 120_000, interval: 5 }).toBe(true) }
}

const closed = (socket: Socket): Promise<void> => new Promise(resolve => { socket.once('close', () => resolve()) })
const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

test('bytes go through, and the end too', async () => {
  const client = new Client('node-1')
  client.socket.end('last')
  await client.echoed('last')
  await client.closed
})

test('a cut holds open and new connections of that pair alone; what was sent comes late, in order, after it is healed', async () => {
  const client = new Client('node-1')
  await client.echoed('\r\n\r\n')
  links.cut('datanode1', 'namenode', false)
  client.socket.write('one')
  const later = new Client('node-1')
  const other = new Client('client')
  other.socket.write('free')
  await other.echoed('free')
  client.socket.write('two')
  await pause(50)
  expect(heard).not.toContain('one')
  expect(later.got).toBe('')
  links.heal()
  await client.echoed('onetwo')
  await later.echoed('\r\n\r\n')
  for (const each of [client, later, other]) each.socket.destroy()
})

test('a one-way cut lets the other direction through', async () => {
  const client = new Client('node-1')
  await client.echoed('\r\n\r\n')
  links.cut('namenode', 'datanode1', true)
  client.socket.write('asked')
  await expect.poll(() => heard.includes('asked')).toBe(true)
  await pause(30)
  expect(client.got).not.toContain('asked')
  links.heal('datanode1', 'namenode')
  await client.echoed('asked')
  client.socket.destroy()
})

test('data on a wire is spoilt bit by bit, calls are not', async () => {
  links.spoil('datanode1', 'namenode', { corrupt: 1 })
  const wire = new Client('node-1', 'upgrade: gristmill-wire\r\n')
  await wire.echoed('\r\n\r\n')
  wire.socket.write('a'.repeat(1000))
  await expect.poll(() => heard.length).toBeGreaterThanOrEqual(1000)
  expect(heard.slice(-1000)).not.toBe('a'.repeat(1000))
  expect([...heard.slice(-1000)].filter(letter => letter !== 'a')).toHaveLength(1)
  const call = new Client('node-1')
  call.socket.write('b'.repeat(1000))
  await call.echoed('b'.repeat(1000))
  for (const each of [wire, call]) each.socket.destroy()
})

test('a whole call that is repeated reaches the server twice, and its answer the caller once', async () => {
  links.spoil('client', 'namenode', { duplicate: 1 })
  const client = new Client('client', 'content-length: 0\r\n')
  await expect.poll(() => heard.split('POST').length - 1).toBe(2)
  await client.echoed('\r\n\r\n')
  await pause(30)
  expect(client.got.split('POST')).toHaveLength(2)
  client.socket.destroy()
})

test('a reset ends the connection on both sides', async () => {
  const client = new Client('client')
  await client.echoed('\r\n\r\n')
  links.spoil('client', 'namenode', { reset: 1 })
  const ended = Promise.all([client.closed, closed(served[0]!)])
  client.socket.write('x')
  await ended
})

test('a process that is down resets, and one that starts is waited for', async () => {
  proxy.target = 'down'
  const refused = new Client('client')
  await refused.closed
  proxy.target = 'starting'
  const waiting = new Client('client')
  await pause(30)
  expect(waiting.got).toBe('')
  proxy.target = { host: '127.0.0.1', port: (server.address() as { port: number }).port }
  await waiting.echoed('\r\n\r\n')
  waiting.socket.destroy()
})
