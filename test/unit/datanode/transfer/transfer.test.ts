// Block transfer of a datanode as its peers see it, over wires and HTTP on loopback: secret and block token are required, invalid requests
// and data close only their own wire.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { blockId, blockName, clusterId, type Address } from '../../../../src/base/ids.ts'
import { Channel } from '../../../../src/block/channel.ts'
import { FrameBuffer } from '../../../../src/block/frame.ts'
import { crcOf } from '../../../../src/block/checksum.ts'
import { transferPath } from '../../../../src/protocol/transfer.ts'
import { Credentials, bearerOf } from '../../../../src/rpc/auth.ts'
import { BlockTokens } from '../../../../src/rpc/token.ts'
import { systemClock } from '../../../../src/world/clock.ts'
import { noise } from '../../src/block/kit.ts'
import { Mill, testWorld, until } from '../kit.ts'
import { cluster, secret } from '../namenode.ts'

async function wireTo(to: Address, key = secret): Promise<Channel> {
  const { clock, random, net } = testWorld()
  const credentials = new Credentials({ secret: key, user: 'tester', cluster, clock, random })
  return new Channel(
    await net.connect(to, { path: transferPath, headers: credentials.sign({ method: 'GET', path: transferPath, body: '' }) }),
  )
}

const write = (block: number, over: object = {}): object => ({
  op: 'write', cluster, block, bytesMax: 1000, pipeline: [],
  token: new BlockTokens({ secret, clock: systemClock }).issue({ mode: 'write', block: blockId(block) }),
  ...over,
})
const read = (block: number, over: object = {}): object => ({
  op: 'read', cluster, block, offset: 0, length: 1000,
  token: new BlockTokens({ secret, clock: systemClock }).issue({ mode: 'read', block: blockId(block) }),
  ...over,
})
const error = (code: string): object => ({ kind: 'reply', value: { op: 'error', error: expect.objectContaining({ code }) as object } })

function frameOf(bytes: Buffer, offset = 0): FrameBuffer {
  const frame = new FrameBuffer()
  bytes.copy(frame.room)
  frame.seal(offset, bytes.length)
  return frame
}

async function put(channel: Channel, block: number, bytes: Buffer): Promise<unknown> {
  await channel.request(write(block))
  await channel.send(frameOf(bytes))
  await channel.end({ length: bytes.length, crc: crcOf(bytes) })
  return channel.receive()
}

test('a wire needs the cluster\'s secret, and every operation the token of its block and mode', async () => {
  await using mill = await Mill.start({ datanodes: 1 })
  const { address } = mill.datanodes[0]!
  await expect(wireTo(address, Buffer.alloc(32, 8))).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
  const channel = await wireTo(address)
  const tokens = new BlockTokens({ secret, clock: systemClock })
  const good = tokens.issue({ mode: 'read', block: blockId(1) })
  for (const token of [
    tokens.issue({ mode: 'read', block: blockId(2) }),
    tokens.issue({ mode: 'write', block: blockId(1) }),
    tokens.issue({ mode: 'read', block: blockId(1) }, -120_000),
    new BlockTokens({ secret: Buffer.alloc(32, 8), clock: systemClock }).issue({ mode: 'read', block: blockId(1) }),
    `${good.slice(0, -1)}${good.endsWith('0') ? '1' : '0'}`,
    '',
  ]) {
    await channel.request(read(1, { token }))
    expect(await channel.receive(), token).toEqual(error('UNAUTHENTICATED'))
  }
  await channel.request(read(1, { cluster: clusterId('another') }))
  expect(await channel.receive()).toEqual(error('WRONG_CLUSTER'))
  // The wire can still be used.
  expect(await put(channel, 1, noise(100))).toMatchObject({ value: { op: 'written' } })
  channel.wire.destroy()
})

test('data that is not a request, or not a frame, closes the wire and nothing else', async () => {
  await using mill = await Mill.start({ datanodes: 1 })
  const { address } = mill.datanodes[0]!
  for (const say of [
    (channel: Channel) => channel.request({ op: 'format the disk' }),
    (channel: Channel) => channel.end({ length: 0, crc: 0 }),
    (channel: Channel) => channel.wire.write(Buffer.alloc(64, 1)),
  ]) {
    const channel = await wireTo(address)
    await say(channel)
    expect(await channel.receive().catch(() => undefined)).toBeUndefined()
  }
  const channel = await wireTo(address)
  expect(await put(channel, 1, noise(100))).toMatchObject({ value: { op: 'written' } })
  channel.wire.destroy()
})

test('a block that does not come as announced is refused, and nothing of it stays', async () => {
  await using mill = await Mill.start({ datanodes: 1 })
  const { address } = mill.datanodes[0]!
  const bytes = noise(500)
  const damaged = frameOf(bytes)
  damaged.room[7]! ^= 1
  const cases: Array<[string, string, (channel: Channel) => Promise<unknown>]> = [
    [
      'its checksum is another one', 'CORRUPT',
      async channel => {
        await channel.send(frameOf(bytes))
        await channel.end({ length: 500, crc: 1 })
      },
    ],
    [
      'its length is another one', 'CORRUPT',
      async channel => {
        await channel.send(frameOf(bytes))
        await channel.end({ length: 499, crc: crcOf(bytes) })
      },
    ],
    ['it has no bytes', 'EINVAL', channel => channel.end({ length: 0, crc: 0 })],
    ['a frame was damaged', 'CORRUPT', channel => channel.send(damaged)],
    ['a frame is missing', 'CORRUPT', channel => channel.send(frameOf(bytes, 65_536))],
    ['it is longer than announced', 'TOO_LARGE', channel => channel.send(frameOf(noise(1001)))],
  ]
  for (const [i, [what, code, send]] of cases.entries()) {
    const channel = await wireTo(address)
    await channel.request(write(i + 1))
    await send(channel)
    expect(await channel.receive(), what).toEqual(error(code))
    channel.wire.destroy()
  }
  // Another one whose sender disconnects.
  const gone = await wireTo(address)
  await gone.request(write(50))
  await gone.send(frameOf(bytes))
  gone.wire.destroy()
  await until('nothing is left', () => readdirSync(join(mill.dirOf(0), 'incoming')).length === 0)
  expect(mill.namenode.holders(blockId(50))).toEqual([])
})

test('a read of a missing or an unexpected block is answered with the reason', async () => {
  await using mill = await Mill.start({ datanodes: 1 })
  const bytes = noise(500)
  const channel = await wireTo(mill.datanodes[0]!.address)
  await put(channel, 1, bytes)
  const cases: Array<[object, string]> = [
    [read(2), 'BLOCK_MISSING'], [read(1, { offset: 501 }), 'EINVAL'],
    [read(1, { expected: { length: 500, crc: 1 } }), 'CORRUPT'], [read(1, { expected: { length: 501, crc: crcOf(bytes) } }), 'CORRUPT'],
  ]
  for (const [request, code] of cases) {
    await channel.request(request)
    expect(await channel.receive(new FrameBuffer())).toEqual(error(code))
  }
  // A reader with wrong expectations does not mark a good block as bad.
  const frame = new FrameBuffer()
  await channel.request(read(1, { expected: { length: 500, crc: crcOf(bytes) } }))
  expect(await channel.receive(frame)).toEqual({ kind: 'data' })
  expect(frame.payload.equals(bytes)).toBe(true)
  expect(await channel.receive()).toEqual({ kind: 'end', value: { length: 500, crc: crcOf(bytes) } })
  channel.wire.destroy()
})

test('a block is put and got over plain HTTP, whole and in ranges, by token or with the cluster\'s own authority', async () => {
  await using mill = await Mill.start({ datanodes: 1 })
  const tokens = new BlockTokens({ secret, clock: systemClock })
  const bytes = noise(700_000)
  const id = blockId(0xabc)
  const url = `http://${mill.datanodes[0]!.address}/v1/block/${blockName(id)}`
  const bearer = (mode: 'read' | 'write', block = id): Record<string, string> => ({
    authorization: `Bearer ${tokens.issue({ mode, block })}`,
  })
  const stranger = { authorization: bearerOf(secret), 'x-gristmill-user': 'tester', 'x-gristmill-cluster': cluster }
  const body = new Uint8Array(bytes)

  expect((await fetch(url, { method: 'PUT', body })).status).toBe(401)
  expect((await fetch(url, { method: 'PUT', body, headers: stranger })).status).toBe(401)
  expect((await fetch(url, { method: 'PUT', body, headers: bearer('read') })).status).toBe(401)
  expect((await fetch(url, { method: 'PUT', body: new Uint8Array(0), headers: bearer('write') })).status).toBe(400)
  const put = await fetch(url, { method: 'PUT', body, headers: bearer('write') })
  expect({ status: put.status, body: (await put.json()) as unknown }).toEqual({
    status: 201,
    body: { block: blockName(id), length: 700_000, crc: crcOf(bytes) },
  })
  expect((await fetch(url, { method: 'PUT', body, headers: bearer('write') })).status).toBe(409)

  expect((await fetch(url)).status).toBe(401)
  expect((await fetch(url, { headers: bearer('read', blockId(1)) })).status).toBe(401)
  for (const headers of [bearer('read'), stranger]) {
    const got = await fetch(url, { headers })
    expect(got.status).toBe(200)
    expect(Buffer.from(await got.arrayBuffer()).equals(bytes)).toBe(true)
  }
  for (const [range, status, start, end] of [
    ['bytes=0-0', 206, 0, 1], ['bytes=65535-65536', 206, 65_535, 65_537], ['bytes=262100-600000', 206, 262_100, 600_001],
    ['bytes=699999-', 206, 699_999, 700_000], ['bytes=-10', 206, 699_990, 700_000], ['bytes=0-9999999', 206, 0, 700_000],
    ['lines=1-2', 200, 0, 700_000],
  ] as const) {
    const got = await fetch(url, { headers: { ...bearer('read'), range } })
    expect(got.status, range).toBe(status)
    expect(Buffer.from(await got.arrayBuffer()).equals(bytes.subarray(start, end)), range).toBe(true)
    if (status === 206) expect(got.headers.get('content-range')).toBe(`bytes ${start}-${end - 1}/700000`)
  }
  expect((await fetch(url, { headers: { ...bearer('read'), range: 'bytes=700000-' } })).status).toBe(416)
  const head = await fetch(url, { method: 'HEAD', headers: bearer('read') })
  expect([head.status, head.headers.get('content-length')]).toEqual([200, '700000'])
  expect((await fetch(`http://${mill.datanodes[0]!.address}/v1/block/..%2f..%2fsecret`, { headers: stranger })).status).toBe(400)
})

test('a datanode reports its health and metrics', async () => {
  await using mill = await Mill.start({ datanodes: 1 })
  const { address } = mill.datanodes[0]!
  const channel = await wireTo(address)
  await put(channel, 1, noise(500))
  channel.wire.destroy()
  expect(await (await fetch(`http://${address}/healthz`)).json()).toEqual({ status: 'ok' })
  const metrics = await (await fetch(`http://${address}/metrics`)).text()
  expect(metrics).toMatch(/^gristmill_replicas 1$/m)
  expect(metrics).toMatch(/^gristmill_transfer_bytes_total\{direction="in"\} 500$/m)
  expect(metrics).toMatch(/^gristmill_storage_failed\{dir="[^"]+"\} 0$/m)
})
