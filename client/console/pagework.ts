// Work of pages that takes memory or time in the process of the console: queries, comparisons of outputs. INVARIANT: at most `allMax` such
// works run, and `userMax` of one user.

import { GristmillError } from '../../src/base/errors.ts'

const allMax = 8
const userMax = 3

export class PageWork {
  readonly #open = new Map<string, number>()

  /** Throws OVERLOADED. */
  async take<T>(user: string, work: () => Promise<T>): Promise<T> {
    const own = this.#open.get(user) ?? 0
    const all = [...this.#open.values()].reduce((sum, each) => sum + each, 0)
    if (own >= userMax)
      throw new GristmillError('OVERLOADED', `you have ${own} running queries here; cancel one, or wait for its end`)
    if (all >= allMax) throw new GristmillError('OVERLOADED', `this console runs ${all} queries already; try again in a moment`)
    this.#open.set(user, own + 1)
    try {
      return await work()
    } finally {
      const left = this.#open.get(user)! - 1
      if (left === 0) this.#open.delete(user)
      else this.#open.set(user, left)
    }
  }
}
