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

interface Waiting {
  readonly resolve: (release: Release) => void
  readonly reject: (reason: unknown) => void
  readonly signal: AbortSignal | undefined
}

/** Those that wait with one signal. */
interface Abortable { readonly waiting: Set<Waiting>; readonly onAbort: () => void }

/**
 * Runs at most `max` pieces of work at a time; the rest waits in order. Each step takes the same time, however much waits: a hundred
 * thousand pieces with one signal have one listener.
 */
export class Semaphore {
  readonly #max: number
  /** A place is taken until its function has been called. */
  readonly #taken = new Set<Release>()
  /** Those before `#first` have their place. */
  #line: Waiting[] = []
  #first = 0
  /** Those of the line that were aborted: they are skipped. */
  readonly #gone = new Set<Waiting>()
  readonly #abortable = new Map<AbortSignal, Abortable>()

  constructor(max: number) { this.#max = max }

  get waiting(): number { return this.#line.length - this.#first - this.#gone.size }

  /** Waits for a place. REQUIRES: the caller calls the returned function exactly once. */
  async acquire(signal?: AbortSignal): Promise<Release> {
    signal?.throwIfAborted()
    if (this.#taken.size < this.#max) return this.#take()
    return await new Promise<Release>((resolve, reject) => {
      const one: Waiting = { resolve, reject, signal }
      this.#line.push(one)
      if (signal) this.#abortableBy(signal).waiting.add(one)
    })
  }

  #abortableBy(signal: AbortSignal): Abortable {
    const known = this.#abortable.get(signal)
    if (known) return known
    const added: Abortable = { waiting: new Set(), onAbort: () => {
      this.#abortable.delete(signal)
      for (const one of added.waiting) {
        this.#gone.add(one)
        one.reject(signal.reason)
      }
      this.#clear()
    } }
    signal.addEventListener('abort', added.onAbort, { once: true })
    this.#abortable.set(signal, added)
    return added
  }

  /** A place, if one is free. REQUIRES: as `acquire`. */
  tryAcquire(): Release | undefined { return this.#taken.size < this.#max ? this.#take() : undefined }

  #take(): Release {
    const release = (): void => {
      if (!this.#taken.delete(release)) return
      this.#next()?.resolve(this.#take())
    }
    this.#taken.add(release)
    return release
  }

  /** Leaves the line. */
  #next(): Waiting | undefined {
    if (this.waiting === 0) return undefined
    let next = this.#line[this.#first++]!
    while (this.#gone.delete(next)) next = this.#line[this.#first++]!
    this.#clear()
    const abortable = next.signal && this.#abortable.get(next.signal)
    if (abortable?.waiting.delete(next) && abortable.waiting.size === 0) {
      this.#abortable.delete(next.signal!)
      next.signal!.removeEventListener('abort', abortable.onAbort)
    }
    return next
  }

  /** Makes the line shorter when at most half of it still waits. */
  #clear(): void {
    if (this.waiting * 2 > this.#line.length) return
    this.#line = this.#line.slice(this.#first).filter(one => !this.#gone.has(one))
    this.#gone.clear()
    this.#first = 0
  }

  /** Throws AssertionFailed if too many places are taken, or if work waits that could run. For tests and simulations. */
  checkState(): void {
    const { size } = this.#taken
    assert(size <= this.#max, `${size} places are taken, there are ${this.#max}`)
    assert(this.waiting === 0 || size === this.#max, `${this.waiting} wait, and ${size} of ${this.#max} places are taken`)
    assert(![...this.#abortable.keys()].some(({ aborted }) => aborted), 'work waits whose signal has aborted')
    const present = this.#line.slice(this.#first).filter(one => !this.#gone.has(one))
    const withSignals = present.filter(({ signal }) => signal).length
    const counted = [...this.#abortable.values()].reduce((sum, each) => sum + each.waiting.size, 0)
    assert(counted === withSignals, `${counted} are kept as abortable, and ${withSignals} wait with a signal`)
    assert(present.length === this.waiting, `${present.length} are in the line, and ${this.waiting} wait`)
    assert(this.#line.length < 2 * Math.max(1, this.waiting), `the line of ${this.waiting} has ${this.#line.length} places`)
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
