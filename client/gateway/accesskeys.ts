// Access keys as the gateway knows them: looked up at the namenode and remembered for a few seconds, the absence of one too. A key that is
// removed is refused after that time.

import type { Clock } from '../../src/ports/clock.ts'

export interface UserKey { readonly user: string; readonly secret: string }

/** Named in the help of `user rm` and `user key`. */
const keptMs = 5_000
/** Callers choose the ids that are looked up, so their number is bounded. */
const keptMax = 1_000

type Find = (id: string) => Promise<UserKey | undefined>

export class AccessKeys {
  readonly #clock: Pick<Clock, 'mono'>
  readonly #find: Find
  readonly #known = new Map<string, { readonly untilMs: number; readonly key: Promise<UserKey | undefined> }>()

  constructor({ clock, find }: { readonly clock: Pick<Clock, 'mono'>; readonly find: Find }) {
    this.#clock = clock
    this.#find = find
  }

  find(id: string): Promise<UserKey | undefined> {
    const nowMs = this.#clock.mono()
    const known = this.#known.get(id)
    if (known && nowMs < known.untilMs) return known.key
    const key = this.#find(id)
    this.#known.delete(id)
    this.#known.set(id, { untilMs: nowMs + keptMs, key })
    // A lookup that failed is not remembered.
    key.catch(() => { if (this.#known.get(id)?.key === key) this.#known.delete(id) })
    for (const [oldest] of this.#known) {
      if (this.#known.size <= keptMax) break
      this.#known.delete(oldest)
    }
    return key
  }
}
