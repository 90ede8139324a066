// mapAsync step of a Dataset: calls an asynchronous function for each value, with a bounded number of calls in progress. Results are passed
// on in the order of the values.

import { FunctionFailed, type Step } from './operator.ts'
import type { ValueFunction } from './each.ts'
import { keptValue } from './kept.ts'

/** Finds the place of the current record later: a call may fail after the next records were read. */
export type PlaceOf = () => (() => FunctionFailed['place']) | undefined

/** Path and place of the current record, in the context of all steps. */
export interface CurrentRecord { path: string; placeOf: PlaceOf }

interface Call { readonly result: Promise<unknown>; readonly place: ReturnType<PlaceOf>; readonly path: string }

interface AsyncOptions {
  readonly fn: ValueFunction
  readonly concurrency: number
  readonly context: object
  readonly current: CurrentRecord
}

/** Passes on a value while the context has its record: meanwhile the source may have gone on to another one. */
export async function withRecord(current: CurrentRecord, record: CurrentRecord, push: () => Promise<void> | undefined): Promise<void> {
  const { path, placeOf } = current
  Object.assign(current, record)
  try {
    const waiting = push()
    if (waiting) await waiting
  } finally {
    Object.assign(current, { path, placeOf })
  }
}

/**
 * Calls the function; what it throws before it returns a promise is a rejection too. The result waits for its turn as it was when the call
 * ended: other calls may change the same object.
 */
async function call(fn: ValueFunction, value: unknown, context: unknown): Promise<unknown> { return keptValue(await fn(value, context)) }

export function asyncStep({ fn, concurrency, context, current }: AsyncOptions, next: Step<unknown>): Step<unknown> {
  const calls: Call[] = []
  const passOn = async (): Promise<void> => {
    const { result, place, path } = calls.shift()!
    let value: unknown
    try {
      value = await result
    } catch (error) {
      throw place ? new FunctionFailed(error, { place: place() }) : error
    }
    await withRecord(current, { path, placeOf: () => place }, () => next.push(value))
  }
  return {
    push(value) {
      const { path } = current
      const place = current.placeOf()
      const result = call(fn, keptValue(value), Object.create(context, {
        path: { value: path, enumerable: true }, offset: { get: () => place?.()?.offset, enumerable: true },
      }))
      // A failure is reported when its turn comes; until then it is not an unhandled rejection.
      result.catch(() => {})
      calls.push({ result, place, path })
      return calls.length < concurrency ? undefined : passOn()
    },
    async finish() {
      while (calls.length > 0) await passOn()
      await next.finish()
    },
  }
}
