// Answers of the namenode that a gateway remembers for a few seconds: access keys, hashes of passwords, settings of buckets. That there is
// nothing is remembered too, a failure is not. A change reaches every gateway within that time.

import type { Clock } from '../../src/ports/clock.ts'

/** Named in the help of `user rm` and `user key`, and in the reference of policies. */
const keptMs = 5_000
/** Callers choose the names that are looked up, so their number is bounded. */
const keptMax = 1_000

export class TimedCache<T> {
  readonly #clock: Pick<Clock, 'mono'>
  /** In the order of their lookups. */
  readonly #known = new Map<string, { readonly untilMs: number; readonly found: Promise<T> }>()

  constructor({ clock }: { readonly clock: Pick<Clock, 'mono'> }) { this.#clock = clock }

  /**
   * Answer that is known under a name, or else that of `find`. Callers at the same time share one lookup. REQUIRES: `find` does not end
   * with the request of one caller: no signal of a request is given to it; a caller that waits no longer uses `abortable`.
   */
  get(name: string, find: () => Promise<T>): Promise<T> {
    const nowMs = this.#clock.mono()
    const known = this.#known.get(name)
    if (known && nowMs < known.untilMs) return known.found
    const found = find()
    this.#known.delete(name)
    this.#known.set(name, { untilMs: nowMs + keptMs, found })
    found.catch(() => { if (this.#known.get(name)?.found === found) this.#known.delete(name) })
    for (const [oldest] of this.#known) {
      if (this.#known.size <= keptMax) break
      this.#known.delete(oldest)
    }
    return found
  }

  forget(name: string): void { this.#known.delete(name) }
}
