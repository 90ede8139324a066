// Delays between retries: exponential with half jitter. The delay is uniform in the upper half of the interval, not in all of it ("full
// jitter"): many callers do not retry together, and no caller retries at once.

export interface Backoff {
  readonly firstMs: number
  readonly maxMs: number
}

/** The part of the Random port used here; the base does not import ports. */
interface Dice { float(): number }

/** Delay in milliseconds before retry number `attempt`, starting at 1. */
export function backoffMs(attempt: number, { firstMs, maxMs }: Backoff, random: Dice): number {
  const ceiling = Math.min(maxMs, firstMs * 2 ** Math.min(attempt - 1, 20))
  return ceiling / 2 + random.float() * (ceiling / 2)
}
