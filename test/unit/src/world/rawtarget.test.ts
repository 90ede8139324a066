// A server of Node that takes raw targets, on loopback: which requests it answers, however a sender cuts its packets. A packet is sent here
// when the server has read the one before.

import { createServer, METHODS } from 'node:http'
import net from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { acceptRawTargets } from '../../../../src/world/rawtarget.ts'
import { until } from '../../../kit/cluster.ts'

const cleanup: (() => unknown)[] = []
afterEach(async () => { for (const end of cleanup.splice(0).reverse()) await end() })

/** Requests that are answered when the packets have come, and whether the connection has ended. The answer waits for no body. */
async function sent(packets: readonly string[], headersTimeout = 60_000, allowHalfOpen = false) {
  const requests: string[] = []
  const server = createServer({ headersTimeout, connectionsCheckingInterval: 50 }, (request, response) => {
    requests.push(`${request.method} ${request.url}`)
    request.resume()
    response.end()
  })
  const refused: unknown[] = []
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    refused.push(error.code)
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
  })
  acceptRawTargets(server, () => {})
  const accepted: net.Socket[] = []
  server.on('connection', socket => { accepted.push(socket) })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  cleanup.push(() => new Promise(resolve => { server.close(resolve) }))
  const client = net.connect({ host: '127.0.0.1', port: (server.address() as net.AddressInfo).port, noDelay: true, allowHalfOpen })
  cleanup.push(() => { client.destroy() })
  const seen = { text: '', ended: false }
  client.on('data', bytes => { seen.text += bytes.toString('latin1') })
  client.on('error', () => {})
  client.on('close', () => { seen.ended = true })
  let bytes = 0
  for (const packet of packets) {
    const isHead = packet.endsWith('\r\n\r\n')
    const answers = seen.text.split('HTTP/1.1 ').length
    client.write(packet, 'latin1')
    bytes += packet.length
    await until('the packet', async () => (accepted[0]?.bytesRead ?? 0) >= bytes || seen.ended)
    if (isHead) await until('an answer', async () => seen.text.split('HTTP/1.1 ').length > answers || seen.ended)
  }
  return { requests, refused, seen, server, accepted: accepted[0] }
}

const raw = '\u00c3\u00bc'
const rest = ' HTTP/1.1\r\nhost: x\r\n\r\n'
const upload = (length: number): string => `PUT /up HTTP/1.1\r\nhost: x\r\ncontent-length: ${length}\r\n\r\n`

test('a raw target in a packet of its own is answered, also behind requests that are answered', async () => {
  expect((await sent([`GET /${raw}${rest}`])).requests).toEqual(['GET /%C3%BC'])
  expect((await sent([`GET /1${rest}`, `DELETE /a?b=${raw}${rest}`])).requests).toEqual(['GET /1', 'DELETE /a?b=%C3%BC'])
  // The body is read whole, and its end is that of a packet.
  expect((await sent([upload(3), 'abc', `GET /${raw}${rest}`])).requests).toEqual(['PUT /up', 'GET /%C3%BC'])
})

test('the connection ends with the answer, also if its client leaves its own half open', async () => {
  const { accepted } = await sent([`GET /${raw}${rest}`], 60_000, true)
  await until('the end of the connection', async () => accepted!.destroyed)
})

test.each([
  ['behind a byte of its target', [`GET /${raw[0]}`, `${raw[1]}${rest}`]], ['in its version', [`GET /${raw} HT`, rest.slice(3)]],
  ['in its headers', [`GET /${raw}${rest.slice(0, 15)}`, rest.slice(15)]], ['anywhere', [`GET /${raw[0]}`, ...`${raw[1]}${rest}`]],
  ['in its end', [`GET /${raw}${rest.slice(0, -1)}`, rest.slice(-1)]],
])('a request with a raw target that is cut %s is answered', async (_, packets) => {
  const { requests, seen } = await sent(packets)
  await until('the answer', async () => seen.ended)
  expect(requests).toEqual(['GET /%C3%BC'])
})

test('the head of a request with a raw target is held up to its bound, and for the time that a head may take', async () => {
  const long = await sent([`GET /${raw}`, ...Array.from({ length: 20 }, () => 'y'.repeat(1000))])
  const late = await sent([`GET /${raw} HTTP/1.1\r\n`, 'x-a: b\r\n'], 100)
  for (const { seen } of [long, late]) await until('the end', async () => seen.ended)
  expect([long.requests, long.refused[0], late.requests, late.refused[0]]).toEqual([[], 'HPE_INVALID_URL', [], 'ERR_HTTP_REQUEST_TIMEOUT'])
})

test('a packet that does not follow the held ones without a gap is not joined to them', async () => {
  const { requests, seen, server, accepted } = await sent([`GET /${raw}`])
  const error = Object.assign(new Error('of another packet'), { code: 'HPE_INVALID_URL', rawPacket: Buffer.from(rest) })
  server.emit('clientError', error, accepted!)
  await until('the end', async () => seen.ended)
  expect([requests, seen.text]).toEqual([[], 'HTTP/1.1 400 Bad Request\r\n\r\n'])
})

const inner = `DELETE /smuggled${rest}`

test.each([
  ['the end of a body that is a request', [upload(inner.length), `${inner}GET /${raw}${rest}`]],
  ['the end of a body that is a request with a raw target', [upload(inner.length + 1), `DELETE /${raw}${rest}GET /${raw}${rest}`]],
  ['the end of a body that is the beginning of a request', [upload(10), `DELETE /a?GET /${raw}${rest}`]],
  ['the end of a body that makes another method of it', [upload(2), `UNLOCK /${raw}${rest}`]],
  ['the end of a body in chunks', ['PUT /up HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n', `0\r\n\r\nGET /${raw}${rest}`]],
  ['a request in the same packet', [`GET /1${rest}GET /${raw}${rest}`]],
])('a raw target behind %s is refused', async (_, packets) => {
  const { requests, seen } = await sent(packets)
  await until('the end', async () => seen.ended)
  expect(requests).toEqual([packets[0]!.startsWith('GET') ? 'GET /1' : 'PUT /up'])
})

test.each([
  ['target', ['GET ', `DELETE /${raw}${rest}`]], ['target with a path', ['GET /a', `DELETE /${raw}${rest}`]],
  ['method', ['UN', `LOCK /${raw}${rest}`]], ['method that is none', ['X', `DELETE /${raw}${rest}`]],
  ['target, in the middle of a character', [`GET /${raw[0]}`, `DELETE /${raw}${rest}`]],
])('a packet that begins inside a request is not taken for one: %s', async (_, packets) => {
  const { requests, seen } = await sent(packets)
  await until('the end', async () => seen.ended)
  expect([requests, seen.text.slice(0, 12)]).toEqual([[], 'HTTP/1.1 400'])
})

test('no method whose targets may be raw is the end of another one, and none ends with another', () => {
  // Those of RTSP are known to the parser and not listed by Node.
  const known = [...METHODS, 'ANNOUNCE', 'DESCRIBE', 'FLUSH', 'GET_PARAMETER', 'PAUSE', 'PLAY', 'PRI', 'RECORD', 'REDIRECT', 'SETUP',
    'SET_PARAMETER', 'TEARDOWN']
  for (const method of ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT'])
    expect(known.filter(other => other !== method && (other.endsWith(method) || method.endsWith(other))), method).toEqual([])
})
