// mapAsync step of a Dataset: calls an asynchronous function for each value, with a bounded number of calls in progress. Results are passed
// on in the order of the values.

import { FunctionFailed, type Step } from './operator.ts'
import type { ValueFunction } from './each.ts'
import { keptValue } from './kept.ts'

/** Finds the place of the current record later: a call may fail after the next records were read. */
export type PlaceOf = () => (() => FunctionFailed['place']) | undefined

interface Call { readonly result: Promise<unknown>; readonly place: ReturnType<PlaceOf>; readonly path: string }

interface AsyncOptions {
  readonly fn: ValueFunction
  readonly concurrency: number
  readonly context: object
  /** Path of the current record, in the context of all steps. */
  readonly current: { path: string }
  readonly placeOf: PlaceOf
}

/** Passes on a value while the context has this path: meanwhile the source may have gone on to another file. */
export async function withPath(current: { path: string }, path: string, push: () => Promise<void> | undefined): Promise<void> {
  const before = current.path
  current.path = path
  try {
    const waiting = push()
    if (waiting) await waiting
  } finally {
    current.path = before
  }
}

/** Calls the function; what it throws before it returns a promise is a rejection too. */
async function call(fn: ValueFunction, value: unknown, context: unknown): Promise<unknown> { return fn(value, context) }

export function asyncStep({ fn, concurrency, context, current, placeOf }: AsyncOptions, next: Step<unknown>): Step<unknown> {
  const calls: Call[] = []
  const passOn = async (): Promise<void> => {
    const { result, place, path } = calls.shift()!
    let value: unknown
    try {
      value = await result
    } catch (error) {
      throw place ? new FunctionFailed(error, { place: place() }) : error
    }
    await withPath(current, path, () => next.push(value))
  }
  return {
    push(value) {
      const { path } = current
      const result = call(fn, keptValue(value), Object.create(context, { path: { value: path, enumerable: true } }))
      // A failure is reported when its turn comes; until then it is not an unhandled rejection.
      result.catch(() => {})
      calls.push({ result, place: placeOf(), path })
      return calls.length < concurrency ? undefined : passOn()
    },
    async finish() {
      while (calls.length > 0) await passOn()
      await next.finish()
    },
  }
}
