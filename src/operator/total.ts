// Step that merges all values of a task into one, in their order: the total of a part, for `reduce` and `count`.

import { asynchronous } from './each.ts'
import { keptValue } from './kept.ts'
import { isPromise, type Step } from './operator.ts'

export type TotalFunction = (a: unknown, b: unknown) => unknown

/** The function gets copies: it may change and return its arguments, and the program may reuse the objects that it has passed on. */
export function totalStep(merge: TotalFunction, next: Step<unknown>): Step<unknown> {
  let total: unknown
  let isEmpty = true
  return {
    push(value) {
      total = isEmpty ? keptValue(value) : merge(total, keptValue(value))
      isEmpty = false
      if (typeof total === 'object' && isPromise(total)) throw asynchronous('reduce')
      return undefined
    },
    finish: () => (isEmpty ? next.finish() : then(next.push(total), () => next.finish())),
  }
}

const then = (first: Promise<void> | undefined, next: () => Promise<void> | undefined): Promise<void> | undefined =>
  first ? first.then(next) : next()
