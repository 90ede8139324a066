// Bound on the lines a second that pass through one or several streams of bytes, together. Lines that are waited for are not sent before.

import type { Clock } from '../ports/clock.ts'

interface LineRateDeps { readonly clock: Pick<Clock, 'mono' | 'sleep'> }

const lineFeed = 10

export class LineRate {
  readonly #clock: LineRateDeps['clock']
  readonly #rate: number
  /** Time up to which the lines that have passed are paid for. */
  #paidMs: number

  constructor({ clock }: LineRateDeps, rate: number) {
    this.#clock = clock
    this.#rate = rate
    this.#paidMs = clock.mono()
  }

  /** The same bytes, four steps a second or fewer. The end of a text without a line end counts for nothing. */
  async * lines(items: AsyncIterable<Uint8Array>, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const step = Math.max(1, Math.ceil(this.#rate / 4))
    for await (const piece of items) {
      let from = 0
      let count = 0
      for (let at = piece.indexOf(lineFeed); at >= 0; at = piece.indexOf(lineFeed, at + 1)) {
        if (++count < step) continue
        await this.#take(count, signal)
        yield piece.subarray(from, at + 1)
        from = at + 1
        count = 0
      }
      if (count > 0) await this.#take(count, signal)
      if (from < piece.length) yield piece.subarray(from)
    }
  }

  async #take(count: number, signal: AbortSignal | undefined): Promise<void> {
    const nowMs = this.#clock.mono()
    const waitMs = this.#paidMs - nowMs
    this.#paidMs = Math.max(this.#paidMs, nowMs) + count / this.#rate * 1000
    if (waitMs > 0) await this.#clock.sleep(waitMs, signal)
  }
}
