// Waiting between tries: exponential with full jitter, so that many callers do not return together.

export interface Backoff {
  readonly firstMs: number
  readonly maxMs: number
}

/** What the Random port gives; named here because the base knows no port. */
interface Dice { float(): number }

/** How long to wait before try number `attempt` (1 is the first repeat). */
export function backoffMs(attempt: number, { firstMs, maxMs }: Backoff, random: Dice): number {
  const ceiling = Math.min(maxMs, firstMs * 2 ** Math.min(attempt - 1, 20))
  return ceiling / 2 + random.float() * (ceiling / 2)
}
