// Namenode's time, as estimated by a datanode: from replies, and from the monotonic clock.

import { expect, test } from 'vitest'
import { ClusterTime } from '../../../../datanode/heartbeat/time.ts'
import { blockId } from '../../../../src/base/ids.ts'
import { BlockTokens } from '../../../../src/rpc/token.ts'
import type { Clock } from '../../../../src/ports/clock.ts'

const hour = 3_600_000
const secret = Buffer.alloc(32, 7)

/** Clocks of a machine, set by hand. */
function machine(): { wall: number; mono: number; clock: Clock } {
  const at: { wall: number; mono: number; clock: Clock } = {
    wall: 500_000 * hour, mono: 1_000,
    clock: { now: () => at.wall, mono: () => at.mono } as Clock,
  }
  return at
}

test('a wall clock that is set to another day changes nothing, and tokens of the namenode go on being taken', () => {
  const at = machine()
  const time = new ClusterTime(at.clock)
  const namenode = { now: () => 500_000 * hour + at.mono }
  const [issuer, checker] = [new BlockTokens({ secret, clock: namenode }), new BlockTokens({ secret, clock: time })]
  time.sample(namenode.now(), at.mono)
  for (const jump of [-26 * hour, 400 * 24 * hour]) {
    at.wall += jump
    at.mono += 500
    const scope = { mode: 'read', block: blockId(1) } as const
    checker.check(issuer.issue(scope), scope)
  }
  expect(time.now()).toBe(namenode.now())
})

test('before the first reply a node uses its own clock, and then the namenode\'s', () => {
  const at = machine()
  const time = new ClusterTime(at.clock)
  expect(time.now()).toBe(at.wall)
  time.sample(undefined, at.mono)
  expect(time.now()).toBe(at.wall)
  time.sample(42, at.mono)
  at.mono += 8
  expect(time.now()).toBe(50)
})

test('a reply that arrived during a pause of the node does not set its clock back, and the next one counts again', () => {
  const at = machine()
  const time = new ClusterTime(at.clock)
  time.sample(1_000_000, at.mono)
  const askedMs = at.mono
  at.mono += 60_000
  time.sample(1_000_001, askedMs)
  expect(time.now()).toBe(1_060_000)
  time.sample(1_060_500, at.mono - 500)
  expect(time.now()).toBe(1_060_500)
})
