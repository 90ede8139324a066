// Steps of a Dataset that take one value at a time: map, filter, flatMap, peek; and sample and limit, which pass on some values. A function
// that returns a promise is refused at its first call: the promise would pass for a value, or for true. mapAsync (async.ts) is for those.

import { showValue } from '../base/show.ts'
import type { EachNode } from '../plan/node.ts'
import { forward } from './forward.ts'
import { misuse } from './misuse.ts'
import { Enough, isPromise, type Push, type Step } from './operator.ts'

/** (value, context) */
export type ValueFunction = (value: unknown, context: unknown) => unknown

type Op = Exclude<EachNode['op'], 'mapAsync'>

export function eachStep(op: Op, fn: ValueFunction, context: unknown, next: Step<unknown>): Step<unknown> {
  return { push: pushes[op](fn, context, next.push), finish: () => next.finish() }
}

/** `random`: uniform in [0, 1). */
export function sampleStep(fraction: number, random: () => number, next: Step<unknown>): Step<unknown> {
  return { push: value => (random() < fraction ? next.push(value) : undefined), finish: () => next.finish() }
}

/**
 * `endsEarly`: after the last value that it passes on it throws Enough. Only where the steps before it handle one record at a time, so that
 * each attempt of the task calls their functions for the same records.
 */
export function limitStep(count: number, next: Step<unknown>, endsEarly: boolean): Step<unknown> {
  let passed = 0
  const last = (value: unknown): Promise<void> | undefined => {
    const waiting = next.push(value)
    if (waiting) return waiting.then(() => { throw new Enough('enough') })
    throw new Enough('enough')
  }
  const push: Push<unknown> = value => {
    if (passed >= count) return undefined
    return ++passed === count && endsEarly ? last(value) : next.push(value)
  }
  return { push, finish: () => next.finish() }
}

const pushes: Readonly<Record<Op, (fn: ValueFunction, context: unknown, next: Push<unknown>) => Push<unknown>>> = {
  map: (fn, context, next) => value => next(checked(fn(value, context), 'map')),
  filter: (fn, context, next) => value => (checkedFlag(fn(value, context)) ? next(value) : undefined),
  flatMap: (fn, context, next) => value => forward(iterableOf(fn(value, context), 'flatMap'), next),
  peek: (fn, context, next) => value => {
    checked(fn(value, context), 'peek')
    return next(value)
  },
}

function checked(result: unknown, name: string): unknown {
  if (typeof result === 'object' && isPromise(result)) throw asynchronous(name)
  return result
}

function checkedFlag(result: unknown): unknown {
  return typeof result === 'object' && result !== null ? checked(result, 'filter') : result
}

/** Throws EINVAL for a result that is not a sequence of values. A string is refused: its characters are rarely meant. */
export function iterableOf(result: unknown, name: string): Iterable<unknown> {
  if (typeof result === 'object' && result !== null) {
    if (Symbol.iterator in result) return result as Iterable<unknown>
    if (isPromise(result) || Symbol.asyncIterator in result) throw asynchronous(name)
  }
  throw misuse(
    `${name} returned ${showValue(result)}; it must return an array, a generator or another iterable: [] for no values, [value] for one`,
  )
}

export const asynchronous = (name: string): Error =>
  misuse(
    `${name} was given a function that returns a promise; use mapAsync(fn, { concurrency }), which waits for it, or mapPartitions with an async generator`,
  )
