// Times in answers: those of Date, written in parts.

import { expect, test } from 'vitest'
import { timeOf } from '../../../../../client/gateway/s3/buckets.ts'
import { seeded } from '../../../../../src/world/random.ts'

test('a time is written as Date writes it, on any day and in any order', () => {
  const random = seeded(3)
  const day = 86_400_000
  const edges = [0, 1, 999, day - 1, day, 951_782_400_000, 253_402_300_799_999, 253_402_300_800_000, 2 ** 48 - 1, 1_600_000_000_000.5]
  const times = [...edges, ...Array.from({ length: 2000 }, () => random.below(2 ** 31) * 1000 + random.below(1000))]
  for (const ms of times) expect(timeOf(ms)).toBe(new Date(ms).toISOString())
})
