// Stored replies: kept for a while and then deleted in small steps; a clock change has no effect.

import { expect, test } from 'vitest'
import { forgetting } from '../../../../namenode/journal/requests.ts'
import { keptAnswer } from '../../../../namenode/journal/requests.ts'
import { mkdir } from '../../../../namenode/namespace/names.ts'
import { limits } from '../../../../src/base/limits.ts'
import { requestId } from '../../../../src/base/ids.ts'
import { type Bench, openBench, replayed } from '../kit.ts'

const ids = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => requestId(`c:${from + i}`))
const make = (bench: Bench, from: number, to: number): Promise<unknown> =>
  Promise.all(ids(from, to).map(id => bench.do(mkdir, { path: `/d${id.slice(2)}`, requestId: id })))
const kept = (bench: Bench, from: number, to: number): number => ids(from, to).filter(id => keptAnswer(bench.journal.view, id)).length

/** Works until a whole round has passed. */
async function round(bench: Bench): Promise<void> {
  const chore = forgetting(bench.journal, bench.clock)
  for (let i = 0; i < 20; i++) await chore.work()
}

test('stored replies are deleted when no repeat can come any more, and not before', async () => {
  const bench = await openBench()
  await make(bench, 0, 2500)
  bench.clock.ms += limits.requestKeptMs - 1000
  await make(bench, 2500, 3000)
  await round(bench)
  expect(kept(bench, 0, 3000)).toBe(3000)
  bench.clock.ms += 2000
  await round(bench)
  expect(kept(bench, 0, 2500)).toBe(0)
  expect(kept(bench, 2500, 3000)).toBe(500)
  await replayed(bench)
})

test('a wall clock that jumps ahead by a day forgets nothing', async () => {
  const bench = await openBench()
  await make(bench, 0, 10)
  bench.clock.wallMs += 86_400_000
  await round(bench)
  expect(kept(bench, 0, 10)).toBe(10)
  bench.clock.wallMs -= 2 * 86_400_000
  await make(bench, 10, 20)
  await round(bench)
  expect(kept(bench, 0, 20)).toBe(20)
})

test('while nothing is old, nothing is written', async () => {
  const bench = await openBench()
  await make(bench, 0, 1500)
  const { commits } = bench.store
  await round(bench)
  expect(bench.store.commits).toBe(commits)
})
