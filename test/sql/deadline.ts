// The time of a run of many queries. What is left when it is over is named, loudly, and not run; a query that goes on for minutes beyond it
// ends the process with a failure.

import assert from 'node:assert/strict'

/** For the query that runs when the time is over. */
const graceMinutes = 3

export class Deadline {
  readonly #minutes: number | undefined
  readonly #endMs: number
  readonly #left: string[] = []
  readonly #timer: NodeJS.Timeout | undefined

  /** Without a number of minutes the time is never over. */
  constructor(minutes: number | undefined) {
    assert.ok(minutes === undefined || minutes > 0, '--minutes is a number above 0')
    this.#minutes = minutes
    this.#endMs = minutes === undefined ? Infinity : performance.now() + minutes * 60_000
    if (minutes === undefined) return
    this.#timer = setTimeout(() => {
      console.log(`FAILED: a query has not ended ${graceMinutes} minutes after the ${minutes} of --minutes`)
      process.exit(1)
    }, (minutes + graceMinutes) * 60_000)
    this.#timer.unref()
  }

  /** True if there is no time left for this part of the run. */
  isOver(part: string): boolean {
    const isOver = performance.now() > this.#endMs
    if (isOver) this.#left.push(part)
    return isOver
  }

  /** Prints what was left out. */
  end(): void {
    clearTimeout(this.#timer)
    if (this.#left.length > 0) console.log(`SKIPPED, NOT RUN WITHIN ${this.#minutes} MINUTES: ${this.#left.join(', ')}`)
  }
}
