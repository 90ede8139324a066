// Bounded queue between producers and one consumer that takes all waiting items at once. A full queue throws OVERLOADED at once, so
// that memory is bounded.

import { assert } from './assert.ts'
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

type Release = () => void

/** Runs at most `max` pieces of work at a time; the rest waits in order. */
export class Semaphore {
  readonly #max: number
  /** A place is taken until its function has been called. */
  readonly #taken = new Set<Release>()
  readonly #waiting: Array<{
    resolve: (release: Release) => void
    signal: AbortSignal | undefined
    onAbort: () => void
  }> = []

  constructor(max: number) { this.#max = max }

  get waiting(): number { return this.#waiting.length }

  /** Waits for a place. REQUIRES: the caller calls the returned function exactly once. */
  async acquire(signal?: AbortSignal): Promise<Release> {
    signal?.throwIfAborted()
    if (this.#taken.size < this.#max) return this.#take()
    return await new Promise<Release>((resolve, reject) => {
      const entry = { resolve, signal, onAbort: () => {
        this.#waiting.splice(this.#waiting.indexOf(entry), 1)
        reject(signal!.reason as Error)
      } }
      signal?.addEventListener('abort', entry.onAbort, { once: true })
      this.#waiting.push(entry)
    })
  }

  /** A place, if one is free. REQUIRES: as `acquire`. */
  tryAcquire(): Release | undefined { return this.#taken.size < this.#max ? this.#take() : undefined }

  #take(): Release {
    const release = (): void => {
      if (!this.#taken.delete(release)) return
      const next = this.#waiting.shift()
      if (!next) return
      next.signal?.removeEventListener('abort', next.onAbort)
      next.resolve(this.#take())
    }
    this.#taken.add(release)
    return release
  }

  /** Throws AssertionFailed if too many places are taken, or if work waits that could run. For tests and simulations. */
  checkState(): void {
    const { size } = this.#taken
    assert(size <= this.#max, `${size} places are taken, there are ${this.#max}`)
    assert(this.#waiting.length === 0 || size === this.#max, `${this.#waiting.length} wait, and ${size} of ${this.#max} places are taken`)
    assert(!this.#waiting.some(({ signal }) => signal?.aborted), 'work waits whose signal has aborted')
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
