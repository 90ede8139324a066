// What one datanode is to do, numbered within its session, kept until it says that it has taken them over: a lost answer
// loses no order, and a repeated one is run once. The datanode keeps one waiting call open; a second one ends the first.

import { assert } from '../../src/base/assert.ts'
import { limits } from '../../src/base/limits.ts'
import { MiB } from '../../src/base/units.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Order } from '../../src/protocol/order.ts'
import { workBytes, workBytesMax } from './worksize.ts'

export interface NumberedOrder { readonly seq: number; readonly order: Order }

/** Orders in one answer: each is some hundred bytes, except for tasks with their splits and parameters. */
const answerMax = 100
/** Of the tasks in one answer, in bytes of JSON; the first order always goes, for none is larger than workBytesMax. */
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

  /** Its number. REQUIRES: a task is not too large (worksize.ts). */
  push(order: Order): number {
    const seq = this.#next++
    this.#queue.push({ seq, order })
    this.#answer?.()
    return seq
  }

  /** Orders up to `acknowledged` are in the node's hands. Gives them. */
  acknowledge(acknowledged: number): NumberedOrder[] {
    const split = this.#queue.findIndex(each => each.seq > acknowledged)
    const done = split < 0 ? this.#queue : this.#queue.slice(0, split)
    this.#queue = split < 0 ? [] : this.#queue.slice(split)
    return done
  }

  /** What is to be done, as soon as there is something; nothing after a while. Never rejects. */
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

  /** What fits into one answer: one that is too large for the node would be asked for again and again, and nothing behind it be heard. */
  #first(): readonly NumberedOrder[] {
    let bytes = 0
    const end = this.#queue.findIndex(({ order }, i) => {
      if (i === answerMax) return true
      if (order.kind === 'run') bytes += workBytes(order.work)
      return i > 0 && bytes > answerBytesMax
    })
    return end < 0 ? this.#queue.slice() : this.#queue.slice(0, end)
  }

  /** Answers a waiting call with what there is. */
  nudge(): void { this.#answer?.() }

  /** Ends a waiting call, and everything that was to be done. */
  close(): NumberedOrder[] {
    const dropped = this.#queue
    this.#queue = []
    this.#answer?.()
    return dropped
  }
}
