// Cache of planned programs, by bundle, parameters, environment, and the paths of the run where the program gets them; at most 100. A
// program that runs again is not loaded again. A Mill owns one.

import type { Bundles } from '../../src/program/bundles.ts'
import type { Planned } from './planning.ts'

const plansKept = 100

/** Plans by their inputs: the bundle, its parameters and environment, and paths that it gets. A plan may depend on nothing else. */
export class Plans {
  /** Made by the first program that is compiled: other commands do not load the compiler. */
  bundles: Bundles | undefined
  readonly #plans = new Map<string, Planned>()
  /** Files of programs that were planned: the next run is probably cached. */
  readonly #files = new Set<string>()
  /** Number of current users of each bundle. */
  readonly #used = new Map<string, number>()
  #begun = 0

  /** Counts a planning. True for the first of every `every` calls. */
  begin(every: number): boolean { return this.#begun++ % every === 0 }

  /** Marks the bundle as in use during `work`. */
  async using<T>(bundle: string, work: () => Promise<T>): Promise<T> {
    this.#used.set(bundle, (this.#used.get(bundle) ?? 0) + 1)
    try {
      return await work()
    } finally {
      const rest = this.#used.get(bundle)! - 1
      if (rest > 0) this.#used.set(bundle, rest)
      else this.#used.delete(bundle)
    }
  }

  isUsed(bundle: string): boolean { return this.#used.has(bundle) }

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
