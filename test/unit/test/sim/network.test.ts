// Simulated network: delivers in order, loses, delays, breaks and damages as configured, and reports errors to the right side.

import Fastify from 'fastify'
import { expect, test } from 'vitest'
import type { Address } from '../../../../src/base/ids.ts'
import type { Wire } from '../../../../src/ports/net.ts'
import { exchange } from '../../../../src/rpc/exchange.ts'
import { Host } from '../../../kit/sim/host.ts'
import { Kernel } from '../../../kit/sim/kernel.ts'
import { Network } from '../../../kit/sim/network.ts'
import { Process } from '../../../kit/sim/process.ts'

interface Scene {
  readonly kernel: Kernel
  readonly network: Network
  readonly client: Process
  readonly server: Process
  readonly address: Address
  /** Server's ends of wires. */
  readonly wires: Wire[]
  readonly calls: string[]
  connect(): Promise<[mine: Wire, theirs: Wire]>
  call(body: string): ReturnType<typeof exchange>
  pass(ms: number): Promise<void>
}

async function scene(work: (scene: Scene) => Promise<void>): Promise<void> {
  const kernel = new Kernel(7)
  const network = new Network(kernel)
  const [client, server] = [new Process(kernel, 'client1', new Host('client1')), new Process(kernel, 'datanode1', new Host('datanode1'))]
  const wires: Wire[] = []
  const calls: string[] = []
  const http = Fastify()
  http.post('/echo', (request, reply) => {
    calls.push((request.body as { say: string }).say)
    void reply.send(request.body)
  })
  http.post('/wait', (_, reply) => { reply.raw.once('close', () => { if (!reply.raw.writableFinished) calls.push('caller gone') }) })
  kernel.start()
  try {
    const { address } = await network.netOf(server).listen(
      {
        http,
        upgrade: () => ({
          run: async wire => {
            wires.push(wire)
          },
        }),
      },
      { host: '127.0.0.1', port: 0 },
    )
    const net = network.netOf(client)
    await work({
      kernel, network, client, server, address, wires, calls,
      connect: async () => [await net.connect(address, { path: '/wire', headers: {} }), wires.at(-1)!],
      call: body =>
        exchange(net.dispatcher, {
          address, path: body === 'wait' ? '/wait' : '/echo', headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ say: body }), replyBytesMax: 1000,
        }),
      pass: ms =>
        new Promise(resolve => {
          kernel.schedule(ms, undefined, 'pass', resolve)
        }),
    })
  } finally {
    await kernel.stop()
    await http.close()
  }
}

test('a wire carries bytes in order, both ways, and ends cleanly', () => scene(async ({ connect }) => {
  const [mine, theirs] = await connect()
  const sent = Buffer.from(Array.from({ length: 5000 }, (_, i) => i % 251))
  const writes: Promise<void>[] = []
  for (let at = 0; at < sent.length; at += 97) writes.push(mine.write(sent.subarray(at, at + 97)))
  const got = Buffer.alloc(sent.length)
  expect(await theirs.read(got.subarray(0, 10))).toBe(true)
  expect(await theirs.read(got.subarray(10))).toBe(true)
  expect(got.equals(sent)).toBe(true)
  await Promise.all(writes)
  await mine.end()
  expect(await theirs.read(Buffer.alloc(1))).toBe(false)
  await theirs.write(Buffer.from('!'))
  expect(await mine.read(Buffer.alloc(1))).toBe(true)
  await theirs.end()
  await Promise.all([mine.closed, theirs.closed])
}))

test('data sent into a cut arrives when it is healed, in its order, and a one-way cut affects one direction only', () =>
  scene(async ({ connect, network, pass }) => {
    const [mine, theirs] = await connect()
    network.cut('client', 'datanode1', true)
    const writing = [mine.write(Buffer.from('one ')), mine.write(Buffer.from('two '))]
    await theirs.write(Buffer.from('back'))
    const back = Buffer.alloc(4)
    await mine.read(back)
    expect(back.toString()).toBe('back')
    const got = Buffer.alloc(13)
    let arrived = false
    const reading = theirs.read(got).then(() => {
      arrived = true
    })
    await pass(60_000)
    expect(arrived).toBe(false)
    network.heal()
    writing.push(mine.write(Buffer.from('three')))
    await Promise.all([reading, ...writing])
    expect(got.toString()).toBe('one two three')
  }))

test('a dead end breaks a wire, a paused one only makes it wait, and the progress timeout gives it up', () =>
  scene(async ({ connect, server, pass }) => {
    const [mine, theirs] = await connect()
    server.pause()
    let written = false
    const writing = mine.write(Buffer.from('x')).then(() => {
      written = true
    })
    await pass(10_000)
    expect(written).toBe(false)
    server.resume()
    await writing
    expect(await theirs.read(Buffer.alloc(1))).toBe(true)
    mine.setProgressTimeout(5_000)
    await expect(mine.read(Buffer.alloc(1))).rejects.toMatchObject({ code: 'TIMEOUT' })
    const [other] = await connect()
    const reading = other.read(Buffer.alloc(1))
    server.end()
    await expect(reading).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  }))

test.each([
  // Is the call carried out, and does the caller get its reply?
  ['asked', false, false], ['done', true, false], ['answered', true, true],
] as const)('a trigger fires at its moment of the call that it waits for, and once: %s', (moment, carriedOut, has) =>
  scene(async ({ network, server, calls, call }) => {
    let sprung = 0
    network.onMoment({
      from: 'client1', path: '/echo', moment, nth: 2,
      spring() {
        sprung++
        server.end()
      },
    })
    network.onMoment({
      from: 'datanode1', path: '/echo', moment, nth: 1,
      spring: () => {
        throw new Error('it is another one who calls')
      },
    })
    await call('first').outcome
    const { outcome } = call('second')
    if (has) expect((await outcome).status).toBe(200)
    else await expect(outcome).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect(calls).toEqual(carriedOut ? ['first', 'second'] : ['first'])
    expect(sprung).toBe(1)
  }),
)

test('heal() undoes all triggers, and each can be undone by itself', () => scene(async ({ network, call }) => {
  const spring = (): never => { throw new Error('it was undone') }
  network.onMoment({ from: 'client1', path: '/echo', moment: 'asked', nth: 1, spring })()
  network.onMoment({ from: 'client1', path: '/echo', moment: 'asked', nth: 1, spring })
  network.heal()
  expect((await call('x').outcome).status).toBe(200)
}))

test('a spoiled way changes bytes, resets, and slows down; healed, it does nothing of it', () =>
  scene(async ({ connect, network, kernel, address, client }) => {
    const [mine, theirs] = await connect()
    network.spoil('client', 'datanode1', { corrupt: 1 })
    const got = Buffer.alloc(100)
    await Promise.all([mine.write(Buffer.alloc(100)), theirs.read(got)])
    expect(got.filter(byte => byte !== 0)).toHaveLength(1)
    network.spoil('client', 'datanode1', { bytesPerSecond: 1000 })
    const before = kernel.now
    await Promise.all([mine.write(Buffer.alloc(3000)), theirs.read(Buffer.alloc(3000))])
    expect(kernel.now - before).toBeGreaterThan(3_000)
    network.spoil('client', 'datanode1', { reset: 1 })
    await expect(mine.write(Buffer.alloc(1))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await theirs.closed
    await expect(network.netOf(client).connect(address, { path: '/wire', headers: {} })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    network.heal()
    const [again, there] = await connect()
    await Promise.all([again.write(got), there.read(got)])
  }))

test('a call is answered, is refused where no server listens, and is delivered twice where that is asked', () =>
  scene(async ({ call, calls, network, server, pass }) => {
    expect(await call('hello').outcome).toEqual({ status: 200, text: '{"say":"hello"}' })
    network.spoil('client', 'datanode1', { duplicate: 1 })
    await call('twice').outcome
    await pass(120_000)
    expect(calls).toEqual(['hello', 'twice', 'twice'])
    server.end()
    const refused = call('late')
    await expect(refused.outcome).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    expect(refused.sent).toBe(false)
  }))

test('a call into a cut gets no answer, and may be carried out all the same once it is healed', () =>
  scene(async ({ call, calls, network, pass }) => {
    await call('acquainted').outcome
    network.cut('client', 'datanode1', false)
    let settled = 0
    for (let i = 0; i < 20; i++)
      call(`held ${i}`).outcome.then(
        () => {
          settled++
        },
        () => {
          settled++
        },
      )
    await pass(60_000)
    expect({ settled, calls }).toEqual({ settled: 0, calls: ['acquainted'] })
    network.heal()
    await pass(1_000)
    expect(calls.length).toBeGreaterThan(1)
    expect(calls.length).toBeLessThan(21)
  }))

test('a server hears that its caller has given up, or died', () => scene(async ({ call, calls, client, pass }) => {
  const waiting = call('wait')
  waiting.outcome.catch(() => {})
  await pass(10)
  waiting.abort(new Error('no more'))
  await pass(10)
  expect(calls).toEqual(['caller gone'])
  call('wait').outcome.catch(() => {})
  await pass(10)
  client.end()
  await pass(10)
  expect(calls).toEqual(['caller gone', 'caller gone'])
}))
