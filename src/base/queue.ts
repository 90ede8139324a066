// A bounded queue between one or more producers and one consumer that takes all that waits at once.
// Full means OVERLOADED at once: the caller is told, memory never grows.

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

  /** The first item that waits for which this is true. */
  find(is: (item: T) => boolean): T | undefined { return this.#items.find(is) }

  /** Everything that waits, oldest first; the queue is empty afterwards. */
  drain(): T[] {
    const items = this.#items
    this.#items = []
    return items
  }
}

/** At most `max` pieces of work at once; the rest waits in order. */
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

  /** Waits for a place. The caller must call the returned function exactly once when it is done. */
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
