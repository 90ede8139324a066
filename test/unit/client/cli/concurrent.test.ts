// Concurrent work of a command, on generated numbers: at most 32 items at once, results in order, and after a failure nothing new begins
// and nothing is left running.

import { expect, test } from 'vitest'
import { concurrent } from '../../../../client/cli/concurrent.ts'

async function* numbers(count: number): AsyncGenerator<number> { for (let i = 0; i < count; i++) yield i }
const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++)
    await new Promise(resolve => {
      setImmediate(resolve)
    })
}

test('many are on their way at once, never more than 32, and their results come in order', async () => {
  let [flying, most] = [0, 0]
  const seen: number[] = []
  for await (const result of concurrent(numbers(200), async i => {
    most = Math.max(most, ++flying)
    await turns(1 + (i * 7) % 5)
    flying--
    return 2 * i
  })) seen.push(result)
  expect(seen).toEqual(Array.from({ length: 200 }, (_, i) => 2 * i))
  expect(most).toBe(32)
})

test('one that must stand alone begins when all before it are done', async () => {
  const done = new Set<number>()
  const before = new Map<number, number>()
  for await (const _ of concurrent(numbers(100), async i => {
    before.set(i, done.size)
    await turns(1 + i % 3)
    done.add(i)
  }, i => i % 25 === 24));
  for (const i of [24, 49, 74, 99]) expect(before.get(i)).toBe(i)
})

test('a failure is thrown in its turn, nothing more is begun, and nothing is left on its way', async () => {
  let [begun, flying] = [0, 0]
  const all = (async () => {
    for await (const _ of concurrent(numbers(1000), async i => {
      begun++
      flying++
      await turns(1)
      flying--
      if (i === 40 || i === 41) throw new Error(`number ${i}`)
    }));
  })()
  await expect(all).rejects.toThrow('number 40')
  expect(flying).toBe(0)
  expect(begun).toBeLessThan(40 + 2 * 32)
})
