// Random draws shared by the workloads.

import type { Random } from '../../../src/ports/random.ts'
import type { Content } from '../plan.ts'

/** Sizes around limits: nothing, a byte, a chunk and a block, each with its neighbours. */
const sizes = [0, 1, 100, 4_095, 4_096, 4_097, 10_000, 16_384, 65_535, 65_536, 65_537, 150_000]

export function contentOf(random: Random, text = random.below(2) === 0): Content {
  return { id: String(random.below(2 ** 31)), bytes: sizes[random.below(sizes.length)]!, text }
}

export const pauseOf = (random: Random): number => (random.below(4) === 0 ? 0 : random.below(1_500))
