// Channel of frames over a fake wire: data lands in the caller's buffer, a clean end is an end, and damaged or unexpected frames drop the
// wire.

import { expect, test } from 'vitest'
import { Channel } from '../../../../src/block/channel.ts'
import { encodeJson, FrameBuffer } from '../../../../src/block/frame.ts'
import type { Wire } from '../../../../src/ports/net.ts'
import { noise } from './kit.ts'

function wireOf(bytes: Buffer): { wire: Wire; destroyed: () => number } {
  let at = 0
  let destroyed = 0
  const wire = {
    remote: 'there:1',
    async read(target: Uint8Array) {
      if (at === bytes.length) return false
      bytes.copy(target, 0, at, at + target.length)
      at += target.length
      return true
    },
    destroy: () => { destroyed++ },
  } as unknown as Wire
  return { wire, destroyed: () => destroyed }
}

function dataFrame(): Buffer {
  const frame = new FrameBuffer()
  noise(1000).copy(frame.room)
  frame.seal(0, 1000)
  return Buffer.from(frame.frame)
}

test('data goes into the buffer that was brought; a clean end is the end', async () => {
  const { wire, destroyed } = wireOf(Buffer.concat([dataFrame(), encodeJson(2, { op: 'ok' })]))
  const channel = new Channel(wire)
  const into = new FrameBuffer()
  expect(await channel.receive(into)).toEqual({ kind: 'data' })
  expect(into.payload.equals(noise(1000))).toBe(true)
  expect(await channel.receive()).toEqual({ kind: 'reply', value: { op: 'ok' } })
  expect(await channel.receive()).toBeUndefined()
  expect(destroyed()).toBe(0)
})

test('data where an answer was due, and anything that is no frame, ends the wire', async () => {
  const broken = encodeJson(2, { op: 'ok' })
  broken[34]! ^= 1
  for (const [bytes, words] of [
    [dataFrame(), 'sent data where an answer was due'],
    [Buffer.alloc(64), 'does not begin with GRF1'], [broken, 'damaged'],
  ] as const) {
    const { wire, destroyed } = wireOf(bytes)
    await expect(new Channel(wire).receive()).rejects.toMatchObject({ code: 'CORRUPT', message: expect.stringContaining(words) })
    expect(destroyed(), words).toBe(1)
  }
})
