// Waiting between tries: exponential with full jitter, so that many callers do not return together.

export interface Backoff {
  readonly firstMs: number
  readonly maxMs: number
}

/** How long to wait before try number `attempt` (1 is the first repeat). */
export function backoffMs(attempt: number, { firstMs, maxMs }: Backoff, random: Dice): number {
  const ceiling = Math.min(maxMs, firstMs * 2 ** Math.min(attempt - 1, 20))
  return ceiling / 2 + random.float() * (ceiling / 2)
}

/** What the Clock and Random ports give; named here because the base knows no port. */
interface Sleeper { sleep(ms: number, signal?: AbortSignal): Promise<void> }
interface Dice { float(): number }

export interface RetryOptions extends Backoff {
  readonly clock: Sleeper
  readonly random: Dice
  readonly attemptsMax: number
  readonly signal?: AbortSignal | undefined
  /** May this failure be tried again? */
  readonly when: (error: unknown, attempt: number) => boolean
}

/** Runs `work` until it succeeds, its failure may not be repeated, or the attempts are used up. Throws the last failure. */
export async function retry<T>(work: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(attempt)
    } catch (error) {
      if (attempt >= options.attemptsMax || options.signal?.aborted || !options.when(error, attempt)) throw error
    }
    await options.clock.sleep(backoffMs(attempt, options, options.random), options.signal)
  }
}
