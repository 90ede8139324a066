// Gathers things that are asked for at the same time into few calls. What comes while a call is on its way waits for the next one.
// A call whose callers have all given up is aborted.
// INVARIANT: each thing is in one call, and gets its own outcome; a failed call is the outcome of all in it.

import { abortError } from '../base/abort.ts'
import type { Clock } from '../ports/clock.ts'

interface Waiting<T, R> {
  readonly thing: T
  readonly size: number
  readonly signal: AbortSignal | undefined
  readonly resolve: (result: R) => void
  readonly reject: (error: unknown) => void
  readonly onAbort: () => void
  /** The call in which it is on its way: it is told when the caller gives up. */
  leave?: (() => void) | undefined
}

interface CallBatchOptions<T, R> {
  readonly clock: Pick<Clock, 'yield'>
  /** Things and bytes in one call, and calls at the same time. */
  readonly countMax: number
  readonly sizeMax: number
  readonly callsMax: number
  /** Outcomes in order; fewer than things: the others are sent again, in a call of their own. */
  readonly send: (things: readonly T[], signal: AbortSignal) => Promise<ReadonlyArray<{ readonly value: R } | { readonly error: unknown }>>
}

export class CallBatch<T, R> {
  readonly #options: CallBatchOptions<T, R>
  #waiting: Waiting<T, R>[] = []
  #calls = 0

  constructor(options: CallBatchOptions<T, R>) { this.#options = options }

  /** After an abort the caller does not wait for the outcome; a call that is on its way goes on for the others in it. */
  add(thing: T, { size, signal }: { size: number; signal?: AbortSignal | undefined }): Promise<R> {
    if (signal?.aborted) return Promise.reject(abortError(signal))
    return new Promise<R>((resolve, reject) => {
      const settle = <V>(then: (value: V) => void) => (value: V): void => {
        signal?.removeEventListener('abort', waiting.onAbort)
        then(value)
      }
      const waiting: Waiting<T, R> = {
        thing, size, signal, resolve: settle(resolve), reject: settle(reject),
        onAbort: () => {
          if (waiting.leave) waiting.leave()
          else this.#waiting = this.#waiting.filter(other => other !== waiting)
          reject(abortError(signal!))
        },
      }
      signal?.addEventListener('abort', waiting.onAbort, { once: true })
      this.#waiting.push(waiting)
      void this.#pump()
    })
  }

  async #pump(): Promise<void> {
    if (this.#calls >= this.#options.callsMax) return
    this.#calls++
    // Requests of the same turn of the event loop go along.
    await this.#options.clock.yield()
    while (this.#waiting.length > 0) await this.#call(this.#take())
    this.#calls--
  }

  #take(): Waiting<T, R>[] {
    const { countMax, sizeMax } = this.#options
    let count = 0
    for (let size = 0; count < Math.min(this.#waiting.length, countMax); count++) {
      size += this.#waiting[count]!.size
      if (count > 0 && size > sizeMax) break
    }
    return this.#waiting.splice(0, count)
  }

  async #call(taken: readonly Waiting<T, R>[]): Promise<void> {
    const ending = new AbortController()
    let staying = taken.length
    for (const each of taken) each.leave = () => { if (--staying === 0) ending.abort(abortError(each.signal!)) }
    try {
      const outcomes = await this.#options.send(taken.map(({ thing }) => thing), ending.signal)
      if (outcomes.length === 0) throw new Error('a call that takes many things has answered for none')
      for (const [i, outcome] of outcomes.entries()) {
        if ('error' in outcome) taken[i]!.reject(outcome.error)
        else taken[i]!.resolve(outcome.value)
      }
      const left = taken.slice(outcomes.length).filter(({ signal }) => !signal?.aborted)
      for (const each of left) each.leave = undefined
      this.#waiting.unshift(...left)
    } catch (error) {
      for (const { reject } of taken) reject(error)
    }
  }
}
