// Index of the output paths of running jobs: which job publishes at, above or below a path. The checks that use it are in reservations.ts.

import { assert, assertKept } from '../../../src/base/assert.ts'
import type { JobId } from '../../../src/base/ids.ts'
import { parentOf } from '../../../src/base/paths.ts'

export interface ReservedOutput { readonly job: JobId; readonly output: string; readonly user: string }

/** Output paths of running jobs. */
export interface Outputs {
  at(path: string): JobId | undefined
  /** The outputs at and below a path. */
  within(path: string): Iterable<ReservedOutput>
  /** One of the outputs below a path, with its job. */
  below(path: string): { readonly job: JobId; readonly output: string } | undefined
}

/** Indexed by path and by each directory above it, so that lookups cost the same for any number of jobs. */
export class OutputReservations implements Outputs {
  readonly #jobs = new Map<string, JobId>()
  readonly #users = new Map<JobId, string>()
  readonly #below = new Map<string, Set<string>>()

  at(path: string): JobId | undefined { return this.#jobs.get(path) }

  below(path: string): { readonly job: JobId; readonly output: string } | undefined {
    for (const output of this.#below.get(path) ?? []) return { job: this.#jobs.get(output)!, output }
    return undefined
  }

  * within(path: string): Iterable<ReservedOutput> {
    // No list is kept for the root.
    const found = path === '/' ? this.#jobs.keys() : this.#jobs.has(path) ? [path] : this.#below.get(path) ?? []
    for (const output of found) {
      const job = this.#jobs.get(output)!
      yield { job, output, user: this.#users.get(job)! }
    }
  }

  reserve(output: string, job: JobId, user: string): void {
    this.#jobs.set(output, job)
    this.#users.set(job, user)
    for (const above of ancestors(output)) {
      const known = this.#below.get(above)
      if (known) known.add(output)
      else this.#below.set(above, new Set([output]))
    }
  }

  /**
   * Throws AssertionFailed if the index by directory differs from the reserved paths, or these are not the outputs of the running jobs. Two
   * jobs of an earlier version may have one path; it belongs to one of them. For tests and simulations.
   */
  checkState(running: ReadonlyMap<JobId, { readonly spec: { readonly output: { readonly path: string } } }>): void {
    const below = new Map<string, Set<string>>()
    for (const [output, job] of this.#jobs) {
      assertKept('reserved path', output, running.get(job)?.spec.output.path ?? 'none: it does not run', job)
      for (const above of ancestors(output)) below.set(above, (below.get(above) ?? new Set()).add(output))
    }
    let jobs = 0
    for (const [job, { spec }] of running) {
      jobs++
      assert(this.#jobs.has(spec.output.path), `${job} runs, and its output path ${spec.output.path} is not reserved`)
      assert(this.#users.has(job), `${job} runs, and the user of its reservation is not known`)
    }
    assertKept('users of reservations', this.#users.size, jobs)
    const listed = (index: ReadonlyMap<string, ReadonlySet<string>>): string =>
      [...index].map(([above, outputs]) => `${above}: ${[...outputs].sort().join(', ')}`).sort().join('; ')
    assertKept('outputs by directory', listed(this.#below), listed(below))
  }

  release(ended: JobId): void {
    this.#users.delete(ended)
    for (const [output, job] of this.#jobs) {
      if (job !== ended) continue
      this.#jobs.delete(output)
      for (const above of ancestors(output)) {
        const known = this.#below.get(above)
        known?.delete(output)
        if (known?.size === 0) this.#below.delete(above)
      }
    }
  }
}

function* ancestors(path: string): Generator<string> {
  for (let at = parentOf(path); at !== '/'; at = parentOf(at)) yield at
}
