// What a gateway remembers: for how long, how much, and that a failure is not remembered.

import { expect, test } from 'vitest'
import { TimedCache } from '../../../../client/gateway/timedcache.ts'

test('a name is looked up once in five seconds, by callers at the same time too; what was not there is remembered, a failure is not', async () => {
  let [nowMs, lookups] = [0, 0]
  const cache = new TimedCache<string | undefined>({ clock: { mono: () => nowMs } })
  const get = (name: string, found?: string): Promise<string | undefined> => cache.get(name, async () => { lookups++; return found })
  expect(await Promise.all([get('a', 'one'), get('a', 'two'), get('none')])).toEqual(['one', 'one', undefined])
  nowMs = 4_999
  expect([await get('a', 'three'), await get('none', 'x'), lookups]).toEqual(['one', undefined, 2])
  nowMs = 5_000
  expect([await get('a', 'three'), lookups]).toEqual(['three', 3])
  cache.forget('a')
  expect(await get('a', 'four')).toBe('four')
  await expect(cache.get('b', async () => { throw new Error('away') })).rejects.toThrow('away')
  expect(await get('b', 'there')).toBe('there')
})

test('of a flood of names the last thousand are remembered', async () => {
  const cache = new TimedCache<number>({ clock: { mono: () => 0 } })
  for (let i = 0; i < 1_500; i++) await cache.get(String(i), async () => i)
  expect(await cache.get('500', async () => -1)).toBe(500)
  expect(await cache.get('499', async () => -1)).toBe(-1)
})
