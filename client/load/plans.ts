// Remembers how programs were planned, so that one that is run again is not loaded again.

import type { Planned } from './planning.ts'

const plansKept = 100

/** Plans by what they depend on: the bundle, its parameters and its environment. A plan may depend on nothing else. */
export class Plans {
  readonly #plans = new Map<string, Planned>()
  /** Programs that were planned: the next time there is probably nothing to load. */
  readonly #files = new Set<string>()
  #begun = false

  /** Does something the first time only. */
  async once(work: () => Promise<void>): Promise<void> {
    if (this.#begun) return
    this.#begun = true
    await work()
  }

  knows(file: string): boolean { return this.#files.has(file) }
  get(key: string): Planned | undefined { return this.#plans.get(key) }

  put(file: string, key: string, planned: Planned): void {
    this.#files.delete(file)
    this.#files.add(file)
    this.#plans.set(key, planned)
    forgetOldest(this.#plans, plansKept)
    forgetOldest(this.#files, plansKept)
  }
}

function forgetOldest(kept: Map<string, unknown> | Set<string>, max: number): void {
  for (const oldest of kept.keys()) {
    if (kept.size <= max) break
    kept.delete(oldest)
  }
}
