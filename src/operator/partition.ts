// mapPartitions step of a Dataset: gives a function all values of its task as one sequence, and passes on the sequence that it returns. The
// function reads the values as they arrive; the source waits while it is behind.

import { GristmillError } from '../base/errors.ts'
import { showValue } from '../base/show.ts'
import { isPromise, type Step } from './operator.ts'

/** (values, context) → iterable or async iterable of values, or a promise of one */
export type PartitionFunction = (values: AsyncIterable<unknown>, context: unknown) => unknown

/** Values that wait for the function. */
const waitingMax = 1024

export function partitionStep(fn: PartitionFunction, context: unknown, next: Step<unknown>): Step<unknown> {
  const values = new Values()
  let running: Promise<void> | undefined
  const run = async (): Promise<void> => {
    try {
      for await (const value of sequenceOf(await fn(values, context))) {
        const waiting = next.push(value)
        if (waiting) await waiting
      }
    } finally {
      // Values that the function has not read are dropped.
      values.stop()
    }
  }
  const begin = (): Promise<void> => {
    if (!running) {
      running = run()
      running.catch(() => {})
    }
    return running
  }
  return {
    push(value) {
      const ended = begin()
      values.add(value)
      // The function may have failed, or ended: its failure is thrown here or by finish.
      return values.isFull ? Promise.race([values.drained(), ended]) : undefined
    },
    async finish() {
      const ended = begin()
      values.end()
      await ended
      await next.finish()
    },
  }
}

function sequenceOf(result: unknown): Iterable<unknown> | AsyncIterable<unknown> {
  if (typeof result === 'object' && result !== null && !isPromise(result) && (Symbol.iterator in result || Symbol.asyncIterator in result))
    return result as AsyncIterable<unknown>
  throw new GristmillError(
    'EINVAL',
    `mapPartitions was given a function that returned ${showValue(result)}; it must return an iterable of values, such as an async generator`,
  )
}

/** Queue between a producer that is told when to wait, and one reader. */
class Values implements AsyncIterable<unknown> {
  #waiting: unknown[] = []
  #isEnded = false
  #isStopped = false
  #onMore: (() => void) | undefined
  #onDrained: (() => void) | undefined

  get isFull(): boolean { return this.#waiting.length >= waitingMax }

  add(value: unknown): void {
    if (this.#isStopped) return
    this.#waiting.push(value)
    this.#onMore?.()
  }

  end(): void {
    this.#isEnded = true
    this.#onMore?.()
  }

  stop(): void {
    this.#isStopped = true
    this.#waiting = []
    this.#onDrained?.()
  }

  drained(): Promise<void> {
    return new Promise(resolve => { this.#onDrained = resolve })
  }

  async * [Symbol.asyncIterator](): AsyncGenerator<unknown> {
    for (;;) {
      const batch = this.#waiting
      this.#waiting = []
      this.#onDrained?.()
      yield * batch
      if (this.#waiting.length > 0) continue
      if (this.#isEnded) return
      await new Promise<void>(resolve => { this.#onMore = resolve })
      this.#onMore = undefined
    }
  }
}
