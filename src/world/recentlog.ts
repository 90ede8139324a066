// The last lines of the log of this process, for readers on other machines. INVARIANT: lines are kept whole, the newest of them up to a
// bound of characters; a line beyond the bound is not kept.

import { randomUUID } from 'node:crypto'
import type { RecentLog } from '../ports/log.ts'

export class RecentLines implements RecentLog {
  readonly process = randomUUID()
  readonly #charsMax: number
  readonly #lines: string[] = []
  /** Number of the first line that is kept. */
  #first = 0
  #chars = 0

  constructor(charsMax: number) { this.#charsMax = charsMax }

  /** `line`: with its line feed. */
  add(line: string): void {
    this.#lines.push(line)
    this.#chars += line.length
    let gone = 0
    while (this.#chars > this.#charsMax) this.#chars -= this.#lines[gone++]!.length
    this.#lines.splice(0, gone)
    this.#first += gone
  }

  read(from: number, charsMax: number): { from: number; lines: string[]; next: number } {
    const next = this.#first + this.#lines.length
    const start = Math.min(Math.max(from, this.#first), next)
    const lines: string[] = []
    for (let chars = 0, at = start; at < next; at++) {
      const line = this.#lines[at - this.#first]!
      chars += line.length
      if (lines.length > 0 && chars > charsMax) break
      lines.push(line.trimEnd())
    }
    return { from: start, lines, next: start + lines.length }
  }
}
