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
  #rings = 0

  ring(): Ring {
    this.#rings++
    return new Ring(this, this.#rings > manyRings ? smallRing : largeRing)
  }

  take(): FrameBuffer { return this.#kept.pop() ?? new FrameBuffer() }

  give(buffer: FrameBuffer): void {
    if (this.#kept.length < keptMax) this.#kept.push(buffer)
  }

  /** Called when a ring has ended. */
  left(): void { this.#rings-- }
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
    this.#pool.left()
  }
}
