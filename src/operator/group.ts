// Steps of a Dataset that take the groups of a shuffle: the values of each key, combined to one (fold), given to a function (group), or
// passed on one by one (ungroup), or made anew for a following step (regroup).

import type { Key } from '../base/pair.ts'
import { fold, type Combine } from '../shuffle/combiner.ts'
import type { KeyGroup } from '../shuffle/groups.ts'
import { asynchronous, iterableOf, type ValueFunction } from './each.ts'
import { forward } from './forward.ts'
import { isPromise, type Push, type Step } from './operator.ts'

/** (key, values, context) */
export type GroupFunction = (key: Key, values: Iterable<unknown>, context: unknown) => unknown

/** Values given to the function at once. */
const foldMax = 256

/** Passes on [key, combined value]. */
export function foldStep(combine: Combine, next: Step<unknown>): Push<KeyGroup> {
  return group => next.push([group.key, combined(combine, group)])
}

/** The values of the group, combined to one. */
export function combined(combine: Combine, { key, values }: KeyGroup): unknown {
  let pending: unknown[] = []
  for (const value of values) {
    pending.push(value)
    if (pending.length === foldMax) pending = [fold(combine, key, pending)]
  }
  return pending.length === 1 ? pending[0] : fold(combine, key, pending)
}

export function groupStep(fn: GroupFunction, flat: boolean, context: unknown, next: Step<unknown>): Push<KeyGroup> {
  if (flat) return ({ key, values }) => forward(iterableOf(fn(key, values, context), 'flatMap'), next.push)
  return ({ key, values }) => {
    const result = fn(key, values, context)
    if (typeof result === 'object' && isPromise(result)) throw asynchronous('map')
    return next.push(result)
  }
}

export function ungroupStep(next: Step<unknown>): Push<KeyGroup> {
  return ({ values }) => forward(values, next.push)
}

/** Groups whose values are made anew by `value` as they are read. */
export function regroupStep(value: ValueFunction | undefined, context: unknown, next: Step<KeyGroup>): Push<KeyGroup> {
  if (!value) return next.push
  return group => next.push({
    key: group.key,
    values: { * [Symbol.iterator]() { for (const each of group.values) yield value(each, context) } },
    end() { group.end() },
  })
}
