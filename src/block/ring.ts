// Frame buffers that are used again and again. A stream works on a ring of a few: it takes one, fills it, sends it off, and
// gets it back once the bytes have left. So a stream's memory is bounded by its ring, and the slowest of all who still use
// a buffer governs the pace.

import { assert } from '../base/assert.ts'
import { limits } from '../base/limits.ts'
import { FrameBuffer } from './frame.ts'

/** Buffers kept for the next stream: 32 MiB are enough for all that usually run at once. */
const keptMax = 32 * 1024 * 1024 / limits.framePayloadBytesMax
/** Two keep a stream going, one filled while the other leaves; more smooth out the pace. */
const smallRing = 2
const largeRing = 6
/** With more rings than this at once each gets a small one. */
const manyRings = 16

/** Where rings get their buffers from: one per process. */
export class FramePool {
  readonly #kept: FrameBuffer[] = []
  #rings = 0

  ring(): Ring {
    this.#rings++
    return new Ring(this, this.#rings > manyRings ? smallRing : largeRing)
  }

  take(): FrameBuffer { return this.#kept.pop() ?? new FrameBuffer() }

  give(buffer: FrameBuffer): void {
    if (this.#kept.length < keptMax) this.#kept.push(buffer)
  }

  /** A ring has ended. */
  left(): void { this.#rings-- }
}

/** The buffers of one stream. REQUIRES: one taker at a time. */
export class Ring {
  readonly #pool: FramePool
  readonly #size: number
  readonly #free: FrameBuffer[] = []
  #made = 0
  #ended = false
  #waiting: { resolve: (buffer: FrameBuffer) => void; reject: (error: Error) => void } | undefined

  constructor(pool: FramePool, size: number) {
    this.#pool = pool
    this.#size = size
  }

  /** A buffer, at once or as soon as one comes back. */
  take(): FrameBuffer | Promise<FrameBuffer> {
    assert(!this.#waiting && !this.#ended, 'a ring has one taker, until it ends')
    const free = this.#free.pop()
    if (free) return free
    if (this.#made < this.#size) { this.#made++; return this.#pool.take() }
    return new Promise((resolve, reject) => { this.#waiting = { resolve, reject } })
  }

  give(buffer: FrameBuffer): void {
    const waiting = this.#waiting
    if (waiting) {
      this.#waiting = undefined
      waiting.resolve(buffer)
    } else if (this.#ended) this.#pool.give(buffer)
    else this.#free.push(buffer)
  }

  /** Wakes the taker with an error: what it waits for will not come. */
  fail(error: Error): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.reject(error)
  }

  /** Buffers that are still out go back to the pool when they are given. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    for (const buffer of this.#free.splice(0)) this.#pool.give(buffer)
    this.#pool.left()
  }
}
