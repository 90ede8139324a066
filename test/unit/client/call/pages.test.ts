// Paged listings of the library, over a function that replies with pages: pages are fetched in order, one at a time, and none after the
// caller stops.

import { expect, test } from 'vitest'
import { paged } from '../../../../client/call/pages.ts'

test('pages come in order, each asked for with the end of the one before, and none after the last', async () => {
  const asked: Array<string | undefined> = []
  const pages: Array<{ n: number; next?: string }> = [{ n: 1, next: 'a' }, { n: 2, next: '' }, { n: 3 }]
  const ask = async (after?: string) => { asked.push(after); return pages[asked.length - 1]! }
  const found: number[] = []
  for await (const { n } of paged(ask)) found.push(n)
  expect(found).toEqual([1, 2, 3])
  expect(asked).toEqual([undefined, 'a', ''])
})

test('a caller that stops after a page asks for no other one', async () => {
  let asked = 0
  for await (const _ of paged(async () => ({ next: ++asked }))) break
  expect(asked).toBe(1)
})
