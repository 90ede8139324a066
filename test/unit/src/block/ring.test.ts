// Rings of frame buffers and their pool: each ring has a fixed number of buffers, waiting takers are served or failed, and returned buffers
// are reused up to 32 MiB.

import { expect, test } from 'vitest'
import { FrameBuffer } from '../../../../src/block/frame.ts'
import { FramePool } from '../../../../src/block/ring.ts'
import { checked } from '../../checked.ts'

const newPool = (): FramePool => checked(new FramePool(), { made: ['ring'] })

test('a ring hands out six buffers, and the next one when one comes back', async () => {
  const ring = newPool().ring()
  const out = Array.from({ length: 6 }, () => ring.take())
  expect(new Set(out).size).toBe(6)
  expect(out.every(buffer => buffer instanceof FrameBuffer)).toBe(true)
  const seventh = ring.take()
  expect(seventh).toBeInstanceOf(Promise)
  ring.give(out[2] as FrameBuffer)
  expect(await seventh).toBe(out[2])
})

test('with over sixteen rings at once each new one gets two buffers, and six again when they have ended', () => {
  const pool = newPool()
  const sizeOf = (ring: ReturnType<FramePool['ring']>): number => {
    for (let size = 0; ; size++) {
      const taken = ring.take()
      if (!(taken instanceof Promise)) continue
      taken.catch(() => {})
      ring.fail(new Error('enough'))
      return size
    }
  }
  const rings = Array.from({ length: 17 }, () => pool.ring())
  expect(sizeOf(rings[15]!)).toBe(6)
  expect(sizeOf(rings[16]!)).toBe(2)
  for (const ring of rings.slice(0, 5)) { ring.end(); ring.end() }
  expect(sizeOf(pool.ring())).toBe(6)
})

test('a waiting taker ends when nothing more will come', async () => {
  const ring = newPool().ring()
  for (let i = 0; i < 6; i++) void ring.take()
  const waiting = ring.take()
  ring.fail(new Error('the wire broke'))
  await expect(waiting).rejects.toThrow('the wire broke')
})

test('buffers of a ring that has ended go to the next one, those that come back late too; the pool keeps 32 MiB', () => {
  const pool = newPool()
  const ring = pool.ring()
  const [early, late] = [ring.take() as FrameBuffer, ring.take() as FrameBuffer]
  ring.give(early)
  ring.end()
  ring.give(late)
  // By identity: two new buffers would look the same.
  expect(pool.take()).toBe(late)
  expect(pool.take()).toBe(early)
  const given = Array.from({ length: 129 }, () => ({}) as FrameBuffer)
  for (const buffer of given) pool.give(buffer)
  const taken = Array.from({ length: 129 }, () => pool.take())
  expect(taken.filter(buffer => given.includes(buffer))).toHaveLength(128)
})
