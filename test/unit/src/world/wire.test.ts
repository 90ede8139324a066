// Wires over real sockets on loopback, raw and plain: exact bytes, back-pressure, timeouts, ends and refusals, each as a typed error.

import { createHash, randomBytes } from 'node:crypto'
import net from 'node:net'
import Fastify from 'fastify'
import { afterEach, describe, expect, test } from 'vitest'
import { address, type Address } from '../../../../src/base/ids.ts'
import type { Listening, Service, Wire } from '../../../../src/ports/net.ts'
import { silent } from '../../../../src/ports/log.ts'
import { systemNet } from '../../../../src/world/net.ts'
import { seeded } from '../../../../src/world/random.ts'
import { scratchBytes } from '../../../../src/world/scratch.ts'
import { SocketWire } from '../../../../src/world/wire.ts'

const here = systemNet(silent)
const cleanup: Array<() => unknown> = []
afterEach(async () => {
  for (const work of cleanup.splice(0).reverse()) await work()
})

async function serveWires(run: (wire: Wire) => Promise<void>, upgrade?: Service['upgrade']): Promise<Listening> {
  const listening = await here.listen({ http: Fastify(), upgrade: upgrade ?? (() => ({ run })) }, { host: '127.0.0.1', port: 0 })
  cleanup.push(() => listening.close(0))
  return listening
}

async function dial(to: Address, options?: { timeoutMs?: number; signal?: AbortSignal }): Promise<Wire> {
  const wire = await here.connect(to, { path: '/wire', headers: {} }, options)
  cleanup.push(() => wire.destroy())
  return wire
}

/** Both ends of one connection: the server's is the raw take-over. */
async function pair(): Promise<{ client: Wire; server: Wire }> {
  const accepted = Promise.withResolvers<Wire>()
  const { address: at } = await serveWires(async wire => { accepted.resolve(wire) })
  const client = await dial(at)
  return { client, server: await accepted.promise }
}

/** A wire over plain 'data' events, as used when a socket's handle is not available. */
async function plainPair(): Promise<{ client: Wire; server: Wire }> {
  const accepted = Promise.withResolvers<Wire>()
  const listener = net.createServer({ allowHalfOpen: true }, socket => {
    accepted.resolve(new SocketWire(() => socket, { remote: 'plain', raw: false }))
  })
  await new Promise<void>(resolve => { listener.listen(0, '127.0.0.1', resolve) })
  cleanup.push(() => listener.close())
  const { port } = listener.address() as net.AddressInfo
  const client = new SocketWire(() => net.connect({ port, host: '127.0.0.1', allowHalfOpen: true }), { remote: 'plain', raw: false })
  const server = await accepted.promise
  cleanup.push(() => { client.destroy(); server.destroy() })
  return { client, server }
}

const kinds = [['raw', pair], ['plain', plainPair]] as const

describe.each(kinds)('a %s wire', (_, connected) => {
  test.each([1, 2, 3, 4])('gives exactly the bytes that were sent, whatever the sizes of writes and reads (seed %i)', async seed => {
    const random = seeded(seed)
    const { client, server } = await connected()
    const total = 24 << 20
    const sent = createHash('sha256')
    const received = createHash('sha256')
    // Sizes around limits: single bytes, the scratch buffer, frames, and others.
    const size = (): number =>
      [1 + random.below(64), scratchBytes - 2 + random.below(5), 1 + random.below(70_000), 1 + random.below(1 << 20)][random.below(4)]!
    const writing = (async () => {
      let left = total
      while (left > 0) {
        const parts: Buffer[] = []
        for (let i = 1 + random.below(3); i > 0 && left > 0; i--) {
          const part = randomBytes(Math.min(size(), left))
          parts.push(part)
          left -= part.length
        }
        for (const part of parts) sent.update(part)
        await client.write(...parts)
        if (random.below(20) === 0) await new Promise(resolve => setImmediate(resolve))
      }
      await client.end()
    })()
    let left = total
    const buffer = Buffer.alloc(1 << 20)
    while (left > 0) {
      const target = buffer.subarray(random.below(3), Math.min(3 + size(), left + 2, buffer.length))
      const wanted = target.subarray(0, Math.min(target.length, left))
      wanted.fill(0)
      expect(await server.read(wanted)).toBe(true)
      received.update(wanted)
      left -= wanted.length
      if (random.below(10) === 0) await new Promise(resolve => setImmediate(resolve))
    }
    await writing
    expect(await server.read(Buffer.alloc(1))).toBe(false)
    expect(received.digest('hex')).toBe(sent.digest('hex'))
  })

  test('answers in both directions after one side has ended', async () => {
    const { client, server } = await connected()
    await client.write(Buffer.from('ask'))
    await client.end()
    const asked = Buffer.alloc(3)
    expect(await server.read(asked)).toBe(true)
    expect(await server.read(Buffer.alloc(1))).toBe(false)
    await server.write(Buffer.from('answer'))
    await server.end()
    const answer = Buffer.alloc(6)
    expect(await client.read(answer)).toBe(true)
    expect(answer.toString()).toBe('answer')
    expect(await client.read(Buffer.alloc(1))).toBe(false)
    await Promise.all([client.closed, server.closed])
  })

  test('says that the connection ended inside a message when only a part of it came', async () => {
    const { client, server } = await connected()
    await client.write(Buffer.alloc(10))
    await client.end()
    await expect(server.read(Buffer.alloc(11))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('inside a message (10 bytes') as string,
    })
  })

  test('says the same when the end was seen before the read', async () => {
    const { client, server } = await connected()
    await client.write(Buffer.alloc(10))
    await client.end()
    await server.read(Buffer.alloc(4))
    await new Promise(resolve => setTimeout(resolve, 50))
    await expect(server.read(Buffer.alloc(7))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('inside a message (6 bytes') as string,
    })
    expect(await server.read(Buffer.alloc(1))).toBe(false)
  })

  test('says the same when the target is large', async () => {
    const { client, server } = await connected()
    const reading = server.read(Buffer.alloc(1 << 20))
    await client.write(Buffer.alloc(300_000))
    await client.end()
    await expect(reading).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('300000 bytes') as string })
  })

  test('rejects the outstanding read and write when this side drops it', async () => {
    const { client } = await connected()
    const reading = client.read(Buffer.alloc(5))
    const writing = (async () => { for (;;) await client.write(Buffer.alloc(1 << 20)) })()
    client.destroy(new Error('enough'))
    await expect(reading).rejects.toThrow('enough')
    await expect(writing).rejects.toThrow()
    await client.closed
    await expect(client.read(Buffer.alloc(1))).rejects.toThrow('enough')
    await expect(client.write(Buffer.alloc(1))).rejects.toThrow('enough')
  })

  test('rejects a read with UNAVAILABLE when the other side drops it', async () => {
    const { client, server } = await connected()
    const reading = server.read(Buffer.alloc(5))
    client.destroy()
    await expect(
      reading.then(whole => {
        if (!whole) throw Object.assign(new Error('clean'), { code: 'UNAVAILABLE' })
      }),
    ).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    server.destroy()
  })

  test('holds back a writer whose reader has stopped', async () => {
    const { client, server } = await connected()
    let written = 0
    const block = Buffer.alloc(1 << 20)
    const writing = (async () => {
      for (let i = 0; i < 64; i++) { await client.write(block); written++ }
    })()
    // The kernel buffers of a connection (a few MiB on loopback) are filled; then nothing moves any more.
    let before = -1
    while (written !== before) {
      before = written
      await new Promise(resolve => setTimeout(resolve, 60))
    }
    expect(written).toBeLessThan(40)
    const target = Buffer.alloc(1 << 20)
    for (let i = 0; i < 64; i++) expect(await server.read(target)).toBe(true)
    await writing
    expect(written).toBe(64)
  })

  test('gives up a read for which no byte comes', async () => {
    const { client } = await connected()
    client.setProgressTimeout(40)
    await expect(client.read(Buffer.alloc(1))).rejects.toMatchObject({ code: 'TIMEOUT' })
    await client.closed
  })

  test('gives up a write that the peer does not read', async () => {
    const { client } = await connected()
    client.setProgressTimeout(60)
    await expect((async () => { for (;;) await client.write(Buffer.alloc(4 << 20)) })()).rejects.toMatchObject({ code: 'TIMEOUT' })
  })

  test('is patient while nothing waits and while bytes still come', async () => {
    const { client, server } = await connected()
    server.setProgressTimeout(80)
    await new Promise(resolve => setTimeout(resolve, 200))
    const target = Buffer.alloc(10)
    const reading = server.read(target)
    for (let i = 0; i < 10; i++) {
      await client.write(Buffer.from([i]))
      await new Promise(resolve => setTimeout(resolve, 20))
    }
    expect(await reading).toBe(true)
    expect([...target]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })
})

test('one large write to a slow reader is progress as long as the kernel takes some of it', async () => {
  const { client, server } = await pair()
  client.setProgressTimeout(400)
  const bytes = 32 << 20
  const writing = client.write(Buffer.alloc(bytes))
  const target = Buffer.alloc(1 << 20)
  for (let read = 0; read < bytes; read += target.length) {
    expect(await server.read(target)).toBe(true)
    await new Promise(resolve => setTimeout(resolve, 30))
  }
  await writing
})

test('bytes that follow an Upgrade request in the same packet are the first of the wire', async () => {
  const body = randomBytes(200_000)
  const got = Promise.withResolvers<Buffer>()
  const { address: at } = await serveWires(async wire => {
    const target = Buffer.alloc(body.length)
    await wire.read(target.subarray(0, 3))
    await new Promise(resolve => setTimeout(resolve, 30))
    await wire.read(target.subarray(3))
    got.resolve(target)
    await wire.end()
  })
  const socket = net.connect({ host: '127.0.0.1', port: Number(at.split(':')[1]) })
  cleanup.push(() => socket.destroy())
  socket.write(
    Buffer.concat([Buffer.from(`GET /wire HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: gristmill-wire\r\n\r\n`), body]),
  )
  expect((await got.promise).equals(body)).toBe(true)
})

test('the server reads raw after the HTTP parser has let the connection go', async () => {
  const { server } = await pair()
  expect((server as SocketWire).raw).toBe(true)
})

test('a server that refuses gives its own error to the caller', async () => {
  const { address: at } = await serveWires(
    async () => {},
    () => ({ refuse: { status: 401, code: 'UNAUTHENTICATED', message: 'no token' } }),
  )
  await expect(dial(at)).rejects.toMatchObject({ code: 'UNAUTHENTICATED', message: 'no token' })
})

test('a decision that throws is INTERNAL and tells nothing of its cause', async () => {
  const { address: at } = await serveWires(async () => {}, () => { throw new Error('secret detail') })
  const error = await dial(at).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'INTERNAL' })
  expect(String(error)).not.toContain('secret')
})

test('connecting to a closed port is UNAVAILABLE', async () => {
  const listener = net.createServer()
  await new Promise<void>(resolve => { listener.listen(0, '127.0.0.1', resolve) })
  const { port } = listener.address() as net.AddressInfo
  await new Promise(resolve => { listener.close(resolve) })
  await expect(dial(address(`127.0.0.1:${port}`))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
})

test('connecting to a server that never answers ends at the timeout, and at once when aborted', async () => {
  const listener = net.createServer(() => {})
  await new Promise<void>(resolve => { listener.listen(0, '127.0.0.1', resolve) })
  cleanup.push(() => listener.close())
  const at = address(`127.0.0.1:${(listener.address() as net.AddressInfo).port}`)
  await expect(dial(at, { timeoutMs: 50 })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  await expect(dial(at, { signal: AbortSignal.timeout(30) })).rejects.toMatchObject({ code: 'TIMEOUT' })
})

test('connecting to something that is not HTTP is UNAVAILABLE and says so', async () => {
  const listener = net.createServer(socket => { socket.end('SSH-2.0-what\r\n\r\n') })
  await new Promise<void>(resolve => { listener.listen(0, '127.0.0.1', resolve) })
  cleanup.push(() => listener.close())
  await expect(dial(address(`127.0.0.1:${(listener.address() as net.AddressInfo).port}`))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
})

test('closing the listener ends its wires', async () => {
  const accepted = Promise.withResolvers<Wire>()
  const listening = await serveWires(async wire => { accepted.resolve(wire) })
  const client = await dial(listening.address)
  const server = await accepted.promise
  const reading = client.read(Buffer.alloc(1))
  reading.catch(() => {})
  await listening.close(0)
  await server.closed
  await reading.catch(() => false)
  client.destroy()
  await client.closed
})
