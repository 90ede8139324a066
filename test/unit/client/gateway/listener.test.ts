// A listener with a dialect of the test, on loopback sockets: bounds, stalled clients, disconnects, bodies that are asked for, and the end
// in good order.

import net from 'node:net'
import tls from 'node:tls'
import { afterEach, expect, test } from 'vitest'
import type { AccessEntry } from '../../../../client/gateway/accesslog.ts'
import type { Exchange } from '../../../../client/gateway/exchange.ts'
import { Certificate } from '../../../../client/gateway/certificate.ts'
import { Listener, type ListenerOptions } from '../../../../client/gateway/listener.ts'
import { silent } from '../../../../src/ports/log.ts'
import { systemClock } from '../../../../src/world/clock.ts'
import { Connections } from '../../../../src/world/connections.ts'
import { Handshakes } from '../../../../src/world/handshakes.ts'
import { listen } from '../../../../src/world/listen.ts'
import { systemNet } from '../../../../src/world/net.ts'
import { until } from '../../../kit/cluster.ts'
import { first } from './certificates.ts'

const here = systemNet(silent)
const cleanup: (() => Promise<unknown> | void)[] = []
afterEach(async () => { for (const end of cleanup.splice(0).reverse()) await end() })

async function start(
  answer: (exchange: Exchange) => Promise<void>, { net: own = here, certificate, ...options }: Partial<ListenerOptions & {
    net: typeof here; certificate: Certificate
  }> = {},
) {
  const log: AccessEntry[] = []
  const dialect = {
    name: 'test', answer, isNamedBy: (host: string) => host === 'bucket.test',
    refuse: (exchange: Exchange, { code }: { code: string }) => exchange.send(code === 'OVERLOADED' ? 503 : 400, {}, code),
  }
  const deps = { clock: systemClock, log: silent, net: own, dialect, certificate, access: (entry: AccessEntry) => { log.push(entry) } }
  const listener = await Listener.start(deps, { host: '127.0.0.1', port: 0, ...options })
  cleanup.push(() => listener.stop())
  return { listener, log, url: `http://${listener.address}` }
}

/** A raw connection that has sent `text`, and what it has received. */
function connect(url: string, text: string) {
  const socket = net.connect({ host: '127.0.0.1', port: Number(new URL(url).port) })
  cleanup.push(() => { socket.destroy() })
  const seen = { text: '', closed: false }
  socket.on('data', bytes => { seen.text += bytes.toString('latin1') })
  socket.on('error', () => {})
  socket.on('close', () => { seen.closed = true })
  socket.write(text)
  return { socket, seen }
}

test('the target arrives as it was sent, whatever the method and the content type', async () => {
  const targets: string[] = []
  const { url, log } = await start(async exchange => {
    targets.push(`${exchange.method} ${exchange.target}`)
    exchange.identify('ada')
    await exchange.send(200, { 'content-type': 'text/plain' }, 'ok')
  })
  for (const target of ['/a%2Fb//c;d=%25?x=%zz', '/..%2f', `/${'n'.repeat(2000)}`]) {
    const { seen } = connect(url, `GET ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`)
    await until('the answer', async () => seen.closed)
    expect(seen.text).toMatch(/^HTTP\/1.1 200 OK[^]*\r\n\r\nok$/)
  }
  await fetch(url, { method: 'DELETE', body: 'x', headers: { 'content-type': 'application/json' } })
  expect(targets).toEqual(['GET /a%2Fb//c;d=%25?x=%zz', 'GET /..%2f', `GET /${'n'.repeat(2000)}`, 'DELETE /'])
  expect(log[0]).toMatchObject({ method: 'GET', target: '/a%2Fb//c;d=%25?x=%zz', user: 'ada', status: 200, bytes: 2, peer: '127.0.0.1' })
})

test('a target with raw bytes beyond ASCII arrives with these bytes as %XX', async () => {
  const targets: string[] = []
  const { url, log } = await start(async exchange => {
    targets.push(`${exchange.method} ${exchange.target} ${exchange.headers['x-a']}`)
    await exchange.send(200, {}, 'x'.repeat(3_000_000))
  })
  const raw = Buffer.from('/d/ü/日本?op=MKDIRS').toString('latin1')
  const sent = (text: string) => {
    const connection = connect(url, '')
    connection.socket.write(Buffer.from(text, 'latin1'))
    return connection
  }
  const { seen } = sent(`PUT ${raw} HTTP/1.1\r\nhost: x\r\nx-a: b\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n`)
  await until('the answer', async () => seen.closed)
  expect(targets).toEqual(['PUT /d/%C3%BC/%E6%97%A5%E6%9C%AC?op=MKDIRS b'])
  expect(seen.text).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
  expect(seen.text.length - seen.text.indexOf('\r\n\r\n') - 4).toBe(3_000_000)
  expect(log[0]).toMatchObject({ status: 200, peer: '127.0.0.1' })
  // With a body, a broken head, and behind a request that has no answer yet.
  for (const text of [
    `PUT ${raw} HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nbar`,
    `PUT ${raw} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    `GET ${raw} HTTP/1.1\r\nno header\r\n\r\n`, `GET ${raw} \r\n\r\n`,
  ]) {
    const { seen: refused } = sent(text)
    await until('the refusal', async () => refused.closed)
    expect(refused.text, text).toMatch(/^HTTP\/1\.1 400 /)
  }
  expect(targets).toHaveLength(1)
})

test('a target with raw bytes behind a request that has no answer yet is refused', async () => {
  const targets: string[] = []
  const begun = Promise.withResolvers<void>()
  const { url } = await start(async exchange => {
    targets.push(exchange.target)
    begun.resolve()
    await new Promise<void>(resolve => { exchange.signal.addEventListener('abort', () => resolve(), { once: true }) })
  })
  const { socket, seen } = connect(url, 'GET /first HTTP/1.1\r\nhost: x\r\n\r\n')
  await begun.promise
  socket.write(Buffer.from('GET /\u00fc HTTP/1.1\r\nhost: x\r\n\r\n', 'latin1'))
  await until('the end', async () => seen.closed)
  expect(targets).toEqual(['/first'])
})

test.each([
  'content-type: ', 'content-type: no type', 'content-type: a/b/c', 'expect: 200', 'expect: ',
])('a body with the header "%s" arrives', async field => {
  const bodies: string[] = []
  const { url } = await start(async exchange => {
    for await (const piece of exchange.body()) bodies.push(String(piece))
    await exchange.send(200, {}, 'ok')
  })
  const { seen } = connect(url, `PUT / HTTP/1.1\r\nhost: x\r\n${field}\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbar`)
  await until('the answer', async () => seen.closed)
  expect({ bodies, status: seen.text.slice(0, 12) }).toEqual({ bodies: ['bar'], status: 'HTTP/1.1 200' })
})

test('a body is asked for only when it is read', async () => {
  const { url } = await start(async exchange => {
    if (exchange.target === '/redirect') return exchange.send(307, { location: '/read' })
    let bytes = 0
    for await (const piece of exchange.body()) bytes += piece.length
    await exchange.send(200, {}, String(bytes))
  })
  const head = (path: string) => `PUT ${path} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n`
  const first = connect(url, head('/redirect'))
  await until('the redirect', async () => first.seen.text.includes('\r\n\r\n'))
  expect(first.seen.text).toMatch(/^HTTP\/1.1 307/)
  expect(first.seen.text).toContain('connection: close')
  const second = connect(url, head('/read'))
  await until('the call for the body', async () => second.seen.text.includes('100 Continue'))
  second.socket.write('12345')
  await until('the answer', async () => second.seen.text.endsWith('5'))
})

test.each(['/none', '/part'])('a client that sends a long body of which %s is read gets its answer, and so does its next request', async path => {
  const { url } = await start(async exchange => {
    if (exchange.target === '/part') for await (const _ of exchange.body()) break
    await exchange.send(307, { location: '/other' })
  })
  const first = connect(url, `PUT ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 20000001\r\n\r\nx`)
  await until('the answer', async () => first.seen.text.startsWith('HTTP/1.1 307'))
  first.seen.text = ''
  first.socket.write(Buffer.alloc(20_000_000))
  first.socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  await until('the next answer', async () => first.seen.text.startsWith('HTTP/1.1 307'))
})

test('a body comes in pieces that stay, or that are given back when the next one is asked for', async () => {
  const left: Record<string, number> = {}
  const { url } = await start(async exchange => {
    const pieces: Buffer[] = []
    let bytes = 0
    for await (const piece of exchange.body({ reuse: exchange.target === '/again' })) {
      pieces.push(piece)
      bytes += piece.length
      expect(piece.every(byte => byte === 7)).toBe(true)
    }
    left[exchange.target] = pieces.reduce((sum, { length }) => sum + length, 0)
    await exchange.send(200, {}, String(bytes))
  })
  const body = Buffer.alloc(3_000_000, 7)
  for (const path of ['/kept', '/again']) expect(await (await fetch(`${url}${path}`, { method: 'PUT', body })).text()).toBe('3000000')
  expect(left).toEqual({ '/kept': 3_000_000, '/again': 0 })
})

test('a client that disconnects aborts the work for it, in a body and before the answer', async () => {
  const ends: string[] = []
  const { url, log } = await start(async exchange => {
    exchange.signal.addEventListener('abort', () => ends.push(`signal ${exchange.target}`))
    try {
      for await (const _ of exchange.body());
      if (exchange.target === '/wait') await new Promise((_, reject) => { exchange.signal.addEventListener('abort',
        () => reject(exchange.signal.reason as Error)) })
    } catch (error) {
      ends.push(`${(error as { code: string }).code} ${exchange.target}`)
      throw error
    }
    ends.push('a whole body')
  })
  const cut = connect(url, 'PUT /cut HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n')
  const short = connect(url, 'PUT /short HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc')
  const wait = connect(url, 'GET /wait HTTP/1.1\r\nhost: x\r\n\r\n')
  for (const { socket } of [cut, short, wait]) socket.end()
  await until('all ends', async () => ends.length === 6)
  expect(ends.sort()).toEqual(['ABORTED /cut', 'ABORTED /short', 'ABORTED /wait', 'signal /cut', 'signal /short', 'signal /wait'])
  await until('their lines in the log', async () => log.length === 3)
  expect(log.map(({ status }) => status)).toEqual([499, 499, 499])
})

test('a client that sends nothing, and one that reads nothing, is given up', async () => {
  const codes: string[] = []
  const { url } = await start(async exchange => {
    const endless = async function* () { for (;;) yield Buffer.alloc(1 << 20) }
    try {
      if (exchange.method === 'GET') return await exchange.stream(200, {}, endless())
      for await (const _ of exchange.body());
    } catch (error) {
      codes.push((error as { code: string }).code)
      throw error
    }
  }, { stallMs: 50 })
  const slow = connect(url, 'PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc')
  await until('the refusal', async () => slow.seen.text.endsWith('TIMEOUT'))
  await until('the end of its connection', async () => slow.seen.closed)
  const greedy = connect(url, 'GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  greedy.socket.pause()
  await until('the other end', async () => codes.length === 2)
  expect(codes).toEqual(['TIMEOUT', 'TIMEOUT'])
})

test('an error before the first piece is an answer, and one behind it breaks the connection', async () => {
  const { url } = await start(async exchange => {
    const pieces = async function* () {
      if (exchange.target === '/late') yield 'half'
      throw new Error('x')
    }
    await exchange.stream(200, { 'content-length': 100 }, pieces())
  })
  expect((await fetch(`${url}/early`)).status).toBe(400)
  await expect(fetch(`${url}/late`).then(answer => answer.arrayBuffer())).rejects.toThrow()
})

test('beyond its bound a request is refused, and a stopping listener lets those that run end', async () => {
  const held = Promise.withResolvers<void>()
  const { listener, url } = await start(async exchange => {
    await held.promise
    await exchange.send(200, {}, 'done')
  }, { exchangesMax: 2 })
  const two = [fetch(url), fetch(url)]
  await until('two that run', async () => (await fetch(`${url}/probe`)).status === 503)
  for (const path of ['healthz', 'readyz']) expect(await (await fetch(`${url}/${path}`)).json()).toEqual({ status: 'ok' })
  const stopped = listener.stop()
  held.resolve()
  expect(await Promise.all(two.map(async one => (await one).text()))).toEqual(['done', 'done'])
  await stopped
  await expect(fetch(url)).rejects.toThrow()
})

test('health is answered to a plain GET or HEAD only: any other request of its paths is for the dialect', async () => {
  const { url } = await start(exchange => exchange.send(200, {}, 'of the dialect'))
  const asked = async (method: string, path: string, headers: Record<string, string> = {}): Promise<string> =>
    (await fetch(`${url}${path}`, { method, headers })).text()
  for (const path of ['/healthz', '/readyz']) {
    expect(await asked('GET', path)).toBe('{"status":"ok"}')
    expect((await fetch(`${url}${path}`, { method: 'HEAD' })).headers.get('content-type')).toBe('application/json')
    for (const method of ['PUT', 'POST', 'DELETE', 'OPTIONS']) expect(await asked(method, path), method).toBe('of the dialect')
    expect(await asked('GET', `${path}?x=1`)).toBe('of the dialect')
    expect(await asked('GET', path, { authorization: 'AWS4-HMAC-SHA256 x' })).toBe('of the dialect')
    const { seen } = connect(url, `GET ${path} HTTP/1.1\r\nhost: bucket.test\r\nconnection: close\r\n\r\n`)
    await until('the answer', async () => seen.closed)
    expect(seen.text).toContain('of the dialect')
  }
})

/** Bytes of a form, of which `name` comes as slowly as its sender likes; then the request is that user's. */
async function byForm(exchange: Exchange): Promise<void> {
  if (exchange.method === 'POST') {
    let name = ''
    for await (const piece of exchange.body()) {
      name += piece.toString()
      if (name.endsWith(';')) break
    }
    exchange.identify(name)
  } else exchange.identify(exchange.target === '/anonymous' ? undefined : 'ada')
  if (exchange.target === '/wait') for await (const _ of exchange.body());
  await exchange.send(200, {}, `of ${exchange.user}`)
}

const slowForm = 'POST /form HTTP/1.1\r\nhost: x\r\ncontent-length: 15000\r\n\r\nx'
const upload = 'PUT /wait HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc'

test('requests that do not tell their users take no place of a known user: the oldest is ended with an answer', async () => {
  const { url } = await start(byForm, { exchangesMax: 2 })
  const known = connect(url, upload)
  const slow = Array.from({ length: 4 }, () => connect(url, slowForm))
  await until('the end of two', async () => slow.filter(each => each.seen.closed).length === 2)
  for (const { seen } of slow.filter(each => each.seen.closed)) expect(seen.text).toMatch(/^HTTP\/1\.1 503 [^]*OVERLOADED$/)
  expect(await (await fetch(url)).text()).toBe('of ada')
  expect(await (await fetch(url, { method: 'POST', body: 'grace;' })).text()).toBe('of grace;')
  known.socket.write('defghij')
  await until('the end of the upload', async () => known.seen.text.endsWith('of ada'))
})

test('a client that tells its user byte by byte is given up after a time, however it goes on; one whose user is known is not', async () => {
  const { url } = await start(byForm, { strangerMs: 50 })
  const known = connect(url, upload)
  const slow = connect(url, slowForm)
  while (!slow.seen.closed) {
    slow.socket.write('x')
    await new Promise(resolve => { setTimeout(resolve, 5) })
  }
  expect(slow.seen.text).toMatch(/^HTTP\/1\.1 400 [^]*TIMEOUT$/)
  known.socket.write('defghij')
  await until('the end of the upload', async () => known.seen.text.endsWith('of ada'))
})

const openCertificate = async (): Promise<Certificate> => {
  const files: Record<string, Buffer> = { cert: Buffer.from(first.cert), key: Buffer.from(first.key) }
  const certificate = await Certificate.open({
    disk: { readFile: async path => files[path]! }, clock: systemClock, log: silent, check: () => {},
  }, { cert: 'cert', key: 'key' })
  cleanup.push(() => certificate.stop())
  return certificate
}

test.each(['HTTP', 'TLS'])('over %s, connections without a byte end others without a request of a known user, and no upload', async scheme => {
  const certificate = scheme === 'HTTP' ? undefined : await openCertificate()
  const connections = new Connections(160)
  const { url } = await start(byForm, {
    net: { ...here, listen: (service, at) => listen(service, at, silent, connections) }, ...certificate && { certificate },
  })
  const port = Number(new URL(url).port)
  const keep = <S extends net.Socket>(socket: S): S => {
    cleanup.push(() => { socket.destroy() })
    return socket.on('error', () => {})
  }
  const say = (text: string) => {
    const [socket, seen] = [
      keep(certificate ? tls.connect({ host: '127.0.0.1', port, ca: first.cert }) : net.connect({ host: '127.0.0.1', port })),
      { text: '', closed: false },
    ]
    socket.on('data', bytes => { seen.text += bytes.toString() }).on('close', () => { seen.closed = true })
    socket.write(text)
    return { socket, seen }
  }
  const stranger = say('GET /anonymous HTTP/1.1\r\nhost: x\r\n\r\n')
  await until('an answer to nobody', async () => stranger.seen.text.endsWith('of undefined'))
  const known = say(upload.replace('host', 'expect: 100-continue\r\nhost').replace('abc', ''))
  await until('the call for its body', async () => known.seen.text.includes('100 Continue'))
  for (let i = 0; i < connections.max; i++) keep(net.connect({ host: '127.0.0.1', port }))
  await until('the end of the stranger', async () => stranger.seen.closed)
  await until('a full house', async () => connections.evicted >= 2)
  known.socket.write('abcdefghij')
  await until('the end of the upload', async () => known.seen.text.endsWith('of ada'))
})

/** First message of a client of TLS. */
const hello = (): Promise<Buffer> => new Promise(resolve => {
  const server = net.createServer(socket => { socket.once('data', resolve).on('error', () => {}) })
  server.listen(0, '127.0.0.1', () => {
    tls.connect({ host: '127.0.0.1', port: (server.address() as net.AddressInfo).port }).on('error', () => {})
  })
  cleanup.push(() => { server.close() })
})

test('handshakes of TLS that do not end have a bound, and keep out no user: not one who is there, and not one who comes', async () => {
  const [bound, flood] = [20, 120]
  const handshakes = new Handshakes(bound)
  const { url } = await start(byForm, {
    net: { ...here, listen: (service, at) => listen(service, at, silent, new Connections(10_000), handshakes) },
    certificate: await openCertificate(),
  })
  const port = Number(new URL(url).port)
  const say = (text: string) => {
    const [socket, seen] = [tls.connect({ host: '127.0.0.1', port, ca: first.cert }), { text: '' }]
    cleanup.push(() => { socket.destroy() })
    socket.on('error', () => {}).on('data', (bytes: Buffer) => { seen.text += bytes.toString() })
    socket.write(text)
    return { socket, seen }
  }
  const known = say(upload.replace('host', 'expect: 100-continue\r\nhost').replace('abc', ''))
  await until('the call for its body', async () => known.seen.text.includes('100 Continue'))
  const greeting = await hello()
  let open = 0
  const answered = new Set<net.Socket>()
  for (let i = 0; i < flood; i++) {
    const socket = net.connect({ host: '127.0.0.1', port }, () => { open++; socket.write(greeting) })
    socket.on('error', () => {}).on('data', () => { answered.add(socket) }).on('close', () => { open-- })
    cleanup.push(() => { socket.destroy() })
  }
  await until('the answers to the last ones', async () => answered.size >= bound && handshakes.displaced >= flood - bound)
  await until('the end of all others', async () => open <= bound)
  handshakes.checkState()
  const late = say('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  await until('the answer to the late one', async () => late.seen.text.endsWith('of ada'))
  known.socket.write('abcdefghij')
  await until('the end of the upload', async () => known.seen.text.endsWith('of ada'))
})
