// Rings of reusable frame buffers. A stream takes a buffer, fills it, sends it, and gets it back once the bytes are sent. This
// bounds the memory of a stream, and its slowest consumer sets the pace.

import { assert } from '../base/assert.ts'
import { limits } from '../base/limits.ts'
import { FrameBuffer } from './frame.ts'

/** Buffers kept for later streams: 32 MiB suffice for those that usually run at the same time. */
const keptMax = 32 * 1024 * 1024 / limits.framePayloadBytesMax
/** Two buffers keep a stream going, one filled while the other is sent; more smooth the pace. */
const smallRing = 2
const largeRing = 6
/** With more rings than this, new ones are small. */
const manyRings = 16

/** Pool of frame buffers; one per process. */
export class FramePool {
  readonly #kept: FrameBuffer[] = []
  readonly #rings = new Set<Ring>()

  ring(): Ring {
    const ring = new Ring(this, this.#rings.size < manyRings ? largeRing : smallRing)
    this.#rings.add(ring)
    return ring
  }

  take(): FrameBuffer { return this.#kept.pop() ?? new FrameBuffer() }

  give(buffer: FrameBuffer): void {
    if (this.#kept.length < keptMax) this.#kept.push(buffer)
  }

  /** Called when a ring has ended. */
  left(ring: Ring): void { this.#rings.delete(ring) }

  /** Throws AssertionFailed if a buffer lies in two places, or there are more than there may be. For tests and simulations. */
  checkState(): void {
    const free = new Set<FrameBuffer>()
    const look = (buffer: FrameBuffer): void => {
      assert(!free.has(buffer), 'a frame buffer was given back twice')
      free.add(buffer)
    }
    assert(this.#kept.length <= keptMax, `${this.#kept.length} frame buffers are kept, at most ${keptMax} may be`)
    for (const buffer of this.#kept) look(buffer)
    for (const ring of this.#rings) ring.checkState(look)
  }
}

/** The buffers of one stream. REQUIRES: one taker at a time. */
class Ring {
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

  /** A buffer, at once or as soon as one is returned. */
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

  /** Rejects the waiting taker: no buffer will be returned to it. */
  fail(error: Error): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.reject(error)
  }

  /** Ends the ring; buffers still in use return to the pool when they are given back. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    for (const buffer of this.#free.splice(0)) this.#pool.give(buffer)
    this.#pool.left(this)
  }

  /** `look` is called with each free buffer. */
  checkState(look: (buffer: FrameBuffer) => void): void {
    assert(!this.#ended, 'a ring that has ended is counted')
    const free = this.#free.length
    assert(free <= this.#made && this.#made <= this.#size, `a ring of ${this.#size} buffers has made ${this.#made}, and ${free} are free`)
    assert(!this.#waiting || (free === 0 && this.#made === this.#size), 'the taker of a ring waits although there is a buffer')
    for (const buffer of this.#free) look(buffer)
  }
}
