// Random numbers from a seed (mulberry32): the same seed gives the same numbers.

export interface Dice {
  below(bound: number): number
  pick<T>(items: readonly T[]): T
}

export function dice(seed: number): Dice {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  const below = (bound: number) => Math.floor(next() * bound)
  return { below, pick: items => items[below(items.length)]! }
}
