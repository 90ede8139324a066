// mapPartitions step of a Dataset: gives a function all values of its task as one sequence, and passes on the sequence that it returns. The
// function reads the values as they arrive; the source waits while it is behind.

import { showValue } from '../base/show.ts'
import { wrongUse } from '../base/wronguse.ts'
import { withRecord, type CurrentRecord } from './async.ts'
import { keptValue } from './kept.ts'
import { misuse } from './misuse.ts'
import { isPromise, type Step } from './operator.ts'

/** (values, context) → iterable or async iterable of values, or a promise of one */
export type PartitionFunction = (values: AsyncIterable<unknown>, context: unknown) => unknown

/** Values that wait for the function. */
const waitingMax = 1024

/** Of a value that is of no record. */
const nowhere: CurrentRecord = { path: '', placeOf: () => undefined }

/** Values of several files pass through one call: in it, and in the steps behind it, the context has no path. */
export function partitionStep(
  fn: PartitionFunction, context: object, current: CurrentRecord, next: Step<unknown>,
): Step<unknown> {
  const values = new Values()
  let running: Promise<void> | undefined
  let hasFailed = false
  const run = async (): Promise<void> => {
    try {
      const pathless: unknown = Object.create(context, {
        path: { value: '', enumerable: true }, offset: { value: undefined, enumerable: true },
      })
      for await (const value of sequenceOf(await fn(values, pathless))) await withRecord(current, nowhere, () => next.push(value))
    } finally {
      // Values that the function has not read are dropped.
      values.stop()
    }
  }
  const begin = (): Promise<void> => {
    if (!running) {
      running = run()
      running.catch(() => { hasFailed = true })
    }
    return running
  }
  return {
    push(value) {
      const ended = begin()
      if (hasFailed) return ended
      values.add(value)
      // The function may fail, or end, while the queue is full.
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
  throw misuse(
    `mapPartitions was given a function that returned ${showValue(result)}; it must return an iterable of values, such as an async generator`,
  )
}

/** Queue between a producer that is told when to wait, and its readers. One that stops early goes on with the next loop. */
class Values implements AsyncIterable<unknown>, AsyncIterator<unknown> {
  readonly #waiting: unknown[] = []
  /** Place in `#waiting` of the next value to be read. */
  #next = 0
  #isEnded = false
  #isStopped = false
  #isRead = false
  /** Readers that wait: a program may read in several loops at the same time. */
  #readers: Array<() => void> = []
  #onDrained: (() => void) | undefined

  get isFull(): boolean { return this.#waiting.length - this.#next >= waitingMax }

  add(value: unknown): void {
    if (this.#isStopped) return
    this.#waiting.push(keptValue(value))
    this.#wake()
  }

  end(): void {
    this.#isEnded = true
    this.#wake()
  }

  stop(): void {
    this.#isStopped = true
    this.#waiting.length = 0
    this.#next = 0
    this.#onDrained?.()
    this.#wake()
  }

  #wake(): void {
    const readers = this.#readers
    this.#readers = []
    for (const wake of readers) wake()
  }

  drained(): Promise<void> {
    return new Promise(resolve => { this.#onDrained = resolve })
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown> {
    if (this.#isRead)
      throw wrongUse('the values of mapPartitions can be read only once; keep those that are needed again')
    return this
  }

  async next(): Promise<IteratorResult<unknown, undefined>> {
    while (this.#next === this.#waiting.length) {
      this.#waiting.length = 0
      this.#next = 0
      this.#onDrained?.()
      if (this.#isEnded || this.#isStopped) {
        this.#isRead = true
        return { done: true, value: undefined }
      }
      await new Promise<void>(resolve => { this.#readers.push(resolve) })
    }
    return { done: false, value: this.#waiting[this.#next++] }
  }
}
