// What the clients of S3 of a run were told, counted over all of them: a condition on one state of an object is met at most once, because
// meeting it ends that state.

import type { Findings } from './change.ts'

/** Counts of all clients of a run. */
export class ObjectCounts {
  /** For each path: writes that found nothing there, and deletions. */
  readonly #claims = new Map<string, { claimed: number; removed: number }>()
  /** For each path and entity tag: the times that it may have been made, and that a condition on it was met. */
  readonly #tags = new Map<string, { made: number; met: number }>()
  #last = 0
  /** Content of each entity tag. */
  readonly contents = new Map<string, string>()

  /** A number that no other call of the run has. */
  next(): number { return ++this.#last }

  claimed(path: string): void { this.#of(path).claimed++ }
  /** A deletion that may have taken effect. */
  removed(path: string): void { this.#of(path).removed++ }
  made(path: string, etag: string): void { this.#tag(path, etag).made++ }
  met(path: string, etag: string): void { this.#tag(path, etag).met++ }

  check(add: Findings['add']): void {
    for (const [path, { claimed, removed }] of this.#claims)
      if (claimed > removed + 1) add(`${path}: ${claimed} writers were told that nothing was there before, with ${removed} deletions`)
    for (const [tag, { made, met }] of this.#tags)
      if (met > made) add(`${tag}: a condition on it was met ${met} times, and it was made ${made} times`)
  }

  #of(path: string) {
    const known = this.#claims.get(path) ?? { claimed: 0, removed: 0 }
    this.#claims.set(path, known)
    return known
  }

  #tag(path: string, etag: string) {
    const known = this.#tags.get(`${path} ${etag}`) ?? { made: 0, met: 0 }
    this.#tags.set(`${path} ${etag}`, known)
    return known
  }
}
