// The best of many candidates, in memory for no more than are asked for.

export interface Candidate<T> {
  /** All candidates of one ranking have numbers, or all have texts. */
  readonly score: number | string
  /** Decides between equal scores: the smaller one is first. */
  readonly tie: string
  readonly item: T
}

export class Ranking<T> {
  readonly #best: Candidate<T>[] = []
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  add(candidate: Candidate<T>): void {
    if (this.#best.length === this.#limit && !isBefore(candidate, this.#best[this.#limit - 1]!)) return
    let low = 0
    let high = this.#best.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (isBefore(candidate, this.#best[middle]!)) high = middle
      else low = middle + 1
    }
    this.#best.splice(low, 0, candidate)
    if (this.#best.length > this.#limit) this.#best.pop()
  }

  /** The best, first of all the one with the highest score. */
  get best(): readonly Candidate<T>[] { return this.#best }
}

const isBefore = (a: Candidate<unknown>, b: Candidate<unknown>): boolean => a.score > b.score || (a.score === b.score && a.tie < b.tie)
