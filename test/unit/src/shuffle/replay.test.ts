// Values that are read several times, in memory and beyond it: all of them in order, each reading its own copies, nothing left behind.

import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { GrowingBuffer } from '../../../../src/shuffle/buffer.ts'
import { ReplayBuffer } from '../../../../src/shuffle/replay.ts'
import { encodeValue } from '../../../../src/shuffle/value.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { dice } from '../../../kit/dice.ts'
import { scratch } from './kit.ts'

function add(buffer: ReplayBuffer, value: unknown): void {
  const sink = new GrowingBuffer()
  sink.byte(0)
  encodeValue(value, sink)
  buffer.add(sink.bytes, 1, sink.length)
}

test.each([100, 5000, 4 << 20])('every value comes back in order, again and again, with a budget of %i bytes', async memoryBytes => {
  const directory = await scratch()
  const buffer = await ReplayBuffer.open({ disk: localDisk, path: `${directory}/values`, memoryBytes })
  const random = dice(memoryBytes)
  for (let round = 0; round < 5; round++) {
    // One of them is longer than the window of a reading.
    const values = Array.from({ length: random.below(400) }, (_, i) =>
      (round === 2 && i === 7
        ? 'y'.repeat(3 << 20)
        : random.pick<unknown>([i, `v${i}`, null, { i, text: 'x'.repeat(random.below(3000)) }])))
    for (const value of values) add(buffer, value)
    expect(buffer.size).toBe(values.length)
    for (let i = 0; i < 3; i++) expect([...buffer]).toEqual(values)
    // A reading that ends early leaves the next one whole.
    for (const _ of buffer) break
    expect([...buffer]).toEqual(values)
    await buffer.clear()
    expect([buffer.size, [...buffer]]).toEqual([0, []])
  }
  await buffer.close()
  expect(readdirSync(directory)).toEqual([])
})

test('a program that changes a value changes nothing for the next reading', async () => {
  const directory = await scratch()
  const buffer = await ReplayBuffer.open({ disk: localDisk, path: `${directory}/values`, memoryBytes: 1000 })
  add(buffer, { n: 1 })
  for (const value of buffer) (value as { n: number }).n = 2
  expect([...buffer]).toEqual([{ n: 1 }])
  await buffer.close()
})
