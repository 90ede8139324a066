// Time without pauses, of a clock that jumps by random times.

import { expect, test } from 'vitest'
import { AwakeClock } from '../../../../namenode/nodes/awakeclock.ts'
import { seeded } from '../../../../src/world/random.ts'

test('time without pauses never goes back, and is the time less the pauses', () => {
  const random = seeded(7)
  let now = random.below(1_000_000) / 997
  const awake = new AwakeClock({ mono: () => now }, { nodeStaleMs: 2_500 })
  let before = awake.mono()
  let wanted = before
  let pauses = 0
  for (let i = 0; i < 100_000; i++) {
    const sinceMs = (random.below(1_000_000_007) / 1_000_000_007) ** 3 * 5_000
    now += sinceMs
    if (sinceMs > 1_250) pauses++
    else wanted += sinceMs
    const after = awake.mono()
    if (after < before) expect.fail(`from ${before} to ${after} ms`)
    if (Math.abs(after - wanted) > 0.01) expect.fail(`${after} ms, not ${wanted}`)
    before = after
  }
  expect(pauses).toBeGreaterThan(100)
})
