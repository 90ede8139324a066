// Clock that a test moves by hand: time passes only in calls of `pass`.

import type { Clock } from '../../src/ports/clock.ts'
import { onAbort } from './abort.ts'

export class ManualClock implements Clock {
  ms = 1000
  wallMs = 1_700_000_000_000
  #timers: Array<{ at: number; work: () => void }> = []

  /** Number of pending timers. */
  get waiting(): number { return this.#timers.length }

  now(): number { return this.wallMs + this.ms }
  mono(): number { return this.ms }
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.after(ms, resolve)
      onAbort(signal, () => {
        cancel()
        reject(signal!.reason as Error)
      })
    })
  }
  after(ms: number, work: () => void): () => void {
    const timer = { at: this.ms + ms, work }
    this.#timers.push(timer)
    return () => { this.#timers = this.#timers.filter(each => each !== timer) }
  }
  deadline(): AbortSignal { return new AbortController().signal }
  yield(): Promise<void> { return new Promise(resolve => setImmediate(resolve)) }

  pass(ms: number): void {
    const until = this.ms + ms
    for (;;) {
      const next = this.#timers.filter(timer => timer.at <= until).sort((a, b) => a.at - b.at)[0]
      if (!next) break
      this.#timers = this.#timers.filter(timer => timer !== next)
      this.ms = Math.max(this.ms, next.at)
      next.work()
    }
    this.ms = until
  }
}
