// Queue of orders for one datanode, numbered within its session and kept until acknowledged: a lost reply loses no order, and
// a repeated order is run once. The datanode keeps one long poll open; a second one ends the first.

import { assert } from '../../src/base/assert.ts'
import { limits } from '../../src/base/limits.ts'
import { MiB } from '../../src/base/units.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Order } from '../../src/protocol/order.ts'
import { workBytes, workBytesMax } from './worksize.ts'

export interface NumberedOrder { readonly seq: number; readonly order: Order }

/** Orders per reply: some hundred bytes each, except tasks with their splits and parameters. */
const answerMax = 100
/** Bytes of JSON of the tasks in one reply; the first order is always sent, as none exceeds workBytesMax. */
const answerBytesMax = 8 * MiB

assert(workBytesMax + answerBytesMax < limits.replyBytesMax)

export class OrderQueue {
  readonly #clock: Clock
  readonly #waitMs: number
  #queue: NumberedOrder[] = []
  #next = 1
  #answer: (() => void) | undefined

  constructor(clock: Clock, waitMs: number = limits.longPollMs) {
    this.#clock = clock
    this.#waitMs = waitMs
  }

  get size(): number { return this.#queue.length }

  /** Returns the order's number. REQUIRES: a task is not too large (worksize.ts). */
  push(order: Order): number {
    const seq = this.#next++
    this.#queue.push({ seq, order })
    this.#answer?.()
    return seq
  }

  /** The node has taken the orders up to `acknowledged`. Returns them. */
  acknowledge(acknowledged: number): NumberedOrder[] {
    const split = this.#queue.findIndex(each => each.seq > acknowledged)
    const done = split < 0 ? this.#queue : this.#queue.slice(0, split)
    this.#queue = split < 0 ? [] : this.#queue.slice(split)
    return done
  }

  /** Resolves to the pending orders as soon as there are any; to none after the poll time. Never rejects. */
  wait(signal: AbortSignal): Promise<readonly NumberedOrder[]> {
    this.#answer?.()
    if (this.#queue.length > 0 || signal.aborted) return Promise.resolve(this.#first())
    return new Promise(resolve => {
      const finish = (): void => {
        if (this.#answer === finish) this.#answer = undefined
        cancel()
        signal.removeEventListener('abort', finish)
        resolve(this.#first())
      }
      const cancel = this.#clock.after(this.#waitMs, finish)
      signal.addEventListener('abort', finish, { once: true })
      this.#answer = finish
    })
  }

  /** Orders that fit into one reply: a reply too large for the node would be requested again and again, and block all later orders. */
  #first(): readonly NumberedOrder[] {
    let bytes = 0
    const end = this.#queue.findIndex(({ order }, i) => {
      if (i === answerMax) return true
      if (order.kind === 'run') bytes += workBytes(order.work)
      return i > 0 && bytes > answerBytesMax
    })
    return end < 0 ? this.#queue.slice() : this.#queue.slice(0, end)
  }

  /** Answers a waiting poll at once. */
  nudge(): void { this.#answer?.() }

  /** Ends a waiting poll and drops all orders. Returns the dropped orders. */
  close(): NumberedOrder[] {
    const dropped = this.#queue
    this.#queue = []
    this.#answer?.()
    return dropped
  }
}
