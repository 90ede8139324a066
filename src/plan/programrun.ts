// Runs the function of a program over Datasets, step by step. The function asks for a step by an action; its caller runs the step, or
// knows its result, and delivers it. Steps are numbered as they are asked for. A program may have several steps at a time, and then goes on
// in the order in which their results are delivered.
// INVARIANT: results are delivered one at a time, and the function comes to a rest before the next one. The same results in the same order
// therefore lead the function to the same steps with the same numbers, on every machine.

import { GristmillError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { savesNothing, type Dataflow } from '../program/dataflow.ts'
import type { Params } from '../program/definition.ts'
import type { Action, Flow, Recipe } from '../program/recipe.ts'
import { cachesOf, caching, withCached } from './cached.ts'
import { mulberry32 } from './programsources.ts'
import { shippingRoot } from './shipped.ts'

export interface ProgramStep extends Action {
  /** From 1 on. */
  readonly number: number
  /** Results that had been delivered when it was asked for. */
  readonly after: number
}

export type Delivery = { readonly values: readonly unknown[] } | { readonly error: Error }

interface ProgramRunOptions {
  readonly dataflow: Pick<Dataflow, 'drive'>
  readonly params: Params
  readonly seed: number
  /** Time at which the program was started. */
  readonly nowMs: number
  /** Resolves when the function has done all that it can do without another result. */
  readonly rest: () => Promise<void>
  /** Calls the program's code. Default: directly. */
  readonly call?: (<T>(work: () => T) => T) | undefined
  /** The results have been delivered to the program before: a failed step that it does not wait for is no failure here. */
  readonly isReplay?: boolean | undefined
  /** Called for each step, when it is asked for. */
  readonly onStep?: ((step: ProgramStep) => void) | undefined
}

interface Asked { readonly step: ProgramStep; readonly settle: (delivery: Delivery) => void }

export class ProgramRun {
  readonly #options: ProgramRunOptions
  readonly #asked: Asked[] = []
  readonly #ended = Promise.withResolvers<void>()
  /** Waits of `reached`, called when a step is asked for and when the function ends. */
  readonly #waiting = new Set<() => void>()
  /** Cached Datasets that were asked for, and the numbers of their steps. */
  readonly #caches = new Map<Recipe, Promise<void>>()
  readonly #steps = new Map<Recipe, number>()
  #delivered = 0
  #open = 0
  #hasReturned = false
  /** A result has been delivered, and the function has not come to a rest since. */
  #isGoingOn = false
  #isOver = false
  #deliveries: Promise<void> = Promise.resolve()
  /** The numbers of mill.random depend on the seed alone. */
  #state: number
  /** The program has used the time of its start, or random numbers. */
  usesStart = false
  /** After its last result the function had nothing to wait for. */
  endedAtOnce = false

  constructor(options: ProgramRunOptions) {
    this.#options = options
    this.#state = options.seed >>> 0
    this.#ended.promise.catch(() => {})
  }

  /** Calls the function. REQUIRES: called once. */
  start(): void {
    const { dataflow, params, nowMs, rest, call = work => work() } = this.#options
    const used = (): void => { this.usesStart = true }
    const flow: Flow = {
      run: action => {
        if (action.broadcast) return this.#ask({ ...action, root: shippingRoot() })
        return cachesOf(action.root).length === 0 ? this.#ask(action) : this.#askCached(action)
      },
      random: () => { used(); return this.#random() },
      get now() { used(); return nowMs },
    }
    const running = (async () => call(() => dataflow.drive(params, flow)))()
    running.then(() => {
      this.#hasReturned = true
      this.endedAtOnce = this.#isGoingOn
      this.#endIfDone()
    }, (error: unknown) => this.#end(error))
    this.#deliveries = rest()
  }

  /** Resolves when the function has returned and all its steps have results; rejects with what it throws. */
  get ended(): Promise<void> { return this.#ended.promise }

  /** Waits for the step; undefined: the function has ended without it. */
  async reached(number: number): Promise<ProgramStep | undefined> {
    while (this.#asked.length < number && !this.#isOver) await new Promise<void>(resolve => { this.#waiting.add(resolve) })
    return this.#asked[number - 1]?.step
  }

  /** Continues the function with a result, after those delivered before. Waits for the step; false: the function has ended without it. */
  deliver(number: number, delivery: Delivery): Promise<boolean> {
    const delivered = this.#deliveries.then(async () => {
      if (!await this.reached(number)) return false
      this.#delivered++
      this.#open--
      this.#asked[number - 1]!.settle(delivery)
      this.#isGoingOn = true
      await this.#options.rest()
      this.#isGoingOn = false
      this.#endIfDone()
      return true
    })
    this.#deliveries = delivered.then(() => undefined)
    return delivered
  }

  /** Asks for the steps of the cached Datasets that an action reads, unless they were asked for, and then for its own. */
  async #askCached(action: Action): Promise<readonly unknown[]> {
    await Promise.all(cachesOf(action.root).map(cache => this.#cached(cache)))
    return this.#ask({ ...action, root: withCached(action.root, cache => this.#steps.get(cache)) })
  }

  /** Resolves when a cached Dataset is computed. One that has failed is asked for again by the next action that reads it. */
  #cached(cache: Recipe): Promise<void> {
    const known = this.#caches.get(cache)
    if (known) return known
    const computed = (async () => {
      const inner = [...new Set(cache.inputs.flatMap(cachesOf))]
      if (inner.length > 0) await Promise.all(inner.map(each => this.#cached(each)))
      const stepOf = (each: Recipe): number | undefined => this.#steps.get(each)
      const action = caching(cache, stepOf)
      const asked = this.#ask({ ...action, root: withCached(action.root, stepOf) })
      this.#steps.set(cache, this.#asked.length)
      await asked
    })()
    this.#caches.set(cache, computed)
    computed.catch(() => { this.#caches.delete(cache) })
    return computed
  }

  #ask(action: Action): Promise<readonly unknown[]> {
    const number = this.#asked.length + 1
    if (number > limits.programStepsMax)
      return Promise.reject(new GristmillError(
        'TOO_LARGE',
        `the program has run ${limits.programStepsMax} steps, the most that one program can have; save a result, and go on from it in another run`,
      ))
    const { promise, resolve, reject } = Promise.withResolvers<readonly unknown[]>()
    const step: ProgramStep = { ...action, number, after: this.#delivered }
    this.#asked.push({
      step,
      settle: delivery => {
        if ('values' in delivery) return resolve(delivery.values)
        if (this.#options.isReplay) promise.catch(() => {})
        // If the program neither waits for the step nor handles its failure, the rejection is unhandled (client/load/main.ts).
        reject(delivery.error)
      },
    })
    this.#open++
    this.#wake()
    this.#options.onStep?.(step)
    return promise
  }

  #random(): number {
    const { state, value } = mulberry32(this.#state)
    this.#state = state
    return value
  }

  #endIfDone(): void {
    if (!this.#hasReturned || this.#open > 0 || this.#isOver) return
    if (this.#asked.length === 0) this.#end(new TypeError(savesNothing))
    else this.#end()
  }

  #end(...failure: readonly unknown[]): void {
    if (this.#isOver) return
    this.#isOver = true
    if (failure.length > 0) this.#ended.reject(failure[0])
    else this.#ended.resolve()
    this.#wake()
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
    this.#waiting.clear()
  }
}
