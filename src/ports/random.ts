// Port: randomness; seeded in tests and simulations, otherwise from the operating system.

export interface Random {
  /** Uniform in [0, 1). */
  float(): number
  /** Uniform integer in [0, bound). */
  below(bound: number): number
  bytes(count: number): Uint8Array
  /** 24 hex digits, unique for all practical purposes. */
  id(): string
}

/** A new array with the items in random order. */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const result = [...items]
  for (let i = result.length - 1; i > 0; i--) {
    const j = random.below(i + 1)
    const swap = result[i]!
    result[i] = result[j]!
    result[j] = swap
  }
  return result
}
