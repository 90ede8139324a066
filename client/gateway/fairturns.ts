// Turns of work of which one piece runs at a time, shared fairly between names: names with waiting work take turns, and the pieces of one
// name keep their order.
// INVARIANT: at most `max` pieces run or wait. At the bound the name with the most waiting work loses its last piece to a name with less,
// so that one name, whatever it sends, keeps no other name out.

import { assert } from '../../src/base/assert.ts'

interface Waiting { readonly start: () => void; readonly refuse: (why: Error) => void }

interface FairTurnsOptions {
  readonly max: number
  /** Error of a piece that is refused. */
  readonly full: () => Error
}

export class FairTurns {
  readonly #options: FairTurnsOptions
  /** Waiting work by name; the name whose turn is next stands first. */
  readonly #lines = new Map<string, Waiting[]>()
  #waiting = 0
  #isBusy = false

  constructor(options: FairTurnsOptions) { this.#options = options }

  /** Runs the work in a turn of this name. Rejects with `full()` if there is no room, at once or later. */
  async run<T>(name: string, work: () => Promise<T>): Promise<T> {
    if (this.#waiting + (this.#isBusy ? 1 : 0) >= this.#options.max) this.#makeRoom(name)
    await new Promise<void>((start, refuse) => {
      const line = this.#lines.get(name) ?? []
      line.push({ start, refuse })
      this.#lines.set(name, line)
      this.#waiting++
      if (!this.#isBusy) this.#next()
    })
    try {
      return await work()
    } finally {
      this.#isBusy = false
      this.#next()
    }
  }

  /** Throws AssertionFailed if the count of waiting work is wrong. For tests. */
  checkState(): void {
    const waiting = [...this.#lines.values()].reduce((sum, { length }) => sum + length, 0)
    assert(this.#waiting === waiting && waiting + (this.#isBusy ? 1 : 0) <= this.#options.max, 'more work waits than may')
    assert(waiting === 0 || this.#isBusy, 'work waits although none runs')
  }

  #next(): void {
    for (const [name, line] of this.#lines) {
      this.#lines.delete(name)
      const { start } = line.shift()!
      // Behind all other names.
      if (line.length > 0) this.#lines.set(name, line)
      this.#waiting--
      this.#isBusy = true
      return start()
    }
  }

  /** Throws `full()` if no other name has two pieces more than this one. */
  #makeRoom(name: string): void {
    const own = this.#lines.get(name)?.length ?? 0
    let longest: Waiting[] = []
    for (const line of this.#lines.values()) if (line.length > longest.length) longest = line
    if (longest.length < own + 2) throw this.#options.full()
    longest.pop()!.refuse(this.#options.full())
    this.#waiting--
  }
}
