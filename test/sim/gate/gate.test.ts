// Determinism gate: equal seeds give equal traces. All simulation tests depend on it: without it a failure could not be replayed, and the
// shrinker could not work.

import { expect, test } from 'vitest'
import { runScript } from '../script.ts'

const seeds = 20

async function hashes(from: number, count: number, turns: number): Promise<string[]> {
  const { code, text } = await runScript('gate/hashes.ts', String(from), String(count), String(turns))
  expect(code, text).toBe(0)
  return text.trim().split('\n')
}

test('twenty seeds give the same traces in two processes, however long each event is given to come to rest', async () => {
  const [first, second] = await Promise.all([hashes(1, seeds, 3), hashes(1, seeds, 5)])
  expect(first).toHaveLength(seeds)
  expect(second).toEqual(first)
  // Different seeds must give different traces; otherwise equal hashes would prove nothing.
  expect(new Set(first!.map(line => line.split(' ')[1])).size).toBe(seeds)
}, 240_000)

test('a seed does the same after other seeds as it does first', async () => {
  const [after, alone] = await Promise.all([hashes(31, 3, 3), hashes(33, 1, 3)])
  expect(after!.at(-1)).toBe(alone![0])
}, 120_000)
