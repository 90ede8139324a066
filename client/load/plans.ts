// Remembers how programs were planned, so that one that is run again is not loaded again.

import type { Planned } from './planning.ts'

const plansKept = 100

/** Plans by what they depend on: the bundle, its parameters and its environment. A plan may depend on nothing else. */
export class Plans {
  readonly #plans = new Map<string, Planned>()
  /** Programs that were planned: the next time there is probably nothing to load. */
  readonly #files = new Set<string>()

  knows(file: string): boolean { return this.#files.has(file) }
  get(key: string): Planned | undefined { return this.#plans.get(key) }

  put(file: string, key: string, planned: Planned): void {
    this.#files.add(file)
    this.#plans.set(key, planned)
    for (const oldest of this.#plans.keys()) {
      if (this.#plans.size <= plansKept) break
      this.#plans.delete(oldest)
    }
  }
}
