// Bounded queue between producers and one consumer that takes all waiting items at once. A full queue throws OVERLOADED at once, so
// that memory is bounded.

import { GristmillError } from './errors.ts'

export class Queue<T> {
  readonly #name: string
  readonly #max: number
  #items: T[] = []

  constructor(name: string, max: number) {
    this.#name = name
    this.#max = max
  }

  get size(): number { return this.#items.length }

  /** Throws OVERLOADED if the queue is full. */
  push(item: T): void {
    if (this.#items.length >= this.#max) {
      throw new GristmillError('OVERLOADED', `${this.#max} requests already wait in the ${this.#name} queue; try again in a moment`)
    }
    this.#items.push(item)
  }

  /** The first waiting item that matches. */
  find(is: (item: T) => boolean): T | undefined { return this.#items.find(is) }

  /** All waiting items, oldest first; empties the queue. */
  drain(): T[] {
    const items = this.#items
    this.#items = []
    return items
  }
}

/** Runs at most `max` pieces of work at a time; the rest waits in order. */
export class Semaphore {
  #free: number
  readonly #waiting: Array<{
    resolve: () => void
    reject: (reason: unknown) => void
    signal: AbortSignal | undefined
    onAbort: () => void
  }> = []

  constructor(max: number) { this.#free = max }

  get waiting(): number { return this.#waiting.length }

  /** Waits for a place. REQUIRES: the caller calls the returned function exactly once. */
  async acquire(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted()
    if (this.#free > 0) {
      this.#free--
    } else {
      await new Promise<void>((resolve, reject) => {
        const entry = { resolve, reject, signal, onAbort: () => {
          this.#waiting.splice(this.#waiting.indexOf(entry), 1)
          reject(signal!.reason)
        } }
        signal?.addEventListener('abort', entry.onAbort, { once: true })
        this.#waiting.push(entry)
      })
    }
    let released = false
    return () => {
      if (released) return
      released = true
      const next = this.#waiting.shift()
      if (!next) { this.#free++; return }
      next.signal?.removeEventListener('abort', next.onAbort)
      next.resolve()
    }
  }

  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const release = await this.acquire(signal)
    try {
      return await work()
    } finally {
      release()
    }
  }
}
